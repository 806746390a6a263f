//! What is sent again: each misbehaviour by method and body. The first server misbehaves; the second, a backup, is good and
//! gets a request only when the first one has failed it.

use super::ask;
use crate::support::misbehave::{self, ClosedPort, FullBacklog};
use crate::support::{Client, Conn, Recorder, Setup, TestProxy, Upstream, get, request};

/// A request as the client sends it.
#[derive(Debug, Clone, Copy)]
struct Sent(&'static str, &'static str);

const GET: Sent = Sent("GET", "");
const HEAD: Sent = Sent("HEAD", "");
const DELETE: Sent = Sent("DELETE", "");
const PUT: Sent = Sent("PUT", "a=1");
const POST: Sent = Sent("POST", "a=1");
const EMPTY_POST: Sent = Sent("POST", "");
const PATCH: Sent = Sent("PATCH", "");

/// A proxy before this first server, and a good backup.
fn before(first: &str, retries: &str) -> (TestProxy, Recorder) {
    let good = Recorder::start();
    let setup = Setup::to(first).server(&format!("{{ url = \"{}\", backup = true }}", good.upstream.url()));
    let setup = setup.timeout("connect = \"250ms\"").timeout("response = \"250ms\"");
    (setup.upstream("ejection = \"off\"").upstream(retries).start(), good)
}

/// Each of these requests is sent again, to the good server, and answered by it.
fn sent_again(first: &str, retries: &str, requests: &[Sent]) {
    let (proxy, _good) = before(first, retries);
    for (index, Sent(method, body)) in requests.iter().enumerate() {
        let id = format!("again-{index}");
        let mut client = Client::connect(proxy.addr());
        client.send(request(method, "/", &id, "", body));
        let answer = client.answer_to(method);
        assert_eq!(answer.status(), 200, "{method} {body}: {answer:?}");
        let record = proxy.completed(&id);
        assert_eq!((record.text("outcome"), record.number("attempts")), ("success", 2), "{record:?}");
        assert!(!first.contains(record.text("upstream_address")), "{record:?}");
        assert_eq!(proxy.log().of(&id).count("request_failed"), 0);
    }
    proxy.stop();
}

/// None of these is: the client is told, and the good server has heard nothing.
fn not_sent_again(first: &str, retries: &str, requests: &[Sent]) {
    let (proxy, good) = before(first, retries);
    for (index, Sent(method, body)) in requests.iter().enumerate() {
        let id = format!("once-{index}");
        let mut client = Client::connect(proxy.addr());
        client.send(request(method, "/", &id, "", body));
        let answer = client.answer_to(method);
        assert!(matches!(answer.status(), 502 | 504), "{method} {body}: {answer:?}");
        let record = proxy.completed(&id);
        assert_eq!(record.number("attempts"), 1, "{record:?}");
        assert!(first.contains(record.text("upstream_address")), "{record:?}");
    }
    proxy.stop();
    assert_eq!(good.since(0).len(), 0);
}

#[test]
fn what_found_no_connection_is_sent_again_whatever_it_is() {
    let port = ClosedPort::new();
    sent_again(&format!("http://{}", port.addr), "", &[GET, HEAD, DELETE, PUT, POST, EMPTY_POST, PATCH]);
}

#[test]
fn what_waited_for_a_connection_in_vain_is_sent_again_whatever_it_is() {
    let backlog = FullBacklog::new();
    sent_again(&format!("http://{}", backlog.addr), "", &[GET, PUT, POST]);
}

#[test]
fn after_a_close_or_reset_only_what_may_be_done_twice_is_sent_again() {
    for script in [misbehave::closes_after_the_request, misbehave::resets_after_the_request] {
        let bad = Upstream::script(script);
        sent_again(&bad.url(), "", &[GET, HEAD, DELETE]);
        not_sent_again(&bad.url(), "", &[POST, EMPTY_POST, PATCH]);
    }
}

#[test]
fn a_body_that_is_gone_is_not_sent_again() {
    not_sent_again(&Upstream::script(misbehave::closes_after_the_request).url(), "", &[PUT]);
}

