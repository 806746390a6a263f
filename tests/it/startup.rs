//! What is wrong is said before anything is served: exit code 2 (configuration) or 1, nothing on stdout.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::support::{Setup, Upstream, get};

/// Runs a configuration that cannot work; it must end by itself.
fn fails(config: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), config).unwrap();
    let output = gatelog(&["run", "--config", "bad.toml"], dir.path());
    assert!(output.stdout.is_empty(), "something was served: {output:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn gatelog(arguments: &[&str], dir: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatelog"));
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn an_unresolvable_upstream_is_said() {
    let output = Setup::to("http://no-such-host.invalid").command().output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("no-such-host.invalid"), "{told}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, told) = fails(&format!(
        "[[listen]]\naddress = \"{address}\"\n[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n"
    ));
    assert!(matches!(code, Some(1 | 2)), "{code:?}: {told}");
    assert!(told.contains(&address.to_string()), "{told}");
}

#[test]
fn a_missing_certificate_is_said() {
    let (code, told) = fails(
        "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"no.pem\", key = \"no.key\" }\n\
         [[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n",
    );
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("no.pem") && told.contains("bad.toml"), "{told}");
}

#[test]
fn all_mistakes_are_said_at_once_with_their_places() {
    let (code, told) = fails(
        "shutdwn_grace = \"30s\"\n[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n\
         [limits]\nheader_count = \"many\"\n[log]\nslow = \"fast\"\n",
    );
    assert_eq!(code, Some(2), "{told}");
    for part in ["shutdwn_grace", "shutdown_grace", "header_count", "many", "slow", "fast", "bad.toml:1:"] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn a_missing_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let output = gatelog(&["run", "--config", "none.toml"], dir.path());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.toml"), "{output:?}");
}

#[test]
fn a_configuration_that_works_checks_and_serves() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    setup.command();
    let output = gatelog(&["check", "--config", "gatelog.toml"], setup.dir());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let proxy = setup.start();
    get(proxy.addr(), "/", "works").ok();
    proxy.stop();
}
