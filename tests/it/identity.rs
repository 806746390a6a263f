//! Who asks: request ids, client addresses, the forwarding headers that are written and those that are replaced,
//! trace context, user names.

use crate::support::log::Record;
use crate::support::wire::Message;
use crate::support::{Answer, Client, Recorder, Setup};

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]";

/// Sends one GET with these header lines; returns what arrived, what came back, and the terminal record.
fn ask(identity: &str, more: &str) -> (Message, Answer, Record) {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).identity(identity).start();
    let mut client = Client::connect(proxy.addr());
    let answer = client.exchange(format!("GET /who HTTP/1.1\r\nHost: shop.example\r\n{more}\r\n"));
    let seen = recorder.wait_for(|_| true);
    drop(client);
    let log = proxy.stop();
    (seen, answer, log.only("request_completed").clone())
}

fn is_uuid(text: &str, version: char) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && text.chars().all(|char| char == '-' || (char.is_ascii_hexdigit() && !char.is_ascii_uppercase()))
        && text.chars().nth(14) == Some(version)
}

#[test]
fn an_id_is_minted_sent_on_and_given_back() {
    let (seen, answer, record) = ask("", "");
    let id = record.text("request_id");
    assert!(is_uuid(id, '7'), "{id}");
    assert_eq!(record.text("request_id_origin"), "generated");
    assert_eq!(seen.header("x-request-id"), Some(id));
    assert_eq!(answer.whole().header("x-request-id"), Some(id));
}

#[test]
fn ids_can_be_of_version_4() {
    let (.., record) = ask("request_id = { format = \"uuid4\" }", "");
    assert!(is_uuid(record.text("request_id"), '4'), "{record:?}");
}

#[test]
fn an_id_of_an_untrusted_client_is_replaced() {
    let (seen, _, record) = ask("", "X-Request-ID: mine\r\n");
    assert!(is_uuid(record.text("request_id"), '7'), "{record:?}");
    assert_eq!(record.text("request_id_origin"), "replaced");
    assert_eq!(seen.header("x-request-id"), Some(record.text("request_id")));
}

#[test]
fn an_id_of_a_trusted_proxy_is_kept() {
    let (seen, answer, record) = ask(TRUSTING, "X-Request-ID: mine-1.2_3\r\n");
    assert_eq!((record.text("request_id"), record.text("request_id_origin")), ("mine-1.2_3", "client"));
    assert_eq!(seen.header("x-request-id"), Some("mine-1.2_3"));
    assert_eq!(answer.whole().header("x-request-id"), Some("mine-1.2_3"));
}

#[test]
fn never_means_never() {
    let (.., record) = ask(&format!("{TRUSTING}\nrequest_id = {{ accept = \"never\" }}"), "X-Request-ID: mine\r\n");
    assert_eq!(record.text("request_id_origin"), "replaced");
}

#[test]
fn an_ill_formed_id_is_replaced_even_if_all_are_accepted() {
    let long = "x".repeat(129);
    for id in ["has space", "semi;colon", "quo\"te", "sla/sh", "\u{e9}", long.as_str()] {
        let (seen, _, record) = ask("request_id = { accept = \"always\" }", &format!("X-Request-ID: {id}\r\n"));
        assert_eq!(record.text("request_id_origin"), "replaced", "{id}");
        assert_eq!(seen.header("x-request-id"), Some(record.text("request_id")));
    }
}

#[test]
fn two_ids_are_no_id() {
    let (seen, _, record) = ask("request_id = { accept = \"always\" }", "X-Request-ID: a\r\nX-Request-ID: b\r\n");
    assert_eq!(record.text("request_id_origin"), "replaced");
    assert_eq!(seen.all("x-request-id").collect::<Vec<_>>(), [record.text("request_id")]);
}

#[test]
fn forwarding_headers_of_an_untrusted_client_are_replaced() {
    let more = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: evil.example\r\nForwarded: for=1.2.3.4;host=evil.example\r\n";
    let (seen, _, record) = ask("", more);
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
    let forwarded = seen.header("forwarded").unwrap();
    assert!(forwarded.contains("for=127.0.0.1") && !forwarded.contains("1.2.3.4"), "{forwarded}");
    assert_eq!(record.text("ip_address"), "127.0.0.1");
    assert!(record.text("peer_address").starts_with("127.0.0.1:"), "{record:?}");
}

