//! The fields of a request and of a response on their way through (RFC 9110 §7.6, RFC 7239, W3C Trace Context).

use std::net::IpAddr;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use http_body::Frame;

use crate::exchange::{Exchange, Exchanges, UserSource, content_length};
use crate::net::Peer;
use crate::upstream::BodyCoding;

use super::admit::Admitted;

/// Fields that are never passed on, whatever `Connection` says: they end here, or are written anew.
fn ends_here(name: &HeaderName) -> bool {
    is_hop_by_hop(name) || *name == header::HOST || *name == header::CONTENT_LENGTH || *name == header::VIA
}

/// CGI and WSGI cannot tell `X_Forwarded_For` from `X-Forwarded-For`: whoever sends such a twin of a field that frames a
/// message, or that this proxy vouches for, wants it to be mistaken for that.
fn is_twin(name: &str, way: &Way<'_>) -> bool {
    if !name.contains('_') {
        return false;
    }
    let twin = name.replace('_', "-");
    let settings = way.exchanges.settings();
    let vouched =
        settings.user.iter().any(|source| matches!(source, UserSource::RequestHeader { name, .. } if *name == *twin));
    vouched
        || settings.request_id.header == *twin
        || is_protected(&twin)
        || HeaderName::from_bytes(twin.as_bytes()).is_ok_and(|twin| is_hop_by_hop(&twin))
}

/// RFC 9110 §7.6.1.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade" => true,
        "proxy-authenticate" | "proxy-authorization" | "http2-settings" => true,
        _ => false,
    }
}

/// Fields that `Connection` cannot take away, because somebody on the way relies on them.
fn is_protected(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || matches!(
            name,
            "host" | "forwarded" | "content-length" | "content-type" | "authorization" | "cookie" | "x-real-ip" | "via"
        )
}

/// Fields that this proxy vouches for: they come from trusted peers or are written anew.
const FORWARDING: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip"];

/// Writes the head of a request as it goes to a server.
pub fn write_request(out: &mut Vec<u8>, head: &mut Parts, admitted: &Admitted, way: &Way<'_>) {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    // `http://host?query` has an empty path, which is sent as `/` (RFC 9112 §3.2.1).
    let root: &[u8] = if target.starts_with(['/', '*']) { b"" } else { b"/" };
    let host = admitted.host.as_ref().filter(|host| !host.is_empty());
    line(out, &[head.method.as_str().as_bytes(), b" ", root, target.as_bytes(), b" HTTP/1.1"]);
    line(out, &[b"host: ", host.map_or(way.server.as_bytes(), HeaderValue::as_bytes)]);
    let named = connection_names(&head.headers);
    let trusted = way.exchanges.trusts(way.peer.ip);
    way.exchanges.users().strip_request(&mut head.headers, trusted);
    write_cookies(out, &head.headers);
    for (name, value) in &head.headers {
        if !ends_here(name) && !is_replaced(name, admitted, way) && !named.contains(name) {
            line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
        }
    }
    write_framing(out, head, admitted);
    write_forwarding(out, head, way, trusted);
    write_via(out, head);
    write_identity(out, way);
    if let Some(left) = admitted.max_forwards {
        line(out, &[b"max-forwards: ", left.to_string().as_bytes()]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a request's fields depend on beside the request.
pub struct Way<'a> {
    /// Its core.
    pub exchanges: &'a Exchanges,
    /// Itself.
    pub exchange: &'a Exchange,
    /// The client's connection.
    pub peer: &'a Peer,
    /// The server's `host:port`, for requests that name no host.
    pub server: &'a str,
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

/// Fields that are written by us, further down.
fn is_replaced(name: &HeaderName, admitted: &Admitted, way: &Way<'_>) -> bool {
    if is_twin(name.as_str(), way) {
        return true;
    }
    if FORWARDING.contains(&name.as_str()) || *name == way.exchanges.settings().request_id.header {
        return true;
    }
    match name.as_str() {
        "cookie" => true,
        "max-forwards" => admitted.max_forwards.is_some(),
        "expect" => !admitted.expects_continue,
        "traceparent" => way.exchange.trace().is_some(),
        "tracestate" => way.exchange.trace().is_some_and(|trace| !trace.keeps_state()),
        _ => false,
    }
}

/// HTTP/2 sends a cookie in crumbs, HTTP/1.1 in one line (RFC 9113 §8.2.3).
fn write_cookies(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (index, crumb) in headers.get_all(header::COOKIE).iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"cookie: " } else { b"; " });
        out.extend_from_slice(crumb.as_bytes());
    }
    if headers.contains_key(header::COOKIE) {
        out.extend_from_slice(b"\r\n");
    }
}

/// Fields that mean nothing good behind a body: they frame, route, authenticate or vouch (RFC 9110 §6.5.1).
fn is_forbidden_in_trailers(name: &HeaderName) -> bool {
    let name = name.as_str();
    is_protected(name)
        || name.starts_with("content-")
        || matches!(name, "set-cookie" | "trailer" | "x-request-id" | "traceparent" | "tracestate" | "location" | "age")
}

