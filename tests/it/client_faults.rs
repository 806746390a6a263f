//! The client misbehaves or leaves: the record says so, in which phase, and nobody else is blamed.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::support::log::Record;
use crate::support::{Client, Conn, Ended, PARALLEL, Setup, TestProxy, Upstream, in_parallel, request};

/// What the log says when the client is the one who ended it.
struct Leaving {
    status: u64,
    outcome: &'static str,
    phases: &'static [&'static str],
}

impl Leaving {
    fn check(&self, proxy: &TestProxy, id: &str) -> Record {
        let record = proxy.completed(id);
        let told = (record.number("status_code"), record.text("outcome"), record.text("level"));
        assert_eq!(told, (self.status, self.outcome, "WARNING"), "{record:?}");
        assert!(self.phases.contains(&record.text("phase")), "{record:?}");
        assert_eq!(proxy.log().of(id).count("request_failed"), 0, "the client's leaving is no exception");
        record
    }
}

const LEFT_WAITING: Leaving = Leaving { status: 499, outcome: "client_abort", phases: &["wait"] };
const LEFT_SENDING: Leaving = Leaving { status: 499, outcome: "client_abort", phases: &["send"] };
const LEFT_RECEIVING: Leaving = Leaving { status: 200, outcome: "client_abort", phases: &["receive"] };
const TOO_SLOW: Leaving = Leaving { status: 408, outcome: "client_timeout", phases: &["send", "read_request"] };

/// An upstream that reports on a channel, first that something began (see `until`), then that the proxy is gone.
fn observed(until: impl Fn(&mut Conn) + Send + Sync + 'static) -> (Upstream, mpsc::Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::script(move |conn| {
        let tell = tell.lock().unwrap().clone();
        until(conn);
        tell.send(()).unwrap();
        conn.stall();
        let _ = tell.send(());
    });
    (upstream, told)
}

/// Lets `PARALLEL` clients start something with an upstream, leave, and checks that upstream and log notice it.
fn all_leave(
    until: fn(&mut Conn),
    leave: impl Fn(Client) + Sync,
    sent: impl Fn(&str) -> Vec<u8> + Sync,
    seen: &Leaving,
) {
    let (upstream, told) = observed(until);
    let proxy = Setup::before(&upstream).start();
    let clients = in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        client.send(sent(&format!("left-{index}")));
        client
    });
    assert_eq!(told.iter().take(PARALLEL).count(), PARALLEL);
    clients.into_iter().for_each(&leave);
    assert_eq!(told.iter().take(PARALLEL).count(), PARALLEL, "the upstream's connections are closed at once");
    for index in 0..PARALLEL {
        seen.check(&proxy, &format!("left-{index}"));
    }
    assert_eq!(proxy.stop().count("request_completed"), PARALLEL);
}

fn get_request(id: &str) -> Vec<u8> {
    request("GET", "/", id, "", "")
}

fn half_a_post(id: &str) -> Vec<u8> {
    request("POST", "/", id, "Content-Length: 100000\r\n", "").into_iter().chain(*b"half").collect()
}

fn reads_the_request(conn: &mut Conn) {
    conn.request();
}

fn reads_the_head(conn: &mut Conn) {
    conn.head();
}

#[test]
fn closing_while_waiting_is_an_abort() {
    all_leave(reads_the_request, drop, get_request, &LEFT_WAITING);
}

#[test]
fn resetting_while_waiting_is_an_abort() {
    all_leave(reads_the_request, Client::reset, get_request, &LEFT_WAITING);
}

#[test]
fn closing_before_the_body_is_complete_is_an_abort() {
    all_leave(reads_the_head, drop, half_a_post, &LEFT_SENDING);
}

#[test]
fn resetting_before_the_body_is_complete_is_an_abort() {
    all_leave(reads_the_head, Client::reset, half_a_post, &LEFT_SENDING);
}

#[test]
fn leaving_inside_a_chunk_is_an_abort() {
    let half = |id: &str| {
        let head = request("POST", "/", id, "Transfer-Encoding: chunked\r\n", "");
        head.into_iter().chain(*b"5\r\nhello\r\n50\r\nhe").collect()
    };
    all_leave(reads_the_head, drop, half, &LEFT_SENDING);
}

#[test]
fn leaving_during_the_answer_is_an_abort_with_the_status_sent() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conn.try_send(format!("400\r\n{}\r\n", "x".repeat(1024))).is_ok() {}
    });
    let proxy = Setup::before(&upstream).start();
    in_parallel(PARALLEL, |index| {
        let id = format!("left-{index}");
        let mut client = Client::connect(proxy.addr());
        client.send(get_request(&id));
        assert_eq!(client.head().status(), 200);
        assert!(!client.read_some().is_empty(), "some of the body is there");
        client.reset();
        let record = LEFT_RECEIVING.check(&proxy, &id);
        assert!(record.number("response_size") > 0);
    });
    proxy.stop();
}

