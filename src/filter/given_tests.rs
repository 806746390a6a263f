//! Random records, owned: as a view for the filter, and as a plain map of values for an evaluator that is slow and clear.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::record::{
    Arg, Body, Event, Facts, Head, Level, Loss, Outcome, Phase, Progress, Record, Rejected, Timing, Tls, Value as Free,
};

/// A value in the map, as the line of the record has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// Name, with its part behind a dot, to values.
pub(super) type Map = BTreeMap<String, Vec<Datum>>;

/// Everything that a record of any kind can be made of.
#[derive(Debug, Clone)]
pub(super) struct Given {
    kind: u8,
    present: u64,
    level: usize,
    texts: Vec<Vec<u8>>,
    words: Vec<String>,
    numbers: Vec<u64>,
    free: Vec<u8>,
}

/// Few letters, so that what is asked is often there; bytes that are no text, or not on one line, among them.
pub(super) const TEXTS: [&[u8]; 16] = [
    b"a",
    b"A",
    b"ab",
    b"aB/b",
    b"b a",
    b"b*a",
    "\u{e9}a".as_bytes(),
    b"\xffa",
    b"a\nb",
    b"\"b\\",
    b"or",
    b"42",
    b"007",
    b"true",
    b"a\xe2\x82",
    b"bbab",
];
pub(super) const WORDS: [&str; 8] = ["a", "A", "ab", "bA", "10.0.0.7", "10.0.9.7:80", "0123456789abcdef", "x-y"];

pub(super) fn given() -> impl Strategy<Value = Given> {
    let texts = vec(prop::sample::select(TEXTS.map(<[u8]>::to_vec).to_vec()), 14);
    let words = vec(prop::sample::select(WORDS.map(str::to_owned).to_vec()), 12);
    let numbers =
        vec(prop_oneof![0u64..4, 0u64..3000, 400u64..600, Just(1_500_000), any::<u64>().prop_map(|n| n >> 20)], 16);
    (0u8..8, any::<u64>(), 0..5usize, texts, words, numbers, vec(0u8..9, 4)).prop_map(
        |(kind, present, level, texts, words, numbers, free)| Given {
            kind,
            present,
            level,
            texts,
            words,
            numbers,
            free,
        },
    )
}

const TIMESTAMP: u64 = 1_795_345_356_000_123;

impl Given {
    fn has<T>(&self, bit: u32, value: T) -> Option<T> {
        (self.present >> bit & 1 == 1).then_some(value)
    }

    fn text(&self, at: u32) -> Option<&[u8]> {
        self.has(at, self.texts[at as usize].as_slice())
    }

    fn word(&self, at: u32) -> Option<&str> {
        self.has(20 + at, self.words[at as usize].as_str())
    }

    fn number(&self, at: u32) -> Option<u64> {
        self.has(36 + at, self.numbers[at as usize])
    }

    fn event(&self) -> Event {
        match self.kind {
            0 => Event::RequestStarted,
            1 => Event::RequestRejected,
            2 => Event::LogLoss,
            3 => Event::Diagnostic,
            _ => Event::RequestCompleted,
        }
    }

