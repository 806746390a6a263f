//! `[[listen]]` and `[limits]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use http::HeaderValue;

use super::address;
use super::finding::{Complaint, Findings, quoted};
use super::reader::{Reader, Section};
use super::source::At;
use super::tree::Node;
use super::value::{account, choice, count_limit, is_off, mode, size, size_limit, time_limit};
use crate::listen::{Limits, ListenAddress, ListenSettings, RateKey, Redirect, RequestRate, SocketAccess};
use crate::net::TrustedPeers;
use crate::net::proxy_protocol::Versions;

mod tls;

/// Every `[[listen]]`; without one, port 8080 of every address, as proxies do.
pub(super) fn listeners(root: &mut Section<'_>) -> Vec<ListenSettings> {
    if !root.has("listen") {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        root.tables("listen");
        return vec![ListenSettings::new(root.origin(), ListenAddress::Tcp(address))];
    }
    let at = root.at("listen");
    let sections = root.tables("listen");
    if sections.is_empty() {
        root.reader.error(
            at,
            "`listen` names no address",
            "add [[listen]] address = \"0.0.0.0:8080\", or leave it out",
        );
    }
    let mut taken: Vec<(ListenAddress, At)> = Vec::new();
    sections.into_iter().filter_map(|section| listener(section, &mut taken)).collect()
}

/// One `[[listen]]`; `None` where it has no address, or TLS without its files.
fn listener(mut section: Section<'_>, taken: &mut Vec<(ListenAddress, At)>) -> Option<ListenSettings> {
    let origin = section.origin();
    let at = section.at("address");
    let address = section.require("address", "\"0.0.0.0:8080\"", address::listen);
    let access = access(&mut section, address.as_ref());
    let (has_tls, tls) = tls::read(&mut section, origin);
    let proxy_protocol = section.read("proxy_protocol", |node| choice(node, &PROXY_PROTOCOL));
    let redirect = redirect(&mut section, has_tls);
    let hsts = hsts(&mut section, has_tls);
    let address = address?;
    occupy(&section.reader.findings, taken, &address, at);
    let listener = ListenSettings { proxy_protocol, redirect, hsts, access, ..ListenSettings::new(origin, address) };
    match has_tls {
        false => Some(listener),
        true => Some(ListenSettings { tls: Some(tls?), ..listener }),
    }
}

/// Port 0 is a new port each time.
fn occupy(findings: &Findings, taken: &mut Vec<(ListenAddress, At)>, address: &ListenAddress, at: At) {
    let is_new = matches!(address, ListenAddress::Tcp(address) if address.port() == 0);
    if let Some((_, first)) = taken.iter().find(|(other, _)| other == address && !is_new) {
        let complaint = Complaint::new(format!("{} is listened on twice", quoted(&address.to_string())), "keep one");
        findings.contradiction(at, *first, "first here", complaint);
    }
    taken.push((address.clone(), at));
}

/// `mode`, `owner` and `group`: they mean something to a socket that gatelog makes itself on the file system.
fn access(section: &mut Section<'_>, address: Option<&ListenAddress>) -> SocketAccess {
    if address.is_some_and(|address| !matches!(address, ListenAddress::Unix(_))) {
        for key in ["mode", "owner", "group"].into_iter().filter(|key| section.has(key)) {
            let hint = "take it out, or listen on \"unix:PATH\"";
            section.reader.warning(section.at(key), format!("`listen.{key}` has no effect on this address"), hint);
        }
    }
    let mode = section.read("mode", mode);
    SocketAccess { mode, owner: section.read("owner", account), group: section.read("group", account) }
}

/// As HAProxy counts them.
const PROXY_PROTOCOL: [(&str, Versions); 3] = [("v1", Versions::V1), ("v2", Versions::V2), ("any", Versions::Any)];

