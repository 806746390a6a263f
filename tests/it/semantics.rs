//! What RFC 9110 and RFC 9112 ask of an intermediary, seen from both sides.

use std::sync::{Mutex, mpsc};

use crate::support::wire::Message;
use crate::support::{Client, PARALLEL, Recorder, Setup, Upstream, get, in_parallel, request};

/// Sends one request through a recorder and returns what arrived there.
fn arrives(method: &'static str, target: &str, more: &str, body: &str) -> Message {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request(method, target, "one", more, body));
    client.answer_to(method).ok();
    let seen = recorder.request("one");
    proxy.stop();
    seen
}

/// Lets an upstream answer with literal bytes and returns what the client got.
fn answered(method: &'static str, bytes: &'static [u8]) -> Message {
    let upstream = Upstream::answering(bytes);
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request(method, "/", "one", "", ""));
    let answer = client.answer_to(method).whole();
    let record = proxy.completed("one");
    assert_eq!(record.number("status_code"), u64::from(answer.status()));
    assert_eq!(record.number("response_size"), answer.body.len() as u64);
    proxy.stop();
    answer
}

#[test]
fn hop_by_hop_fields_and_those_connection_names_are_removed() {
    let more = "Connection: keep-alive, X-Private, close\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
                X-Private: secret\r\nTE: gzip, trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Public: kept\r\n";
    let seen = arrives("GET", "/", more, "");
    for name in ["x-private", "keep-alive", "proxy-connection", "upgrade", "http2-settings"] {
        assert_eq!(seen.header(name), None, "{seen:?}");
    }
    assert_eq!(seen.header("x-public"), Some("kept"));
}

