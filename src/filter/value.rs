//! The values that fields have in a record, and that expressions compare them with.

use std::cmp::Ordering;

use super::field::Kind;
use super::moment::Span;
use crate::record::Level;

/// The value of a field in a record, typed as the field's [`Kind`] says wherever it can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text, of whatever bytes.
    Text(&'a [u8]),
    /// A number.
    Number(Number),
    /// Yes or no.
    Bool(bool),
    /// Microseconds.
    Duration(u64),
    /// Microseconds since the Unix epoch.
    Moment(u64),
    /// A level.
    Level(Level),
}

impl<'a> Value<'a> {
    /// Text.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(text.as_bytes())
    }

    /// A whole number.
    pub fn whole(number: impl Into<u64>) -> Value<'a> {
        Value::Number(Number::Whole(number.into().into()))
    }

    /// What a field of this kind makes of a value that came as JSON has it, or as free fields have it: of seconds a
    /// duration, of the name of a level a level, of an RFC 3339 text a moment. What does not fit stays as it is.
    pub fn typed(self, kind: Kind) -> Value<'a> {
        let typed = match (kind, self) {
            (Kind::Duration, Value::Number(number)) => number.seconds().map(Value::Duration),
            (Kind::Level, Value::Text(name)) => std::str::from_utf8(name).ok().and_then(level).map(Value::Level),
            (Kind::Moment, Value::Text(text)) => {
                std::str::from_utf8(text).ok().and_then(Span::parse).map(|span| Value::Moment(span.from))
            }
            _ => None,
        };
        typed.unwrap_or(self)
    }
}

/// A number as JSON can hold it: whole from the least `i64` to the greatest `u64`, else a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole one.
    Whole(i128),
    /// Any other, finite.
    Fraction(f64),
}

impl Number {
    /// Reads digits, with or without a sign and a fraction.
    pub fn parse(text: &str) -> Option<Number> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = [whole, fraction].iter().all(|part| is_digits(part));
        let number = text.parse::<i128>().ok().map(Number::Whole).filter(Number::is_held);
        number.or_else(|| Number::fraction(text.parse().ok()?)).filter(|_| is_number)
    }

    /// A finite fraction; one without a remainder is a whole number.
    pub fn fraction(value: f64) -> Option<Number> {
        let whole = Number::Whole(value as i128);
        let is_whole = value.fract() == 0.0 && whole.is_held();
        value.is_finite().then_some(if is_whole { whole } else { Number::Fraction(value) })
    }

    fn is_held(&self) -> bool {
        matches!(self, Number::Whole(number) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number))
    }

    /// Microseconds of a number of seconds.
    fn seconds(self) -> Option<u64> {
        let micros = self.as_f64() * 1e6;
        (micros >= 0.0).then(|| micros.round() as u64)
    }

    fn as_f64(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Fraction(number) => number,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(one), Number::Whole(other)) => Some(one.cmp(other)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

/// A level by its name, in either case.
pub(super) fn level(name: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(name))
}

/// Microseconds of a duration as it is written: `500ms`, `1m30s`, `1.5s`; a bare number is seconds.
pub fn duration(text: &str) -> Option<u64> {
    if let Some(number) = Number::parse(text) {
        return number.seconds().filter(|micros| *micros <= LONGEST);
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let (number, factor, after) = measure(rest, &UNITS)?;
        (sum, rest) = (sum + number.as_f64() * factor as f64, after);
    }
    Some(sum.round() as u64).filter(|micros| *micros <= LONGEST && !text.is_empty())
}

/// Ten years: up to here fractions of seconds lose no microsecond.
const LONGEST: u64 = 10 * 365 * 86_400_000_000;

/// In microseconds, the longest first.
pub(super) const UNITS: [(&str, u64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Bytes of a size as it is written: `512`, `10KB`, `1.5MB`, in steps of 1024; units in either case.
pub(super) fn size(text: &str) -> Option<u64> {
    let unit = if text.ends_with(|c: char| c.is_ascii_digit()) { "B" } else { "" };
    let upper = format!("{}{unit}", text.to_ascii_uppercase().replace("IB", "B"));
    match measure(&upper, &SIZES)? {
        (Number::Whole(number), factor, "") => u64::try_from(number).ok()?.checked_mul(factor),
        // Half a byte is nothing to compare with.
        (Number::Fraction(number), factor, "") => match Number::fraction(number * factor as f64)? {
            Number::Whole(bytes) => u64::try_from(bytes).ok(),
            Number::Fraction(_) => None,
        },
        _ => None,
    }
}

/// In bytes, the greatest first; of two names the one that is printed.
pub(super) const SIZES: [(&str, u64); 8] = [
    ("TB", 1 << 40),
    ("GB", 1 << 30),
    ("MB", 1 << 20),
    ("KB", 1 << 10),
    ("B", 1),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
];

/// A number, the factor of its unit, and what follows.
fn measure<'t>(text: &'t str, units: &[(&str, u64)]) -> Option<(Number, u64, &'t str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(digits);
    let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some((Number::parse(number)?, *factor, rest))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_sums_of_numbers_with_units() {
        let read = ["0.2", "500ms", "1.5s", "2m", "1m30s", "0", "15us", "7d", "0.0532"].map(duration);
        let micros = [200_000, 500_000, 1_500_000, 120_000_000, 90_000_000, 0, 15, 604_800_000_000, 53_200];
        assert_eq!(read, micros.map(Some));
        for text in ["", "s", "-1", "1.2.3s", "1 s", "1y", "1e3", "99999999999d", "inf", ".5s", "5.", "1s2", "ms1"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_go_in_steps_of_1024() {
        let read = ["512", "512B", "10KB", "10kib", "1.5k", "8MB", "1g", "1TB", "18446744073709551615"].map(size);
        let bytes = [512, 512, 10_240, 10_240, 1536, 8 << 20, 1 << 30, 1 << 40, u64::MAX];
        assert_eq!(read, bytes.map(Some));
        for text in ["", "KB", "0.3KB", "-1", "1PB", "99999999999GB", "1 2", "1KB2", "1.5", "18446744073709551616"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_compare_across_their_kinds_and_keep_every_digit() {
        let number = |text| Number::parse(text).unwrap();
        assert!(number("18446744073709551615") > number("18446744073709551614"));
        assert!(number("2") < number("2.5") && number("-3") < number("-2.5"));
        assert_eq!(number("3.0"), Number::Whole(3));
        assert_eq!(number("123456789012345678901234567890"), Number::Fraction(1.234_567_890_123_456_8e29));
        for text in ["", "-", "1.", ".1", "1e3", "+1", "NaN", "inf", "1.2.3", "0x1", &"9".repeat(400)] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
