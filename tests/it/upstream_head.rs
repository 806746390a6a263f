//! The upstream misbehaves before the head of its answer is whole: the client gets 502 or 504, never half an answer.

use crate::support::{Fault, Setup, Upstream, misbehave};

const RESET: Fault = Fault::answered(502, "upstream_reset", &["wait"], &["connection_terminated"]);
const TIMEOUT: Fault = Fault::answered(504, "upstream_timeout", &["wait"], &["http_response_timeout"]);
const PROTOCOL: Fault = Fault::answered(502, "upstream_protocol", &["wait"], &["http_protocol_error"]);
const HEAD_SIZE: Fault = Fault::answered(502, "upstream_protocol", &["wait"], &["http_response_header_section_size"]);

fn impatient(upstream: &Upstream) -> Setup {
    Setup::before(upstream).timeout("response = \"300ms\"")
}

#[test]
fn closing_after_the_request_is_a_reset() {
    RESET.befalls(Setup::before(&Upstream::script(misbehave::closes_after_the_request)));
}

#[test]
fn resetting_after_the_request_is_a_reset() {
    RESET.befalls(Setup::before(&Upstream::script(misbehave::resets_after_the_request)));
}

#[test]
fn closing_after_a_post_is_a_reset() {
    let upstream = Upstream::script(misbehave::closes_after_the_request);
    RESET.befalls_request(Setup::before(&upstream), "POST", "a=1");
    assert_eq!(upstream.accepted(), crate::support::PARALLEL, "a POST must not be sent twice");
}

#[test]
fn closing_inside_the_head_is_a_reset() {
    RESET.befalls(Setup::before(&Upstream::script(misbehave::closes_inside_the_head)));
}

#[test]
fn resetting_inside_the_head_is_a_reset() {
    RESET.befalls(Setup::before(&Upstream::script(misbehave::resets_inside_the_head)));
}

#[test]
fn silence_is_a_timeout() {
    TIMEOUT.befalls(impatient(&Upstream::script(misbehave::stalls_before_the_head)));
}

#[test]
fn silence_inside_the_head_is_a_timeout() {
    TIMEOUT.befalls(impatient(&Upstream::script(misbehave::stalls_inside_the_head)));
}

#[test]
fn a_head_without_end_is_too_large() {
    HEAD_SIZE.befalls(Setup::before(&Upstream::script(misbehave::never_ends_the_head)));
}

#[test]
fn interim_answers_without_end_are_a_protocol_error() {
    PROTOCOL.befalls(Setup::before(&Upstream::script(misbehave::floods_with_interim_answers)));
}

#[test]
fn another_protocol_is_a_protocol_error() {
    PROTOCOL.befalls(Setup::before(&Upstream::script(misbehave::speaks_another_protocol)));
}

#[test]
fn garbage_is_a_protocol_error() {
    PROTOCOL.befalls(Setup::before(&Upstream::script(misbehave::sends_garbage)));
}

#[test]
fn a_status_that_is_no_number_is_a_protocol_error() {
    PROTOCOL.befalls(Setup::before(&Upstream::answering(b"HTTP/1.1 2OO OK\r\nContent-Length: 2\r\n\r\nok")));
}

#[test]
fn conflicting_content_lengths_are_a_protocol_error() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok";
    PROTOCOL.befalls(Setup::before(&Upstream::answering(answer)));
}

#[test]
fn a_length_beside_chunks_is_a_protocol_error() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    PROTOCOL.befalls(Setup::before(&Upstream::answering(answer)));
}

#[test]
fn a_nul_in_a_field_is_a_protocol_error() {
    let answer = b"HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\nContent-Length: 2\r\n\r\nok";
    PROTOCOL.befalls(Setup::before(&Upstream::answering(answer)));
}

#[test]
fn an_upgrade_nobody_asked_for_is_a_protocol_error() {
    let fault = Fault::answered(502, "upstream_protocol", &["wait"], &["http_protocol_error", "http_upgrade_failed"]);
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello";
    fault.befalls(Setup::before(&Upstream::answering(answer)));
}

#[test]
fn a_field_larger_than_any_limit_is_too_large() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(1 << 20)));
        conn.stall();
    });
    HEAD_SIZE.befalls(Setup::before(&upstream));
}
