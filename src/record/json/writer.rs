//! One line in the making: keys with values of each type, and what becomes of absent ones.
//!
//! Keys come as they stand in the line, comma, quotes and colon included, so that each is one copy of constant length:
//! a few stores, where it is inlined. So it is inlined always.

use crate::record::{Arg, Value};

use super::{escape, number};

/// Appends fields to a buffer.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    nulls: bool,
}

impl<'o> Writer<'o> {
    /// Appends to `out`; with `nulls`, absent fields are written as `null`.
    pub(super) fn new(out: &'o mut Vec<u8>, nulls: bool) -> Writer<'o> {
        Writer { out, nulls }
    }

    /// Whether absent fields are written.
    pub(super) fn nulls(&self) -> bool {
        self.nulls
    }

    /// Length of the buffer so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Bytes that are JSON already.
    #[inline(always)]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A field that has no value.
    #[inline(always)]
    pub(super) fn absent(&mut self, key: &str) {
        if self.nulls {
            self.raw(key.as_bytes());
            self.raw(b"null");
        }
    }

    #[inline(always)]
    fn some<T>(&mut self, key: &str, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.absent(key),
            Some(value) => {
                self.raw(key.as_bytes());
                write(self, value);
            }
        }
    }

    /// Text of whatever bytes.
    #[inline(always)]
    pub(super) fn text(&mut self, key: &str, value: &[u8]) {
        self.raw(key.as_bytes());
        self.string(value);
    }

    /// Text of whatever bytes, if any.
    #[inline(always)]
    pub(super) fn text_or_null(&mut self, key: &str, value: Option<&[u8]>) {
        self.some(key, value, Self::string);
    }

    /// Text, if any.
    #[inline(always)]
    pub(super) fn str_or_null(&mut self, key: &str, value: Option<&str>) {
        self.some(key, value, |line, value| line.string(value.as_bytes()));
    }

    /// A word of a closed vocabulary: nothing in it needs escaping.
    #[inline(always)]
    pub(super) fn token(&mut self, key: &str, value: &'static str) {
        self.raw(key.as_bytes());
        self.quoted(value);
    }

    /// A word of a closed vocabulary, if any.
    #[inline(always)]
    pub(super) fn token_or_null(&mut self, key: &str, value: Option<&'static str>) {
        self.some(key, value, Self::quoted);
    }

    #[inline(always)]
    fn quoted(&mut self, token: &'static str) {
        self.raw(b"\"");
        self.raw(token.as_bytes());
        self.raw(b"\"");
    }

    /// Bytes that must all stay readable, if any: what is no printable ASCII shows as `\xNN`.
    pub(super) fn visible_or_null(&mut self, key: &str, value: Option<&[u8]>) {
        self.some(key, value, |line, value| {
            line.raw(b"\"");
            escape::visible(value, line.out);
            line.raw(b"\"");
        });
    }

    /// A whole number.
    #[inline(always)]
    pub(super) fn whole(&mut self, key: &str, value: u64) {
        self.raw(key.as_bytes());
        number::whole(value, self.out);
    }

    /// A whole number, if any.
    #[inline(always)]
    pub(super) fn whole_or_null(&mut self, key: &str, value: Option<u64>) {
        self.some(key, value, |line, value| number::whole(value, line.out));
    }

    /// A fraction, if there is one that JSON can express.
    pub(super) fn float_or_null(&mut self, key: &str, value: Option<f64>) {
        self.some(key, value.filter(|value| value.is_finite()), |line, value| number::float(value, line.out));
    }

    /// Yes or no, if known.
    #[inline(always)]
    pub(super) fn truth_or_null(&mut self, key: &str, value: Option<bool>) {
        self.some(key, value, Self::truth);
    }

    /// Microseconds, as seconds.
    #[inline(always)]
    pub(super) fn seconds(&mut self, key: &str, micros: u64) {
        self.raw(key.as_bytes());
        number::seconds(micros, self.out);
    }

    /// Microseconds, as seconds, if known.
    #[inline(always)]
    pub(super) fn seconds_or_null(&mut self, key: &str, micros: Option<u64>) {
        self.some(key, micros, |line, micros| number::seconds(micros, line.out));
    }

    /// An object of texts; absent when empty.
    pub(super) fn texts(&mut self, key: &str, entries: &[(&str, &[u8])]) {
        self.object(key, entries, |line, (name, value)| line.named(name, "", &Value::Text(value)));
    }

    /// An object of microseconds, as seconds; absent when empty.
    pub(super) fn durations(&mut self, key: &str, entries: &[(&str, u64)]) {
        self.object(key, entries, |line, (name, micros)| {
            line.name(name, "");
            number::seconds(*micros, line.out);
        });
    }

    fn object<T>(&mut self, key: &str, entries: &[T], write: impl Fn(&mut Self, &T)) {
        if entries.is_empty() {
            return self.absent(key);
        }
        self.raw(key.as_bytes());
        let open = self.len();
        entries.iter().for_each(|entry| write(self, entry));
        self.enclose(open, *b"{}");
    }

    /// An array, empty or not.
    pub(super) fn array(&mut self, key: &str, values: &[Value<'_>]) {
        self.raw(key.as_bytes());
        let open = self.len();
        for value in values {
            self.raw(b",");
            self.value(value);
        }
        self.enclose(open, *b"[]");
    }

    /// An object of typed parameters, empty or not.
    pub(super) fn arguments(&mut self, key: &str, arguments: &[Arg<'_>]) {
        self.raw(key.as_bytes());
        let open = self.len();
        arguments.iter().for_each(|arg| self.named(arg.name, "", &arg.value));
        self.enclose(open, *b"{}");
    }

    /// Puts brackets around what was written from `open` on: the comma that the first member brought becomes the first.
    pub(super) fn enclose(&mut self, open: usize, brackets: [u8; 2]) {
        match self.out.get_mut(open) {
            Some(comma) => *comma = brackets[0],
            None => self.out.push(brackets[0]),
        }
        self.out.push(brackets[1]);
    }

    /// A field whose name is not known beforehand; `guard` is put behind the name.
    pub(super) fn named(&mut self, name: &str, guard: &str, value: &Value<'_>) {
        self.name(name, guard);
        self.value(value);
    }

    fn name(&mut self, name: &str, guard: &str) {
        self.raw(b",\"");
        escape::text(name.as_bytes(), self.out);
        self.raw(guard.as_bytes());
        self.raw(b"\":");
    }

    /// A value without a name.
    pub(super) fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Digits(digits) if number::is_whole(digits) => self.raw(digits.as_bytes()),
            Value::Digits(text) => self.string(text.as_bytes()),
            Value::Unsigned(value) => number::whole(*value, self.out),
            Value::Float(value) if value.is_finite() => number::float(*value, self.out),
            Value::Float(_) | Value::Null => self.raw(b"null"),
            Value::Bool(value) => self.truth(*value),
            Value::Text(bytes) => self.string(bytes),
            Value::List(texts) => self.list(texts),
        }
    }

    fn list(&mut self, texts: &[&str]) {
        let open = self.len();
        for text in texts {
            self.raw(b",");
            self.string(text.as_bytes());
        }
        self.enclose(open, *b"[]");
    }

    fn truth(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    #[inline]
    fn string(&mut self, bytes: &[u8]) {
        self.raw(b"\"");
        escape::text(bytes, self.out);
        self.raw(b"\"");
    }
}