    /// Of each type one.
    fn free(&self, at: usize) -> Free<'_> {
        match self.free[at] {
            0 => Free::Digits("42"),
            1 => Free::Digits("007"),
            2 => Free::Unsigned(self.numbers[at]),
            3 => Free::Float(1.5),
            4 => Free::Float(f64::NAN),
            5 => Free::Bool(self.level > 2),
            6 => Free::List(&["a", "42"]),
            7 => Free::Null,
            _ => Free::Text(&self.texts[at]),
        }
    }

    /// The view that the filter sees.
    pub(super) fn with_record<T>(&self, use_it: impl FnOnce(&Record<'_>) -> T) -> T {
        let head = Head {
            timestamp: TIMESTAMP + self.numbers[15] % 90_000_000_000,
            level: Level::ALL[self.level],
            event: self.event(),
            message: std::str::from_utf8(&self.texts[13]).unwrap_or("Ab"),
            logger: "gatelog.request",
        };
        let (args, kwargs) =
            ([self.free(0)], [Arg { name: "pk", value: self.free(1) }, Arg { name: "x-y", value: self.free(2) }]);
        let labels = [("X-Tenant", self.texts[10].as_slice())];
        let server_timing = [("db", self.numbers[9]), ("view", self.numbers[8])];
        let fields =
            [("pk", self.free(0)), ("message", self.free(1)), ("duration", self.free(2)), ("upstream", self.free(3))];
        let rejected = self.rejected();
        let loss = Loss {
            output: &self.words[0],
            count: self.numbers[0],
            from_seq: self.numbers[1],
            to_seq: self.numbers[2],
            reason: &self.words[1],
        };
        let facts = Facts {
            view_args: &args,
            view_kwargs: &kwargs,
            labels: self.has(19, labels.as_slice()).unwrap_or_default(),
            ..self.facts()
        };
        let progress =
            Progress { server_timing: self.has(18, server_timing.as_slice()).unwrap_or_default(), ..self.progress() };
        let body = match self.kind {
            0 => Body::Request { facts: &facts, progress: None },
            1 => Body::Rejected(&rejected),
            2 => Body::Loss(&loss),
            3 => Body::Fields(&fields),
            _ => Body::Request { facts: &facts, progress: Some(&progress) },
        };
        use_it(&Record { head, body })
    }

    fn rejected(&self) -> Rejected<'_> {
        Rejected {
            peer_address: self.word(0),
            ip_address: self.word(1),
            status_code: self.number(0).map(|number| number as u16),
            reason: &self.words[2],
            detail: self.word(3).unwrap_or_default(),
            excerpt: self.text(0).unwrap_or_default(),
            request_id: self.word(4),
            suppressed: self.number(1).unwrap_or_default(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            request_id: &self.words[4],
            request_id_origin: "generated",
            method: &self.words[5],
            host: self.text(1),
            path: self.text(0).unwrap_or_default(),
            query: self.text(2),
            view_name: &self.words[6],
            route: self.word(7),
            user_id: self.text(3),
            ip_address: self.word(1),
            peer_address: self.word(0),
            user_agent: self.text(4),
            content_length: self.number(1),
            tls: self.has(
                17,
                Tls { version: &self.words[8], cipher: "c", sni: self.word(9), alpn: None, client_subject: None },
            ),
            ..Facts::default()
        }
    }

    fn progress(&self) -> Progress<'_> {
        Progress {
            user_id: self.text(5),
            request_size: self.numbers[2],
            status_code: self.number(0).map(|number| number as u16),
            response_size: self.number(3),
            response_content_type: self.text(6),
            duration: self.numbers[4],
            timing: Timing { queue: self.number(5), wait: self.number(6), ..Timing::default() },
            outcome: self.has(16, Outcome::ALL[self.numbers[7] as usize % Outcome::ALL.len()]),
            phase: Phase::ALL[self.level],
            upstream: self.word(10),
            upstream_address: self.word(11),
            attempts: self.number(8).map(|number| number as u32),
            reused_connection: self.has(15, self.level > 1),
            exception_type: self.text(7),
            exception_message: self.text(8),
            response_excerpt: self.text(9),
            slow: self.level > 2,
            in_flight: self.level == 4,
            sample_rate: self.has(14, [0.5, 1.0, f64::INFINITY][self.level % 3]),
            ..Progress::default()
        }
    }

    /// What the record's line says, field by field; made without the encoder.
    pub(super) fn map(&self) -> Map {
        let mut map = Map::new();
        self.with_record(|record| {
            let head = &record.head;
            put(&mut map, "timestamp", Some(Datum::Number(head.timestamp as f64)));
            put(&mut map, "level", Some(Datum::Number(self.level as f64)));
            put(&mut map, "event", text(Some(head.event.as_str().as_bytes())));
            put(&mut map, "message", text(Some(head.message.as_bytes())));
            match record.body {
                Body::Request { facts, progress } => {
                    put_facts(&mut map, facts);
                    let running = progress.is_none_or(|progress| progress.in_flight);
                    put(&mut map, "in_flight", running.then_some(Datum::Bool(true)));
                    put(&mut map, "user_id", text(progress.and_then(|progress| progress.user_id).or(facts.user_id)));
                    progress.into_iter().for_each(|progress| put_progress(&mut map, progress));
                }
                Body::Rejected(rejected) => put_rejected(&mut map, rejected),
                Body::Loss(loss) => {
                    put(&mut map, "output", text(Some(loss.output.as_bytes())));
                    put(&mut map, "reason", text(Some(loss.reason.as_bytes())));
                    put(&mut map, "count", number(Some(loss.count)));
                }
                Body::Fields(fields) => fields.iter().for_each(|(name, value)| put_free(&mut map, name, value)),
            }
        });
        map
    }
}

fn put(map: &mut Map, name: &str, value: Option<Datum>) {
    if let Some(value) = value {
        map.entry(name.to_owned()).or_default().push(value);
    }
}

fn text(bytes: Option<&[u8]>) -> Option<Datum> {
    bytes.map(|bytes| Datum::Text(String::from_utf8_lossy(bytes).into_owned()))
}

fn number(number: Option<u64>) -> Option<Datum> {
    number.map(|number| Datum::Number(number as f64))
}

/// A part, which is also found under its field's own name.
fn put_part(map: &mut Map, field: &str, part: &str, value: Option<Datum>) {
    put(map, field, value.clone());
    put(map, &format!("{field}.{part}"), value);
}

