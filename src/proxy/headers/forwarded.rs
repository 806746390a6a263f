//! `X-Forwarded-*` and `Forwarded` (RFC 7239): a trusted peer's are continued, anybody else's replaced.

use std::net::IpAddr;

use http::HeaderValue;

use super::names::Special;
use super::request::Specials;
use super::{Way, line};

/// Writes what a server is told of the client.
pub(super) fn write_forwarding(
    out: &mut Vec<u8>,
    specials: &Specials<'_>,
    way: &Way<'_>,
    trusted: bool,
    host: Option<&HeaderValue>,
) {
    let believed = |special| specials.all(special).filter(move |_| trusted);
    let scheme = way.peer.scheme().as_bytes();
    // A peer behind a unix socket has no address: `unknown` is what RFC 7239 §6.2 has for it.
    let client = if way.peer.ip.is_some() { &way.peer.ip_text } else { "unknown" };
    let host = host.map(HeaderValue::as_bytes).filter(|host| !host.is_empty());
    write_list(out, b"x-forwarded-for: ", believed(Special::ForwardedFor));
    line(out, &[client.as_bytes()]);
    let proto = believed(Special::ForwardedProto).next().map_or(scheme, HeaderValue::as_bytes);
    line(out, &[b"x-forwarded-proto: ", proto]);
    if let Some(host) = believed(Special::ForwardedHost).next().map(HeaderValue::as_bytes).or(host) {
        line(out, &[b"x-forwarded-host: ", host]);
    }
    if let Some(real) = believed(Special::RealIp).next() {
        line(out, &[b"x-real-ip: ", real.as_bytes()]);
    }
    write_list(out, b"forwarded: ", believed(Special::Forwarded));
    write_element(out, way, client, host, scheme);
}

/// What stands before our own element of a list.
fn write_list<'a>(out: &mut Vec<u8>, name: &[u8], values: impl Iterator<Item = &'a HeaderValue>) {
    out.extend_from_slice(name);
    for value in values {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
}

/// RFC 7239 §4 and §6: what is no token is quoted, an IPv6 address in brackets. The host was judged by its charset, which
/// has no quote.
fn write_element(out: &mut Vec<u8>, way: &Way<'_>, client: &str, host: Option<&[u8]>, scheme: &[u8]) {
    let (before, after): (&[u8], &[u8]) = match way.peer.ip {
        Some(IpAddr::V4(_)) | None => (b"for=", b""),
        Some(IpAddr::V6(_)) => (b"for=\"[", b"]\""),
    };
    for part in [before, client.as_bytes(), after] {
        out.extend_from_slice(part);
    }
    if let Some(host) = host {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    line(out, &[b";proto=", scheme]);
}
