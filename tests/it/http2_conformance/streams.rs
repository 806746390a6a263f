//! RFC 9113 §5: the states of a stream, identifiers, how many at once, what priority still is, errors, extensions.

use super::{
    CANCEL, Case, Due, GET, HEADERS, INITIAL_WINDOW_SIZE, PING, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, STREAMS,
    WHOLE, Wait, answered, block, case, frame, get_on, ignored, last_continuation, last_data, ping, post_on, priority,
    reset, settings, window_update,
};
use crate::support::frames::WITH_PRIORITY;

pub(super) fn cases() -> Vec<Case> {
    [idle(), half_closed(), closed_by_reset(), closed(), identifiers(), priorities(), errors()]
        .into_iter()
        .flatten()
        .collect()
}

fn idle() -> Vec<Case> {
    let fails = |name, sent: Vec<u8>| case(name, sent, Due::ConnectionError(&[PROTOCOL_ERROR]));
    vec![
        ignored("PRIORITY on an idle stream", priority(1, 0, 255)),
        case("DATA on an idle stream", last_data(1, b"test"), Due::StreamError(&[PROTOCOL_ERROR, STREAM_CLOSED])),
        fails("RST_STREAM on an idle stream", reset(1, CANCEL)),
        fails("WINDOW_UPDATE on an idle stream", window_update(1, 100)),
        fails("CONTINUATION on an idle stream", last_continuation(1)),
    ]
}

/// The client has ended its half; with a window of 0 the answer waits.
fn half_closed() -> Vec<Case> {
    let waiting = [settings(&[(INITIAL_WINDOW_SIZE, 0)]), get_on(1)].concat();
    let on = |more: Vec<u8>| [get_on(1), more].concat();
    vec![
        case("WINDOW_UPDATE on a half-closed stream", [waiting.clone(), window_update(1, 1)].concat(), Due::Data(1)),
        case(
            "PRIORITY on a half-closed stream",
            [waiting, priority(1, 0, 255), window_update(1, 1)].concat(),
            Due::Data(1),
        ),
        case(
            "RST_STREAM on a half-closed stream",
            on([reset(1, CANCEL), ping(0, *b"reset it")].concat()),
            Due::PongOrEnd(*b"reset it"),
        ),
        case("DATA on a half-closed stream", on(last_data(1, b"test")), Due::StreamError(&[STREAM_CLOSED]))
            .or_protocol_error(),
        case("HEADERS on a half-closed stream", on(get_on(1)), Due::StreamError(&[STREAM_CLOSED])).or_protocol_error(),
        case(
            "CONTINUATION on a half-closed stream",
            on(last_continuation(1)),
            Due::StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
    ]
}

fn closed_by_reset() -> Vec<Case> {
    let after = |more: Vec<u8>| [post_on(1), reset(1, CANCEL), more].concat();
    vec![
        case("DATA after RST_STREAM", after(last_data(1, b"test")), Due::StreamError(&[STREAM_CLOSED])),
        case("HEADERS after RST_STREAM", after(get_on(1)), Due::StreamError(&[STREAM_CLOSED])).or_protocol_error(),
        case(
            "CONTINUATION after RST_STREAM",
            after(last_continuation(1)),
            Due::StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        ignored("PRIORITY after RST_STREAM", after(priority(1, 0, 255))),
        ignored("WINDOW_UPDATE after RST_STREAM", after(window_update(1, 1))),
    ]
}

/// Both halves have ended.
fn closed() -> Vec<Case> {
    let after = |name, more: Vec<u8>, due| case(name, get_on(1), due).then(Wait::End, more);
    let priority = [priority(1, 0, 255), ping(0, *b"closed!!")].concat();
    vec![
        after("PRIORITY on a closed stream", priority, Due::Pong(*b"closed!!")),
        after("DATA on a closed stream", last_data(1, b"test"), Due::StreamError(&[STREAM_CLOSED])),
        after("HEADERS on a closed stream", get_on(1), Due::ConnectionError(&[STREAM_CLOSED])).or_protocol_error(),
        after(
            "CONTINUATION on a closed stream",
            last_continuation(1),
            Due::ConnectionError(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
    ]
}

fn identifiers() -> Vec<Case> {
    let many = (0..=STREAMS).flat_map(|index| get_on(2 * index + 1));
    let too_many = settings(&[(INITIAL_WINDOW_SIZE, 0)]).into_iter().chain(many);
    vec![
        case("a stream with an even identifier", get_on(2), Due::ConnectionError(&[PROTOCOL_ERROR])),
        case(
            "a stream with a smaller identifier than before",
            [get_on(5), get_on(3)].concat(),
            Due::ConnectionError(&[PROTOCOL_ERROR]),
        ),
        case(
            "more streams than SETTINGS_MAX_CONCURRENT_STREAMS",
            too_many.collect::<Vec<u8>>(),
            Due::StreamError(&[PROTOCOL_ERROR, REFUSED_STREAM]),
        ),
    ]
}

/// RFC 9113 takes away what RFC 7540 §5.3 had, but for the syntax.
fn priorities() -> Vec<Case> {
    let depends_on = |stream: u32| [&stream.to_be_bytes()[..], &[255], &block(GET)].concat();
    let headers = |stream| frame(HEADERS, WHOLE | WITH_PRIORITY, 1, depends_on(stream));
    let before =
        |name, stream, depends_on, weight| answered(name, [priority(stream, depends_on, weight), get_on(1)].concat());
    vec![
        before("PRIORITY of weight 1", 1, 0, 0),
        before("PRIORITY of weight 256", 1, 0, 255),
        before("PRIORITY with a dependency", 3, 1, 0),
        before("PRIORITY that is exclusive", 1, 1 << 31, 0),
        before("PRIORITY of an idle stream before a lower one", 3, 0, 255),
        answered("HEADERS with priority", headers(0)),
        case("HEADERS that depend on themselves", headers(1), Due::StreamError(&[PROTOCOL_ERROR])),
        case("PRIORITY that depends on itself", priority(1, 1, 255), Due::StreamError(&[PROTOCOL_ERROR])),
    ]
}

fn errors() -> Vec<Case> {
    let ping_on_a_stream = frame(PING, 0, 3, [0; 8]);
    vec![
        case("a connection error closes the connection", ping_on_a_stream.clone(), Due::End),
        case("a connection error is told by GOAWAY", ping_on_a_stream, Due::Goaway(PROTOCOL_ERROR)),
        ignored("an extension frame", frame(0x21, 0, 0, [0; 8])),
        case(
            "an extension frame within a header block",
            [frame(HEADERS, 1, 1, block(GET)), frame(0x21, 0, 0, [0; 8])].concat(),
            Due::ConnectionError(&[PROTOCOL_ERROR]),
        ),
    ]
}
