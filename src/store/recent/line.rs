//! What a line says, as far as it is asked for: of each only as much is read as is counted of it.

use memchr::memchr2;
use serde_json::{Map, Value as Json};

use crate::record::{Level, Outcome};
use crate::store::moment::Moments;
use crate::store::rollup::{Noted, route_label};

/// When a line was written; `None` for what is no record.
pub(super) fn moment(line: &str, moments: &mut Moments) -> Option<u64> {
    let mut read = Read::default();
    if read.through(line, Read::is_dated) {
        return moments.read(read.timestamp).map(|(at, _)| at);
    }
    let fields: Map<String, Json> = serde_json::from_str(line).ok()?;
    Some(moments.read(fields.get("timestamp")?.as_str()?)?.0)
}

/// Shows what is counted of a record of this moment.
pub(super) fn note(line: &str, at: u64, note: impl FnMut(&Noted<'_>)) {
    let mut read = Read::default();
    if read.through(line, Read::is_known) {
        read.noted(at).iter().for_each(note);
    } else if let Ok(fields) = serde_json::from_str::<Map<String, Json>>(line) {
        Noted::of_json(at, &fields).iter().for_each(note);
    }
}

/// What was read of a line so far.
#[derive(Debug, Default)]
struct Read<'a> {
    timestamp: &'a str,
    level: &'a str,
    event: &'a str,
    message: &'a str,
    logger: &'a str,
    request_id: Option<&'a str>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    view_name: Option<&'a str>,
    pattern: Option<&'a str>,
    outcome: Option<&'a str>,
    error_type: Option<&'a str>,
    error_message: Option<&'a str>,
    status: &'a str,
    duration: &'a str,
    request_size: &'a str,
    response_size: &'a str,
    slow: bool,
    /// Whether its level, logger and event are known.
    begun: bool,
    /// Whether anything else of it is counted: of most records only how many there are is.
    looked_into: bool,
    /// Something that counts is written with escapes, or not where we write it: it has to be read in another way.
    odd: bool,
}

impl<'a> Read<'a> {
    /// Reads members until it knows enough. `false` where the line is written in another way than ours.
    fn through(&mut self, line: &'a str, is_enough: fn(&Read<'a>) -> bool) -> bool {
        let mut members = Members { line, at: 0 };
        while !self.odd && !is_enough(self) {
            match members.next() {
                Some((name, value)) => self.member(name, value),
                None => return members.is_over(),
            }
        }
        !self.odd
    }

    fn is_dated(&self) -> bool {
        !self.timestamp.is_empty()
    }

    /// Whether no further member can matter.
    fn is_known(&self) -> bool {
        self.begun && !self.looked_into
    }

    fn member(&mut self, name: &'a [u8], value: Value<'a>) {
        match value {
            Value::Text(text) => self.text(name, text),
            Value::Bare(bare) => match name {
                b"status_code" => self.status = bare,
                b"request_size" => self.request_size = bare,
                b"response_size" => self.response_size = bare,
                b"duration" => self.duration = bare,
                b"slow" => self.slow = bare == "true",
                _ => self.odd |= is_head(name),
            },
            Value::Escaped => self.odd |= is_head(name) || TEXTS.contains(&name),
            Value::Nested => self.odd |= is_head(name),
        }
    }

    fn text(&mut self, name: &'a [u8], text: &'a str) {
        match name {
            b"timestamp" => self.timestamp = text,
            b"level" => self.level = text,
            b"event" => self.event = text,
            b"message" => self.message = text,
            b"logger" => {
                self.logger = text;
                self.begin();
            }
            b"request_id" => self.request_id = Some(text),
            b"method" => self.method = Some(text),
            b"path" => self.path = Some(text),
            b"view_name" => self.view_name = Some(text),
            b"route" => self.pattern = Some(text),
            b"outcome" => self.outcome = Some(text),
            b"exception_type" => self.error_type = Some(text),
            b"exception_message" => self.error_message = Some(text),
            _ => {}
        }
    }

    /// The head of a record ends with its logger.
    fn begin(&mut self) {
        let head = self.level().map(|level| Noted::new(0, level, self.logger, self.event));
        self.odd |= head.is_none() || self.timestamp.is_empty() || self.event.is_empty();
        self.begun = true;
        self.looked_into = head.is_some_and(|noted| noted.is_request() || noted.is_error());
    }

    fn level(&self) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == self.level)
    }

    /// All that is counted of a record of this moment.
    fn noted(&self, at: u64) -> Option<Noted<'a>> {
        Some(Noted {
            message: self.message,
            route: self.view_name.map(|name| route_label(name, self.pattern)),
            status: self.status.parse().ok(),
            outcome: self.outcome.and_then(|token| Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == token)),
            duration: micros(self.duration),
            request_bytes: self.request_size.parse().unwrap_or_default(),
            response_bytes: self.response_size.parse().unwrap_or_default(),
            slow: self.slow,
            error_type: self.error_type,
            error_message: self.error_message,
            request_id: self.request_id,
            method: self.method,
            path: self.path,
            ..Noted::new(at, self.level()?, self.logger, self.event)
        })
    }
}

