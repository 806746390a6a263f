//! Tunnels: what a client offers, what a server takes of it, every byte both ways, and who closed it in the record.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use http::{Request, StatusCode};

use crate::support::h2::{H2, run, whole};
use crate::support::log::Record;
use crate::support::{Client, Conn, Ended, Log, Setup, TestProxy, Upstream, get, request};

const OFFER: &str = "Upgrade: chat\r\nConnection: keep-alive, Upgrade\r\n";
const TAKEN: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\nX-Room: 7\r\n\r\n";

/// A server that takes the offer and then does this.
fn chatting(then: impl Fn(&mut Conn) + Send + Sync + 'static) -> Upstream {
    Upstream::script(move |conn| {
        let head = conn.head();
        assert_eq!((head.header("upgrade"), head.header("connection")), (Some("chat"), Some("upgrade")));
        conn.send(TAKEN);
        then(conn);
    })
}

/// A client whose offer was taken.
fn joined(proxy: &TestProxy, id: &str) -> Client {
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/chat", id, OFFER, ""));
    let head = client.head();
    assert_eq!(head.status(), 101, "{head:?}");
    assert_eq!((head.header("upgrade"), head.header("connection")), (Some("chat"), Some("upgrade")));
    assert_eq!((head.header("x-room"), head.header("x-request-id")), (Some("7"), Some(id)));
    client
}

fn upgraded(proxy: &TestProxy, id: &str) -> Log {
    proxy.wait_for("request_upgraded", |log| log.of(id).count("request_upgraded") > 0).of(id)
}

fn assert_tunnel(record: &Record, closed_by: &str, phase: &str, sizes: (u64, u64)) {
    let seen = (record.text("outcome"), record.text("closed_by"), record.text("phase"), record.text("level"));
    assert_eq!(seen, ("upgraded", closed_by, phase, "INFO"), "{record:?}");
    assert_eq!((record.number("request_size"), record.number("response_size")), sizes, "{record:?}");
    assert!(record.get("in_flight").is_none(), "{record:?}");
}

#[test]
fn bytes_pass_both_ways_until_both_have_said_their_last() {
    let upstream = chatting(|conn| {
        assert_eq!(conn.exactly(4), b"ping");
        conn.send("pong!");
        assert_eq!(conn.rest(), (b"bye".to_vec(), Ended::Closed));
        conn.send("farewell");
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = joined(&proxy, "talk");
    let log = upgraded(&proxy, "talk");
    let record = log.only("request_upgraded");
    assert_eq!((record.text("level"), record.text("message")), ("INFO", "Request upgraded"));
    assert_eq!((record.number("status_code"), record.text("phase")), (101, "tunnel"));
    assert!(record.is("in_flight") && record.get("outcome").is_none() && record.get("closed_by").is_none());
    client.send("ping");
    assert_eq!(client.exactly(5), b"pong!");
    client.send("bye");
    client.finish_sending();
    assert_eq!(client.rest(), (b"farewell".to_vec(), Ended::Closed));
    let record = proxy.completed("talk");
    assert_tunnel(&record, "client", "done", (7, 13));
    assert_eq!((record.number("status_code"), record.text("responder")), (101, "upstream"));
    let events: Vec<_> = proxy.stop().of("talk").0.iter().map(|record| record.event().to_owned()).collect();
    assert_eq!(events, ["request_started", "request_upgraded", "request_completed"]);
}

#[test]
fn bytes_that_come_with_the_head_or_the_answer_are_the_tunnels() {
    let upstream = Upstream::script(|conn| {
        conn.head();
        conn.send(format!("{TAKEN}welcome"));
        assert_eq!(conn.rest(), (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Ended::Closed));
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    let early = [request("GET", "/chat", "early", OFFER, ""), b"GET / HTTP/1.1\r\n\r\n".to_vec()].concat();
    client.send(early);
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.exactly(7), b"welcome");
    client.finish_sending();
    assert_eq!(client.rest().1, Ended::Closed);
    assert_tunnel(&proxy.completed("early"), "client", "done", (18, 7));
    assert_eq!(proxy.stop().count("request_started"), 1);
}

#[test]
fn an_offer_that_is_not_taken_leaves_the_connection_to_the_next_request() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    let offers = [request("GET", "/chat", "declined", OFFER, ""), request("GET", "/", "next", "", "")].concat();
    client.send(offers);
    assert_eq!(client.answer().ok().text(), "ok");
    assert_eq!(client.answer().ok().text(), "ok");
    client.send(request("GET", "/", "after", "", ""));
    assert_eq!(client.answer().ok().text(), "ok");
    for id in ["declined", "next", "after"] {
        assert_eq!(proxy.completed(id).text("outcome"), "success");
    }
    assert_eq!(proxy.stop().count("request_upgraded"), 0);
}

#[test]
fn what_follows_an_offer_that_gatelog_answers_itself_is_judged_as_a_request() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    let refused = request("GET", "/", "refused", &format!("{OFFER}Expect: more\r\n"), "");
    client.send([refused, request("GET", "/", "next", "", ""), b"\x81\x05hello\r\n\r\n".to_vec()].concat());
    assert_eq!(client.answer().status(), 417);
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.answer().status(), 400);
    let log = proxy.wait_for("the refusal", |log| log.count("request_rejected") > 0);
    assert_eq!(log.only("request_rejected").text("reason"), "request_line");
    proxy.stop();
}

