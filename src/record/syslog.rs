//! What a syslog message says of itself beside its text, at the beginning of a line: severity, time, event and request id,
//! divided by spaces, in the order in which RFC 5424 wants them. Whoever sends it adds what is the same for all lines.

use super::json::Clock;
use super::{Body, Level, Record};

/// Bytes of the longest MSGID (RFC 5424 §6.2.7).
const MSGID: usize = 32;
/// In place of what is not there.
const NIL: &[u8] = b"-";

/// Writes heads of lines, for one core: it remembers the text of the current second.
#[derive(Debug, Default)]
pub struct Preface {
    clock: Clock,
}

impl Preface {
    /// Appends `6 2026-11-22T11:02:36.000123Z request_completed 0199… ` for a record.
    pub fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.push(b'0' + severity(record.head.level));
        out.push(b' ');
        self.clock.write(record.head.timestamp, out);
        out.push(b' ');
        word(record.head.event.as_str().as_bytes(), MSGID, out);
        let id = match record.body {
            Body::Request { facts, .. } => Some(facts.request_id),
            Body::Rejected(rejected) => rejected.request_id,
            Body::Loss(_) | Body::Fields(_) => None,
        };
        word(id.unwrap_or_default().as_bytes(), usize::MAX, out);
    }
}

/// The severity of RFC 5424 §6.2.1.
fn severity(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug => 7,
    }
}

/// A word and the space behind it: printable ASCII without spaces, whatever it was.
fn word(text: &[u8], longest: usize, out: &mut Vec<u8>) {
    let text = if text.is_empty() { NIL } else { &text[..text.len().min(longest)] };
    out.extend(text.iter().map(|byte| if byte.is_ascii_graphic() { *byte } else { b'?' }));
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Event, Facts, Head};

    fn written(level: Level, body: Body<'_>) -> String {
        let event = Event::RequestStarted;
        let head = Head { timestamp: 1_795_345_356_000_123, level, event, message: "m", logger: "l" };
        let mut out = Vec::new();
        Preface::default().write(&Record { head, body }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_is_four_words() {
        let facts = Facts { request_id: "abc", ..Facts::default() };
        let body = Body::Request { facts: &facts, progress: None };
        assert_eq!(written(Level::Error, body), "3 2026-11-22T11:02:36.000123Z request_started abc ");
        assert_eq!(written(Level::Info, Body::Fields(&[])), "6 2026-11-22T11:02:36.000123Z request_started - ");
    }

    #[test]
    fn nothing_in_a_word_can_divide_it() {
        let facts = Facts { request_id: "a b\n\u{e4}", ..Facts::default() };
        assert!(written(Level::Debug, Body::Request { facts: &facts, progress: None }).ends_with(" a?b??? "));
    }
}