/// What a record begins with.
fn is_head(name: &[u8]) -> bool {
    matches!(name, b"timestamp" | b"level" | b"event" | b"message" | b"logger")
}

/// Further texts that are counted, or shown of what is counted.
const TEXTS: [&[u8]; 8] =
    [b"request_id", b"method", b"path", b"view_name", b"route", b"outcome", b"exception_type", b"exception_message"];

/// The members of a line that is written as we write it: on one line, without a blank between them.
struct Members<'a> {
    line: &'a str,
    at: usize,
}

/// A value as it stands there.
enum Value<'a> {
    /// What stands between its quotes is what it says.
    Text(&'a str),
    Escaped,
    /// A number or a name.
    Bare(&'a str),
    /// An object or an array.
    Nested,
}

impl<'a> Members<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Whether it ends here, as an object does.
    fn is_over(&self) -> bool {
        self.line.get(self.at..) == Some("}")
    }

    /// `None` at the end, and where it is written in another way.
    fn next(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let is_next = self.peek()? == if self.at == 0 { b'{' } else { b',' };
        let is_name = is_next && self.line.as_bytes().get(self.at + 1) == Some(&b'"');
        if !is_name {
            return None;
        }
        self.at += 1;
        let name = self.text().filter(|name| !name.1)?.0;
        (self.peek()? == b':').then(|| self.at += 1)?;
        Some((name.as_bytes(), self.value()?))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.text().map(|(text, escaped)| if escaped { Value::Escaped } else { Value::Text(text) }),
            b'{' | b'[' => self.nested().map(|()| Value::Nested),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.bare().map(Value::Bare),
            _ => None,
        }
    }

    /// A text, and whether there are escapes in it.
    fn text(&mut self) -> Option<(&'a str, bool)> {
        let (start, mut escaped) = (self.at + 1, false);
        let mut end = start;
        loop {
            end += memchr2(b'"', b'\\', self.line.as_bytes().get(end..)?)?;
            if self.line.as_bytes()[end] == b'"' {
                break;
            }
            (end, escaped) = (end + 2, true);
        }
        self.at = end + 1;
        Some((&self.line[start..end], escaped))
    }

    fn bare(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at += self.line.as_bytes()[start..].iter().position(|byte| matches!(byte, b',' | b'}'))?;
        let bare = &self.line[start..self.at];
        bare.ends_with(|c: char| c.is_ascii_alphanumeric()).then_some(bare)
    }

    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// Seconds as they are written, in microseconds: read by their digits where there are no more than six behind the point.
