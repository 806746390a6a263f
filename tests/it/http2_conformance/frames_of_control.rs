//! RFC 9113 §6.3 – §6.5, §6.7, §6.8, §7: the frames that carry no request.

use super::{
    ACK, CANCEL, Case, Due, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE, FRAME_SIZE_ERROR, GOAWAY, HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, MAX_WINDOW, PING, PRIORITY,
    PROTOCOL_ERROR, RST_STREAM, SETTINGS, case, frame, get_on, ignored, ping, post_on, priority, reset, settings,
};

/// A code that no RFC defines.
const UNKNOWN_CODE: u32 = 0xff;

pub(super) fn cases() -> Vec<Case> {
    [priorities(), resets(), settings_frames(), parameters(), pings(), goaways()].into_iter().flatten().collect()
}

/// A connection error, with one of these codes.
fn fails(name: &'static str, sent: Vec<u8>, codes: &'static [u32]) -> Case {
    case(name, sent, Due::ConnectionError(codes))
}

fn priorities() -> Vec<Case> {
    let short = [get_on(1), frame(PRIORITY, 0, 1, [0x80, 0, 0, 1])].concat();
    vec![
        fails("PRIORITY on stream 0", priority(0, 1, 255), &[PROTOCOL_ERROR]),
        case("PRIORITY of 4 bytes", short, Due::StreamError(&[FRAME_SIZE_ERROR])).or_protocol_error(),
    ]
}

fn resets() -> Vec<Case> {
    let after_head = |code| [post_on(1), reset(1, code), ping(0, *b"reset it")].concat();
    vec![
        case("RST_STREAM", after_head(CANCEL), Due::PongOrEnd(*b"reset it")),
        case("RST_STREAM with a code that nobody knows", after_head(UNKNOWN_CODE), Due::PongOrEnd(*b"reset it")),
        fails("RST_STREAM on stream 0", reset(0, CANCEL), &[PROTOCOL_ERROR]),
        fails("RST_STREAM on a stream that nobody has opened", reset(7, CANCEL), &[PROTOCOL_ERROR]),
        case(
            "RST_STREAM of 3 bytes",
            [get_on(1), frame(RST_STREAM, 0, 1, [0; 3])].concat(),
            Due::StreamError(&[FRAME_SIZE_ERROR]),
        )
        .or_protocol_error(),
    ]
}

fn settings_frames() -> Vec<Case> {
    let every = settings(&[
        (HEADER_TABLE_SIZE, 4096),
        (ENABLE_PUSH, 1),
        (MAX_CONCURRENT_STREAMS, 100),
        (INITIAL_WINDOW_SIZE, 65_535),
        (MAX_FRAME_SIZE, u32::try_from(FRAME_SIZE).unwrap()),
        (MAX_HEADER_LIST_SIZE, 100),
    ]);
    vec![
        case("SETTINGS of every parameter", every, Due::SettingsAck),
        case("SETTINGS are acknowledged", settings(&[(ENABLE_PUSH, 0)]), Due::SettingsAck),
        case("SETTINGS without parameters", settings(&[]), Due::SettingsAck),
        fails("SETTINGS with ACK and a payload", frame(SETTINGS, ACK, 0, [0]), &[FRAME_SIZE_ERROR]).or_protocol_error(),
        fails("SETTINGS on a stream", frame(SETTINGS, 0, 1, [0, 3, 0, 0, 0, 100]), &[PROTOCOL_ERROR]),
        case(
            "SETTINGS of 3 bytes",
            frame(SETTINGS, 0, 0, [0, 3, 0]),
            Due::StreamError(&[PROTOCOL_ERROR, FRAME_SIZE_ERROR]),
        ),
    ]
}

fn parameters() -> Vec<Case> {
    let largest_frame = (1 << 24) - 1;
    let set = |id, value| settings(&[(id, value)]);
    vec![
        fails("SETTINGS_ENABLE_PUSH of 2", set(ENABLE_PUSH, 2), &[PROTOCOL_ERROR]),
        fails(
            "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1",
            set(INITIAL_WINDOW_SIZE, MAX_WINDOW + 1),
            &[FLOW_CONTROL_ERROR],
        )
        .or_protocol_error(),
        fails(
            "SETTINGS_MAX_FRAME_SIZE under 2^14",
            set(MAX_FRAME_SIZE, u32::try_from(FRAME_SIZE).unwrap() - 1),
            &[PROTOCOL_ERROR],
        ),
        fails("SETTINGS_MAX_FRAME_SIZE over 2^24-1", set(MAX_FRAME_SIZE, largest_frame + 1), &[PROTOCOL_ERROR]),
        case("SETTINGS_MAX_FRAME_SIZE of 2^24-1", set(MAX_FRAME_SIZE, largest_frame), Due::SettingsAck),
        ignored("a parameter that nobody knows", set(0xff, 1)),
    ]
}

fn pings() -> Vec<Case> {
    let acknowledged = [ping(ACK, *b"unasked!"), ping(0, *b"answered")].concat();
    vec![
        case("PING", ping(0, *b"answered"), Due::Pong(*b"answered")),
        case("PING with ACK", acknowledged, Due::Pong(*b"answered")),
        fails("PING on a stream", frame(PING, 0, 1, [0; 8]), &[PROTOCOL_ERROR]),
        fails("PING of 6 bytes", frame(PING, 0, 0, [0; 6]), &[FRAME_SIZE_ERROR]).or_protocol_error(),
    ]
}

fn goaways() -> Vec<Case> {
    let goaway =
        |stream, code: u32, data: &[u8]| frame(GOAWAY, 0, stream, [&[0; 4][..], &code.to_be_bytes(), data].concat());
    let and_ping = |goaway: Vec<u8>| [goaway, ping(0, *b"so long!")].concat();
    vec![
        case("GOAWAY", and_ping(goaway(0, 0, b"thank you")), Due::PongOrEnd(*b"so long!")),
        case(
            "GOAWAY with a code that nobody knows",
            and_ping(goaway(0, UNKNOWN_CODE, b"")),
            Due::PongOrEnd(*b"so long!"),
        ),
        fails("GOAWAY on a stream", goaway(1, 0, b""), &[PROTOCOL_ERROR]),
        fails("GOAWAY of 4 bytes", frame(GOAWAY, 0, 0, [0; 4]), &[FRAME_SIZE_ERROR]).or_protocol_error(),
    ]
}
