//! Records that are written while the request still runs: the upstream answers only after the test has seen them.

use std::sync::{Mutex, mpsc};

use crate::support::{Client, Log, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request};

/// An upstream that answers one request each time it is let.
fn held() -> (Upstream, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() && released.lock().unwrap().recv().is_ok() {
            conn.ok("at last");
        }
    });
    (upstream, release)
}

/// Sends one request, waits for a record about it, lets the upstream answer, and returns all its records.
fn answered_only_after(event: &str, proxy: &TestProxy, release: &mpsc::Sender<()>, id: &str) -> Log {
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", id, "", ""));
    let log = proxy.wait_for(event, |log| log.of(id).count(event) > 0);
    assert_eq!(log.of(id).count("request_completed"), 0);
    release.send(()).unwrap();
    client.answer().ok();
    proxy.completed(id);
    proxy.log().of(id)
}

#[test]
fn a_slow_request_is_reported_while_it_runs() {
    let (upstream, release) = held();
    let proxy = Setup::before(&upstream).set("log", "slow = \"200ms\"").start();
    let own = answered_only_after("request_slow", &proxy, &release, "slow");
    let slow = own.only("request_slow");
    assert_eq!(
        (slow.text("level"), slow.text("phase"), slow.text("message")),
        ("WARNING", "wait", "Slow request detected")
    );
    assert!(slow.is("in_flight") && slow.get("duration").unwrap().as_f64().unwrap() >= 0.2, "{slow:?}");
    assert!(slow.get("outcome").is_none() && slow.get("status_code").is_none(), "{slow:?}");
    let completed = own.only("request_completed");
    assert!(completed.is("slow") && !completed.is("in_flight"), "{completed:?}");
    assert_eq!((completed.text("level"), completed.text("outcome")), ("INFO", "success"));
    proxy.stop();
}

#[test]
fn many_slow_requests_are_each_reported_once() {
    let (upstream, release) = held();
    let proxy = Setup::before(&upstream).set("log", "slow = \"200ms\"").start();
    let mut clients = in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        client.send(request("GET", "/", &format!("slow-{index}"), "", ""));
        client
    });
    proxy.wait_for("all slow", |log| log.count("request_slow") == PARALLEL);
    clients.iter().for_each(|_| release.send(()).unwrap());
    for client in &mut clients {
        client.answer().ok();
    }
    let log = proxy.stop();
    for index in 0..PARALLEL {
        assert!(log.completed(&format!("slow-{index}")).is("slow"));
        log.of(&format!("slow-{index}")).only("request_slow");
    }
}

#[test]
fn a_request_stuck_in_its_own_body_is_reported_slow() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("log", "slow = \"200ms\"").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "body", "Content-Length: 4\r\n", ""));
    let log = proxy.wait_for("slow", |log| log.of("body").count("request_slow") > 0);
    assert_eq!(log.of("body").only("request_slow").text("phase"), "send");
    client.send("body");
    client.answer().ok();
    proxy.completed("body");
    proxy.stop();
}

#[test]
fn a_quick_request_is_not_slow() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("log", "slow = \"10s\"").start();
    get(proxy.addr(), "/", "quick").ok();
    let record = proxy.completed("quick");
    assert!(!record.is("slow"), "{record:?}");
    assert_eq!(proxy.stop().count("request_slow"), 0);
}

#[test]
fn started_is_written_before_anything_is_answered() {
    let (upstream, release) = held();
    let proxy = Setup::before(&upstream).start();
    let own = answered_only_after("request_started", &proxy, &release, "started");
    let started = own.only("request_started");
    assert_eq!((started.text("level"), started.text("message")), ("INFO", "Request started"));
    assert!(started.is("in_flight") && started.get("status_code").is_none(), "{started:?}");
    assert_eq!(started.text("view_name"), "unknown");
    proxy.stop();
}

#[test]
fn start_never_leaves_the_completed_record_alone() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("log", "start = \"never\"").start();
    get(proxy.addr(), "/", "alone").ok();
    proxy.wait_for("completed", |log| log.of("alone").count("request_completed") > 0);
    assert_eq!(proxy.stop().of("alone").0.len(), 1);
}

#[test]
fn start_after_reports_only_what_outlives_it() {
    let (upstream, release) = held();
    let proxy = Setup::before(&upstream).set("log", "start = { after = \"300ms\" }").start();
    let own = answered_only_after("request_started", &proxy, &release, "long");
    assert!(own.only("request_started").number("seq") < own.only("request_completed").number("seq"));
    release.send(()).unwrap();
    get(proxy.addr(), "/", "short").ok();
    proxy.wait_for("completed", |log| log.of("short").count("request_completed") > 0);
    let short = proxy.stop().of("short");
    let duration = short.only("request_completed").get("duration").unwrap().as_f64().unwrap();
    assert_eq!(short.count("request_started"), usize::from(duration >= 0.3), "{short:?}");
}
