//! A client's bytes: whatever the gate lets through is whole requests with one reading, however the bytes were cut; each
//! becomes a request that an upstream reads the same, and lines of the log that are what RECORD.md says.
//!
//! The first byte is the size of the pieces in which the others come.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use gatelog::exchange::{Exchanges, LabelSettings, Mentions, Shared, UserSource};
use gatelog::listen::gate::Gate;
use gatelog::listen::head::{self, Framing, HeadLimits};
use gatelog::net::{Peer, TrustedPeers};
use gatelog::pipeline::{Format, Intake, Levels, OutputSettings, Port, Queue, Routing, Stamp};
use gatelog::proxy::admit::admit;
use gatelog::proxy::headers::{Way, write_request};
use gatelog::record::redact::Policy;
use gatelog::routes::Table;
use gatelog::sinks::sequence::Sequence;
use gatelog::time::Clock;
use gatelog::upstream::BodyCoding;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};

use super::line::{self, Json};
use super::response::independent;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 8192, fields: 50, target_bytes: 2000 };

/// The target. Returns how many requests passed.
pub fn run(data: &[u8]) -> usize {
    let Some((piece, bytes)) = data.split_first() else { return 0 };
    let (whole, refused) = pass(bytes, bytes.len().max(1));
    let (cut, cut_refused) = pass(bytes, usize::from(*piece) + 1);
    let core = Core::new();
    let requests = judge(&core, &whole);
    // Of a body that is refused in the end, more or less of what is good in it may have passed.
    let same = whole == cut || refused && judge(&core, &cut) == requests;
    assert!(same && refused == cut_refused, "in pieces of {}: {}", piece, bytes.escape_ascii());
    assert!(bytes.starts_with(&whole) && bytes.starts_with(&cut), "what passes is not what came");
    requests
}

/// Follows requests and their bodies to the end; returns how many there are.
fn judge(core: &Core, passed: &[u8]) -> usize {
    let (mut rest, mut requests) = (passed, 0);
    while let Some((head, framing, length)) = parse(rest) {
        core.judge(head);
        requests += 1;
        rest = &rest[length..];
        match after_body(rest, framing) {
            Some(next) => rest = next,
            None => return requests,
        }
    }
    assert!(rest.is_empty(), "part of a head has passed: {}", rest.escape_ascii());
    requests
}

/// What passes when the bytes come in pieces, and whether they were refused in the end.
fn pass(bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
    let (mut gate, mut passed) = (Gate::new(LIMITS), Vec::new());
    for piece in bytes.chunks(piece) {
        if gate.refusal().is_some() {
            break;
        }
        let at_once = gate.judge(piece);
        passed.extend_from_slice(&piece[..at_once]);
        passed.extend_from_slice(&gate.take_passed(usize::MAX));
    }
    (passed, gate.refusal().is_some())
}

/// The request that these bytes begin with, read as hyper does, its framing by the rules of RFC 9112 §6, and its length.
fn parse(bytes: &[u8]) -> Option<(Parts, Framing, usize)> {
    if bytes.is_empty() {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; 50];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
    let httparse::Status::Complete(length) = parsed else { panic!("not whole: {}", bytes.escape_ascii()) };
    let version = if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let target = Uri::try_from(request.path.expect("a target")).expect("hyper takes the target");
    let method = Method::from_bytes(request.method.expect("a method").as_bytes()).expect("hyper takes the method");
    let mut head = Request::builder().method(method).uri(target).version(version).body(()).expect("it is a request");
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).expect("hyper takes the name");
        head.headers_mut().append(name, HeaderValue::from_bytes(field.value).expect("hyper takes the value"));
    }
    let head = head.into_parts().0;
    Some((head.clone(), framing(&head), length))
}

fn framing(head: &Parts) -> Framing {
    let coding: Vec<_> = head.headers.get_all("transfer-encoding").iter().collect();
    let length: Vec<_> = head.headers.get_all("content-length").iter().collect();
    match (&coding[..], &length[..]) {
        ([], []) if offers_a_protocol(head) => Framing::Upgrade,
        ([], [length]) if length.as_bytes().iter().all(|digit| *digit == b'0') && offers_a_protocol(head) => {
            Framing::Upgrade
        }
        ([], []) => Framing::Length(0),
        ([], [length]) => Framing::Length(length.to_str().expect("ASCII").parse().expect("a number")),
        ([coding], []) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        _ => panic!("two readings passed: {head:?}"),
    }
}

fn has_body(head: &Parts) -> bool {
    !matches!(framing(head), Framing::Length(0) | Framing::Upgrade)
}

fn offers_a_protocol(head: &Parts) -> bool {
    let both = head.headers.contains_key("upgrade") && head.headers.contains_key("connection");
    both && head.version == Version::HTTP_11
}

/// What follows the body; `None` where it is not whole, and where it is not known whose bytes follow.
fn after_body(bytes: &[u8], framing: Framing) -> Option<&[u8]> {
    match framing {
        Framing::Length(length) => bytes.get(usize::try_from(length).ok()?..),
        Framing::Chunked => bytes.get(independent(bytes)?.1..),
        Framing::Upgrade => None,
    }
}

/// What a serving thread has, with a log that is kept in memory.
struct Core {
    exchanges: Rc<Exchanges>,
    intake: Rc<Intake>,
    queue: Arc<Queue>,
    stamp: Stamp,
}

