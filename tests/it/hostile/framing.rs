//! Content-Length and Transfer-Encoding, alone and against each other (RFC 9112 §6).

use super::{Case, either, passed, post_with, posted, refused, seen};

const CHUNKED: &str = "5\r\nhello\r\n0\r\n\r\n";

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(codings());
    cases.extend(conflicts());
    cases
}

fn length(name: &str, line: impl AsRef<[u8]>) -> Case {
    refused(&format!("length {name}"), post_with(line, "hello"), &[400])
}

fn lengths() -> Vec<Case> {
    vec![
        passed("length plain", post_with("Content-Length: 5", "hello"), [posted("hello")]),
        passed("length zero", post_with("Content-Length: 0", ""), [posted("")]),
        passed("length without a space", post_with("Content-Length:5", "hello"), [posted("hello")]),
        passed("length in other case", post_with("cOnTeNt-LeNgTh: 5", "hello"), [posted("hello")]),
        passed("length with tabs around", post_with("Content-Length:\t5\t", "hello"), [posted("hello")]),
        either("length with leading zeros", post_with("Content-Length: 0005", "hello"), &[400], [posted("hello")]),
        passed(
            "a body with GET",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            [seen("GET", "/", "hello")],
        ),
        passed("a POST with no framing", post_with("X: y", ""), [posted("")]),
        length("plus", "Content-Length: +5"),
        length("minus", "Content-Length: -5"),
        length("minus zero", "Content-Length: -0"),
        length("hex", "Content-Length: 0x5"),
        length("hex digit", "Content-Length: 5a"),
        length("octal", "Content-Length: 0o5"),
        length("empty", "Content-Length:"),
        length("blank", "Content-Length:   "),
        length("two words", "Content-Length: 5 5"),
        length("two words, tab", "Content-Length: 5\t5"),
        length("list that differs", "Content-Length: 5, 6"),
        length("list with an empty end", "Content-Length: 5,"),
        length("list with an empty start", "Content-Length: ,5"),
        length("semicolon", "Content-Length: 5;"),
        length("fraction", "Content-Length: 5.0"),
        length("exponent", "Content-Length: 5e0"),
        length("quoted", "Content-Length: \"5\""),
        length("underscore", "Content-Length: 5_0"),
        length("arabic digit", "Content-Length: \u{665}"),
        length("fullwidth digit", "Content-Length: \u{ff15}"),
        length("vertical tab before", b"Content-Length: \x0b5"),
        length("form feed after", b"Content-Length: 5\x0c"),
        length("nul after", b"Content-Length: 5\x00"),
        length("bare cr after", b"Content-Length: 5\r "),
        length("no-break space after", b"Content-Length: 5\xa0"),
        length("twice, different", "Content-Length: 5\r\nContent-Length: 6"),
        length("twice, one bad", "Content-Length: 5\r\nContent-Length: x"),
        length("twice, one empty", "Content-Length: 5\r\nContent-Length:"),
        length("twice, numerically equal", "Content-Length: 5\r\nContent-Length: +5"),
        either(
            "length twice, equal",
            post_with("Content-Length: 5\r\nContent-Length: 5", "hello"),
            &[400],
            [posted("hello")],
        ),
        either("length as a list of equals", post_with("Content-Length: 5, 5", "hello"), &[400], [posted("hello")]),
        refused("length of 20 nines", post_with("Content-Length: 99999999999999999999", "hello"), &[400, 413, 431]),
        refused("length 2^64", post_with("Content-Length: 18446744073709551616", "hello"), &[400, 413, 431]),
        refused("length 2^64 + 5", post_with("Content-Length: 18446744073709551621", "hello"), &[400, 413, 431]),
        refused("length 2^64 - 1", post_with("Content-Length: 18446744073709551615", "hello"), &[400, 413, 431]),
        refused(
            "length of 1000 digits",
            post_with(format!("Content-Length: {}", "1".repeat(1000)), ""),
            &[400, 413, 431],
        ),
    ]
}

fn coding(name: &str, line: impl AsRef<[u8]>) -> Case {
    refused(&format!("coding {name}"), post_with(line, CHUNKED), &[400, 501])
}

