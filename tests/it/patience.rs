//! Limits in time: each cuts off what it is about, and nothing else. Slow is not stalled.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::support::{Client, DEADLINE, Ended, Setup, Upstream, in_parallel, request};

/// Longer than the limit of the test and the moment that a connection is given to end well.
const LONG: Duration = Duration::from_secs(3);

fn get(target: &str, id: &str) -> Vec<u8> {
    request("GET", target, id, "", "")
}

#[test]
fn an_answer_may_last_longer_than_keep_alive() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        assert!(!conn.is_left_within(LONG), "the proxy left in the middle of the answer");
        conn.send("after");
    });
    let proxy = Setup::before(&upstream).set("limits", "keep_alive = \"100ms\"\nheader_timeout = \"100ms\"").start();
    let answer = Client::connect(proxy.addr()).exchange(get("/", "long")).ok();
    assert_eq!(answer.text(), "firstafter");
    assert_eq!(proxy.completed("long").text("outcome"), "success");
    proxy.stop();
}

/// An upstream whose answer is finished when the test says so.
fn half_an_answer() -> (Upstream, mpsc::Sender<()>) {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
            may_go.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            conn.send("after");
        }
    });
    (upstream, go)
}

#[test]
fn nothing_that_follows_a_request_breaks_its_answer() {
    for next in ["NOT HTTP\r\n\r\n", "GET / HTTP/1.1\r\nHos"] {
        let (upstream, go) = half_an_answer();
        let proxy = Setup::before(&upstream).set("limits", "header_timeout = \"200ms\"").start();
        let mut client = Client::connect(proxy.addr());
        client.send(get("/", "first"));
        assert_eq!(client.head().status(), 200);
        client.send(next);
        client.patience(Duration::from_millis(700));
        let (early, ended) = client.rest();
        client.patience(DEADLINE);
        go.send(()).unwrap();
        let (late, _) = client.rest();
        let all = [early, late].concat();
        assert_eq!(ended, Ended::Silent, "{next:?}: {}", all.escape_ascii());
        assert!(all.starts_with(b"firstafterHTTP/1.1 4"), "{next:?}: {}", all.escape_ascii());
        assert_eq!(proxy.completed("first").text("outcome"), "success");
        assert_eq!(proxy.stop().count("request_rejected"), 1);
    }
}

/// The request has its answer and its terminal record: what is wrong with the rest of its body is no other request's.
#[test]
fn a_body_that_turns_bad_beside_an_early_answer_is_not_rejected_again() {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let upstream = Upstream::script(move |conn| {
        conn.head();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        may_go.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        conn.send("after");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "early", "Transfer-Encoding: chunked\r\n", ""));
    client.send("4\r\ngood\r\n");
    assert_eq!(client.head().status(), 200);
    client.send("not a chunk\r\n");
    client.patience(Duration::from_millis(500));
    let early = client.rest().0;
    client.patience(DEADLINE);
    go.send(()).unwrap();
    let all = [early, client.rest().0].concat();
    assert_eq!(all.escape_ascii().to_string(), "firstafter");
    proxy.completed("early");
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (1, 0));
}

#[test]
fn a_client_that_reads_slowly_is_not_one_that_does_not_read() {
    const SIZE: usize = 24 << 20;
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
            conn.send(vec![b'x'; SIZE]);
        }
    });
    let proxy = Setup::before(&upstream).set("limits", "body_idle_timeout = \"1s\"").start();
    let mut client = Client::connect_narrow(proxy.addr());
    client.send(get("/", "slow-reader"));
    assert_eq!(client.head().status(), 200);
    let (_never, pace) = mpsc::channel::<()>();
    let mut taken = 0;
    for _ in 0..150 {
        let _ = pace.recv_timeout(Duration::from_millis(20));
        let piece = (0..6).map(|_| client.read_some().len()).sum::<usize>();
        assert!(piece > 0, "cut off after {taken} bytes");
        taken += piece;
    }
    while taken < SIZE {
        let piece = client.read_some().len();
        assert!(piece > 0, "cut off after {taken} bytes");
        taken += piece;
    }
    assert_eq!(proxy.completed("slow-reader").text("outcome"), "success");
    proxy.stop();
}

/// Lets clients ask for answers of growing size and not read them for a while, so that some of them find the proxy with
/// all of an answer in hand and no way to pass it on.
fn not_read_at_first(
    bytes: usize,
    judge: impl Fn(usize, &mut Client) + Sync,
    send: impl Fn(usize) -> Vec<u8> + Sync,
    proxy: &crate::support::TestProxy,
) {
    in_parallel(bytes, |index| {
        let mut client = Client::connect_narrow(proxy.addr());
        client.send(send(index));
        let (_never, pause) = mpsc::channel::<()>();
        let _ = pause.recv_timeout(Duration::from_secs(1));
        client.patience(Duration::from_secs(5));
        judge(index, &mut client);
    });
}

const STEP: usize = 100 << 10;

#[test]
fn an_answer_that_breaks_off_ends_for_a_client_that_had_paused() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            let size: usize = asked.start[1][1..].parse().unwrap();
            conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            conn.send(format!("{size:x}\r\n{}\r\nnonsense\r\n", "x".repeat(size)));
        }
    });
    let proxy = Setup::before(&upstream).start();
    let ask = |index: usize| get(&format!("/{}", (index + 1) * STEP), &format!("breaks-{index}"));
    let judge = |index: usize, client: &mut Client| {
        let (bytes, ended) = client.rest();
        assert_ne!(ended, Ended::Silent, "{index}: nothing ends after {} bytes", bytes.len());
        assert!(bytes.len() >= (index + 1) * STEP, "{index}: only {} bytes came", bytes.len());
    };
    not_read_at_first(60, judge, ask, &proxy);
    for index in 0..60 {
        assert_eq!(proxy.completed(&format!("breaks-{index}")).text("outcome"), "upstream_protocol");
    }
    proxy.stop();
}

#[test]
fn an_interim_response_never_lands_inside_the_answer_before_it() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            match asked.start[1].strip_prefix("/hints") {
                Some(_) => {
                    conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
                    conn.ok("hinted");
                }
                None => {
                    let size: usize = asked.start[1][1..].parse().unwrap();
                    conn.ok(&"x".repeat(size));
                }
            }
        }
    });
    let proxy = Setup::before(&upstream).start();
    let ask = |index: usize| {
        let first = get(&format!("/{}", (index + 1) * STEP), &format!("large-{index}"));
        [first, get("/hints", &format!("hints-{index}"))].concat()
    };
    let judge = |index: usize, client: &mut Client| {
        let large = client.answer().ok();
        assert_eq!(large.body.len(), (index + 1) * STEP);
        assert!(large.body.iter().all(|byte| *byte == b'x'), "{index}: something else is in the answer");
        assert_eq!(client.answer().ok().text(), "hinted");
    };
    not_read_at_first(60, judge, ask, &proxy);
    proxy.stop();
}

/// What a client still sends after its answer is not waited for: nobody is slow here but the client, with what nobody wants.
#[test]
fn an_early_answer_ends_its_request() {
    let upstream = Upstream::script(|conn| {
        conn.head();
        conn.ok("enough");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).set("log", "slow = \"1s\"").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "early", "Content-Length: 100000\r\n", ""));
    client.send("half");
    assert_eq!(client.answer().ok().text(), "enough");
    let record = proxy.completed("early");
    assert_eq!((record.text("outcome"), record.get("slow")), ("success", Some(&false.into())), "{record:?}");
    proxy.stop();
}
