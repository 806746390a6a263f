//! Host, duplicate and odd (RFC 9112 §3.2, RFC 3986 §3.2.2).

use super::{Case, either, got, passed, refused};

fn host(value: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: ", value.as_ref(), b"\r\n\r\n"].concat()
}

fn bad(name: &str, value: impl AsRef<[u8]>) -> Case {
    refused(&format!("host {name}"), host(value), &[400])
}

fn kept(name: &str, value: &'static str) -> Case {
    passed(&format!("host {name}"), host(value), [got("/").with("host", value)])
}

fn maybe(name: &str, value: impl AsRef<[u8]>) -> Case {
    either(&format!("host {name}"), host(value), &[400], [got("/")])
}

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        refused("host missing", "GET / HTTP/1.1\r\nX-A: b\r\n\r\n", &[400]),
        refused("host missing from a bare head", "GET / HTTP/1.1\r\n\r\n", &[400]),
        passed("host missing in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", [got("/")]),
        refused("host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
        refused("host twice the same", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]),
        refused("host twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
        refused("host twice in two cases", "GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n", &[400]),
        refused("host twice beside an absolute target", "GET http://c/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
        refused("host missing beside an absolute target", "GET http://c/ HTTP/1.1\r\n\r\n", &[400]),
        refused("host with a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", &[400]),
        refused("host folded", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", &[400]),
        refused("host and a second one folded", "GET / HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n", &[400]),
        bad("with a space", "a b"),
        bad("with a tab", "a\tb"),
        bad("with a slash", "a/b"),
        bad("with a scheme", "http://a"),
        bad("with a user", "user@a"),
        bad("with a user and password", "user:pass@a"),
        bad("with a question mark", "a?b"),
        bad("with a hash", "a#b"),
        bad("with a backslash", "a\\b"),
        bad("with angle brackets", "<script>"),
        bad("with a quote", "a\"b"),
        bad("with a brace", "a{b}"),
        bad("with a pipe", "a|b"),
        bad("with a caret", "a^b"),
        bad("with a nul", b"a\x00b"),
        bad("with a high byte", b"a\xe9b"),
        bad("in utf-8", "caf\u{e9}.example"),
        bad("with a port that is no number", "a:b"),
        bad("with a negative port", "a:-1"),
        bad("with two ports", "a:80:80"),
        bad("of two hosts", "a, b c"),
        bad("with an open bracket", "[::1"),
        bad("with a close bracket", "::1]"),
        bad("of bare v6", "::1"),
        bad("of bad v6", "[zz]"),
        bad("with rubbish after the bracket", "[::1]x"),
        kept("with a port", "a:8080"),
        kept("of v4", "127.0.0.1"),
        kept("of v6", "[::1]"),
        kept("of v6 with a port", "[::1]:80"),
        kept("with an underscore", "a_b.example"),
        kept("with a trailing dot", "a.example."),
        maybe("empty", ""),
        maybe("with a port too large", "a:99999"),
        maybe("of only a port", ":80"),
        maybe("with an empty port", "a:"),
        maybe("with a comma", "a,b"),
        maybe("with a percent", "a%00b"),
        maybe("with dots in a row", "a..b"),
        maybe("of 300 bytes", "a".repeat(300)),
        maybe("with a bad percent", "a%zz"),
        either(
            "host against an absolute target",
            "GET http://right/ HTTP/1.1\r\nHost: wrong\r\n\r\n",
            &[400],
            [got("/").with("host", "right").with("x-forwarded-host", "right")],
        ),
    ]
}
