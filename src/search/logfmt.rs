//! A record's JSON as logfmt, the same text that an output of that format writes ([`crate::record::logfmt`]); of an object
//! that is `null` (`log.nulls`) there is one key, not one for each member.

use serde_json::Value as Json;

use crate::filter::Line;
use crate::record::logfmt::{key_part, quoted_where_needed};

/// Appends the line of a record in the native schema, line feed included.
pub fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    for (name, raw) in line.members() {
        // What is no value after all is not there.
        let Ok(value) = serde_json::from_str::<Json>(raw) else { continue };
        let mut key = Vec::new();
        key_part(name, &mut key);
        pairs(&key, &value, raw, start, out);
    }
    out.push(b'\n');
}

fn pairs(key: &[u8], value: &Json, raw: &str, start: usize, out: &mut Vec<u8>) {
    match value {
        Json::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                pairs(&below(key, &at.to_string()), element, &element.to_string(), start, out);
            }
        }
        Json::Object(_) => {
            // Read once more for numbers as they are written: 0.000050 is no 0.00005.
            let Ok(members) = Line::parse(raw) else { return };
            for (name, raw) in members.members() {
                let Ok(value) = serde_json::from_str::<Json>(raw) else { continue };
                pairs(&below(key, name), &value, raw, start, out);
            }
        }
        Json::String(text) => pair(key, start, out, |out| quoted_where_needed(text.as_bytes(), out)),
        _ => pair(key, start, out, |out| out.extend_from_slice(raw.as_bytes())),
    }
}

fn below(key: &[u8], name: &str) -> Vec<u8> {
    let mut below = key.to_vec();
    below.push(b'.');
    let empty = below.len();
    key_part(name, &mut below);
    if below.len() == empty {
        below.push(b'_');
    }
    below
}

fn pair(key: &[u8], start: usize, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    if out.len() > start {
        out.push(b' ');
    }
    out.extend_from_slice(if key.is_empty() { b"_" } else { key });
    out.push(b'=');
    value(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::{Encoder, splice};
    use crate::record::logfmt::Logfmt;
    use crate::record::{Arg, Body, Event, Facts, Head, Level, Outcome, Progress, Record, Settings, Timing, Value};

    #[test]
    fn it_is_what_an_output_writes() {
        let facts = Facts {
            request_id: "r1",
            method: "GET",
            path: b"/a b=\"c\"",
            view_name: "null",
            view_args: &[Value::Digits("42"), Value::Text(b"")],
            view_kwargs: &[Arg { name: "p k", value: Value::Bool(true) }, Arg { name: "", value: Value::Float(0.5) }],
            user_agent: Some("é\n\u{2028}".as_bytes()),
            ..Facts::default()
        };
        let timing = Timing { queue: Some(50), wait: Some(1_000_000), ..Timing::default() };
        let outcome = Some(Outcome::Success);
        let progress = Progress { status_code: Some(200), timing, outcome, duration: 1_000_050, ..Progress::default() };
        let body = Body::Request { facts: &facts, progress: Some(&progress) };
        let event = Event::RequestCompleted;
        let head =
            Head { timestamp: 42, level: Level::Info, event, message: event.message(), logger: "gatelog.request" };
        let record = Record { head, body };
        let settings = Settings::default();
        let (mut out, mut json, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        let hole = Encoder::new("i1", &settings).record(&record, &mut out);
        splice(&out, hole, 0, 7, &mut json);
        out.clear();
        let hole = Logfmt::new("i1", &settings).record(&record, &mut out);
        splice(&out, hole, 0, 7, &mut expected);
        let mut shown = Vec::new();
        write(&Line::parse(std::str::from_utf8(&json).unwrap()).unwrap(), &mut shown);
        assert_eq!(String::from_utf8(shown).unwrap(), String::from_utf8(expected).unwrap());
    }
}
