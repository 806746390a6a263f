//! What `[[alerts.channel]]` of type `webhook` has beside the rest.

use http::{HeaderName, Uri};

use super::email::{is_loopback, tls};
use crate::alert::{WebhookBody, WebhookSettings};
use crate::config::address;
use crate::config::output::{at_path, own_name, sound, sound_secret};
use crate::config::reader::Section;
use crate::config::secret;
use crate::config::tree::{Entry, Node, Value};
use crate::config::value::choice;
use crate::net::Target;
use crate::secret::Secret;

/// The keys of a webhook; `None` where it is not known where to, or how.
pub(super) fn read(section: &mut Section<'_>) -> Option<WebhookSettings> {
    let origin = section.origin();
    let key_at = section.at("routing_key");
    let has_key = section.has("routing_key");
    let wants_format = section.has("format");
    let format = section.read("format", |node| choice(node, &FORMATS));
    let key = sound_secret(section, "routing_key");
    let format = if wants_format { format } else { Some(Format::Json) };
    if has_key && format.is_some_and(|format| format != Format::PagerDuty) {
        let message = format!("`{}` has no effect beside this format", section.name("routing_key"));
        section.reader.warning(key_at, message, "write format = \"pagerduty\", or take it out");
    }
    if format == Some(Format::PagerDuty) && !has_key {
        let message = format!("`{}` is missing", section.name("routing_key"));
        section.reader.error(section.at, message, "add routing_key = { env = \"PAGERDUTY_ROUTING_KEY\" }");
    }
    let written = url(section, format);
    let is_tls = written.as_ref().is_none_or(|url| url.scheme_str() == Some("https"));
    let files = tls(section, is_tls, "write https:// before the URL, or take it out");
    let headers_at = section.at("headers");
    let headers: Vec<_> = section.table("headers").map(headers).unwrap_or_default();
    let url = match format? {
        Format::Alertmanager => at_path(written?, "/api/v2/alerts"),
        _ => written?,
    };
    let body = match format? {
        Format::Json => WebhookBody::Json,
        Format::Slack => WebhookBody::Slack,
        Format::PagerDuty => WebhookBody::PagerDuty { routing_key: key? },
        Format::Alertmanager => WebhookBody::Alertmanager,
    };
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    if !is_tls && !is_loopback(&host) && (has_key || !headers.is_empty()) {
        let at = if has_key { key_at } else { headers_at };
        let message = "it is sent in the clear: whoever listens on the way has it";
        section.reader.warning(at, message, "write https:// before the URL");
    }
    let peer = Target { host, port, tls: files };
    Some(WebhookSettings { origin, url: Secret::new(url.to_string()), peer, body, headers })
}

/// The formats, before their keys are known.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Json,
    Slack,
    PagerDuty,
    Alertmanager,
}

const FORMATS: [(&str, Format); 4] = [
    ("json", Format::Json),
    ("slack", Format::Slack),
    ("pagerduty", Format::PagerDuty),
    ("alertmanager", Format::Alertmanager),
];

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// `url`, which is never shown.
fn url(section: &mut Section<'_>, format: Option<Format>) -> Option<Uri> {
    let (at, key) = (section.at("url"), section.name("url"));
    if !section.has("url") {
        // It is known all the same.
        secret::read(section, "url");
        if format == Some(Format::PagerDuty) {
            return Some(Uri::from_static(PAGERDUTY));
        }
        section.reader.error(section.at, format!("`{key}` is missing"), "add url = { env = \"ALERT_WEBHOOK\" }");
        return None;
    }
    let secret = secret::read(section, "url")?;
    match parsed(secret.expose()) {
        Ok(url) => Some(url),
        Err(why) => {
            section.reader.error(at, format!("`{key}`: {why}"), "write http:// or https://, a host and a path");
            None
        }
    }
}

/// What is wrong with it is told without any of it.
fn parsed(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.trim().parse().map_err(|_| "it is no URL")?;
    let host = url.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("it begins neither with http:// nor with https://");
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it has a user or a password, which belong into `headers`");
    }
    if host.and_then(address::host_name).is_none() || url.port_u16() == Some(0) {
        return Err("it has no host that could be reached");
    }
    if text.contains('#') { Err("nothing behind a # is ever sent") } else { Ok(url) }
}

/// `headers`: names, and values that may be secrets.
fn headers(mut section: Section<'_>) -> Vec<(HeaderName, Secret)> {
    let (reader, path) = (section.reader, section.path.clone());
    let header = |entry: Entry| {
        let Entry { name, at, node } = entry;
        let named = Node { at, value: Value::Text(name) };
        let name = reader.judge(&path, named, |node| own_name(&node))?;
        let place = node.at;
        let secret = secret::value(reader, path.clone(), node)?;
        Some((name, sound(reader, place, &path, secret)?))
    };
    section.take_rest().into_iter().filter_map(header).collect()
}
