//! `pretty`: records for a person at a terminal, one line each, with colours where they help.
//!
//! It is no format to parse; the order is what the eye looks for: when, how bad, what, and then the request. Nothing that
//! a client sent reaches the terminal as a command: whatever is not plainly visible is written as `\xNN` or `\u{NN}`.

use std::io::Write;

use super::json::Clock;
use super::{Body, Event, Facts, Head, Level, Loss, Outcome, Progress, Record, Rejected, Value};

/// Bytes of a rejected head that are shown; the JSON record has more.
const EXCERPT: usize = 64;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const CYAN: &str = "\x1b[36m";
const ALARM: &str = "\x1b[1;37;41m";

/// Writes records for people. One for each core: it remembers the text of the current second.
#[derive(Debug)]
pub struct Pretty {
    clock: Clock,
    colour: bool,
}

impl Pretty {
    /// With `colour`, ANSI escape sequences (ECMA-48) set colours; without, there are none in the output at all.
    pub fn new(colour: bool) -> Pretty {
        Pretty { clock: Clock::default(), colour }
    }

    /// Appends the line of a record, line feed included. Times of day are UTC.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let head = &record.head;
        let mut line = Line { out, colour: self.colour, dimmed: head.event == Event::RequestStarted };
        if line.dimmed {
            line.raw(if self.colour { DIM } else { "" });
        }
        line.paint(DIM, |line| self.clock.write_time_of_day(head.timestamp, line.out));
        line.raw("  ");
        line.level(head.level);
        line.sentence(head);
        match record.body {
            Body::Request { facts, progress } => line.request(facts, progress),
            Body::Rejected(rejected) => line.rejected(rejected),
            Body::Loss(loss) => line.loss(loss),
            Body::Fields(fields) => fields.iter().for_each(|(name, value)| line.field(name, value)),
        }
        line.raw(if line.dimmed && self.colour { RESET } else { "" });
        line.raw("\n");
    }
}

/// One line in the making.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    colour: bool,
    /// Dim as a whole: no part of it has a colour of its own, whose end would end the dimming.
    dimmed: bool,
}

