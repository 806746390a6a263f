//! What a filter costs on a record, and what it costs to read one.
//!
//! `typical` is the figure that counts, once on a record that is meant and once on one that is not: it is paid for each
//! record and each output that has a filter.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]

mod ordinary;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::filter::Expression;
use gatelog::record::{Arg, Body, Event, Facts, Head, Level, Outcome, Progress, Record, Timing, Value};

const TYPICAL: &str = "status>=500 route:post-detail -path:/health* duration>500ms";

fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        method: "GET",
        scheme: "https",
        host: Some(b"shop.example"),
        path: b"/posts/1048576/",
        query: Some(b"limit=20&sort=desc"),
        http_version: "1.1",
        view_name: "post-detail",
        view_kwargs: &[Arg { name: "pk", value: Value::Digits("1048576") }],
        route: Some("/posts/{pk}/"),
        ip_address: Some("203.0.113.7"),
        peer_address: Some("10.0.0.9:51234"),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Chrome/120.0 Safari/5"),
        labels: &[("X-Tenant", b"acme"), ("region", b"eu-1")],
        ..Facts::default()
    }
}

fn progress(status: u16) -> Progress<'static> {
    Progress {
        status_code: Some(status),
        outcome: Some(Outcome::of_status(status)),
        duration: 753_210,
        timing: Timing { queue: Some(12), wait: Some(752_000), ..Timing::default() },
        ..ordinary::progress()
    }
}

fn head() -> Head<'static> {
    let event = Event::RequestCompleted;
    Head {
        timestamp: 1_795_345_356_000_123,
        level: Level::Error,
        event,
        message: event.message(),
        logger: "gatelog.request",
    }
}

/// Expressions on a record with status 502; the last two of them look at all of its texts.
const EXPRESSIONS: [(&str, &str); 8] = [
    ("level", "level>=error"),
    ("health checks", "-path:/health*"),
    ("sampling", "outcome:success duration<0.2"),
    ("network", "ip_address:10.0.0.0/8"),
    ("label", "labels.region:eu-1"),
    ("any of ten users", "user_id:(a b c d e f g h i j)"),
    ("word", "timeout"),
    ("words", "\"connection reset\" OR chrome*safari OR héllo"),
];

fn evaluation(c: &mut Criterion) {
    let facts = facts();
    let (error, fine) = (progress(502), progress(200));
    let record = |progress| Record { head: head(), body: Body::Request { facts: &facts, progress: Some(progress) } };
    let mut group = c.benchmark_group("filter");
    for (name, expression, progress, meant) in
        [("typical, meant", TYPICAL, &error, true), ("typical, not meant", TYPICAL, &fine, false)]
    {
        let expression = parsed(expression);
        assert_eq!(expression.matches(&record(progress)), meant);
        group.bench_function(name, |b| b.iter(|| black_box(&expression).matches(black_box(&record(progress)))));
    }
    for (name, expression) in EXPRESSIONS {
        let expression = parsed(expression);
        group.bench_function(name, |b| b.iter(|| black_box(&expression).matches(black_box(&record(&error)))));
    }
}

/// The worst that can be asked of the longest text that there can be: each piece is nearly everywhere.
fn hostile(c: &mut Criterion) {
    let agent = b"ab".repeat(16 * 1024);
    let facts = Facts { user_agent: Some(&agent), ..facts() };
    let record = Record { head: head(), body: Body::Request { facts: &facts, progress: None } };
    let mut group = c.benchmark_group("hostile");
    for (name, word) in [("nearly", format!("{}c", "ab".repeat(1000))), ("stars", format!("{}c", "aba*".repeat(1000)))]
    {
        let expression = parsed(&word);
        group.bench_function(name, |b| b.iter(|| black_box(&expression).matches(black_box(&record))));
    }
}

fn reading(c: &mut Criterion) {
    c.bench_function("filter/read", |b| b.iter(|| Expression::parse(black_box(TYPICAL))));
}

fn parsed(expression: &str) -> Expression {
    Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

criterion_group!(benches, evaluation, hostile, reading);
criterion_main!(benches);