/// Takes off a trailer section what must not stand in one.
pub fn filter_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let kept = trailers.iter().filter(|(name, _)| !is_forbidden_in_trailers(name) && !is_hop_by_hop(name));
            Frame::trailers(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Err(frame) => frame,
    }
}

/// What `Connection` names beside itself; empty in the ordinary case.
fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let tokens = values.flat_map(|value| value.split(',')).map(str::trim);
    let options = ["", "close", "keep-alive"];
    let named = tokens.filter(|token| !options.iter().any(|option| token.eq_ignore_ascii_case(option)));
    let names = named.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
    names.filter(|name| !is_protected(name.as_str())).collect()
}

fn write_framing(out: &mut Vec<u8>, head: &Parts, admitted: &Admitted) {
    match admitted.coding {
        BodyCoding::Length(length) => write_length(out, length),
        BodyCoding::Chunked => line(out, &[b"transfer-encoding: chunked"]),
        // A body of length 0 is not the same as none: POST without a length makes some servers wait or complain.
        BodyCoding::None if content_length(&head.headers) == Some(0) => write_length(out, 0),
        BodyCoding::None => {}
    }
    if accepts_trailers(&head.headers) {
        line(out, &[b"te: trailers"]);
        line(out, &[b"connection: te"]);
    }
}

fn write_length(out: &mut Vec<u8>, length: u64) {
    line(out, &[b"content-length: ", itoa::Buffer::new().format(length).as_bytes()]);
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// `X-Forwarded-*` and `Forwarded`: a trusted peer's are continued, anybody else's replaced.
fn write_forwarding(out: &mut Vec<u8>, head: &Parts, way: &Way<'_>, trusted: bool) {
    let believed = |name: &str| head.headers.get_all(name).iter().filter(move |_| trusted);
    let ip = way.peer.ip_text.as_bytes();
    out.extend_from_slice(b"x-forwarded-for: ");
    for value in believed("x-forwarded-for") {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    line(out, &[ip]);
    let scheme = way.peer.scheme();
    let proto = believed("x-forwarded-proto").next().map_or(scheme.as_bytes(), HeaderValue::as_bytes);
    line(out, &[b"x-forwarded-proto: ", proto]);
    let host = way_host(head);
    let forwarded_host = believed("x-forwarded-host").next().map(HeaderValue::as_bytes).or(host);
    if let Some(host) = forwarded_host {
        line(out, &[b"x-forwarded-host: ", host]);
    }
    if let Some(real) = believed("x-real-ip").next() {
        line(out, &[b"x-real-ip: ", real.as_bytes()]);
    }
    out.extend_from_slice(b"forwarded: ");
    for value in believed("forwarded") {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    write_forwarded(out, way.peer, host, scheme);
}

fn way_host(head: &Parts) -> Option<&[u8]> {
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    authority.or_else(|| head.headers.get(header::HOST).map(HeaderValue::as_bytes)).filter(|host| !host.is_empty())
}

/// RFC 7239 §4 and §6: what is no token is quoted, an IPv6 address in brackets.
fn write_forwarded(out: &mut Vec<u8>, peer: &Peer, host: Option<&[u8]>, scheme: &str) {
    match peer.ip {
        IpAddr::V4(_) => out.extend_from_slice(&[b"for=", peer.ip_text.as_bytes()].concat()),
        IpAddr::V6(_) => out.extend_from_slice(&[b"for=\"[", peer.ip_text.as_bytes(), b"]\""].concat()),
    }
    if let Some(host) = host {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    line(out, &[b";proto=", scheme.as_bytes()]);
}

fn write_via(out: &mut Vec<u8>, head: &Parts) {
    out.extend_from_slice(b"via: ");
    for value in head.headers.get_all(header::VIA) {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    line(out, &[version(head.version).as_bytes(), b" ", super::respond::NAME.as_bytes()]);
}

fn write_identity(out: &mut Vec<u8>, way: &Way<'_>) {
    let name = way.exchanges.settings().request_id.header.as_str();
    line(out, &[name.as_bytes(), b": ", way.exchange.id().as_str().as_bytes()]);
    if let Some(trace) = way.exchange.trace() {
        out.extend_from_slice(b"traceparent: ");
        trace.write_parent(out);
        out.extend_from_slice(b"\r\n");
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    }
}

/// Takes off a response what ends here, and adds what this proxy says of itself. `trailers` stay declared only towards a
/// client that can take them.
pub fn pass_response(headers: &mut HeaderMap, way: &Way<'_>) {
    let named = connection_names(headers);
    named.iter().for_each(|name| drop(headers.remove(name)));
    let ending: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    for name in ending {
        // The client authenticates with us or with whoever is behind us: a proxy that asks is the client's business.
        if name != header::PROXY_AUTHENTICATE {
            headers.remove(name);
        }
    }
    way.exchanges.users().strip_response(headers);
    headers.append(header::VIA, HeaderValue::from_static("1.1 gatelog"));
    headers.insert(way.exchanges.settings().request_id.header.clone(), way.exchange.id().to_header());
}

/// An interim response (1xx) as HTTP/1.1 bytes.
pub fn interim(status: http::StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Interim");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        if !is_hop_by_hop(name) && *name != header::CONTENT_LENGTH {
            line(&mut out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
