//! `gatelog check`: everything that can be known about a configuration without serving it.

use std::io::{self, Write};

use crate::app::preflight::{Ask, Ready, Resolve, inspect};
use crate::config::{Environment, Problem, Severity, Source};

/// Loads a configuration, looks at the certificates, keys and names in it, and writes every problem and a summary.
///
/// Gives the exit code: 0 if it can be served (warnings or not), 2 if it cannot.
///
/// # Errors
///
/// Those of writing to `out`.
pub fn check(
    source: &Source,
    environment: &Environment,
    resolve: Resolve<'_>,
    ask: Ask<'_>,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let (ready, problems) = inspect(source, environment, resolve, Some(ask));
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    let name = match &source.file {
        Some(path) => path.display().to_string(),
        None => "command line".to_owned(),
    };
    match &ready {
        Some(ready) => writeln!(out, "{name}: {}{}", summary(ready), count(&problems))?,
        None => writeln!(out, "{name}: cannot be served{}", count(&problems))?,
    }
    Ok(if ready.is_some() { 0 } else { 2 })
}

/// What would be served.
fn summary(ready: &Ready) -> String {
    let listeners = plural(ready.config.listeners.len(), "listener");
    let upstreams = plural(ready.config.upstreams.len(), "upstream");
    let routes = plural(ready.table.routes().len(), "route");
    format!("{listeners}, {upstreams}, {routes}")
}

/// `; 1 error, 2 warnings`, or nothing.
fn count(problems: &[Problem]) -> String {
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let counts = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
    let said = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| plural(*count, what));
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!("; {}", said.join(", ")) }
}

/// `1 route`, `2 routes`.
fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;

    use super::*;

    /// Knows `app.example` alone.
    fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "app.example" => Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]),
            _ => Err(io::Error::other("no such host")),
        }
    }

    /// The name server 10.0.0.2 knows `inside.example` alone.
    fn ask(servers: &[SocketAddr], host: &str) -> Result<(), String> {
        assert_eq!(servers, ["10.0.0.2:53".parse().unwrap()]);
        (host == "inside.example").then_some(()).ok_or_else(|| "NXDOMAIN".to_owned())
    }

    /// The exit code, and what is written, for a file in a folder that also has two identities.
    fn checked(text: &str) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            let identity = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), identity.cert.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), identity.signing_key.serialize_pem()).unwrap();
        }
        std::fs::write(folder.path().join("gatelog.toml"), text).unwrap();
        let source = Source { file: Some(folder.path().join("gatelog.toml")), upstreams: Vec::new() };
        let mut out = Vec::new();
        let code = check(&source, &Environment::new([]), &resolve, &ask, &mut out).unwrap();
        let root = format!("{}/", folder.path().display());
        (code, String::from_utf8(out).unwrap().replace(&root, ""))
    }

    #[test]
    fn what_can_be_served_is_summed_up() {
        let text = "[[upstream]]\nname = \"app\"\nservers = [\"https://app.example\"]\nca = \"a.pem\"\n\
                    [[listen]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"a.pem\", key = \"a.key\" }\n\
                    [[route]]\nprefix = \"x/\"\nroute = [{ path = \"a\" }, { path = \"b\" }]\n";
        assert_eq!(checked(text), (0, "gatelog.toml: 1 listener, 1 upstream, 2 routes\n".to_owned()));
    }

    #[test]
    fn warnings_do_not_keep_it_from_being_served() {
        let text = "[[upstream]]\nname = \"app\"\nservers = [\"http://app.example\"]\nca = \"a.pem\"\n";
        let (code, out) = checked(text);
        assert_eq!(code, 0);
        assert!(out.starts_with("warning: `upstream.ca` has no effect"), "{out}");
        assert!(out.ends_with("gatelog.toml: 1 listener, 1 upstream, 0 routes; 1 warning\n"), "{out}");
    }

    #[test]
    fn certificates_and_names_are_looked_at_all_at_once() {
        let text = "worker = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"a.pem\", key = \"b.key\" }\n\
                    [[upstream]]\nname = \"app\"\nservers = [\"https://app.example\", \"https://other.example\"]\n\
                    ca = \"a.key\"\n";
        let (code, out) = checked(text);
        let expected = "\
error: unknown key `worker` at the top level
 --> gatelog.toml:1:1
  |
1 | worker = 1
  | ^^^^^^
  = hint: did you mean `workers`?

error: the private key b.key: the private key does not belong to the certificate
 --> gatelog.toml:4:38
  |
4 | tls = { certificate = \"a.pem\", key = \"b.key\" }
  |                                      ^^^^^^^
  = hint: take the key that the certificate was requested with

error: the server `other.example` cannot be resolved: no such host
 --> gatelog.toml:7:35
  |
7 | servers = [\"https://app.example\", \"https://other.example\"]
  |                                   ^^^^^^^^^^^^^^^^^^^^^^^
  = hint: look at the name, and at the resolver of this machine; an address works without one

error: the authorities a.key: it holds no authorities in PEM
 --> gatelog.toml:8:6
  |
8 | ca = \"a.key\"
  |      ^^^^^^^
  = hint: a file in PEM begins with -----BEGIN

gatelog.toml: cannot be served; 4 errors
";
        assert_eq!((code, out.as_str()), (2, expected));
    }

    #[test]
    fn name_servers_of_an_upstream_are_asked_and_need_not_know_its_names_yet() {
        let text = "[[upstream]]\nname = \"app\"\nresolver = [\"10.0.0.2\"]\n\
                    servers = [\"http://inside.example\", \"http://later.example\", \"http://127.0.0.1\"]\n";
        let (code, out) = checked(text);
        assert_eq!(code, 0, "{out}");
        let told =
            "warning: the server `later.example` is not known to upstream.resolver: NXDOMAIN\n --> gatelog.toml:4:37";
        assert!(out.starts_with(told), "{out}");
        assert!(out.ends_with("gatelog.toml: 1 listener, 1 upstream, 0 routes; 1 warning\n"), "{out}");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_problem_like_any_other() {
        let source = Source { file: Some(Path::new("nowhere/gatelog.toml").into()), upstreams: Vec::new() };
        let mut out = Vec::new();
        assert_eq!(check(&source, &Environment::new([]), &resolve, &ask, &mut out).unwrap(), 2);
        let out = String::from_utf8(out).unwrap();
        assert!(out.ends_with("nowhere/gatelog.toml: cannot be served; 1 error\n"), "{out}");
    }
}