/// Headers of the PROXY protocol that nobody is believed in are surely not meant.
pub(super) fn check_trust(reader: &Reader<'_>, listeners: &[ListenSettings], trusted: &TrustedPeers) {
    for listener in listeners.iter().filter(|listener| listener.proxy_protocol.is_some() && trusted.is_empty()) {
        if let Some(at) = reader.origins.at(listener.origin, "proxy_protocol") {
            let hint = "write the addresses of the proxies in [identity] trusted_proxies";
            reader.warning(at, "the headers of the PROXY protocol are read, and nobody is believed", hint);
        }
    }
}

/// `redirect`.
fn redirect(section: &mut Section<'_>, has_tls: bool) -> Option<Redirect> {
    let at = section.at("redirect");
    let redirect = section.read("redirect", |node| {
        let text = node.text()?;
        let port = match text.strip_prefix("https") {
            Some("") => Some(443),
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0),
            None => None,
        };
        let hint = "write \"https\", or \"https:8443\" for another port than 443";
        let refused = || Complaint::new(format!("{} is nothing to redirect to", quoted(text)), hint);
        port.map(|port| Redirect { port }).ok_or_else(refused)
    });
    if redirect.is_some() && has_tls {
        let hint = "take `redirect` out, or make it a listener without TLS of its own";
        section.reader.error(at, "a listener that speaks TLS redirects to TLS", hint);
    }
    redirect
}

/// `hsts`: the value of `Strict-Transport-Security`, which has no meaning without TLS (RFC 6797 §7.2).
fn hsts(section: &mut Section<'_>, has_tls: bool) -> Option<HeaderValue> {
    let at = section.at("hsts");
    let value = section.read("hsts", |node| {
        let text = node.text()?;
        let age = text.split(';').filter_map(|directive| directive.trim().split_once('='));
        let mut age = age.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
        let is_age = |value: &str| value.trim().trim_matches('"').parse::<u64>().is_ok();
        let sound = age.next().is_some_and(|(_, value)| is_age(value)) && age.next().is_none();
        let value = HeaderValue::from_str(text).ok().filter(|_| sound);
        let hint = "write \"max-age=31536000\", perhaps with \"; includeSubDomains\"";
        value.ok_or_else(|| Complaint::new(format!("{} is no Strict-Transport-Security", quoted(text)), hint))
    });
    if value.is_some() && !has_tls {
        let hint = "take it out: browsers do not heed it without TLS";
        section.reader.warning(at, "`listen.hsts` has no effect without TLS", hint);
    }
    value.filter(|_| has_tls)
}

/// `[limits]`.
pub(super) fn limits(mut section: Section<'_>) -> Limits {
    let mut limits = Limits::default();
    section.set("header_bytes", &mut limits.header_bytes, |node| bytes_within(node, HEADER_BYTES));
    section.set("header_count", &mut limits.header_count, header_count);
    section.set("uri_bytes", &mut limits.uri_bytes, |node| bytes_within(node, URI_BYTES));
    section.set("body_bytes", &mut limits.body_bytes, size_limit);
    section.set("header_timeout", &mut limits.header_timeout, time_limit);
    section.set("body_idle_timeout", &mut limits.body_idle_timeout, time_limit);
    section.set("keep_alive", &mut limits.keep_alive, time_limit);
    section.set("connections", &mut limits.connections, count_limit);
    section.set("connections_per_ip", &mut limits.connections_per_ip, count_limit);
    section.set("body_min_rate", &mut limits.body_min_rate, size_limit);
    section.set("resets_per_connection", &mut limits.resets_per_connection, |node| {
        Ok(count_limit(node)?.map(|n| n as u64))
    });
    section.set("streams_per_connection", &mut limits.streams_per_connection, streams);
    limits.exempt = section.list("exempt", address::network).unwrap_or_default();
    limits.requests = request_rate(&mut section);
    limits
}

