//! TLS clients: what the record tells of the session, and handshakes that fail before there is any request.

use crate::support::log::Record;
use crate::support::{Client, PARALLEL, Setup, TestProxy, Upstream, in_parallel, request};

/// Everything the log has on a connection that never became one: one rejection without a status.
fn rejected(proxy: &TestProxy, peer: &str) -> Record {
    let log = proxy.wait_for("a rejection", |log| log.of_peer(peer).count("request_rejected") > 0).of_peer(peer);
    assert_eq!(log.0.len(), 1, "{log:?}");
    let record = log.only("request_rejected");
    assert_eq!((record.text("logger"), record.text("level")), ("gatelog.security", "WARNING"), "{record:?}");
    assert!(record.get("status_code").is_none_or(serde_json::Value::is_null), "nothing could be sent: {record:?}");
    assert!(!record.text("reason").is_empty(), "{record:?}");
    record.clone()
}

#[test]
fn a_session_is_told() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).tls().start();
    in_parallel(PARALLEL, |index| {
        let id = format!("tls-{index}");
        let answer = Client::connect_tls(proxy.tls_addr()).exchange(request("GET", "/", &id, "", ""));
        assert_eq!(answer.whole().text(), "ok");
        let record = proxy.completed(&id);
        assert_eq!((record.text("scheme"), record.text("http_version")), ("https", "1.1"));
        let tls = record.get("tls").unwrap();
        assert_eq!(
            (&tls["version"], &tls["sni"], &tls["alpn"]),
            (&"TLSv1.3".into(), &"localhost".into(), &"http/1.1".into())
        );
        assert!(tls["cipher"].as_str().unwrap().starts_with("TLS"), "{tls}");
    });
    proxy.stop();
}

#[test]
fn forwarded_proto_is_https() {
    let recorder = crate::support::Recorder::start();
    let proxy = Setup::before(&recorder.upstream).tls().start();
    Client::connect_tls(proxy.tls_addr()).exchange(request("GET", "/", "proto", "", "")).ok();
    let seen = recorder.request("proto");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert!(seen.header("forwarded").unwrap().contains("proto=https"), "{seen:?}");
    proxy.stop();
}

#[test]
fn plain_http_on_the_tls_port_is_rejected() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).tls().start();
    in_parallel(PARALLEL, |_| {
        let mut client = Client::connect(proxy.tls_addr());
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.rest();
        rejected(&proxy, &client.local_addr());
    });
    let log = proxy.stop();
    assert_eq!(log.count("request_started"), 0);
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn a_handshake_that_never_ends_is_rejected() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).tls().set("limits", "header_timeout = \"300ms\"").start();
    let mut client = Client::connect(proxy.tls_addr());
    client.send(b"\x16\x03\x01\x02\x00\x01\x00");
    assert!(client.rest().0.is_empty());
    rejected(&proxy, &client.local_addr());
    proxy.stop();
}
