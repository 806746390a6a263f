//! RFC 9113 §3.4: the prefaces of both ends.

use super::{Case, Due, INITIAL_WINDOW_SIZE, PREFACE, case, get_on, settings};

pub(super) fn cases() -> Vec<Case> {
    let preface = |more: Vec<u8>| [PREFACE, &more].concat();
    let windows = settings(&[(INITIAL_WINDOW_SIZE, 65_535)]);
    vec![
        case("a preface with empty SETTINGS", preface(settings(&[])), Due::Settings).at_the_beginning(),
        case("a preface with SETTINGS", preface(windows.clone()), Due::Settings).at_the_beginning(),
        case("a preface and at once a request", preface([windows, get_on(1)].concat()), Due::Answer).at_the_beginning(),
        case("a preface that is none", "INVALID CONNECTION PREFACE\r\n\r\n", Due::End).at_the_beginning(),
    ]
}
