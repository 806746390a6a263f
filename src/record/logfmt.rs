//! logfmt: `key=value` pairs on one line, as go-logfmt writes them and Grafana Loki's `logfmt` stage reads them.
//!
//! Keys are those of the native schema; members of objects and elements of lists hang on by dots (`timing.wait`,
//! `view_kwargs.pk`, `view_args.0`). A value stands in quotes when it is empty, is the word `null`, or holds a blank, `=`,
//! `"`, a control character or what is no UTF-8; within quotes JSON's escapes hold. An absent field, where it is asked for,
//! is `null` without quotes. What go-logfmt refuses in a key is `_` in ours, so that no field is lost to its name.

use super::fields::{Content, Name, Origin, visible, walk};
use super::json::{Clock, number, string};
use super::{Arg, Record, Settings, Value};

/// Writes records as logfmt. One for each core: it remembers the text of the current second.
#[derive(Debug)]
pub struct Logfmt {
    clock: Clock,
    instance: String,
    settings: Settings,
}

impl Logfmt {
    /// Stamps every line with this process `instance`, and with the service and environment of `settings`.
    pub fn new(instance: &str, settings: &Settings) -> Logfmt {
        Logfmt { clock: Clock::default(), instance: instance.to_owned(), settings: settings.clone() }
    }

    /// Appends the line of a record, line feed included; returns where in `out` the digits of its number belong.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let mut hole = start;
        let origin = Origin::new(&self.instance, &self.settings);
        let mut line = Line { out, start, clock: &mut self.clock, nulls: self.settings.nulls };
        walk(record, origin, &mut |name, content| {
            line.field(name, content);
            if content == Content::Seq {
                hole = line.out.len();
            }
        });
        line.out.push(b'\n');
        hole
    }
}

/// A key and what it hangs below.
#[derive(Clone, Copy)]
struct Key<'k> {
    above: Option<&'k Key<'k>>,
    parts: [&'k str; 2],
    /// One of the contract, in which nothing is special.
    is_known: bool,
}

impl<'k> Key<'k> {
    fn below(&'k self, name: &'k str) -> Key<'k> {
        Key { above: Some(self), parts: [name, ""], is_known: false }
    }
}

/// One line in the making.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    clock: &'o mut Clock,
    nulls: bool,
}

impl Line<'_> {
    fn field(&mut self, name: Name<'_>, content: Content<'_>) {
        let key = Key { above: None, parts: name.parts(), is_known: matches!(name, Name::Known(_)) };
        match content {
            Content::Absent if !self.nulls => {}
            Content::Values(values) => self.elements(&key, values.iter(), Self::value),
            Content::Value(value) => self.value(&key, value),
            Content::Arguments(arguments) => {
                arguments.iter().for_each(|Arg { name, value }| self.value(&key.below(name), value));
            }
            Content::Texts(texts) => texts.iter().for_each(|(name, text)| self.text(&key.below(name), text)),
            Content::Durations(durations) => {
                durations.iter().for_each(|(name, micros)| self.scalar(&key.below(name), Content::Seconds(*micros)));
            }
            content => self.scalar(&key, content),
        }
    }

    fn scalar(&mut self, key: &Key<'_>, content: Content<'_>) {
        self.key(key);
        match content {
            Content::Moment(micros) => self.clock.write(micros, self.out),
            Content::Level(level) => self.raw(level.as_str()),
            Content::Outcome(outcome) => self.raw(outcome.as_str()),
            Content::Text(text) => quoted_where_needed(text, self.out),
            Content::Visible(bytes) => quoted_where_needed(visible(bytes).as_bytes(), self.out),
            Content::Whole(number) => number::whole(number, self.out),
            Content::Fraction(fraction) => number::float(fraction, self.out),
            Content::Truth(truth) => self.raw(if truth { "true" } else { "false" }),
            Content::Seconds(micros) => number::seconds(micros, self.out),
            Content::Absent => self.raw("null"),
            // The number comes later; what holds several values was taken apart.
            _ => {}
        }
    }

    fn value(&mut self, key: &Key<'_>, value: &Value<'_>) {
        match value {
            Value::Digits(text) => self.text(key, text.as_bytes()),
            Value::Text(text) => self.text(key, text),
            Value::Unsigned(number) => self.scalar(key, Content::Whole(*number)),
            Value::Float(fraction) if fraction.is_finite() => self.scalar(key, Content::Fraction(*fraction)),
            Value::Bool(truth) => self.scalar(key, Content::Truth(*truth)),
            Value::List(texts) => self.elements(key, texts.iter(), |line, key, text| line.text(key, text.as_bytes())),
            // A parameter that is there and has no value.
            Value::Float(_) | Value::Null => self.scalar(key, Content::Absent),
        }
    }

    fn elements<T>(&mut self, key: &Key<'_>, elements: impl Iterator<Item = T>, write: fn(&mut Self, &Key<'_>, T)) {
        for (at, element) in elements.enumerate() {
            write(self, &key.below(itoa::Buffer::new().format(at)), element);
        }
    }

    fn text(&mut self, key: &Key<'_>, text: &[u8]) {
        self.key(key);
        quoted_where_needed(text, self.out);
    }

    /// The separator, the key, and its `=`.
    fn key(&mut self, key: &Key<'_>) {
        if self.out.len() > self.start {
            self.out.push(b' ');
        }
        self.path(key);
        self.out.push(b'=');
    }

    fn path(&mut self, key: &Key<'_>) {
        if let Some(above) = key.above {
            self.path(above);
            self.out.push(b'.');
        }
        if key.is_known {
            return self.raw(key.parts[0]);
        }
        let before = self.out.len();
        key.parts.iter().for_each(|part| self.key_part(part));
        if self.out.len() == before {
            self.out.push(b'_');
        }
    }

    fn key_part(&mut self, part: &str) {
        key_part(part, self.out);
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a text as logfmt has it, in quotes where it needs them.
pub fn quoted_where_needed(text: &[u8], out: &mut Vec<u8>) {
    if needs_quotes(text) {
        string(text, out);
    } else {
        out.extend_from_slice(text);
    }
}

/// Appends a part of a key, `_` for whatever a key cannot have in it.
pub fn key_part(part: &str, out: &mut Vec<u8>) {
    let mut rest = part;
    while let Some(at) = rest.find(is_special) {
        let (clean, from) = rest.split_at(at);
        out.extend_from_slice(clean.as_bytes());
        out.push(b'_');
        let mut from = from.chars();
        from.next();
        rest = from.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn needs_quotes(text: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'=' | b'"');
    if text.iter().all(plain) {
        return text.is_empty() || text == b"null";
    }
    std::str::from_utf8(text).map_or(true, |text| text.contains(is_special))
}

/// What neither a key nor a value without quotes can hold.
fn is_special(c: char) -> bool {
    c <= ' ' || c.is_control() || matches!(c, '=' | '"' | '\u{2028}' | '\u{2029}' | char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests;
