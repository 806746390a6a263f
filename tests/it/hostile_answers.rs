//! Bytes that no honest upstream sends: each answer with what the client may get for it.
//!
//! The upstream keeps its connection open afterwards, so that bytes left over would poison the next answer;
//! the client reads strictly, so that nothing malformed can reach it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::support::{Client, Ended, Setup, TestProxy, Upstream, get, request};

/// One hostile answer.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    allowed: Allowed,
}

/// What the client may get for it.
enum Allowed {
    /// gatelog's own 502: nothing of it can be trusted.
    Refused,
    /// The head is fine and may be on its way; the body never becomes whole.
    Cut,
    /// This status and body.
    Passed(u16, &'static str),
    /// Refusing is as right as passing it on, cleaned.
    Either(u16, &'static str),
}

use Allowed::{Cut, Either, Passed, Refused};

fn case(name: &'static str, bytes: impl AsRef<[u8]>, allowed: Allowed) -> Case {
    Case { name, bytes: bytes.as_ref().to_vec(), allowed }
}

/// An answer of one status line, with a length and the body `ok`.
fn line(name: &'static str, line: impl AsRef<[u8]>, allowed: Allowed) -> Case {
    case(name, [line.as_ref(), b"\r\nContent-Length: 2\r\n\r\nok"].concat(), allowed)
}

/// A 200 with one more line and the body `ok`.
fn field(name: &'static str, field: impl AsRef<[u8]>, allowed: Allowed) -> Case {
    case(name, [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", field.as_ref(), b"\r\n\r\nok"].concat(), allowed)
}

/// A 200 with these framing lines and what follows.
fn framed(name: &'static str, lines: impl AsRef<[u8]>, rest: &str, allowed: Allowed) -> Case {
    case(name, [b"HTTP/1.1 200 OK\r\n", lines.as_ref(), b"\r\n\r\n", rest.as_bytes()].concat(), allowed)
}

/// A chunked 200.
fn chunked(name: &'static str, body: &str, allowed: Allowed) -> Case {
    framed(name, "Transfer-Encoding: chunked", body, allowed)
}

fn status_lines() -> Vec<Case> {
    vec![
        line("status of two digits", "HTTP/1.1 20 OK", Refused),
        line("status of four digits", "HTTP/1.1 2000 OK", Refused),
        line("status with a letter", "HTTP/1.1 2x0 OK", Refused),
        line("status 000", "HTTP/1.1 000 X", Refused),
        line("status 099", "HTTP/1.1 099 X", Refused),
        line("status negative", "HTTP/1.1 -20 X", Refused),
        line("status 600", "HTTP/1.1 600 X", Either(600, "ok")),
        line("status 999", "HTTP/1.1 999 X", Either(999, "ok")),
        line("status missing", "HTTP/1.1", Refused),
        line("status line without a reason", "HTTP/1.1 200", Either(200, "ok")),
        line("status line with an empty reason", "HTTP/1.1 200 ", Passed(200, "ok")),
        line("reason with high bytes", b"HTTP/1.1 200 \xff\xfe", Either(200, "ok")),
        line("reason with a nul", b"HTTP/1.1 200 O\x00K", Refused),
        line("reason with an escape", b"HTTP/1.1 200 \x1b[31m", Refused),
        line("two spaces before the status", "HTTP/1.1  200 OK", Refused),
        line("tab before the status", "HTTP/1.1\t200 OK", Refused),
        line("version 2.0", "HTTP/2.0 200 OK", Refused),
        line("version 1.2", "HTTP/1.2 200 OK", Either(200, "ok")),
        line("version in small letters", "http/1.1 200 OK", Refused),
        line("version of another protocol", "ICY 200 OK", Refused),
        line("a request in place of an answer", "GET / HTTP/1.1", Refused),
        line("an empty line before", "\r\nHTTP/1.1 200 OK", Either(200, "ok")),
        line("a space before", " HTTP/1.1 200 OK", Refused),
        line("rubbish before", "rubbish\r\nHTTP/1.1 200 OK", Refused),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        field("space before the colon", "X-A : b", Either(200, "ok")),
        field("tab before the colon", "X-A\t: b", Either(200, "ok")),
        field("space in the name", "X A: b", Refused),
        field("no colon", "X-A", Refused),
        field("no name", ": b", Refused),
        field("nul in the name", b"X\x00A: b", Refused),
        field("nul in the value", b"X-A: a\x00b", Refused),
        field("escape in the value", b"X-A: a\x1bb", Refused),
        field("bare cr in the value", b"X-A: a\rX-B: c", Refused),
        field("high bytes in the value", b"X-A: \xff\xfe", Passed(200, "ok")),
        field("folded", "X-A: a\r\n b", Either(200, "ok")),
        field("folded at once", "X-A:\r\n b", Either(200, "ok")),
        field("ended by lf", "X-A: a\nX-B: b", Either(200, "ok")),
        field("a thousand", "X: y\r\n".repeat(1000) + "X: y", Refused),
        field("a megabyte", format!("X: {}", "y".repeat(1 << 20)), Refused),
        field("connection names content-length", "Connection: content-length", Either(200, "ok")),
    ]
}

fn framings() -> Vec<Case> {
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    vec![
        framed("length empty", "Content-Length:", "ok", Refused),
        framed("length plus", "Content-Length: +2", "ok", Refused),
        framed("length minus", "Content-Length: -2", "ok", Refused),
        framed("length hex", "Content-Length: 0x2", "ok", Refused),
        framed("length two words", "Content-Length: 2 2", "ok", Refused),
        framed("length 2^64", "Content-Length: 18446744073709551616", "ok", Refused),
        framed("length twice equal", "Content-Length: 2\r\nContent-Length: 2", "ok", Either(200, "ok")),
        framed("length a list of equals", "Content-Length: 2, 2", "ok", Either(200, "ok")),
        framed("length twice different", "Content-Length: 2\r\nContent-Length: 1", "ok", Refused),
        framed("length a list that differs", "Content-Length: 2, 1", "ok", Refused),
        framed("coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 2", chunks, Refused),
        framed("length and coding", "Content-Length: 2\r\nTransfer-Encoding: chunked", chunks, Refused),
        framed("coding twice", "Transfer-Encoding: chunked, chunked", chunks, Refused),
        framed("coding not last", "Transfer-Encoding: chunked, gzip", chunks, Refused),
        framed("coding unknown", "Transfer-Encoding: cow", chunks, Refused),
        framed("coding prefixed", "Transfer-Encoding: xchunked", chunks, Refused),
        framed("coding with a vertical tab", b"Transfer-Encoding: \x0bchunked", chunks, Refused),
        framed("coding in capitals", "Transfer-Encoding: CHUNKED", chunks, Passed(200, "ok")),
        case("coding in HTTP/1.0", format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"), Refused),
        framed("no content with chunks", "Content-Length: 0", "5\r\nsplit\r\n0\r\n\r\n", Passed(200, "")),
        framed(
            "more than the length",
            "Content-Length: 2",
            "okHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
            Passed(200, "ok"),
        ),
        case("204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison", Passed(204, "")),
        case(
            "204 with chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Passed(204, ""),
        ),
        case("304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison", Passed(304, "")),
        case(
            "100 with a length",
            "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Either(200, "ok"),
        ),
        case(
            "101 uninvited",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes",
            Refused,
        ),
        case(
            "a hundred interim answers",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(100) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Either(200, "ok"),
        ),
        case("two answers at once", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".repeat(2), Passed(200, "ok")),
    ]
}

fn chunks() -> Vec<Case> {
    vec![
        chunked("chunk plain", "2\r\nok\r\n0\r\n\r\n", Passed(200, "ok")),
        chunked("chunk with an extension", "2;a=b\r\nok\r\n0\r\n\r\n", Passed(200, "ok")),
        chunked(
            "chunk with more after the last",
            "2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
            Passed(200, "ok"),
        ),
        chunked("chunk size no hex", "x\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size empty", "\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size plus", "+2\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size 0x", "0x2\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size overflowing", "100000000000000002\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size with a leading space", " 2\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk size ended by lf", "2\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk data without an end", "2\r\nok0\r\n\r\n", Cut),
        chunked("chunk data ended by lf", "2\r\nok\n0\r\n\r\n", Cut),
        chunked("chunk data too long", "2\r\nokay\r\n0\r\n\r\n", Cut),
        chunked("chunk extension with a bare lf", "2;a\nb\r\nok\r\n0\r\n\r\n", Cut),
        chunked("chunk extension of a megabyte", &format!("2;{}\r\nok\r\n0\r\n\r\n", "a".repeat(1 << 20)), Cut),
        chunked("trailer without a colon", "2\r\nok\r\n0\r\nrubbish\r\n\r\n", Cut),
        chunked("trailer folded", "2\r\nok\r\n0\r\nX: a\r\n b\r\n\r\n", Cut),
        chunked("trailer of a megabyte", &format!("2\r\nok\r\n0\r\nX: {}\r\n\r\n", "y".repeat(1 << 20)), Cut),
    ]
}

/// Answers `/case/N` with case N and goes on; everything else with 200.
fn upstream(table: &[Case]) -> Upstream {
    let answers: Arc<Vec<_>> = Arc::new(table.iter().map(|case| case.bytes.clone()).collect());
    Upstream::script(move |conn| {
        while let Some(asked) = conn.request() {
            match asked.start[1].strip_prefix("/case/") {
                Some(number) => conn.send(&answers[number.parse::<usize>().unwrap()]),
                None => conn.ok("well"),
            }
        }
    })
}

fn check(proxy: &TestProxy, number: usize, case: &Case) {
    let id = format!("answer-{number}");
    let mut client = Client::connect(proxy.addr());
    let answer = client.exchange(request("GET", &format!("/case/{number}"), &id, "", "")).last;
    drop(client);
    let record = proxy.completed(&id);
    let outcome = record.text("outcome");
    let passed = answer.is_complete() && answer.status() != 502;
    match &case.allowed {
        Passed(status, body) => assert_eq!((answer.status(), answer.text().as_str()), (*status, *body), "{answer:?}"),
        Either(status, body) if passed => {
            assert_eq!((answer.status(), answer.text().as_str()), (*status, *body), "{answer:?}");
        }
        Refused | Either(..) => {
            assert_eq!((answer.status(), outcome), (502, "upstream_protocol"), "{answer:?} {record:?}");
            assert!(answer.is_complete(), "{answer:?}");
        }
        Cut => {
            let cut = answer.status() == 200 && answer.ended == Ended::Cut;
            assert!(cut || answer.status() == 502, "{answer:?}");
            assert_eq!(outcome, "upstream_protocol", "{record:?}");
        }
    }
    assert_eq!(record.number("status_code"), u64::from(answer.status()));
    for round in 0..2 {
        let next = get(proxy.addr(), "/", &format!("after-{number}-{round}")).last;
        assert_eq!((next.status(), next.text().as_str()), (200, "well"), "the next answer is poisoned: {next:?}");
    }
}

fn run(table: &[Case]) {
    let upstream = upstream(table);
    let impatient = Setup::before(&upstream).top("workers", "1").timeout("response = \"1s\"").timeout("idle = \"1s\"");
    let proxy = impatient.start();
    let mut failures = Vec::new();
    for (number, case) in table.iter().enumerate() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&proxy, number, case))) {
            failures.push(format!("{}: {}", case.name, panic.downcast_ref::<String>().cloned().unwrap_or_default()));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), table.len(), failures.join("\n\n"));
    proxy.stop();
}

#[test]
fn status_lines_are_read_strictly() {
    run(&status_lines());
}

#[test]
fn fields_of_answers_are_read_strictly() {
    run(&fields());
}

#[test]
fn framing_of_answers_is_read_strictly() {
    run(&framings());
}

#[test]
fn chunks_of_answers_are_read_strictly() {
    run(&chunks());
}
