//! When a file is closed and the next one begun.

use crate::pipeline::Rotate;

/// Microseconds.
const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;
/// The epoch was a Thursday: Mondays lie four days behind whole weeks of it.
const FIRST_MONDAY: u64 = 4 * DAY;

/// The limits of one file, in bytes and in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    size: u64,
    every: Option<u64>,
}

impl Schedule {
    /// Without limits where `rotate` asks for none.
    pub(super) fn new(rotate: Option<&Rotate>) -> Schedule {
        let every = rotate.and_then(|rotate| rotate.every).map(crate::time::micros).filter(|every| *every > 0);
        Schedule { size: rotate.and_then(|rotate| rotate.size).unwrap_or(u64::MAX), every }
    }

    /// The number of the period that a moment falls into; whole weeks begin on Mondays, all else at midnight UTC.
    pub(super) fn period(&self, micros: u64) -> u64 {
        let Some(every) = self.every else { return 0 };
        let first = if every.is_multiple_of(7 * DAY) { FIRST_MONDAY } else { 0 };
        (micros + every - first % every) / every
    }

    /// Whether a file with lines of this period is to be closed in that one.
    pub(super) fn is_past(&self, period: u64, now: u64) -> bool {
        self.period(now) > period
    }

    /// The size, in bytes, that a file is not to grow beyond.
    pub(super) fn limit(&self) -> u64 {
        self.size
    }

    /// Whether so many bytes more are too many.
    pub(super) fn is_too_large(&self, size: u64, more: usize) -> bool {
        size.saturating_add(more as u64) > self.size
    }

    /// How much of these lines a file of this size can take: at least the first line, whose length is given.
    pub(super) fn share(&self, size: u64, first: usize, lines: &[u8]) -> usize {
        let room = usize::try_from(self.size.saturating_sub(size)).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines.len();
        }
        memchr::memrchr(b'\n', &lines[..room]).map_or(first, |at| first.max(at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn schedule(size: Option<u64>, every: Option<u64>) -> Schedule {
        let every = every.map(Duration::from_secs);
        Schedule::new(Some(&Rotate { size, every, keep: 1, compress: None }))
    }

    #[test]
    fn periods_begin_on_the_clock_in_utc() {
        let noon = 1_785_585_600 * SECOND;
        let hours = schedule(None, Some(6 * 3600));
        assert!(!hours.is_past(hours.period(noon), noon + 6 * 3600 * SECOND - 1));
        assert!(hours.is_past(hours.period(noon), noon + 6 * 3600 * SECOND));
        assert!(hours.is_past(hours.period(noon - 1), noon));
        let days = schedule(None, Some(86_400));
        assert!(!days.is_past(days.period(noon), noon + 12 * 3600 * SECOND - 1));
        assert!(days.is_past(days.period(noon), noon + 12 * 3600 * SECOND));
    }

    #[test]
    fn weeks_begin_on_mondays() {
        // 2026-08-03 was a Monday.
        let monday = 1_785_715_200 * SECOND;
        let weeks = schedule(None, Some(7 * 86_400));
        assert!(weeks.is_past(weeks.period(monday - 1), monday));
        assert!(!weeks.is_past(weeks.period(monday), monday + 7 * DAY - 1));
    }

    #[test]
    fn a_clock_that_runs_back_closes_nothing() {
        let days = schedule(None, Some(86_400));
        assert!(!days.is_past(days.period(10 * DAY), 8 * DAY));
    }

    #[test]
    fn a_file_takes_whole_lines_up_to_its_size_and_always_one() {
        let schedule = schedule(Some(10), None);
        assert_eq!(schedule.share(0, 3, b"aa\nbb\ncc\ndd\n"), 9);
        assert_eq!(schedule.share(8, 3, b"aa\nbb\n"), 3);
        assert_eq!(schedule.share(0, 20, b"aaaaaaaaaaaaaaaaaaa\nb\n"), 20);
        assert_eq!(schedule.share(0, 3, b"aa\nb"), 4);
        assert!(schedule.is_too_large(8, 3) && !schedule.is_too_large(7, 3));
    }
}
