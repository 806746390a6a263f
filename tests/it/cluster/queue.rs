//! Servers with as many requests as they may have: the next ones wait, in their order and not for ever.

use std::sync::{Arc, Barrier, Condvar, Mutex};

use crate::support::{Client, Conn, Fault, Setup, TestProxy, Upstream, get, in_parallel, request};

const LIMITED: Fault = Fault::answered(503, "limited", &["queue"], &["connection_limit_reached"]);

/// Lets requests through one by one.
#[derive(Default)]
struct Turnstile {
    open: Mutex<usize>,
    opened: Condvar,
}

impl Turnstile {
    fn pass(&self) {
        let mut open = self.opened.wait_while(self.open.lock().unwrap(), |open| *open == 0).unwrap();
        *open -= 1;
    }

    fn open(&self, count: usize) {
        *self.open.lock().unwrap() += count;
        self.opened.notify_all();
    }
}

/// Answers each request once it may.
fn held(turnstile: &Arc<Turnstile>) -> Upstream {
    let turnstile = Arc::clone(turnstile);
    Upstream::script(move |conn: &mut Conn| {
        while conn.request().is_some() {
            turnstile.pass();
            conn.ok("served");
        }
    })
}

/// A request that is sent and not answered yet.
fn begin(proxy: &TestProxy, id: &str) -> Client {
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", id, "", ""));
    proxy.wait_for(id, |log| log.of(id).count("request_started") == 1);
    client
}

fn check_limited(proxy: &TestProxy, id: &str, status: u16) {
    assert_eq!(status, 503);
    let record = proxy.completed(id);
    LIMITED.check_record(&record);
    assert!(record.get("attempts").is_none(), "{record:?}");
    assert_eq!(proxy.log().of(id).count("request_failed"), 0);
}

#[test]
fn one_runs_one_waits_and_the_third_is_refused() {
    let turnstile = Arc::default();
    let upstream = held(&turnstile);
    let setup = Setup::before(&upstream).upstream("max_requests = 1\nqueue = { requests = 1, timeout = \"20s\" }");
    // On one core, so that who was read first waits first.
    let proxy = setup.top("workers", "1").start();
    let mut first = begin(&proxy, "first");
    let mut second = begin(&proxy, "second");
    let status = get(proxy.addr(), "/", "third").status();
    check_limited(&proxy, "third", status);
    turnstile.open(2);
    first.answer().ok();
    second.answer().ok();
    assert_eq!(upstream.accepted(), 1, "never more than one at a time");
    let waited = proxy.completed("second");
    let queue = waited.get("timing").and_then(|timing| timing.get("queue")).and_then(|queue| queue.as_f64()).unwrap();
    assert!(queue > 0.0 && queue <= waited.get("duration").unwrap().as_f64().unwrap(), "{waited:?}");
    proxy.stop();
}

#[test]
fn who_waits_for_too_long_is_told() {
    let turnstile = Arc::default();
    let upstream = held(&turnstile);
    let setup = Setup::before(&upstream).upstream("max_requests = 1\nqueue = { requests = 10, timeout = \"100ms\" }");
    let proxy = setup.start();
    let mut first = begin(&proxy, "first");
    let status = get(proxy.addr(), "/", "waits").status();
    check_limited(&proxy, "waits", status);
    assert!(proxy.completed("waits").get("duration").unwrap().as_f64().unwrap() >= 0.1);
    turnstile.open(1);
    first.answer().ok();
    proxy.stop();
}

#[test]
fn without_a_queue_nobody_waits() {
    let turnstile = Arc::default();
    let upstream = held(&turnstile);
    let proxy = Setup::before(&upstream).upstream("max_requests = 1\nqueue = \"off\"").start();
    let mut first = begin(&proxy, "first");
    let status = get(proxy.addr(), "/", "no-queue").status();
    check_limited(&proxy, "no-queue", status);
    turnstile.open(1);
    first.answer().ok();
    proxy.stop();
}

#[test]
fn who_leaves_the_queue_takes_no_place() {
    let turnstile = Arc::default();
    let upstream = held(&turnstile);
    let setup = Setup::before(&upstream).upstream("max_requests = 1\nqueue = { requests = 10, timeout = \"20s\" }");
    let proxy = setup.start();
    let mut first = begin(&proxy, "first");
    drop(begin(&proxy, "leaves"));
    assert_eq!(proxy.completed("leaves").text("outcome"), "client_abort");
    let mut last = begin(&proxy, "last");
    turnstile.open(2);
    first.answer().ok();
    last.answer().ok();
    proxy.stop();
}

#[test]
fn no_server_has_more_than_its_limit_over_all_cores_and_all_are_served() {
    let (running, most) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let busy = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |conn: &mut Conn| {
            while conn.request().is_some() {
                let now = {
                    let mut running = running.lock().unwrap();
                    *running += 1;
                    *running
                };
                let mut most = most.lock().unwrap();
                *most = now.max(*most);
                drop(most);
                (0..50).for_each(|_| std::thread::yield_now());
                *running.lock().unwrap() -= 1;
                conn.ok("served");
            }
        }
    };
    let upstream = Upstream::script(busy);
    let setup = Setup::before(&upstream).upstream("max_requests = 3\nqueue = { requests = 100, timeout = \"20s\" }");
    let proxy = setup.start();
    let start = Barrier::new(24);
    in_parallel(24, |index| {
        let mut client = Client::connect(proxy.addr());
        start.wait();
        for turn in 0..8 {
            client.exchange(request("GET", "/", &format!("busy-{index}-{turn}"), "", "")).ok();
        }
    });
    proxy.stop();
    let most = *most.lock().unwrap();
    assert!((1..=3).contains(&most), "{most}");
}

#[test]
fn a_server_at_its_limit_is_passed_over() {
    let turnstile = Arc::default();
    let (full, free) = (held(&turnstile), Upstream::ok());
    let setup =
        Setup::among(&[&free]).server(&format!("{{ url = \"{}\", weight = 100, max_requests = 1 }}", full.url()));
    let proxy = setup.top("workers", "1").start();
    let mut first = begin(&proxy, "first");
    for index in 0..20 {
        get(proxy.addr(), "/", &format!("free-{index}")).ok();
        let record = proxy.completed(&format!("free-{index}"));
        assert_eq!(record.text("upstream_address"), free.addr().to_string(), "{record:?}");
    }
    turnstile.open(1);
    first.answer().ok();
    proxy.stop();
}
