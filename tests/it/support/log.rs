//! The log as a judge: every line is checked against RECORD.md as it is read, then asked about.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// The JSON type a field has wherever it is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    Array,
    Object,
}

/// RECORD.md, "Fields": name and type, in the order in which a record has them.
const FIELDS: &[(&str, Kind)] = &[
    ("timestamp", Kind::Text),
    ("level", Kind::Text),
    ("event", Kind::Text),
    ("message", Kind::Text),
    ("logger", Kind::Text),
    ("schema", Kind::Integer),
    ("seq", Kind::Integer),
    ("instance", Kind::Text),
    ("service", Kind::Text),
    ("environment", Kind::Text),
    ("request_id", Kind::Text),
    ("request_id_origin", Kind::Text),
    ("trace_id", Kind::Text),
    ("span_id", Kind::Text),
    ("parent_span_id", Kind::Text),
    ("method", Kind::Text),
    ("scheme", Kind::Text),
    ("host", Kind::Text),
    ("path", Kind::Text),
    ("query", Kind::Text),
    ("http_version", Kind::Text),
    ("view_name", Kind::Text),
    ("view_args", Kind::Array),
    ("view_kwargs", Kind::Object),
    ("route", Kind::Text),
    ("user_id", Kind::Text),
    ("ip_address", Kind::Text),
    ("peer_address", Kind::Text),
    ("user_agent", Kind::Text),
    ("referer", Kind::Text),
    ("content_type", Kind::Text),
    ("content_length", Kind::Integer),
    ("request_size", Kind::Integer),
    ("status_code", Kind::Integer),
    ("response_size", Kind::Integer),
    ("response_content_type", Kind::Text),
    ("cache_hit", Kind::Text),
    ("duration", Kind::Number),
    ("timing", Kind::Object),
    ("server_timing", Kind::Object),
    ("outcome", Kind::Text),
    ("phase", Kind::Text),
    ("closed_by", Kind::Text),
    ("responder", Kind::Text),
    ("upstream", Kind::Text),
    ("upstream_address", Kind::Text),
    ("attempts", Kind::Integer),
    ("reused_connection", Kind::Bool),
    ("exception_type", Kind::Text),
    ("exception_message", Kind::Text),
    ("response_excerpt", Kind::Text),
    ("slow", Kind::Bool),
    ("in_flight", Kind::Bool),
    ("sample_rate", Kind::Number),
    ("tls", Kind::Object),
    ("grpc_status", Kind::Integer),
    ("labels", Kind::Object),
];

/// What every record has, whatever it is about.
const HEAD: usize = 8;

/// One record, valid in itself.
#[derive(Debug, Clone)]
pub(crate) struct Record(pub(crate) Map<String, Value>);

impl Record {
    /// The names of all fields that RECORD.md has, in its order.
    pub(crate) fn fields() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(name, _)| *name)
    }

    /// Reads one line; panics with the line when it is not what RECORD.md says.
    pub(crate) fn parse(line: &str) -> Record {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the line {line:?}"));
        let Value::Object(fields) = value else { panic!("no object: {line}") };
        let record = Record(fields);
        record.check();
        record
    }

    /// Panics unless the record has its head, in order, and every field the type it always has.
    fn check(&self) {
        for (name, _) in &FIELDS[..HEAD] {
            assert!(self.0.contains_key(*name), "no {name} in {self:?}");
        }
        let about_request = self.text("event").starts_with("request_") && self.text("event") != "request_rejected";
        let mut next = 0;
        for (name, value) in &self.0 {
            match FIELDS.iter().position(|(field, _)| field == name) {
                Some(place) => {
                    assert!(!about_request || place >= next, "{name} is out of order in {self:?}");
                    next = place + 1;
                    assert!(FIELDS[place].1.fits(value), "{name} has another type in {self:?}");
                }
                None => assert!(!about_request, "{name} is not in RECORD.md: {self:?}"),
            }
        }
    }

    /// A field as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text field; empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number; panics when absent.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Whether a flag is there and set.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// The kind of the record.
    pub(crate) fn event(&self) -> &str {
        self.text("event")
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match value {
            Value::String(_) => self == Kind::Text,
            Value::Number(number) => self == Kind::Number || (self == Kind::Integer && !number.is_f64()),
            Value::Bool(_) => self == Kind::Bool,
            Value::Array(_) => self == Kind::Array,
            Value::Object(_) => self == Kind::Object,
            Value::Null => false,
        }
    }
}

/// All records so far, in the order of the stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(pub(crate) Vec<Record>);

impl Log {
    /// Records of one request.
    pub(crate) fn of(&self, request_id: &str) -> Log {
        Log(self.0.iter().filter(|record| record.text("request_id") == request_id).cloned().collect())
    }

    /// Records of everything that came over one client connection.
    pub(crate) fn of_peer(&self, peer: &str) -> Log {
        Log(self.0.iter().filter(|record| record.text("peer_address") == peer).cloned().collect())
    }

    /// Records of one kind.
    pub(crate) fn events(&self, event: &str) -> Vec<&Record> {
        self.0.iter().filter(|record| record.event() == event).collect()
    }

    /// How many records of one kind there are.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.events(event).len()
    }

    /// The only record of one kind; panics when there is none or more.
    pub(crate) fn only(&self, event: &str) -> &Record {
        match self.events(event)[..] {
            [record] => record,
            _ => panic!("not exactly one {event} in {self:#?}"),
        }
    }

    /// The terminal record of one request; panics unless there are exactly one started and one completed.
    pub(crate) fn completed(&self, request_id: &str) -> Record {
        let own = self.of(request_id);
        own.only("request_started");
        own.only("request_completed").clone()
    }

    /// RECORD.md's two promises, checked without gatelog's own help.
    pub(crate) fn check_promises(&self) {
        let mut next = HashMap::new();
        let mut completed = HashSet::new();
        for record in &self.0 {
            let seq = record.number("seq");
            let next = next.entry(record.text("instance")).or_insert(seq);
            assert_eq!(*next, seq, "another number was due: {record:?}");
            *next += 1;
            if record.event() == "request_completed" {
                assert!(completed.insert(record.text("request_id")), "completed twice: {record:?}");
            }
        }
        for started in self.events("request_started") {
            assert!(completed.contains(started.text("request_id")), "never completed: {started:?}");
        }
    }
}
