//! A connection between two requests that are far apart is its socket and nothing else: the next request finds everything as
//! it was.
//!
//! How long it takes until one rests is settled inside; it is a tenth at most of the timeout of a head, for which each of
//! these tests waits on another connection.

use std::time::Duration;

use crate::support::{Client, Ended, Setup, TestProxy, Upstream, request};

const LIMITS: &str = "header_timeout = \"300ms\"";

fn get(id: &str) -> Vec<u8> {
    request("GET", "/", id, "", "")
}

fn connect(proxy: &TestProxy, tls: bool) -> Client {
    if tls { Client::connect_tls(proxy.tls_addr()) } else { Client::connect(proxy.addr()) }
}

/// A client that was answered, and has said nothing since for so long that its connection rests.
fn rested(proxy: &TestProxy, mut client: Client, id: &str) -> Client {
    client.exchange(get(id)).ok();
    let mut clock = Client::connect(proxy.addr());
    clock.send("GET / HTTP/1.1\r\nHos");
    assert_eq!(clock.answer().status(), 408);
    client
}

#[test]
fn requests_after_a_rest_are_answered_in_their_order() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).tls().set("limits", LIMITS).start();
    for (name, tls) in [("plain", false), ("tls", true)] {
        let client = connect(&proxy, tls);
        let id = |number: usize| format!("{name}-{number}");
        let mut client = rested(&proxy, client, &id(0));
        // Two in one piece, then one after another rest.
        client.send([get(&id(1)), get(&id(2))].concat());
        client.answer().ok();
        client.answer().ok();
        let mut client = rested(&proxy, client, &id(3));
        client.exchange(get(&id(4))).ok();
        let peers: Vec<_> = (0..5).map(|at| proxy.completed(&id(at)).text("peer_address").to_owned()).collect();
        assert!(peers.iter().all(|peer| *peer == peers[0]), "one connection: {peers:?}");
    }
    let log = proxy.stop();
    assert_eq!((log.count("request_started"), log.count("request_completed")), (10, 10));
}

#[test]
fn a_head_that_comes_byte_by_byte_and_one_that_is_larger_than_the_first_read_wake_it() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", LIMITS).start();
    let mut client = rested(&proxy, Client::connect(proxy.addr()), "first");
    for byte in get("bytes") {
        client.send([byte]);
    }
    client.answer().ok();
    let mut client = rested(&proxy, client, "second");
    let fields = format!("X-Long: {}\r\n", "x".repeat(9000));
    client.send(request("POST", "/", "large", &fields, &"b".repeat(30_000)));
    client.answer().ok();
    assert_eq!(proxy.completed("large").number("request_size"), 30_000);
    proxy.stop();
}

#[test]
fn what_is_no_request_after_a_rest_is_refused_once() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", LIMITS).start();
    let mut client = rested(&proxy, Client::connect(proxy.addr()), "first");
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status(), 400);
    assert_eq!(client.rest().1, Ended::Closed);
    let mut client = rested(&proxy, Client::connect(proxy.addr()), "second");
    client.send("GET / HT");
    assert_eq!(client.answer().status(), 408, "the head of the next request has its own time");
    let log = proxy.stop();
    // Those of the clocks are two of them.
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (2, 4));
}

#[test]
fn who_leaves_at_rest_leaves_no_record_and_who_stays_is_closed_in_time() {
    let upstream = Upstream::ok();
    let proxy =
        Setup::before(&upstream).tls().set("limits", "header_timeout = \"300ms\"\nkeep_alive = \"900ms\"").start();
    drop(rested(&proxy, Client::connect(proxy.addr()), "leaves"));
    for tls in [false, true] {
        let mut client = rested(&proxy, connect(&proxy, tls), if tls { "tls" } else { "plain" });
        client.patience(Duration::from_millis(100));
        assert_eq!(client.rest(), (Vec::new(), Ended::Silent), "before its time");
        client.patience(crate::support::DEADLINE);
        assert_eq!(client.rest(), (Vec::new(), Ended::Closed), "with all that belongs to an orderly end");
    }
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (3, 3));
}

#[test]
fn a_server_that_stops_waits_for_nobody_who_rests() {
    let upstream = Upstream::ok();
    let limits = "header_timeout = \"300ms\"\nkeep_alive = \"1h\"";
    let proxy = Setup::before(&upstream).top("shutdown_grace", "\"30s\"").set("limits", limits).start();
    let mut clients: Vec<_> =
        (0..3).map(|number| rested(&proxy, Client::connect(proxy.addr()), &format!("r{number}"))).collect();
    proxy.signal("TERM");
    for client in &mut clients {
        client.patience(Duration::from_secs(5));
        assert_eq!(client.rest(), (Vec::new(), Ended::Closed));
    }
    assert_eq!(proxy.wait().count("request_completed"), 3);
}