impl Line<'_> {
    fn level(&mut self, level: Level) {
        let colour = match level {
            Level::Debug => DIM,
            Level::Info => GREEN,
            Level::Warning => YELLOW,
            Level::Error => RED,
            Level::Critical => ALARM,
        };
        self.paint(colour, |line| line.raw(level.as_str()));
        self.raw(&"          "[level.as_str().len()..]);
    }

    /// What happened; a record of the proxy itself tells its logger too.
    fn sentence(&mut self, head: &Head<'_>) {
        self.visible(head.message.as_bytes());
        if head.event == Event::Diagnostic {
            self.raw("  ");
            self.paint(DIM, |line| line.visible(head.logger.as_bytes()));
        }
    }

    fn request(&mut self, facts: &Facts<'_>, progress: Option<&Progress<'_>>) {
        self.raw("  ");
        self.visible(facts.method.as_bytes());
        self.raw(" ");
        self.visible(facts.path);
        if let Some(query) = facts.query {
            self.raw("?");
            self.visible(query);
        }
        if let Some(progress) = progress {
            self.status(progress);
        }
        self.raw("  ");
        self.paint(CYAN, |line| line.visible(facts.view_name.as_bytes()));
        if let Some(progress) = progress {
            self.raw("  ");
            self.duration(progress.duration);
        }
        if let Some(address) = facts.ip_address {
            self.raw("  ");
            self.visible(address.as_bytes());
        }
        if let Some(progress) = progress {
            self.ending(progress);
        }
    }

    fn status(&mut self, progress: &Progress<'_>) {
        let Some(status) = progress.status_code else { return };
        let colour = match status {
            0..300 => GREEN,
            300..400 => CYAN,
            400..500 => YELLOW,
            _ => RED,
        };
        self.raw(" → ");
        self.paint(colour, |line| line.display(status));
    }

    /// To three digits or so: what the eye takes in.
    fn duration(&mut self, micros: u64) {
        match micros {
            0..1_000 => self.display(format_args!("{micros} µs")),
            1_000..1_000_000 => self.display(format_args!("{:.1} ms", micros as f64 / 1e3)),
            _ => self.display(format_args!("{:.2} s", micros as f64 / 1e6)),
        }
    }

    /// What went wrong, if anything did, or where a request is that still runs.
    fn ending(&mut self, progress: &Progress<'_>) {
        match progress.outcome {
            Some(Outcome::Success | Outcome::Redirect) => {}
            Some(outcome) => {
                self.raw("  ");
                self.paint(YELLOW, |line| line.raw(outcome.as_str()));
            }
            None => self.display(format_args!("  in {}", progress.phase.as_str())),
        }
        let Some(exception) = progress.exception_type else { return };
        self.raw("  ");
        self.paint(RED, |line| line.visible(exception));
        if let Some(message) = progress.exception_message {
            self.raw(": ");
            self.visible(message);
        }
    }

    fn rejected(&mut self, rejected: &Rejected<'_>) {
        if let Some(status) = rejected.status_code {
            self.raw("  ");
            self.paint(YELLOW, |line| line.display(status));
        }
        self.raw("  ");
        self.visible(rejected.reason.as_bytes());
        if !rejected.detail.is_empty() {
            self.raw(": ");
            self.visible(rejected.detail.as_bytes());
        }
        if let Some(address) = rejected.ip_address.or(rejected.peer_address) {
            self.raw("  ");
            self.visible(address.as_bytes());
        }
        if !rejected.excerpt.is_empty() {
            let excerpt = &rejected.excerpt[..rejected.excerpt.len().min(EXCERPT)];
            self.raw("  ");
            self.quoted(excerpt);
        }
        if rejected.suppressed > 0 {
            self.display(format_args!("  suppressed={}", rejected.suppressed));
        }
    }

    fn loss(&mut self, loss: &Loss<'_>) {
        self.display(format_args!("  {} of ", loss.count));
        self.visible(loss.output.as_bytes());
        self.display(format_args!(" (seq {} to {}): ", loss.from_seq, loss.to_seq));
        self.visible(loss.reason.as_bytes());
    }

    /// `name=value`; an absent one is left out.
    fn field(&mut self, name: &str, value: &Value<'_>) {
        if *value == Value::Null {
            return;
        }
        self.raw("  ");
        self.paint(DIM, |line| {
            line.visible(name.as_bytes());
            line.raw("=");
        });
        self.value(value);
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Digits(digits) => self.visible(digits.as_bytes()),
            Value::Unsigned(value) => self.display(value),
            Value::Float(value) => self.display(value),
            Value::Bool(value) => self.display(value),
            Value::Text(text) if text.is_empty() || text.contains(&b' ') => self.quoted(text),
            Value::Text(text) => self.visible(text),
            Value::List(texts) => self.visible(texts.join(",").as_bytes()),
            Value::Null => {}
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.raw("\"");
        self.visible(text);
        self.raw("\"");
    }

    fn paint(&mut self, colour: &str, write: impl FnOnce(&mut Self)) {
        let coloured = self.colour && !self.dimmed;
        self.raw(if coloured { colour } else { "" });
        write(self);
        self.raw(if coloured { RESET } else { "" });
    }

    /// Text of our own.
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        // Writing into a `Vec` cannot fail.
        let _ = write!(self.out, "{value}");
    }

    fn visible(&mut self, bytes: &[u8]) {
        visible(bytes, self.out);
    }
}

/// Appends anybody's text, made harmless: what moves the cursor, hides, or turns the direction of writing shows as its
/// number.
pub fn visible(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        // Writing into a `Vec` cannot fail.
        for c in chunk.valid().chars() {
            match c {
                c if is_hidden(c) => drop(write!(out, "{}", c.escape_unicode())),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Controls (C0, DEL, C1), line separators, and the format characters that are invisible or reorder what they stand in.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