#[test]
fn protocols_that_carry_http_are_never_offered() {
    let upstream = Upstream::script(|conn| {
        while let Some(head) = conn.request() {
            assert!(head.header("upgrade").is_none() && head.header("http2-settings").is_none(), "{head:?}");
            conn.ok("ok");
        }
    });
    let proxy = Setup::before(&upstream).start();
    let h2c = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n";
    for (id, more) in [
        ("h2c", h2c),
        ("http", "Upgrade: HTTP/2.0\r\nConnection: upgrade\r\n"),
        ("tls", "Upgrade: TLS/1.2\r\nConnection: upgrade\r\n"),
        ("unnamed", "Upgrade: chat\r\nConnection: keep-alive\r\n"),
    ] {
        let mut client = Client::connect(proxy.addr());
        client.exchange(request("GET", "/", id, more, "")).ok();
        client.exchange(request("GET", "/", &format!("{id}-again"), "", "")).ok();
        assert_eq!(proxy.completed(id).text("outcome"), "success");
    }
    proxy.stop();
}

#[test]
fn an_offer_behind_a_body_is_not_passed_on() {
    let upstream = Upstream::script(|conn| {
        let request = conn.request().unwrap();
        assert_eq!((request.header("upgrade"), request.text().as_str()), (None, "body"));
        conn.ok("ok");
    });
    let proxy = Setup::before(&upstream).start();
    Client::connect(proxy.addr()).exchange(request("POST", "/", "body", OFFER, "body")).ok();
    assert_eq!(proxy.completed("body").text("outcome"), "success");
    proxy.stop();
}

#[test]
fn a_101_that_nobody_asked_for_or_to_another_protocol_is_an_error() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\nsecrets");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    for (id, more, token) in [("unasked", "", "http_protocol_error"), ("other", OFFER, "http_upgrade_failed")] {
        let answer = Client::connect(proxy.addr()).exchange(request("GET", "/", id, more, ""));
        assert_eq!(answer.status(), 502);
        assert!(!answer.last.text().contains("secrets"));
        let record = proxy.completed(id);
        let seen = (record.text("outcome"), record.text("exception_type"));
        assert_eq!(seen, ("upstream_protocol", token), "{record:?}");
    }
    assert_eq!(proxy.stop().count("request_upgraded"), 0);
}

