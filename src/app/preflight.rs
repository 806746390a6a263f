//! Everything that can be found wrong before the first socket is opened: certificates, keys, authorities, names
//! and log files.
//!
//! `check` stops after it; `run` goes on. Both say the same about the same configuration.

use std::io;
use std::net::SocketAddr;

use crate::alert::ChannelKind;
use crate::config::{self, Config, Environment, Places, Problem, Severity, Source};
use crate::disk::account;
use crate::net::tls::{self, Role, TlsFileError};
use crate::net::{Target, TargetError, by_name};
use crate::pipeline::{FileSettings, OutputKind, SyslogAddress};
use crate::routes::Table;
use crate::sinks::file;
use crate::{alert, listen, store, upstream};

/// What can be served.
#[derive(Debug)]
pub struct Ready {
    /// The settled configuration.
    pub config: Config,
    /// Its routes, compiled.
    pub table: Table,
}

/// Loads a configuration and looks at everything around it: what can be served, if it can be, and all that is to be
/// said about it.
pub fn prepare(source: &Source, environment: &Environment, resolve: Resolve<'_>) -> (Option<Ready>, Vec<Problem>) {
    inspect(source, environment, resolve, None)
}

/// As [`prepare`], and asks the name servers of upstreams that have their own, too: what they do not know is a warning, as
/// they are asked again and again while it runs.
pub fn inspect(
    source: &Source,
    environment: &Environment,
    resolve: Resolve<'_>,
    ask: Option<Ask<'_>>,
) -> (Option<Ready>, Vec<Problem>) {
    let mut loaded = config::load(source, environment);
    let found = loaded.partial().map(|config| preflight(config, &loaded.places, resolve, ask)).unwrap_or_default();
    let sound = found.iter().all(|problem| problem.severity == Severity::Warning);
    loaded.problems.extend(found);
    let ready = loaded.config.zip(loaded.table).filter(|_| sound);
    (ready.map(|(config, table)| Ready { config, table }), loaded.problems)
}

/// Resolves a host and a port, as the system does.
pub type Resolve<'a> = &'a dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Asks these name servers for a host; what is wrong, where something is.
pub type Ask<'a> = &'a dyn Fn(&[SocketAddr], &str) -> Result<(), String>;

/// What a configuration cannot be served with on this machine, now.
fn preflight(config: &Config, places: &Places, resolve: Resolve<'_>, ask: Option<Ask<'_>>) -> Vec<Problem> {
    let listeners = config.listeners.iter().flat_map(|listener| listener_problems(listener, places));
    let upstreams = config.upstreams.iter().flat_map(|upstream| servers(upstream, places, resolve, ask));
    let collectors = config.pipeline.outputs.iter().filter_map(|output| output_tls(&output.kind, places));
    let store = config.store.as_ref().and_then(|store| store_folder(store, places));
    let alerts = config.alerts.iter().flat_map(|alerts| alert_files(alerts, places));
    listeners.chain(upstreams).chain(log_files(config, places)).chain(collectors).chain(store).chain(alerts).collect()
}

/// What channels of alerts are reached with, and the folder that their state is kept in.
fn alert_files(alerts: &alert::Settings, places: &Places) -> Vec<Problem> {
    let channels = alerts.channels.iter().filter_map(|channel| match &channel.kind {
        ChannelKind::Email(email) => peer_problem(email.origin, &email.peer, places),
        ChannelKind::Webhook(webhook) => peer_problem(webhook.origin, &webhook.peer, places),
        ChannelKind::Command { .. } => None,
    });
    let state = alerts.state.as_ref().and_then(|state| {
        let found = file::check_replaced(state)?;
        let message = format!("what fires would be forgotten at a restart: {}", found.message);
        let problem = places.error(alerts.origin, "state", message, found.hint);
        // No reason not to serve.
        Some(Problem { severity: Severity::Warning, ..problem })
    });
    channels.chain(state).collect()
}

/// The authorities and the client certificate of an output over a network. Its name may come to resolve later: it is tried
/// again and again anyway.
fn output_tls(kind: &OutputKind, places: &Places) -> Option<Problem> {
    let (origin, peer) = match kind {
        OutputKind::Http(http) => (http.request.origin, &http.request.peer),
        OutputKind::Otlp(otlp) => (otlp.request.origin, &otlp.request.peer),
        OutputKind::Syslog(syslog) => match &syslog.address {
            SyslogAddress::Tcp(peer) => (syslog.origin, peer),
            SyslogAddress::Udp(_) | SyslogAddress::Unix(_) => return None,
        },
        OutputKind::Stdout | OutputKind::File(_) => return None,
    };
    peer_problem(origin, peer, places)
}

