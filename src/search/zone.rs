//! Moments as people write and read them: in the time of the place where they are.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::filter::{Span, duration};
use crate::record::timestamp;

/// Where people are.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
}

/// A moment that nobody understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no moment: write 15m, 24h or 7d for so long ago, today, yesterday, 11:02 or 11:02:36 of today, 2026-11-22, 2026-11-22T11:02:36, or with an offset 2026-11-22T11:02:36Z"
)]
pub struct NoMoment(String);

impl Zone {
    /// That of the machine, as `TZ` or `/etc/localtime` say; for commands only. UTC where neither does.
    pub fn local() -> Zone {
        Zone { zone: TimeZone::system() }
    }

    /// UTC.
    pub fn utc() -> Zone {
        Zone { zone: TimeZone::UTC }
    }

    /// `2026-11-22 12:02:36.000`.
    pub fn date_and_time(&self, micros: u64) -> String {
        self.civil(micros).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }

    /// `12:02:36.000`.
    pub fn time_of_day(&self, micros: u64) -> String {
        self.civil(micros).strftime("%H:%M:%S%.3f").to_string()
    }

    /// `2026-11-22`.
    pub fn date(&self, micros: u64) -> String {
        self.civil(micros).date().to_string()
    }

    /// How far it is from UTC at a moment, as RFC 3339 writes it: `+01:00`; UTC is itself.
    pub fn offset(&self, micros: u64) -> String {
        let seconds = self.zone.to_offset(at(micros)).seconds();
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
        if seconds == 0 { "UTC".to_owned() } else { format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60) }
    }

    /// Microseconds since the Unix epoch of what somebody wrote at the moment `now`.
    ///
    /// # Errors
    /// When it is in none of the forms that the error names.
    pub fn moment(&self, text: &str, now: u64) -> Result<u64, NoMoment> {
        self.read(text.trim(), now).ok_or_else(|| NoMoment(text.to_owned()))
    }

    fn read(&self, text: &str, now: u64) -> Option<u64> {
        match text {
            "now" => return Some(now),
            "today" => return self.midnight(now, 0),
            "yesterday" => return self.midnight(now, 1),
            _ => {}
        }
        if let Some(ago) = ago(text) {
            return Some(now.saturating_sub(ago));
        }
        // A time alone is one of today.
        let text =
            if text.as_bytes().get(2) == Some(&b':') { format!("{}T{text}", self.date(now)) } else { text.to_owned() };
        let span = Span::parse(&text)?;
        let has_offset = text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']));
        if has_offset { Some(span.from) } else { self.here(span.from) }
    }

    fn midnight(&self, now: u64, days_ago: u32) -> Option<u64> {
        let mut date = self.civil(now).date();
        for _ in 0..days_ago {
            date = date.yesterday().ok()?;
        }
        self.moment_of(date.at(0, 0, 0, 0))
    }

    /// The moment at which clocks here show what those in UTC show at another one.
    fn here(&self, micros: u64) -> Option<u64> {
        let text = timestamp(micros);
        self.moment_of(DateTime::from_str(text.trim_end_matches('Z')).ok()?)
    }

    /// Of two moments when clocks are set back the earlier one; of none the one that they are set to.
    fn moment_of(&self, civil: DateTime) -> Option<u64> {
        let zoned = self.zone.to_zoned(civil).ok()?;
        u64::try_from(zoned.timestamp().as_microsecond()).ok()
    }

    fn civil(&self, micros: u64) -> DateTime {
        self.zone.to_datetime(at(micros))
    }
}

/// `1h30m`, `-1h30m`; a number alone could be anything.
fn ago(text: &str) -> Option<u64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    duration(text).filter(|_| has_unit)
}

/// Past the last year that has a date there is no other one.
fn at(micros: u64) -> Timestamp {
    i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::tz;

    use super::*;

    /// 2026-11-22T11:02:36.000123Z.
    const NOW: u64 = 1_795_345_356_000_123;

    fn two_hours_ahead() -> Zone {
        Zone { zone: TimeZone::fixed(tz::offset(2)) }
    }

    #[test]
    fn moments_are_read_in_the_time_of_the_place() {
        let zone = two_hours_ahead();
        for (text, expected) in [
            ("now", "2026-11-22T11:02:36.000123Z"),
            ("90s", "2026-11-22T11:01:06.000123Z"),
            ("-1h30m", "2026-11-22T09:32:36.000123Z"),
            ("7d", "2026-11-15T11:02:36.000123Z"),
            ("today", "2026-11-21T22:00:00.000000Z"),
            ("yesterday", "2026-11-20T22:00:00.000000Z"),
            ("12:30", "2026-11-22T10:30:00.000000Z"),
            ("12:30:01.5", "2026-11-22T10:30:01.500000Z"),
            ("2026-11-22", "2026-11-21T22:00:00.000000Z"),
            ("2026-11-22 12:30", "2026-11-22T10:30:00.000000Z"),
            ("2026-11-22T12:30:00Z", "2026-11-22T12:30:00.000000Z"),
            ("2026-11-22T12:30-01:00", "2026-11-22T13:30:00.000000Z"),
        ] {
            let read = zone.moment(text, NOW).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(timestamp(read), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_to_write() {
        for text in ["", "30", "1y", "tomorrowish", "25:00", "2026-02-30", "12:3", "2026-11-22T", "h"] {
            let error = two_hours_ahead().moment(text, NOW).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no moment: write 15m")), "{error}");
        }
    }

    #[test]
    fn moments_are_shown_in_the_time_of_the_place() {
        let zone = two_hours_ahead();
        assert_eq!(zone.date_and_time(NOW), "2026-11-22 13:02:36.000");
        assert_eq!((zone.time_of_day(NOW), zone.date(NOW)), ("13:02:36.000".to_owned(), "2026-11-22".to_owned()));
        assert_eq!((zone.offset(NOW), Zone::utc().offset(NOW)), ("+02:00".to_owned(), "UTC".to_owned()));
        assert!(zone.date(u64::MAX).starts_with("9999-12-3"));
    }

    /// Clocks are set forward at 02:00 and back at 03:00.
    #[test]
    fn hours_that_are_skipped_or_come_twice_are_moments_too() {
        let zone = Zone { zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap() };
        let read = |text| timestamp(zone.moment(text, NOW).unwrap());
        assert_eq!(read("2026-03-29T02:30"), "2026-03-29T01:30:00.000000Z");
        assert_eq!(read("2026-10-25T02:30"), "2026-10-25T00:30:00.000000Z");
        assert_eq!(read("2026-10-26"), "2026-10-25T23:00:00.000000Z");
    }
}