#[test]
fn a_body_that_is_still_there_is_sent_again() {
    let bad = Upstream::script(|conn| drop(conn.head()));
    let (proxy, good) = before(&bad.url(), "");
    let mut client = Client::connect(proxy.addr());
    client.send(request("PUT", "/", "kept", "Expect: 100-continue\r\n", "").strip_suffix(b"\r\n").unwrap());
    client.send("Content-Length: 5\r\n\r\n");
    // The good server asks for it, or the proxy does where it has waited for long enough.
    client.send("whole");
    assert_eq!(client.answer_to("PUT").status(), 200);
    let record = proxy.completed("kept");
    assert_eq!((record.number("attempts"), record.number("request_size")), (2, 5), "{record:?}");
    proxy.stop();
    assert_eq!(good.since(0)[0].text(), "whole");
}

#[test]
fn what_an_answer_has_begun_to_is_never_sent_again() {
    let everything = "retries = { attempts = 3, on = [\"connect\", \"reset_before_response\", \"response_timeout\"] }";
    let scripts: [fn(&mut Conn); 6] = [
        misbehave::closes_inside_the_head,
        misbehave::resets_inside_the_head,
        misbehave::stalls_inside_the_head,
        misbehave::sends_garbage,
        misbehave::speaks_another_protocol,
        |conn| {
            conn.request();
            conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            conn.stall();
        },
    ];
    for script in scripts {
        not_sent_again(&Upstream::script(script).url(), everything, &[GET]);
    }
}

#[test]
fn silence_is_a_reason_only_where_the_user_says_so() {
    let mute = Upstream::script(misbehave::stalls_before_the_head);
    not_sent_again(&mute.url(), "", &[GET]);
    let on = "retries = { on = [\"response_timeout\"] }";
    sent_again(&mute.url(), on, &[GET, DELETE]);
    not_sent_again(&mute.url(), on, &[POST, PUT]);
}

#[test]
fn what_the_user_leaves_out_is_no_reason() {
    let closes = Upstream::script(misbehave::closes_after_the_request);
    not_sent_again(&closes.url(), "retries = { on = [\"connect\"] }", &[GET]);
    let port = ClosedPort::new();
    not_sent_again(&format!("http://{}", port.addr), "retries = { on = [\"reset_before_response\"] }", &[GET, POST]);
    not_sent_again(&format!("http://{}", port.addr), "retries = { attempts = 1 }", &[GET]);
}

#[test]
fn an_only_server_is_asked_again_where_the_user_says_so_and_as_often() {
    let port = ClosedPort::new();
    for (retries, attempts) in [("", 1), ("retries = { attempts = 4 }", 4)] {
        let proxy = Setup::to(&format!("http://{}", port.addr)).upstream(retries).start();
        assert_eq!(get(proxy.addr(), "/", "only").status(), 502);
        assert_eq!(proxy.completed("only").number("attempts"), attempts);
        proxy.stop();
    }
}

#[test]
fn no_server_is_asked_twice_while_there_are_others() {
    let ports = [ClosedPort::new(), ClosedPort::new(), ClosedPort::new()];
    let setup = Setup::to(&format!("http://{}", ports[0].addr));
    let setup = ports[1..].iter().fold(setup, |setup, port| setup.server(&format!("\"http://{}\"", port.addr)));
    let good = Upstream::ok();
    let setup = setup.server(&format!("{{ url = \"{}\", backup = true }}", good.url()));
    let proxy = setup.upstream("retries = { attempts = 4 }\nejection = \"off\"").start();
    ask(&proxy, "last", 5);
    let log = proxy.stop();
    assert!((0..5).all(|index| log.completed(&format!("last-{index}")).number("attempts") == 4));
}

#[test]
fn a_spent_budget_ends_retries() {
    let port = ClosedPort::new();
    let (proxy, _good) = before(&format!("http://{}", port.addr), "retries = { attempts = 2, budget = \"0%\" }");
    let started = std::time::Instant::now();
    let statuses: Vec<u16> = (0..120).map(|index| get(proxy.addr(), "/", &format!("b-{index}")).status()).collect();
    let reserve = 2 * (20 + 2 * started.elapsed().as_secs() as usize + 2);
    let good = statuses.iter().filter(|status| **status == 200).count();
    assert!((20..=reserve).contains(&good) && good < 120, "{good} of {reserve}");
    let log = proxy.stop();
    for (index, status) in statuses.iter().enumerate() {
        let record = log.completed(&format!("b-{index}"));
        assert_eq!(record.number("attempts"), if *status == 200 { 2 } else { 1 }, "{record:?}");
    }
}