/// The files and the name that a far side is checked with.
fn peer_problem(origin: usize, peer: &Target, places: &Places) -> Option<Problem> {
    match peer.dialer().err()? {
        TargetError::TlsFile(error) => Some(file_problem(places, origin, client_key(error.role), &error)),
        error => Some(places.error(origin, "server_name", error.to_string(), "write a name or an address")),
    }
}

/// The key that names a file of a TLS client.
fn client_key(role: Role) -> &'static str {
    match role {
        Role::Certificate => "certificate",
        Role::Key => "key",
        Role::Authorities => "ca",
    }
}

/// Log files that cannot be written, and two that are one.
fn log_files(config: &Config, places: &Places) -> Vec<Problem> {
    let files: Vec<&FileSettings> = config.pipeline.outputs.iter().filter_map(|output| output.kind.file()).collect();
    let mut problems = Vec::new();
    for (at, settings) in files.iter().enumerate() {
        let found = file::check(settings).into_iter();
        problems.extend(found.map(|found| places.error(settings.origin, found.key, found.message, found.hint)));
        let identity = file::identity(&settings.path);
        let twin = files[..at].iter().find(|other| identity.is_some() && file::identity(&other.path) == identity);
        problems.extend(twin.map(|first| same_file(places, first, settings)));
    }
    problems
}

/// A folder that cannot be made, or not be written to. Who writes to it now is not asked: whoever looks through the
/// configuration of a process that runs finds it taken by that one.
fn store_folder(store: &store::Settings, places: &Places) -> Option<Problem> {
    let found = file::check_folder(&store.path)?;
    Some(places.error(store.origin, found.key, found.message, found.hint))
}

/// The configuration itself has been looked through for paths that are written alike.
fn same_file(places: &Places, first: &FileSettings, second: &FileSettings) -> Problem {
    let message = format!("{} is the file of another output, under another name", second.path.display());
    let hint = "keep one: two writers would mix their lines";
    let other = Some((places.place(first.origin, "path"), "first here".to_owned()));
    Problem { other, ..places.error(second.origin, "path", message, hint) }
}

/// The system's own resolver.
///
/// # Errors
///
/// Those of the system.
pub fn system_resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    std::net::ToSocketAddrs::to_socket_addrs(&(host, port)).map(Iterator::collect)
}

/// The name servers of an upstream.
///
/// # Errors
///
/// What they say, or that they say nothing.
pub fn ask_own(servers: &[SocketAddr], host: &str) -> Result<(), String> {
    upstream::supervise::look_up(servers, host).map(drop)
}

/// What a listener needs of this machine: its certificates and authorities, as they are on the disk now, and accounts.
fn listener_problems(listener: &listen::ListenSettings, places: &Places) -> Vec<Problem> {
    let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates).enumerate();
    let pairs = certificates.filter_map(|(at, pair)| certificate(pair, at > 0, places));
    let authorities = listener.tls.iter().filter_map(|tls| {
        let error = tls::root_store(&tls.client.as_ref()?.authorities).err()?;
        Some(file_problem(places, listener.origin, "tls.client_ca", &error))
    });
    let access = &listener.access;
    let owner = access.owner.as_deref().filter(|name| account::user(name).is_none()).map(|name| ("owner", name));
    let group = access.group.as_deref().filter(|name| account::group(name).is_none()).map(|name| ("group", name));
    let accounts = owner.into_iter().chain(group).map(|(field, name)| {
        let message = format!("there is no {} {name:?} on this machine", if field == "owner" { "user" } else { field });
        places.error(listener.origin, field, message, "a number works without an account")
    });
    pairs.chain(authorities).chain(accounts).collect()
}

/// A certificate and its key. One that is not the default is asked for by the names in it.
fn certificate(pair: &listen::CertificateSettings, needs_name: bool, places: &Places) -> Option<Problem> {
    let (origin, [certificate, key]) = pair.origin;
    match tls::load_certified_key(&pair.certificate, &pair.key) {
        Err(error) => {
            Some(file_problem(places, origin, if error.role == Role::Key { key } else { certificate }, &error))
        }
        Ok(loaded) if needs_name && by_name::names(&loaded).is_empty() => {
            let message = format!("{} is made out to no DNS name: nobody can ask for it", pair.certificate.display());
            let hint = "clients ask by subjectAltName; only the first certificate of a listener is shown without";
            Some(Problem { severity: Severity::Warning, ..places.error(origin, certificate, message, hint) })
        }
        Ok(_) => None,
    }
}

