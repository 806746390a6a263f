//! gatelog's own answers: their form follows `Accept`, they carry the request id, and tell nothing internal.

use crate::support::misbehave::ClosedPort;
use crate::support::wire::Message;
use crate::support::{Client, Setup, TestProxy, request};

fn refusing() -> (ClosedPort, TestProxy) {
    let port = ClosedPort::new();
    let proxy = Setup::to(&format!("http://{}", port.addr)).start();
    (port, proxy)
}

fn refused(proxy: &TestProxy, id: &str, accept: &str) -> Message {
    let more = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
    let answer = Client::connect(proxy.addr()).exchange(request("GET", "/secret-path", id, &more, "")).whole();
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.header("x-request-id"), Some(id));
    answer
}

#[test]
fn json_is_a_problem_document() {
    let (_port, proxy) = refusing();
    for (id, accept) in
        [("a", "application/json"), ("b", "application/problem+json"), ("c", "text/html;q=0.1, application/json")]
    {
        let answer = refused(&proxy, id, accept);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{accept}");
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], 502);
        assert!(problem["title"].is_string(), "{problem}");
        assert_eq!(problem["request_id"], id, "{problem}");
    }
    proxy.stop();
}

#[test]
fn browsers_get_html() {
    let (_port, proxy) = refusing();
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let answer = refused(&proxy, "browser", accept);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer:?}");
    assert!(answer.text().contains("browser") && answer.text().contains("502"), "{}", answer.text());
    proxy.stop();
}

#[test]
fn text_is_plain() {
    let (_port, proxy) = refusing();
    let answer = refused(&proxy, "text", "text/plain");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
    assert!(answer.text().contains("text"), "{}", answer.text());
    proxy.stop();
}

#[test]
fn any_accept_gets_an_answer() {
    let (_port, proxy) = refusing();
    for (index, accept) in ["", "*/*", "image/png", ";;;,,,q=", "text/html;q=0, */*;q=0"].iter().enumerate() {
        let answer = refused(&proxy, &format!("any-{index}"), accept);
        assert!(!answer.body.is_empty(), "{accept}: {answer:?}");
    }
    proxy.stop();
}

#[test]
fn nothing_internal_is_told() {
    let (port, proxy) = refusing();
    for (index, accept) in ["application/json", "text/html", "text/plain"].iter().enumerate() {
        let answer = refused(&proxy, &format!("quiet-{index}"), accept);
        let told = format!("{:?} {}", answer.headers, answer.text());
        for internal in [port.addr.to_string().as_str(), "127.0.0.1", "os error", "src/"] {
            assert!(!told.contains(internal), "{internal} in {told}");
        }
    }
    proxy.stop();
}

#[test]
fn proxy_status_and_record_use_the_same_token() {
    let (_port, proxy) = refusing();
    let answer = refused(&proxy, "token", "");
    let record = proxy.completed("token");
    let error = format!("error={}", record.text("exception_type"));
    let proxy_status = answer.header("proxy-status").unwrap();
    assert!(proxy_status.split(';').any(|part| part.trim() == error), "{proxy_status} without {error}");
    proxy.stop();
}

#[test]
fn head_gets_the_head_of_the_answer() {
    let (_port, proxy) = refusing();
    let mut client = Client::connect(proxy.addr());
    client.send(request("HEAD", "/", "head", "", ""));
    let answer = client.answer_to("HEAD").whole();
    assert_eq!((answer.status(), answer.body.len()), (502, 0));
    assert_eq!(proxy.completed("head").number("response_size"), 0);
    proxy.stop();
}

#[test]
fn a_hostile_request_id_is_not_reflected() {
    let (_port, proxy) = refusing();
    let more = "Accept: text/html\r\n";
    let bytes =
        format!("GET /%3Cscript%3E?<b> HTTP/1.1\r\nHost: <i>\r\nX-Request-ID: <script>alert(1)</script>\r\n{more}\r\n");
    let answer = Client::connect(proxy.addr()).exchange(bytes);
    assert!(!answer.last.text().contains("<script>"), "{answer:?}");
    drop(proxy);
}
