//! "Never" is certain: whatever an expression and a record are, a record that is seen and meant is never called impossible;
//! and where a few fields say it all, what no record is gets called so.

use proptest::collection::vec;
use proptest::prelude::*;

use super::reach::{Never, Reach, Reaches, names, unknown_event};
use super::world::{Barred, Scene};
use crate::exchange::{Constant, EventSettings, FieldSource, Settings};
use crate::filter::Expression;
use crate::pipeline::{self, Levels};
use crate::record::{Arg, Body, Event, Facts, Head, Level, Outcome, Progress, Record, Rejected, Value};
use crate::routes::StartMode;

/// What a record is made of.
#[derive(Debug, Clone)]
struct Given {
    kind: usize,
    level: usize,
    logger: usize,
    status: Option<u16>,
    number: u64,
    word: usize,
    is_full: bool,
}

fn given() -> impl Strategy<Value = Given> {
    let known = prop::sample::select(vec![100, 200, 404, 500, 503, 599, 999]).prop_map(Some);
    let status = prop_oneof![Just(None), (100..600_u16).prop_map(Some), known];
    let parts = (0..KINDS, 0..5_usize, 0..LOGGERS.len(), status, 0..3_000_000_u64, 0..WORDS.len(), any::<bool>());
    parts.prop_map(|(kind, level, logger, status, number, word, is_full)| Given {
        kind,
        level,
        logger,
        status,
        number,
        word,
        is_full,
    })
}

const KINDS: usize = 11;
const LOGGERS: [&str; 3] = ["gatelog.proxy", "rustls", "gatelog.request.x"];
const WORDS: [&str; 4] = ["a", "b", "request_slow", "bought"];

impl Given {
    /// Shows the record, and the level and logger by which it is let through.
    fn show<T>(&self, see: impl FnOnce(&Record<'_>) -> T) -> T {
        let word = WORDS[self.word];
        let kwargs = [Arg { name: "pk", value: Value::Digits("7") }];
        let labels = [("X-A", word.as_bytes())];
        let mut facts = Facts { method: "GET", path: word.as_bytes(), view_name: word, ..Facts::default() };
        let mut progress = Progress { status_code: self.status, duration: self.number, ..Progress::default() };
        if self.is_full {
            (facts.view_kwargs, facts.labels, facts.route, facts.user_id) =
                (&kwargs, &labels, Some(word), Some(word.as_bytes()));
            (progress.outcome, progress.upstream, progress.attempts) = (Some(Outcome::Success), Some(word), Some(2));
            progress.exception_type = Some(word.as_bytes());
        }
        let any = Level::ALL[self.level];
        let hard = if self.is_full { Level::Error } else { Level::Critical };
        let rejected = Rejected {
            peer_address: Some("10.0.0.7:1"),
            ip_address: self.is_full.then_some("10.0.0.7"),
            status_code: self.status,
            reason: word,
            detail: word,
            excerpt: word.as_bytes(),
            request_id: self.is_full.then_some(word),
            suppressed: self.number % 2,
        };
        let own = [("status_code", Value::Unsigned(self.number % 900)), ("count", Value::Unsigned(self.number))];
        let bought = [
            ("request_id", Value::Text(b"x")),
            ("trace_id", Value::Null),
            ("view_name", Value::Text(word.as_bytes())),
            ("amount", Value::Unsigned(self.number)),
            ("duration", Value::Float(0.5)),
        ];
        let started = Body::Request { facts: &facts, progress: None };
        let ended = Body::Request { facts: &facts, progress: Some(&progress) };
        let (request, proxy) = ("gatelog.request", "gatelog.proxy");
        let (event, level, logger, body) = match self.kind {
            0 => (Event::RequestStarted, Level::Info, request, started),
            1 => (Event::RequestSlow, Level::Warning, request, ended),
            2 => (Event::RequestFailed, hard, request, ended),
            3 | 4 => (Event::RequestCompleted, any, request, ended),
            5 => (Event::RequestRejected, Level::Warning, "gatelog.security", Body::Rejected(&rejected)),
            6 => (Event::SecurityEvent, Level::Warning, "gatelog.security", Body::Rejected(&rejected)),
            7 => (Event::business("bought"), Level::Info, "gatelog.business", Body::Fields(&bought)),
            8 => (Event::ServerStarted, Level::Info, proxy, Body::Fields(&own)),
            9 => (Event::RequestProgress, Level::Info, request, ended),
            _ => (Event::Diagnostic, any, LOGGERS[self.logger], Body::Fields(&own)),
        };
        see(&Record { head: Head { timestamp: self.number, level, event, message: event.message(), logger }, body })
    }
}

/// Business events of the tests.
fn exchange() -> Settings {
    let fields = ["amount", "duration"].map(|name| (name.to_owned(), FieldSource::Constant(Constant::Truth(true))));
    let when = "*".parse().unwrap();
    let bought = EventSettings { name: "bought".to_owned(), when, level: Level::Info, fields: fields.into() };
    Settings { events: vec![bought], ..Settings::default() }
}

fn levels(level: Option<Level>, loggers: &[(&str, Level)]) -> pipeline::Settings {
    let loggers = loggers.iter().map(|(name, level)| ((*name).to_owned(), Some(*level))).collect();
    pipeline::Settings { level, loggers, ..pipeline::Settings::default() }
}

fn reach(filters: &[&str], pipeline: &pipeline::Settings, exchange: &Settings) -> Reach {
    let filters: Vec<Expression> = filters.iter().map(|filter| filter.parse().unwrap()).collect();
    let scene = Scene { pipeline, exchange, routes: &[] };
    Reaches::new(&scene).of(&filters.iter().collect::<Vec<_>>())
}

/// What is asked, of the fields that decide and of some others.
fn term() -> impl Strategy<Value = String> {
    let terms = [
        "event:request_started",
        "event:request_completed",
        "event:request_*",
        "event:bought",
        "event:*",
        "event:nothing",
        "event:diagnostic",
        "event:request_slow",
        "level:info",
        "level>=error",
        "level<warning",
        "level:critical",
        "level<debug",
        "status>=500",
        "status:5xx",
        "status:*",
        "status:404",
        "status<200",
        "status>599",
        "status>=599",
        "logger:gatelog.request",
        "logger:rustls",
        "logger:gatelog.*",
        "path:a",
        "user:a",
        "duration>1s",
        "fields.amount>3",
        "amount",
        "reason:a",
        "route:*",
        "view_kwargs.pk:7",
        "labels.X-A:a",
        "upstream:a",
        "count>5",
        "in_flight:true",
        "excerpt:a",
        "suppressed:1",
        "timing.wait>1s",
        "outcome:success",
        "request_id:x",
    ];
    prop::sample::select(terms.to_vec()).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" "))),
            2 => vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            2 => inner.prop_map(|term| format!("-({term})")),
        ]
    })
}