/// An upstream's names, and the files that it is spoken to with.
fn servers(upstream: &upstream::Settings, places: &Places, resolve: Resolve<'_>, ask: Option<Ask<'_>>) -> Vec<Problem> {
    let unresolved = upstream.servers.iter().enumerate().filter_map(|(index, server)| {
        let (host, port) = server.place.name()?;
        let field = format!("servers.{index}");
        if upstream.resolver.is_empty() {
            let why = unresolvable(host, port, resolve)?;
            let message = format!("the server `{host}` cannot be resolved: {why}");
            let hint = "look at the name, and at the resolver of this machine; an address works without one";
            return Some(places.error(upstream.origin, &field, message, hint));
        }
        let why = ask?(&upstream.resolver, host).err()?;
        let message = format!("the server `{host}` is not known to upstream.resolver: {why}");
        let hint = "look at the name, and at the name servers; until they know it, requests are answered with 502";
        let problem = places.error(upstream.origin, &field, message, hint);
        Some(Problem { severity: Severity::Warning, ..problem })
    });
    unresolved.chain(client_tls(upstream, places)).collect()
}

/// Why a host has no address, if it has none.
fn unresolvable(host: &str, port: u16, resolve: Resolve<'_>) -> Option<String> {
    match resolve(host, port) {
        Ok(addresses) if addresses.is_empty() => Some("it has no address".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// The authorities and the client certificate of an upstream.
fn client_tls(upstream: &upstream::Settings, places: &Places) -> Option<Problem> {
    let upstream::TlsSettings { ca, identity, .. } = &upstream.tls;
    let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let error = tls::client_config(ca.as_deref(), identity).err()?;
    Some(file_problem(places, upstream.origin, client_key(error.role), &error))
}

/// A file at fault, at the key that names it.
fn file_problem(places: &Places, origin: usize, field: &str, error: &TlsFileError) -> Problem {
    let hint = match error.problem {
        tls::TlsFileProblem::Mismatch => "take the key that the certificate was requested with",
        tls::TlsFileProblem::Unreadable(_) => "look at its permissions and at the user that gatelog runs as",
        _ => "a file in PEM begins with -----BEGIN",
    };
    places.error(origin, field, format!("the {} {}: {error}", error.role, error.path.display()), hint)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
mod tests {
    use super::*;

    /// What is said about a configuration with these alerts, in a folder of its own.
    fn said(folder: &std::path::Path, alerts: &str) -> Vec<Problem> {
        let file = folder.join("gatelog.toml");
        let upstream = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n";
        std::fs::write(&file, format!("{upstream}[alerts]\n{alerts}")).unwrap();
        let source = Source { file: Some(file), upstreams: Vec::new() };
        let resolve = |_: &str, _: u16| Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1))]);
        prepare(&source, &Environment::new([]), &resolve).1
    }

    #[test]
    fn a_state_that_cannot_be_kept_is_no_reason_not_to_serve() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(said(folder.path(), ""), []);
        assert_eq!(said(folder.path(), "state = \"new/alerts.json\""), []);
        let [problem] = &said(folder.path(), "state = \"gatelog.toml/alerts.json\"")[..] else { panic!() };
        assert_eq!((problem.severity, problem.place.line), (Severity::Warning, Some(5)));
        assert!(problem.message.starts_with("what fires would be forgotten at a restart: "), "{problem}");
    }

    #[test]
    fn authorities_of_channels_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), "no PEM").unwrap();
        let webhook = "[[alerts.channel]]\ntype = \"webhook\"\nurl = \"https://h/\"\nca = \"ca.pem\"\n";
        let email = "[[alerts.channel]]\ntype = \"email\"\nsmtp = \"smtp://h\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nca = \"ca.pem\"\n";
        let problems = said(folder.path(), &format!("{webhook}{email}"));
        let places: Vec<_> = problems.iter().map(|it| (it.severity, it.place.line)).collect();
        assert_eq!(places, [(Severity::Error, Some(8)), (Severity::Error, Some(14))], "{problems:?}");
    }
}
