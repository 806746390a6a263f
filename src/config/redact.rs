//! `log.redact`: lists that add to the defaults (`"+name"`) or stand in their place, and a look at whether they can
//! ever match.

use http::HeaderName;

use super::finding::{Complaint, quoted};
use super::reader::Section;
use super::tree::Node;
use super::value::{boolean, header, name};
use crate::exchange::{self, FieldSource, HeadPlace, UserSource};
use crate::record::RedactSettings;
use crate::upstream;

/// `log.redact`. What else is configured tells which headers a record can hold at all.
pub(super) fn read(
    mut section: Section<'_>,
    exchange: &exchange::Settings,
    upstreams: &[upstream::Settings],
) -> RedactSettings {
    let defaults = RedactSettings::default();
    let written = |name: &str| is_written(name, exchange, upstreams);
    let headers = selectors(&mut section, "headers", defaults.headers, header_selector, |name| {
        (!written(name)).then(|| format!("no record holds the header {}", quoted(name)))
    });
    let query = selectors(&mut section, "query", defaults.query, query_selector, |name| {
        name.contains(NEVER_IN_KEYS).then(|| format!("no query key can be {}", quoted(name)))
    });
    let ip_at = section.at("ip");
    let mut ip = section.table_or_empty("ip");
    let (ip_v4, ip_v6) = (kept_bits(&mut ip, "v4", 32), kept_bits(&mut ip, "v6", 128));
    let ip_hash = ip.read("hash", boolean).unwrap_or(false);
    if ip_hash && (ip_v4.is_some() || ip_v6.is_some()) {
        let hint = "write hash = true to hide addresses altogether, or v4 and v6 to keep their leading bits";
        ip.reader.error(ip_at, "`log.redact.ip` both truncates and hashes addresses".to_owned(), hint);
    }
    RedactSettings { headers, query, ip_v4, ip_v6, ip_hash }
}

/// A list of selectors over its defaults. `never` tells why one of the user's own can match nothing.
fn selectors(
    section: &mut Section<'_>,
    key: &'static str,
    defaults: Vec<String>,
    parse: fn(&Node) -> Result<Selector, Complaint>,
    never: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let at = section.at(key);
    let reader = section.reader;
    let selectors = section.list(key, |node| {
        let selector = parse(node)?;
        let surprising = never(&selector.name).filter(|_| !defaults.contains(&selector.name));
        if let Some(why) = surprising {
            let message = format!("this redaction can never match: {why}");
            reader.warning(node.at, message, "look at its spelling; names are whole and know no wildcards");
        }
        Ok(selector)
    });
    let Some(selectors) = selectors else { return defaults };
    let adds = selectors.iter().filter(|selector| selector.adds).count();
    if adds != 0 && adds != selectors.len() {
        let hint = "with \"+\" before every name the defaults stay, with none they are replaced";
        reader.error(at, format!("`log.redact.{key}` both adds to the defaults and replaces them"), hint);
    }
    let mut names = if adds > 0 { defaults } else { Vec::new() };
    let new = selectors.into_iter().map(|selector| selector.name);
    new.for_each(|name| {
        if !names.contains(&name) {
            names.push(name)
        }
    });
    names
}

/// A name in lower case, and whether it is added to the defaults.
struct Selector {
    name: String,
    adds: bool,
}

/// A header's name, in lower case.
fn header_selector(node: &Node) -> Result<Selector, Complaint> {
    selector(node, |node| header(node).map(|name| name.as_str().to_owned()))
}

/// A query key, in lower case: keys are compared without.
fn query_selector(node: &Node) -> Result<Selector, Complaint> {
    selector(node, |node| name(node).map(|name| name.to_lowercase()))
}

/// Takes the plus sign off, and reads the name.
fn selector(node: &Node, parse: fn(&Node) -> Result<String, Complaint>) -> Result<Selector, Complaint> {
    let text = node.text()?;
    let plain = text.strip_prefix('+');
    let name = Node { at: node.at, value: super::tree::Value::Text(plain.unwrap_or(text).to_owned()) };
    Ok(Selector { name: parse(&name)?, adds: plain.is_some() })
}

/// Characters that separate keys from values and from each other, and the wildcard that there is none of.
const NEVER_IN_KEYS: [char; 6] = ['&', '=', '?', '#', '*', ' '];

/// Whether any field of a record is made of this header.
fn is_written(name: &str, exchange: &exchange::Settings, upstreams: &[upstream::Settings]) -> bool {
    let users = exchange.user.iter().any(|source| match source {
        UserSource::ResponseHeader { name: user, .. } | UserSource::RequestHeader { name: user, .. } => user == name,
        UserSource::JwtClaim(_) | UserSource::Cookie { .. } => false,
    });
    let exceptions = upstreams.iter().flat_map(|upstream| {
        let headers: [&HeaderName; 2] = [&upstream.exception_headers.kind, &upstream.exception_headers.message];
        headers
    });
    let events = exchange.events.iter().flat_map(|event| &event.fields).any(|(_, source)| match source {
        FieldSource::Head { place: HeadPlace::RequestHeader(header) | HeadPlace::ResponseHeader(header), .. } => {
            header == name
        }
        _ => false,
    });
    WRITTEN.contains(&name)
        || events
        || users
        || exchange.request_id.header == name
        || exchange.labels.request_headers.iter().chain(exceptions).any(|header| header == name)
}

/// Headers that every record has fields for.
const WRITTEN: [&str; 11] = [
    "age",
    "cache-status",
    "content-length",
    "content-type",
    "forwarded",
    "host",
    "referer",
    "server-timing",
    "user-agent",
    "x-cache-status",
    "x-forwarded-for",
];

/// Leading bits of an address that are kept.
fn kept_bits(section: &mut Section<'_>, key: &'static str, all: u8) -> Option<u8> {
    let at = section.at(key);
    let bits = section.read(key, |node| {
        let bits = node.integer()?;
        u8::try_from(bits).ok().filter(|bits| *bits <= all).ok_or_else(|| {
            Complaint::new(
                format!("an address has no {bits} bits"),
                format!("write how many bits are kept, 0 to {all}"),
            )
        })
    })?;
    if bits == all {
        let message = format!("this redaction can never match: all {all} bits of an address are kept");
        section.reader.warning(at, message, "write fewer bits, such as v4 = 24, v6 = 48");
    }
    Some(bits)
}
