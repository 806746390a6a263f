//! Rules at work by a clock that is given, beside a naive analyzer that keeps every record.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::lifecycle::{Phase, Told};
use super::notice::Kind;
use super::settings::{Bound, Records, Rule, Severity, State, Subject};
use super::silence::Silence;
use super::*;
use crate::analyze::Measure;
use crate::filter::{Expression, Node};
use crate::pipeline::{Intake, Levels, Road, Routing, Stamp, Watch};
use crate::record::{Body, Event, Head, Level, Record, Value};

const NOW: u64 = 1_795_345_140;

/// Nothing is known but what is said.
struct Said(Vec<(String, f64)>);

impl Knows for Said {
    fn state(&self, _: &State) -> Vec<(String, f64)> {
        self.0.clone()
    }
}

fn rule(name: &str, filter: &str, above: f64, per: u64, cooldown: u64) -> Rule {
    let filter = Expression::parse(filter).expect("a filter");
    let measure = Measure::Count { per };
    let subject = Subject::Records(Records { filter, of: None, by: None, field: None, measure });
    ruled(name, subject, Bound::Above(above), cooldown)
}

fn ruled(name: &str, subject: Subject, bound: Bound, cooldown: u64) -> Rule {
    Rule {
        name: name.into(),
        severity: Severity::Warning,
        description: None,
        subject,
        bound,
        clear: bound.value(),
        hold: Duration::ZERO,
        cooldown: Duration::from_secs(cooldown),
        repeat: None,
        channels: vec![0],
    }
}

/// The rules that there are unless others are written.
fn usual() -> Vec<Rule> {
    vec![
        rule("errors", "level>=error", 10.0, 60, 300),
        rule("critical", "level:critical", 0.0, 60, 0),
        rule("slow_requests", "event:request_slow", 50.0, 60, 300),
    ]
}

/// Records go the way that a core sends them; the clock is turned by hand.
struct Bench {
    engine: Engine,
    intake: Intake,
    road: Arc<Road>,
    now: u64,
    known: Said,
    told: Vec<(u64, String, Kind, Told)>,
}

impl Bench {
    fn new(rules: Vec<Rule>) -> Bench {
        let road = Arc::new(Road::default());
        let watch = Watch::new(rules.iter().filter_map(Rule::look).collect(), &road);
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let routing =
            Routing { levels: Levels::new(&Default::default()), ports: Vec::new(), stamp, watch: Some(watch) };
        let (intake, known) = (Intake::new(&routing), Said(Vec::new()));
        Bench { engine: Engine::new(rules, NOW), intake, road, now: NOW, known, told: Vec::new() }
    }

    fn say(&mut self, event: Event, level: Level, fields: &[(&str, Value<'_>)]) {
        let head =
            Head { timestamp: self.now * 1_000_000, level, event, message: event.message(), logger: "gatelog.request" };
        self.intake.record(&Record { head, body: Body::Fields(fields) });
        self.intake.flush();
        self.take(false);
    }

    fn errors(&mut self, count: usize) {
        (0..count).for_each(|_| self.say(Event::RequestCompleted, Level::Error, &[]));
    }

    fn take(&mut self, tick: bool) {
        while let Some(batch) = self.road.pop() {
            self.engine.see(&batch);
            self.road.recycle(batch);
        }
        let mut changes = Vec::new();
        match tick {
            true => self.engine.tick(self.now, &self.known, &mut changes),
            false => self.engine.look(self.now, &mut changes),
        }
        for Change { rule, step, .. } in changes {
            let name = self.engine.rule(rule).expect("a rule").name.clone();
            self.told.push((self.now - NOW, name, step.kind, step.told));
        }
    }

    /// Seconds pass, with a look at each.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            self.intake.hand_over_sightings();
            self.take(true);
        }
    }

    fn told(&self) -> Vec<(u64, &str, Kind, Told)> {
        self.told.iter().map(|(at, name, kind, told)| (*at, name.as_str(), *kind, *told)).collect()
    }
}

#[test]
fn twelve_errors_in_a_minute_are_told_once_and_again_after_the_cooldown() {
    let mut bench = Bench::new(usual());
    bench.errors(12);
    bench.pass(100);
    bench.errors(12);
    bench.pass(250);
    bench.errors(12);
    let expected = [
        (0, "errors", Kind::Fired, Told::Yes),
        (60, "errors", Kind::Resolved, Told::Yes),
        (100, "errors", Kind::Fired, Told::Cooldown),
        (160, "errors", Kind::Resolved, Told::Cooldown),
        (350, "errors", Kind::Fired, Told::Yes),
    ];
    assert_eq!(bench.told(), expected);
}

