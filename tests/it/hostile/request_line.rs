//! Method, target, version (RFC 9112 §3); bytes that are no HTTP at all.

use super::{Case, either, got, passed, refused, seen};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = methods();
    cases.extend(separators());
    cases.extend(targets());
    cases.extend(versions());
    cases.extend(other_protocols());
    cases
}

fn line(line: impl AsRef<[u8]>) -> Vec<u8> {
    [line.as_ref(), b"\r\nHost: a\r\n\r\n"].concat()
}

fn bad(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    refused(name, line(bytes), &[400])
}

fn methods() -> Vec<Case> {
    vec![
        bad("method with a parenthesis", "G(T / HTTP/1.1"),
        bad("method with a slash", "G/T / HTTP/1.1"),
        bad("method with a nul", b"G\x00T / HTTP/1.1"),
        bad("method with a high byte", b"G\xe9T / HTTP/1.1"),
        bad("method with a tab", "G\tT / HTTP/1.1"),
        bad("method with a colon", "GET: / HTTP/1.1"),
        bad("method empty", " / HTTP/1.1"),
        passed("method in small letters", line("get / HTTP/1.1"), [seen("get", "/", "")]),
        passed("method nobody knows", line("M-SEARCH / HTTP/1.1"), [seen("M-SEARCH", "/", "")]),
        passed(
            "method of all token characters",
            line("!#$%&'*+-.^_`|~aZ9 / HTTP/1.1"),
            [seen("!#$%&'*+-.^_`|~aZ9", "/", "")],
        ),
        refused("method of 100 KB", line(format!("{} / HTTP/1.1", "M".repeat(100_000))), &[400, 414, 431, 501]),
        refused(
            "connect to elsewhere",
            "CONNECT evil.example:25 HTTP/1.1\r\nHost: evil.example:25\r\n\r\n",
            &[400, 403, 405, 501],
        ),
        refused(
            "connect without a port",
            "CONNECT evil.example HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            &[400, 403, 405, 501],
        ),
        refused("connect to a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", &[400, 403, 405, 501]),
        either("pri without its preface", line("PRI * HTTP/1.1"), &[400, 405, 501], [seen("PRI", "*", "")]),
    ]
}

fn separators() -> Vec<Case> {
    vec![
        bad("two spaces after the method", "GET  / HTTP/1.1"),
        bad("two spaces before the version", "GET /  HTTP/1.1"),
        bad("tab after the method", "GET\t/ HTTP/1.1"),
        bad("tab before the version", "GET /\tHTTP/1.1"),
        bad("vertical tab after the method", b"GET\x0b/ HTTP/1.1"),
        bad("bare cr after the method", "GET\r/ HTTP/1.1"),
        bad("space after the version", "GET / HTTP/1.1 "),
        bad("word after the version", "GET / HTTP/1.1 x"),
        bad("space in the target", "GET /a b HTTP/1.1"),
        bad("no target", "GET HTTP/1.1"),
        bad("no version", "GET /"),
        bad("only a method", "GET"),
        refused("only a line end and rubbish", "\r\nrubbish\r\n\r\n", &[400]),
    ]
}