/// `limits.requests_per_second` and what stands beside it, which means nothing without it.
fn request_rate(section: &mut Section<'_>) -> Option<RequestRate> {
    let at = ["burst", "rate_key"].map(|key| (section.has(key), section.at(key), section.name(key)));
    let per_second = section.read("requests_per_second", requests_per_second).flatten();
    let burst = section.read("burst", burst);
    let key = section.read("rate_key", rate_key).unwrap_or(RateKey::Ip);
    let Some(per_second) = per_second else {
        for (_, at, name) in at.into_iter().filter(|(is_there, ..)| *is_there) {
            let message = format!("`{name}` has no effect: `limits.requests_per_second` is off");
            section.reader.warning(at, message, "add requests_per_second = 50, or take it out");
        }
        return None;
    };
    Some(RequestRate { per_second, burst: burst.unwrap_or(per_second.get()), key })
}

/// Whole requests a second: a finer measure than the microsecond is not kept.
const MOST_REQUESTS: usize = 1_000_000;

fn requests_per_second(node: &Node) -> Result<Option<NonZeroU32>, Complaint> {
    let count = count_limit(node)?.unwrap_or(0);
    if count > MOST_REQUESTS {
        let message = format!("{count} requests a second cannot be the limit");
        return Err(Complaint::new(message, format!("{MOST_REQUESTS} at most, or \"off\"")));
    }
    Ok(NonZeroU32::new(count as u32))
}

fn burst(node: &Node) -> Result<u32, Complaint> {
    let count = count_limit(node)?.unwrap_or(0);
    let most = || Complaint::new(format!("a burst of {count} is too large"), format!("{MOST_REQUESTS} at most"));
    u32::try_from(count).ok().filter(|_| count <= MOST_REQUESTS).ok_or_else(most)
}

/// `"ip"`, or `"header:NAME"`.
fn rate_key(node: &Node) -> Result<RateKey, Complaint> {
    let text = node.text()?;
    match text.split_once(':') {
        None if text == "ip" => Ok(RateKey::Ip),
        Some(("header", name)) => {
            let unknown =
                |_| Complaint::new(format!("{} is no name of a header", quoted(name)), "letters, digits and -");
            Ok(RateKey::Header(name.trim().parse().map_err(unknown)?))
        }
        _ => Err(Complaint::new(format!("{} is nothing to count by", quoted(text)), "\"ip\" or \"header:X-Api-Key\"")),
    }
}

/// What the limits of a head may be. It is held in memory whole, so that even "off" ends at the upper bound: below
/// 8 KiB hyper cannot read, above 65 534 bytes no URI can be represented, and above 10 000 fields no header map.
const HEADER_BYTES: (u64, u64) = (8 << 10, 16 << 20);
const URI_BYTES: (u64, u64) = (1, 65_534);
const HEADER_COUNT: usize = 10_000;

/// A size between two bounds; no limit is the upper one.
fn bytes_within(node: &Node, (least, most): (u64, u64)) -> Result<usize, Complaint> {
    let bytes = if is_off(node) { 0 } else { size(node)? };
    match bytes {
        0 => Ok(most as usize),
        _ if (least..=most).contains(&bytes) => Ok(bytes as usize),
        _ => {
            let message = format!("{bytes} bytes cannot be the limit");
            Err(Complaint::new(message, format!("from {least} to {most} bytes; \"off\" is {most}")))
        }
    }
}

/// A number of fields; no limit is the most there can be.
fn header_count(node: &Node) -> Result<usize, Complaint> {
    match count_limit(node)?.unwrap_or(HEADER_COUNT) {
        count if count <= HEADER_COUNT => Ok(count),
        count => {
            let message = format!("{count} fields cannot be the limit");
            Err(Complaint::new(message, format!("{HEADER_COUNT} at most, which is also what \"off\" means")))
        }
    }
}

/// HTTP/2 counts streams in 31 bits; no limit is more than that.
fn streams(node: &Node) -> Result<u32, Complaint> {
    let count = count_limit(node)?.unwrap_or(u32::MAX as usize);
    u32::try_from(count).map_err(|_| Complaint::new("too many streams", "write \"off\" for no limit"))
}