impl Core {
    fn new() -> Core {
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let queue = Arc::clone(&port.queue);
        let stamp = Stamp { instance: "fuzz".to_owned(), record: Default::default() };
        let intake = Rc::new(Intake::new(&Routing {
            levels: Levels::new(&Default::default()),
            ports: vec![port],
            stamp: stamp.clone(),
            watch: None,
        }));
        let header =
            |name: &'static str| UserSource::RequestHeader { name: HeaderName::from_static(name), trusted: false };
        let labels = LabelSettings {
            request_headers: vec![HeaderName::from_static("x-tenant")],
            cookies: vec!["c".to_owned()],
            fixed: vec![("region".to_owned(), "eu".to_owned()), ("c".to_owned(), "of a cookie's name".to_owned())],
        };
        let settings = gatelog::exchange::Settings {
            trusted_proxies: TrustedPeers { nets: vec!["127.0.0.0/8".parse().expect("a network")], unix: false },
            user: vec![
                header("x-user"),
                UserSource::JwtClaim("sub".to_owned()),
                UserSource::Cookie { name: "sid".to_owned(), hash: false },
            ],
            labels,
            ..Default::default()
        };
        let hash_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key");
        let policy = Policy::new(&Default::default(), &hash_key);
        let (tally, traffic) = (Arc::default(), Arc::default());
        let shared = Shared { settings, policy, table: Arc::new(table()), hash_key, tally, traffic };
        let exchanges = Exchanges::new(&shared, Rc::clone(&intake), Clock::system());
        Core { exchanges, intake, queue, stamp }
    }

    /// One request on its way through: its records, and what is sent on.
    fn judge(&self, head: Parts) {
        for address in ["127.0.0.1:1", "[2001:db8::1]:2"] {
            let peer = Rc::new(Peer::new(address.parse().expect("an address"), None));
            let exchange = self.exchanges.begin(&peer, &head);
            let mut sent = head.clone();
            if let Ok(admitted) = admit(&head, Mentions::of(&head.headers), has_body(&head), None) {
                let mut out = Vec::new();
                let way = Way { exchanges: &self.exchanges, exchange: &exchange, peer: &peer, server: "app:80" };
                write_request(&mut out, &mut sent, &admitted, &way);
                judge_sent(&out, &head, admitted.coding);
            }
            exchange.responded(StatusCode::OK, &head.headers);
            exchange.delivered();
            drop(exchange);
            self.judge_log(&head);
        }
    }

    fn judge_log(&self, head: &Parts) {
        self.intake.flush();
        let mut sequence = Sequence::new("fuzz", Format::Json, &self.stamp);
        let mut log = Vec::new();
        while let Some(batch) = self.queue.pop() {
            batch.show(|batch| sequence.number(batch, &mut log));
        }
        let records = line::requests(&log);
        let text = |record: &BTreeMap<String, Json>, name: &str| match record.get(name) {
            Some(Json::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let events: Vec<String> = records.iter().map(|record| text(record, "event")).collect();
        assert_eq!(events, ["request_started", "request_completed"]);
        for record in &records {
            assert_eq!(text(record, "method"), head.method.as_str());
            assert_eq!(text(record, "path"), String::from_utf8_lossy(head.uri.path().as_bytes()));
            assert_eq!(text(record, "request_id"), text(&records[0], "request_id"));
        }
        assert_eq!(text(&records[1], "outcome"), "success");
    }
}

/// A few routes with parameters of each kind.
fn table() -> Table {
    let mut lines =
        "p * a/<int:n>/\np GET s/<str:s>\np * u/<uuid:u>/x\np * f/<path:rest>\nr * ^r/(?P<x>.*)$\n?".split('\n');
    Table::compile(&super::routes::settings(&mut lines)).0.expect("the routes are good")
}

/// What goes to the server has to pass the judge of clients' heads itself, and to say the same as what came.
fn judge_sent(sent: &[u8], head: &Parts, coding: BodyCoding) {
    assert_eq!(head::end(sent), Some(sent.len()), "{}", sent.escape_ascii());
    let limits = HeadLimits { head_bytes: usize::MAX, fields: 200, target_bytes: 10_000 };
    let framing = head::check(sent, &limits).unwrap_or_else(|error| panic!("{error}: {}", sent.escape_ascii()));
    match (coding, framing) {
        (BodyCoding::None, Framing::Length(0) | Framing::Upgrade) | (BodyCoding::Chunked, Framing::Chunked) => {}
        (BodyCoding::Length(length), Framing::Length(seen)) if length == seen => {}
        both => panic!("{both:?}: {}", sent.escape_ascii()),
    }
    let mut fields = [httparse::EMPTY_HEADER; 200];
    let mut request = httparse::Request::new(&mut fields);
    assert!(request.parse(sent).is_ok_and(|status| status.is_complete()), "{}", sent.escape_ascii());
    assert_eq!((request.method, request.version), (Some(head.method.as_str()), Some(1)));
    for once in ["host", "via", "x-forwarded-for", "x-forwarded-proto", "forwarded", "x-request-id"] {
        let count = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(once)).count();
        assert_eq!(count, 1, "{once}: {}", sent.escape_ascii());
    }
}
