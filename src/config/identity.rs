//! `[identity]`: who is believed about addresses, ids and users.

use http::HeaderName;

use super::address;
use super::finding::{Complaint, quoted};
use super::reader::Section;
use super::secret;
use super::tree::Node;
use super::value::{boolean, choice, header, name, token};
use crate::exchange::{Accept, IdFormat, RequestIdSettings, Settings, UserSource};
use crate::net::TrustedPeers;
use crate::secret::Secret;

/// `[identity]`, into the part of the settings that it fills.
pub(super) fn read(mut section: Section<'_>, settings: &mut Settings) {
    if let Some(proxies) = section.list("trusted_proxies", address::trusted) {
        let unix = proxies.contains(&None);
        settings.trusted_proxies = TrustedPeers { nets: proxies.into_iter().flatten().collect(), unix };
    }
    settings.request_id = request_id(section.table_or_empty("request_id"));
    section.set("trace", &mut settings.trace, boolean);
    settings.user = section.tables("user").into_iter().filter_map(|table| user(table, settings)).collect();
    settings.hash_key = hash_key(&mut section);
}

/// `identity.request_id`.
fn request_id(mut section: Section<'_>) -> RequestIdSettings {
    let mut settings = RequestIdSettings::default();
    section.set("header", &mut settings.header, id_header);
    section.set("accept", &mut settings.accept, |node| choice(node, &ACCEPT));
    section.set("format", &mut settings.format, |node| choice(node, &FORMATS));
    settings
}

const ACCEPT: [(&str, Accept); 3] =
    [("never", Accept::Never), ("trusted", Accept::Trusted), ("always", Accept::Always)];
const FORMATS: [(&str, IdFormat); 2] = [("uuid4", IdFormat::Uuid4), ("uuid7", IdFormat::Uuid7)];

/// A header of our own: not one that means something to HTTP itself.
fn id_header(node: &Node) -> Result<HeaderName, Complaint> {
    let name = header(node)?;
    if TAKEN.contains(&name.as_str()) {
        let message = format!("{} has a meaning of its own", quoted(name.as_str()));
        return Err(Complaint::new(message, "take a header that only carries the id: \"X-Request-ID\""));
    }
    Ok(name)
}

/// Headers that HTTP, or gatelog, reads and writes itself.
const TAKEN: [&str; 18] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "set-cookie",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// One entry of `user`: exactly one source, and what belongs to it.
fn user(mut section: Section<'_>, settings: &Settings) -> Option<UserSource> {
    let at = section.at;
    let written: Vec<&str> = SOURCES.into_iter().filter(|key| section.has(key)).collect();
    if written.len() != 1 {
        let message = match written.len() {
            0 => "`identity.user` names no source".to_owned(),
            _ => format!("`identity.user` names several sources at once: {}", written.join(", ")),
        };
        section.reader.error(at, message, format!("write one of {} in each entry", SOURCES.join(", ")));
    }
    let response = section.read("response_header", header);
    let request_at = section.at("request_header");
    let request = section.read("request_header", header);
    let claim = section.read("jwt_claim", name);
    let cookie = section.read("cookie", token);
    let strip = flag(&mut section, "strip", false, response.is_some());
    let trusted = flag(&mut section, "trusted", true, request.is_some());
    let hash = flag(&mut section, "hash", true, cookie.is_some());
    if request.is_some() && trusted && settings.trusted_proxies.is_empty() {
        let message = "no request can carry this: its header is believed from trusted proxies only, and there are none";
        section.reader.warning(request_at, message, "name the proxies in identity.trusted_proxies");
    }
    response
        .map(|name| UserSource::ResponseHeader { name, strip })
        .or(request.map(|name| UserSource::RequestHeader { name, trusted }))
        .or(claim.map(UserSource::JwtClaim))
        .or(cookie.map(|name| UserSource::Cookie { name, hash }))
}

/// The kinds of source, by their keys.
const SOURCES: [&str; 4] = ["response_header", "request_header", "jwt_claim", "cookie"];

/// A switch that belongs to one of the sources.
fn flag(section: &mut Section<'_>, key: &'static str, default: bool, belongs: bool) -> bool {
    let at = section.at(key);
    let value = section.read(key, boolean);
    if value.is_some() && !belongs {
        let message = format!("`{}` means nothing beside this source", section.name(key));
        section.reader.error(
            at,
            message,
            "strip goes with response_header, trusted with request_header, hash with cookie",
        );
    }
    value.unwrap_or(default)
}

/// `"text"`, `{ env = "NAME" }` or `{ file = "PATH" }`.
fn hash_key(section: &mut Section<'_>) -> Option<Secret> {
    let at = section.at("hash_key");
    let secret = secret::read(section, "hash_key")?;
    if secret.expose().len() < SHORTEST_KEY {
        let hint = "at least 16 characters, such as the output of: openssl rand -base64 32";
        section.reader.error(at, "`identity.hash_key`: the key is too short to keep a hash from being guessed", hint);
        return None;
    }
    Some(secret)
}

/// Characters; 16 of them, well chosen, cannot be tried out.
const SHORTEST_KEY: usize = 16;
