//! What is still to come of a request when its answer is there: a connection goes on, or the answer says that it does not.
//! A client is never left to find its connection closed under the next request.

use std::time::Duration;

use crate::support::{Client, Ended, Setup, Upstream, request};

/// The longest body that is read for nothing.
const MOST: usize = 64 * 1024;

/// Leaves as soon as it sees the head of a POST, and answers anything else.
fn afraid_of_posts() -> Upstream {
    Upstream::script(|conn| {
        if conn.head().start[0] != "POST" {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnext");
        }
    })
}

/// Sends heads before their bodies, so that the answer is there first; then one more request on the same connection.
fn the_connection_goes_on(client: &mut Client, id: &str, head: &str, body: &[u8]) {
    client.send(request("POST", "/", id, head, ""));
    let answer = client.answer().whole();
    assert_eq!((answer.status(), answer.header("connection")), (502, None), "{id}: {answer:?}");
    client.send(body);
    assert_eq!(client.exchange(request("GET", "/", &format!("{id}-next"), "", "")).ok().text(), "next", "{id}");
}

fn the_connection_ends(client: &mut Client, id: &str, head: &str, status: u16) {
    client.send(request("POST", "/", id, head, ""));
    let answer = client.answer().whole();
    assert_eq!((answer.status(), answer.header("connection")), (status, Some("close")), "{id}: {answer:?}");
    // It is said, and it is done, though not before the client has had the time to read it.
    assert_eq!(client.rest(), (Vec::new(), Ended::Closed), "{id}");
}

#[test]
fn what_is_small_is_read_for_nothing_and_the_connection_goes_on() {
    let upstream = afraid_of_posts();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    the_connection_goes_on(&mut client, "short", "Content-Length: 2000\r\n", &[b'x'; 2000]);
    the_connection_goes_on(&mut client, "longest", &format!("Content-Length: {MOST}\r\n"), &[b'x'; MOST]);
    let chunks = b"5\r\nhello\r\n5\r\nthere\r\n0\r\n\r\n";
    the_connection_goes_on(&mut client, "chunks", "Transfer-Encoding: chunked\r\n", chunks);
    for id in ["short", "longest", "chunks"] {
        assert_eq!(proxy.completed(id).text("outcome"), "upstream_reset", "{id}");
    }
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (6, 0));
}

#[test]
fn chunks_that_came_along_with_a_refused_head_are_read_too() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    for round in 0..3 {
        let mut all =
            request("OPTIONS", "/", &format!("here-{round}"), "Max-Forwards: 0\r\nTransfer-Encoding: chunked\r\n", "");
        all.extend_from_slice(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
        let answer = client.exchange(all).ok();
        assert_eq!((answer.header("allow").is_some(), answer.header("connection")), (true, None), "{answer:?}");
    }
    assert_eq!(upstream.accepted(), 0);
    proxy.stop();
}

#[test]
fn what_is_large_ends_the_connection_and_the_answer_says_so() {
    let upstream = afraid_of_posts();
    let proxy = Setup::before(&upstream).set("limits", "body_bytes = 200_000").start();
    let mut one_more = Client::connect(proxy.addr());
    the_connection_ends(&mut one_more, "large", &format!("Content-Length: {}\r\n", MOST + 1), 502);
    // Refused before it was sent anywhere.
    the_connection_ends(&mut Client::connect(proxy.addr()), "refused", "Content-Length: 200001\r\n", 413);
    proxy.stop();
}

#[test]
fn who_waits_to_be_asked_for_its_body_is_told_that_nobody_will() {
    let upstream = afraid_of_posts();
    let proxy = Setup::before(&upstream).start();
    let head = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    the_connection_ends(&mut Client::connect(proxy.addr()), "expects", head, 502);
    proxy.stop();
}

#[test]
fn a_server_that_answers_early_and_leaves_ends_the_connection() {
    let upstream = Upstream::script(|conn| {
        conn.head();
        conn.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let proxy = Setup::before(&upstream).start();
    the_connection_ends(&mut Client::connect(proxy.addr()), "left", "Content-Length: 5\r\n", 413);
    assert_eq!(proxy.completed("left").number("status_code"), 413);
    proxy.stop();
}

/// It may take its time, but not all the time it likes.
#[test]
fn a_client_that_never_sends_the_rest_is_left() {
    let upstream = afraid_of_posts();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "never", "Content-Length: 5\r\n", ""));
    assert_eq!(client.answer().whole().status(), 502);
    client.patience(Duration::from_millis(200));
    assert_eq!(client.rest(), (Vec::new(), Ended::Silent), "it was not given a moment");
    client.patience(crate::support::DEADLINE);
    assert_eq!(client.rest(), (Vec::new(), Ended::Closed));
    proxy.stop();
}