#[test]
fn whoever_closes_first_is_named() {
    let upstream = chatting(|conn| {
        conn.exactly(2);
        conn.send("bye");
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = joined(&proxy, "server");
    client.send("hi");
    assert_eq!(client.rest(), (b"bye".to_vec(), Ended::Closed));
    drop(client);
    assert_tunnel(&proxy.completed("server"), "upstream", "done", (2, 3));
    proxy.stop();
}

#[test]
fn a_reset_goes_through_to_the_other_side() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = chatting(move |conn| {
        if conn.exactly(1) == b"r" {
            return conn.reset();
        }
        tell.lock().unwrap().send(conn.rest().1).unwrap();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = joined(&proxy, "by-server");
    client.send("r");
    assert_eq!(client.rest(), (Vec::new(), Ended::Cut));
    assert_tunnel(&proxy.completed("by-server"), "upstream", "tunnel", (1, 0));
    let mut client = joined(&proxy, "by-client");
    client.send("c");
    upgraded(&proxy, "by-client");
    client.reset();
    assert_eq!(told.recv().unwrap(), Ended::Cut);
    let record = proxy.completed("by-client");
    assert_eq!((record.text("closed_by"), record.text("phase")), ("client", "tunnel"), "{record:?}");
    proxy.stop();
}

#[test]
fn a_silent_tunnel_is_closed() {
    let upstream = quiet();
    let proxy = Setup::before(&upstream).timeout("tunnel = \"300ms\"").start();
    let mut client = joined(&proxy, "silent");
    assert_eq!(client.rest().0, b"");
    assert_tunnel(&proxy.completed("silent"), "gatelog", "tunnel", (0, 0));
    proxy.stop();
}

/// A server that takes the offer and says nothing.
fn quiet() -> Upstream {
    chatting(|conn| drop(conn.stall()))
}

#[test]
fn half_a_tunnel_has_the_time_of_a_body() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let upstream = chatting(move |conn| {
        assert_eq!(conn.rest().1, Ended::Closed);
        let _ = held.lock().unwrap().recv();
    });
    let proxy = Setup::before(&upstream).timeout("idle = \"300ms\"").start();
    let mut client = joined(&proxy, "half");
    client.finish_sending();
    assert_eq!(client.rest().0, b"");
    assert_tunnel(&proxy.completed("half"), "gatelog", "tunnel", (0, 0));
    drop(hold);
    proxy.stop();
}

#[test]
fn tunnels_that_outlive_the_grace_end_with_the_server() {
    let upstream = quiet();
    let proxy = Setup::before(&upstream).top("shutdown_grace", "\"300ms\"").start();
    let mut client = joined(&proxy, "late");
    upgraded(&proxy, "late");
    let log = proxy.stop();
    let record = log.completed("late");
    let seen = (record.text("outcome"), record.text("closed_by"), record.text("phase"));
    assert_eq!(seen, ("shutdown", "gatelog", "tunnel"), "{record:?}");
    assert_eq!(client.rest().0, b"");
}

#[test]
fn a_long_tunnel_is_reported_while_it_runs_and_is_never_slow() {
    let upstream = quiet();
    let proxy = Setup::before(&upstream).set("log", "progress = \"100ms\"\nslow = \"150ms\"").start();
    let mut client = joined(&proxy, "long");
    client.send("12345");
    let enough = |log: &Log| {
        let own = log.of("long");
        let counted = own.events("request_progress").iter().any(|record| record.number("request_size") == 5);
        own.count("request_progress") > 2 && counted
    };
    let log = proxy.wait_for("three progress records", enough).of("long");
    let record = log.events("request_progress")[0];
    assert_eq!((record.text("level"), record.text("phase")), ("INFO", "tunnel"));
    assert!(record.is("in_flight") && record.get("outcome").is_none(), "{record:?}");
    drop(client);
    let record = proxy.completed("long");
    assert!(!record.is("slow"), "{record:?}");
    assert_eq!(proxy.stop().of("long").count("request_slow"), 0);
}

#[test]
fn a_long_answer_is_reported_while_it_runs_and_a_long_wait_is_not() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let upstream = Upstream::script(move |conn| {
        let head = conn.request().unwrap();
        if head.start[1] == "/stream" {
            conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        }
        let _ = released.lock().unwrap().recv();
        match head.start[1].as_str() {
            "/stream" => conn.send("0\r\n\r\n"),
            _ => conn.ok("late"),
        }
    });
    let proxy = Setup::before(&upstream).set("log", "progress = \"100ms\"").start();
    let mut waiting = Client::connect(proxy.addr());
    waiting.send(request("GET", "/wait", "waits", "", ""));
    proxy.wait_for("the first", |log| log.of("waits").count("request_started") > 0);
    let mut streaming = Client::connect(proxy.addr());
    streaming.send(request("GET", "/stream", "streams", "", ""));
    let log = proxy.wait_for("progress", |log| log.of("streams").count("request_progress") > 1);
    let record = log.of("streams").events("request_progress")[1].clone();
    assert_eq!((record.text("phase"), record.number("response_size")), ("receive", 5), "{record:?}");
    assert_eq!(log.of("waits").count("request_progress"), 0);
    drop(release);
    waiting.answer().ok();
    streaming.answer().ok();
    proxy.stop();
}

#[test]
fn a_megabyte_passes_over_tls_both_ways_at_once() {
    let payload: Arc<Vec<u8>> = Arc::new((0..1 << 20).map(|at: u32| (at % 251) as u8).collect());
    let own = Arc::clone(&payload);
    let upstream = chatting(move |conn| {
        conn.send(&*own);
        assert!(conn.exactly(1 << 20) == *own);
    });
    let proxy = Setup::before(&upstream).tls().start();
    let mut client = Client::connect_tls(proxy.tls_addr());
    client.send(request("GET", "/chat", "large", OFFER, ""));
    assert_eq!(client.head().status(), 101);
    client.send(&*payload);
    assert!(client.exactly(1 << 20) == *payload);
    assert_eq!(client.rest().0, b"");
    drop(client);
    let record = proxy.completed("large");
    assert_eq!((record.number("request_size"), record.number("response_size")), (1 << 20, 1 << 20));
    assert_eq!((record.text("outcome"), record.text("closed_by")), ("upgraded", "upstream"));
    proxy.stop();
}

/// A server of WebSocket as far as its handshake.
fn websocket(then: impl Fn(&mut Conn) + Send + Sync + 'static) -> Upstream {
    Upstream::script(move |conn| {
        let head = conn.head();
        assert_eq!(head.start, ["GET", "/ws", "HTTP/1.1"].map(str::to_owned));
        assert_eq!((head.header("upgrade"), head.header("connection")), (Some("websocket"), Some("upgrade")));
        assert_eq!(head.header("sec-websocket-protocol"), Some("chat"));
        let accept = gatelog::net::websocket::accept(head.header("sec-websocket-key").unwrap());
        let protocol = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat";
        conn.send(format!("HTTP/1.1 101 Switching\r\n{protocol}\r\nSec-WebSocket-Accept: {accept}\r\n\r\nhello"));
        then(conn);
    })
}

/// An extended CONNECT (RFC 8441).
fn connect(h2: &mut H2, id: &str) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let request = Request::builder()
        .method("CONNECT")
        .uri("http://test.example/ws")
        .header("x-request-id", id)
        .header("sec-websocket-protocol", "chat")
        .header("sec-websocket-version", "13")
        .extension(h2::ext::Protocol::from_static("websocket"));
    h2.sender.send_request(request.body(()).unwrap(), false).unwrap()
}

