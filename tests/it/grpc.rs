//! HTTP/2 to servers, and what gRPC needs of it: trailers both ways, streams that go on side by side, cancellation at once,
//! windows that reach from end to end, and answers of gatelog's own that a gRPC client understands.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::Builder;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response, StatusCode};

use crate::support::h2::{H2, run, whole};
use crate::support::h2_upstream::{Call, H2Upstream};
use crate::support::log::Record;
use crate::support::tls::Authority;
use crate::support::{Client, Setup, TestProxy, Upstream, get, request};

/// A call whose body is still to come.
fn call(h2: &mut H2, id: &str) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let request = Request::builder()
        .method("POST")
        .uri("http://test.example/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "7S")
        .header("x-data-bin", "AAEC")
        .header("x-request-id", id);
    h2.sender.send_request(request.body(()).unwrap(), false).unwrap()
}

/// A body to its end, and what stands behind it.
async fn read(mut body: RecvStream) -> (Vec<u8>, HeaderMap) {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    (bytes, body.trailers().await.unwrap().unwrap_or_default())
}

fn assert_call(record: &Record, outcome: &str, grpc_status: u64) {
    let seen = (record.text("outcome"), record.number("grpc_status"), record.number("status_code"));
    assert_eq!(seen, (outcome, grpc_status, 200), "{record:?}");
}

#[test]
fn a_call_passes_whole_with_its_metadata_and_trailers() {
    let upstream = H2Upstream::script(|mut call| async move {
        let head = &call.request;
        assert_eq!((head.method().as_str(), head.uri().path()), ("POST", "/pkg.Service/Method"));
        assert_eq!(head.uri().authority().unwrap(), "test.example");
        let field = |name: &str| head.headers()[name].to_str().unwrap();
        assert_eq!((field("te"), field("grpc-timeout"), field("x-data-bin")), ("trailers", "7S", "AAEC"));
        assert!(!head.headers().contains_key("connection") && !head.headers().contains_key("transfer-encoding"));
        assert_eq!((field("via"), field("x-forwarded-proto")), ("2.0 gatelog", "http"));
        let (body, trailers) = call.body().await;
        assert_eq!((body.as_slice(), &trailers["x-sum"]), (&b"question"[..], &http::HeaderValue::from_static("8")));
        call.reply(b"answer", "5");
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, mut body) = call(&mut h2, "unary");
        body.send_data(Bytes::from_static(b"question"), false).unwrap();
        body.send_trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), "8".parse().unwrap())])).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &http::HeaderValue::from_static("application/grpc"))
        );
        let (bytes, trailers) = read(answer.into_body()).await;
        assert_eq!((bytes.as_slice(), trailers["grpc-status"].as_bytes()), (&b"answer"[..], &b"5"[..]));
    });
    let record = proxy.completed("unary");
    assert_call(&record, "success", 5);
    assert_eq!((record.number("request_size"), record.number("response_size")), (8, 6));
    proxy.stop();
}

#[test]
fn calls_of_a_core_share_a_connection_and_go_on_side_by_side() {
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(20));
    let upstream = H2Upstream::script(move |mut call: Call| {
        let barrier = std::sync::Arc::clone(&barrier);
        async move {
            call.body().await;
            if call.request.headers()["x-request-id"] != "later" {
                barrier.wait().await;
            }
            call.reply(b"x", "0");
        }
    });
    let proxy = upstream.setup().top("workers", "1").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let mut answers = Vec::new();
        let calls: Vec<_> = (0..20).map(|index| call(&mut h2, &format!("side-{index}"))).collect();
        for (answer, mut body) in calls {
            body.send_data(Bytes::new(), true).unwrap();
            answers.push(tokio::spawn(async move { read(answer.await.unwrap().into_body()).await.0 }));
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap(), b"x");
        }
        for index in 0..20 {
            proxy.completed(&format!("side-{index}"));
        }
        let (answer, mut body) = call(&mut h2, "later");
        body.send_data(Bytes::new(), true).unwrap();
        assert_eq!(read(answer.await.unwrap().into_body()).await.0, b"x");
    });
    assert_eq!(upstream.accepted(), 1);
    assert!(proxy.completed("later").is("reused_connection"));
    proxy.stop();
}

