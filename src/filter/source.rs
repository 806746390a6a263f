//! What an expression can be evaluated on: anything that can show its fields.
//!
//! A [`Record`] shows what its encoders would write, so that a filter says the same of a record before it is written and
//! of its line afterwards; `json.rs` is the same for the line.

use super::field::{Field, Kind};
use super::table::{self, Group, Read, SESSION, TIMINGS};
use super::value::{Number, Value};
use crate::record::json::{EXCERPT, RESERVED};
use crate::record::{Body, Facts, Progress, Record, Timing, Tls, Value as Free};

/// Something with the fields of a record.
///
/// To plug in another shape, call `test` with the values that it has under the field's name, each passed through
/// [`Value::typed`]; `route` has two, of `view_name` and of `route`, and `fields.x` is `x` at the top.
pub trait Source {
    /// Shows `test` each value of a field, or of its part, until it says yes; `false` when it never does, and when the
    /// field is absent.
    fn any(&self, field: &Field, part: Option<&str>, test: impl FnMut(Value<'_>) -> bool) -> bool;
}

impl Source for Record<'_> {
    #[inline]
    fn any(&self, field: &Field, part: Option<&str>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
        match (field.read, self.body) {
            (Read::Head(read), _) => test(read(&self.head)),
            (Read::Written, _) => false,
            (_, Body::Fields(fields)) => free(fields, field, part, &mut test),
            (Read::One(read), _) => read(self).is_some_and(test),
            (Read::Group(group), _) => grouped(self, group, part, &mut test),
        }
    }
}

/// The values of a group in a record that has its fields by position.
fn grouped(record: &Record<'_>, group: Group, part: Option<&str>, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    if group == Group::Excerpt {
        return table::rejected(record).is_some_and(|rejected| excerpt(rejected.excerpt, test));
    }
    let Some(facts) = table::facts(record) else { return false };
    match (group, table::progress(record)) {
        (Group::Timing, Some(progress)) => timing(&progress.timing, part, test),
        (Group::ServerTiming, Some(progress)) => server_timing(progress, part, test),
        _ => of_head(facts, group, part, test),
    }
}

fn of_head(facts: &Facts<'_>, group: Group, part: Option<&str>, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    match group {
        Group::Route => test(Value::text(facts.view_name)) || facts.route.is_some_and(|route| test(Value::text(route))),
        Group::Args => facts.view_args.iter().any(|value| each(value, Kind::Any, test)),
        Group::Kwargs => {
            let mut named = facts.view_kwargs.iter().filter(|arg| is_meant(part, arg.name));
            named.any(|arg| each(&arg.value, Kind::Any, test))
        }
        Group::Labels => {
            let mut named = facts.labels.iter().filter(|(name, _)| is_meant(part, name));
            named.any(|(_, value)| test(Value::Text(value)))
        }
        Group::Tls => facts.tls.as_ref().is_some_and(|tls| session(tls, part, test)),
        Group::Timing | Group::ServerTiming | Group::Excerpt | Group::Own => false,
    }
}

fn is_meant(part: Option<&str>, name: &str) -> bool {
    part.is_none_or(|part| part == name)
}

fn timing(timing: &Timing, part: Option<&str>, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    let Timing { queue, connect, tls, send, wait, receive } = *timing;
    let values = TIMINGS.into_iter().zip([queue, connect, tls, send, wait, receive]);
    values
        .filter(|(name, _)| is_meant(part, name))
        .filter_map(|(_, micros)| micros)
        .any(|micros| test(Value::Duration(micros)))
}

fn server_timing(progress: &Progress<'_>, part: Option<&str>, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    let mut named = progress.server_timing.iter().filter(|(name, _)| is_meant(part, name));
    named.any(|(_, micros)| test(Value::Duration(*micros)))
}

fn session(tls: &Tls<'_>, part: Option<&str>, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    let parts = [Some(tls.version), Some(tls.cipher), tls.sni, tls.alpn, tls.client_subject];
    let values = SESSION.into_iter().zip(parts);
    values.filter(|(name, _)| is_meant(part, name)).filter_map(|(_, text)| text).any(|text| test(Value::text(text)))
}

