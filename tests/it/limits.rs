//! Limits of clients: how many connections and requests they may have, how slow they may be, how often they may change
//! their mind; each with its answer, its record, and its count.

use h2::Reason;

use crate::support::frames::{Field, Frames, HEADERS, PREFACE, RST_STREAM, WHOLE, block, frame, settings};
use crate::support::h2::{H2, run};
use crate::support::log::Record;
use crate::support::metrics::Samples;
use crate::support::{Client, Setup, TestProxy, Upstream, get, request};

/// The only event of its kind, which also counts as one in `/metrics`.
fn event(proxy: &TestProxy, reason: &str) -> Record {
    let log = proxy.wait_for(reason, |log| log.count("security_event") > 0);
    let event = log.only("security_event").clone();
    assert_eq!((event.text("reason"), event.text("level")), (reason, "WARNING"), "{event:?}");
    let counted = |samples: &Samples| samples.value("gatelog_suspicious_requests_total", &[("reason", reason)]) == 1.0;
    Samples::once(proxy.admin(), reason, counted);
    event
}

#[test]
fn a_client_has_so_many_connections_and_is_told_when_it_wants_more() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "connections_per_ip = 2").admin().start();
    let (mut first, mut second) = (Client::connect(proxy.addr()), Client::connect(proxy.addr()));
    first.exchange(request("GET", "/", "first", "", "")).ok();
    second.exchange(request("GET", "/", "second", "", "")).ok();
    let answer = get(proxy.addr(), "/", "third").whole();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.header("connection"), Some("close"));
    let event = event(&proxy, "connections_per_ip");
    assert_eq!((event.number("status_code"), event.text("ip_address")), (429, "127.0.0.1"));
    assert_eq!(answer.header("x-request-id"), Some(event.text("request_id")));
    drop(first);
    // It is gone once the proxy has seen its end.
    let again = || Some(get(proxy.addr(), "/", "again")).filter(|answer| answer.status() == 200);
    crate::support::metrics::eventually("a place", again);
    let log = proxy.stop();
    assert_eq!((log.of("third").0.len(), log.count("request_rejected")), (0, 0));
}

#[test]
fn there_are_so_many_connections_in_all() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "connections = 1").admin().start();
    let mut first = Client::connect(proxy.addr());
    first.exchange(request("GET", "/", "first", "", "")).ok();
    assert_eq!(get(proxy.addr(), "/", "second").status(), 503);
    assert_eq!(event(&proxy, "connections").number("status_code"), 503);
    first.exchange(request("GET", "/", "still", "", "")).ok();
    proxy.stop();
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let upstream = Upstream::ok();
    let limits = "requests_per_second = 1\nburst = 2\nrate_key = \"header:X-Api-Key\"";
    let proxy = Setup::before(&upstream).set("limits", limits).admin().start();
    let mut client = Client::connect(proxy.addr());
    let mut ask = |id: &str, key: &str| client.exchange(request("GET", "/", id, &format!("X-Api-Key: {key}\r\n"), ""));
    for id in ["a", "b", "c"] {
        ask(id, "one").ok();
    }
    let refused = ask("d", "one").whole();
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("1")));
    ask("e", "another").ok();
    let event = event(&proxy, "requests_per_second");
    assert_eq!(event.text("request_id"), "d");
    let record = proxy.completed("d");
    let seen = (record.number("status_code"), record.text("outcome"), record.text("responder"), record.text("level"));
    assert_eq!(seen, (429, "limited", "gatelog", "WARNING"));
    assert!(record.text("exception_message").contains("limits.requests_per_second"), "{record:?}");
    let log = proxy.stop();
    assert_eq!((log.of("d").count("request_started"), log.of("d").count("request_completed")), (1, 1));
    assert_eq!(log.of("d").count("request_failed"), 0);
}

#[test]
fn an_exempt_client_may_ask_and_connect_as_often_as_it_likes() {
    let upstream = Upstream::ok();
    let limits = "requests_per_second = 1\nburst = 0\nconnections_per_ip = 1\nexempt = [\"127.0.0.0/8\"]";
    let proxy = Setup::before(&upstream).set("limits", limits).start();
    let clients: Vec<Client> = (0..3).map(|_| Client::connect(proxy.addr())).collect();
    for (index, mut client) in clients.into_iter().enumerate() {
        client.exchange(request("GET", "/", &format!("free-{index}"), "", "")).ok();
    }
    assert_eq!(proxy.stop().count("security_event"), 0);
}