/// A connection whose server has said that it knows extended CONNECT; TRACE that may go nowhere is answered by the proxy.
async fn settled(proxy: &TestProxy) -> H2 {
    let mut h2 = H2::connect(proxy.addr()).await;
    let trace = Request::builder().method("TRACE").uri("http://test.example/").header("max-forwards", "0");
    let answer = h2.sender.send_request(trace.body(()).unwrap(), true).unwrap().0.await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(h2.sender.is_extended_connect_protocol_enabled());
    h2
}

#[test]
fn websocket_over_http2_is_an_upgrade_at_the_server() {
    let upstream = websocket(|conn| {
        assert_eq!(conn.exactly(4), b"ping");
        conn.send("pong");
        assert_eq!(conn.rest(), (Vec::new(), Ended::Closed));
    });
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = settled(&proxy).await;
        let (answer, mut out) = connect(&mut h2, "ws");
        let response = answer.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        for gone in ["upgrade", "connection", "sec-websocket-accept"] {
            assert!(!response.headers().contains_key(gone), "{gone}");
        }
        let mut body = response.into_body();
        out.send_data(Bytes::from_static(b"ping"), false).unwrap();
        let mut heard = Vec::new();
        while heard.len() < 9 {
            heard.extend_from_slice(&body.data().await.unwrap().unwrap());
        }
        assert_eq!(heard, b"hellopong");
        out.send_data(Bytes::new(), true).unwrap();
        assert_eq!(whole(body).await.unwrap(), b"");
    });
    let record = proxy.completed("ws");
    assert_tunnel(&record, "client", "done", (4, 9));
    let seen = (record.text("method"), record.text("http_version"), record.number("status_code"));
    assert_eq!(seen, ("CONNECT", "2", 200), "{record:?}");
    assert_eq!(proxy.stop().of("ws").only("request_upgraded").number("status_code"), 200);
}

#[test]
fn a_reset_stream_ends_its_tunnel() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = websocket(move |conn| tell.lock().unwrap().send(conn.rest().1).unwrap());
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = settled(&proxy).await;
        let (answer, mut out) = connect(&mut h2, "ws");
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "hello");
        out.send_reset(Reason::CANCEL);
        tokio::task::spawn_blocking(move || assert_ne!(told.recv().unwrap(), Ended::Silent)).await.unwrap();
    });
    let record = proxy.completed("ws");
    assert_eq!((record.text("outcome"), record.text("closed_by")), ("upgraded", "client"), "{record:?}");
    proxy.stop();
}

#[test]
fn a_server_that_declines_answers_an_extended_connect() {
    let upstream = Upstream::answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = settled(&proxy).await;
        let (answer, _out) = connect(&mut h2, "ws");
        let response = answer.await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(whole(response.into_body()).await.unwrap(), b"no");
    });
    assert_eq!(proxy.completed("ws").text("outcome"), "client_error");
    proxy.stop();
}

#[test]
fn plain_connect_is_refused() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let request = Request::builder().method("CONNECT").uri("test.example:443").header("x-request-id", "plain");
        let answer = h2.sender.send_request(request.body(()).unwrap(), false).unwrap().0.await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    });
    assert_eq!(proxy.completed("plain").text("outcome"), "rejected");
    get(proxy.addr(), "/", "ordinary").ok();
    proxy.stop();
}
