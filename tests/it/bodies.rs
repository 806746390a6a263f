//! Bodies both ways: large, chunked, with trailers, held back, answered early; bytes counted are bytes moved.

use std::sync::{Mutex, mpsc};

use crate::support::{Client, PARALLEL, Recorder, Setup, Upstream, get, in_parallel, request};

const LARGE: usize = 16 << 20;

/// Bytes that differ from place to place, so that a lost or doubled piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + body.len() / size * 8);
    for piece in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

#[test]
fn a_large_upload_arrives_and_is_counted() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let body = pattern(LARGE);
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "length", &format!("Content-Length: {LARGE}\r\n"), ""));
    client.send(&body);
    client.answer().ok();
    client.send(request("POST", "/", "chunked", "Transfer-Encoding: chunked\r\n", ""));
    client.send(chunked(&body, 50_000));
    client.answer().ok();
    for id in ["length", "chunked"] {
        assert!(recorder.request(id).body == body, "{id}: the body differs");
        let record = proxy.completed(id);
        assert_eq!(record.number("request_size"), LARGE as u64);
        assert_eq!(record.get("content_length").is_some(), id == "length", "{record:?}");
    }
    proxy.stop();
}

#[test]
fn a_large_download_arrives_and_is_counted() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            let body = pattern(LARGE);
            if asked.start[1] == "/chunked" {
                conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                conn.send(chunked(&body, 50_000));
            } else {
                conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
                conn.send(&body);
            }
        }
    });
    let proxy = Setup::before(&upstream).start();
    for id in ["length", "chunked"] {
        assert!(get(proxy.addr(), &format!("/{id}"), id).whole().body == pattern(LARGE), "{id}: the body differs");
        assert_eq!(proxy.completed(id).number("response_size"), LARGE as u64);
    }
    proxy.stop();
}

/// How much is read at once follows what came before; where one answer ends and the next begins does not.
#[test]
fn answers_of_every_length_follow_each_other_on_one_connection() {
    const K: usize = 1024;
    let lengths =
        [0, 64 * K, 1, 15 * K, 16 * K + 1, 3, 127 * K, 128 * K, 128 * K + 1, 700 * K, 5, 300 * K, 2 * K, 0, 9];
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            let length: usize = asked.start[1][1..].parse().unwrap();
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            // In pieces of which none is as long as what was read before it.
            pattern(length).chunks(1 + length % 7 * 9_000 + length / 3).for_each(|piece| conn.send(piece));
        }
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    for (place, length) in lengths.into_iter().enumerate() {
        client.send(request("GET", &format!("/{length}"), &format!("answer-{place}"), "", ""));
        assert!(client.answer().ok().body == pattern(length), "answer {place}, of {length} bytes, differs");
        assert_eq!(proxy.completed(&format!("answer-{place}")).number("response_size"), length as u64);
    }
    assert_eq!(upstream.accepted(), 1, "each answer ended where it said");
    proxy.stop();
}

#[test]
fn small_chunked_bodies_pass_both_ways() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            conn.send(chunked(&asked.body, 3));
        }
    });
    let proxy = Setup::before(&upstream).start();
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        for round in 0..4 {
            let id = format!("echo-{index}-{round}");
            let body = pattern(index * 100 + round);
            client.send(request("POST", "/", &id, "Transfer-Encoding: chunked\r\n", ""));
            client.send(chunked(&body, 7));
            assert_eq!(client.answer().whole().body, body);
            let record = proxy.completed(&id);
            let sizes = (record.number("request_size"), record.number("response_size"));
            assert_eq!(sizes, (body.len() as u64, body.len() as u64));
        }
    });
    proxy.stop();
}

