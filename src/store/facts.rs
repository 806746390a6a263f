//! What statistics are made of, taken from a line wherever it stands: as text on its way into the store, or out of a row.

use std::borrow::Cow;
use std::sync::Arc;

use super::json::{self, Kind};
use super::line::{Line, Member, Reader, unquoted};
use super::rollup::{Noted, route_label};
use super::value;
use crate::record::{Level, Outcome};

/// A field that statistics look at; the places of [`NAMES`].
#[derive(Debug, Clone, Copy)]
enum Field {
    Level,
    Logger,
    Event,
    Message,
    ViewName,
    Route,
    StatusCode,
    Outcome,
    Duration,
    RequestSize,
    ResponseSize,
    Slow,
    ExceptionType,
    ExceptionMessage,
    RequestId,
    Method,
    Path,
}

/// How many there are.
pub(super) const FIELDS: usize = 17;

const NAMES: [&str; FIELDS] = [
    "level",
    "logger",
    "event",
    "message",
    "view_name",
    "route",
    "status_code",
    "outcome",
    "duration",
    "request_size",
    "response_size",
    "slow",
    "exception_type",
    "exception_message",
    "request_id",
    "method",
    "path",
];

/// Where the fields are among the members of a line, by their places in [`NAMES`].
pub(super) type Places = [Option<u8>; FIELDS];

/// The places of the fields among members of these names.
pub(super) fn places<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Places {
    NAMES.map(|field| names.clone().position(|name| name == field).and_then(|at| u8::try_from(at).ok()))
}

