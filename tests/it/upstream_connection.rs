//! Failures of the way to the upstream: TCP, TLS, names, and pooled connections that died in the meantime.

use std::sync::{Arc, Barrier, mpsc};

use crate::support::misbehave::{self, ClosedPort, FullBacklog};
use crate::support::tls::Authority;
use crate::support::{Client, Conn, Fault, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request};

const REFUSED: Fault = Fault::answered(502, "upstream_refused", &["connect"], &["connection_refused"]);
const RESET: Fault = Fault::answered(502, "upstream_reset", &["wait"], &["connection_terminated"]);
const TLS: Fault = Fault::answered(502, "upstream_tls", &["connect"], &["tls_protocol_error"]);
const CERTIFICATE: Fault = Fault::answered(502, "upstream_tls", &["connect"], &["tls_certificate_error"]);

#[test]
fn a_closed_port_is_refused() {
    let port = ClosedPort::new();
    REFUSED.befalls(Setup::to(&format!("http://{}", port.addr)));
}

#[test]
fn a_refused_request_tells_no_address_to_the_client() {
    let port = ClosedPort::new();
    let proxy = Setup::to(&format!("http://{}", port.addr)).start();
    let answer = get(proxy.addr(), "/", "quiet").whole();
    let told = format!("{:?} {}", answer.headers, answer.text());
    assert!(!told.contains(&port.addr.port().to_string()), "{told}");
    let record = proxy.completed("quiet");
    assert_eq!(record.text("upstream_address"), port.addr.to_string());
    proxy.stop();
}

#[test]
fn no_answer_to_connecting_is_a_timeout() {
    let backlog = FullBacklog::new();
    let fault = Fault::answered(504, "upstream_timeout", &["connect"], &["connection_timeout"]);
    fault.befalls(Setup::to(&format!("http://{}", backlog.addr)).timeout("connect = \"300ms\""));
}

#[test]
fn closing_as_soon_as_accepted_is_a_reset() {
    let fault = Fault { phases: &["send", "wait"], ..RESET };
    fault.befalls(Setup::before(&Upstream::script(misbehave::closes_at_once)));
}

#[test]
fn resetting_as_soon_as_accepted_is_a_reset() {
    let fault = Fault { phases: &["connect", "send", "wait"], ..RESET };
    fault.befalls(Setup::before(&Upstream::script(misbehave::resets_at_once)));
}