#[test]
fn a_server_that_takes_one_stream_at_a_time_is_given_no_more() {
    let upstream = H2Upstream::built(Builder::new().max_concurrent_streams(1), |mut call| async move {
        call.body().await;
        call.reply(b"x", "0");
    });
    let proxy = upstream.setup().top("workers", "1").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for round in 0..3 {
            let calls: Vec<_> = (0..5).map(|index| call(&mut h2, &format!("one-{round}-{index}"))).collect();
            for (answer, mut body) in calls {
                body.send_data(Bytes::new(), true).unwrap();
                assert_eq!(read(answer.await.unwrap().into_body()).await.1["grpc-status"], "0");
            }
        }
    });
    let log = proxy.stop();
    assert!(
        (0..15).all(|index| log.completed(&format!("one-{}-{}", index / 5, index % 5)).text("outcome") == "success")
    );
}

#[test]
fn both_directions_of_a_stream_go_on_at_once() {
    let upstream = H2Upstream::script(|mut call| async move {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut out = call.answer.send_response(head, false).unwrap();
        while let Some(data) = call.request.body_mut().data().await {
            let data = data.unwrap();
            call.request.body_mut().flow_control().release_capacity(data.len()).unwrap();
            out.send_data(data, false).unwrap();
        }
        out.send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())])).unwrap();
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, mut out) = call(&mut h2, "bidi");
        let mut body = answer.await.unwrap().into_body();
        for word in ["one", "two", "three"] {
            out.send_data(Bytes::from_static(word.as_bytes()), false).unwrap();
            assert_eq!(body.data().await.unwrap().unwrap(), word);
        }
        out.send_data(Bytes::new(), true).unwrap();
        assert_eq!(read(body).await.1["grpc-status"], "0");
    });
    let record = proxy.completed("bidi");
    assert_call(&record, "success", 0);
    assert_eq!((record.number("request_size"), record.number("response_size")), (11, 11));
    proxy.stop();
}

#[test]
fn an_answer_of_trailers_alone_is_one() {
    let upstream = H2Upstream::script(|mut call| async move {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "16");
        call.answer.send_response(head.body(()).unwrap(), true).unwrap();
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, _out) = call(&mut h2, "alone");
        let answer = answer.await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "16");
        assert!(answer.body().is_end_stream());
    });
    assert_call(&proxy.completed("alone"), "success", 16);
    proxy.stop();
}

#[test]
fn a_client_that_cancels_cancels_at_the_server_at_once() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = H2Upstream::script(move |mut call| {
        let tell = tell.lock().unwrap().clone();
        async move {
            let answers = call.request.headers()["x-request-id"] == "answered";
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut out = answers.then(|| call.answer.send_response(head, false).unwrap());
            tell.send(None).unwrap();
            let reset = match &mut out {
                Some(out) => std::future::poll_fn(|cx| out.poll_reset(cx)).await,
                None => std::future::poll_fn(|cx| call.answer.poll_reset(cx)).await,
            };
            tell.send(Some(reset.unwrap())).unwrap();
        }
    });
    let proxy = upstream.setup().start();
    let told = std::sync::Arc::new(Mutex::new(told));
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let next = async || {
            let told = std::sync::Arc::clone(&told);
            tokio::task::spawn_blocking(move || told.lock().unwrap().recv().unwrap()).await.unwrap()
        };
        for id in ["waiting", "answered"] {
            let (answer, mut out) = call(&mut h2, id);
            assert_eq!(next().await, None);
            if id == "answered" {
                answer.await.unwrap();
            }
            out.send_reset(Reason::CANCEL);
            assert_eq!(next().await, Some(Reason::CANCEL));
        }
    });
    for (id, status) in [("waiting", 499), ("answered", 200)] {
        let record = proxy.completed(id);
        assert_eq!((record.text("outcome"), record.number("status_code")), ("client_abort", status), "{record:?}");
    }
    proxy.stop();
}

