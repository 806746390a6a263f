//! SIGTERM with requests in flight: what can finish does, the rest is recorded as what it is.

use std::sync::{Mutex, mpsc};

use crate::support::{Client, PARALLEL, Setup, Upstream, in_parallel, request};

/// An upstream that tells when it has a request, and answers when it is let.
fn held() -> (Upstream, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (tell, released) = (Mutex::new(tell), Mutex::new(released));
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() {
            tell.lock().unwrap().send(()).unwrap();
            if released.lock().unwrap().recv().is_ok() {
                conn.ok("at last");
            }
        }
    });
    (upstream, told, release)
}

#[test]
fn requests_in_flight_finish_within_the_grace() {
    let (upstream, told, release) = held();
    let proxy = Setup::before(&upstream).start();
    let mut clients = in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        client.send(request("GET", "/", &format!("drain-{index}"), "", ""));
        client
    });
    assert_eq!(told.iter().take(PARALLEL).count(), PARALLEL);
    proxy.signal("TERM");
    proxy.wait_for("server_stopping", |log| log.count("server_stopping") > 0);
    for client in &mut clients {
        release.send(()).unwrap();
        let _ = client;
    }
    for client in &mut clients {
        assert_eq!(client.answer().whole().text(), "at last");
        assert!(client.rest().0.is_empty(), "the connection is closed after its last answer");
    }
    let log = proxy.wait();
    for index in 0..PARALLEL {
        assert_eq!(log.completed(&format!("drain-{index}")).text("outcome"), "success");
    }
}

#[test]
fn what_outlives_the_grace_is_recorded_as_shutdown() {
    let (upstream, told, release) = held();
    let proxy = Setup::before(&upstream).top("shutdown_grace", "\"300ms\"").start();
    let clients = in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        client.send(request("GET", "/", &format!("late-{index}"), "", ""));
        client
    });
    assert_eq!(told.iter().take(PARALLEL).count(), PARALLEL);
    let log = proxy.stop();
    for index in 0..PARALLEL {
        let record = log.completed(&format!("late-{index}"));
        assert_eq!((record.text("outcome"), record.text("phase")), ("shutdown", "wait"), "{record:?}");
    }
    drop((clients, release));
}

#[test]
fn an_answer_that_outlives_the_grace_is_recorded_as_shutdown() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).top("shutdown_grace", "\"300ms\"").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", "late", "", ""));
    assert_eq!(client.head().status(), 200);
    let record = proxy.stop().completed("late");
    assert_eq!((record.text("outcome"), record.text("phase")), ("shutdown", "receive"), "{record:?}");
    assert_eq!((record.number("status_code"), record.number("response_size")), (200, 5));
}

#[test]
fn idle_connections_do_not_hold_up_the_shutdown() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut idle = Client::connect(proxy.addr());
    idle.exchange(request("GET", "/", "idle", "", "")).ok();
    let fresh = Client::connect(proxy.addr());
    let started = std::time::Instant::now();
    proxy.stop();
    assert!(started.elapsed().as_secs() < 15, "half of the default grace");
    assert!(idle.rest().0.is_empty());
    drop(fresh);
}

#[test]
fn a_head_that_is_not_whole_at_the_end_has_its_record() {
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            conn.ok("fine");
        }
    });
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    let mut half = Client::connect(proxy.addr());
    half.exchange(request("GET", "/", "whole", "", "")).ok();
    half.send("GET /half HTTP/1.1\r\nHos");
    // What came earlier to the only thread is read earlier: once this is answered, the half head is there.
    Client::connect(proxy.addr()).exchange(request("GET", "/", "other", "", "")).ok();
    proxy.signal("TERM");
    let log = proxy.wait();
    let rejected = log.events("request_rejected");
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!(rejected[0].text("reason"), "shutdown");
    assert!(rejected[0].text("excerpt").starts_with("GET /half"), "{rejected:?}");
}