#[test]
fn ten_are_not_too_many_and_eleven_are_within_a_minute() {
    for (first, apart, last, fires) in [(10, 0, 0, false), (10, 0, 1, true), (10, 59, 1, true), (10, 61, 1, false)] {
        let mut bench = Bench::new(usual());
        bench.errors(first);
        bench.pass(apart);
        bench.errors(last);
        assert_eq!(!bench.told.is_empty(), fires, "{first}, {apart} s, {last}");
    }
}

#[test]
fn a_critical_one_is_told_at_once_and_so_is_the_next_one_after_it_is_over() {
    let mut bench = Bench::new(usual());
    bench.say(Event::RequestCompleted, Level::Critical, &[]);
    bench.pass(61);
    bench.say(Event::Diagnostic, Level::Critical, &[]);
    let expected = [
        (0, "critical", Kind::Fired, Told::Yes),
        (60, "critical", Kind::Resolved, Told::Yes),
        (61, "critical", Kind::Fired, Told::Yes),
    ];
    assert_eq!(bench.told(), expected);
}

#[test]
fn fifty_one_slow_requests_are_one_notice() {
    let mut bench = Bench::new(usual());
    (0..50).for_each(|_| bench.say(Event::RequestSlow, Level::Warning, &[]));
    assert_eq!(bench.told(), []);
    (0..20).for_each(|_| bench.say(Event::RequestSlow, Level::Warning, &[]));
    assert_eq!(bench.told(), [(0, "slow_requests", Kind::Fired, Told::Yes)]);
}

#[test]
fn traffic_that_has_stopped_is_told_only_once_it_could_have_come() {
    let filter = Expression::parse("event:request_completed").expect("a filter");
    let measure = Measure::Count { per: 300 };
    let subject = Subject::Records(Records { filter, of: None, by: None, field: None, measure });
    let mut bench = Bench::new(vec![ruled("stopped", subject, Bound::Below(1.0), 0)]);
    bench.pass(299);
    assert_eq!(bench.told(), []);
    bench.pass(1);
    assert_eq!(bench.told(), [(300, "stopped", Kind::Fired, Told::Yes)]);
    bench.errors(1);
    assert_eq!(bench.told()[1..], [(300, "stopped", Kind::Resolved, Told::Yes)]);
}

#[test]
fn what_has_fired_is_over_when_it_is_back_where_it_is_to_clear() {
    let clear = Rule { clear: 5.0, ..rule("errors", "level>=error", 10.0, 60, 0) };
    let mut bench = Bench::new(vec![clear]);
    bench.errors(6);
    bench.pass(30);
    bench.errors(6);
    bench.pass(29);
    assert_eq!(bench.told().len(), 1);
    bench.pass(1);
    assert_eq!(bench.told().len(), 1, "six are left");
    bench.pass(30);
    assert_eq!(bench.told()[1..], [(90, "errors", Kind::Resolved, Told::Yes)]);
}

#[test]
fn each_route_has_an_alert_of_its_own() {
    let Node::Field(by, _) = Expression::parse("upstream:*").expect("a filter").root().clone() else {
        panic!("a field")
    };
    let mut grouped = rule("errors", "level>=error", 1.0, 60, 0);
    if let Subject::Records(records) = &mut grouped.subject {
        records.by = Some(by);
    }
    let mut bench = Bench::new(vec![grouped]);
    for upstream in ["a", "b", "a", "b", "b", "c"] {
        bench.say(Event::RequestCompleted, Level::Error, &[("upstream", Value::Text(upstream.as_bytes()))]);
    }
    assert_eq!(bench.told().len(), 2);
    let shown: Vec<_> = bench.engine.shown().map(|shown| (shown.group, shown.life.is_firing())).collect();
    let group = |name: &str| Some(Group { by: "upstream".into(), name: Some(name.into()) });
    assert_eq!(shown, [(group("a"), true), (group("b"), true)]);
    bench.pass(60);
    assert_eq!((bench.told().len(), bench.engine.shown().count()), (4, 0));
}

#[test]
fn servers_down_are_told_by_their_upstream() {
    let mut bench = Bench::new(vec![ruled("down", Subject::State(State::UpstreamDown), Bound::Above(0.0), 0)]);
    bench.known = Said(vec![("app".into(), 0.0), ("api".into(), 0.0)]);
    bench.pass(2);
    bench.known = Said(vec![("app".into(), 1.0), ("api".into(), 0.0)]);
    bench.pass(2);
    bench.known = Said(vec![("api".into(), 0.0)]);
    bench.pass(2);
    let told = [(3, "down", Kind::Fired, Told::Yes), (5, "down", Kind::Resolved, Told::Yes)];
    assert_eq!(bench.told(), told, "an upstream that is no more is not down");
}

