//! What alerts cost a record: ten rules looked for on the request's core, and what was seen of them taken by the thread that
//! watches.
//!
//! `pair` is a request that is as it should be, with its two records; the figure that counts is half of it. `failed` is one
//! that most of the rules mean. Both halves of the way are in it; of the records themselves nothing is.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]

mod ordinary;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::alert::{Bound, Change, Engine, Records, Rule, Severity, Subject};
use gatelog::analyze::{Burn, Measure};
use gatelog::filter::{Expression, Name, Node};
use gatelog::pipeline::{Intake, Levels, Road, Routing, Stamp, Watch};
use gatelog::record::json::Fragment;
use gatelog::record::{Event, Facts, Head, Level, Outcome, Progress};

const START: u64 = 1_795_345_356;

/// Filter, of what, by what, whose quantile, and what is measured.
type Written = (&'static str, Option<&'static str>, Option<&'static str>, Option<&'static str>, Measure);

/// The defaults, and what people add to them.
fn rules() -> Vec<Rule> {
    let (minute, five) = (Measure::Count { per: 60 }, Measure::Ratio { per: 300, at_least: 50 });
    let completed = Some("event:request_completed");
    let written: [Written; 10] = [
        ("level>=error -event:request_failed", None, None, None, minute),
        ("level:critical", None, None, None, minute),
        ("event:request_slow", None, None, None, minute),
        ("status>=500", completed, None, None, five),
        (
            "event:request_completed",
            None,
            None,
            Some("duration"),
            Measure::Quantile { q: 0.95, per: 300, at_least: 50 },
        ),
        ("status>=500", completed, None, None, Measure::Burn(Burn { allowed: 0.001, window: 30 * 86_400 })),
        ("event:request_completed status>=500", None, Some("route"), None, minute),
        ("event:request_completed route:checkout duration>2s", None, None, None, minute),
        ("event:security_event", None, Some("ip"), None, minute),
        ("event:request_completed path:/login* status:401", None, Some("ip"), None, minute),
    ];
    written.into_iter().enumerate().map(|(at, written)| rule(at, written)).collect()
}

fn rule(at: usize, (filter, of, by, field, measure): Written) -> Rule {
    let parse = |text: &str| Expression::parse(text).expect("a filter");
    let (of, filter) = (of.map(parse), parse(filter));
    let records = Records { filter, of, by: by.map(name), field: field.map(name), measure };
    Rule {
        name: format!("rule-{at}"),
        severity: Severity::Warning,
        description: None,
        subject: Subject::Records(records),
        bound: Bound::Above(1e12),
        clear: 1e12,
        hold: Duration::ZERO,
        cooldown: Duration::ZERO,
        repeat: None,
        channels: Vec::new(),
    }
}

fn name(field: &str) -> Name {
    match Expression::parse(&format!("{field}:*")).expect("a filter").root() {
        Node::Field(name, _) => name.clone(),
        _ => unreachable!("a field"),
    }
}

fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        method: "GET",
        scheme: "https",
        host: Some(b"shop.example"),
        path: b"/posts/1048576/",
        http_version: "1.1",
        view_name: "post-detail",
        route: Some("/posts/{pk}/"),
        ip_address: Some("203.0.113.7"),
        ..Facts::default()
    }
}

/// One request, as its core offers it, and everything that follows from it.
struct Way {
    intake: Intake,
    road: Arc<Road>,
    engine: Engine,
    second: u64,
    offered: u64,
    changes: Vec<Change>,
}

impl Way {
    fn new() -> Way {
        let road = Arc::new(Road::default());
        let watch = Watch::new(rules().iter().filter_map(Rule::look).collect(), &road);
        let stamp = Stamp { instance: String::new(), record: Default::default() };
        let routing =
            Routing { levels: Levels::new(&Default::default()), ports: Vec::new(), stamp, watch: Some(watch) };
        let (intake, engine) = (Intake::new(&routing), Engine::new(rules(), START));
        Way { intake, road, engine, second: START, offered: 0, changes: Vec::new() }
    }

    fn offer(&mut self, event: Event, level: Level, progress: Option<&Progress<'_>>) {
        let timestamp = self.second * 1_000_000;
        let head = Head { timestamp, level, event, message: event.message(), logger: "gatelog.request" };
        let facts = facts();
        self.intake.request(&head, &Fragment::default(), progress, 1, &|see| see(&facts));
    }

    /// The clock goes on by a second each 10 000 requests.
    fn request(&mut self, level: Level, progress: &Progress<'_>) {
        self.offer(Event::RequestStarted, Level::Info, None);
        self.offer(Event::RequestCompleted, level, Some(progress));
        self.offered += 1;
        self.second = START + self.offered / 10_000;
        if self.offered.is_multiple_of(1_000) {
            self.intake.hand_over_sightings();
        }
        while let Some(batch) = self.road.pop() {
            self.engine.see(&batch);
            self.road.recycle(batch);
            self.engine.look(self.second, &mut self.changes);
        }
    }
}

fn records(criterion: &mut Criterion) {
    let failed = Progress { status_code: Some(502), outcome: Some(Outcome::UpstreamRefused), ..ordinary::progress() };
    let mut way = Way::new();
    criterion.bench_function("alert/ten rules/pair", |bencher| {
        bencher.iter(|| way.request(Level::Info, &ordinary::progress()));
    });
    let mut way = Way::new();
    criterion.bench_function("alert/ten rules/failed", |bencher| {
        bencher.iter(|| way.request(Level::Error, &failed));
    });
    assert!(way.changes.is_empty());
}

criterion_group!(benches, records);
criterion_main!(benches);
