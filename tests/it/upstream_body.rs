//! The upstream misbehaves inside the body of its answer: the client sees a cut connection, never a whole body
//! that is none. And odd bodies that are valid.

use crate::support::{Client, Ended, Fault, PARALLEL, Setup, Upstream, get, in_parallel, misbehave, request};

const INCOMPLETE: Fault = Fault::cut("upstream_incomplete", &["http_response_incomplete"]);
const TIMEOUT: Fault = Fault::cut("upstream_timeout", &["connection_read_timeout"]);
const CODING: Fault = Fault::cut("upstream_protocol", &["http_response_transfer_coding"]);

fn impatient(upstream: &Upstream) -> Setup {
    Setup::before(upstream).timeout("idle = \"300ms\"")
}

#[test]
fn closing_before_the_declared_length_is_incomplete() {
    INCOMPLETE.befalls(Setup::before(&Upstream::script(misbehave::closes_in_the_body)));
}

#[test]
fn resetting_before_the_declared_length_is_incomplete() {
    INCOMPLETE.befalls(Setup::before(&Upstream::script(misbehave::resets_in_the_body)));
}

#[test]
fn closing_without_the_last_chunk_is_incomplete() {
    INCOMPLETE.befalls(Setup::before(&Upstream::script(misbehave::closes_without_the_last_chunk)));
}

#[test]
fn closing_inside_a_chunk_is_incomplete() {
    INCOMPLETE.befalls(Setup::before(&Upstream::script(misbehave::closes_inside_a_chunk)));
}

#[test]
fn silence_in_the_body_is_a_timeout() {
    TIMEOUT.befalls(impatient(&Upstream::script(misbehave::stalls_in_the_body)));
}

#[test]
fn silence_between_chunks_is_a_timeout() {
    TIMEOUT.befalls(impatient(&Upstream::script(misbehave::stalls_between_chunks)));
}

#[test]
fn a_bad_chunk_size_is_a_transfer_coding_error() {
    CODING.befalls(Setup::before(&Upstream::script(misbehave::sends_a_bad_chunk_size)));
}

#[test]
fn an_overlong_chunk_is_a_transfer_coding_error() {
    CODING.befalls(Setup::before(&Upstream::script(misbehave::sends_an_overlong_chunk)));
}

#[test]
fn bytes_past_the_length_belong_to_nobody() {
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 418 Poison\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_all_ok(&upstream, "GET", 200, "ok");
    assert_eq!(upstream.accepted(), 2 * PARALLEL, "a connection with bytes left over must not be used again");
}

/// The last read of a body takes no more than is due, but for one byte that shows such a server.
#[test]
fn a_byte_past_a_long_body_ends_the_connection() {
    let body = "b".repeat(300 << 10);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}+", body.len());
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() {
            conn.send(&answer);
        }
    });
    assert_all_ok(&upstream, "GET", 200, &body);
    assert_eq!(upstream.accepted(), 2 * PARALLEL, "a connection with bytes left over must not be used again");
}

#[test]
fn a_body_after_the_answer_to_head_belongs_to_nobody() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_all_ok(&upstream, "HEAD", 200, "");
    assert_eq!(upstream.accepted(), 2 * PARALLEL, "a connection with bytes left over must not be used again");
}

#[test]
fn a_body_after_204_belongs_to_nobody() {
    let upstream = Upstream::answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello");
    assert_all_ok(&upstream, "GET", 204, "");
    assert_eq!(upstream.accepted(), 2 * PARALLEL, "a connection with bytes left over must not be used again");
}

#[test]
fn a_body_dripping_in_is_whole() {
    assert_all_ok(&Upstream::script(misbehave::drips), "GET", 200, "hello");
}

#[test]
fn a_body_that_ends_with_an_http_1_0_connection_is_whole() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello until the end");
    });
    assert_all_ok(&upstream, "GET", 200, "hello until the end");
}

#[test]
fn a_body_that_ends_with_the_connection_can_be_reset() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
        conn.reset();
    });
    INCOMPLETE.befalls(Setup::before(&upstream));
}

#[test]
fn an_incomplete_body_is_no_whole_one_for_an_http_1_0_client() {
    let upstream = Upstream::script(misbehave::closes_without_the_last_chunk);
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send("GET / HTTP/1.0\r\nHost: a\r\nX-Request-ID: old\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    // A clean close would end the body: only a reset tells the client that it is cut.
    assert_eq!(client.rest().1, Ended::Cut);
    assert_eq!(proxy.completed("old").text("outcome"), "upstream_incomplete");
    proxy.stop();
}

/// Two rounds of requests, each answered as said, each a success in the log.
fn assert_all_ok(upstream: &Upstream, method: &'static str, status: u16, body: &str) {
    let proxy = Setup::before(upstream).start();
    for round in 0..2 {
        in_parallel(PARALLEL, |index| {
            let id = format!("odd-{round}-{index}");
            let mut client = Client::connect(proxy.addr());
            client.send(request(method, "/", &id, "", ""));
            let answer = client.answer_to(method).whole();
            assert_eq!((answer.status(), answer.text().as_str()), (status, body));
            let record = proxy.completed(&id);
            assert_eq!(record.text("outcome"), "success", "{record:?}");
            assert_eq!(
                (record.number("status_code"), record.number("response_size")),
                (status.into(), body.len() as u64)
            );
        });
    }
    proxy.stop();
}

#[test]
fn a_large_body_that_is_cut_counts_what_was_sent() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
        conn.send("x".repeat(1_000_000));
    });
    let proxy = Setup::before(&upstream).start();
    let answer = get(proxy.addr(), "/", "half");
    assert_eq!(answer.last.ended, Ended::Cut);
    let record = proxy.completed("half");
    INCOMPLETE.check_record(&record);
    assert_eq!(record.number("response_size"), 1_000_000);
    assert_eq!(answer.last.body.len(), 1_000_000);
    proxy.stop();
}
