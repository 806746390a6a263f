//! The fields of a response on their way to the client.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Frame;

use super::names::{is_forbidden_in_trailers, is_hop_by_hop, named_by_connection};
use super::{Way, line};

/// Takes off a response what ends here, and adds what this proxy says of itself.
pub fn pass_response(headers: &mut HeaderMap, way: &Way<'_>) {
    if headers.keys().any(|name| is_hop_by_hop(name.as_str())) {
        remove_hop_by_hop(headers);
    }
    way.exchanges.users().strip_response(headers);
    headers.append(header::VIA, HeaderValue::from_static("1.1 gatelog"));
    headers.insert(way.exchanges.settings().request_id.header.clone(), way.exchange.id().to_header());
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    // The client authenticates with whoever is behind us: a proxy there that asks is the client's business.
    let ends = |name: &&HeaderName| is_hop_by_hop(name.as_str()) && **name != header::PROXY_AUTHENTICATE;
    let ending: Vec<HeaderName> = headers.keys().filter(ends).cloned().chain(named).collect();
    for name in ending {
        headers.remove(name);
    }
}

/// Takes off a trailer section what must not stand in one.
pub fn filter_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let kept = trailers.iter().filter(|(name, _)| !is_forbidden_in_trailers(name.as_str()));
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
