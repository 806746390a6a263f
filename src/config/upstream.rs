//! `[[upstream]]`, and `--upstream URL` in its place.

mod cluster;

use super::address;
use super::finding::{Complaint, quoted};
use super::reader::{Reader, Section};
use super::source::{At, Kind};
use super::tree::{Node, Value};
use super::value::{choice, header, name, time_limit};
use crate::net::proxy_protocol::Version;
use crate::upstream::{ExceptionHeaders, ServerSettings, Settings, Timeouts, TlsSettings};

/// Every upstream, in order. `arguments` are the URLs of `--upstream`: they are the servers of the default upstream,
/// the one that the file gives neither hosts nor a prefix, or of a new one.
pub(super) fn upstreams(root: &mut Section<'_>, arguments: &[String]) -> Vec<Settings> {
    let reader = root.reader;
    let written = root.has("upstream");
    let mut upstreams: Vec<Settings> = root.tables("upstream").into_iter().filter_map(upstream).collect();
    if !arguments.is_empty() {
        let default = upstreams.iter().position(Settings::is_default).unwrap_or_else(|| {
            upstreams.push(argued(root));
            upstreams.len() - 1
        });
        let default = &mut upstreams[default];
        default.servers = argued_servers(reader, arguments, default.origin);
    } else if !written {
        let hint = "add [[upstream]] name = \"app\" servers = [\"http://127.0.0.1:8000\"], or run with --upstream URL";
        reader.error(At::whole(root.at.source), "there is no upstream to send requests to", hint);
    }
    clashes(reader, &upstreams);
    upstreams
}

/// The upstream of a command line; its servers are still to come.
fn argued(root: &Section<'_>) -> Settings {
    Settings::new(root.origin(), "default".to_owned(), Vec::new())
}

/// The servers of `--upstream`, each shown as `--upstream URL` where it is wrong.
fn argued_servers(reader: &Reader<'_>, urls: &[String], origin: usize) -> Vec<ServerSettings> {
    let argument = |url: &String| {
        let text = format!("--upstream {url}");
        let (start, end) = (text.len() - url.len(), text.len());
        let source = reader.sources.borrow_mut().add(Kind::Argument, "command line", text);
        Node { at: At { source, start, end }, value: Value::Untyped(url.clone()) }
    };
    let nodes = urls.iter().map(argument).collect();
    placed_servers(reader, origin, nodes, |node| reader.judge("--upstream", node, |node| address::server(node.text()?)))
}

/// Servers, each with its place remembered.
fn placed_servers(
    reader: &Reader<'_>,
    origin: usize,
    nodes: Vec<Node>,
    read: impl Fn(Node) -> Option<ServerSettings>,
) -> Vec<ServerSettings> {
    let mut servers = Vec::new();
    for node in nodes {
        let at = node.at;
        if let Some(server) = read(node) {
            reader.origins.note(origin, format!("servers.{}", servers.len()), at);
            servers.push(server);
        }
    }
    servers
}

/// One `[[upstream]]`; `None` where it has no name, by which everything else is told of it.
fn upstream(mut section: Section<'_>) -> Option<Settings> {
    let origin = section.origin();
    let name = section.require("name", "\"app\"", name);
    let servers = servers(&mut section, origin);
    let shared = cluster::read(&mut section, origin, servers);
    let settings = Settings {
        hosts: section.list("hosts", address::host).unwrap_or_default(),
        prefix: section.read("prefix", prefix).flatten(),
        timeouts: timeouts(section.table_or_empty("timeouts")),
        exception_headers: exception_headers(section.table_or_empty("exception_headers")),
        tls: tls(&mut section, &shared.servers),
        proxy_protocol: proxy_protocol(&mut section, &shared.servers),
        ..shared
    };
    Some(Settings { name: name?, ..settings })
}

/// Versions of the PROXY protocol.
const PROXY_PROTOCOL: [(&str, Version); 2] = [("v1", Version::V1), ("v2", Version::V2)];

/// `upstream.servers`. One that cannot be read does not keep the others from being checked.
fn servers(section: &mut Section<'_>, origin: usize) -> Vec<ServerSettings> {
    let at = section.at("servers");
    let written = section.has("servers");
    let nodes = section.nodes("servers");
    if !written || nodes.as_ref().is_some_and(Vec::is_empty) {
        section.reader.error(at, "the upstream has no servers", "add servers = [\"http://127.0.0.1:8000\"]");
    }
    let (reader, name) = (section.reader, section.name("servers"));
    placed_servers(reader, origin, nodes.unwrap_or_default(), |node| server(reader, name.clone(), node))
}

/// A URL, or a table with `url`.
fn server(reader: &Reader<'_>, name: String, node: Node) -> Option<ServerSettings> {
    let url = |node: &Node| address::server(node.text()?);
    if !matches!(node.value, Value::Table(_)) {
        return reader.judge(&name, node, |node| url(&node));
    }
    let mut section = reader.table(name, node)?;
    let server = section.require("url", "\"http://127.0.0.1:8000\"", url);
    cluster::server(&mut section, server)
}

