//! Whole attacks as they were published: what one hop reads as a body, the next would read as a request.

use super::{Case, either, got, passed, post_with, posted, refused, refused_after, seen};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = length_against_coding();
    cases.extend(hidden_coding());
    cases.extend(hidden_length());
    cases.extend(bodies_that_are_requests());
    cases.extend(pipelines());
    cases
}

fn length_against_coding() -> Vec<Case> {
    let smuggled = format!("0\r\n\r\n{SMUGGLED}");
    let length = smuggled.len();
    let chunk = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    vec![
        refused(
            "cl.te",
            post_with(format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), &smuggled),
            &[400],
        ),
        refused("cl.te, one byte", post_with("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG"), &[400]),
        refused("te.cl", post_with("Transfer-Encoding: chunked\r\nContent-Length: 4", &chunk), &[400]),
        refused(
            "te.cl, coding without a space",
            post_with("Transfer-Encoding:chunked\r\nContent-Length: 4", &chunk),
            &[400],
        ),
        refused("te.0", post_with("Transfer-Encoding: chunked\r\nContent-Length: 0", &chunk), &[400]),
        refused(
            "options te.cl",
            format!("OPTIONS / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{chunk}"),
            &[400],
        ),
        refused(
            "te.cl in HTTP/1.0",
            format!("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{chunk}"),
            &[400, 501],
        ),
    ]
}

/// Transfer-Encoding so written that one hop sees it and another does not; always beside a length.
fn hidden_coding() -> Vec<Case> {
    let rest = format!("0\r\n\r\n{SMUGGLED}");
    let hidden = |name: &str, lines: &[u8]| {
        let lines = [format!("Content-Length: {}\r\n", rest.len()).as_bytes(), lines].concat();
        refused(&format!("te.te {name}"), post_with(lines, &rest), &[400, 501])
    };
    vec![
        hidden("space before the colon", b"Transfer-Encoding : chunked"),
        hidden("tab before the colon", b"Transfer-Encoding\t: chunked"),
        hidden("vertical tab before the value", b"Transfer-Encoding:\x0bchunked"),
        hidden("form feed before the value", b"Transfer-Encoding:\x0cchunked"),
        hidden("tab before the value", b"Transfer-Encoding:\tchunked"),
        hidden("leading space", b" Transfer-Encoding: chunked"),
        hidden("folded value", b"Transfer-Encoding:\r\n chunked"),
        hidden("folded behind another", b"X: y\r\n Transfer-Encoding: chunked"),
        hidden("behind a bare lf", b"X: y\nTransfer-Encoding: chunked"),
        hidden("behind a bare cr", b"X: y\rTransfer-Encoding: chunked"),
        hidden("behind a nul", b"X: y\x00Transfer-Encoding: chunked"),
        hidden("prefixed value", b"Transfer-Encoding: xchunked"),
        hidden("suffixed value", b"Transfer-Encoding: chunkedx"),
        hidden("quoted value", b"Transfer-Encoding: \"chunked\""),
        hidden("single quotes", b"Transfer-Encoding: 'chunked'"),
        hidden("second value", b"Transfer-Encoding: chunked\r\nTransfer-encoding: x"),
        hidden("second value first", b"Transfer-Encoding: x\r\nTransfer-encoding: chunked"),
        hidden("list with a cow", b"Transfer-Encoding: chunked, cow"),
        hidden("list with identity", b"Transfer-Encoding: identity, chunked"),
        hidden("high byte in the value", b"Transfer-Encoding: chunk\xfbed"),
        hidden("high byte in the name", b"Transfer\xadEncoding: chunked"),
        hidden("nul in the name", b"Transfer-\x00Encoding: chunked"),
        hidden("nul at the end of the name", b"Transfer-Encoding\x00: chunked"),
        hidden("bare cr in the name", b"Transfer-Encoding\r: chunked"),
        hidden("in capitals", b"TRANSFER-ENCODING: CHUNKED"),
        hidden("empty", b"Transfer-Encoding:"),
        hidden("behind an empty name", b":x\r\nTransfer-Encoding: chunked"),
        hidden("behind a line without a colon", b"x\r\nTransfer-Encoding: chunked"),
    ]
}

