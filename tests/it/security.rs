//! Security events: what is suspicious about a request, and that nobody can fill the log with them.

use crate::support::log::{Log, Record};
use crate::support::{Client, Recorder, Setup, TestProxy, Upstream, get, request};

/// The security events of one request, each with its reason.
fn reasons(log: &Log, id: &str) -> Vec<String> {
    log.of(id).events("security_event").iter().map(|record| record.text("reason").to_owned()).collect()
}

/// Sends a request on a connection of its own; returns its records once it is over.
fn ask(proxy: &TestProxy, id: &str, bytes: impl AsRef<[u8]>) -> Log {
    let mut client = Client::connect(proxy.addr());
    client.send(bytes);
    client.rest();
    proxy.completed(id);
    proxy.log().of(id)
}

fn closing(method: &str, target: &str, id: &str, more: &str, body: &str) -> Vec<u8> {
    request(method, target, id, &format!("Connection: close\r\n{more}"), body)
}

#[test]
fn each_sign_has_its_reason() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "body_bytes = 10\nbody_idle_timeout = \"200ms\"").start();
    let via = format!("Via: {}\r\n", ["1.1 gatelog"; 9].join(", "));
    let chunks = "POST /x HTTP/1.1\r\nHost: a\r\nX-Request-ID: chunks\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (id, reason, bytes) in [
        ("dots", "path_traversal", closing("GET", "/static/../../etc/passwd", "dots", "", "")),
        ("coded", "path_traversal", closing("GET", "/static/%2e%2e/x", "coded", "", "")),
        ("twice", "path_traversal", closing("GET", "/static/%252e%252e/x", "twice", "", "")),
        ("nul", "path_traversal", closing("GET", "/a.php%00.png", "nul", "", "")),
        ("back", "path_traversal", closing("GET", "/a/..%5c..%5cx", "back", "", "")),
        ("xff", "spoofed_forwarding", closing("GET", "/", "xff", "X-Forwarded-For: 1.2.3.4\r\n", "")),
        ("real", "spoofed_forwarding", closing("GET", "/", "real", "X-Real-IP: 1.2.3.4\r\n", "")),
        ("fwd", "spoofed_forwarding", closing("GET", "/", "fwd", "Forwarded: for=1.2.3.4\r\n", "")),
        ("twin", "disguised_field", closing("GET", "/", "twin", "X_Forwarded_For: 1.2.3.4\r\n", "")),
        ("trace", "method", closing("TRACE", "/", "trace", "", "body")),
        ("large", "body_bytes", closing("POST", "/", "large", "", "12345678901")),
        ("chunks", "body_bytes", format!("{chunks}b\r\n12345678901\r\n0\r\n\r\n").into()),
        ("slow", "body_idle_timeout", request("POST", "/", "slow", "Content-Length: 5\r\n", "")),
        ("loop", "proxy_loop", closing("GET", "/", "loop", &via, "")),
    ] {
        let log = ask(&proxy, id, bytes);
        let event = log.only("security_event");
        assert_eq!(event.text("reason"), reason, "{id}");
        assert_eq!((event.text("logger"), event.text("level")), ("gatelog.security", "WARNING"));
        assert_eq!(event.text("ip_address"), "127.0.0.1");
        assert_eq!(event.text("peer_address"), log.only("request_completed").text("peer_address"));
        assert!(!event.text("detail").is_empty() && event.get("suppressed").is_none(), "{event:?}");
    }
    proxy.stop();
}

#[test]
fn a_method_that_is_not_offered_is_one_of_them() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    ask(&proxy, "connect", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nX-Request-ID: connect\r\nConnection: close\r\n\r\n");
    assert_eq!(reasons(&proxy.stop(), "connect"), ["method"]);
}

#[test]
fn an_event_shows_the_bytes_in_question_bounded_and_escaped() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let path = format!("/../{}", "x".repeat(1000));
    let log = ask(&proxy, "long", closing("GET", &path, "long", "", ""));
    assert_eq!(log.only("security_event").text("excerpt"), &path[..256]);
    let log = ask(&proxy, "bytes", closing("GET", "/", "bytes", "X-Forwarded-For: a\"\u{e9}\tb\r\n", ""));
    assert_eq!(log.only("security_event").text("excerpt"), "x-forwarded-for: a\"\\xc3\\xa9\\tb");
    proxy.stop();
}

#[test]
fn honest_requests_have_none() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    for (at, path) in ["/", "/a/./b", "/a..b/...", "/caf%C3%A9/100%25?x=/../", "/.well-known/a%2Fb", "/v1.2/x.html"]
        .iter()
        .enumerate()
    {
        let id = format!("r{at}");
        ask(&proxy, &id, closing("GET", path, &id, "X_Custom: 1\r\nVia: 1.1 gatelog\r\nX-Forwarded: 1\r\n", ""));
    }
    assert_eq!(proxy.stop().count("security_event"), 0);
}

#[test]
fn a_trusted_proxy_may_speak_for_others_and_nobody_else() {
    let recorder = Recorder::start();
    let user = "user = [{ request_header = \"X-Forwarded-User\", trusted = true }]";
    let more = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-User: ada\r\n";
    for (trusted, expected) in [("[\"127.0.0.1/32\"]", 0), ("[\"10.0.0.0/8\"]", 1)] {
        let identity = format!("trusted_proxies = {trusted}\nrequest_id = {{ accept = \"always\" }}\n{user}");
        let proxy = Setup::before(&recorder.upstream).identity(&identity).start();
        ask(&proxy, "xff", closing("GET", "/", "xff", more, ""));
        ask(&proxy, "user", closing("GET", "/", "user", "X-Forwarded-User: ada\r\n", ""));
        let log = proxy.stop();
        assert_eq!((reasons(&log, "xff").len(), reasons(&log, "user").len()), (expected, expected));
    }
}

