//! The ledger without sockets: whatever happens to its handles, the records come out right.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use super::*;
use crate::pipeline::{Format, Levels, Load, OutputSettings, Port, Queue, Routing, Stamp};
use crate::record::json::splice;
use crate::record::{Outcome, Phase};

/// A core of its own, and the queue that its records end in.
pub(super) struct Core {
    pub(super) exchanges: Rc<Exchanges>,
    pub(super) intake: Rc<Intake>,
    queue: Arc<Queue>,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Core {
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let queue = Arc::clone(&port.queue);
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let intake = Rc::new(Intake::new(&Routing {
            levels: Levels::new(&Default::default()),
            ports: vec![port],
            stamp,
            watch: None,
        }));
        let hash_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key of the test");
        let policy = Policy::new(&Default::default(), &hash_key);
        let (table, tally, traffic) = (Arc::new(Table::empty()), Arc::default(), Arc::default());
        let shared = Shared { settings, policy, table, hash_key, tally, traffic };
        Core { exchanges: Exchanges::new(&shared, Rc::clone(&intake), Clock::system()), intake, queue }
    }

    fn begin(&self) -> Exchange {
        self.begin_with(Request::builder().uri("/a?token=secret").header("host", "x"))
    }

    pub(super) fn begin_with(&self, head: http::request::Builder) -> Exchange {
        let head = head.body(()).expect("a request");
        let peer = Rc::new(Peer::new("192.0.2.1:4000".parse().expect("an address"), None));
        self.exchanges.begin(&peer, &head.into_parts().0)
    }

    /// All records so far, as they would be written.
    pub(super) fn records(&self) -> Vec<Value> {
        self.intake.flush();
        let mut records = Vec::new();
        while let Some(batch) = self.queue.pop().map(Load::into_batch) {
            let mut start = 0;
            for line in &batch.lines {
                let mut text = Vec::new();
                let at = line.seq_at.expect("JSON has a number");
                splice(&batch.bytes[start..line.end], at - start, batch.hole, 1, &mut text);
                records.push(serde_json::from_slice(&text).expect("JSON"));
                start = line.end;
            }
        }
        records
    }

    /// The terminal record, the only one of its kind and the last one.
    fn completed(&self) -> Value {
        let records = self.records();
        let completed: Vec<_> = records.iter().filter(|record| record["event"] == "request_completed").collect();
        assert_eq!(completed.len(), 1, "{records:#?}");
        assert_eq!(records[0]["event"], "request_started", "{records:#?}");
        records.last().cloned().expect("the terminal record")
    }
}

fn core() -> Core {
    Core::new(Settings::default())
}

#[test]
fn let_go_without_a_word_the_client_has_left() {
    let core = core();
    drop(core.begin());
    let record = core.completed();
    assert_eq!((&record["outcome"], &record["status_code"]), (&"client_abort".into(), &499.into()));
    assert_eq!((&record["level"], &record["phase"]), (&"WARNING".into(), &"read_request".into()));
    assert_eq!(record["query"], "token=REDACTED");
}

#[test]
fn the_last_of_several_handles_ends_it() {
    let core = core();
    let exchange = core.begin();
    let other = exchange.clone();
    exchange.responded(StatusCode::OK, &HeaderMap::new());
    exchange.delivered();
    drop(exchange);
    assert_eq!(core.exchanges.running(), 1);
    assert_eq!(core.records().len(), 1, "it still runs");
    drop(other);
    assert_eq!(core.exchanges.running(), 0);
    let completed = core.records();
    assert_eq!(completed.len(), 1);
    assert_eq!((&completed[0]["outcome"], &completed[0]["phase"]), (&"success".into(), &"done".into()));
}

#[test]
fn a_panic_is_our_own_fault() {
    let core = core();
    let exchange = core.begin();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _exchange = exchange;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let records = core.records();
    let told: Vec<_> =
        records[1..].iter().map(|record| (&record["event"], &record["level"], &record["outcome"])).collect();
    let internal = |event: &'static str| (Value::from(event), Value::from("CRITICAL"), Value::from("internal"));
    let (failed, completed) = (internal("request_failed"), internal("request_completed"));
    assert_eq!(told, [(&failed.0, &failed.1, &failed.2), (&completed.0, &completed.1, &completed.2)]);
    assert_eq!(records[1]["exception_type"], "proxy_internal_error");
}

#[test]
fn what_the_end_of_the_drain_cuts_off_says_so() {
    let core = core();
    let exchange = core.begin();
    core.exchanges.shut_down();
    drop(exchange);
    assert_eq!(core.completed()["outcome"], "shutdown");
}

#[test]
fn the_first_failure_is_the_cause() {
    let core = core();
    let exchange = core.begin();
    let exception = |kind: &str| Some(Exception { kind: kind.into(), message: b"because".to_vec() });
    exchange.enter(Phase::Connect);
    exchange.failed(Outcome::UpstreamRefused, exception("connection_refused"));
    exchange.failed(Outcome::ClientAbort, exception("client_abort"));
    drop(exchange);
    let records = core.records();
    let events: Vec<_> = records.iter().map(|record| record["event"].as_str().expect("a token")).collect();
    assert_eq!(events, ["request_started", "request_failed", "request_completed"]);
    assert_eq!(records[2]["outcome"], "upstream_refused");
    assert_eq!(records[1]["exception_type"], "connection_refused");
    assert_eq!(records[2]["phase"], "connect");
}

#[test]
fn a_refusal_is_no_exception() {
    let core = core();
    let exchange = core.begin();
    exchange.refused(Outcome::Rejected, Exception { kind: b"http_request_error".to_vec(), message: Vec::new() });
    exchange.answered(StatusCode::BAD_REQUEST, &HeaderMap::new());
    exchange.delivered();
    drop(exchange);
    let record = core.completed();
    assert_eq!((&record["outcome"], &record["level"]), (&"rejected".into(), &"WARNING".into()));
}

#[test]
fn a_request_that_nobody_waits_for_has_no_started_record() {
    let core = Core::new(Settings { start: StartMode::After(Duration::from_secs(60)), ..Settings::default() });
    drop(core.begin());
    let records = core.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["event"], "request_completed");
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_is_reported_while_it_runs() {
    let core = Core::new(Settings { slow: Some(Duration::ZERO), ..Settings::default() });
    let exchange = core.begin();
    let reporting = core.exchanges.watch_thresholds();
    assert!(tokio::time::timeout(Duration::from_secs(1), reporting).await.is_err(), "it never ends");
    let records = core.records();
    assert_eq!(records[1]["event"], "request_slow");
    assert_eq!((&records[1]["in_flight"], &records[1]["slow"]), (&true.into(), &true.into()));
    drop(exchange);
    let records = core.records();
    assert_eq!(records.len(), 1, "reported once: {records:#?}");
    assert_eq!(records[0]["slow"], true);
}