fn targets() -> Vec<Case> {
    let get = |target: &[u8]| line([b"GET ", target, b" HTTP/1.1"].concat());
    let bad = |name: &str, target: &[u8]| refused(&format!("target {name}"), get(target), &[400]);
    let kept = |name: &str, target: &str| passed(&format!("target {name}"), get(target.as_bytes()), [got(target)]);
    let maybe =
        |name: &str, target: &[u8], seen: &[u8]| either(&format!("target {name}"), get(target), &[400], [got(seen)]);
    vec![
        bad("without a slash", b"foo"),
        bad("only a query", b"?a=b"),
        bad("of another scheme", b"ftp:foo"),
        bad("authority for GET", b"a:80"),
        bad("with a nul", b"/a\x00b"),
        bad("with a control byte", b"/a\x01b"),
        bad("with an escape", b"/\x1b[31m"),
        bad("with a del", b"/a\x7fb"),
        bad("with a tab", b"/a\tb"),
        bad("with a bare cr", b"/a\rb"),
        bad("http without a host", b"http:///path"),
        bad("http without anything", b"http://"),
        bad("http with a port too large", b"http://a:99999/"),
        bad("http with a port that is no number", b"http://a:b/"),
        bad("http with a space in the host", b"http://a b/"),
        maybe("with a fragment", b"/a#b", b"/a"),
        maybe("with high bytes", b"/\xff\xfe?\xe9", b"/\xff\xfe?\xe9"),
        maybe("in utf-8", "/caf\u{e9}".as_bytes(), "/caf\u{e9}".as_bytes()),
        maybe("with quotes and brackets", b"/\"<>[]{}|\\^`", b"/\"<>[]{}|\\^`"),
        maybe("asterisk for GET", b"*", b"*"),
        kept("with dots", "/a/../../b/./c"),
        kept("with slashes", "///a//b"),
        kept("like a network path", "//evil.example/path"),
        kept("with a backslash encoded", "/%5c..%5c"),
        kept("with line ends encoded", "/%0d%0aX-Injected:%20yes%0d%0a"),
        kept("with a nul encoded", "/%00"),
        kept("with bad percents", "/%zz%2"),
        kept("with an empty query", "/a?"),
        kept("with question marks", "/a??b?c"),
        kept("with a url inside", "/http://b/"),
        passed("target http", get(b"http://a/x?y"), [got("/x?y").with("host", "a")]),
        passed("target http without a path", get(b"http://a"), [got("/").with("host", "a")]),
        passed("target http with a query only", get(b"http://a?y"), [got("/?y").with("host", "a")]),
        passed("target http in capitals", get(b"HTTP://a/x"), [got("/x").with("host", "a")]),
        either("target http with a user", get(b"http://u:p@a/x"), &[400], [got("/x").with("host", "a")]),
        either("target https on a plain port", get(b"https://a/x"), &[400, 421], [got("/x").with("host", "a")]),
        either("target ftp", get(b"ftp://a/x"), &[400, 421, 501], [got("/x").with("host", "a")]),
    ]
}

fn versions() -> Vec<Case> {
    let bad =
        |name: &str, version: &str| refused(&format!("version {name}"), line(format!("GET / {version}")), &[400, 505]);
    vec![
        either("version 1.2", line("GET / HTTP/1.2"), &[400, 505], [got("/")]),
        either("version 1.9", line("GET / HTTP/1.9"), &[400, 505], [got("/")]),
        bad("0.9", "HTTP/0.9"),
        bad("2.0", "HTTP/2.0"),
        bad("2", "HTTP/2"),
        bad("3", "HTTP/3"),
        bad("9.9", "HTTP/9.9"),
        bad("1.10", "HTTP/1.10"),
        bad("01.1", "HTTP/01.1"),
        bad("1", "HTTP/1"),
        bad("1 dot", "HTTP/1."),
        bad("with a comma", "HTTP/1,1"),
        bad("with a space", "HTTP/ 1.1"),
        bad("with a letter after", "HTTP/1.1x"),
        bad("in small letters", "http/1.1"),
        bad("of https", "HTTPS/1.1"),
        bad("of another name", "HTCPCP/1.0"),
        bad("negative", "HTTP/-1.1"),
        refused("http 0.9", "GET /\r\n", &[400, 408, 0]),
    ]
}

fn other_protocols() -> Vec<Case> {
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\r\n\r\n\x00\x01\x02\x03\x04\x05\x06\x07\x08";
    vec![
        refused("a tls hello on the plain port", hello, &[400, 0]),
        refused("an ssh banner", "SSH-2.0-OpenSSH_9.2\r\n\r\n", &[400, 0]),
        refused("an smtp greeting", "EHLO spam.example\r\nMAIL FROM:<a@b>\r\n\r\n", &[400, 0]),
        refused("random bytes", [0x80, 0xff, 0x00, 0x0d, 0x0a, 0x0d, 0x0a, 0x41].repeat(40), &[400, 0]),
        refused("nuls", [0; 512], &[400, 408, 0]),
        refused("a json document", "{\"a\": 1}\r\n\r\n", &[400]),
        refused("an http answer", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &[400]),
        refused("a proxy protocol line", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        refused(
            "an h2 preface with rubbish after",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400, 0],
        ),
        refused("an h2 preface that breaks off", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[400, 505, 0]),
    ]
}