#[test]
fn records_are_lost_when_the_count_of_them_grows() {
    let per = Duration::from_secs(60);
    let mut bench = Bench::new(vec![ruled("loss", Subject::State(State::LogLoss { per }), Bound::Above(0.0), 0)]);
    for (lost, seconds) in [(7.0, 2), (7.0, 2), (9.0, 2), (9.0, 60)] {
        bench.known = Said(vec![("stdout".into(), lost)]);
        bench.pass(seconds);
    }
    // What was lost before anybody looked is no news.
    assert_eq!(bench.told(), [(5, "loss", Kind::Fired, Told::Yes), (65, "loss", Kind::Resolved, Told::Yes)]);
}

#[test]
fn what_was_told_is_remembered_over_a_restart() {
    let mut bench = Bench::new(usual());
    bench.errors(12);
    bench.engine.silence(Silence { rule: "slow_requests".into(), until: (NOW + 500) * 1_000_000, comment: None }, 0);
    let saved = saved::Saved::read(&bench.engine.save().write()).expect("ours");
    let mut next = Bench::new(usual());
    next.engine.restore(saved);
    next.now += 10;
    next.errors(11);
    assert_eq!(next.told(), [], "somebody knows");
    (0..60).for_each(|_| next.say(Event::RequestSlow, Level::Warning, &[]));
    assert_eq!(next.told(), [(10, "slow_requests", Kind::Fired, Told::Silenced)]);
    next.pass(60);
    assert_eq!(next.told()[1], (70, "errors", Kind::Resolved, Told::Yes));
}

#[test]
fn a_reload_goes_on_with_what_stays() {
    let mut bench = Bench::new(usual());
    bench.errors(6);
    let mut rules = usual();
    rules[0].cooldown = Duration::ZERO;
    rules.remove(1);
    bench.engine.change(rules, bench.now);
    bench.errors(5);
    assert_eq!(bench.told(), [(0, "errors", Kind::Fired, Told::Yes)]);
}

#[test]
fn alerts_are_not_looked_for_in_their_own_records() {
    let mut bench = Bench::new(usual());
    (0..20).for_each(|_| bench.say(Event::AlertFired, Level::Critical, &[]));
    assert_eq!(bench.told(), []);
}

/// An analyzer that keeps every record and looks at all of them.
struct Naive {
    records: Vec<(u64, Level, Event)>,
    lives: Vec<(bool, Option<u64>, bool)>,
    told: Vec<(u64, usize, Kind, Told)>,
}

impl Naive {
    fn look(&mut self, now: u64) {
        for (rule, (limit, cooldown)) in [(10, 300), (0, 0), (50, 300)].into_iter().enumerate() {
            let meant = |(at, level, event): &&(u64, Level, Event)| {
                let is = match rule {
                    0 => *level >= Level::Error,
                    1 => *level == Level::Critical,
                    _ => *event == Event::RequestSlow,
                };
                is && now - at < 60
            };
            let beyond = self.records.iter().filter(meant).count() > limit;
            let (firing, told_at, told) = &mut self.lives[rule];
            let warm = told_at.is_some_and(|at| now - at < cooldown);
            match (*firing, beyond) {
                (false, true) => {
                    (*firing, *told) = (true, !warm);
                    self.told.push((now, rule, Kind::Fired, if warm { Told::Cooldown } else { Told::Yes }));
                }
                (true, true) if !*told && !warm => {
                    *told = true;
                    self.told.push((now, rule, Kind::Fired, Told::Yes));
                }
                (true, false) => {
                    *firing = false;
                    self.told.push((now, rule, Kind::Resolved, if *told { Told::Yes } else { Told::Cooldown }));
                    continue;
                }
                _ => continue,
            }
            if *told {
                *told_at = Some(now);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_streams_agree_with_whoever_keeps_everything(
        steps in proptest::collection::vec((0u64..90, 0usize..30, 0usize..3), 0..40),
    ) {
        let mut bench = Bench::new(usual());
        let mut naive = Naive { records: Vec::new(), lives: vec![(false, None, false); 3], told: Vec::new() };
        for (seconds, count, what) in steps {
            for second in 1..=seconds {
                naive.look(bench.now + second);
            }
            bench.pass(seconds);
            let (event, level) = [
                (Event::RequestCompleted, Level::Error),
                (Event::RequestCompleted, Level::Critical),
                (Event::RequestSlow, Level::Warning),
            ][what];
            for _ in 0..count {
                bench.say(event, level, &[]);
                naive.records.push((bench.now, level, event));
                naive.look(bench.now);
            }
        }
        let names = ["errors", "critical", "slow_requests"];
        let expected: Vec<_> = naive.told.iter().map(|(at, rule, kind, told)| (at - NOW, names[*rule], *kind, *told)).collect();
        prop_assert_eq!(bench.told(), expected);
    }
}

#[test]
fn phases_are_words_where_they_are_kept() {
    let text = serde_json::to_string(&Phase::Firing(7)).expect("a phase");
    assert_eq!(text, "{\"firing\":7}");
}