#[test]
fn a_stream_that_the_server_did_not_look_at_is_sent_again() {
    let refused = AtomicUsize::new(0);
    let upstream = H2Upstream::script(move |mut call| {
        let first = refused.fetch_add(1, Ordering::SeqCst) == 1;
        async move {
            if first {
                return call.answer.send_reset(Reason::REFUSED_STREAM);
            }
            call.reply(b"x", "0");
        }
    });
    let proxy = upstream.setup().top("workers", "1").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for id in ["first", "again"] {
            let (answer, _body) = call(&mut h2, id);
            assert_eq!(read(answer.await.unwrap().into_body()).await.1["grpc-status"], "0");
        }
    });
    assert_eq!(proxy.completed("again").number("attempts"), 2);
    proxy.stop();
}

#[test]
fn a_server_that_wants_no_more_streams_is_given_them_on_a_new_connection() {
    let upstream = H2Upstream::leaving_after(3, |mut call| async move {
        call.body().await;
        call.reply(b"x", "0");
    });
    let proxy = upstream.setup().top("workers", "1").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        for round in 0..4 {
            let calls: Vec<_> = (0..5).map(|index| call(&mut h2, &format!("leaving-{round}-{index}"))).collect();
            for (answer, mut body) in calls {
                body.send_data(Bytes::new(), true).unwrap();
                assert_eq!(read(answer.await.unwrap().into_body()).await.1["grpc-status"], "0");
            }
        }
    });
    assert!(upstream.accepted() > 1);
    let log = proxy.stop();
    let id = |index: u32| format!("leaving-{}-{}", index / 5, index % 5);
    assert!((0..20).all(|index| log.completed(&id(index)).text("outcome") == "success"));
}

/// A server's TLS that offers these protocols, and a proxy's configuration that trusts it.
fn tls(alpn: &[&str]) -> (std::sync::Arc<rustls::ServerConfig>, impl Fn(Setup) -> Setup) {
    let mut config = (*Authority::shared().issue("localhost").server()).clone();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let trusting = |setup: Setup| {
        let ca = Authority::shared().write_to(setup.dir());
        setup.upstream(&format!("ca = {ca:?}\nprotocol = \"h2\""))
    };
    (config.into(), trusting)
}

#[test]
fn over_tls_http2_is_agreed_on() {
    let (config, trusting) = tls(&["h2", "http/1.1"]);
    let upstream = H2Upstream::tls(config, |mut call| async move {
        assert_eq!(call.request.uri().scheme_str(), Some("https"));
        call.reply(b"x", "0");
    });
    let proxy = trusting(upstream.setup()).start();
    run(async {
        let (answer, _body) = call(&mut H2::connect(proxy.addr()).await, "tls");
        assert_eq!(read(answer.await.unwrap().into_body()).await.1["grpc-status"], "0");
    });
    let record = proxy.completed("tls");
    assert_call(&record, "success", 0);
    assert!(record.get("timing").unwrap().get("tls").is_some(), "{record:?}");
    proxy.stop();
}

#[test]
fn a_tls_server_that_does_not_speak_it_is_an_error_before_anything_is_sent() {
    for (alpn, token) in [(&["http/1.1"][..], "tls_alert_received"), (&[], "tls_protocol_error")] {
        let (config, trusting) = tls(alpn);
        let upstream = Upstream::tls_script(config, |conn| assert!(conn.request().is_none()));
        let proxy = trusting(Setup::before(&upstream)).start();
        assert_eq!(get(proxy.addr(), "/", "spoken").status(), 502);
        let record = proxy.completed("spoken");
        let seen = (record.text("outcome"), record.text("exception_type"));
        assert_eq!(seen, ("upstream_tls", token), "{record:?}");
        proxy.stop();
    }
}

#[test]
fn a_stream_that_the_server_has_worked_on_is_not_sent_again() {
    let upstream = H2Upstream::script(|mut call| async move {
        call.body().await;
        call.answer.send_reset(Reason::INTERNAL_ERROR);
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, mut body) = call(&mut h2, "reset");
        body.send_data(Bytes::from_static(b"x"), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["grpc-status"]),
            (StatusCode::OK, &http::HeaderValue::from_static("14"))
        );
    });
    let record = proxy.completed("reset");
    assert_call(&record, "upstream_reset", 14);
    assert_eq!((record.number("attempts"), record.text("exception_type")), (1, "connection_terminated"));
    assert_eq!((record.text("responder"), record.text("level")), ("gatelog", "ERROR"));
    proxy.stop();
}

