//! Sampling without sockets: what is left out, what never is, and that it is whole requests.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use proptest::prelude::*;
use serde_json::Value;

use super::sample::draw;
use super::tests::Core;
use super::*;
use crate::filter::Expression;
use crate::record::Outcome;

fn rule(filter: &str, rate: f64) -> SampleRule {
    let filter = (!filter.is_empty()).then(|| Expression::parse(filter).expect("a filter"));
    SampleRule { filter, rate }
}

fn sampling(rules: Vec<SampleRule>) -> Settings {
    let request_id = RequestIdSettings { accept: Accept::Always, ..RequestIdSettings::default() };
    Settings { request_id, sample: rules, slow: None, ..Settings::default() }
}

fn begin(core: &Core, path: &str, id: &str) -> Exchange {
    core.begin_with(Request::builder().uri(path).header("x-request-id", id))
}

fn deliver(exchange: Exchange, status: u16) {
    exchange.responded(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new());
    exchange.delivered();
}

fn events(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["event"].as_str()).collect()
}

#[test]
fn what_went_well_is_left_out_as_a_whole_and_counted() {
    let core = Core::new(sampling(vec![rule("", 0.0)]));
    deliver(begin(&core, "/", "a"), 200);
    deliver(begin(&core, "/", "b"), 304);
    assert_eq!(core.records(), [] as [Value; 0]);
    assert_eq!(core.exchanges.tally.left_out(), 2);
}

#[test]
fn what_went_wrong_is_written_as_a_whole() {
    let core = Core::new(sampling(vec![rule("", 0.0)]));
    deliver(begin(&core, "/", "not-found"), 404);
    deliver(begin(&core, "/", "failed"), 500);
    drop(begin(&core, "/", "left"));
    let exchange = begin(&core, "/", "refused");
    exchange.refused(Outcome::Rejected, Exception { kind: b"http_request_error".to_vec(), message: Vec::new() });
    deliver(exchange, 200);
    let exchange = begin(&core, "/", "grpc");
    exchange.responded(StatusCode::OK, &HeaderMap::new());
    exchange.grpc_status(14);
    exchange.delivered();
    drop(exchange);
    for records in core.records().chunks(2) {
        assert_eq!(events(records), ["request_started", "request_completed"]);
        assert_eq!(records[0]["request_id"], records[1]["request_id"]);
        assert_eq!(records[1].get("sample_rate"), None, "{records:#?}");
        assert!(records[0]["timestamp"].as_str() <= records[1]["timestamp"].as_str());
    }
    let exchange = begin(&core, "/", "reported");
    exchange.reported(Exception { kind: b"ValueError".to_vec(), message: Vec::new() });
    deliver(exchange, 200);
    assert_eq!(events(&core.records()), ["request_started", "request_failed", "request_completed"]);
    assert_eq!(core.exchanges.tally.left_out(), 0);
}

#[test]
fn the_first_rule_that_means_it_decides_and_none_means_all() {
    let rules = vec![rule("path:/health*", 0.0), rule("path:/all", 1.0), rule("status:200", 0.0)];
    let core = Core::new(sampling(rules));
    deliver(begin(&core, "/healthz", "a"), 200);
    deliver(begin(&core, "/else", "b"), 200);
    assert!(core.records().is_empty());
    deliver(begin(&core, "/all", "c"), 200);
    deliver(begin(&core, "/else", "d"), 204);
    let records = core.records();
    assert_eq!(events(&records), ["request_started", "request_completed"].repeat(2));
    assert!(records.iter().all(|record| record.get("sample_rate").is_none()), "{records:#?}");
}

#[test]
fn what_the_head_alone_decides_holds_back_nothing_else() {
    let core = Core::new(sampling(vec![rule("path:/health* outcome:success", 0.0)]));
    let other = begin(&core, "/page", "a");
    assert_eq!(events(&core.records()), ["request_started"], "at once");
    let health = begin(&core, "/healthz", "b");
    assert!(core.records().is_empty(), "it may be left out");
    deliver(health, 200);
    deliver(other, 200);
    assert_eq!(events(&core.records()), ["request_completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_shown_when_it_is_slow() {
    for start in [StartMode::Always, StartMode::After(Duration::ZERO)] {
        let core = Core::new(Settings { slow: Some(Duration::ZERO), start, ..sampling(vec![rule("", 0.0)]) });
        let exchange = begin(&core, "/", "a");
        assert!(core.records().is_empty());
        let reporting = core.exchanges.watch_thresholds();
        assert!(tokio::time::timeout(Duration::from_secs(1), reporting).await.is_err(), "it never ends");
        assert_eq!(events(&core.records()), ["request_started", "request_slow"]);
        deliver(exchange, 200);
        assert_eq!(events(&core.records()), ["request_completed"]);
    }
}

#[test]
fn a_started_record_that_nobody_asks_for_is_not_made_up() {
    for start in [StartMode::Never, StartMode::After(Duration::from_secs(60)), StartMode::After(Duration::from_secs(5))]
    {
        let core = Core::new(Settings { start, ..sampling(vec![rule("", 0.0)]) });
        deliver(begin(&core, "/", "a"), 500);
        assert_eq!(events(&core.records()), ["request_completed"]);
    }
}

proptest! {
    /// Whatever the rates: the draw of the id decides, the record says the rate, and both records agree.
    #[test]
    fn the_draw_of_the_id_decides(
        rates in proptest::collection::vec(0.0..1.0_f64, 3),
        ids in proptest::collection::hash_set("[a-z0-9]{1,12}", 1..20),
        statuses in proptest::collection::vec(proptest::sample::select(vec![200, 204, 302, 404, 500]), 20),
    ) {
        let rules = vec![rule("status:200", rates[0]), rule("path:/b", rates[1]), rule("", rates[2])];
        let core = Core::new(sampling(rules));
        for ((id, status), path) in ids.iter().zip(statuses).zip(["/a", "/b"].iter().cycle()) {
            deliver(begin(&core, path, id), status);
            let rate = match (status, *path) {
                (400.., _) => None,
                (200, _) => Some(rates[0]),
                (_, "/b") => Some(rates[1]),
                _ => Some(rates[2]),
            };
            let records = core.records();
            if rate.is_none_or(|rate| draw(id) < rate) {
                prop_assert_eq!(events(&records), ["request_started", "request_completed"]);
                prop_assert_eq!(records[1].get("sample_rate").and_then(Value::as_f64), rate);
            } else {
                prop_assert_eq!(records.len(), 0);
            }
        }
    }
}