/// A path that requests begin with; a slash at its end changes nothing, and the root is no prefix.
fn prefix(node: &Node) -> Result<Option<String>, Complaint> {
    let text = node.text()?;
    if !text.starts_with('/') {
        let message = format!("{} does not begin with a slash", quoted(text));
        return Err(Complaint::new(message, format!("write \"/{text}\"")));
    }
    if text.contains(['?', '#']) || text.contains(char::is_whitespace) {
        return Err(Complaint::new(format!("{} is no path", quoted(text)), "no query, no fragment, no spaces"));
    }
    Ok(Some(text.trim_end_matches('/').to_owned()).filter(|prefix| !prefix.is_empty()))
}

/// `upstream.proxy_protocol`. A connection of HTTP/2 carries the requests of many clients, and can speak for none of them.
fn proxy_protocol(section: &mut Section<'_>, servers: &[ServerSettings]) -> Option<Version> {
    let at = section.at("proxy_protocol");
    let version = section.read("proxy_protocol", |node| choice(node, &PROXY_PROTOCOL));
    if version.is_some() && servers.iter().any(|server| server.protocol.is_http2()) {
        let message = "a server of this upstream speaks HTTP/2: its connections carry the requests of many clients";
        section.reader.error(at, message, "take proxy_protocol out, or let the server speak HTTP/1.1");
    }
    version
}

/// `upstream.timeouts`.
fn timeouts(mut section: Section<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    section.set("connect", &mut timeouts.connect, time_limit);
    section.set("response", &mut timeouts.response, time_limit);
    section.set("idle", &mut timeouts.idle, time_limit);
    section.set("tunnel", &mut timeouts.tunnel, time_limit);
    section.set("ping", &mut timeouts.ping, time_limit);
    timeouts
}

/// `upstream.exception_headers`.
fn exception_headers(mut section: Section<'_>) -> ExceptionHeaders {
    let mut headers = ExceptionHeaders::default();
    section.set("type", &mut headers.kind, header);
    section.set("message", &mut headers.message, header);
    headers
}

/// How its TLS servers are checked, and what they are shown.
fn tls(section: &mut Section<'_>, servers: &[ServerSettings]) -> TlsSettings {
    let first = TLS_KEYS.into_iter().find(|key| section.has(key));
    if let (Some(key), false) = (first, servers.is_empty() || servers.iter().any(|server| server.protocol.is_tls())) {
        let message = format!("`{}` has no effect: no server of this upstream is https", section.name(key));
        section.reader.warning(section.at(key), message, "write https:// before the servers, or take it out");
    }
    let pair = (section.has("certificate"), section.has("key"));
    if let (true, false) | (false, true) = pair {
        let (key, missing) = if pair.0 { ("certificate", "key") } else { ("key", "certificate") };
        let message = format!("`upstream.{key}` is there without `upstream.{missing}`");
        section.reader.error(section.at(key), message, format!("add {missing} = \"FILE\", in PEM"));
    }
    TlsSettings {
        ca: section.file("ca"),
        identity: section.file("certificate").zip(section.file("key")),
        server_name: section.read("server_name", address::server_name),
    }
}

const TLS_KEYS: [&str; 4] = ["ca", "certificate", "key", "server_name"];

/// Names that stand twice, and requests that two upstreams would both take.
fn clashes(reader: &Reader<'_>, upstreams: &[Settings]) {
    let at = |upstream: &Settings, field: &str| reader.origins.at(upstream.origin, field);
    for (index, second) in upstreams.iter().enumerate() {
        if let Some(first) = upstreams[..index].iter().find(|first| first.name == second.name) {
            let complaint = Complaint::new(
                format!("two upstreams are called {}", quoted(&second.name)),
                "routes name upstreams, and so does the log: give one of them another name",
            );
            reader.clash(at(second, "name"), at(first, "name"), complaint);
        } else if let Some(first) = upstreams[..index].iter().find(|first| first.shares_requests_with(second)) {
            let (field, complaint) = clash_complaint(first, second);
            reader.clash(at(second, field), at(first, field), complaint);
        }
    }
}

/// Which key tells of a clash, and what to say.
fn clash_complaint(first: &Settings, second: &Settings) -> (&'static str, Complaint) {
    let (first, name) = (quoted(&first.name), quoted(&second.name));
    match (second.is_default(), &second.prefix) {
        (true, _) => {
            let message = format!("{name} has neither hosts nor a prefix, and neither has {first}");
            (
                "name",
                Complaint::new(message, "only one upstream can be the default: add `hosts` or `prefix` to the other"),
            )
        }
        (false, Some(prefix)) => {
            let message = format!("{name} and {first} are both for the prefix {} of the same host", quoted(prefix));
            ("prefix", Complaint::new(message, "change one of them, or put the servers into one upstream"))
        }
        (false, None) => {
            let message = format!("{name} and {first} are both for the same host");
            (
                "hosts",
                Complaint::new(message, "change one of them, add a `prefix`, or put the servers into one upstream"),
            )
        }
    }
}

impl Settings {
    /// Takes what no other upstream takes.
    fn is_default(&self) -> bool {
        self.hosts.is_empty() && self.prefix.is_none()
    }

    /// Whether a request could go to either with the same right.
    fn shares_requests_with(&self, other: &Settings) -> bool {
        let share_hosts =
            self.hosts.is_empty() && other.hosts.is_empty() || self.hosts.iter().any(|host| other.hosts.contains(host));
        self.prefix == other.prefix && share_hosts
    }
}