#[test]
fn a_reset_inside_the_answer_reaches_the_client() {
    let upstream = H2Upstream::script(|mut call| async move {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut out = call.answer.send_response(head, false).unwrap();
        out.send_data(Bytes::from_static(b"half"), false).unwrap();
        tokio::task::yield_now().await;
        out.send_reset(Reason::INTERNAL_ERROR);
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, _body) = call(&mut h2, "half");
        // The reset may overtake the head.
        let broken = match answer.await.unwrap() {
            answer if answer.headers().contains_key("grpc-status") => true,
            answer => whole(answer.into_body()).await.is_err(),
        };
        assert!(broken);
    });
    let outcome = proxy.completed("half").text("outcome").to_owned();
    assert!(matches!(outcome.as_str(), "upstream_incomplete" | "upstream_reset"), "{outcome}");
    proxy.stop();
}

#[test]
fn gatelogs_own_answers_are_statuses_of_grpc() {
    let silent = H2Upstream::script(|call| async move {
        std::future::pending::<()>().await;
        drop(call);
    });
    let proxy = silent.setup().timeout("response = \"200ms\"").start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let (answer, mut body) = call(&mut h2, "late");
        body.send_data(Bytes::new(), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4");
        assert_eq!(answer.headers()["grpc-message"], "http_response_timeout");
        assert_eq!(answer.headers()["x-request-id"], "late");
        assert!(answer.body().is_end_stream());
    });
    assert_call(&proxy.completed("late"), "upstream_timeout", 4);
    proxy.stop();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Setup::to(&format!("h2c://{gone}")).start();
    run(async {
        let (answer, _body) = call(&mut H2::connect(proxy.addr()).await, "gone");
        assert_eq!(answer.await.unwrap().headers()["grpc-status"], "14");
    });
    assert_call(&proxy.completed("gone"), "upstream_refused", 14);
    proxy.stop();
}

#[test]
fn a_server_of_http1_is_an_error_of_its_own() {
    let upstream = Upstream::script(|conn| drop(conn.whatever_comes()));
    let proxy = Setup::to(&upstream.url().replace("http://", "h2c://")).start();
    assert_eq!(get(proxy.addr(), "/", "h1").status(), 502);
    assert_eq!(proxy.completed("h1").text("responder"), "gatelog");
    proxy.stop();
}

#[test]
fn http1_clients_are_served_by_http2_servers() {
    let upstream = H2Upstream::script(|mut call| async move {
        let (body, _) = call.body().await;
        let field = |name: &str| call.request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((field("cookie").as_deref(), field("content-length").as_deref()), (Some("a=1"), Some("4")));
        assert_eq!(field("connection"), None);
        let head = Response::builder().header("content-length", body.len()).body(()).unwrap();
        let mut out = call.answer.send_response(head, false).unwrap();
        out.send_data(body.into(), true).unwrap();
    });
    let proxy = upstream.setup().start();
    let mut client = Client::connect(proxy.addr());
    for id in ["one", "two"] {
        let answer = client.exchange(request("POST", "/", id, "Cookie: a=1\r\n", "echo")).ok();
        assert_eq!((answer.text().as_str(), answer.header("content-length")), ("echo", Some("4")));
        assert_eq!(proxy.completed(id).text("outcome"), "success");
    }
    assert_eq!(upstream.accepted(), 1);
    proxy.stop();
}

#[test]
fn a_body_waits_in_the_server_where_the_client_does_not_read() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = H2Upstream::script(move |mut call| {
        let tell = tell.lock().unwrap().clone();
        async move {
            let mut out = call.answer.send_response(Response::new(()), false).unwrap();
            let mut sent = 0;
            while sent < 64 << 20 {
                out.reserve_capacity(64 << 10);
                let room =
                    tokio::time::timeout(Duration::from_millis(500), std::future::poll_fn(|cx| out.poll_capacity(cx)));
                let Ok(Some(Ok(room))) = room.await else { break };
                out.send_data(vec![0; room].into(), false).unwrap();
                sent += room;
            }
            tell.send(sent).unwrap();
        }
    });
    let proxy = upstream.setup().start();
    let mut client = Client::connect_narrow(proxy.addr());
    client.send(request("GET", "/", "unread", "", ""));
    let sent = told.recv().unwrap();
    assert!(sent < 16 << 20, "{sent} bytes went into a client that reads nothing");
    drop(client);
    proxy.completed("unread");
    proxy.stop();
}