#[test]
fn trailers_of_the_answer_pass_but_for_what_is_not_the_clients() {
    let upstream = Upstream::answering(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum, X-Exception-Type, Content-Length, Set-Cookie\r\n\
          Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
          X-Exception-Type: Inner\r\nX-Sum: 42\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\n\r\n",
    );
    let proxy = Setup::before(&upstream).start();
    let asking = request("GET", "/", "trailers", "TE: trailers\r\nConnection: TE\r\n", "");
    let answer = Client::connect(proxy.addr()).exchange(asking).ok();
    assert_eq!(answer.text(), "ok");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    proxy.completed("trailers");
    proxy.stop();
}

#[test]
fn trailers_of_the_request_pass() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "trailers", "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", ""));
    client.send("2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n");
    client.answer().ok();
    let seen = recorder.request("trailers");
    assert_eq!(seen.body, b"ok");
    assert_eq!(seen.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    proxy.stop();
}

#[test]
fn trailers_cannot_smuggle_framing_or_identity() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "trailers", "Transfer-Encoding: chunked\r\n", ""));
    client.send("2\r\nok\r\n0\r\nContent-Length: 9\r\nHost: evil\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n");
    let status = client.answer().status();
    assert!(matches!(status, 200 | 400), "{status}");
    for message in recorder.since(0).iter().filter(|message| message.is_complete()) {
        for name in ["content-length", "host", "transfer-encoding", "x-forwarded-for"] {
            assert!(message.trailers.iter().all(|(key, _)| key != name), "{message:?}");
        }
    }
    proxy.stop();
}

/// Answers before the request's body has come, and goes on as `then` says.
fn answers_early(then: fn(&mut crate::support::Conn)) -> Upstream {
    Upstream::script(move |conn| {
        conn.head();
        conn.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big");
        then(conn);
    })
}

fn assert_early_answer(upstream: &Upstream) {
    let proxy = Setup::before(upstream).start();
    in_parallel(PARALLEL, |index| {
        let id = format!("early-{index}");
        let mut client = Client::connect(proxy.addr());
        client.send(request("POST", "/", &id, "Content-Length: 10000000\r\n", ""));
        client.send("the first bytes");
        let answer = client.answer().whole();
        assert_eq!((answer.status(), answer.text().as_str()), (413, "too big"));
        drop(client);
        let record = proxy.completed(&id);
        let told = (record.number("status_code"), record.text("outcome"), record.text("responder"));
        assert_eq!(told, (413, "client_error", "upstream"), "{record:?}");
    });
    proxy.stop();
}

#[test]
fn an_answer_before_the_end_of_the_body_arrives_at_once() {
    assert_early_answer(&answers_early(|conn| drop(conn.stall())));
}

#[test]
fn an_early_answer_with_a_closed_connection_arrives() {
    assert_early_answer(&answers_early(|conn| {
        conn.finish_sending();
        conn.stall();
    }));
}

#[test]
fn an_early_answer_arrives_while_the_client_is_still_sending() {
    let upstream = Upstream::script(|conn| {
        conn.head();
        conn.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big");
        conn.finish_sending();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "pushy", &format!("Content-Length: {LARGE}\r\n"), ""));
    for piece in pattern(LARGE).chunks(64 * 1024) {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    let answer = client.answer();
    let record = proxy.completed("pushy");
    assert_eq!((record.number("status_code"), record.text("responder")), (413, "upstream"), "{record:?}");
    // A client that pushes on may lose the answer to its own reset; it must not get another one.
    assert!(matches!(answer.status(), 413 | 0), "{answer:?}");
    proxy.stop();
}

#[test]
fn an_upstream_that_answers_early_and_reads_on_gets_the_whole_body() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::script(move |conn| {
        let mut head = conn.head();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
        conn.body(&mut head);
        tell.lock().unwrap().send(head).unwrap();
        conn.send("4\r\nlate\r\n0\r\n\r\n");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "duplex", "Content-Length: 10\r\n", ""));
    client.send("first");
    assert_eq!(client.head().status(), 200);
    client.send("secnd");
    assert_eq!(told.recv().unwrap().body, b"firstsecnd");
    let record = proxy.completed("duplex");
    assert_eq!((record.text("outcome"), record.number("request_size")), ("success", 10));
    assert_eq!(record.number("response_size"), 9);
    proxy.stop();
}