#[test]
fn addresses_that_are_not_written_whole_are_in_no_excerpt() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("log", "redact = { ip = { v4 = 8 } }").start();
    let log = ask(&proxy, "xff", closing("GET", "/", "xff", "X-Forwarded-For: 203.0.113.99\r\n", ""));
    let event = log.only("security_event");
    assert_eq!((event.text("excerpt"), event.text("ip_address")), ("x-forwarded-for: REDACTED", "127.0.0.0"));
    proxy.stop();
}

#[test]
fn a_head_that_cannot_be_read_is_rejected_once_and_no_event_beside() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "header_bytes = \"8KB\"\nuri_bytes = 100").tls().start();
    let long = "x".repeat(9000);
    for (reason, bytes) in [
        (
            "framing_conflict",
            "POST /../ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        ),
        ("transfer_encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n".to_owned()),
        ("uri_bytes", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..200])),
        ("header_bytes", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        ("bare_lf", "GET / HTTP/1.1\nHost: a\n\n".to_owned()),
    ] {
        let mut client = Client::connect(proxy.addr());
        client.send(bytes);
        client.rest();
        let peer = client.local_addr();
        let log = proxy.wait_for(reason, |log| log.of_peer(&peer).count("request_rejected") > 0).of_peer(&peer);
        assert_eq!((log.0.len(), log.0[0].text("reason"), log.0[0].text("logger")), (1, reason, "gatelog.security"));
    }
    let mut client = Client::connect(proxy.tls_addr());
    client.send("no TLS at all\r\n\r\n");
    client.rest();
    proxy.wait_for("a failed handshake", |log| {
        log.events("request_rejected").iter().any(|it| it.text("reason") == "tls_handshake")
    });
    assert_eq!(proxy.stop().count("security_event"), 0);
}

/// Many suspicious requests over one connection, so that one core has them all.
fn flood(proxy: &TestProxy, count: usize) {
    let mut client = Client::connect(proxy.addr());
    for at in 0..count {
        client.exchange(request("GET", "/../x", &format!("f-{at}"), "", "")).ok();
    }
    proxy.completed(&format!("f-{}", count - 1));
}

/// How many events were written, and how many of them the log says were left out.
fn account(log: &Log) -> (usize, u64) {
    let events = log.events("security_event");
    let count = |record: &&Record| record.get("suppressed").map_or(0, |count| count.as_u64().unwrap());
    let written = events.iter().filter(|record| record.get("request_id").is_some()).count();
    (written, events.iter().map(count).sum())
}

#[test]
fn a_flood_is_bounded_and_every_one_left_out_is_counted() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    flood(&proxy, 500);
    // It is told while the proxy runs, once it is quiet.
    proxy.wait_for("the count of those left out", |log| account(log).0 as u64 + account(log).1 == 500);
    let log = proxy.stop();
    let (written, left_out) = account(&log);
    assert_eq!((written as u64 + left_out, log.count("request_completed")), (500, 500));
    assert!((20..100).contains(&written), "{written}");
    log.check_promises();
}

#[test]
fn each_reason_is_bounded_by_itself_and_its_count_is_its_own() {
    let reasons = ["path_traversal", "spoofed_forwarding", "disguised_field", "body_bytes"];
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).top("workers", "1").set("limits", "body_bytes = 10").start();
    let mut client = Client::connect(proxy.addr());
    for at in 0..60 {
        let more = "X-Forwarded-For: 1.2.3.4\r\nX_Forwarded_For: 1.2.3.4\r\n";
        client.exchange(request("GET", "/../x", &format!("f-{at}"), more, "")).whole();
        let answer =
            Client::connect(proxy.addr()).exchange(request("POST", "/", &format!("b-{at}"), "", "more than ten"));
        assert_eq!(answer.status(), 413);
    }
    let log = proxy.stop();
    for reason in reasons {
        let own = |record: &&Record| record.text("reason") == reason;
        let own = Log(log.events("security_event").into_iter().filter(own).cloned().collect());
        let (written, left_out) = account(&own);
        assert_eq!(written as u64 + left_out, 60, "{reason}: {own:?}");
        assert!((20..60).contains(&written), "{reason}: {written}");
    }
}

#[test]
fn what_was_left_out_is_told_before_the_end() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    flood(&proxy, 60);
    let log = proxy.stop();
    let (written, left_out) = account(&log);
    assert_eq!(written as u64 + left_out, 60);
}

#[test]
fn another_reason_is_not_crowded_out_by_a_flood() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    flood(&proxy, 60);
    get(proxy.addr(), "/", "quiet").ok();
    ask(&proxy, "xff", closing("GET", "/", "xff", "X-Forwarded-For: 1.2.3.4\r\n", ""));
    assert_eq!(reasons(&proxy.stop(), "xff"), ["spoofed_forwarding"]);
}

#[test]
fn a_route_without_records_has_no_events_and_the_logger_can_be_silenced() {
    let upstream = Upstream::ok();
    let route = "[[route]]\nname = \"quiet\"\nregex = '^quiet/'\nlog = false\n";
    let proxy = Setup::before(&upstream).routes(route).start();
    get(proxy.addr(), "/quiet/../x", "quiet").ok();
    assert_eq!(proxy.stop().count("security_event"), 0);
    let proxy = Setup::before(&upstream).set("log", "loggers = { \"gatelog.security\" = \"off\" }").start();
    flood(&proxy, 30);
    assert_eq!(proxy.stop().count("security_event"), 0);
}