#[test]
fn hop_by_hop_fields_of_the_answer_are_removed() {
    let answer = answered(
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: secret\r\nProxy-Connection: close\r\n\
          X-Public: kept\r\nContent-Length: 2\r\n\r\nok",
    );
    for name in ["x-private", "keep-alive", "proxy-connection"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
    assert_eq!(answer.header("x-public"), Some("kept"));
}

#[test]
fn via_is_added_in_both_directions() {
    let seen = arrives("GET", "/", "Via: 1.0 before\r\n", "");
    let via = seen.all("via").collect::<Vec<_>>().join(", ");
    assert!(via.starts_with("1.0 before, 1.1 "), "{via}");
    let answer = answered("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert!(answer.header("via").is_some_and(|via| via.starts_with("1.1 ")), "{answer:?}");
}

#[test]
fn max_forwards_is_counted_down() {
    assert_eq!(arrives("OPTIONS", "/", "Max-Forwards: 3\r\n", "").header("max-forwards"), Some("2"));
    assert_eq!(arrives("GET", "/", "Max-Forwards: 3\r\n", "").header("max-forwards"), Some("3"));
}

#[test]
fn max_forwards_zero_is_answered_here() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let asking = request("OPTIONS", "/", "zero", "Max-Forwards: 0\r\n", "");
    Client::connect(proxy.addr()).exchange(asking).ok();
    assert_eq!(proxy.completed("zero").text("responder"), "gatelog");
    proxy.stop();
    assert_eq!(recorder.count(), 0);
}

#[test]
fn head_has_the_fields_but_no_body() {
    let answer = answered("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("1234"), 0));
}

#[test]
fn no_content_and_not_modified_have_no_body() {
    assert_eq!(answered("GET", b"HTTP/1.1 204 No Content\r\n\r\n").status(), 204);
    let answer = answered("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n");
    assert_eq!((answer.status(), answer.header("etag")), (304, Some("\"a\"")));
}

#[test]
fn an_answer_may_be_empty() {
    let answer = answered("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("0"), 0));
}

#[test]
fn unknown_methods_and_statuses_pass() {
    assert_eq!(arrives("PROPFIND", "/dav", "", "<a/>").start[0], "PROPFIND");
    assert_eq!(arrives("frob", "/", "", "").start[0], "frob");
    assert_eq!(answered("GET", b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n").status(), 299);
    assert_eq!(answered("GET", b"HTTP/1.1 599 Odder\r\nContent-Length: 0\r\n\r\n").status(), 599);
}

#[test]
fn the_target_arrives_as_it_was_sent() {
    for target in ["/a/../b//c/./d?x=1&&y=%zz", "/%41%2f%00", "/?", "/a?b?c", "/;p=1,2'()*!$&+=:@~"] {
        assert_eq!(arrives("GET", target, "", "").start[1], target);
    }
}

#[test]
fn options_asterisk_arrives_as_such() {
    assert_eq!(arrives("OPTIONS", "*", "", "").start[1], "*");
}

#[test]
fn absolute_form_beats_host() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let bytes = "GET http://right.example/path?q HTTP/1.1\r\nHost: wrong.example\r\nX-Request-ID: abs\r\n\r\n";
    Client::connect(proxy.addr()).exchange(bytes).ok();
    let seen = recorder.request("abs");
    assert_eq!((seen.start[1].as_str(), seen.header("host")), ("/path?q", Some("right.example")));
    let record = proxy.completed("abs");
    assert_eq!((record.text("host"), record.text("path"), record.text("query")), ("right.example", "/path", "q"));
    proxy.stop();
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let recorder = Recorder::start();
    let proxy = Setup::before(&recorder.upstream).start();
    let mut client = Client::connect(proxy.addr());
    let answer = client.exchange("GET /old HTTP/1.0\r\nX-Request-ID: old\r\n\r\n").ok();
    assert_eq!(answer.text(), "ok");
    assert!(client.rest().0.is_empty());
    let record = proxy.completed("old");
    assert_eq!((record.text("http_version"), record.get("host")), ("1.0", None));
    let seen = recorder.request("old");
    assert_eq!(seen.start[2], "HTTP/1.1");
    proxy.stop();
}

#[test]
fn http_1_0_can_keep_its_connection() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    for id in ["first", "second"] {
        let asking = format!("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nX-Request-ID: {id}\r\n\r\n");
        client.exchange(asking).ok();
        proxy.completed(id);
    }
    proxy.stop();
}

#[test]
fn a_chunked_answer_reaches_an_http_1_0_client_unchunked() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    let answer = client.exchange("GET / HTTP/1.0\r\nHost: a\r\nX-Request-ID: old\r\n\r\n").ok();
    assert_eq!((answer.header("transfer-encoding"), answer.text().as_str()), (None, "hello"));
    proxy.completed("old");
    proxy.stop();
}

#[test]
fn connections_are_kept_and_pipelined_requests_answered_in_order() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            conn.ok(&asked.start[1]);
        }
    });
    let proxy = Setup::before(&upstream).start();
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        let all: Vec<u8> =
            (0..20).flat_map(|at| request("GET", &format!("/{at}"), &format!("pipe-{index}-{at}"), "", "")).collect();
        client.send(all);
        for at in 0..20 {
            assert_eq!(client.answer().whole().text(), format!("/{at}"));
        }
    });
    assert_eq!(proxy.stop().count("request_completed"), 20 * PARALLEL);
}

#[test]
fn connection_close_is_obeyed() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.exchange(request("GET", "/", "last", "Connection: close\r\n", "")).ok();
    assert!(client.rest().0.is_empty());
    proxy.completed("last");
    proxy.stop();
}

