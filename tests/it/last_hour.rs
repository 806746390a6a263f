//! Statistics without a store: of all records of the last hour, though memory holds the lines of the newest only.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::log::{Log, Record};
use crate::support::metrics::{ask, eventually, json};
use crate::support::{Client, Setup, TestProxy, Upstream, in_parallel, request};

const CONNECTIONS: usize = 4;
/// With what is written of each, together more than memory holds.
const REQUESTS: usize = 600;
const LONG: usize = 6_000;

const CODES: [&str; 8] = ["200", "200", "200", "204", "302", "404", "503", "200"];

/// Answers as the path says: `/status/503/` with 503, `/reset/` not at all.
fn app() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            let mut parts = message.start[1].split('/').skip(1);
            match (parts.next(), parts.next()) {
                (Some("status"), Some("204")) => conn.send("HTTP/1.1 204 It\r\n\r\n"),
                (Some("status"), Some("503")) => conn.send(
                    "HTTP/1.1 503 It\r\nX-Exception-Type: KeyError\r\nX-Exception-Message: \"a\"\r\nContent-Length: 2\r\n\r\nok",
                ),
                (Some("status"), Some(code)) => conn.send(format!("HTTP/1.1 {code} It\r\nContent-Length: 2\r\n\r\nok")),
                (Some("reset"), _) => return,
                _ => conn.ok("fine"),
            }
        }
    })
}

const ROUTES: &str = "[[route]]\nname = \"status\"\npath = \"status/<int:code>/\"\n[[route]]\nname = \"reset\"\npath = \
                      \"reset/\"\n[[event]]\nname = \"missed\"\nwhen = \"status:404\"\nfields = { method = \"method\" }\n";

fn traffic(proxy: &TestProxy) {
    in_parallel(CONNECTIONS, |connection| {
        let mut client = Client::connect(proxy.addr());
        for index in 0..REQUESTS {
            let target = match index % 100 {
                0 => "/reset/".to_owned(),
                n if n % 9 == 0 => format!("/elsewhere/?long={}", "x".repeat(LONG)),
                n => format!("/status/{}/?long={}", CODES[n % CODES.len()], "x".repeat(LONG)),
            };
            let body = "y".repeat(index % 7);
            let answer = client.exchange(request("POST", &target, &format!("r-{connection}-{index}"), "", &body));
            if answer.whole().header("connection") == Some("close") {
                client = Client::connect(proxy.addr());
            }
        }
        Client::connect(proxy.addr()).exchange("nonsense\r\n\r\n");
    });
}

fn api(proxy: &TestProxy, target: &str) -> Value {
    json(&ask(proxy.admin(), "GET", target, ""))
}

/// How many of the records there are of each kind.
fn counted(records: &[&Record], kind: impl Fn(&Record) -> String) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    records.iter().for_each(|record| *counts.entry(kind(record)).or_insert(0) += 1);
    counts
}

fn named(counts: &Value) -> BTreeMap<String, u64> {
    let named = counts.as_object().expect("counts by name").iter();
    named.map(|(name, count)| (name.clone(), count.as_u64().unwrap())).filter(|(_, count)| *count > 0).collect()
}

