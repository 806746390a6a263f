//! What a record costs: the lines of one request, each of the other formats, hostile bytes, and redaction.
//!
//! `pair` is the figure that counts: one fragment and both lines of an ordinary request, as the request path pays them.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]

mod ordinary;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatelog::record::combined::Combined;
use gatelog::record::django::{Django, Style};
use gatelog::record::json::{Encoder, Fragment, Renamed};
use gatelog::record::logfmt::Logfmt;
use gatelog::record::redact::Policy;
use gatelog::record::text::Pretty;
use gatelog::record::{
    Arg, Body, Event, Facts, Head, Level, Progress, Record, RedactSettings, Schema, Settings, Value,
};

const USER_AGENT: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Chrome/120.0 Safari/5";

fn settings() -> Settings {
    Settings { service: Some("shop".into()), environment: Some("production".into()), ..Settings::default() }
}

fn head(event: Event, timestamp: u64) -> Head<'static> {
    Head { timestamp, level: Level::Info, event, message: event.message(), logger: "gatelog.request" }
}

fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        span_id: Some("00f067aa0ba902b7"),
        method: "GET",
        scheme: "https",
        host: Some(b"shop.example"),
        path: b"/catalogue/products/1048576/reviews/all/",
        query: Some(b"limit=20&sort=desc"),
        http_version: "1.1",
        view_name: "shop:product-reviews",
        view_kwargs: &[Arg { name: "pk", value: Value::Digits("1048576") }],
        route: Some("/catalogue/products/{pk}/reviews/all/"),
        ip_address: Some("203.0.113.7"),
        peer_address: Some("10.0.0.9:51234"),
        user_agent: Some(USER_AGENT),
        ..Facts::default()
    }
}

/// Both lines of a request, as the request path writes them: the clock moves, the buffers are used again.
struct Pair {
    encoder: Encoder,
    fragment: Fragment,
    out: Vec<u8>,
    now: u64,
}

impl Pair {
    fn new() -> Pair {
        let encoder = Encoder::new("7f3e9a12", &settings());
        Pair { encoder, fragment: Fragment::default(), out: Vec::new(), now: 1_795_345_356_000_123 }
    }

    fn write(&mut self, facts: &Facts<'_>, progress: &Progress<'_>) -> usize {
        self.now += 53;
        self.out.clear();
        self.encoder.fragment(facts, &mut self.fragment);
        let (started, completed) =
            (head(Event::RequestStarted, self.now), head(Event::RequestCompleted, self.now + 25));
        self.encoder.request(&started, &self.fragment, None, &mut self.out);
        self.encoder.request(&completed, &self.fragment, Some(progress), &mut self.out);
        self.out.len()
    }
}

fn lines(c: &mut Criterion) {
    let (facts, progress) = (facts(), ordinary::progress());
    let mut pair = Pair::new();
    let size = pair.write(&facts, &progress);
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function("pair", |b| b.iter(|| pair.write(black_box(&facts), black_box(&progress))));
    group.finish();
    let mut group = c.benchmark_group("record");
    let (mut encoder, mut fragment) = (Encoder::new("7f3e9a12", &settings()), Fragment::default());
    group.bench_function("fragment", |b| b.iter(|| encoder.fragment(black_box(&facts), &mut fragment)));
    for (name, event, progress) in
        [("started", Event::RequestStarted, None), ("completed", Event::RequestCompleted, Some(&progress))]
    {
        group.bench_function(name, |b| b.iter(|| one(&mut pair, event, &fragment, black_box(progress))));
    }
    group.bench_function("record", |b| {
        let body = Body::Request { facts: &facts, progress: Some(&progress) };
        let record = Record { head: head(Event::RequestCompleted, 1), body };
        b.iter(|| {
            pair.out.clear();
            pair.encoder.record(black_box(&record), &mut pair.out)
        })
    });
}

