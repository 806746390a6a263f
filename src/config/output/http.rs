//! What `[[log.output]]` of the types `http` and `otlp` have beside the rest.

use http::{HeaderName, HeaderValue, Uri};

use super::network::{concurrency, delivery, tls};
use crate::config::address;
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::{Reader, Section};
use crate::config::secret;
use crate::config::source::At;
use crate::config::tree::Node;
use crate::config::value::{choice, header, name};
use crate::net::Target;
use crate::pipeline::{Auth, DeliverySettings, HttpBody, HttpSettings, OtlpSettings, RequestSettings};
use crate::secret::Secret;

/// The keys of an HTTP collector; `None` where it is not known which.
pub(super) fn read(section: &mut Section<'_>) -> Option<HttpSettings> {
    let written = section.require("endpoint", "\"https://logs.example.com/ingest\"", endpoint);
    let body = body(section);
    let endpoint = written.map(|endpoint| match &body {
        HttpBody::Elasticsearch { .. } => at_path(endpoint, "/_bulk"),
        _ => endpoint,
    });
    let (request, delivery) = common(section, endpoint);
    Some(HttpSettings { request: request?, body, delivery })
}

/// The keys of an OpenTelemetry collector.
pub(super) fn read_otlp(section: &mut Section<'_>) -> Option<OtlpSettings> {
    let written = section.read("endpoint", endpoint);
    let endpoint = written.unwrap_or(Uri::from_static(COLLECTOR));
    let (request, delivery) = common(section, Some(at_path(endpoint, "/v1/logs")));
    Some(OtlpSettings { request: request?, delivery })
}

/// Where the OpenTelemetry collector listens unless it is told otherwise.
const COLLECTOR: &str = "http://127.0.0.1:4318/";

/// What both have.
fn common(section: &mut Section<'_>, endpoint: Option<Uri>) -> (Option<RequestSettings>, DeliverySettings) {
    let origin = section.origin();
    let mut delivery = delivery(section, DeliverySettings::default());
    section.set("concurrency", &mut delivery.concurrency, concurrency);
    let auth = auth(section);
    let gzip = section.read("compress", |node| choice(node, &[("gzip", true), ("off", false)])).unwrap_or(false);
    let is_tls = endpoint.as_ref().is_none_or(|endpoint| endpoint.scheme_str() == Some("https"));
    let files = tls(section, is_tls, "write https:// before the endpoint, or take it out");
    let request = endpoint.and_then(|endpoint| {
        let host = endpoint.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = endpoint.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Some(RequestSettings { origin, peer: Target { host, port, tls: files }, endpoint, auth, gzip })
    });
    (request, delivery)
}

/// A whole URL.
fn endpoint(node: &Node) -> Result<Uri, Complaint> {
    let text = node.text()?;
    // Whatever stands before an @ may be a password, so that this message shows nothing of the URL.
    if text.contains('@') {
        return Err(Complaint::new("the endpoint has a user or a password", "write them as `user` and `password`"));
    }
    let refused =
        || Complaint::new(format!("{} is no URL", quoted(text)), "such as \"https://logs.example.com/ingest\"");
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let is_sound = matches!(uri.scheme_str(), Some("http" | "https"))
        && host.and_then(address::host_name).is_some()
        && uri.port_u16() != Some(0)
        && !text.contains('#');
    is_sound.then_some(uri).ok_or_else(refused)
}

/// The endpoint with this path, if it was given without one.
pub(in crate::config) fn at_path(endpoint: Uri, path: &'static str) -> Uri {
    if endpoint.path_and_query().is_some_and(|written| written.as_str() != "/") {
        return endpoint;
    }
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static(path));
    Uri::from_parts(parts).unwrap_or(endpoint)
}