#[test]
fn plain_http_where_tls_is_due_is_a_tls_error() {
    let upstream = Upstream::script(|conn| {
        conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        conn.stall();
    });
    let upstream = upstream.spoken_to_as("https");
    TLS.befalls(trusting(&upstream));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_a_certificate_error() {
    let upstream = Upstream::tls_script(Authority::new().issue("localhost").server(), |_| {});
    CERTIFICATE.befalls(trusting(&upstream));
}

#[test]
fn a_certificate_for_another_name_is_a_certificate_error() {
    let upstream = Upstream::tls_script(Authority::shared().issue("other.example").server(), |_| {});
    CERTIFICATE.befalls(trusting(&upstream));
}

#[test]
fn a_tls_handshake_that_never_ends_is_a_timeout() {
    let upstream = Upstream::script(|conn| drop(conn.stall())).spoken_to_as("https");
    let fault = Fault::answered(504, "upstream_timeout", &["connect"], &["connection_timeout"]);
    fault.befalls(trusting(&upstream).timeout("connect = \"300ms\""));
    let proxy = trusting(&upstream).timeout("connect = \"300ms\"").start();
    get(proxy.addr(), "/", "hangs");
    let said = "connected, but the server did not begin with TLS within timeouts.connect";
    assert_eq!(proxy.completed("hangs").text("exception_message"), said);
    proxy.stop();
}

#[test]
fn a_good_certificate_is_served_through() {
    let server = Authority::shared().issue("localhost").server();
    let upstream = Upstream::tls_script(server, |conn| {
        while conn.request().is_some() {
            conn.ok("secret");
        }
    });
    let proxy = trusting(&upstream).start();
    in_parallel(PARALLEL, |index| {
        let id = format!("tls-{index}");
        assert_eq!(get(proxy.addr(), "/", &id).whole().text(), "secret");
        let record = proxy.completed(&id);
        assert_eq!(record.text("outcome"), "success");
    });
    proxy.stop();
}

#[test]
fn a_server_is_asked_for_by_the_name_that_is_said_and_shown_a_certificate() {
    let server = Authority::shared().issue("inside.example").server_for(Authority::shared());
    let upstream = Upstream::tls_script(server, |conn| {
        while conn.request().is_some() {
            conn.ok("for friends");
        }
    });
    let named = || trusting(&upstream).upstream("server_name = \"inside.example\"");
    let setup = named();
    let (certificate, key) = Authority::shared().issue_to("gatelog").write_to(setup.dir());
    let proxy = setup.upstream(&format!("certificate = {certificate:?}\nkey = {key:?}")).start();
    assert_eq!(get(proxy.addr(), "/", "friend").ok().text(), "for friends");
    assert_eq!(proxy.completed("friend").text("outcome"), "success");
    proxy.stop();
    let proxy = named().start();
    assert_eq!(get(proxy.addr(), "/", "stranger").status(), 502);
    let record = proxy.completed("stranger");
    // Whether the server's alert is still there to be read is up to the kernel.
    let (outcome, token) = (record.text("outcome"), record.text("exception_type"));
    let seen = [("upstream_tls", "tls_alert_received"), ("upstream_reset", "connection_terminated")];
    assert!(seen.contains(&(outcome, token)), "{record:?}");
    proxy.stop();
    CERTIFICATE.befalls(trusting(&upstream));
}

fn trusting(upstream: &Upstream) -> Setup {
    let setup = Setup::before(upstream);
    let ca = Authority::shared().write_to(setup.dir());
    setup.upstream(&format!("ca = {ca:?}"))
}

/// Answers the first request of every connection once `PARALLEL` are there, then does `then` with the second.
fn dies_in_the_pool(then: impl Fn(&mut Conn) + Send + Sync + 'static) -> Upstream {
    let all_there = Arc::new(Barrier::new(PARALLEL));
    Upstream::script(move |conn| {
        let pooled = conn.index < PARALLEL;
        if pooled && conn.request().is_some() {
            all_there.wait();
            conn.ok("first");
            then(conn);
            return;
        }
        while conn.request().is_some() {
            conn.ok("second");
        }
    })
}

/// Fills the pool with one connection for each of `PARALLEL` requests.
fn fill_pool(proxy: &TestProxy) {
    in_parallel(PARALLEL, |index| {
        assert_eq!(get(proxy.addr(), "/", &format!("fill-{index}")).whole().text(), "first");
        proxy.completed(&format!("fill-{index}"));
    });
}

fn closes_under_the_second_request(conn: &mut Conn) {
    conn.request();
}

#[test]
fn a_get_on_a_dying_pooled_connection_is_sent_again() {
    let upstream = dies_in_the_pool(closes_under_the_second_request);
    let proxy = Setup::before(&upstream).start();
    fill_pool(&proxy);
    in_parallel(PARALLEL, |index| {
        let id = format!("again-{index}");
        assert_eq!(get(proxy.addr(), "/", &id).whole().text(), "second");
        let record = proxy.completed(&id);
        assert_eq!(record.text("outcome"), "success");
    });
    let log = proxy.stop();
    assert!(log.events("request_completed").iter().any(|record| record.number("attempts") > 1), "{log:?}");
    assert_eq!(log.count("request_failed"), 0);
}

#[test]
fn a_post_on_a_dying_pooled_connection_is_not_sent_again() {
    let upstream = Upstream::script(|conn| {
        if conn.index > 0 {
            panic!("sent again: {:?}", conn.request());
        }
        conn.request();
        conn.ok("first");
        conn.request();
    });
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    assert_eq!(get(proxy.addr(), "/", "fill").whole().text(), "first");
    proxy.completed("fill");
    let answer = Client::connect(proxy.addr()).exchange(request("POST", "/", "once", "", "a=1"));
    RESET.check(&proxy, "once", &answer);
    let record = proxy.completed("once");
    assert!(record.is("reused_connection"), "{record:?}");
    assert_eq!(record.number("attempts"), 1);
    proxy.stop();
}

#[test]
fn a_pooled_connection_closed_long_ago_is_not_used() {
    let (closed, all_closed) = mpsc::channel();
    let upstream = dies_in_the_pool(move |conn| {
        conn.finish_sending();
        closed.send(()).unwrap();
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    fill_pool(&proxy);
    assert_eq!(all_closed.iter().take(PARALLEL).count(), PARALLEL);
    in_parallel(PARALLEL, |index| {
        let id = format!("post-{index}");
        let answer = Client::connect(proxy.addr()).exchange(request("PUT", "/", &id, "", "a=1"));
        assert_eq!(answer.whole().text(), "second");
        assert_eq!(proxy.completed(&id).text("outcome"), "success");
    });
    proxy.stop();
}

#[test]
fn connections_are_used_again() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    for index in 0..10 {
        let id = format!("reuse-{index}");
        get(proxy.addr(), "/", &id).ok();
        assert_eq!(proxy.completed(&id).is("reused_connection"), index > 0);
    }
    proxy.stop();
    assert_eq!(upstream.accepted(), 1);
}
