//! The fields of a response on their way to the client.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use http_body::Frame;

use super::names::{is_forbidden_in_trailers, is_hop_by_hop, named_by_connection};
use super::{Way, line};

/// Takes off a response what ends here, and adds what this proxy says of itself.
pub fn pass_response(headers: &mut HeaderMap, received: Version, way: &Way<'_>) {
    if let Some(first) = headers.keys().find(|name| ends_here(name)).cloned() {
        remove_hop_by_hop(headers, first);
    }
    way.exchanges.users().strip_response(headers);
    headers.append(header::VIA, HeaderValue::from_static(via(received)));
    let mut id = way.exchange.id().to_header();
    // Never sent twice: not worth a place in HPACK's table, and the eviction of another (RFC 7541 §7.1.3).
    id.set_sensitive(true);
    headers.insert(way.exchanges.settings().request_id.header.clone(), id);
}

/// As the server spoke it (RFC 9110 §7.6.3).
fn via(received: Version) -> &'static str {
    match received {
        Version::HTTP_10 => "1.0 gatelog",
        Version::HTTP_2 => "2.0 gatelog",
        _ => "1.1 gatelog",
    }
}

/// Ordinarily there is one, a plain `Connection: keep-alive`.
fn remove_hop_by_hop(headers: &mut HeaderMap, first: HeaderName) {
    let named = named_by_connection(headers);
    let mut next = Some(first);
    while let Some(name) = next {
        headers.remove(&name);
        next = headers.keys().find(|name| ends_here(name)).cloned();
    }
    for name in named {
        headers.remove(name);
    }
}

/// The client authenticates with whoever is behind us: a proxy there that asks is the client's business.
fn ends_here(name: &HeaderName) -> bool {
    is_hop_by_hop(name.as_str()) && *name != header::PROXY_AUTHENTICATE
}

/// Takes off a trailer section what must not stand in one, and what is not for whoever gets it.
pub fn filter_trailers(frame: Frame<Bytes>, private: &[HeaderName]) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let kept =
                trailers.iter().filter(|(name, _)| !is_forbidden_in_trailers(name.as_str()) && !private.contains(name));
            Frame::trailers(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Err(frame) => frame,
    }
}

/// An interim response (1xx) as HTTP/1.1 bytes.
pub fn interim(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Interim");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        if !is_hop_by_hop(name.as_str()) && *name != header::CONTENT_LENGTH {
            line(&mut out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
