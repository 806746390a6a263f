//! HTTP/2 clients: by prior knowledge and by ALPN, whole answers, stream resets, lost connections.

use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use h2::Reason;
use http::{Request, Response, StatusCode};
use tokio::net::TcpStream;

use crate::support::h2::{H2, run, whole};
use crate::support::h2_upstream::H2Upstream;
use crate::support::{Client, DEADLINE, Fault, PARALLEL, Setup, TestProxy, Upstream, misbehave, request};

/// Waits for a message of an upstream's thread without holding up the runtime.
async fn told(channel: &Arc<Mutex<mpsc::Receiver<()>>>) {
    let channel = Arc::clone(channel);
    tokio::task::spawn_blocking(move || channel.lock().unwrap().recv_timeout(DEADLINE).unwrap()).await.unwrap();
}

/// An upstream that tells when it has read a request's head, sends `then`, and tells when the proxy is gone.
pub(crate) fn observed(then: &'static str) -> (Upstream, Arc<Mutex<mpsc::Receiver<()>>>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::script(move |conn| {
        let tell = tell.lock().unwrap().clone();
        conn.head();
        conn.send(then);
        tell.send(()).unwrap();
        conn.stall();
        let _ = tell.send(());
    });
    (upstream, Arc::new(Mutex::new(told)))
}

fn assert_abort(proxy: &TestProxy, id: &str, status: u64, phase: &str) {
    let record = proxy.completed(id);
    let seen = (record.number("status_code"), record.text("outcome"), record.text("phase"), record.text("level"));
    assert_eq!(seen, (status, "client_abort", phase, "WARNING"), "{record:?}");
    assert_eq!(record.text("http_version"), "2");
    assert_eq!(proxy.log().of(id).count("request_failed"), 0);
}

#[test]
fn streams_of_one_connection_are_answered_side_by_side() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).tls().start();
    run(async {
        assert_eq!(H2::connect(proxy.addr()).await.get("plain").await, (StatusCode::OK, b"ok".to_vec()));
        let mut h2 = H2::connect_tls(proxy.tls_addr()).await;
        let answers: Vec<_> = (0..PARALLEL).map(|index| h2.send("GET", &format!("side-{index}"), true).0).collect();
        for answer in answers {
            let response = answer.await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(whole(response.into_body()).await.unwrap(), b"ok");
        }
    });
    for index in 0..PARALLEL {
        let record = proxy.completed(&format!("side-{index}"));
        assert_eq!((record.text("outcome"), record.text("http_version")), ("success", "2"));
        assert_eq!((record.text("scheme"), record.text("host")), ("https", "test.example"));
        assert_eq!(record.get("tls").unwrap()["alpn"], "h2");
    }
    assert!(proxy.completed("plain").get("tls").is_none());
    proxy.stop();
}

#[test]
fn a_stream_reset_while_waiting_is_an_abort() {
    let (upstream, channel) = observed("");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for index in 0..PARALLEL {
            let (_answer, mut stream) = h2.send("GET", &format!("reset-{index}"), true);
            told(&channel).await;
            stream.send_reset(Reason::CANCEL);
            told(&channel).await;
        }
    });
    for index in 0..PARALLEL {
        assert_abort(&proxy, &format!("reset-{index}"), 499, "wait");
    }
    proxy.stop();
}

#[test]
fn a_stream_reset_during_the_answer_is_an_abort() {
    let (upstream, channel) = observed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for index in 0..PARALLEL {
            let (answer, mut stream) = h2.send("GET", &format!("reset-{index}"), true);
            assert_eq!(answer.await.unwrap().into_body().data().await.unwrap().unwrap(), "hello");
            told(&channel).await;
            stream.send_reset(Reason::CANCEL);
            told(&channel).await;
        }
    });
    for index in 0..PARALLEL {
        assert_abort(&proxy, &format!("reset-{index}"), 200, "receive");
    }
    proxy.stop();
}

#[test]
fn a_stream_reset_inside_the_request_body_is_an_abort() {
    let (upstream, channel) = observed("");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (_answer, mut stream) = h2.send("POST", "upload", false);
        stream.send_data(Bytes::from_static(b"half"), false).unwrap();
        told(&channel).await;
        stream.send_reset(Reason::CANCEL);
        told(&channel).await;
    });
    assert_abort(&proxy, "upload", 499, "send");
    proxy.stop();
}

#[test]
fn a_lost_connection_aborts_all_its_streams() {
    let (upstream, channel) = observed("");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let streams: Vec<_> = (0..PARALLEL).map(|index| h2.send("GET", &format!("lost-{index}"), true)).collect();
        for _ in 0..PARALLEL {
            told(&channel).await;
        }
        h2.cut();
        drop(streams);
        for _ in 0..PARALLEL {
            told(&channel).await;
        }
    });
    for index in 0..PARALLEL {
        assert_abort(&proxy, &format!("lost-{index}"), 499, "wait");
    }
    proxy.stop();
}

#[test]
fn a_reset_stream_leaves_the_others_alone() {
    let (upstream, channel) = observed("");
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (_first, mut stream) = h2.send("GET", "one", true);
        told(&channel).await;
        stream.send_reset(Reason::CANCEL);
        told(&channel).await;
        let (second, _stream) = h2.send("POST", "two", true);
        told(&channel).await;
        drop(upstream);
        assert_eq!(second.await.unwrap().status(), StatusCode::BAD_GATEWAY);
    });
    assert_abort(&proxy, "one", 499, "wait");
    Fault::answered(502, "upstream_reset", &["wait"], &["connection_terminated"]).check_record(&proxy.completed("two"));
    proxy.stop();
}