#[test]
fn leaving_during_a_silent_answer_is_noticed_at_once() {
    let begins = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    };
    let (upstream, told) = observed(begins);
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(get_request("silent"));
    assert_eq!(client.head().status(), 200);
    told.recv().unwrap();
    drop(client);
    told.recv().unwrap();
    LEFT_RECEIVING.check(&proxy, "silent");
    proxy.stop();
}

#[test]
fn half_a_head_is_rejected_when_its_time_is_up() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "header_timeout = \"300ms\"").start();
    in_parallel(PARALLEL, |_| {
        let mut client = Client::connect(proxy.addr());
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Ha");
        let peer = client.local_addr();
        assert_eq!(client.answer().status(), 408);
        assert!(matches!(client.rest().1, Ended::Closed | Ended::Cut));
        let own = proxy.wait_for("a rejection", |log| log.of_peer(&peer).count("request_rejected") > 0).of_peer(&peer);
        let rejected = own.only("request_rejected");
        assert_eq!((rejected.number("status_code"), rejected.text("level")), (408, "WARNING"));
        assert_eq!(rejected.text("logger"), "gatelog.security");
        assert_eq!(own.0.len(), 1, "{own:?}");
    });
    proxy.stop();
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn silence_on_a_new_connection_is_no_request() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "header_timeout = \"300ms\"\nkeep_alive = \"300ms\"").start();
    let mut client = Client::connect(proxy.addr());
    let (bytes, _) = client.rest();
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408 "), "{}", bytes.escape_ascii());
    let log = proxy.stop();
    assert_eq!(log.count("request_started") + log.count("request_completed"), 0);
}

#[test]
fn an_idle_connection_is_closed_without_a_record() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "keep_alive = \"200ms\"").start();
    let mut client = Client::connect(proxy.addr());
    client.exchange(get_request("idle")).ok();
    assert_eq!(client.rest(), (Vec::new(), Ended::Closed));
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (1, 0));
}

#[test]
fn a_connection_that_was_answered_at_once_is_idle_for_keep_alive() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "header_timeout = \"300ms\"\nkeep_alive = \"20s\"").start();
    let mut client = Client::connect(proxy.addr());
    client.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n").ok();
    client.patience(Duration::from_millis(900));
    assert_eq!(client.rest(), (Vec::new(), Ended::Silent));
    proxy.stop();
}

#[test]
fn leaving_inside_the_head_is_no_request() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send("GET / HTTP/1.1\r\nHos");
    drop(client);
    let log = proxy.stop();
    assert_eq!(log.count("request_started") + log.count("request_completed"), 0);
}

#[test]
fn a_body_that_stalls_is_a_client_timeout() {
    let upstream = Upstream::script(|conn| drop(conn.whatever_comes()));
    let proxy = Setup::before(&upstream).set("limits", "body_idle_timeout = \"300ms\"").start();
    in_parallel(PARALLEL, |index| {
        let id = format!("stall-{index}");
        let mut client = Client::connect(proxy.addr());
        client.send(half_a_post(&id));
        let answer = client.answer();
        assert_eq!(answer.status(), 408, "{answer:?}");
        assert!(matches!(client.rest().1, Ended::Closed | Ended::Cut));
        let record = TOO_SLOW.check(&proxy, &id);
        assert_eq!(record.number("request_size"), 4);
    });
    proxy.stop();
}

#[test]
fn a_client_that_does_not_read_its_answer_is_a_client_timeout() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conn.try_send(format!("10000\r\n{}\r\n", "x".repeat(0x10000))).is_ok() {}
    });
    let proxy = Setup::before(&upstream).set("limits", "body_idle_timeout = \"500ms\"").start();
    let mut client = Client::connect(proxy.addr());
    client.send(get_request("deaf"));
    assert_eq!(client.head().status(), 200);
    Leaving { status: 200, outcome: "client_timeout", phases: &["receive"] }.check(&proxy, "deaf");
    proxy.stop();
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let upstream = Upstream::script(|conn| drop(conn.whatever_comes()));
    let proxy = Setup::before(&upstream).set("limits", "body_bytes = \"1KB\"").start();
    let declared = request("POST", "/", "declared", "Content-Length: 5000\r\n", "");
    let counted: Vec<u8> = request("POST", "/", "counted", "Transfer-Encoding: chunked\r\n", "")
        .into_iter()
        .chain(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes())
        .collect();
    for (id, bytes) in [("declared", declared), ("counted", counted)] {
        let answer = Client::connect(proxy.addr()).exchange(bytes);
        assert_eq!(answer.status(), 413, "{id}: {answer:?}");
        let record = proxy.completed(id);
        assert_eq!((record.number("status_code"), record.text("outcome")), (413, "limited"), "{record:?}");
        assert_eq!((record.text("level"), record.text("responder")), ("WARNING", "gatelog"), "{record:?}");
        assert_eq!(proxy.log().of(id).count("request_failed"), 0);
    }
    proxy.stop();
    assert!(upstream.accepted() <= 1, "a declared length over the limit is refused before anything is sent on");
}
