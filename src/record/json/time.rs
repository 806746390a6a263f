//! Timestamps: RFC 3339, UTC, microseconds.

use super::number;

/// The last second that RFC 3339 can write, 9999-12-31T23:59:59Z: its years have four digits.
const LAST_SECOND: u64 = 253_402_300_799;
const MICROS: u64 = 1_000_000;
const DAY: u64 = 86_400;

/// Writes timestamps, and keeps the text of the second it wrote last: most records fall into the same one.
#[derive(Debug)]
pub struct Clock {
    second: u64,
    text: [u8; 19],
}

impl Default for Clock {
    fn default() -> Self {
        Clock { second: 0, text: *b"1970-01-01T00:00:00" }
    }
}

impl Clock {
    /// Appends a moment given in microseconds since the Unix epoch, such as `2026-11-22T11:02:36.000123Z`.
    pub fn write(&mut self, micros: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.second(micros));
        number::fraction((micros % MICROS) as u32, out);
        out.push(b'Z');
    }

    /// Appends the time of the day, to the millisecond: `11:02:36.000`.
    pub(in crate::record) fn write_time_of_day(&mut self, micros: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.second(micros)[11..]);
        number::fraction((micros % MICROS) as u32, out);
        out.truncate(out.len() - 3);
    }

    pub(in crate::record) fn second(&mut self, micros: u64) -> &[u8; 19] {
        let second = (micros / MICROS).min(LAST_SECOND);
        if second != self.second {
            self.second = second;
            self.text = civil(second);
        }
        &self.text
    }
}

/// A second since the epoch as `YYYY-MM-DDThh:mm:ss`.
fn civil(second: u64) -> [u8; 19] {
    let (year, month, day) = date(second / DAY);
    let clock = (second % DAY) as u32;
    let parts = [year / 100, year % 100, month, day, clock / 3600, clock / 60 % 60, clock % 60].map(number::pair);
    let mut text = *b"0000-00-00T00:00:00";
    for (at, digits) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(parts) {
        text[at..at + 2].copy_from_slice(&digits);
    }
    text
}

/// Year, month and day of a day since the epoch, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year, and in eras of 400 years, which all have
/// the same number of days.
fn date(days: u64) -> (u32, u32, u32) {
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + EPOCH;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((era * 400 + year + carry) as u32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(clock: &mut Clock, micros: u64) -> String {
        let mut out = Vec::new();
        clock.write(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        let clock = &mut Clock::default();
        for (second, expected) in [
            (0, "1970-01-01T00:00:00.000042Z"),
            (951_782_399, "2000-02-28T23:59:59.000042Z"),
            (951_868_799, "2000-02-29T23:59:59.000042Z"),
            (951_868_800, "2000-03-01T00:00:00.000042Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000042Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000042Z"),
            (LAST_SECOND, "9999-12-31T23:59:59.000042Z"),
        ] {
            assert_eq!(written(clock, second * MICROS + 42), expected);
        }
    }

    #[test]
    fn a_moment_past_the_last_year_stays_a_timestamp() {
        assert!(written(&mut Clock::default(), u64::MAX).starts_with("9999-12-31T23:59:59."));
    }

    #[test]
    fn the_kept_second_changes_with_the_time_and_back() {
        let clock = &mut Clock::default();
        let moments = [1_000_000, 1_999_999, 2_000_000, 1_500_000];
        let expected = ["01.000000Z", "01.999999Z", "02.000000Z", "01.500000Z"];
        for (micros, expected) in moments.into_iter().zip(expected) {
            assert!(written(clock, micros).ends_with(expected));
        }
    }

    #[test]
    fn the_time_of_day_is_cut_to_milliseconds() {
        let mut out = Vec::new();
        Clock::default().write_time_of_day(45_296_789_999, &mut out);
        assert_eq!(out, b"12:34:56.789");
    }

    /// Walks four centuries day by day beside a calendar that counts.
    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(date(days), (year, month, day), "day {days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
