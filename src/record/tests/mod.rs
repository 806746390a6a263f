//! What holds for every format: the same fields in the same order, one line whatever the bytes.

pub(super) mod samples;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::combined::Combined;
use super::django::{Django, Style};
use super::fields::{Content, Origin, visible, walk};
use super::json::{Encoder, Renamed, splice};
use super::logfmt::Logfmt;
use super::schema::Field;
use super::{Arg, Record, Schema, Value};
use samples::{any_record, settings};

/// The native line of a record, under number 7.
pub(super) fn native(nulls: bool, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    let hole = Encoder::new("i1", &settings(Schema::Native, nulls)).record(record, &mut out);
    numbered(&out, hole)
}

/// The line of a record in another schema, under number 7.
pub(super) fn renamed(schema: Schema, nulls: bool, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    let hole = Renamed::new("i1", &settings(schema, nulls)).record(record, &mut out);
    numbered(&out, hole)
}

/// The logfmt line of a record, under number 7.
pub(super) fn logfmt(nulls: bool, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    let hole = Logfmt::new("i1", &settings(Schema::Native, nulls)).record(record, &mut out);
    numbered(&out, hole)
}

fn numbered(line: &[u8], hole: usize) -> String {
    let mut out = Vec::new();
    splice(line, hole, 0, 7, &mut out);
    String::from_utf8(out).unwrap()
}

/// The fields of a native line, members of objects and elements of lists by their names with dots, each name made `clean`.
pub(super) fn flat(line: &str, clean: fn(&str) -> String) -> Vec<(String, Json)> {
    let mut fields = Vec::new();
    let Json::Object(object) = serde_json::from_str(line).unwrap() else { panic!("no object: {line}") };
    for (name, value) in object {
        // A plain connection has no session: with nulls the whole object is one, and so all its members are.
        match (name.as_str(), value) {
            ("tls", Json::Null) => {
                fields.extend(
                    ["version", "cipher", "sni", "alpn", "client_subject"]
                        .map(|name| (format!("tls.{name}"), Json::Null)),
                );
            }
            (_, value) => flatten(clean(&name), value, clean, &mut fields),
        }
    }
    fields
}

fn flatten(name: String, value: Json, clean: fn(&str) -> String, fields: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(members) => {
            members
                .into_iter()
                .for_each(|(member, value)| flatten(format!("{name}.{}", clean(&member)), value, clean, fields));
        }
        Json::Array(elements) => {
            elements
                .into_iter()
                .enumerate()
                .for_each(|(at, value)| flatten(format!("{name}.{at}"), value, clean, fields));
        }
        value => fields.push((name, value)),
    }
}

/// The same from the walk.
fn walked(nulls: bool, record: &Record<'_>) -> Vec<(String, Json)> {
    let settings = settings(Schema::Native, nulls);
    let mut fields = Vec::new();
    walk(record, Origin::new("i1", &settings), &mut |name, content| {
        if content != Content::Absent || nulls {
            flatten(name.parts().concat(), json(content), str::to_owned, &mut fields);
        }
    });
    fields
}

fn json(content: Content<'_>) -> Json {
    match content {
        Content::Absent => Json::Null,
        Content::Moment(micros) => moment(micros).into(),
        Content::Seq => 7.into(),
        Content::Level(level) => level.as_str().into(),
        Content::Outcome(outcome) => outcome.as_str().into(),
        Content::Text(text) => lossy(text),
        Content::Visible(bytes) => visible(bytes).into(),
        Content::Whole(number) => number.into(),
        Content::Fraction(fraction) => self::fraction(fraction),
        Content::Truth(truth) => truth.into(),
        Content::Seconds(micros) => seconds(micros),
        Content::Values(values) => values.iter().map(value).collect(),
        Content::Arguments(arguments) => {
            arguments.iter().map(|Arg { name, value: it }| (name.to_string(), value(it))).collect()
        }
        Content::Texts(texts) => texts.iter().map(|(name, text)| (name.to_string(), lossy(text))).collect(),
        Content::Durations(all) => all.iter().map(|(name, micros)| (name.to_string(), seconds(*micros))).collect(),
        Content::Value(it) => value(it),
    }
}

fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Digits(digits) => match serde_json::from_str(digits) {
            Ok(number @ Json::Number(_)) if !digits.contains(['.', 'e', 'E', ' ', '\n', '\t', '\r']) => number,
            _ => (*digits).into(),
        },
        Value::Unsigned(number) => (*number).into(),
        Value::Float(fraction) => self::fraction(*fraction),
        Value::Bool(truth) => (*truth).into(),
        Value::Text(text) => lossy(text),
        Value::List(texts) => texts.iter().map(|text| Json::from(*text)).collect(),
        Value::Null => Json::Null,
    }
}

/// RFC 3339 by another way than the encoder's: the sample's moments lie within one day.
fn moment(micros: u64) -> String {
    let within = micros.checked_sub(1_795_305_600_000_000).unwrap();
    let (second, micros) = (within / 1_000_000, within % 1_000_000);
    assert!(second < 86_400);
    format!("2026-11-22T{:02}:{:02}:{:02}.{micros:06}Z", second / 3600, second / 60 % 60, second % 60)
}

pub(super) fn seconds(micros: u64) -> Json {
    serde_json::from_str(&format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)).unwrap()
}

/// As serde_json reads it, which is not exact to the last digit.
fn fraction(fraction: f64) -> Json {
    serde_json::from_str(&format!("{fraction:?}")).unwrap_or_default()
}

pub(super) fn lossy(bytes: &[u8]) -> Json {
    String::from_utf8_lossy(bytes).into()
}

/// The line of a record in each format, with whether it may be missing.
fn every_format(nulls: bool, record: &Record<'_>) -> [(&'static str, String); 6] {
    let mut lines = [const { Vec::new() }; 3];
    let [combined, verbose, simple] = &mut lines;
    Combined::default().record(record, combined);
    Django::new(Style::Verbose, 42).record(record, 3, verbose);
    Django::new(Style::Simple, 42).record(record, 3, simple);
    let [combined, verbose, simple] = lines.map(|line| String::from_utf8(line).unwrap());
    let (otel, ecs) = (renamed(Schema::Otel, nulls, record), renamed(Schema::Ecs, nulls, record));
    [
        ("logfmt", logfmt(nulls, record)),
        ("combined", combined),
        ("verbose", verbose),
        ("simple", simple),
        ("otel", otel),
        ("ecs", ecs),
    ]
}

#[test]
fn fields_are_in_the_order_of_the_contract() {
    samples::each(|name, record| {
        let mut order = Field::ALL.iter();
        walk(record, Origin { instance: "", service: None, environment: None }, &mut |field, _| {
            if let super::fields::Name::Known(field) = field {
                // Those of a loss and of a refused head have an order of their own, among themselves.
                let found = order.any(|next| *next == field);
                assert!(
                    found || matches!(field, Field::Reason | Field::Excerpt | Field::Detail),
                    "{field:?} in {name}"
                );
            }
        });
    });
}

proptest! {
    #[test]
    fn the_walk_and_the_native_encoder_say_the_same(any in any_record()) {
        any.with(|record| assert_eq!(walked(any.nulls, record), flat(&native(any.nulls, record), str::to_owned)));
    }

    #[test]
    fn whatever_the_bytes_each_format_has_one_line_without_controls(any in any_record()) {
        any.with(|record| {
            for (format, line) in every_format(any.nulls, record) {
                if format == "combined" && line.is_empty() {
                    continue;
                }
                let inside = line.strip_suffix('\n').unwrap_or_else(|| panic!("{format} has no end: {line:?}"));
                let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
                assert!(!inside.contains(breaks), "{format}: {line:?}");
            }
        });
    }
}
