//! The beginning of response bodies in the record: where it is asked for, what is hidden, and that bodies pass unchanged.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::log::{Log, Record};
use crate::support::{Answer, Client, Setup, Upstream, get, request};

const CAPTURE: &str = "capture = { response_body = \"1KB\", when = \"status>=400\", content_types = [\"application/problem+json\", \"application/json\", \"text/*\"] }";

/// An answer with its length.
fn answer(status: u16, more: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n{more}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Asks once through a proxy with this `[log]`; returns what the client got, and all records.
fn ask(log: &str, bytes: Vec<u8>) -> (Answer, Log) {
    let upstream = Upstream::script(move |conn| {
        conn.request();
        conn.send(&bytes);
        conn.finish_sending();
    });
    let proxy = Setup::before(&upstream).set("log", log).start();
    let answer = get(proxy.addr(), "/app", "r1");
    proxy.completed("r1");
    (answer, proxy.stop())
}

fn excerpt(log: &str, bytes: Vec<u8>) -> Option<String> {
    let (_, log) = ask(log, bytes);
    excerpt_of(&log.completed("r1"))
}

fn excerpt_of(record: &Record) -> Option<String> {
    record.get("response_excerpt").map(|text| text.as_str().unwrap().to_owned())
}

const TEXT: &str = "Content-Type: text/plain\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
const PROBLEM: &str = "Content-Type: application/problem+json\r\n";

#[test]
fn nothing_is_captured_unless_that_is_asked_for() {
    assert_eq!(excerpt("", answer(500, TEXT, "boom")), None);
    assert_eq!(excerpt(CAPTURE, answer(200, TEXT, "fine")), None);
    assert_eq!(excerpt(CAPTURE, answer(500, "Content-Type: image/png\r\n", "boom")), None);
    assert_eq!(excerpt(CAPTURE, answer(500, "", "boom")), None);
    assert_eq!(excerpt(CAPTURE, answer(500, TEXT, "")), None);
    assert_eq!(excerpt(CAPTURE, answer(500, TEXT, "boom")).as_deref(), Some("boom"));
    assert_eq!(excerpt(CAPTURE, answer(404, JSON, "{\"a\":1}")).as_deref(), Some("{\"a\":1}"));
}

#[test]
fn the_filter_asks_what_the_head_tells() {
    let log = |when: &str| format!("capture = {{ when = \"{when}\" }}");
    let boom = || answer(500, TEXT, "boom");
    for when in ["path:/app level:error", "-status:404 upstream:app", "response_content_type:text/plain app"] {
        assert_eq!(excerpt(&log(when), boom()).as_deref(), Some("boom"), "{when}");
    }
    for when in ["path:/other", "level:warning", "responder:gatelog"] {
        assert_eq!(excerpt(&log(when), boom()), None, "{when}");
    }
}

#[test]
fn a_body_in_a_content_coding_is_not_captured() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"token=hunter2").unwrap();
    let body = gzip.finish().unwrap();
    let (got, log) = ask(CAPTURE, answer(500, &format!("{TEXT}Content-Encoding: gzip\r\n"), &body));
    assert_eq!(got.whole().body, body);
    assert_eq!(excerpt_of(&log.completed("r1")), None);
}

