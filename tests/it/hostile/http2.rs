//! HTTP/2 frames written by hand, so that nothing keeps them honest: what RFC 9113 §8 calls malformed is refused,
//! and no field of theirs can become a second line, a second request or another framing towards the upstream.

use super::{Arena, Seen, check_upstream, got, posted, seen};
use crate::support::Frames;
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Field, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM,
    WINDOW_UPDATE, block, frame, settings,
};

/// One request on stream 1.
struct Case {
    name: &'static str,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<&'static str>,
    allowed: Allowed,
}

/// What may become of it.
enum Allowed {
    /// A reset stream, a closed connection or any status but 200; nothing reaches the upstream.
    Refused,
    /// It passes as this.
    Passed(Seen),
    /// Refusing it is as right as passing it on like this.
    Either(Seen),
}

use Allowed::{Either, Passed, Refused};

const GET: [Field; 4] = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")];
const POST: [Field; 4] = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")];

fn case(name: &'static str, fields: &[Field], allowed: Allowed) -> Case {
    let fields = fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    Case { name, fields, body: None, allowed }
}

/// A GET for `/` with one more field.
fn with(name: &'static str, field: Field, allowed: Allowed) -> Case {
    case(name, &[&GET[..], &[field]].concat(), allowed)
}

/// A GET for `/` with another value for one pseudo-field.
fn but(name: &'static str, pseudo: &[u8], value: &[u8], allowed: Allowed) -> Case {
    let fields = GET.map(|(name, old)| if name == pseudo { (name, value) } else { (name, old) });
    case(name, &fields, allowed)
}

/// A GET for `/` without one pseudo-field.
fn lacking(name: &'static str, pseudo: &[u8], allowed: Allowed) -> Case {
    let fields: Vec<_> = GET.into_iter().filter(|(name, _)| *name != pseudo).collect();
    case(name, &fields, allowed)
}

/// A POST with these fields and a body of one DATA frame.
fn post(name: &'static str, fields: &[Field], body: &'static str, allowed: Allowed) -> Case {
    Case { body: Some(body), ..case(name, &[&POST[..], fields].concat(), allowed) }
}