fn pipelines() -> impl Strategy<Value = pipeline::Settings> {
    let level = (0..6_usize).prop_map(|at| Level::ALL.get(at).copied());
    let logger = (prop::sample::select(vec!["gatelog", "gatelog.request", "rustls"]), 0..5_usize);
    (level, vec(logger, 0..3)).prop_map(|(level, loggers)| {
        let loggers: Vec<(&str, Level)> = loggers.into_iter().map(|(name, at)| (name, Level::ALL[at])).collect();
        levels(level, &loggers)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_seen_is_never_called_impossible(
        written in vec(expression(), 1..3),
        pipeline in pipelines(),
        records in vec(given(), 1..40),
    ) {
        let filters: Vec<Expression> = written.iter().map(|text| text.parse().unwrap()).collect();
        let filters: Vec<&Expression> = filters.iter().collect();
        let (allow, exchange) = (Levels::new(&pipeline), exchange());
        let reaches = Reaches::new(&Scene { pipeline: &pipeline, exchange: &exchange, routes: &[] });
        for given in records {
            given.show(|record| {
                let is_seen = allow.allow(record.head.logger, record.head.level);
                let is_meant = |filter: &&&Expression| filter.matches(record);
                if is_seen && filters.iter().filter(is_meant).count() == filters.len() {
                    prop_assert_eq!(reaches.of(&filters), Reach::Possible, "{:?}", record);
                }
                if let [filter, all] = filters[..] && is_seen && all.matches(record) && !filter.matches(record) {
                    prop_assert!(!reaches.is_all(filter, all), "{:?}", record);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn fields_that_records_have_are_never_called_absent(pipeline in pipelines(), records in vec(given(), 1..40)) {
        let exchange = exchange();
        let (allow, every) = (Levels::new(&pipeline), "*".parse::<Expression>().unwrap());
        let reaches = Reaches::new(&Scene { pipeline: &pipeline, exchange: &exchange, routes: &[] });
        for field in ["duration", "status", "user", "path", "labels.X-A", "fields.amount", "reason", "count", "route"] {
            let asked: Expression = format!("{field}:*").parse().unwrap();
            let crate::filter::Node::Field(name, _) = asked.root() else { panic!("{field}") };
            for given in &records {
                given.show(|record| {
                    let event: Expression = format!("event:{}", record.head.event.as_str()).parse().unwrap();
                    if allow.allow(record.head.logger, record.head.level) && asked.matches(record) {
                        prop_assert_eq!(reaches.with_field(&[&every], name), Reach::Possible);
                        prop_assert_eq!(reaches.with_field(&[&event], name), Reach::Possible, "{}: {:?}", field, record);
                    }
                    Ok(())
                })?;
            }
        }
    }
}

#[test]
fn contradictions_are_found() {
    let (pipeline, exchange) = (levels(Some(Level::Debug), &[]), exchange());
    let never = [
        &["event:request_started status>=500"][..],
        &["level:critical level:info"],
        &["event:request_failed level:info"],
        &["status>=500", "event:bought"],
        &["event:request_started", "event:request_completed"],
        &["status:5xx -status>=500"],
        &["event:request_* status>404 status<405"],
        &["status:404 status:500"],
        &["-status:* status:404"],
        &["event:security_event status<100"],
        &["event:request_rejected user:ada"],
        &["event:bought fields.colour:red"],
        &["event:request_slow OR event:request_failed", "level:info"],
        &["-event:*"],
        &["level<debug"],
    ];
    for filters in never {
        assert_eq!(reach(filters, &pipeline, &exchange), Reach::Never(Never::Contradiction), "{filters:?}");
    }
    for possible in
        ["status>404 status<406", "event:request_completed status:404 level>=warning", "event:bought amount"]
    {
        assert_eq!(reach(&[possible], &pipeline, &exchange), Reach::Possible, "{possible}");
    }
}

#[test]
fn what_levels_leave_out_is_told_apart() {
    let exchange = exchange();
    let barred = Reach::Never(Never::Barred(Barred::Level));
    let info = levels(Some(Level::Info), &[]);
    assert_eq!(reach(&["level:debug"], &info, &exchange), barred);
    let requests = levels(Some(Level::Info), &[("gatelog.request", Level::Error)]);
    assert_eq!(reach(&["event:request_slow"], &requests, &exchange), barred);
    assert_eq!(reach(&["level:warning"], &requests, &exchange), Reach::Possible);
    let trace = levels(Some(Level::Error), &[("rustls", Level::Debug)]);
    assert_eq!(reach(&["level:debug"], &trace, &exchange), Reach::Possible);
    assert_eq!(reach(&["level:debug event:request_completed"], &trace, &exchange), barred);
    assert_eq!(reach(&["*"], &levels(None, &[]), &exchange), barred);
}

#[test]
fn what_is_switched_off_is_told_by_its_key() {
    let off = Settings { slow: None, start: StartMode::Never, progress: None, ..exchange() };
    let info = levels(Some(Level::Info), &[]);
    for (filter, key) in [("event:request_slow", "log.slow"), ("event:request_started", "log.start")] {
        assert_eq!(reach(&[filter], &info, &off), Reach::Never(Never::Barred(Barred::Off(key))));
    }
    let slow = crate::routes::RouteSettings {
        slow: Some(Some(std::time::Duration::from_secs(1))),
        ..crate::routes::RouteSettings::new(0, crate::routes::Pattern::Path("a".to_owned()))
    };
    let nested = crate::routes::RouteSettings {
        nested: vec![slow],
        ..crate::routes::RouteSettings::new(0, crate::routes::Pattern::Path("b/".to_owned()))
    };
    let routes = [nested];
    let reaches = Reaches::new(&Scene { pipeline: &info, exchange: &off, routes: &routes });
    assert_eq!(reaches.of(&[&"event:request_slow".parse().unwrap()]), Reach::Possible);
    assert_eq!(reach(&["event:log_loss"], &info, &off), Reach::Never(Never::Barred(Barred::Own)));
}

#[test]
fn too_much_to_try_is_possible() {
    let (info, exchange) = (levels(Some(Level::Info), &[]), exchange());
    let terms: Vec<String> = (100..500).map(|status| format!("-status:{status}")).collect();
    let filter = format!("status:404 {} {}", terms.join(" "), "-path:a ".repeat(100));
    assert_eq!(reach(&[&filter], &info, &exchange), Reach::Possible);
}

#[test]
fn events_that_there_are_not_are_found_wherever_they_stand() {
    let events = ["request_slow", "bought"];
    let unknown = |filter: &str| unknown_event(&filter.parse().unwrap(), &events);
    assert_eq!(unknown("level:error OR -(path:a event:request_slwo)").as_deref(), Some("request_slwo"));
    assert_eq!(unknown("event:(bought OR buy*)").as_deref(), Some("buy*"));
    assert_eq!(unknown("event:REQUEST_* -event:bought event:*"), None);
    let names_event = |filter: &str| names(filter.parse::<Expression>().unwrap().root(), "event");
    assert!(names_event("-(a OR event:x)") && !names_event("path:event"));
}