#[test]
fn secrets_are_hidden_and_reach_the_client_all_the_same() {
    for (head, body, shown) in [
        (JSON, r#"{"a":1,"password":"hunter2"}"#, r#"{"a":1,"password":"REDACTED"}"#),
        (JSON, r#"{"token":{"a":["hunter2"]},"b":2}"#, r#"{"token":"REDACTED","b":2}"#),
        (TEXT, "no: token=hunter2", "no: token=REDACTED"),
        (TEXT, "a=1&api_key=hunter2&b=2", "a=1&api_key=REDACTED&b=2"),
    ] {
        let (got, log) = ask(CAPTURE, answer(500, head, body));
        assert_eq!(got.whole().text(), body);
        assert_eq!(excerpt_of(&log.completed("r1")).as_deref(), Some(shown));
        assert!(!format!("{log:?}").contains("hunter2"));
    }
}

#[test]
fn a_problem_document_tells_of_the_exception() {
    let body = r#"{"type":"https://e.example/db","title":"Down","detail":"no db, token=hunter2","status":503}"#;
    let (got, log) = ask(CAPTURE, answer(503, PROBLEM, body));
    assert_eq!(got.whole().text(), body);
    let failed = log.of("r1").only("request_failed").clone();
    for record in [failed, log.completed("r1")] {
        assert_eq!(record.text("exception_type"), "https://e.example/db");
        assert_eq!(record.text("exception_message"), "no db, token=REDACTED");
        assert_eq!((record.number("status_code"), record.text("level")), (503, "ERROR"));
    }
    assert_eq!(log.completed("r1").text("outcome"), "server_error");
}

#[test]
fn headers_of_the_application_come_before_its_problem_document() {
    let head = format!("{PROBLEM}X-Exception-Type: ValueError\r\nX-Exception-Message: bad\r\n");
    let (_, log) = ask(CAPTURE, answer(500, &head, r#"{"title":"T","detail":"D"}"#));
    let failed = log.of("r1").only("request_failed").clone();
    assert_eq!((failed.text("exception_type"), failed.text("exception_message")), ("ValueError", "bad"));
}

#[test]
fn a_problem_of_the_clients_making_is_a_cause_and_no_exception() {
    let (_, log) = ask(CAPTURE, answer(422, PROBLEM, r#"{"type":"about:blank","title":"Unprocessable"}"#));
    assert_eq!(log.of("r1").count("request_failed"), 0);
    let completed = log.completed("r1");
    assert_eq!((completed.text("exception_type"), completed.text("level")), ("Unprocessable", "WARNING"));
}

#[test]
fn of_a_cut_or_malformed_problem_nothing_is_invented() {
    let long = format!(r#"{{"type":"https://e.example/db","detail":"{}"}}"#, "x".repeat(2000));
    for body in [r#"{"type":"https://e.example/db""#, "Oops", "[]", &long] {
        let (_, log) = ask(CAPTURE, answer(500, PROBLEM, body));
        assert_eq!(log.of("r1").count("request_failed"), 0, "{body}");
        let completed = log.completed("r1");
        assert_eq!(completed.get("exception_type"), None);
        assert_eq!(excerpt_of(&completed).unwrap(), body[..body.len().min(1024)]);
    }
}

#[test]
fn a_large_body_passes_unchanged() {
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| b'a' + (at % 26) as u8).collect();
    let expected = large.clone();
    let upstream = Upstream::script(move |conn| {
        while let Some(message) = conn.request() {
            assert_eq!(message.start[1], "/large");
            conn.send(answer(500, TEXT, &large));
        }
    });
    let proxy = Setup::before(&upstream).set("log", CAPTURE).start();
    let got = get(proxy.addr(), "/large", "large").whole();
    assert_eq!((got.body.len(), got.body == expected), (expected.len(), true));
    assert_eq!(excerpt_of(&proxy.completed("large")).unwrap().as_bytes(), &expected[..1024]);
    proxy.stop();
}

#[test]
fn a_body_is_not_held_back_for_the_record() {
    let (told, heard) = std::sync::mpsc::channel();
    let heard = std::sync::Mutex::new(heard);
    let upstream = Upstream::script(move |conn| {
        conn.request();
        conn.send(format!("HTTP/1.1 500 X\r\n{TEXT}Transfer-Encoding: chunked\r\n\r\n6\r\ntoken=\r\n"));
        heard.lock().unwrap().recv_timeout(crate::support::DEADLINE).unwrap();
        conn.send("7\r\nhunter2\r\n0\r\n\r\n");
        conn.finish_sending();
    });
    let proxy = Setup::before(&upstream).set("log", CAPTURE).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/slow", "slow", "", ""));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("token=") {
        seen.extend(client.read_some());
    }
    told.send(()).unwrap();
    while !String::from_utf8_lossy(&seen).contains("hunter2") {
        seen.extend(client.read_some());
    }
    assert_eq!(excerpt_of(&proxy.completed("slow")).as_deref(), Some("token=REDACTED"));
    proxy.stop();
}
