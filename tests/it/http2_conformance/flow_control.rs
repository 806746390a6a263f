//! RFC 9113 §6.9: windows, how they grow, shrink below nothing, and overflow.

use super::{
    Case, Due, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, INITIAL_WINDOW_SIZE, MAX_WINDOW, PROTOCOL_ERROR, WINDOW_UPDATE,
    Wait, answered, case, frame, get_on, ignored, post_on, settings, window_update,
};

pub(super) fn cases() -> Vec<Case> {
    [updates(), overflows(), initial_windows()].into_iter().flatten().collect()
}

fn updates() -> Vec<Case> {
    vec![
        ignored("WINDOW_UPDATE of the connection", window_update(0, 1)),
        answered("WINDOW_UPDATE of a stream", [get_on(1), window_update(1, 1)].concat()),
        case("WINDOW_UPDATE of the connection by 0", window_update(0, 0), Due::ConnectionError(&[PROTOCOL_ERROR])),
        case(
            "WINDOW_UPDATE of a stream by 0",
            [post_on(1), window_update(1, 0)].concat(),
            Due::StreamError(&[PROTOCOL_ERROR]),
        ),
        case(
            "WINDOW_UPDATE of 3 bytes",
            frame(WINDOW_UPDATE, 0, 0, [0, 0, 1]),
            Due::ConnectionError(&[FRAME_SIZE_ERROR]),
        )
        .or_protocol_error(),
    ]
}

fn overflows() -> Vec<Case> {
    let twice = |stream| [window_update(stream, MAX_WINDOW), window_update(stream, MAX_WINDOW)].concat();
    vec![
        case("a window of the connection over 2^31-1", twice(0), Due::Goaway(FLOW_CONTROL_ERROR)),
        case("a window of a stream over 2^31-1", [post_on(1), twice(1)].concat(), Due::Reset(FLOW_CONTROL_ERROR)),
    ]
}

fn initial_windows() -> Vec<Case> {
    let window = |size| settings(&[(INITIAL_WINDOW_SIZE, size)]);
    let twice = settings(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]);
    let too_large = [get_on(1), window_update(1, 1), window(MAX_WINDOW)].concat();
    vec![
        case("a window of 1 before a request", [window(1), get_on(1)].concat(), Due::Data(1)),
        case("the last value of a parameter counts", [twice, get_on(1)].concat(), Due::Data(1)),
        case("a window that grows after the request", [window(0), get_on(1), window(1)].concat(), Due::Data(1)),
        // 3 bytes have gone out when the window is made 1 less than nothing, and then 1 more.
        case("a window below 0", [window(3), get_on(1)].concat(), Due::Data(1))
            .then(Wait::Data(3), [window(2), window_update(1, 2)].concat()),
        case(
            "SETTINGS_INITIAL_WINDOW_SIZE that is no window",
            window(MAX_WINDOW + 1),
            Due::ConnectionError(&[FLOW_CONTROL_ERROR]),
        )
        .or_protocol_error(),
        case(
            "SETTINGS_INITIAL_WINDOW_SIZE that overflows a window",
            [window(0), too_large].concat(),
            Due::ConnectionError(&[FLOW_CONTROL_ERROR]),
        ),
    ]
}