fn fields() -> Vec<Case> {
    vec![
        case("plain", &GET, Passed(got("/").with("host", "a"))),
        with("te trailers", (b"te", b"trailers"), Passed(got("/"))),
        with("te gzip", (b"te", b"gzip"), Either(got("/").without("te"))),
        with("transfer-encoding", (b"transfer-encoding", b"chunked"), Refused),
        with("connection", (b"connection", b"close"), Refused),
        with("keep-alive", (b"keep-alive", b"timeout=5"), Refused),
        with("proxy-connection", (b"proxy-connection", b"close"), Refused),
        with("upgrade", (b"upgrade", b"h2c"), Refused),
        with("name in capitals", (b"X-A", b"b"), Refused),
        with("name with a space", (b"x a", b"b"), Refused),
        with("name with a colon", (b"x-a: b\r\nx-b", b"c"), Refused),
        with("name with line ends", (b"x-a\r\nx-b", b"c"), Refused),
        with("name with a nul", (b"x\x00a", b"b"), Refused),
        with("name empty", (b"", b"b"), Refused),
        with("value with line ends", (b"x-a", b"b\r\nx-injected: yes"), Refused),
        with("value with two heads", (b"x-a", b"b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), Refused),
        with("value with an lf", (b"x-a", b"b\nx-injected: yes"), Refused),
        with("value with a cr", (b"x-a", b"b\rx-injected: yes"), Refused),
        with("value with a nul", (b"x-a", b"b\x00c"), Refused),
        with("value with high bytes", (b"x-a", b"\xff\xfe"), Passed(got("/").with("x-a", "\u{ff}\u{fe}"))),
        with("pseudo-field nobody knows", (b":foo", b"bar"), Refused),
        with("pseudo-field of answers", (b":status", b"200"), Refused),
        with("pseudo-field twice", (b":path", b"/other"), Refused),
        with("host beside authority, the same", (b"host", b"a"), Either(got("/").with("host", "a"))),
        with("host beside authority, another", (b"host", b"evil"), Either(got("/").with("host", "a"))),
        case("pseudo-field after a field", &[GET[0], GET[1], GET[2], (b"x-a", b"b"), GET[3]], Refused),
        case(
            "cookie crumbs",
            &[&GET[..], &[(b"cookie", b"a=1"), (b"cookie", b"b=2")]].concat(),
            Passed(got("/").with("cookie", "a=1; b=2")),
        ),
        case("host twice without authority", &[GET[0], GET[1], GET[3], (b"host", b"a"), (b"host", b"b")], Refused),
        case("host without authority", &[GET[0], GET[1], GET[3], (b"host", b"a")], Either(got("/").with("host", "a"))),
    ]
}

fn pseudo_fields() -> Vec<Case> {
    vec![
        lacking("no method", b":method", Refused),
        lacking("no scheme", b":scheme", Refused),
        lacking("no path", b":path", Refused),
        lacking("no authority and no host", b":authority", Refused),
        but("path empty", b":path", b"", Refused),
        but("path without a slash", b":path", b"foo", Refused),
        but("path with a space", b":path", b"/ HTTP/1.1", Refused),
        but("path with line ends", b":path", b"/ HTTP/1.1\r\nX-Injected: yes\r\n\r\n", Refused),
        but("path with a nul", b":path", b"/\x00", Refused),
        but("path of a url", b":path", b"http://evil/", Refused),
        but("path asterisk for GET", b":path", b"*", Either(got("*"))),
        but("path with a query", b":path", b"/a?b=c", Passed(got("/a?b=c"))),
        but("method with a space", b":method", b"GET /smuggled HTTP/1.1", Refused),
        but("method with line ends", b":method", b"GET / HTTP/1.1\r\nX: y\r\n\r\nGET", Refused),
        but("method empty", b":method", b"", Refused),
        but("method connect with a path", b":method", b"CONNECT", Refused),
        but("scheme with line ends", b":scheme", b"http\r\nx: y", Refused),
        but("scheme of another protocol", b":scheme", b"gopher", Either(got("/"))),
        but("authority with a space", b":authority", b"a b", Refused),
        but("authority with line ends", b":authority", b"a\r\nX-Injected: yes", Refused),
        but("authority with a user", b":authority", b"user:pass@a", Either(got("/").with("host", "a"))),
        but("authority with a path", b":authority", b"a/b", Refused),
        but("authority empty", b":authority", b"", Refused),
    ]
}

fn lengths() -> Vec<Case> {
    vec![
        post("length that fits", &[(b"content-length", b"5")], "hello", Passed(posted("hello"))),
        post("no length", &[], "hello", Passed(posted("hello"))),
        post("length too small", &[(b"content-length", b"2")], "hello", Refused),
        post("length too large", &[(b"content-length", b"9")], "hello", Refused),
        post("length no number", &[(b"content-length", b"x")], "hello", Refused),
        post("length plus", &[(b"content-length", b"+5")], "hello", Refused),
        post("length twice", &[(b"content-length", b"5"), (b"content-length", b"6")], "hello", Refused),
        case("length without a body", &[&POST[..], &[(b"content-length", b"5")]].concat(), Refused),
        case("no body at all", &POST, Passed(seen("POST", "/", ""))),
    ]
}

/// A connection with its preface sent.
fn connect(arena: &Arena) -> Frames {
    let mut frames = Frames::connect(arena.proxy.addr());
    frames.send(&[PREFACE, &settings(&[])].concat());
    frames
}

/// Whether stream 1 is answered with 200 (the first field, by its index in the static table).
fn is_answered(frames: &mut Frames) -> bool {
    let ends = frames.next_that(|frame| match frame.kind {
        HEADERS | RST_STREAM => frame.stream == 1,
        kind => kind == GOAWAY,
    });
    ends.is_some_and(|frame| frame.kind == HEADERS && frame.payload.first() == Some(&0x88))
}

fn check(arena: &mut Arena, case: &Case) {
    arena.cases += 1;
    let first = arena.recorder.count();
    let mut frames = connect(arena);
    let peer = frames.peer();
    let end = if case.body.is_none() { END_STREAM } else { 0 };
    let fields = case.fields.iter().map(|(name, value)| (&name[..], &value[..]));
    frames.send(&frame(HEADERS, END_HEADERS | end, 1, block(fields)));
    if let Some(body) = case.body {
        frames.send(&frame(DATA, END_STREAM, 1, body));
    }
    let answered = is_answered(&mut frames);
    drop(frames);
    arena.still_serves();
    let due = match &case.allowed {
        Passed(seen) | Either(seen) if answered => std::slice::from_ref(seen),
        Refused | Either(_) if !answered => &[],
        _ => panic!("{}", if answered { "passed on" } else { "refused" }),
    };
    let mut all = arena.recorder.since(first);
    // A length that turns out wrong is found when the head is on its way: what was sent on never becomes whole.
    all.retain(|message| message.is_complete() || case.body.is_none());
    check_upstream(&all, due);
    arena.proxy.wait_for("all ends", |log| {
        let own = log.of_peer(&peer);
        own.count("request_started") == own.count("request_completed") && own.count("request_completed") >= due.len()
    });
}

fn run(table: &[Case]) {
    let mut arena = Arena::open();
    let mut failures = Vec::new();
    for case in table {
        let run = std::panic::AssertUnwindSafe(|| check(&mut arena, case));
        if let Err(panic) = std::panic::catch_unwind(run) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), table.len(), failures.join("\n\n"));
    arena.proxy.stop();
}

#[test]
fn fields_of_h2_cannot_become_lines() {
    run(&fields());
}

#[test]
fn pseudo_fields_of_h2_cannot_become_lines() {
    run(&pseudo_fields());
}

#[test]
fn lengths_of_h2_cannot_become_framing() {
    run(&lengths());
}

#[test]
fn a_header_block_without_end_is_refused() {
    let arena = Arena::open();
    let mut frames = connect(&arena);
    frames.send(&frame(HEADERS, END_STREAM, 1, block(GET)));
    let piece = frame(CONTINUATION, 0, 1, block([(&b"x-a"[..], &[b'y'; 10_000][..])]));
    // It must not be read for ever: a gigabyte would be.
    let taken = (0..100_000).take_while(|_| frames.send(&piece)).count();
    assert!(taken < 100_000, "the proxy reads on");
    drop(frames);
    assert_eq!(arena.recorder.count(), 0);
    arena.still_serves();
    arena.proxy.stop();
}

#[test]
fn rapid_resets_are_told_and_end_the_connection_or_are_borne() {
    let arena = Arena::open();
    let mut frames = connect(&arena);
    for index in 0..2000 {
        let stream = 2 * index + 1;
        let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, block(GET));
        if !frames.send(&[request, frame(RST_STREAM, 0, stream, 8u32.to_be_bytes())].concat()) {
            break;
        }
    }
    drop(frames);
    arena.still_serves();
    let log = arena.proxy.stop();
    assert_eq!(log.count("request_started"), log.count("request_completed"));
}