fn one(pair: &mut Pair, event: Event, fragment: &Fragment, progress: Option<&Progress<'_>>) -> usize {
    pair.now += 53;
    pair.out.clear();
    pair.encoder.request(&head(event, pair.now), fragment, progress, &mut pair.out)
}

/// The completed record of the pair in each format that is not native JSON.
fn formats(c: &mut Criterion) {
    for schema in [Schema::Otel, Schema::Ecs] {
        let mut renamed = Renamed::new("7f3e9a12", &Settings { schema, ..settings() });
        format(c, if schema == Schema::Otel { "otel" } else { "ecs" }, |record, out| {
            renamed.record(record, out);
        });
    }
    let mut logfmt = Logfmt::new("7f3e9a12", &settings());
    format(c, "logfmt", |record, out| {
        logfmt.record(record, out);
    });
    let mut combined = Combined::default();
    format(c, "combined", |record, out| assert!(combined.record(record, out)));
    let mut verbose = Django::new(Style::Verbose, 4242);
    format(c, "verbose", |record, out| verbose.record(record, 1, out));
    let mut simple = Django::new(Style::Simple, 4242);
    format(c, "simple", |record, out| simple.record(record, 1, out));
    let mut pretty = Pretty::new(true);
    format(c, "pretty", |record, out| pretty.record(record, out));
}

fn format(c: &mut Criterion, name: &str, mut write: impl FnMut(&Record<'_>, &mut Vec<u8>)) {
    let (facts, progress) = (facts(), ordinary::progress());
    let body = Body::Request { facts: &facts, progress: Some(&progress) };
    let (mut now, mut out) = (1_795_345_356_000_123, Vec::new());
    c.bench_function(&format!("format/{name}"), |b| {
        b.iter(|| {
            now += 53;
            out.clear();
            write(black_box(&Record { head: head(Event::RequestCompleted, now), body }), &mut out);
            out.len()
        })
    });
}

fn hostile(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let facts = Facts { user_agent: Some(&bytes), ..facts() };
    let progress = ordinary::progress();
    let mut pair = Pair::new();
    let mut group = c.benchmark_group("hostile");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group
        .bench_function("pair with 4 KiB of noise", |b| b.iter(|| pair.write(black_box(&facts), black_box(&progress))));
    group.finish();
}

/// The ordinary way, for comparison: a map that serde_json writes, once for each of the two lines.
fn comparison(c: &mut Criterion) {
    let mut pair = Pair::new();
    let size = pair.write(&facts(), &ordinary::progress());
    let lines = std::str::from_utf8(&pair.out[..size]).unwrap_or_default().replace("\"seq\":,", "\"seq\":1,");
    let parsed: Vec<serde_json::Value> = lines.lines().flat_map(serde_json::from_str).collect();
    assert_eq!(parsed.len(), 2, "both lines are JSON");
    let mut out = Vec::new();
    c.bench_function("comparison/pair from ready maps by serde_json", |b| {
        b.iter(|| {
            out.clear();
            for value in black_box(&parsed) {
                // Writing into a `Vec` cannot fail.
                let _ = serde_json::to_writer(&mut out, value);
                out.push(b'\n');
            }
            out.len()
        })
    });
}

fn redaction(c: &mut Criterion) {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key");
    let policy = Policy::new(&RedactSettings::default(), &key);
    let mut group = c.benchmark_group("redact");
    for (name, query) in [
        ("query with nothing to hide", b"limit=20&sort=desc".as_slice()),
        ("query with a token", b"limit=20&token=4bf92f3577b34da6&sort=desc"),
    ] {
        group.bench_function(name, |b| b.iter(|| policy.query(black_box(query)).len()));
    }
    let referer = b"https://shop.example/catalogue/products/?limit=20&sort=desc";
    group.bench_function("referer with nothing to hide", |b| b.iter(|| policy.referer(black_box(referer)).len()));
}

criterion_group!(benches, lines, formats, hostile, comparison, redaction);
criterion_main!(benches);
