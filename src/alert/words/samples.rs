//! Notices for tests: one that users know, and any at all.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::alert::notice::{Evidence, Group, Kind, Notice};

/// Twelve errors of a shop.
pub(in crate::alert) fn notice(kind: Kind) -> Notice {
    Notice {
        kind,
        rule: "error_rate".to_owned(),
        severity: "critical",
        description: Some("Customers cannot pay & <leave>.".to_owned()),
        group: Some(Group { by: "route".to_owned(), name: Some("checkout".to_owned()) }),
        summary: "12 records in 1m, above 10".to_owned(),
        value: 12.0,
        bound: 10.0,
        since: 1_785_585_540_000_000,
        at: 1_785_585_600_000_000,
        key: "error_rate/route=checkout".to_owned(),
        service: "shop".to_owned(),
        environment: "production".to_owned(),
        link: Some("https://gatelog.example/?q=level%3E%3Derror&since=1h".to_owned()),
        evidence: Evidence {
            records: vec![
                record(1, "/checkout/?item=<script>alert(1)</script>", "connection refused"),
                record(2, "/checkout/\u{1b}[31mred", "\"quoted\" & 'so'"),
            ],
            routes: vec![("checkout".to_owned(), 9), ("<cart>".to_owned(), 3)],
            chart: vec![0, 1, 2, 0, 5, 12],
        },
    }
}

fn record(number: u32, path: &str, message: &str) -> String {
    serde_json::json!({
        "timestamp": format!("2026-08-01T11:59:{:02}.000000Z", 60 - number),
        "level": "ERROR",
        "event": "request_completed",
        "message": "Request completed",
        "request_id": format!("r-{number}"),
        "method": "POST",
        "path": path,
        "view_name": "checkout",
        "status_code": 502,
        "duration": 1.25,
        "exception_type": "connection_refused",
        "exception_message": message,
    })
    .to_string()
}

/// Texts with all that means something to somebody.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\r\\n<>&\"'@`*=?:\\[\\]() a-z!|.\\x00-\\x1f-]{0,40}",
        "(<!channel>|@all|=\\?utf-8\\?q\\?x\\?=|\r\nBcc: a@b.c|```|\u{202e}){0,6}"
    ]
}

/// A record with anything in it, or anything at all.
fn records() -> impl Strategy<Value = Vec<String>> {
    let fields = (text(), text(), text(), any::<Option<f64>>());
    let record = fields.prop_map(|(path, message, id, duration)| {
        serde_json::json!({"path": path, "message": message, "request_id": id, "view_name": path, "duration": duration})
            .to_string()
    });
    vec(prop_oneof![record, text()], 0..12)
}

/// Any notice.
pub(in crate::alert) fn any_notice() -> impl Strategy<Value = Notice> {
    let kind = prop_oneof![Just(Kind::Fired), Just(Kind::Repeated), Just(Kind::Resolved), Just(Kind::Test)];
    let names = (text(), text(), text(), text(), text());
    let group = option::of((text(), option::of(text())).prop_map(|(by, name)| Group { by, name }));
    let numbers = (any::<f64>(), any::<f64>(), 0..4_000_000_000_000_000u64, 0..4_000_000_000_000_000u64);
    let evidence = (records(), vec((text(), any::<u64>()), 0..6), vec(any::<u64>(), 0..70));
    let more = (option::of(text()), option::of(text()), group, evidence);
    (kind, names, numbers, more).prop_map(|(kind, names, numbers, more)| {
        let (rule, summary, key, service, environment) = names;
        let (value, bound, since, at) = numbers;
        let (description, link, group, (records, routes, chart)) = more;
        let evidence = Evidence { records, routes, chart };
        let severity = if kind == Kind::Test { "info" } else { "critical" };
        Notice {
            kind,
            rule,
            severity,
            description,
            group,
            summary,
            value,
            bound,
            since,
            at,
            key,
            service,
            environment,
            link,
            evidence,
        }
    })
}