#[test]
fn a_flood_of_frames_that_carry_nothing_is_told_of_and_ends_its_connection() {
    let floods = [
        ("PING", frame(PING, 0, 0, *b"12345678")),
        ("SETTINGS", settings(&[])),
        ("PRIORITY", frame(PRIORITY, 0, 7, [0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes())),
        ("type 42", frame(42, 0, 0, [])),
    ];
    for (name, one) in floods {
        let arena = Arena::open();
        let mut frames = connect(&arena);
        let some = one.repeat(100);
        let taken = (0..10_000).take_while(|_| frames.send(&some)).count();
        assert!(taken < 10_000, "{name}: the proxy reads on");
        drop(frames);
        arena.still_serves();
        let log = arena.proxy.stop();
        let event = log.only("security_event");
        assert_eq!((event.text("reason"), event.get("status_code")), ("http2", None));
        assert!(event.text("detail").ends_with(&format!("the last: {name}")), "{event:?}");
    }
}

#[test]
fn frames_that_carry_nothing_are_borne_within_reason() {
    let arena = Arena::open();
    let mut frames = connect(&arena);
    for index in 0..200 {
        let many = frame(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes()).repeat(10);
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 2 * index + 1, block(GET));
        assert!(frames.send(&[request, many].concat()));
        assert!(frames.next_that(|frame| frame.kind == HEADERS).is_some(), "request {index} is answered");
    }
    drop(frames);
    assert_eq!(arena.proxy.stop().count("security_event"), 0);
}