#[test]
fn a_body_that_trickles_is_given_up() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "body_min_rate = \"1KB\"").admin().start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "slow", "Content-Length: 100000\r\n", ""));
    client.send("a few bytes");
    let answer = client.answer().whole();
    assert_eq!(answer.status(), 408);
    assert_eq!(event(&proxy, "body_min_rate").text("request_id"), "slow");
    let record = proxy.completed("slow");
    assert_eq!((record.text("outcome"), record.number("request_size")), ("client_timeout", 11));
    assert!(record.text("exception_message").contains("limits.body_min_rate"), "{record:?}");
    proxy.stop();
}

/// After nine requests that were given up, nothing is done for those that come with their resets but to log them.
#[test]
fn what_a_client_that_resets_most_of_its_streams_resets_at_once_reaches_no_server() {
    let upstream = Upstream::script(|conn| drop(conn.stall()));
    let proxy = Setup::before(&upstream).start();
    let mut frames = Frames::connect(proxy.addr());
    let given_up = |stream: u32, id: &str| {
        let fields: [Field<'_>; 5] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", b"a"),
            (b":path", b"/"),
            (b"x-request-id", id.as_bytes()),
        ];
        let head = frame(HEADERS, WHOLE, stream, block(fields));
        [head, frame(RST_STREAM, 0, stream, 8_u32.to_be_bytes())].concat()
    };
    frames.send(&[PREFACE, &settings(&[])].concat());
    for index in 0..9 {
        frames.send(&given_up(2 * index + 1, &format!("first-{index}")));
        proxy.completed(&format!("first-{index}"));
    }
    let before = upstream.accepted();
    frames.send(&(9..19).flat_map(|index| given_up(2 * index + 1, &format!("then-{index}"))).collect::<Vec<_>>());
    for index in 9..19 {
        let record = proxy.completed(&format!("then-{index}"));
        assert_eq!((record.text("outcome"), record.number("status_code")), ("client_abort", 499));
        assert!(record.get("upstream_address").is_none(), "{record:?}");
    }
    assert_eq!(upstream.accepted(), before);
    // It would answer no farewell.
    drop(frames);
    proxy.stop();
}

#[test]
fn a_client_that_resets_most_of_its_streams_loses_its_connection() {
    let upstream = Upstream::script(|conn| {
        conn.head();
        conn.stall();
    });
    let proxy = Setup::before(&upstream).set("limits", "resets_per_connection = 5").admin().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for index in 0..6 {
            let (answer, mut stream) = h2.send("POST", &format!("reset-{index}"), false);
            // It has begun once it is in the log.
            let id = format!("reset-{index}");
            tokio::task::block_in_place(|| {
                proxy.wait_for("its start", |log| log.of(&id).count("request_started") == 1)
            });
            stream.send_reset(Reason::CANCEL);
            drop(answer);
        }
        // The last reset is on its way as long as somebody drives the connection.
        let told = |log: &crate::support::Log| log.count("security_event") > 0;
        tokio::task::block_in_place(|| proxy.wait_for("resets_per_connection", told));
    });
    assert_eq!(event(&proxy, "resets_per_connection").get("status_code"), None);
    for index in 0..6 {
        assert_eq!(proxy.completed(&format!("reset-{index}")).text("outcome"), "client_abort");
    }
    proxy.stop();
}

#[test]
fn frames_that_break_the_protocol_are_told_of() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().start();
    let mut client = Client::connect(proxy.addr());
    // A HEADERS frame on stream 0 (RFC 9113 §6.2).
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, 1, 1, 5, 0, 0, 0, 0, 0x82];
    client.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings, &headers].concat());
    let event = event(&proxy, "http2");
    assert!(!event.text("detail").is_empty() && event.get("request_id").is_none(), "{event:?}");
    proxy.stop();
}
