//! RFC 9113 §6.1, §6.2, §6.6, §6.10: the frames that carry requests, whole and in pieces, padded and misplaced.

use super::{
    CONTINUATION, Case, DATA, Due, END_HEADERS, END_STREAM, GET, HEADERS, POST, PROTOCOL_ERROR, STREAM_CLOSED, WHOLE,
    answered, block, case, frame, get_on, get_with, last_continuation, last_data, post_on,
};
use crate::support::frames::{PADDED, PUSH_PROMISE};

pub(super) fn cases() -> Vec<Case> {
    [data(), headers(), continuation(), misplaced_continuation()].into_iter().flatten().collect()
}

/// A connection error of the usual kind.
fn fails(name: &'static str, sent: Vec<u8>) -> Case {
    case(name, sent, Due::ConnectionError(&[PROTOCOL_ERROR]))
}

fn data() -> Vec<Case> {
    let after_head = |more: &[Vec<u8>]| [post_on(1), more.concat()].concat();
    let padded = frame(DATA, END_STREAM | PADDED, 1, [&[5], &b"test"[..], &[0; 5]].concat());
    let only_padding = frame(DATA, END_STREAM | PADDED, 1, [&[255][..], &[0; 255]].concat());
    // Five bytes, of which six are padding.
    let all_padding = frame(DATA, END_STREAM | PADDED, 1, b"\x06test");
    vec![
        answered("one DATA frame", after_head(&[last_data(1, b"test")])),
        answered("several DATA frames", after_head(&[frame(DATA, 0, 1, b"test"), last_data(1, b"test")])),
        answered("a DATA frame without a byte", after_head(&[last_data(1, b"")])),
        answered("padded DATA", after_head(&[padded])),
        answered("DATA that is only padding", after_head(&[only_padding])),
        fails("DATA on stream 0", last_data(0, b"test")),
        case(
            "DATA after END_STREAM",
            [frame(HEADERS, WHOLE, 1, block(POST)), last_data(1, b"test")].concat(),
            Due::StreamError(&[STREAM_CLOSED]),
        )
        .or_protocol_error(),
        fails("DATA with more padding than payload", after_head(&[all_padding])),
    ]
}

fn headers() -> Vec<Case> {
    let padded = |padding: u8, zeros: usize| {
        frame(HEADERS, WHOLE | PADDED, 1, [&[padding][..], &block(GET), &vec![0; zeros]].concat())
    };
    let too_padded = u8::try_from(block(GET).len() + 2).unwrap();
    vec![
        answered("HEADERS", get_on(1)),
        answered("padded HEADERS", padded(8, 8)),
        case("HEADERS with more padding than payload", padded(too_padded, 0), Due::StreamError(&[PROTOCOL_ERROR])),
        fails("HEADERS on stream 0", get_on(0)),
        fails(
            "HEADERS without END_HEADERS and a frame of another type",
            [frame(HEADERS, 0, 1, block(POST)), last_data(1, b"test"), last_continuation(1)].concat(),
        ),
        fails(
            "HEADERS without END_HEADERS and HEADERS of another stream",
            [frame(HEADERS, 0, 1, block(POST)), get_on(3), last_continuation(1)].concat(),
        ),
        fails(
            "PUSH_PROMISE by a client",
            frame(PUSH_PROMISE, END_HEADERS, 1, [&3u32.to_be_bytes()[..], &block(GET)].concat()),
        ),
        fails(
            "PUSH_PROMISE by a client on an open stream",
            [post_on(1), frame(PUSH_PROMISE, END_HEADERS, 1, [&2u32.to_be_bytes()[..], &block(GET)].concat())].concat(),
        ),
    ]
}

fn continuation() -> Vec<Case> {
    let block = block(GET);
    let (first, rest) = block.split_at(5);
    let (second, third) = rest.split_at(5);
    let begun = frame(HEADERS, END_STREAM, 1, first);
    vec![
        answered("a CONTINUATION", [begun.clone(), frame(CONTINUATION, END_HEADERS, 1, rest)].concat()),
        answered(
            "several CONTINUATIONs",
            [
                begun.clone(),
                frame(CONTINUATION, 0, 1, second),
                frame(CONTINUATION, 0, 1, []),
                frame(CONTINUATION, END_HEADERS, 1, third),
            ]
            .concat(),
        ),
        answered(
            "CONTINUATIONs of further fields",
            [frame(HEADERS, END_STREAM, 1, &block), last_continuation(1)].concat(),
        )
        .with_field("x-more", "x".repeat(400)),
        fails(
            "a CONTINUATION and a frame of another type",
            [frame(HEADERS, 0, 1, first), frame(CONTINUATION, 0, 1, rest), last_data(1, b"test")].concat(),
        ),
        fails("a CONTINUATION of stream 0", [begun.clone(), frame(CONTINUATION, END_HEADERS, 0, rest)].concat()),
        fails("a CONTINUATION of another stream", [begun, frame(CONTINUATION, END_HEADERS, 3, rest)].concat()),
    ]
}

fn misplaced_continuation() -> Vec<Case> {
    let begun = frame(HEADERS, END_STREAM, 1, block(GET));
    vec![
        fails("a CONTINUATION after END_HEADERS", [get_with(&[]), last_continuation(1)].concat()),
        fails(
            "a CONTINUATION after one with END_HEADERS",
            [begun, last_continuation(1), last_continuation(1)].concat(),
        ),
        fails("a CONTINUATION after DATA", [post_on(1), frame(DATA, 0, 1, b"test"), last_continuation(1)].concat()),
        fails(
            "a CONTINUATION after DATA within a header block",
            [frame(HEADERS, 0, 1, block(POST)), last_data(1, b"test"), last_continuation(1)].concat(),
        ),
    ]
}
