//! Frames that no honest server of HTTP/2 sends, each with what the client may get for it, and a good answer after it.
//!
//! A message that is malformed ends its stream (RFC 9113 §8.1.1), frames that break the protocol end their connection;
//! the client is told the same of both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Field, GOAWAY, HEADERS, PING, PREFACE, PUSH_PROMISE, SETTINGS,
    WHOLE, WINDOW_UPDATE, block, frame, settings,
};
use crate::support::{Client, Conn, Ended, Setup, TestProxy, Upstream, get, request};

/// What becomes of a hostile answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// 502 of gatelog's own.
    Refused,
    /// The head was fine, and may be on its way; the client sees that the body is not whole.
    Cut,
    /// It passes with this status and body.
    Passes(u16, &'static str),
}
use End::{Cut, Passes, Refused};

struct Case {
    name: &'static str,
    /// The frames, by the stream that they answer.
    send: Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
    end: End,
}

fn case(name: &'static str, end: End, send: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case { name, end, send: Box::new(send) }
}

const OK: Field<'static> = (b":status", b"200");

/// A head of these fields that is a whole answer.
fn fields(name: &'static str, end: End, fields: &'static [Field<'static>]) -> Case {
    case(name, end, |stream| frame(HEADERS, WHOLE, stream, block(fields.iter().copied())))
}

/// A head of these fields, and a body.
fn message(name: &'static str, end: End, fields: &'static [Field<'static>], body: &'static str) -> Case {
    case(name, end, move |stream| {
        let head = frame(HEADERS, END_HEADERS, stream, block(fields.iter().copied()));
        [head, frame(DATA, END_STREAM, stream, body)].concat()
    })
}

fn status_lines() -> Vec<Case> {
    vec![
        fields("no status", Refused, &[(b"server", b"x")]),
        fields("two statuses", Refused, &[OK, OK]),
        fields("a status behind a field", Refused, &[(b"server", b"x"), OK]),
        fields("a status that is no number", Refused, &[(b":status", b"abc")]),
        fields("a short status", Refused, &[(b":status", b"20")]),
        fields("a long status", Refused, &[(b":status", b"2000")]),
        fields("a status below 100", Refused, &[(b":status", b"099")]),
        fields("a status above 599", Refused, &[(b":status", b"600")]),
        fields("a status with a reason", Refused, &[(b":status", b"200 OK")]),
        fields("an empty status", Refused, &[(b":status", b"")]),
        message("switching protocols", Refused, &[(b":status", b"101"), (b"upgrade", b"x")], "x"),
        fields("an interim answer as the end", Refused, &[(b":status", b"103")]),
        message("a body with 204", Passes(204, ""), &[(b":status", b"204")], "x"),
        message("a body with 304", Passes(304, ""), &[(b":status", b"304")], "x"),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        // The library takes off what answers cannot have; nothing of it passes.
        fields("a pseudo-field of requests", Passes(200, ""), &[OK, (b":path", b"/")]),
        fields("an unknown pseudo-field", Refused, &[OK, (b":x", b"y")]),
        fields("a name in upper case", Refused, &[OK, (b"Server", b"x")]),
        fields("a name with a space", Refused, &[OK, (b"a b", b"x")]),
        fields("a name with a colon", Refused, &[OK, (b"a:b", b"x")]),
        fields("an empty name", Refused, &[OK, (b"", b"x")]),
        fields("a value with a line end", Refused, &[OK, (b"server", b"x\r\nset-cookie: a=b")]),
        fields("a value with a bare line feed", Refused, &[OK, (b"server", b"x\ny")]),
        fields("a value with a null byte", Refused, &[OK, (b"server", b"x\0y")]),
        fields("a value with an escape", Refused, &[OK, (b"server", b"x\x1b[2Jy")]),
        fields("connection", Refused, &[OK, (b"connection", b"close")]),
        fields("transfer-encoding", Refused, &[OK, (b"transfer-encoding", b"chunked")]),
        fields("upgrade", Refused, &[OK, (b"upgrade", b"websocket")]),
        case("a head without end", Refused, |stream| {
            let more = frame(CONTINUATION, 0, stream, block([(&b"x-more"[..], &[b'x'; 1000][..])]));
            [frame(HEADERS, 0, stream, block([OK])), more.repeat(2000)].concat()
        }),
        case("a head that is too large", Refused, |stream| {
            let more = frame(CONTINUATION, 0, stream, block([(&b"x-more"[..], &[b'x'; 10_000][..])]));
            let last = frame(CONTINUATION, END_HEADERS, stream, "");
            [frame(HEADERS, END_STREAM, stream, block([OK])), more.repeat(8), last].concat()
        }),
        case("interim answers without end", Refused, |stream| {
            frame(HEADERS, END_HEADERS, stream, block([(&b":status"[..], &b"103"[..])])).repeat(200)
        }),
        case("a broken header block", Refused, |stream| frame(HEADERS, WHOLE, stream, [0x80])),
        case("a header block that ends in a string", Refused, |stream| frame(HEADERS, WHOLE, stream, b"\0\x07:st")),
    ]
}

fn lengths() -> Vec<Case> {
    const TWO: Field<'static> = (b"content-length", b"2");
    vec![
        message("as long as it says", Passes(200, "ok"), &[OK, TWO], "ok"),
        message("shorter than it says", Cut, &[OK, TWO], "o"),
        message("longer than it says", Cut, &[OK, TWO], "okay"),
        fields("nothing where it says something", Cut, &[OK, TWO]),
        message("a length that is no number", Refused, &[OK, (b"content-length", b"2x")], "ok"),
        message("a length with a sign", Refused, &[OK, (b"content-length", b"+2")], "ok"),
        message("two lengths that differ", Refused, &[OK, TWO, (b"content-length", b"3")], "ok"),
        case("a status among the trailers", Passes(200, "o"), |stream| {
            let head = frame(HEADERS, END_HEADERS, stream, block([OK]));
            [head, frame(DATA, 0, stream, "o"), frame(HEADERS, WHOLE, stream, block([OK]))].concat()
        }),
        case("trailers that are not the end", Cut, |stream| {
            let head = frame(HEADERS, END_HEADERS, stream, block([OK]));
            let trailers = frame(HEADERS, END_HEADERS, stream, block([(&b"x-sum"[..], &b"1"[..])]));
            [head, frame(DATA, 0, stream, "o"), trailers, frame(DATA, END_STREAM, stream, "k")].concat()
        }),
    ]
}

fn frames() -> Vec<Case> {
    vec![
        case("a body without a head", Refused, |stream| frame(DATA, END_STREAM, stream, "ok")),
        case("a head for nobody", Refused, |_| frame(HEADERS, WHOLE, 2, block([OK]))),
        case("a stream that was never asked for", Refused, |stream| frame(HEADERS, WHOLE, stream + 1000, block([OK]))),
        case("a push that was ruled out", Refused, |stream| {
            let promised = [&[0, 0, 0, 2][..], &block([(&b":method"[..], &b"GET"[..])])].concat();
            frame(PUSH_PROMISE, END_HEADERS, stream, promised)
        }),
        case("a frame that is too long", Refused, |stream| frame(HEADERS, WHOLE, stream, [0; 20_000])),
        case("settings of half a parameter", Refused, |_| frame(SETTINGS, 0, 0, [0; 5])),
        case("a window of nothing", Refused, |_| frame(WINDOW_UPDATE, 0, 0, [0; 4])),
        case("a window beyond the largest", Refused, |_| frame(WINDOW_UPDATE, 0, 0, [0x7f, 0xff, 0xff, 0xff])),
        case("a ping of seven bytes", Refused, |_| frame(PING, 0, 0, [0; 7])),
        case("a goaway of four bytes", Refused, |_| frame(GOAWAY, 0, 0, [0; 4])),
        case("another frame inside a head", Refused, |stream| {
            [frame(HEADERS, 0, stream, block([OK])), frame(DATA, END_STREAM, stream, "ok")].concat()
        }),
        case("an answer in HTTP/1.1", Refused, |_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        case("bytes of no protocol", Refused, |_| b"\xff\xfe\xfd\0garbage\r\n\r\n".repeat(20)),
    ]
}

/// What the server says to the next request; the good answer where nothing is to be said.
type Next = Arc<Mutex<Option<usize>>>;

/// Speaks HTTP/2 by hand: what the table has, where it is asked for, and 200 otherwise.
fn serve(conn: &mut Conn, table: &[Case], next: &Next) {
    if conn.try_exactly(PREFACE.len()).is_none() {
        return;
    }
    conn.send(settings(&[]));
    while let Some(head) = conn.try_exactly(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let Some(payload) = conn.try_exactly(length) else { return };
        match (head[3], head[4] & ACK) {
            (SETTINGS, 0) => conn.send(frame(SETTINGS, ACK, 0, "")),
            (PING, 0) => conn.send(frame(PING, ACK, 0, payload)),
            (HEADERS, _) => {
                let number = next.lock().unwrap().take();
                conn.send(number.map_or_else(|| good(stream), |number| (table[number].send)(stream)));
            }
            _ => {}
        }
    }
}

fn good(stream: u32) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, block([OK])), frame(DATA, END_STREAM, stream, "well")].concat()
}

