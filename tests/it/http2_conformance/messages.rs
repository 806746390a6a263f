//! RFC 9113 §8: requests in frames. What is malformed is a stream error.

use super::{
    Case, DATA, Due, END_HEADERS, Field, GET, HEADERS, POST, PROTOCOL_ERROR, WHOLE, answered, block, case, frame,
    get_on, get_with, last_data, post_on,
};

pub(super) fn cases() -> Vec<Case> {
    [well_formed(), fields(), pseudo_fields(), trailers(), lengths()].into_iter().flatten().collect()
}

fn malformed(name: &'static str, sent: Vec<u8>) -> Case {
    case(name, sent, Due::StreamError(&[PROTOCOL_ERROR]))
}

/// A request of just these fields.
fn request_of(fields: &[Field]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, block(fields.iter().copied()))
}

/// The head of a POST with more fields, before its content.
fn post_with(fields: &[Field]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, [block(POST), block(fields.iter().copied())].concat())
}

/// Trailers that end the request.
fn trailers_of(fields: &[Field]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, block(fields.iter().copied()))
}

fn well_formed() -> Vec<Case> {
    let head = [(b":method".as_slice(), b"HEAD".as_slice()), GET[1], GET[2], GET[3]];
    vec![
        answered("a GET", get_on(1)),
        answered("a HEAD", request_of(&head)),
        answered("a POST", [post_on(1), last_data(1, b"test")].concat()),
        answered(
            "a POST with trailers",
            [post_with(&[(b"trailer", b"x-test")]), frame(DATA, 0, 1, b"test"), trailers_of(&[(b"x-test", b"ok")])]
                .concat(),
        ),
        answered("te: trailers", get_with(&[(b"te", b"trailers")])),
        answered("crumbs of a cookie", get_with(&[(b"cookie", b"a=1"), (b"cookie", b"b=2")]))
            .with_field("cookie", "a=1; b=2"),
    ]
}

fn fields() -> Vec<Case> {
    let with = |name, field: &[u8], value: &[u8]| malformed(name, get_with(&[(field, value)]));
    vec![
        with("a field name in capitals", b"X-TEST", b"ok"),
        with("a connection field", b"connection", b"keep-alive"),
        with("a keep-alive field", b"keep-alive", b"timeout=5"),
        with("a proxy-connection field", b"proxy-connection", b"keep-alive"),
        with("a transfer-encoding field", b"transfer-encoding", b"chunked"),
        with("an upgrade field", b"upgrade", b"websocket"),
        malformed("te of more than trailers", get_with(&[(b"trailers", b"test"), (b"te", b"trailers, deflate")])),
        with("a field name with a space", b"x test", b"ok"),
        with("a field value with a line end", b"x-test", b"ok\r\nx-more: no"),
        with("a field value with a nul", b"x-test", b"o\0k"),
    ]
}

fn pseudo_fields() -> Vec<Case> {
    let without = |name, place: usize| {
        let mut fields = GET.to_vec();
        fields.remove(place);
        malformed(name, request_of(&fields))
    };
    let with = |name, field: Field| malformed(name, get_with(&[field]));
    let empty_path = [GET[0], GET[1], GET[2], (b":path".as_slice(), b"".as_slice())];
    vec![
        with("a pseudo-field that nobody knows", (b":test", b"ok")),
        with("a pseudo-field of responses", (b":status", b"200")),
        malformed("a pseudo-field after a field", request_of(&[&[(&b"x-test"[..], &b"ok"[..])], &GET[..]].concat())),
        malformed("an empty :path", request_of(&empty_path)),
        without("no :method", 0),
        without("no :scheme", 1),
        without("no :path", 3),
        with(":method twice", GET[0]),
        with(":scheme twice", GET[1]),
        with(":path twice", GET[3]),
        with(":authority twice", GET[2]),
        with(":protocol that was not offered", (b":protocol", b"websocket")),
    ]
}

fn trailers() -> Vec<Case> {
    let after_data = |last: Vec<u8>| [post_on(1), frame(DATA, 0, 1, b"test"), last].concat();
    vec![
        malformed(
            "a second HEADERS without END_STREAM",
            after_data(frame(HEADERS, END_HEADERS, 1, block([(&b"x-test"[..], &b"ok"[..])]))),
        ),
        malformed(
            "a pseudo-field in trailers without END_STREAM",
            after_data(frame(HEADERS, END_HEADERS, 1, block([POST[0]]))),
        ),
        // Malformed as well (§8.1), but the library takes it out and says nothing.
        answered("a pseudo-field in trailers that end the request", after_data(trailers_of(&[POST[0]]))),
    ]
}

fn lengths() -> Vec<Case> {
    let of = |length: &'static [u8], content: &[Vec<u8>]| {
        [post_with(&[(b"content-length", length)]), content.concat()].concat()
    };
    vec![
        answered("a content-length that fits", of(b"4", &[last_data(1, b"test")])),
        malformed("a content-length less than DATA", of(b"1", &[last_data(1, b"test")])),
        malformed(
            "a content-length less than several DATA",
            of(b"1", &[frame(DATA, 0, 1, b"test"), last_data(1, b"test")]),
        ),
        malformed("a content-length of more than DATA", of(b"9", &[last_data(1, b"test")])),
        malformed("a content-length and no DATA", get_with(&[(b"content-length", b"4")])),
        malformed(
            "a content-length of more than DATA, and trailers",
            of(b"9", &[frame(DATA, 0, 1, b"test"), trailers_of(&[(b"x-test", b"ok")])]),
        ),
    ]
}
