//! Syntax of field lines, line ends, control bytes (RFC 9112 §5, RFC 9110 §5).

use super::{Case, either, get_with, got, passed, refused};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = names();
    cases.extend(values());
    cases.extend(line_ends());
    cases
}

fn bad(name: &str, line: impl AsRef<[u8]>) -> Case {
    refused(&format!("field {name}"), get_with(line), &[400])
}

fn names() -> Vec<Case> {
    vec![
        bad("with a space before the colon", "X-A : b"),
        bad("with a tab before the colon", "X-A\t: b"),
        bad("with a space inside the name", "X A: b"),
        bad("without a colon", "X-A"),
        bad("without a name", ": b"),
        bad("name with a nul", b"X\x00A: b"),
        bad("name with a control byte", b"X\x01A: b"),
        bad("name with a bell", b"X\x07A: b"),
        bad("name with a del", b"X\x7fA: b"),
        bad("name with a high byte", b"X\xe9A: b"),
        bad("name in utf-8", "X-\u{e9}: b"),
        bad("name with a parenthesis", "X(A: b"),
        bad("name with a quote", "X\"A: b"),
        bad("name with a comma", "X,A: b"),
        bad("name with a slash", "X/A: b"),
        bad("name with a bracket", "X[A]: b"),
        bad("name with an at", "X@A: b"),
        bad("name with an equals sign", "X=A: b"),
        bad("name with a semicolon", "X;A: b"),
        bad("name with a backslash", "X\\A: b"),
        bad("name with a bare cr", "X\rA: b"),
        passed(
            "field name of all token characters",
            get_with("!#$%&'*+-.^_`|~aZ9: b"),
            [got("/").with("!#$%&'*+-.^_`|~az9", "b")],
        ),
        passed("field name with an underscore", get_with("X_Custom: b"), [got("/")]),
        passed("field name of digits", get_with("123: b"), [got("/").with("123", "b")]),
        passed("field name twice", get_with("X-A: 1\r\nX-A: 2"), [got("/")]),
    ]
}

fn values() -> Vec<Case> {
    let mut cases = vec![
        bad("value with a nul", b"X-A: a\x00b"),
        bad("value that is a nul", b"X-A: \x00"),
        bad("value with a del", b"X-A: a\x7fb"),
        bad("value with a bare cr", b"X-A: a\rb"),
        bad("value ending in a bare cr", b"X-A: a\r"),
        bad("value with an escape", b"X-A: \x1b[31mred"),
        bad("folded by a space", "X-A: a\r\n b"),
        bad("folded by a tab", "X-A: a\r\n\tb"),
        bad("folded without a value", "X-A:\r\n b"),
        bad("folded twice", "X-A: a\r\n b\r\n c"),
        bad("folded into nothing", "X-A: a\r\n "),
        refused("field folded onto the request line", "GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", &[400]),
        passed("field value empty", get_with("X-A:"), [got("/").with("x-a", "")]),
        passed("field value blank", get_with("X-A:  \t "), [got("/").with("x-a", "")]),
        passed("field value with spaces around", get_with("X-A:  \ta b\t "), [got("/").with("x-a", "a b")]),
        passed("field value with a tab inside", get_with("X-A: a\tb"), [got("/").with("x-a", "a\tb")]),
        passed(
            "field value with high bytes",
            get_with(b"X-A: \xff\x80\xc3"),
            [got("/").with("x-a", "\u{ff}\u{80}\u{c3}")],
        ),
        passed("field value with colons", get_with("X-A: b: c: d"), [got("/").with("x-a", "b: c: d")]),
        passed("field value of quotes and backslashes", get_with("X-A: \"\\\"\\"), [got("/").with("x-a", "\"\\\"\\")]),
        passed("user agent of json", get_with("User-Agent: \",\"level\":\"INFO\",\"x\":\""), [got("/")]),
        passed("user agent of high bytes", get_with(b"User-Agent: \xf0\x28\x8c\xbc \xed\xa0\x80"), [got("/")]),
    ];
    for byte in [1, 2, 8, 11, 12, 14, 31] {
        cases.push(bad(&format!("value with byte {byte}"), [&b"X-A: a"[..], &[byte], b"b"].concat()));
    }
    cases
}

fn line_ends() -> Vec<Case> {
    let bare = |name: &str, bytes: &str| either(name, bytes, &[400], [got("/")]);
    vec![
        bare("lines ended by lf", "GET / HTTP/1.1\nHost: a\n\n"),
        bare("request line ended by lf", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        bare("field ended by lf", "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n"),
        bare("head ended by lf", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        refused("request line ended by cr", "GET / HTTP/1.1\rHost: a\r\n\r\n", &[400]),
        refused("field ended by cr", "GET / HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n", &[400]),
        refused("field ended by cr cr lf", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", &[400]),
        refused("head ended by cr cr", "GET / HTTP/1.1\r\nHost: a\r\n\r\r", &[400, 408]),
        refused("head ended by cr x", "GET / HTTP/1.1\r\nHost: a\r\n\rx", &[400, 408]),
        refused("lines ended by lf cr", "GET / HTTP/1.1\n\rHost: a\n\r\n\r", &[400]),
        either("one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400], [got("/")]),
        either("two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400], [got("/")]),
        either("an lf before", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400], [got("/")]),
        refused("a bare cr before", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        refused("a space before", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        refused("a nul before", "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        refused("a byte order mark before", "\u{feff}GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
    ]
}