/// `body` and what belongs to it.
fn body(section: &mut Section<'_>) -> HttpBody {
    let at = section.at("index");
    let index = section.read("index", index);
    let body = section.read("body", |node| choice(node, &BODIES)).unwrap_or("logs");
    match (body, index) {
        ("elasticsearch", Some(index)) => HttpBody::Elasticsearch { index },
        ("elasticsearch", None) => {
            section.reader.error(at, "`log.output.index` is missing", "add index = \"logs-gatelog-default\"");
            HttpBody::Ndjson
        }
        (body, index) => {
            if index.is_some() {
                let message = "`log.output.index` has no effect beside this body";
                section.reader.warning(at, message, "write body = \"elasticsearch\", or take it out");
            }
            if body == "ndjson" { HttpBody::Ndjson } else { HttpBody::Logs }
        }
    }
}

const BODIES: [(&str, &str); 3] = [("logs", "logs"), ("ndjson", "ndjson"), ("elasticsearch", "elasticsearch")];

/// A name of an index or of a data stream.
fn index(node: &Node) -> Result<String, Complaint> {
    let text = name(node)?;
    let is_wrong = |character: char| {
        character.is_ascii_uppercase() || character.is_whitespace() || "\\/*?\"<>|,#:".contains(character)
    };
    if text.len() > 255 || text.starts_with(['-', '_', '+', '.']) || text.contains(is_wrong) {
        let hint = "small letters, digits, hyphens and dots: \"logs-gatelog-default\"";
        return Err(Complaint::new(format!("{} is no name of an index", quoted(&text)), hint));
    }
    Ok(text)
}

/// `token`, `user` and `password`, or `header`: one of them.
fn auth(section: &mut Section<'_>) -> Auth {
    let given: Vec<&str> = ["token", "user", "header"].into_iter().filter(|key| section.has(key)).collect();
    if let [first, second, ..] = given[..] {
        let message = format!("`{}` and `{}` both say who gatelog is", section.name(first), section.name(second));
        section.reader.error(section.at(second), message, "keep one of them");
    }
    let token = sound_secret(section, "token").map(Auth::Bearer);
    let basic = basic(section);
    let header = section.table("header").and_then(own_header);
    token.or(basic).or(header).unwrap_or(Auth::None)
}

fn basic(section: &mut Section<'_>) -> Option<Auth> {
    for (key, missing) in [("user", "password"), ("password", "user")] {
        if section.has(key) && !section.has(missing) {
            let message = format!("`{}` is there without `{}`", section.name(key), section.name(missing));
            section.reader.error(section.at(key), message, format!("add `{missing}`"));
        }
    }
    let user = section.read("user", |node| match name(node)? {
        user if user.contains(':') => Err(Complaint::new("it has a colon in it", "RFC 7617 knows no such user")),
        user => Ok(user),
    });
    let password = secret::read(section, "password");
    user.zip(password).map(|(user, password)| Auth::Basic { user, password })
}

/// `header = { name = "X-Api-Key", secret = … }`.
fn own_header(mut section: Section<'_>) -> Option<Auth> {
    let name = section.require("name", "\"X-Api-Key\"", own_name);
    if !section.has("secret") {
        let message = format!("`{}` is missing", section.name("secret"));
        section.reader.error(section.at, message, "add secret = { env = \"LOG_API_KEY\" }");
    }
    let value = sound_secret(&mut section, "secret");
    name.zip(value).map(|(name, value)| Auth::Header { name, value })
}

/// A header that gatelog does not write itself.
pub(in crate::config) fn own_name(node: &Node) -> Result<HeaderName, Complaint> {
    let name = header(node)?;
    let ours = ["host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection"];
    if ours.contains(&name.as_str()) {
        return Err(Complaint::new(format!("{} is written by gatelog", quoted(name.as_str())), "write another header"));
    }
    Ok(name)
}

/// A secret that can stand in a header.
pub(in crate::config) fn sound_secret(section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    let (at, name) = (section.at(key), section.name(key));
    sound(section.reader, at, &name, secret::read(section, key)?)
}

/// The secret, if it can stand in a header.
pub(in crate::config) fn sound(reader: &Reader<'_>, at: At, name: &str, secret: Secret) -> Option<Secret> {
    if secret.expose().is_empty() || HeaderValue::from_str(secret.expose()).is_err() {
        let message = format!("`{name}`: it is empty, or holds what no header can");
        reader.error(at, message, "look at the end of the file or of the variable");
        return None;
    }
    Some(secret)
}
