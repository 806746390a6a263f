//! The head of a request as it goes to a server: one pass over the client's fields, then what this proxy says itself.

use http::request::Parts;
use http::{HeaderValue, Version, header};
use smallvec::SmallVec;

use crate::proxy::admit::Admitted;
use crate::proxy::respond::NAME;
use crate::proxy::upgrade::Upgrade;
use crate::upstream::BodyCoding;

use super::forwarded::write_forwarding;
use super::names::{Fate, Special, fate, is_twin, named_by_connection};
use super::{Way, line};

/// The client's fields that are looked at before they go on, in their order.
pub(super) struct Specials<'a>(SmallVec<[(Special, &'a HeaderValue); 8]>);

/// Writes the head of a request.
pub fn write_request(out: &mut Vec<u8>, head: &mut Parts, admitted: &Admitted, way: &Way<'_>) {
    let trusted = way.exchanges.trusts(way.peer.ip);
    if let Some((name, value)) = way.exchanges.users().strip_request(&mut head.headers, trusted) {
        way.report_spoofed(name.as_str(), value.as_bytes());
    }
    if is_connect(admitted) {
        // One of our own is written.
        head.headers.remove(header::SEC_WEBSOCKET_KEY);
    }
    write_target(out, head, admitted, way);
    let specials = pass_fields(out, head, way);
    write_cookies(out, &specials);
    write_conditional(out, &specials, admitted, way);
    write_framing(out, admitted);
    if !trusted {
        specials.forwarding().take(1).for_each(|(name, value)| way.report_spoofed(name, value.as_bytes()));
    }
    write_forwarding(out, &specials, way, trusted, admitted.host.as_ref());
    write_via(out, head.version, &specials);
    write_identity(out, way);
    out.extend_from_slice(b"\r\n");
}

impl<'a> Specials<'a> {
    /// The values of one of them.
    pub(super) fn all(&self, wanted: Special) -> impl Iterator<Item = &'a HeaderValue> {
        self.0.iter().filter(move |(special, _)| *special == wanted).map(|(_, value)| *value)
    }

    /// Those that speak of the client in the name of a proxy before us, by their names.
    fn forwarding(&self) -> impl Iterator<Item = (&'static str, &'a HeaderValue)> {
        self.0.iter().filter_map(|(special, value)| Some((special.forwarding_name()?, *value)))
    }
}

fn write_target(out: &mut Vec<u8>, head: &Parts, admitted: &Admitted, way: &Way<'_>) {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    // `http://host?query` has an empty path, which is sent as `/` (RFC 9112 §3.2.1).
    let root: &[u8] = if target.starts_with(['/', '*']) { b"" } else { b"/" };
    let host = admitted.host.as_ref().filter(|host| !host.is_empty());
    // HTTP/1.1 has no extended CONNECT: it asks the same with GET (RFC 8441 §5).
    let method = if is_connect(admitted) { "GET" } else { head.method.as_str() };
    line(out, &[method.as_bytes(), b" ", root, target.as_bytes(), b" HTTP/1.1"]);
    line(out, &[b"host: ", host.map_or(way.server.as_bytes(), HeaderValue::as_bytes)]);
}

fn is_connect(admitted: &Admitted) -> bool {
    admitted.upgrade.as_ref().is_some_and(|upgrade| upgrade.key().is_some())
}

/// Writes the fields that go on as they are, and picks out the others.
fn pass_fields<'a>(out: &mut Vec<u8>, head: &'a Parts, way: &Way<'_>) -> Specials<'a> {
    let settings = way.exchanges.settings();
    // Empty in the ordinary case, and hardly ever is there anything to look for.
    let named = if way.exchange.mentions().connection { named_by_connection(&head.headers) } else { Vec::new() };
    let mut specials = Specials(SmallVec::new());
    for (name, value) in &head.headers {
        match fate(name.as_str()) {
            Fate::End => {}
            _ if !named.is_empty() && named.contains(name) => {}
            Fate::Special(special) => specials.0.push((special, value)),
            Fate::Pass if *name == settings.request_id.header => {}
            Fate::Pass if is_twin(name.as_str(), settings) => way.report_disguised(name),
            Fate::Pass => line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]),
        }
    }
    specials
}

/// HTTP/2 sends a cookie in crumbs, HTTP/1.1 in one line (RFC 9113 §8.2.3).
fn write_cookies(out: &mut Vec<u8>, specials: &Specials<'_>) {
    let mut any = false;
    for crumb in specials.all(Special::Cookie) {
        out.extend_from_slice(if any { b"; " } else { b"cookie: " });
        out.extend_from_slice(crumb.as_bytes());
        any = true;
    }
    if any {
        out.extend_from_slice(b"\r\n");
    }
}

/// Fields that go on only if what they are about does.
fn write_conditional(out: &mut Vec<u8>, specials: &Specials<'_>, admitted: &Admitted, way: &Way<'_>) {
    for (special, value) in &specials.0 {
        let name: &[u8] = match special {
            Special::Expect if admitted.expects_continue => b"expect: ",
            Special::MaxForwards if admitted.max_forwards.is_none() => b"max-forwards: ",
            Special::TraceParent if way.exchange.trace().is_none() => b"traceparent: ",
            Special::TraceState if way.exchange.trace().is_none_or(|trace| trace.keeps_state()) => b"tracestate: ",
            _ => continue,
        };
        line(out, &[name, value.as_bytes()]);
    }
    if let Some(left) = admitted.max_forwards {
        line(out, &[b"max-forwards: ", left.to_string().as_bytes()]);
    }
    let te = specials.all(Special::Trailers).any(accepts_trailers);
    if te {
        line(out, &[b"te: trailers"]);
    }
    match &admitted.upgrade {
        Some(upgrade) => write_upgrade(out, upgrade, te),
        None if te => line(out, &[b"connection: te"]),
        None => {}
    }
}

fn write_upgrade(out: &mut Vec<u8>, upgrade: &Upgrade, te: bool) {
    line(out, &[b"upgrade: ", upgrade.protocols().as_bytes()]);
    line(out, &[b"connection: upgrade", if te { b", te" } else { b"" }]);
    if let Some(key) = upgrade.key() {
        line(out, &[b"sec-websocket-key: ", key.as_bytes()]);
    }
}

fn accepts_trailers(value: &HeaderValue) -> bool {
    let codings = value.to_str().unwrap_or_default().split(',');
    codings.map(str::trim).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

fn write_framing(out: &mut Vec<u8>, admitted: &Admitted) {
    match admitted.coding {
        BodyCoding::Length(length) => write_length(out, length),
        BodyCoding::Chunked => line(out, &[b"transfer-encoding: chunked"]),
        BodyCoding::None if admitted.is_empty => write_length(out, 0),
        BodyCoding::None => {}
    }
}

fn write_length(out: &mut Vec<u8>, length: u64) {
    line(out, &[b"content-length: ", itoa::Buffer::new().format(length).as_bytes()]);
}

fn write_via(out: &mut Vec<u8>, received: Version, specials: &Specials<'_>) {
    out.extend_from_slice(b"via: ");
    for value in specials.all(Special::Via) {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    let received: &[u8] = match received {
        Version::HTTP_10 => b"1.0 ",
        Version::HTTP_2 => b"2.0 ",
        _ => b"1.1 ",
    };
    line(out, &[received, NAME.as_bytes()]);
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
