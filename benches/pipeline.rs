//! What offering a request's two records costs its core, by the number of outputs and what they ask.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]

mod ordinary;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::filter::Expression;
use gatelog::pipeline::{Format, Intake, Levels, OutputSettings, Port, Routing, Stamp};
use gatelog::record::json::Fragment;
use gatelog::record::{Event, Facts, Head, Level, Progress};

const USER_AGENT: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Chrome/120.0 Safari/5";

fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        method: "GET",
        scheme: "https",
        host: Some(b"shop.example"),
        path: b"/catalogue/products/1048576/reviews/all/",
        http_version: "1.1",
        view_name: "shop:product-reviews",
        ip_address: Some("203.0.113.7"),
        peer_address: Some("10.0.0.9:51234"),
        user_agent: Some(USER_AGENT),
        ..Facts::default()
    }
}

fn progress() -> Progress<'static> {
    Progress { user_id: None, ..ordinary::progress() }
}

fn output(filter: Option<&str>) -> Port {
    let filter = filter.map(|text| Expression::parse(text).expect("a filter"));
    Port::new(&OutputSettings { filter, ..OutputSettings::default() }, Format::Json)
}

/// Both records of a request, and what the writers would do to make room for the next ones.
fn pair(intake: &Intake, ports: &[Port], fragment: &mut Fragment, facts: &Facts<'_>, progress: &Progress<'_>) {
    let head = |event: Event| Head {
        timestamp: 1_785_585_600_000_000,
        level: Level::Info,
        event,
        message: event.message(),
        logger: "gatelog.request",
    };
    intake.fragment(facts, fragment);
    let show = |with: &mut dyn FnMut(&Facts<'_>)| with(facts);
    intake.request(&head(Event::RequestStarted), fragment, None, 0, &show);
    intake.request(&head(Event::RequestCompleted), fragment, Some(progress), 0, &show);
    for port in ports {
        while let Some(batch) = port.queue.pop() {
            port.queue.recycle(batch);
        }
    }
}

fn offer(criterion: &mut Criterion) {
    let cases: [(&str, &[Option<&str>]); 6] = [
        ("one", &[None]),
        ("two", &[None, None]),
        ("three", &[None, None, None]),
        ("one and errors", &[None, Some("level>=error")]),
        ("one and a page", &[None, Some("status<500 path:/catalogue/*")]),
        ("one that filters", &[Some("-path:/health*")]),
    ];
    let (facts, progress) = (facts(), progress());
    for (name, filters) in cases {
        let ports: Vec<Port> = filters.iter().map(|filter| output(*filter)).collect();
        let stamp = Stamp { instance: "01997f3e000170008000000000000001".into(), record: Default::default() };
        let routing = Routing { levels: Levels::new(&Default::default()), ports: ports.clone(), stamp, watch: None };
        let intake = Intake::new(&routing);
        let mut fragment = Fragment::default();
        criterion.bench_function(&format!("pair/{name}"), |bencher| {
            bencher.iter(|| pair(&intake, &ports, &mut fragment, &facts, &progress));
        });
    }
}

criterion_group!(benches, offer);
criterion_main!(benches);
