//! `verbose` and `simple`, as the two standard formatters of Django's `LOGGING` lay lines out.
//!
//! - verbose: `{levelname} {asctime} {module} {process:d} {thread:d} {message}`
//! - simple: `{levelname} {message}`
//!
//! `asctime` is Python's (`2026-11-22 13:55:36,123`), in UTC; `module` is the last part of the logger's name. The message
//! of a request goes on with what a person looks for: `Request completed: GET /posts/42/ 200 53.2ms view=… request_id=…`.
//! Whatever is said stays on one line, exceptions too, and is plainly visible ([`super::text`]).

use std::fmt::Display;
use std::io::Write;

use super::json::Clock;
use super::text::visible;
use super::{Body, Event, Facts, Head, Loss, Outcome, Progress, Record, Rejected, Value};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With time, module, process and thread.
    Verbose,
    /// Level and message.
    Simple,
}

/// Writes records as Django's formatters do. One for each core: it remembers the text of the current second.
#[derive(Debug)]
pub struct Django {
    clock: Clock,
    style: Style,
    process: u32,
}

impl Django {
    /// `process` is the id of this process.
    pub fn new(style: Style, process: u32) -> Django {
        Django { clock: Clock::default(), style, process }
    }

    /// Appends the line of a record, line feed included; `thread` numbers the thread that writes it.
    pub fn record(&mut self, record: &Record<'_>, thread: u64, out: &mut Vec<u8>) {
        let head = &record.head;
        let mut line = Line { out };
        line.raw(head.level.as_str());
        if self.style == Style::Verbose {
            line.raw(" ");
            asctime(&mut self.clock, head.timestamp, line.out);
            line.raw(" ");
            line.word(head.logger.rsplit('.').next().unwrap_or_default());
            line.display(format_args!(" {} {thread}", self.process));
        }
        line.raw(" ");
        line.visible(head.message.as_bytes());
        match record.body {
            Body::Request { facts, progress } => line.request(head, facts, progress),
            Body::Rejected(rejected) => line.rejected(rejected),
            Body::Loss(loss) => line.loss(loss),
            Body::Fields(fields) => fields.iter().for_each(|(name, value)| line.field(name, value)),
        }
        line.raw("\n");
    }
}

/// `2026-11-22T11:02:36.000123Z` as Python has it.
fn asctime(clock: &mut Clock, micros: u64, out: &mut Vec<u8>) {
    let start = out.len();
    clock.write(micros, out);
    out.truncate(start + 23);
    out[start + 10] = b' ';
    out[start + 19] = b',';
}

/// One line in the making.
struct Line<'o> {
    out: &'o mut Vec<u8>,
}

impl Line<'_> {
    fn request(&mut self, head: &Head<'_>, facts: &Facts<'_>, progress: Option<&Progress<'_>>) {
        self.raw(": ");
        self.visible(facts.method.as_bytes());
        self.raw(" ");
        self.visible(if facts.path.is_empty() { facts.host.unwrap_or_default() } else { facts.path });
        if let Some(query) = facts.query {
            self.raw("?");
            self.visible(query);
        }
        if let Some(progress) = progress {
            self.progress(head, progress);
        }
        self.pair("view", Some(facts.view_name.as_bytes()));
        self.pair("user", progress.and_then(|progress| progress.user_id).or(facts.user_id));
        self.pair("ip", facts.ip_address.map(str::as_bytes));
        self.pair("request_id", Some(facts.request_id.as_bytes()));
        let Some(exception) = progress.and_then(|progress| progress.exception_type) else { return };
        self.raw(" ");
        self.visible(exception);
        if let Some(message) = progress.and_then(|progress| progress.exception_message) {
            self.raw(": ");
            self.visible(message);
        }
    }

    /// How it went, or where it is.
    fn progress(&mut self, head: &Head<'_>, progress: &Progress<'_>) {
        if let Some(status) = progress.status_code {
            self.display(format_args!(" {status}"));
        }
        self.display(format_args!(" {:.1}ms", progress.duration as f64 / 1e3));
        match progress.outcome {
            Some(Outcome::Success | Outcome::Redirect) | None => {}
            Some(outcome) => self.pair("outcome", Some(outcome.as_str().as_bytes())),
        }
        if progress.in_flight || head.event == Event::RequestSlow {
            self.pair("phase", Some(progress.phase.as_str().as_bytes()));
        }
    }

    fn rejected(&mut self, rejected: &Rejected<'_>) {
        self.raw(": ");
        self.visible(rejected.reason.as_bytes());
        if !rejected.detail.is_empty() {
            self.raw(": ");
            self.visible(rejected.detail.as_bytes());
        }
        if let Some(status) = rejected.status_code {
            self.display(format_args!(" {status}"));
        }
        self.pair("ip", rejected.ip_address.or(rejected.peer_address).map(str::as_bytes));
        self.pair("request_id", rejected.request_id.map(str::as_bytes));
        if rejected.suppressed > 0 {
            self.display(format_args!(" suppressed={}", rejected.suppressed));
        }
    }

    fn loss(&mut self, loss: &Loss<'_>) {
        self.display(format_args!(": {} of ", loss.count));
        self.visible(loss.output.as_bytes());
        self.display(format_args!(" (seq {} to {}): ", loss.from_seq, loss.to_seq));
        self.visible(loss.reason.as_bytes());
    }

    /// ` name=value`; an absent one is left out.
    fn field(&mut self, name: &str, value: &Value<'_>) {
        match value {
            Value::Null => {}
            Value::Text(text) => self.pair(name, Some(text)),
            Value::Digits(text) => self.pair(name, Some(text.as_bytes())),
            Value::List(texts) => self.pair(name, Some(texts.join(",").as_bytes())),
            Value::Unsigned(value) => self.number(name, value),
            Value::Float(value) => self.number(name, value),
            Value::Bool(value) => self.number(name, value),
        }
    }

    fn number(&mut self, name: &str, value: impl Display) {
        self.raw(" ");
        self.visible(name.as_bytes());
        self.display(format_args!("={value}"));
    }

    /// ` name=text`, in quotes where the text would not end at the next blank.
    fn pair(&mut self, name: &str, text: Option<&[u8]>) {
        let Some(text) = text else { return };
        let quote = if text.is_empty() || text.contains(&b' ') { "\"" } else { "" };
        self.raw(" ");
        self.visible(name.as_bytes());
        self.raw("=");
        self.raw(quote);
        self.visible(text);
        self.raw(quote);
    }

    /// A column that a blank ends.
    fn word(&mut self, text: &str) {
        let start = self.out.len();
        self.visible(text.as_bytes());
        self.out[start..].iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'_');
    }

    /// Text of our own.
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn visible(&mut self, bytes: &[u8]) {
        visible(bytes, self.out);
    }

    fn display(&mut self, value: impl Display) {
        // Writing into a `Vec` cannot fail.
        let _ = write!(self.out, "{value}");
    }
}

#[cfg(test)]
mod tests;