/// A value of a line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Fact<'a> {
    /// There is none, or it is of a kind that says nothing.
    #[default]
    None,
    Text(Cow<'a, str>),
    Word(Arc<str>),
    Whole(u64),
    /// Microseconds.
    Seconds(u64),
    /// As it is written.
    Number(&'a str),
    Bool(bool),
}

impl<'a> Fact<'a> {
    /// Of JSON as it stands.
    pub(super) fn of_json(kind: Kind, json: &'a str) -> Fact<'a> {
        match kind {
            Kind::Plain => Fact::Text(Cow::Borrowed(unquoted(json))),
            Kind::Escaped => json::unescape(json).map_or(Fact::None, |text| Fact::Text(Cow::Owned(text))),
            Kind::Number => Fact::Number(json),
            Kind::Name if json == "true" => Fact::Bool(true),
            Kind::Name if json == "false" => Fact::Bool(false),
            Kind::Name | Kind::Object | Kind::Array => Fact::None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Fact::Text(text) => Some(text),
            Fact::Word(text) => Some(text),
            _ => None,
        }
    }

    fn whole(&self) -> Option<u64> {
        match self {
            Fact::Whole(number) => Some(*number),
            Fact::Number(text) => value::whole(text).or_else(|| parsed(text)?.as_u64()),
            _ => None,
        }
    }

    /// Of seconds.
    fn micros(&self) -> Option<u64> {
        match self {
            Fact::Seconds(micros) => Some(*micros),
            Fact::Whole(seconds) => Some(rounded(*seconds as f64)),
            Fact::Number(text) => {
                value::seconds(text).or_else(|| parsed(text)?.as_f64().filter(|seconds| *seconds >= 0.0).map(rounded))
            }
            _ => None,
        }
    }
}

fn parsed(number: &str) -> Option<serde_json::Number> {
    serde_json::from_str(number).ok()
}

fn rounded(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// What is looked at of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts<'a> {
    at: u64,
    values: [Fact<'a>; FIELDS],
}

impl<'a> Facts<'a> {
    /// `at` is in microseconds since the Unix epoch; `value` is asked for each field by its place.
    pub(super) fn new(at: u64, mut value: impl FnMut(usize) -> Fact<'a>) -> Facts<'a> {
        Facts { at, values: std::array::from_fn(&mut value) }
    }

    /// As statistics are told of it; `None` where it has no level.
    pub(super) fn noted(&self) -> Option<Noted<'_>> {
        let value = |field: Field| &self.values[field as usize];
        let text = |field: Field| value(field).text();
        let whole = |field: Field| value(field).whole();
        let level = text(Field::Level)?;
        let level = Level::ALL.into_iter().find(|known| known.as_str() == level)?;
        let outcome = text(Field::Outcome);
        Some(Noted {
            message: text(Field::Message).unwrap_or_default(),
            route: text(Field::ViewName).map(|name| route_label(name, text(Field::Route))),
            status: whole(Field::StatusCode).and_then(|status| status.try_into().ok()),
            outcome: outcome.and_then(|token| Outcome::ALL.into_iter().find(|known| known.as_str() == token)),
            duration: value(Field::Duration).micros(),
            request_bytes: whole(Field::RequestSize).unwrap_or_default(),
            response_bytes: whole(Field::ResponseSize).unwrap_or_default(),
            slow: *value(Field::Slow) == Fact::Bool(true),
            error_type: text(Field::ExceptionType),
            error_message: text(Field::ExceptionMessage),
            request_id: text(Field::RequestId),
            method: text(Field::Method),
            path: text(Field::Path),
            ..Noted::new(
                self.at,
                level,
                text(Field::Logger).unwrap_or_default(),
                text(Field::Event).unwrap_or_default(),
            )
        })
    }
}

/// Takes facts from lines that are text.
#[derive(Debug)]
pub(super) struct Sight {
    /// For each field of the contract its place here, or one beyond.
    places: [u8; 256],
}

impl Sight {
    pub(super) fn new(reader: &Reader) -> Sight {
        let mut places = [u8::MAX; 256];
        for (place, name) in (0..).zip(NAMES) {
            places[usize::from(reader.code(name).0)] = place;
        }
        Sight { places }
    }

    /// Of a line of this moment.
    pub(super) fn facts<'a>(&self, at: u64, line: &Line<'a>) -> Facts<'a> {
        let mut facts = Facts { at, values: [const { Fact::None }; FIELDS] };
        for (member, _, value) in line.each() {
            if let Some(fact) = self.place(member).and_then(|place| facts.values.get_mut(place)) {
                *fact = Fact::of_json(member.kind, value);
            }
        }
        facts
    }

    fn place(&self, member: &Member) -> Option<usize> {
        self.places.get(usize::from(member.code.0)).map(|place| usize::from(*place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value as Json};

    /// A value that a field may have, as it is written.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => prop::sample::select(vec!["\"INFO\"", "\"ERROR\"", "\"unknown\"", "\"request_completed\"", "\"success\"",
                "\"a\\u0062\\n\"", "\"\"", "\"00f067aa0ba902b7\"", "\"00f067aa-0ba9-02b7-8000-00f067aa0ba9\""]).prop_map(str::to_owned),
            2 => prop::sample::select(vec!["0", "7", "200", "70000", "18446744073709551615", "18446744073709551616", "-1", "-0",
                "2.0", "1e3", "1e400", "0.053210", "12.5", "-0.5"]).prop_map(str::to_owned),
            1 => any::<u64>().prop_map(|number| number.to_string()),
            1 => prop::sample::select(vec!["true", "false", "null", "{}", "[1]"]).prop_map(str::to_owned),
        ]
    }

    fn line() -> impl Strategy<Value = String> {
        let member = (prop::sample::select(NAMES.to_vec()), value());
        prop::collection::vec(member, 0..12).prop_map(|members| {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{\"level\":\"WARNING\",{}}}", members.join(",")).replace(",}", "}")
        })
    }

    proptest! {
        #[test]
        fn a_line_is_noted_as_its_json_is(text in line()) {
            let mut reader = Reader::default();
            let sight = Sight::new(&reader);
            // Numbers that no machine has.
            prop_assume!(serde_json::from_str::<Json>(&text).is_ok());
            let line = reader.read(&text).unwrap();
            let map: Map<String, Json> = serde_json::from_str(line.text).unwrap();
            let facts = sight.facts(7, &line);
            prop_assert_eq!(facts.noted(), Noted::of_json(7, &map));
        }
    }

    #[test]
    fn every_field_has_its_place() {
        assert_eq!(NAMES[Field::Level as usize], "level");
        assert_eq!((NAMES[Field::Slow as usize], NAMES[Field::Path as usize]), ("slow", "path"));
        let reader = Reader::default();
        assert!(NAMES.iter().all(|name| reader.code(name).0 < 128));
    }
}
