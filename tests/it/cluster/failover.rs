//! Servers that die and come back under load: nobody notices, and the log tells it once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{ask, named, shares};
use crate::support::misbehave::ClosedPort;
use crate::support::{Client, Conn, Log, Setup, TestProxy, Upstream, request};

/// Short times, so that a test need not wait for long.
const QUICK: &str = "ejection = { failures = 3, time = \"200ms\" }\nslow_start = \"200ms\"";

/// Several clients that send one GET after another until the end of `during`; how many answers were 200, and which not.
fn under_load(proxy: &TestProxy, during: impl FnOnce()) -> (usize, Vec<String>) {
    let (over, good) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = |name: usize| {
        let mut bad = Vec::new();
        let mut client = Client::connect(proxy.addr());
        for turn in 0.. {
            if over.load(Ordering::SeqCst) {
                break;
            }
            let answer = client.exchange(request("GET", "/", &format!("load-{name}-{turn}"), "", ""));
            match answer.status() {
                200 => drop(good.fetch_add(1, Ordering::SeqCst)),
                _ => bad.push(format!("{answer:?}")),
            }
        }
        bad
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|name| scope.spawn(move || client(name))).collect();
        during();
        over.store(true, Ordering::SeqCst);
        let bad = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (good.load(Ordering::SeqCst), bad)
    })
}

fn serves(conn: &mut Conn) {
    while conn.request().is_some() {
        conn.ok("revived");
    }
}

/// Waits until a server answers requests.
fn serves_again(proxy: &TestProxy, server: &Upstream) {
    let address = server.addr().to_string();
    let before = shares(&proxy.log()).get(&address).copied().unwrap_or(0);
    proxy.wait_for("an answer of the revived server", |log| {
        shares(log).get(&address).is_some_and(|now| *now > before + 3)
    });
}

/// Exactly one record of each, in this order, about this server and for this reason.
fn check_told_once(log: &Log, address: &str, reasons: &[&str]) {
    let (down, up) = (log.only("upstream_down"), log.only("upstream_up"));
    for (record, level) in [(down, "WARNING"), (up, "INFO")] {
        assert_eq!((record.text("upstream"), record.text("upstream_address")), ("app", address), "{record:?}");
        assert_eq!((record.text("level"), record.text("logger")), (level, "gatelog.proxy"), "{record:?}");
        assert!(reasons.contains(&record.text("reason")), "{record:?}");
        assert_eq!(record.number("servers"), 3);
        assert!(!record.text("error").is_empty(), "{record:?}");
    }
    assert_eq!((down.number("servers_up"), up.number("servers_up")), (2, 3));
    assert!(down.get("up_for").is_some_and(|time| time.is_f64()) && down.number("seq") < up.number("seq"));
    assert!(up.get("down_for").and_then(|time| time.as_f64()).is_some_and(|time| time > 0.0), "{up:?}");
}

fn kill_and_revive(setup: impl FnOnce(Setup) -> Setup, reasons: &[&str]) {
    let (first, second, third) = (named(), named(), named());
    // The test reads more slowly than the proxy writes where the machine has other work.
    let output = "[[log.output]]\ntype = \"stdout\"\nqueue = \"64MB\"\n";
    let proxy = setup(Setup::among(&[&first, &second, &third]).routes(output)).start();
    let address = second.addr();
    let mut still_there = None;
    let (good, bad) = under_load(&proxy, || {
        proxy.wait_for("some load", |log| log.count("request_completed") > 50);
        drop(second);
        proxy.wait_for("the death of a server", |log| log.count("upstream_down") == 1);
        let before = proxy.log().count("request_completed");
        proxy.wait_for("load without it", |log| log.count("request_completed") > before + 50);
        let revived = Upstream::script_at(address, serves);
        proxy.wait_for("its return", |log| log.count("upstream_up") == 1);
        serves_again(&proxy, &revived);
        // It is there as long as the load.
        still_there = Some(revived);
    });
    assert!(bad.is_empty() && good > 100, "{good} good, {bad:#?}");
    let log = proxy.stop();
    check_told_once(&log, &address.to_string(), reasons);
    assert!(log.events("request_completed").iter().any(|record| record.number("attempts") > 1));
    drop(still_there);
}

#[test]
fn requests_alone_notice_that_a_server_dies_and_returns() {
    kill_and_revive(|setup| setup.upstream(QUICK), &["ejected"]);
}

#[test]
fn health_checks_bring_a_server_back_sooner_than_its_time() {
    let health = "health = { path = \"/\", interval = \"50ms\", timeout = \"1s\" }\nslow_start = \"off\"";
    let slow_return = "ejection = { failures = 3, time = \"60s\" }";
    kill_and_revive(|setup| setup.upstream(health).upstream(slow_return), &["ejected", "health_check"]);
}

#[test]
fn a_dead_server_is_tried_again_by_no_request() {
    let (alive, dead) = (named(), ClosedPort::new());
    let setup = Setup::among(&[&alive]).server(&format!("\"http://{}\"", dead.addr));
    let proxy = setup.upstream("ejection = { failures = 2, time = \"1ms\", longest = \"1ms\" }").start();
    ask(&proxy, "before", 12);
    proxy.wait_for("the ejection", |log| log.count("upstream_down") == 1);
    // Its time is over again and again, and each time it refuses the connection that is tried.
    ask(&proxy, "after", 200);
    let log = proxy.stop();
    assert_eq!((log.count("upstream_down"), log.count("upstream_up")), (1, 0));
    let again = (50..200).map(|index| log.completed(&format!("after-{index}")).number("attempts"));
    assert!(again.max() == Some(1), "a request was sent to the dead server");
}

#[test]
fn a_backup_takes_over_and_gives_back() {
    let (primary, backup) = (named(), named());
    let (first, second) = (primary.addr(), backup.addr().to_string());
    let setup = Setup::among(&[&primary]).server(&format!("{{ url = \"{}\", backup = true }}", backup.url()));
    let proxy = setup.upstream(QUICK).start();
    ask(&proxy, "primary", 10);
    assert_eq!(backup.accepted(), 0);
    drop(primary);
    ask(&proxy, "over", 20);
    proxy.wait_for("the takeover", |log| log.count("upstream_down") == 1);
    ask(&proxy, "backup", 10);
    let _revived = Upstream::script_at(first, serves);
    proxy.wait_for("the return", |log| log.count("upstream_up") == 1);
    ask(&proxy, "back", 10);
    let log = proxy.stop();
    for (name, address) in [("primary", first.to_string()), ("backup", second), ("back", first.to_string())] {
        for index in 0..10 {
            let record = log.completed(&format!("{name}-{index}"));
            assert_eq!(record.text("upstream_address"), address, "{record:?}");
            assert_eq!(record.number("attempts"), 1, "{record:?}");
        }
    }
}

#[test]
fn the_last_server_is_never_ejected() {
    let (one, other) = (ClosedPort::new(), ClosedPort::new());
    let setup = Setup::to(&format!("http://{}", one.addr)).server(&format!("\"http://{}\"", other.addr));
    let proxy = setup.upstream("ejection = { failures = 1, time = \"60s\", share = \"100%\" }").start();
    for index in 0..30 {
        let answer = crate::support::get(proxy.addr(), "/", &format!("dead-{index}"));
        assert_eq!(answer.status(), 502, "{answer:?}");
        assert_eq!(proxy.completed(&format!("dead-{index}")).text("outcome"), "upstream_refused");
    }
    assert_eq!(proxy.stop().count("upstream_down"), 1);
}