fn micros(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || whole.len() > 12 || !digits(whole) || !digits(part) {
        let seconds: f64 = seconds.parse().ok()?;
        return (seconds >= 0.0).then(|| (seconds * 1e6).round() as u64);
    }
    let number = |text: &str| text.bytes().fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
    Some(number(whole) * 1_000_000 + number(part) * 10_u64.pow(6 - part.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;
    use crate::store::rollup::MINUTE;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: u64 = 1_795_345_356_000_000 / MINUTE * MINUTE;

    fn text() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "/posts/7/", "unknown", "a \"b\"", "ü", "", "back\\slash", "request_completed"])
            .prop_map(str::to_owned)
    }

    fn member() -> impl Strategy<Value = (&'static str, Json)> {
        let texts = (
            prop::sample::select(vec![
                "message",
                "logger",
                "request_id",
                "method",
                "path",
                "view_name",
                "route",
                "outcome",
                "exception_type",
            ]),
            text().prop_map(Json::from),
        );
        let names = prop::sample::select(vec!["status_code", "request_size", "response_size", "duration"]);
        let number = prop_oneof![
            (0..700_u64).prop_map(Json::from),
            (0..9_000_000_u64).prop_map(|micros| json!(micros as f64 / 1e6)),
            Just(json!(1.234_567_89)),
            Just(json!(-1)),
            Just(Json::Null),
        ];
        let odd =
            prop::sample::select(vec![("slow", json!(true)), ("route", Json::Null), ("tls", json!({"path": "x"}))]);
        prop_oneof![4 => texts, 4 => (names, number), 1 => odd]
    }

    fn record() -> impl Strategy<Value = String> {
        let events = ["request_started", "request_completed", "request_failed", "log_loss", "alert \"x\""];
        let head = (0..5 * MINUTE, prop::sample::select(Level::ALL.to_vec()), prop::sample::select(events.to_vec()));
        (head, prop::collection::vec(member(), 0..14)).prop_map(|((at, level, event), members)| {
            let mut line = Map::new();
            line.insert("timestamp".into(), timestamp(NOW + at).into());
            line.insert("level".into(), level.as_str().into());
            line.insert("event".into(), event.into());
            line.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
            serde_json::to_string(&line).unwrap()
        })
    }

    /// What is noted of a line, as text: it lives no longer than what it was read from.
    fn noted(line: &str) -> Option<String> {
        let at = moment(line, &mut Moments::default())?;
        let mut shown = None;
        note(line, at, |noted| shown = Some(format!("{:?}", as_counted(noted))));
        shown
    }

    /// Of what is neither a request nor an error only the head is.
    fn as_counted<'a>(noted: &Noted<'a>) -> Noted<'a> {
        match noted.is_request() || noted.is_error() {
            true => *noted,
            false => Noted::new(noted.at, noted.level, noted.logger, noted.event),
        }
    }

    proptest! {
        #[test]
        fn what_is_read_on_the_way_is_what_is_read_as_a_whole(line in record()) {
            let fields: Map<String, Json> = serde_json::from_str(&line).unwrap();
            let at = Moments::default().read(fields["timestamp"].as_str().unwrap()).unwrap().0;
            let whole = Noted::of_json(at, &fields).map(|whole| format!("{:?}", as_counted(&whole)));
            prop_assert_eq!(noted(&line), whole);
        }

        #[test]
        fn any_text_is_a_record_or_none(line in ".{0,60}") {
            noted(&line);
        }
    }

    #[test]
    fn what_has_no_moment_or_no_level_is_no_record() {
        let dated = format!("{{\"timestamp\":\"{}\"}}", timestamp(NOW));
        for line in ["none", "", "{}", "[1]", "{\"timestamp\":\"yesterday\",\"level\":\"INFO\"}", &dated] {
            assert_eq!(noted(line), None, "{line}");
        }
        assert_eq!(moment(&dated, &mut Moments::default()), Some(NOW));
    }
}
