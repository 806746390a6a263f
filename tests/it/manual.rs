//! `gatelog completions` and `gatelog man`: read by those that they are written for.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::command::{gatelog, said};

#[test]
fn bash_understands_its_completions_and_completes_with_them() {
    let script = said(&["completions", "bash"]);
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let checked = bash.wait_with_output().unwrap();
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    let ask = "COMP_WORDS=(gatelog sea) COMP_CWORD=1; _gatelog gatelog sea gatelog; echo \"${COMPREPLY[@]}\"";
    let asked = Command::new("bash").args(["--norc", "-c", &format!("{script}\n{ask}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), "search", "{asked:?}");
}

#[test]
fn every_shell_has_its_script_and_another_is_refused_with_those_there_are() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(said(&["completions", shell]).contains("gatelog"), "{shell}");
    }
    let refused = gatelog(&["completions", "tcsh"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("zsh"), "{refused:?}");
}

#[test]
fn the_manual_page_names_every_command() {
    let page = said(&["man"]);
    assert!(page.starts_with(".TH gatelog 1 "), "{page}");
    let help = said(&["help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Those whose description begins on the next line have it alone.
    let names: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(["run", "search", "completions", "man"].iter().all(|name| names.contains(name)), "{help}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(page.contains(&format!(".SS \"gatelog {name}\"\n")), "{name}");
    }
    assert!(page.contains(".SS \"gatelog store check\"\n"));
}
