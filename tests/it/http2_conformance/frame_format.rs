//! RFC 9113 §4: what a frame looks like, how large it may be, and header blocks that nothing may come between.

use super::{
    COMPRESSION_ERROR, Case, DATA, Due, END_HEADERS, FRAME_SIZE, FRAME_SIZE_ERROR, GET, HEADERS, PING, POST,
    PROTOCOL_ERROR, WHOLE, answered, block, case, frame, get_on, get_with, ignored, last_continuation, last_data, ping,
    post_on, priority,
};

/// A type that no RFC defines.
const UNKNOWN: u8 = 0x16;
/// Bits that no frame here gives a meaning, ACK not among them.
const UNDEFINED: u8 = 0x16;
/// The bit before a stream identifier.
const RESERVED: u32 = 1 << 31;

pub(super) fn cases() -> Vec<Case> {
    [format(), size(), header_blocks()].into_iter().flatten().collect()
}

fn format() -> Vec<Case> {
    vec![
        ignored("a frame of an unknown type", frame(UNKNOWN, 0, 0, [0; 8])),
        ignored("a frame of an unknown type on an idle stream", frame(UNKNOWN, 0xff, 9, [0; 8])),
        case("a frame with flags that are not defined", ping(UNDEFINED, *b"flagged!"), Due::Pong(*b"flagged!")),
        case("a frame with the reserved bit", frame(PING, 0, RESERVED, *b"reserved"), Due::Pong(*b"reserved")),
        answered("a request with the reserved bit", frame(HEADERS, WHOLE, RESERVED | 1, block(GET))),
    ]
}

fn size() -> Vec<Case> {
    let content = vec![b'x'; FRAME_SIZE + 1];
    vec![
        answered("DATA of 2^14 bytes", [post_on(1), last_data(1, &content[1..])].concat()),
        case(
            "DATA over SETTINGS_MAX_FRAME_SIZE",
            [post_on(1), last_data(1, &content)].concat(),
            Due::StreamError(&[FRAME_SIZE_ERROR]),
        ),
        case(
            "HEADERS over SETTINGS_MAX_FRAME_SIZE",
            get_with(&[(b"x-large", &content)]),
            Due::ConnectionError(&[FRAME_SIZE_ERROR]),
        ),
    ]
}

fn header_blocks() -> Vec<Case> {
    let begun = frame(HEADERS, 0, 1, block(POST));
    let interrupted = |name, by: Vec<u8>| {
        let sent = [begun.clone(), by, last_continuation(1)].concat();
        case(name, sent, Due::ConnectionError(&[PROTOCOL_ERROR]))
    };
    vec![
        case(
            "a header block that cannot be read",
            frame(HEADERS, WHOLE, 1, [0x40]),
            Due::ConnectionError(&[COMPRESSION_ERROR]),
        )
        .or_protocol_error(),
        interrupted("PRIORITY within a header block", priority(1, 0, 255)),
        interrupted("HEADERS of another stream within a header block", get_on(3)),
        interrupted("DATA within a header block", frame(DATA, 0, 1, b"test")),
        interrupted("an unknown frame within a header block", frame(UNKNOWN, 0, 1, [0; 8])),
        interrupted("HEADERS of the same stream within a header block", frame(HEADERS, END_HEADERS, 1, block(POST))),
    ]
}
