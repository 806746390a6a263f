//! Moments as they are written: RFC 3339, as exact as one likes. A day is a span of time, so is a second.

use std::fmt;

use crate::record::json::Clock;

/// What a written moment covers: a day, a minute, a second, or a single microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first microsecond, counted from the Unix epoch.
    pub from: u64,
    /// The first one after it.
    pub to: u64,
}

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 1_440 * MINUTE;

/// The year 10000: RFC 3339 has no digits for it.
const END: u64 = 253_402_300_800 * SECOND;

impl Span {
    /// Reads `2026-11-22`, `2026-11-22T11:02`, with seconds, with up to six decimals; `Z`, an offset such as `+02:00`, or
    /// nothing, which is UTC. Nothing before 1970.
    pub fn parse(text: &str) -> Option<Span> {
        let (date, time) = text.split_at_checked(10)?;
        let from = day(date)? * DAY;
        if time.is_empty() {
            return Some(Span { from, to: from + DAY });
        }
        let time = time.strip_prefix(['T', 't', ' '])?;
        let (time, offset) = split_offset(time)?;
        let (within, width) = time_of_day(time)?;
        let from = (from + within).checked_add_signed(-offset)?;
        (from < END).then_some(Span { from, to: from + width })
    }
}

/// In UTC, and just as exact.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        Clock::default().write(self.from, &mut text);
        let text = String::from_utf8_lossy(&text);
        let shown = match self.to - self.from {
            DAY => return f.write_str(&text[..10]),
            MINUTE => 16,
            SECOND => 19,
            _ => 26,
        };
        write!(f, "{}Z", &text[..shown])
    }
}

/// Days since the Unix epoch of a `YYYY-MM-DD`.
fn day(date: &str) -> Option<u64> {
    let (year, rest) = date.split_at_checked(4)?;
    let [month, day] = numbers(rest, ['-', '-'])?;
    let year = number(year, 4).filter(|year| *year >= 1970)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(years + lengths[..month].iter().sum::<u64>() + day - 1)
}

/// A time without its offset, and the microseconds that this is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let [hours, minutes] = numbers(&format!(":{}", &time[at + 1..]), [':', ':'])?;
    let ahead = i64::try_from((hours * 60 + minutes) * MINUTE).ok()?;
    let valid = hours < 24 && minutes < 60;
    valid.then_some((&time[..at], if time[at..].starts_with('-') { -ahead } else { ahead }))
}

/// Microseconds since midnight of `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`, and how many it covers.
fn time_of_day(time: &str) -> Option<(u64, u64)> {
    let (minutes, seconds) = time.split_at_checked(5)?;
    let [hour, minute] = numbers(&format!(":{minutes}"), [':', ':'])?;
    let (seconds, width) = match seconds.strip_prefix(':') {
        None if seconds.is_empty() => (0, MINUTE),
        None => return None,
        Some(seconds) => seconds_of_minute(seconds)?,
    };
    (hour < 24 && minute < 60).then_some(((hour * 60 + minute) * MINUTE + seconds, width))
}

fn seconds_of_minute(text: &str) -> Option<(u64, u64)> {
    let (seconds, fraction) = text.split_at_checked(2)?;
    let seconds = number(seconds, 2).filter(|seconds| *seconds < 60)? * SECOND;
    let Some(digits) = fraction.strip_prefix('.') else {
        return fraction.is_empty().then_some((seconds, SECOND));
    };
    let scale = 6usize.checked_sub(digits.len())?;
    Some((seconds + number(digits, digits.len())? * 10u64.pow(u32::try_from(scale).ok()?), 1))
}

/// Two numbers of two digits, each behind its mark.
fn numbers(text: &str, marks: [char; 2]) -> Option<[u64; 2]> {
    let (first, second) = text.split_at_checked(3)?;
    Some([number(first.strip_prefix(marks[0])?, 2)?, number(second.strip_prefix(marks[1])?, 2)?])
}

/// A number of exactly so many digits.
fn number(digits: &str, length: usize) -> Option<u64> {
    let valid = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_as_long_as_it_is_vague() {
        let from = 1_795_305_600_000_000;
        for (text, after, length, printed) in [
            ("2026-11-22", 0, DAY, "2026-11-22"),
            ("2026-11-22T11:02", 39_720_000_000, MINUTE, "2026-11-22T11:02Z"),
            ("2026-11-22 11:02:36Z", 39_756_000_000, SECOND, "2026-11-22T11:02:36Z"),
            ("2026-11-22T13:02:36+02:00", 39_756_000_000, SECOND, "2026-11-22T11:02:36Z"),
            ("2026-11-21t21:30:00-04:30", 7_200_000_000, SECOND, "2026-11-22T02:00:00Z"),
            ("2026-11-22T00:00:00.000123Z", 123, 1, "2026-11-22T00:00:00.000123Z"),
            ("2026-11-22T00:00:00.5", 500_000, 1, "2026-11-22T00:00:00.500000Z"),
        ] {
            let span = Span::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(span, Span { from: from + after, to: from + after + length }, "{text}");
            assert_eq!(span.to_string(), printed);
            assert_eq!(Span::parse(printed), Some(span));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-01-00",
            "1969-12-31",
            "2026-1-1",
            "2026-11-22T",
            "2026-11-22T24:00",
            "2026-11-22T11",
            "2026-11-22T11:60",
            "2026-11-22T11:02:60",
            "2026-11-22T11:02:36.",
            "2026-11-22T11:02:36.1234567",
            "2026-11-22T11:02:36+2",
            "2026-11-22T11:02:36+25:00",
            "1970-01-01T00:00+01:00",
            "2026-11-22Z",
            "9999-12-31T23:59:59-01:00",
            "2026-11-22T11:02:36ZZ",
            "+026-11-22",
            "2026-11-22é",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    /// Beside the calendar that writes them.
    #[test]
    fn every_day_reads_as_it_is_written() {
        for days in 0..146_097 {
            let span = Span { from: days * DAY, to: (days + 1) * DAY };
            assert_eq!(Span::parse(&span.to_string()), Some(span));
        }
    }
}