#[test]
fn websocket_is_an_extended_connect_at_an_http2_server() {
    let upstream = H2Upstream::script(|mut call| async move {
        let head = &call.request;
        assert_eq!((head.method().as_str(), head.uri().path()), ("CONNECT", "/ws"));
        assert_eq!(head.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
        assert!(!head.headers().contains_key("sec-websocket-key") && !head.headers().contains_key("upgrade"));
        let mut out = call.answer.send_response(Response::new(()), false).unwrap();
        out.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let (said, _) = call.body().await;
        out.send_data(said.into(), true).unwrap();
    });
    let proxy = upstream.setup().start();
    let mut client = Client::connect(proxy.addr());
    let offer = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    client.send(request("GET", "/ws", "ws", offer, ""));
    let head = client.head();
    assert_eq!((head.status(), head.header("upgrade")), (101, Some("websocket")));
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.exactly(5), b"hello");
    client.send("bye");
    client.finish_sending();
    assert_eq!(client.rest().0, b"bye");
    let record = proxy.completed("ws");
    let seen = (record.text("outcome"), record.text("closed_by"), record.text("phase"));
    assert_eq!(seen, ("upgraded", "client", "done"), "{record:?}");
    assert_eq!((record.number("request_size"), record.number("response_size")), (3, 8));
    proxy.stop();
}

#[test]
fn an_extended_connect_stays_one_where_both_ends_speak_http2() {
    let upstream = H2Upstream::script(|mut call| async move {
        assert_eq!(call.request.method().as_str(), "CONNECT");
        let mut out = call.answer.send_response(Response::new(()), false).unwrap();
        let (said, _) = call.body().await;
        out.send_data(said.into(), true).unwrap();
    });
    let proxy = upstream.setup().start();
    run(async {
        let mut h2 = H2::connect(proxy.addr()).await;
        let trace = Request::builder().method("TRACE").uri("http://test.example/").header("max-forwards", "0");
        let answer = h2.sender.send_request(trace.body(()).unwrap(), true).unwrap().0.await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        let request = Request::builder()
            .method("CONNECT")
            .uri("http://test.example/ws")
            .header("x-request-id", "both")
            .extension(h2::ext::Protocol::from_static("websocket"));
        let (answer, mut out) = h2.sender.send_request(request.body(()).unwrap(), false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!((answer.status(), answer.headers().get("sec-websocket-accept")), (StatusCode::OK, None));
        out.send_data(Bytes::from_static(b"echo"), true).unwrap();
        assert_eq!(whole(answer.into_body()).await.unwrap(), b"echo");
    });
    let record = proxy.completed("both");
    let seen = (record.text("outcome"), record.text("phase"), record.number("response_size"));
    assert_eq!(seen, ("upgraded", "done", 4), "{record:?}");
    proxy.stop();
}

#[test]
fn a_server_without_extended_connect_is_offered_nothing() {
    let upstream = H2Upstream::built(&Builder::new(), |call| async move { panic!("{:?}", call.request) });
    let proxy = upstream.setup().start();
    let offer = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = Client::connect(proxy.addr()).exchange(request("GET", "/ws", "without", offer, ""));
    assert_eq!(answer.status(), 502);
    let record = proxy.completed("without");
    assert_eq!(record.text("exception_message"), "the upgrade failed: the server takes no extended CONNECT");
    proxy.stop();
}

#[test]
fn health_is_asked_in_http2_too() {
    let upstream = H2Upstream::script(|mut call| async move {
        let status = if call.request.uri().path() == "/up" { 200 } else { 500 };
        let head = Response::builder().status(status).body(()).unwrap();
        call.answer.send_response(head, true).unwrap();
    });
    let health = "health = { path = \"/down\", interval = \"50ms\", unhealthy_after = 1 }";
    let proxy: TestProxy = upstream.setup().upstream(health).start();
    let log = proxy.wait_for("upstream_down", |log| log.count("upstream_down") > 0);
    assert!(log.events("upstream_down")[0].text("error").contains("500"), "{log:?}");
    proxy.stop();
}