#[test]
fn forwarding_headers_of_a_trusted_proxy_are_extended() {
    let (seen, _, record) = ask(TRUSTING, "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(seen.header("x-forwarded-for"), Some("203.0.113.7, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(record.text("ip_address"), "203.0.113.7");
}

#[test]
fn the_client_is_the_rightmost_untrusted_address() {
    let cases = [
        ("9.9.9.9, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("spoofed, 203.0.113.9", "203.0.113.9"),
    ];
    for (chain, client) in cases {
        let (.., record) = ask(TRUSTING, &format!("X-Forwarded-For: {chain}\r\n"));
        assert_eq!(record.text("ip_address"), client, "{chain}");
    }
}

#[test]
fn rubbish_in_a_trusted_chain_never_becomes_an_address() {
    for chain in ["not-an-ip", "203.0.113.7, <script>", "999.1.1.1", "unknown", ", ,"] {
        let (.., record) = ask(TRUSTING, &format!("X-Forwarded-For: {chain}\r\n"));
        assert!(record.text("ip_address").parse::<std::net::IpAddr>().is_ok(), "{chain}: {record:?}");
    }
}

#[test]
fn a_trace_is_continued() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (seen, _, record) = ask("", &format!("traceparent: {parent}\r\ntracestate: a=1,b=2\r\n"));
    assert_eq!(record.text("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(record.text("parent_span_id"), "00f067aa0ba902b7");
    let sent = seen.header("traceparent").unwrap();
    assert_eq!(sent, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", record.text("span_id")));
    assert_eq!(seen.header("tracestate"), Some("a=1,b=2"));
}

#[test]
fn an_invalid_trace_is_restarted() {
    let zeros = "0".repeat(32);
    let invalid = [
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        format!("00-{zeros}-00f067aa0ba902b7-01"),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".to_owned(),
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01".to_owned(),
        "rubbish".to_owned(),
    ];
    for parent in invalid {
        let (seen, _, record) = ask("", &format!("traceparent: {parent}\r\ntracestate: a=1\r\n"));
        assert!(record.get("parent_span_id").is_none(), "{parent}: {record:?}");
        assert_ne!(seen.header("traceparent"), Some(parent.as_str()));
        assert_eq!(seen.header("tracestate"), None, "{parent}");
    }
}

#[test]
fn secrets_are_redacted_in_the_record_and_kept_on_the_way() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let mut client = Client::connect(proxy.addr());
    let asking = "GET /?page=2&token=s3cr3t&PassWord=s3cr3t&x=1 HTTP/1.1\r\nHost: a\r\nX-Request-ID: secret\r\n\
                  Referer: http://a/?sig=s3cr3t\r\nAuthorization: Bearer s3cr3t\r\nCookie: a=s3cr3t\r\n\r\n";
    client.exchange(asking).ok();
    assert_eq!(recorder.request("secret").start[1], "/?page=2&token=s3cr3t&PassWord=s3cr3t&x=1");
    let record = proxy.completed("secret");
    assert_eq!(record.text("query"), "page=2&token=REDACTED&PassWord=REDACTED&x=1");
    let log = format!("{:?}", proxy.stop());
    assert!(!log.contains("s3cr3t"), "{log}");
}

#[test]
fn the_user_comes_from_the_answer_and_is_stripped() {
    let upstream =
        crate::support::Upstream::answering(b"HTTP/1.1 200 OK\r\nX-User-ID: alice\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Setup::before(&upstream).set("identity", "user = [{ response_header = \"X-User-ID\", strip = true }]");
    let proxy = proxy.start();
    let answer = crate::support::get(proxy.addr(), "/", "user").ok();
    assert_eq!(answer.header("x-user-id"), None);
    assert_eq!(proxy.completed("user").text("user_id"), "alice");
    proxy.stop();
}