fn check(proxy: &TestProxy, next: &Next, number: usize, case: &Case) {
    *next.lock().unwrap() = Some(number);
    let id = format!("answer-{number}");
    let mut client = Client::connect(proxy.addr());
    // What may be sent twice would be, where the connection ends: this is about what is told.
    client.send(request("POST", "/", &id, "", ""));
    let answer = client.answer().last;
    let record = proxy.completed(&id);
    let is_refused = answer.is_complete() && answer.status() == 502;
    let is_right = match case.end {
        Refused => is_refused,
        Cut => is_refused || matches!(answer.ended, Ended::Cut | Ended::Closed),
        Passes(status, body) => answer.is_complete() && (answer.status(), answer.text().as_str()) == (status, body),
    };
    assert!(is_right, "{:?}: the client got {answer:?}, the record says {record:?}", case.end);
    let is_fault = !matches!(case.end, Passes(..));
    assert_eq!(record.text("outcome") == "upstream_protocol", is_fault, "{record:?}");
    assert_eq!(record.number("status_code"), u64::from(answer.status()), "{record:?}");
    if is_refused {
        let status = answer.header("proxy-status").unwrap();
        assert_eq!(status, format!("gatelog; error={}", record.text("exception_type")));
    }
    let after = get(proxy.addr(), "/", &format!("after-{number}")).last;
    assert_eq!((after.status(), after.text().as_str()), (200, "well"), "the next answer is poisoned: {after:?}");
}

fn run(table: Vec<Case>) {
    let (table, next) = (Arc::new(table), Next::default());
    let own = (Arc::clone(&table), Arc::clone(&next));
    let upstream = Upstream::script(move |conn| serve(conn, &own.0, &own.1)).spoken_to_as("h2c");
    let setup = Setup::before(&upstream).top("workers", "1").timeout("response = \"2s\"").timeout("idle = \"2s\"");
    // The same server is asked again and again, whatever it did.
    let proxy = setup.upstream("ejection = \"off\"").start();
    let mut failures = Vec::new();
    for (number, case) in table.iter().enumerate() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&proxy, &next, number, case))) {
            failures.push(format!("{}: {}", case.name, panic.downcast_ref::<String>().cloned().unwrap_or_default()));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), table.len(), failures.join("\n\n"));
    proxy.stop();
}

#[test]
fn statuses_of_http2_answers_are_read_strictly() {
    run(status_lines());
}

#[test]
fn heads_of_http2_answers_are_read_strictly() {
    run(heads());
}

#[test]
fn lengths_of_http2_answers_are_held_to() {
    run(lengths());
}

#[test]
fn frames_of_servers_are_read_strictly() {
    run(frames());
}
