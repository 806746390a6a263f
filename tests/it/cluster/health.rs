//! Health checks: a GET of its own, over TLS where the server speaks it, judged by its status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::{ask, named, shares};
use crate::support::tls::Authority;
use crate::support::{Conn, Fault, Setup, Upstream, get};

const OFTEN: &str = "health = { path = \"/healthz?full\", interval = \"30ms\", timeout = \"1s\", unhealthy_after = 2, status = \"2xx\" }";

/// Answers health checks with a status that can be set, and everything else with 200.
fn ailing(status: &Arc<AtomicU16>) -> impl Fn(&mut Conn) + Send + Sync + 'static {
    let status = Arc::clone(status);
    move |conn| {
        while let Some(request) = conn.request() {
            if request.start[1] != "/healthz?full" {
                conn.ok("served");
                continue;
            }
            assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("gatelog/")), "{request:?}");
            conn.send(format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", status.load(Ordering::SeqCst)));
        }
    }
}

#[test]
fn a_status_that_is_not_expected_takes_a_server_out_until_it_is_good_again() {
    let status = Arc::new(AtomicU16::new(204));
    let (ailing, other) = (Upstream::script(ailing(&status)), named());
    let proxy = Setup::among(&[&ailing, &other]).upstream(OFTEN).upstream("slow_start = \"off\"").start();
    ask(&proxy, "both", 8);
    status.store(302, Ordering::SeqCst);
    let log = proxy.wait_for("a sick server", |log| log.count("upstream_down") == 1);
    let down = log.only("upstream_down").clone();
    assert_eq!((down.text("reason"), down.text("upstream_address")), ("health_check", &*ailing.addr().to_string()));
    assert_eq!(down.text("error"), "the health check was answered with 302");
    ask(&proxy, "without", 8);
    status.store(200, Ordering::SeqCst);
    proxy.wait_for("its recovery", |log| log.count("upstream_up") == 1);
    ask(&proxy, "again", 8);
    let log = proxy.stop();
    let answered = |name: &str| {
        let of = |index: usize| log.completed(&format!("{name}-{index}")).text("upstream_address").to_owned();
        (0..8).filter(|index| of(*index) == ailing.addr().to_string()).count()
    };
    assert!(answered("both") > 0 && answered("again") > 0, "{:?}", shares(&log));
    assert_eq!(answered("without"), 0);
    assert_eq!((log.count("upstream_down"), log.count("upstream_up")), (1, 1));
}

#[test]
fn while_all_are_sick_requests_are_answered_with_503() {
    let status = Arc::new(AtomicU16::new(500));
    let (one, other) = (Upstream::script(ailing(&status)), Upstream::script(ailing(&status)));
    let proxy = Setup::among(&[&one, &other]).upstream(OFTEN).start();
    let log = proxy.wait_for("two sick servers", |log| log.count("upstream_down") == 2);
    let levels: Vec<&str> = log.events("upstream_down").iter().map(|record| record.text("level")).collect();
    assert_eq!(levels, ["WARNING", "ERROR"], "the last one is worse");
    let answer = get(proxy.addr(), "/", "nobody");
    Fault::answered(503, "no_upstream", &["queue"], &["destination_unavailable"]).check(&proxy, "nobody", &answer);
    assert!(proxy.completed("nobody").get("attempts").is_none());
    status.store(200, Ordering::SeqCst);
    proxy.wait_for("their recovery", |log| log.count("upstream_up") == 2);
    get(proxy.addr(), "/", "somebody").ok();
    proxy.stop();
}

#[test]
fn servers_that_speak_tls_are_asked_over_tls() {
    let status = Arc::new(AtomicU16::new(503));
    let server = Authority::shared().issue("localhost").server();
    let secure = Upstream::tls_script(server, ailing(&status));
    let setup = Setup::before(&secure).upstream(OFTEN);
    let ca = Authority::shared().write_to(setup.dir());
    let proxy = setup.upstream(&format!("ca = {ca:?}")).start();
    let log = proxy.wait_for("a sick server", |log| log.count("upstream_down") == 1);
    assert_eq!(log.only("upstream_down").text("error"), "the health check was answered with 503");
    status.store(200, Ordering::SeqCst);
    proxy.wait_for("its recovery", |log| log.count("upstream_up") == 1);
    get(proxy.addr(), "/", "served").ok();
    proxy.stop();
}

#[test]
fn a_server_that_says_nothing_is_sick() {
    let mute = Upstream::script(|conn| drop(conn.stall()));
    let health = "health = { path = \"/\", interval = \"30ms\", timeout = \"100ms\", unhealthy_after = 1 }";
    let proxy = Setup::before(&mute).upstream(health).start();
    let log = proxy.wait_for("a sick server", |log| log.count("upstream_down") == 1);
    assert_eq!(log.only("upstream_down").text("error"), "no answer to the health check within health.timeout");
    proxy.stop();
}
