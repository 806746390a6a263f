//! Shapes of chunked bodies (RFC 9112 §7.1).

use super::{Case, Seen, broken, seen};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = valid();
    cases.extend(tolerable());
    cases.extend(sizes());
    cases.extend(ends());
    cases.extend(trailers());
    cases
}

fn head() -> Vec<u8> {
    b"POST /broken HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()
}

fn body(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&head()[..], bytes.as_ref()].concat()
}

fn whole(body: &str) -> [Seen; 1] {
    [seen("POST", "/broken", body)]
}

fn passed(name: &str, bytes: impl AsRef<[u8]>, text: &str) -> Case {
    super::passed(&format!("chunk {name}"), body(bytes), whole(text))
}

fn either(name: &str, bytes: impl AsRef<[u8]>, text: &str) -> Case {
    super::either(&format!("chunk {name}"), body(bytes), &[400, 413, 431], whole(text))
}

fn bad(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    broken(&format!("chunk {name}"), body(bytes), &[400, 413, 431])
}

fn valid() -> Vec<Case> {
    vec![
        passed("plain", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        passed("none", "0\r\n\r\n", ""),
        passed("capital hex", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        passed("small hex", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        passed("several", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef"),
        passed("line ends as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        passed("a last chunk as data", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        passed("leading zeros", "0005\r\nhello\r\n0\r\n\r\n", "hello"),
        passed("last of many zeros", "5\r\nhello\r\n000\r\n\r\n", "hello"),
        passed("extension", "5;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
        passed("extension without a value", "5;a\r\nhello\r\n0\r\n\r\n", "hello"),
        passed("extension, quoted", "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "hello"),
        passed("extension of the last", "5\r\nhello\r\n0;a=b\r\n\r\n", "hello"),
        passed("trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "hello"),
    ]
}

fn tolerable() -> Vec<Case> {
    vec![
        either("space after the size", "5 \r\nhello\r\n0\r\n\r\n", "hello"),
        either("tab after the size", "5\t\r\nhello\r\n0\r\n\r\n", "hello"),
        either("space before an extension", "5 ;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
        either("empty extension", "5;\r\nhello\r\n0\r\n\r\n", "hello"),
        either("ten leading zeros", "00000000005\r\nhello\r\n0\r\n\r\n", "hello"),
        either("hundred leading zeros", format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(100)), "hello"),
        either("extension of 200 bytes", format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(200)), "hello"),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        bad("size no hex", "g\r\nhello\r\n0\r\n\r\n"),
        bad("size empty", "\r\nhello\r\n0\r\n\r\n"),
        bad("size plus", "+5\r\nhello\r\n0\r\n\r\n"),
        bad("size minus", "-5\r\nhello\r\n0\r\n\r\n"),
        bad("size 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        bad("size underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        bad("size two words", "5 5\r\nhello\r\n0\r\n\r\n"),
        bad("size with a comma", "5,5\r\nhello\r\n0\r\n\r\n"),
        bad("size with a leading space", " 5\r\nhello\r\n0\r\n\r\n"),
        bad("size with a leading tab", "\t5\r\nhello\r\n0\r\n\r\n"),
        bad("size with a nul", "5\0\r\nhello\r\n0\r\n\r\n"),
        bad("size with a high byte", b"5\xa0\r\nhello\r\n0\r\n\r\n"),
        bad("size 17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        bad("size 2^64", "10000000000000000\r\nhello\r\n0\r\n\r\n"),
        bad("size wrapping to 5", "100000000000000005\r\nhello\r\n0\r\n\r\n"),
        bad("size of 100 f", format!("{}\r\nhello\r\n0\r\n\r\n", "f".repeat(100))),
        bad("extension only", ";a=b\r\nhello\r\n0\r\n\r\n"),
        bad("extension with a bare lf", "5;a\nhello\r\n0\r\n\r\n"),
        bad("extension with a bare lf and more", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        bad("extension with a bare cr", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        bad("extension of a megabyte", format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(1 << 20))),
        bad(
            "many extensions of a megabyte in all",
            "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(1 << 15) + "0\r\n\r\n",
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        bad("size ended by lf", "5\nhello\r\n0\r\n\r\n"),
        bad("size ended by cr", "5\rhello\r\n0\r\n\r\n"),
        bad("size ended by cr cr lf", "5\r\r\nhello\r\n0\r\n\r\n"),
        bad("data without an end", "5\r\nhello0\r\n\r\n"),
        bad("data ended by lf", "5\r\nhello\n0\r\n\r\n"),
        bad("data ended by cr", "5\r\nhello\r0\r\n\r\n"),
        bad("data ended by other bytes", "5\r\nhelloXX0\r\n\r\n"),
        bad("data too long", "5\r\nhello, world\r\n0\r\n\r\n"),
        bad("data too short", "5\r\nhel\r\n0\r\n\r\n"),
        bad("last ended by lf", "5\r\nhello\r\n0\n\r\n"),
        bad("last ended by cr", "5\r\nhello\r\n0\r\r\n"),
    ]
}

fn trailers() -> Vec<Case> {
    vec![
        bad("trailer without a colon", "5\r\nhello\r\n0\r\nrubbish\r\n\r\n"),
        bad("trailer with a space before the colon", "5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
        bad("trailer folded", "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"),
        bad("trailer with a leading space", "5\r\nhello\r\n0\r\n X: y\r\n\r\n"),
        bad("trailer with an empty name", "5\r\nhello\r\n0\r\n: y\r\n\r\n"),
        bad("trailer with a nul", "5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n"),
        bad("trailer with a bare cr", "5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n"),
        bad("trailer of a megabyte", format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "y".repeat(1 << 20))),
        bad("trailers, a thousand", format!("5\r\nhello\r\n0\r\n{}\r\n", "X: y\r\n".repeat(1000))),
        either("trailer ended by lf", "5\r\nhello\r\n0\r\nX: y\n\r\n", "hello"),
        either("trailers ended by lf", "5\r\nhello\r\n0\r\n\n", "hello"),
    ]
}