#[test]
fn the_rest_of_a_request_is_sent_after_its_answer_and_the_connection_serves_again() {
    let upstream = Upstream::script(|conn| {
        let mut head = conn.head();
        conn.ok("early");
        conn.body(&mut head);
        assert_eq!(head.body, b"firstsecnd");
        while conn.request().is_some() {
            conn.ok("again");
        }
    });
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "answered", "Content-Length: 10\r\n", ""));
    client.send("first");
    assert_eq!(client.answer().ok().body, b"early");
    client.send("secnd");
    // The answer ends the exchange: what is sent later is not waited for with its record.
    assert_eq!(proxy.completed("answered").text("outcome"), "success");
    assert_eq!(client.exchange(request("GET", "/", "next", "", "")).ok().body, b"again");
    assert!(proxy.completed("next").is("reused_connection"));
    proxy.stop();
}

#[test]
fn a_connection_that_is_owed_the_rest_of_a_request_serves_nobody_else() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let upstream = Upstream::script(move |conn| {
        if conn.index > 0 {
            conn.request();
            return conn.ok("fresh");
        }
        conn.head();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nearly");
        released.lock().unwrap().recv().unwrap();
        conn.send("later");
        let rest = conn.stall();
        assert!(!rest.windows(5).any(|window| window == b"GET /"), "{}", rest.escape_ascii());
    });
    let proxy = Setup::before(&upstream).top("workers", "1").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "broken-off", "Transfer-Encoding: chunked\r\n", ""));
    client.send("5\r\nfirst\r\n");
    assert_eq!(client.head().status(), 200);
    client.send("no chunk size\r\n");
    release.send(()).unwrap();
    client.rest();
    proxy.completed("broken-off");
    assert_eq!(get(proxy.addr(), "/", "next").ok().body, b"fresh");
    assert!(!proxy.completed("next").is("reused_connection"));
    proxy.stop();
}

#[test]
fn bytes_are_passed_on_as_they_come() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let upstream = Upstream::script(move |conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        released.lock().unwrap().recv().unwrap();
        conn.send("6\r\nsecond\r\n0\r\n\r\n");
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", "stream", "", ""));
    assert_eq!(client.head().status(), 200);
    assert!(client.read_some().starts_with(b"5\r\nfirst\r\n"), "the first chunk comes before the second is sent");
    release.send(()).unwrap();
    proxy.completed("stream");
    proxy.stop();
}

/// A server that answers early and waits for the rest of the request would take the next request for that rest.
#[test]
fn a_connection_whose_request_never_became_whole_carries_no_other() {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let upstream = Upstream::script(move |conn| {
        let head = conn.head();
        if head.start[0] == "GET" {
            return conn.ok("second");
        }
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        may_go.lock().unwrap().recv().unwrap();
        conn.send("after");
        let swallowed = conn.stall();
        assert_eq!(swallowed, b"half", "another request was taken for the rest of this one");
    });
    let proxy = Setup::before(&upstream).set("limits", "body_idle_timeout = \"200ms\"").top("workers", "1").start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "half", "Content-Length: 100\r\n", ""));
    client.send("half");
    assert_eq!(client.head().status(), 200);
    // The body's time runs out while the answer goes on.
    client.patience(std::time::Duration::from_millis(800));
    assert_eq!(client.rest().0, b"first");
    client.patience(crate::support::DEADLINE);
    go.send(()).unwrap();
    assert!(client.rest().0.starts_with(b"after"));
    assert_eq!(get(proxy.addr(), "/", "second").ok().text(), "second");
    proxy.stop();
    assert_eq!(upstream.accepted(), 2);
}
