//! What the ledger of a request costs its core, from the head to the last record, by what is configured beside it.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]

use std::rc::Rc;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::exchange::business::member::Member;
use gatelog::exchange::capture::CaptureSettings;
use gatelog::exchange::traffic::Ended;
use gatelog::exchange::{EventSettings, Exchanges, FieldSource, HeadPlace, Settings, Shared, Tally, Traffic};
use gatelog::filter::Expression;
use gatelog::net::Peer;
use gatelog::pipeline::{Format, Intake, Levels, OutputSettings, Port, Routing, Stamp};
use gatelog::record::redact::Policy;
use gatelog::record::{Level, Outcome};
use gatelog::routes::{SampleRule, Table};
use gatelog::time::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Chrome/120.0 Safari/5";

/// The first of a page.
const BODY: &[u8] = &[b'x'; 4096];

fn expression(text: &str) -> Expression {
    Expression::parse(text).expect("a filter")
}

fn rules(rules: &[(&str, f64)]) -> Vec<SampleRule> {
    rules.iter().map(|(filter, rate)| SampleRule { filter: Some(expression(filter)), rate: *rate }).collect()
}

fn event(when: &str) -> EventSettings {
    let member = |name| FieldSource::Record { member: Member::parse(name).expect("a field"), hash: false };
    let category = HeadPlace::ResponseHeader(HeaderName::from_static("x-category"));
    let fields = vec![
        ("user_id".to_owned(), member("user_id")),
        ("status".to_owned(), member("status")),
        ("category".to_owned(), FieldSource::Head { place: category, hash: false }),
        ("is_mobile".to_owned(), FieldSource::IsMobile),
    ];
    EventSettings { name: "viewed".into(), when: expression(when), level: Level::Info, fields }
}

fn capture(when: &str) -> Option<CaptureSettings> {
    Some(CaptureSettings { response_body: 4096, when: expression(when), content_types: vec!["text/*".into()] })
}

fn cases() -> [(&'static str, Settings); 8] {
    let captured = |when| Settings { capture: capture(when), ..Settings::default() };
    let with = |sample: &[(&str, f64)], events: Vec<EventSettings>| Settings {
        sample: rules(sample),
        events,
        ..Settings::default()
    };
    [
        ("nothing", with(&[], vec![])),
        ("a rule for others", with(&[("path:/health*", 0.0)], vec![])),
        ("a rule that takes all", with(&[("outcome:success duration<0.2", 1.0)], vec![])),
        ("a rule that takes none", with(&[("outcome:success", 0.0)], vec![])),
        ("an event of others", with(&[], vec![event("path:/checkout status<400")])),
        ("an event", with(&[], vec![event("path:/catalogue/* status<400")])),
        ("a capture of others", captured("status>=500")),
        ("a capture", captured("status<400")),
    ]
}

fn requests(criterion: &mut Criterion) {
    for (name, settings) in cases() {
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let stamp = Stamp { instance: "01997f3e000170008000000000000001".into(), record: Default::default() };
        let ports = vec![port];
        let routing = Routing { levels: Levels::new(&Default::default()), ports: ports.clone(), stamp, watch: None };
        let intake = Rc::new(Intake::new(&routing));
        let hash_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key of the bench");
        let policy = Policy::new(&Default::default(), &hash_key);
        let tally = Arc::new(Tally::new(&settings.events));
        let shared =
            Shared { settings, policy, table: Arc::new(Table::empty()), hash_key, tally, traffic: Arc::default() };
        let exchanges = Exchanges::new(&shared, Rc::clone(&intake), Clock::system());
        let peer = Rc::new(Peer::new("192.0.2.1:4000".parse().expect("an address"), None));
        let head =
            Request::builder().uri("/catalogue/products/1048576/reviews/?page=2").header(header::HOST, "shop.example");
        let head = head.header(header::USER_AGENT, USER_AGENT).body(()).expect("a request").into_parts().0;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        let category = HeaderValue::from_static("shoes");
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, html), (HeaderName::from_static("x-category"), category)]);
        criterion.bench_function(&format!("request/{name}"), |bencher| {
            bencher.iter(|| {
                let exchange = exchanges.begin(&peer, &head);
                exchange.responded(StatusCode::OK, &headers);
                if exchange.captures() {
                    exchange.capture(BODY);
                }
                exchange.delivered();
                drop(exchange);
                while let Some(batch) = ports[0].queue.pop() {
                    ports[0].queue.recycle(batch);
                }
            });
        });
    }
}

/// What is counted of a request, from its beginning to its end; part of all of the above.
fn counting(criterion: &mut Criterion) {
    let traffic = Arc::new(Traffic::default());
    let meter = traffic.enter(&gatelog::routes::Table::empty());
    let mut turn = 0;
    criterion.bench_function("counting", |bencher| {
        bencher.iter(|| {
            turn += 1;
            meter.begin();
            meter.end(&Ended {
                route: None,
                method: std::hint::black_box(&Method::GET),
                status: Some(200),
                outcome: Outcome::Success,
                duration: std::hint::black_box(turn as u64 % 100_000),
                request_bytes: 0,
                response_bytes: 18_234,
            });
        });
    });
}

criterion_group!(benches, requests, counting);
criterion_main!(benches);