#[test]
fn an_incomplete_answer_resets_the_stream() {
    let upstream = Upstream::script(misbehave::closes_without_the_last_chunk);
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let response = h2.send("GET", "cut", true).0.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(whole(response.into_body()).await.unwrap_err().is_reset());
    });
    Fault::cut("upstream_incomplete", &["http_response_incomplete"]).check_record(&proxy.completed("cut"));
    proxy.stop();
}

#[test]
fn trailers_reach_an_h2_client() {
    let upstream = Upstream::answering(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n",
    );
    let proxy = Setup::before(&upstream).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let mut body = h2.send("GET", "trailers", true).0.await.unwrap().into_body();
        while body.data().await.is_some() {}
        assert_eq!(body.trailers().await.unwrap().unwrap()["x-sum"], "42");
    });
    assert_eq!(proxy.completed("trailers").text("outcome"), "success");
    proxy.stop();
}

#[test]
fn a_stream_that_takes_nothing_is_a_client_timeout() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "body_idle_timeout = \"300ms\"").start();
    run(async {
        let socket = TcpStream::connect(proxy.addr()).await.unwrap();
        let (sender, connection) = h2::client::Builder::new().initial_window_size(0).handshake(socket).await.unwrap();
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        let mut h2 = H2 { sender, driver };
        let response = h2.send("GET", "no-room", true).0.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(whole(response.into_body()).await.is_err());
    });
    let record = proxy.completed("no-room");
    assert_eq!((record.text("outcome"), record.text("phase")), ("client_timeout", "receive"), "{record:?}");
    proxy.stop();
}

#[test]
fn an_answer_may_last_longer_than_keep_alive() {
    let upstream = Upstream::script(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        assert!(!conn.is_left_within(std::time::Duration::from_secs(3)), "the proxy left in the middle of the answer");
        conn.send("after");
    });
    let proxy = Setup::before(&upstream).set("limits", "keep_alive = \"100ms\"\nheader_timeout = \"100ms\"").start();
    run(async {
        assert_eq!(H2::connect(proxy.addr()).await.get("long").await, (StatusCode::OK, b"firstafter".to_vec()));
    });
    assert_eq!(proxy.completed("long").text("outcome"), "success");
    proxy.stop();
}

#[test]
fn limits_of_a_head_hold_in_http2_too() {
    let upstream = Upstream::ok();
    let limits = "uri_bytes = \"100B\"\nheader_count = 20";
    let proxy = Setup::before(&upstream).set("limits", limits).start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let request = |id: &str| Request::builder().uri("http://test.example/").header("x-request-id", id);
        let long = request("long").uri(format!("http://test.example/{}", "x".repeat(100)));
        let many = (0..20).fold(request("many"), |request, index| request.header(format!("x-{index}"), "1"));
        let crumbs = (0..40).fold(request("crumbs"), |request, index| request.header("cookie", format!("c{index}=1")));
        let large = request("large").header("x-large", "x".repeat(40 << 10));
        for (request, status) in [(long, 414), (many, 431), (large, 431), (crumbs, 200)] {
            let answer = h2.sender.send_request(request.body(()).unwrap(), true).unwrap().0.await.unwrap();
            assert_eq!(answer.status(), status);
        }
    });
    for (id, status) in [("long", 414), ("many", 431), ("large", 431)] {
        let record = proxy.completed(id);
        assert_eq!((record.number("status_code"), record.text("outcome")), (status, "limited"), "{record:?}");
    }
    proxy.stop();
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn a_head_over_its_limits_is_a_security_event() {
    let upstream = Upstream::ok();
    let proxy =
        Setup::before(&upstream).set("limits", "header_bytes = \"8KB\"\nheader_count = 50\nuri_bytes = 500").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let long = "x".repeat(1000);
        for (id, uri, fields) in [("uri_bytes", long.as_str(), 0), ("header_bytes", "", 10), ("header_count", "", 60)] {
            let mut request = Request::builder().uri(format!("http://test.example/{uri}")).header("x-request-id", id);
            let value = if id == "header_bytes" { long.as_str() } else { "x" };
            for at in 0..fields {
                request = request.header(format!("x-{at}"), value);
            }
            let response = h2.sender.send_request(request.body(()).unwrap(), true).unwrap().0.await.unwrap();
            assert!(matches!(response.status().as_u16(), 414 | 431), "{id}");
        }
    });
    for reason in ["uri_bytes", "header_bytes", "header_count"] {
        proxy.completed(reason);
        assert_eq!(proxy.log().of(reason).only("security_event").text("reason"), reason);
    }
    proxy.stop();
}

#[test]
fn early_hints_of_a_server_of_http2_reach_clients_of_http1_and_cost_others_nothing() {
    let upstream = H2Upstream::script(|mut call| async move {
        let hint = Response::builder().status(103).header("link", "</style.css>; rel=preload").body(()).unwrap();
        call.answer.send_informational(hint).unwrap();
        call.answer.send_response(Response::new(()), true).unwrap();
    });
    let proxy = upstream.setup().start();
    let answer = Client::connect(proxy.addr()).exchange(request("GET", "/", "one", "", ""));
    let hints: Vec<_> = answer.interim.iter().map(|hint| (hint.status(), hint.header("link"))).collect();
    assert_eq!(hints, [(103, Some("</style.css>; rel=preload"))]);
    assert_eq!(answer.ok().status(), 200);
    run(async {
        assert_eq!(H2::connect(proxy.addr()).await.get("two").await, (StatusCode::OK, Vec::new()));
    });
    for id in ["one", "two"] {
        assert_eq!(proxy.completed(id).text("outcome"), "success");
    }
    proxy.stop();
}