fn text(record: &Record, name: &str) -> Option<String> {
    record.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn route(record: &Record) -> String {
    Some(record.text("view_name")).filter(|name| *name != "unknown").unwrap_or("unmatched").to_owned()
}

fn kind(record: &Record) -> String {
    let kind = text(record, "exception_type").or_else(|| text(record, "outcome"));
    kind.unwrap_or_else(|| record.event().to_owned())
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("seconds")
}

fn duration(record: &Record) -> f64 {
    seconds(&record.0["duration"])
}

fn check_counts(stats: &Value, all: &[&Record], ended: &[&Record]) {
    assert_eq!(stats["total_records"], all.len());
    assert_eq!(stats["total_requests"], ended.len());
    assert_eq!(named(&stats["by_level"]), counted(all, |record| record.text("level").to_owned()));
    assert_eq!(named(&stats["by_logger"]), counted(all, |record| record.text("logger").to_owned()));
    assert_eq!(named(&stats["by_event"]), counted(all, |record| record.event().to_owned()));
    assert_eq!(named(&stats["by_route"]), counted(ended, route));
    assert_eq!(named(&stats["by_outcome"]), counted(ended, |record| record.text("outcome").to_owned()));
    let status = |record: &Record| record.number("status_code").to_string();
    assert_eq!(named(&stats["by_status"]), counted(ended, status));
    assert_eq!(named(&stats["by_status_class"]), counted(ended, |record| format!("{}xx", &status(record)[..1])));
    let hour = |record: &Record| format!("{}:00:00Z", &record.text("timestamp")[..13]);
    let by_hour: BTreeMap<_, _> = counted(all, hour);
    assert_eq!(named(&stats["by_hour"]).values().collect::<Vec<_>>(), by_hour.values().collect::<Vec<_>>());
    for (shown, field) in [("request_bytes", "request_size"), ("response_bytes", "response_size")] {
        let bytes = ended.iter().filter_map(|record| record.get(field)?.as_u64());
        assert_eq!(stats[shown].as_u64(), Some(bytes.sum()), "{shown}");
    }
}

fn check_times(performance: &Value, ended: &[&Record]) {
    let mut slowest = ended.to_vec();
    slowest.sort_by(|one, other| duration(one).total_cmp(&duration(other)));
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let exact = duration(slowest[(slowest.len() as f64 * share).ceil() as usize - 1]);
        let told = seconds(&performance[format!("{name}_response_time")]);
        assert!((exact - 1e-9..=exact * (1.0 + 1.0 / 128.0) + 1e-6).contains(&told), "{name}: {told} for {exact}");
    }
    let sum: f64 = ended.iter().map(|record| duration(record)).sum();
    assert!((seconds(&performance["avg_response_time"]) - sum / ended.len() as f64).abs() < 1e-6);
    assert_eq!(seconds(&performance["max_response_time"]), duration(slowest[slowest.len() - 1]));
    let slow = ended.iter().filter(|record| record.get("slow").is_some_and(|slow| slow == true)).count();
    assert_eq!(performance["slow_requests_count"], slow);
    let shown: Vec<f64> =
        performance["slow_requests"].as_array().unwrap().iter().map(|entry| seconds(&entry["duration"])).collect();
    assert_eq!(shown, slowest.iter().rev().take(20).map(|record| duration(record)).collect::<Vec<_>>());
}

fn check_errors(told: &Value, all: &[&Record]) {
    let is_error =
        |record: &Record| matches!(record.text("level"), "ERROR" | "CRITICAL") && record.event() != "request_failed";
    let errors: Vec<&Record> = all.iter().copied().filter(|record| is_error(record)).collect();
    assert!(errors.len() > 100, "{}", errors.len());
    assert_eq!(told["total_errors"], errors.len());
    assert_eq!(named(&told["error_counts"]), counted(&errors, kind));
    let mut newest: Vec<&str> = errors.iter().map(|record| record.text("timestamp")).collect();
    newest.sort_unstable();
    let timeline = told["error_timeline"].as_array().unwrap();
    let shown: Vec<&str> = timeline.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
    assert_eq!(shown, newest.into_iter().rev().take(100).collect::<Vec<_>>());
    assert!(timeline.iter().all(|entry| entry["request_id"].as_str().is_some_and(|id| id.starts_with("r-"))));
}

#[test]
fn statistics_are_of_all_records_though_most_lines_had_to_make_room() {
    let upstream = app();
    let proxy = Setup::before(&upstream).admin().routes(ROUTES).set("log", "slow = \"20ms\"").start();
    traffic(&proxy);
    // Records are taken up a moment after they are written.
    let whole = |log: &Log, stats: &Value| {
        log.count("request_completed") == CONNECTIONS * REQUESTS && stats["total_records"] == log.0.len()
    };
    let (log, stats) = eventually("all records are counted", || {
        let stats = api(&proxy, "/api/stats?hours=1");
        Some((proxy.log(), stats)).filter(|(log, stats)| whole(log, stats))
    });
    let (all, ended): (Vec<&Record>, Vec<&Record>) = (log.0.iter().collect(), log.events("request_completed"));
    let [performance, errors] = ["performance", "errors"].map(|side| api(&proxy, &format!("/api/{side}?hours=1")));
    for whole in [&stats, &performance, &errors] {
        assert_eq!(whole["partial"], false);
    }
    check_counts(&stats, &all, &ended);
    check_times(&performance, &ended);
    check_errors(&errors, &all);

    let held = api(&proxy, "/api/logs?q=event:request_completed&hours=1");
    assert!(held["total_count"].as_u64().is_some_and(|held| held < ended.len() as u64), "{}", held["total_count"]);
    let filtered = api(&proxy, "/api/stats?hours=1&q=event:request_completed");
    assert_eq!((&filtered["partial"], &filtered["total_requests"]), (&Value::Bool(true), &held["total_count"]));
    proxy.stop();
}