#[test]
fn early_hints_pass_before_the_answer() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let upstream = Upstream::script(move |conn| {
        conn.request();
        conn.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Exception-Message: secret\r\n\r\n");
        released.lock().unwrap().recv().unwrap();
        conn.ok("done");
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", "hints", "", ""));
    let hint = client.head();
    assert_eq!((hint.status(), hint.header("link")), (103, Some("</style.css>; rel=preload")));
    assert_eq!(hint.header("x-exception-message"), None);
    release.send(()).unwrap();
    assert_eq!(client.answer().whole().text(), "done");
    assert_eq!(proxy.completed("hints").number("status_code"), 200);
    proxy.stop();
}

#[test]
fn interim_answers_do_not_reach_http_1_0() {
    let upstream =
        Upstream::answering(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Setup::before(&upstream).start();
    let answer = Client::connect(proxy.addr()).exchange("GET / HTTP/1.0\r\nHost: a\r\nX-Request-ID: old\r\n\r\n");
    assert!(answer.interim.is_empty(), "{answer:?}");
    assert_eq!(answer.whole().text(), "ok");
    proxy.completed("old");
    proxy.stop();
}

#[test]
fn a_continue_is_sent_before_the_body_comes() {
    let upstream = Upstream::script(|conn| {
        let mut head = conn.head();
        conn.send("HTTP/1.1 100 Continue\r\n\r\n");
        conn.body(&mut head);
        conn.ok(&head.text());
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/", "expect", "Expect: 100-continue\r\nContent-Length: 4\r\n", ""));
    assert_eq!(client.head().status(), 100);
    client.send("body");
    let answer = client.answer();
    assert!(answer.interim.is_empty(), "one 100 is enough: {answer:?}");
    assert_eq!(answer.whole().text(), "body");
    assert_eq!(proxy.completed("expect").number("request_size"), 4);
    proxy.stop();
}

#[test]
fn a_refused_expectation_needs_no_body() {
    let upstream = Upstream::script(|conn| {
        let head = conn.head();
        assert_eq!(head.header("expect"), Some("100-continue"), "Expect has to be passed on");
        conn.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
        conn.stall();
    });
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    let asking = request("POST", "/", "expect", "Expect: 100-continue\r\nContent-Length: 4\r\n", "");
    let answer = client.exchange(asking);
    assert!(answer.interim.is_empty(), "the upstream never asked for the body: {answer:?}");
    assert_eq!(answer.whole().status(), 417);
    let record = proxy.completed("expect");
    assert_eq!((record.text("outcome"), record.number("request_size")), ("client_error", 0));
    proxy.stop();
}

#[test]
fn several_values_of_a_field_keep_their_order() {
    let seen = arrives("GET", "/", "X-Many: a\r\nX-Many: b\r\nCookie: a=1\r\nX-Many: c\r\n", "");
    assert_eq!(seen.all("x-many").collect::<Vec<_>>(), ["a", "b", "c"]);
    let answer =
        answered("GET", b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(answer.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[test]
fn the_outcome_follows_the_status() {
    let upstream = Upstream::script(|conn| {
        while let Some(asked) = conn.request() {
            let status = asked.start[1].trim_start_matches('/').to_owned();
            conn.send(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok"));
        }
    });
    let proxy = Setup::before(&upstream).start();
    let expected = [
        ("200", "success", "INFO"),
        ("302", "redirect", "INFO"),
        ("404", "client_error", "WARNING"),
        ("500", "server_error", "ERROR"),
    ];
    for (status, outcome, level) in expected {
        get(proxy.addr(), &format!("/{status}"), status).whole();
        let record = proxy.completed(status);
        assert_eq!((record.text("outcome"), record.text("level"), record.text("phase")), (outcome, level, "done"));
        assert_eq!((record.text("responder"), record.text("upstream")), ("upstream", "app"));
        assert_eq!(proxy.log().of(status).count("request_failed"), 0, "gatelog never invents an exception");
    }
    proxy.stop();
}

#[test]
fn an_exception_that_the_upstream_reports_is_told_and_stripped() {
    let answer =
        b"HTTP/1.1 500 Internal Server Error\r\nX-Exception-Type: ValueError\r\nX-Exception-Message: bad pk\r\n\
                   Content-Length: 2\r\n\r\nno";
    let upstream = Upstream::answering(answer);
    let proxy = Setup::before(&upstream).start();
    let answer = get(proxy.addr(), "/", "raised").whole();
    assert_eq!((answer.header("x-exception-type"), answer.header("x-exception-message")), (None, None));
    let record = proxy.completed("raised");
    let told = (record.text("outcome"), record.text("exception_type"), record.text("exception_message"));
    assert_eq!(told, ("server_error", "ValueError", "bad pk"));
    assert_eq!(proxy.log().of("raised").only("request_failed").text("exception_type"), "ValueError");
    proxy.stop();
}
