//! Whole lines as a person sees them, and what never reaches a terminal.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::record::Phase;

fn head(event: Event, level: Level) -> Head<'static> {
    Head { timestamp: 1_795_345_356_000_123, level, event, message: event.message(), logger: "gatelog.request" }
}

fn facts() -> Facts<'static> {
    Facts {
        method: "GET",
        path: b"/posts/42/",
        query: Some(b"page=2"),
        view_name: "post-detail",
        ip_address: Some("203.0.113.7"),
        ..Facts::default()
    }
}

fn progress() -> Progress<'static> {
    Progress {
        status_code: Some(200),
        response_size: Some(1234),
        duration: 53_210,
        outcome: Some(Outcome::Success),
        phase: Phase::Done,
        ..Progress::default()
    }
}

fn line(colour: bool, event: Event, level: Level, body: Body<'_>) -> String {
    let mut out = Vec::new();
    Pretty::new(colour).record(&Record { head: head(event, level), body }, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_four_events_of_a_request() {
    let facts = &facts();
    let slow = Progress { outcome: None, status_code: None, duration: 1_000_400, phase: Phase::Wait, ..progress() };
    let failed = Progress {
        status_code: Some(502),
        outcome: Some(Outcome::UpstreamRefused),
        duration: 310,
        exception_type: Some(b"connection_refused"),
        exception_message: Some(b"127.0.0.1:8000 refused the connection"),
        ..progress()
    };
    let lines = [
        (Event::RequestStarted, Level::Info, None),
        (Event::RequestSlow, Level::Warning, Some(&slow)),
        (Event::RequestFailed, Level::Critical, Some(&failed)),
        (Event::RequestCompleted, Level::Info, Some(&progress())),
    ]
    .map(|(event, level, progress)| line(false, event, level, Body::Request { facts, progress }));
    assert_eq!(
        lines.concat(),
        "\
11:02:36.000  INFO      Request started  GET /posts/42/?page=2  post-detail  203.0.113.7
11:02:36.000  WARNING   Slow request detected  GET /posts/42/?page=2  post-detail  1.00 s  203.0.113.7  in wait
11:02:36.000  CRITICAL  Request failed with exception  GET /posts/42/?page=2 → 502  post-detail  310 µs  203.0.113.7  \
upstream_refused  connection_refused: 127.0.0.1:8000 refused the connection
11:02:36.000  INFO      Request completed  GET /posts/42/?page=2 → 200  post-detail  53.2 ms  203.0.113.7
"
    );
}

#[test]
fn records_that_are_not_about_a_request() {
    let rejected = Rejected {
        peer_address: Some("192.0.2.1:999"),
        ip_address: None,
        status_code: Some(400),
        reason: "bare_lf",
        detail: "a line ends without CR",
        excerpt: b"GET /\x1b[2J\xff",
        request_id: None,
        suppressed: 7,
    };
    let loss = Loss { output: "stdout", count: 3, from_seq: 4, to_seq: 6, reason: "queue_full" };
    let fields = [("address", Value::Text(b"[::]:80")), ("why", Value::Text(b"no route")), ("gone", Value::Null)];
    assert_eq!(
        line(false, Event::RequestRejected, Level::Warning, Body::Rejected(&rejected))
            + &line(false, Event::LogLoss, Level::Warning, Body::Loss(&loss))
            + &line(false, Event::ServerStarted, Level::Info, Body::Fields(&fields)),
        "\
11:02:36.000  WARNING   Request rejected  400  bare_lf: a line ends without CR  192.0.2.1:999  \"GET /\\u{1b}[2J\\xff\"  suppressed=7
11:02:36.000  WARNING   Log records lost  3 of stdout (seq 4 to 6): queue_full
11:02:36.000  INFO      Server started  address=[::]:80  why=\"no route\"
"
    );
}

#[test]
fn colours_mark_time_level_status_and_view() {
    let (facts, progress) = (facts(), progress());
    let body = Body::Request { facts: &facts, progress: Some(&progress) };
    assert_eq!(
        line(true, Event::RequestCompleted, Level::Error, body),
        "\x1b[2m11:02:36.000\x1b[0m  \x1b[31mERROR\x1b[0m     Request completed  GET /posts/42/?page=2 → \
         \x1b[32m200\x1b[0m  \x1b[36mpost-detail\x1b[0m  53.2 ms  203.0.113.7\n"
    );
}

#[test]
fn a_started_record_is_dim_from_end_to_end() {
    let facts = facts();
    let line = line(true, Event::RequestStarted, Level::Info, Body::Request { facts: &facts, progress: None });
    let inside = line.strip_prefix(DIM).and_then(|line| line.strip_suffix("\x1b[0m\n")).unwrap();
    assert!(!inside.contains('\x1b'), "{inside}");
}

proptest! {
    #[test]
    fn whatever_the_bytes_no_control_reaches_the_terminal(bytes in vec(any::<u8>(), 0..60), text in any::<String>()) {
        let facts = Facts { path: &bytes, query: Some(&bytes), method: &text, view_name: &text, ..facts() };
        let progress = Progress { exception_type: Some(&bytes), exception_message: Some(text.as_bytes()), ..progress() };
        let request = line(false, Event::RequestFailed, Level::Error, Body::Request { facts: &facts, progress: Some(&progress) });
        let fields = [(text.as_str(), Value::Text(&bytes)), ("list", Value::List(&[&text]))];
        let free = line(false, Event::Diagnostic, Level::Error, Body::Fields(&fields));
        for line in [request, free] {
            let line = line.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(is_hidden), "{line:?}");
        }
    }
}