/// The first bytes of a rejected head, as its record shows them.
fn excerpt(bytes: &[u8], test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let (mut shown, mut length) = ([0; 4 * EXCERPT], 0);
    for &byte in &bytes[..bytes.len().min(EXCERPT)] {
        let escaped: &[u8] = match byte {
            b'\r' => b"\\r",
            b'\n' => b"\\n",
            b'\t' => b"\\t",
            b'\\' => b"\\\\",
            b' '..=b'~' => &[byte],
            _ => &[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]],
        };
        shown[length..length + escaped.len()].copy_from_slice(escaped);
        length += escaped.len();
    }
    length > 0 && test(Value::Text(&shown[..length]))
}

/// A field of a record whose fields are free; `route` is one of two there, too.
fn free(
    fields: &[(&str, Free<'_>)],
    field: &Field,
    part: Option<&str>,
    test: &mut impl FnMut(Value<'_>) -> bool,
) -> bool {
    let mut named = |name: &str| free_named(fields, name).is_some_and(|value| each(value, field.kind, test));
    match (field.read, part) {
        (Read::Group(Group::Own), Some(part)) => named(part),
        (_, Some(_)) => false,
        (Read::Group(Group::Route), None) => named("view_name") || named("route"),
        (_, None) => named(field.name),
    }
}

/// A free field by the name that it has in the line: there, one of a reserved name has a `_` behind it.
fn free_named<'f, 'a>(fields: &'f [(&'a str, Free<'a>)], name: &str) -> Option<&'f Free<'a>> {
    let guarded = name.strip_suffix('_').filter(|name| RESERVED.contains(name)).unwrap_or(name);
    fields.iter().find(|(own, _)| *own == guarded).map(|(_, value)| value)
}

/// A value of the application, as the encoder writes it.
fn each(value: &Free<'_>, kind: Kind, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    let value = match *value {
        Free::Null => return false,
        Free::List(texts) => return texts.iter().any(|text| test(Value::text(text).typed(kind))),
        Free::Float(value) => match Number::fraction(value) {
            Some(number) => Value::Number(number),
            None => return false,
        },
        Free::Digits(digits) => digits_value(digits),
        Free::Unsigned(value) => Value::whole(value),
        Free::Bool(value) => Value::Bool(value),
        Free::Text(text) => Value::Text(text),
    };
    test(value.typed(kind))
}

/// Digits are written as a number when they are one as they stand, without leading zeros; otherwise as a text.
fn digits_value(digits: &str) -> Value<'_> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let plain = unsigned == "0" || !unsigned.starts_with('0') && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    match Number::parse(digits).filter(|_| plain) {
        Some(number) => Value::Number(number),
        None => Value::text(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::{Encoder, splice};
    use crate::record::{Event, Head, Level, Rejected, Settings};

    #[test]
    fn an_excerpt_of_any_bytes_shows_as_its_line_has_it() {
        let all: Vec<u8> = (0..=255).collect();
        let long = [&b"x".repeat(200), all.as_slice()].concat();
        for bytes in all.chunks(16).chain([long.as_slice(), &[]]) {
            let rejected = Rejected {
                peer_address: None,
                ip_address: None,
                status_code: None,
                reason: "bare_lf",
                detail: "",
                excerpt: bytes,
                request_id: None,
                suppressed: 0,
            };
            let (event, level) = (Event::RequestRejected, Level::Warning);
            let head = Head { timestamp: 0, level, event, message: "", logger: "gatelog.security" };
            let (mut out, mut line) = (Vec::new(), Vec::new());
            let record = Record { head, body: Body::Rejected(&rejected) };
            let hole = Encoder::new("i1", &Settings::default()).record(&record, &mut out);
            splice(&out, hole, 0, 1, &mut line);
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            let mut shown = None;
            excerpt(bytes, &mut |value| {
                shown = Some(format!("{value:?}"));
                true
            });
            let written = line["excerpt"].as_str().map(|text| format!("{:?}", Value::text(text)));
            assert_eq!(shown, written);
        }
    }
}