fn codings() -> Vec<Case> {
    let spelled = |name: &str, line: &[u8]| either(name, post_with(line, CHUNKED), &[400, 501], [posted("hello")]);
    vec![
        passed("coding chunked", post_with("Transfer-Encoding: chunked", CHUNKED), [posted("hello")]),
        passed("coding with spaces around", post_with("Transfer-Encoding:  \tchunked \t", CHUNKED), [posted("hello")]),
        passed("coding without a space", post_with("Transfer-Encoding:chunked", CHUNKED), [posted("hello")]),
        passed(
            "coding with GET",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            [seen("GET", "/", "hello")],
        ),
        spelled("coding in capitals", b"Transfer-Encoding: CHUNKED"),
        spelled("coding in mixed case", b"transfer-ENCODING: ChUnKeD"),
        spelled("coding with an empty element after", b"Transfer-Encoding: chunked,"),
        spelled("coding with an empty element before", b"Transfer-Encoding: , chunked"),
        coding("twice in a list", "Transfer-Encoding: chunked, chunked"),
        coding("twice in two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        coding("chunked then identity", "Transfer-Encoding: chunked, identity"),
        coding("identity then chunked", "Transfer-Encoding: identity, chunked"),
        coding("chunked then identity, two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        coding("identity then chunked, two lines", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        coding("gzip then chunked", "Transfer-Encoding: gzip, chunked"),
        coding("chunked then gzip", "Transfer-Encoding: chunked, gzip"),
        coding("identity", "Transfer-Encoding: identity"),
        coding("gzip", "Transfer-Encoding: gzip"),
        coding("unknown", "Transfer-Encoding: cow"),
        coding("empty", "Transfer-Encoding:"),
        coding("comma", "Transfer-Encoding: ,"),
        coding("with a parameter", "Transfer-Encoding: chunked;q=1"),
        coding("with an empty parameter", "Transfer-Encoding: chunked;"),
        coding("quoted", "Transfer-Encoding: \"chunked\""),
        coding("prefixed", "Transfer-Encoding: xchunked"),
        coding("suffixed", "Transfer-Encoding: chunkedx"),
        coding("split", "Transfer-Encoding: chun ked"),
        coding("two words", "Transfer-Encoding: x chunked"),
        coding("vertical tab before", b"Transfer-Encoding: \x0bchunked"),
        coding("vertical tab after", b"Transfer-Encoding: chunked\x0b"),
        coding("nul after", b"Transfer-Encoding: chunked\x00"),
        coding("nul before", b"Transfer-Encoding: \x00chunked"),
        coding("bare cr before", b"Transfer-Encoding: \rchunked"),
        coding("no-break space", b"Transfer-Encoding: \xa0chunked"),
        coding("folded", "Transfer-Encoding:\r\n chunked"),
        coding("with a space before the colon", "Transfer-Encoding : chunked"),
        coding("with a tab before the colon", "Transfer-Encoding\t: chunked"),
        coding("with a leading space", " Transfer-Encoding: chunked"),
        refused(
            "coding in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &[400, 501],
        ),
    ]
}

fn conflict(name: &str, lines: impl AsRef<[u8]>, rest: &str) -> Case {
    refused(&format!("conflict {name}"), post_with(lines, rest), &[400])
}

fn conflicts() -> Vec<Case> {
    vec![
        conflict("length before coding", "Content-Length: 15\r\nTransfer-Encoding: chunked", CHUNKED),
        conflict("coding before length", "Transfer-Encoding: chunked\r\nContent-Length: 15", CHUNKED),
        conflict("length zero before coding", "Content-Length: 0\r\nTransfer-Encoding: chunked", CHUNKED),
        conflict("coding before length zero", "Transfer-Encoding: chunked\r\nContent-Length: 0", CHUNKED),
        conflict("coding before a bad length", "Transfer-Encoding: chunked\r\nContent-Length: x", CHUNKED),
        conflict("a bad length before coding", "Content-Length: x\r\nTransfer-Encoding: chunked", CHUNKED),
        conflict(
            "coding between lengths",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
            CHUNKED,
        ),
        conflict(
            "far apart",
            format!("Content-Length: 5\r\n{}Transfer-Encoding: chunked", "X: y\r\n".repeat(50)),
            CHUNKED,
        ),
        refused(
            "conflict of identity and length",
            post_with("Transfer-Encoding: identity\r\nContent-Length: 5", "hello"),
            &[400, 501],
        ),
        refused(
            "conflict of gzip and length",
            post_with("Content-Length: 5\r\nTransfer-Encoding: gzip", "hello"),
            &[400, 501],
        ),
        refused(
            "conflict in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
            &[400, 501],
        ),
    ]
}