/// A second length, so written that one hop sees it and another does not.
fn hidden_length() -> Vec<Case> {
    let hidden = |name: &str, line: &[u8]| {
        let lines = [format!("Content-Length: {}\r\n", SMUGGLED.len()).as_bytes(), line].concat();
        refused(&format!("cl.cl {name}"), post_with(lines, SMUGGLED), &[400])
    };
    vec![
        hidden("plain", b"Content-Length: 0"),
        hidden("space before the colon", b"Content-Length : 0"),
        hidden("leading space", b" Content-Length: 0"),
        hidden("nul at the end of the name", b"Content-Length\x00: 0"),
        hidden("vertical tab before the value", b"Content-Length:\x0b0"),
        hidden("behind a bare cr", b"X: y\rContent-Length: 0"),
        hidden("behind a bare lf", b"X: y\nContent-Length: 0"),
        hidden("folded", b"Content-Length:\r\n 0"),
        hidden("plus", b"Content-Length: +0"),
        either(
            "cl.cl an underscore twin",
            post_with(format!("Content-Length: {}\r\nContent_Length: 0", SMUGGLED.len()), SMUGGLED),
            &[400],
            [posted(SMUGGLED).without("content_length")],
        ),
        either(
            "cl.te an underscore twin",
            post_with(format!("Content-Length: {}\r\nTransfer_Encoding: chunked", SMUGGLED.len()), SMUGGLED),
            &[400],
            [posted(SMUGGLED).without("transfer_encoding")],
        ),
    ]
}

/// What is framed as a body stays a body.
fn bodies_that_are_requests() -> Vec<Case> {
    let length = SMUGGLED.len();
    vec![
        passed("cl.0", post_with(format!("Content-Length: {length}"), SMUGGLED), [posted(SMUGGLED)]),
        passed(
            "cl.0 with GET",
            format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
            [seen("GET", "/", SMUGGLED)],
        ),
        passed(
            "cl.0 with DELETE",
            format!("DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
            [seen("DELETE", "/", SMUGGLED)],
        ),
        passed(
            "cl.0 with OPTIONS",
            format!("OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
            [seen("OPTIONS", "/", SMUGGLED)],
        ),
        passed(
            "a chunk that is a request",
            post_with("Transfer-Encoding: chunked", format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n")),
            [posted(SMUGGLED)],
        ),
        passed(
            "a request beside an h2c upgrade",
            post_with(
                format!(
                    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: {length}"
                ),
                SMUGGLED,
            ),
            [posted(SMUGGLED).without("upgrade")],
        ),
        passed(
            "a request beside a websocket upgrade of a wrong version",
            post_with(
                format!(
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nContent-Length: {length}"
                ),
                SMUGGLED,
            ),
            [posted(SMUGGLED)],
        ),
        passed(
            "an expected body that is a request",
            post_with(format!("Expect: 100-continue\r\nContent-Length: {length}"), SMUGGLED),
            [posted(SMUGGLED)],
        ),
    ]
}

/// Requests one after another, honest and not.
fn pipelines() -> Vec<Case> {
    let first = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    vec![
        passed("two in a row", format!("{first}{SMUGGLED}"), [got("/first"), got("/smuggled")]),
        passed(
            "one after a length",
            post_with("Content-Length: 5", format!("hello{first}")),
            [posted("hello"), got("/first")],
        ),
        passed("one after chunks", format!("{chunked}{first}"), [posted("hello"), got("/first")]),
        passed("one after an empty body", post_with("Content-Length: 0", first), [posted(""), got("/first")]),
        passed(
            "one after trailers",
            post_with("Transfer-Encoding: chunked", format!("0\r\nX-T: y\r\n\r\n{first}")),
            [posted(""), got("/first")],
        ),
        either("one after an empty line", format!("{first}\r\n{SMUGGLED}"), &[], [got("/first"), got("/smuggled")]),
        passed(
            "one after a close is not read",
            format!("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{SMUGGLED}"),
            [got("/last")],
        ),
        passed(
            "one after HTTP/1.0 is not read",
            format!("GET /last HTTP/1.0\r\nHost: a\r\n\r\n{SMUGGLED}"),
            [got("/last")],
        ),
        refused_after("rubbish after a request", format!("{first}rubbish\r\n\r\n"), vec![got("/first")], &[400]),
        refused_after(
            "a body too long",
            post_with("Content-Length: 5", "hello, world\r\n\r\n"),
            vec![posted("hello")],
            &[400],
        ),
        refused_after(
            "a conflict after a request",
            format!(
                "{first}{}",
                String::from_utf8_lossy(&post_with("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"))
            ),
            vec![got("/first")],
            &[400],
        ),
        refused_after(
            "a second head without a host",
            format!("{first}GET /second HTTP/1.1\r\n\r\n"),
            vec![got("/first")],
            &[400],
        ),
        refused_after("half a second head", format!("{first}GET /second HT"), vec![got("/first")], &[408]),
        refused("a refusal ends the pipeline", format!("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n{SMUGGLED}"), &[400]),
    ]
}