fn put_facts(map: &mut Map, facts: &Facts<'_>) {
    let strings = [
        ("request_id", Some(facts.request_id)),
        ("method", Some(facts.method)),
        ("view_name", Some(facts.view_name)),
        ("route", Some(facts.view_name)),
        ("route", facts.route),
        ("pattern", facts.route),
        ("ip_address", facts.ip_address),
        ("peer_address", facts.peer_address),
    ];
    strings.into_iter().for_each(|(name, value)| put(map, name, text(value.map(str::as_bytes))));
    let path = Some(facts.path).filter(|path| !path.is_empty());
    let bytes = [("host", facts.host), ("path", path), ("query", facts.query), ("user_agent", facts.user_agent)];
    bytes.into_iter().for_each(|(name, value)| put(map, name, text(value)));
    put(map, "content_length", number(facts.content_length));
    facts
        .view_args
        .iter()
        .for_each(|value| data(value).into_iter().for_each(|datum| put(map, "view_args", Some(datum))));
    for arg in facts.view_kwargs {
        data(&arg.value).into_iter().for_each(|datum| put_part(map, "view_kwargs", arg.name, Some(datum)));
    }
    facts.labels.iter().for_each(|(name, value)| put_part(map, "labels", name, text(Some(value))));
    if let Some(tls) = facts.tls {
        put_part(map, "tls", "version", text(Some(tls.version.as_bytes())));
        put_part(map, "tls", "cipher", text(Some(tls.cipher.as_bytes())));
        put_part(map, "tls", "sni", text(tls.sni.map(str::as_bytes)));
    }
}

fn put_progress(map: &mut Map, progress: &Progress<'_>) {
    put(map, "status_code", number(progress.status_code.map(u64::from)));
    put(map, "request_size", number(Some(progress.request_size)));
    put(map, "response_size", number(progress.response_size));
    put(map, "duration", number(Some(progress.duration)));
    put_part(map, "timing", "queue", number(progress.timing.queue));
    put_part(map, "timing", "wait", number(progress.timing.wait));
    progress
        .server_timing
        .iter()
        .for_each(|(name, micros)| put_part(map, "server_timing", name, number(Some(*micros))));
    put(map, "outcome", text(progress.outcome.map(|outcome| outcome.as_str().as_bytes())));
    put(map, "attempts", number(progress.attempts.map(u64::from)));
    put(map, "reused_connection", progress.reused_connection.map(Datum::Bool));
    put(map, "slow", Some(Datum::Bool(progress.slow)));
    put(map, "sample_rate", progress.sample_rate.filter(|rate| rate.is_finite()).map(Datum::Number));
    let strings = [("upstream", progress.upstream), ("upstream_address", progress.upstream_address)];
    strings.into_iter().for_each(|(name, value)| put(map, name, text(value.map(str::as_bytes))));
    put(map, "response_content_type", text(progress.response_content_type));
    put(map, "exception_type", text(progress.exception_type));
    put(map, "exception_message", text(progress.exception_message));
    put(map, "response_excerpt", text(progress.response_excerpt));
}

fn put_rejected(map: &mut Map, rejected: &Rejected<'_>) {
    put(map, "request_id", text(rejected.request_id.map(str::as_bytes)));
    put(map, "ip_address", text(rejected.ip_address.map(str::as_bytes)));
    put(map, "peer_address", text(rejected.peer_address.map(str::as_bytes)));
    put(map, "status_code", number(rejected.status_code.map(u64::from)));
    put(map, "reason", text(Some(rejected.reason.as_bytes())));
    put(map, "detail", text(Some(rejected.detail.as_bytes()).filter(|detail| !detail.is_empty())));
    let shown = rejected.excerpt.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'");
    put(map, "excerpt", Some(Datum::Text(shown)).filter(|_| !rejected.excerpt.is_empty()));
    put(map, "suppressed", number(Some(rejected.suppressed).filter(|count| *count > 0)));
}

/// A free field; what the table knows under that name has the table's type.
fn put_free(map: &mut Map, name: &str, value: &Free<'_>) {
    for datum in data(value) {
        match (name, datum) {
            ("message", datum) => put(map, "fields.message_", Some(datum)),
            ("duration", Datum::Number(seconds)) => put(map, name, Some(Datum::Number((seconds * 1e6).round()))),
            ("duration" | "upstream", datum) => put(map, name, Some(datum)),
            (name, datum) => put(map, &format!("fields.{name}"), Some(datum)),
        }
    }
}

fn data(value: &Free<'_>) -> Vec<Datum> {
    match *value {
        Free::Digits("42") => vec![Datum::Number(42.0)],
        Free::Digits(digits) => vec![Datum::Text(digits.to_owned())],
        Free::Unsigned(value) => vec![Datum::Number(value as f64)],
        Free::Float(value) if value.is_finite() => vec![Datum::Number(value)],
        Free::Bool(value) => vec![Datum::Bool(value)],
        Free::Text(bytes) => text(Some(bytes)).into_iter().collect(),
        Free::List(texts) => texts.iter().map(|text| Datum::Text((*text).to_owned())).collect(),
        Free::Float(_) | Free::Null => Vec::new(),
    }
}
