//! Failures of a channel, told once and then at intervals.
//!
//! What is told becomes a notice for the other channels, and so may make those fail too; none of them is told of again
//! before the interval is over: there is no loop.

use std::time::{Duration, Instant};

/// Failures in between are only counted.
const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Failures in a row that may pass by themselves: one more is told. A mail server that wants to be asked twice is no news.
const PATIENCE: u32 = 2;

/// Whether a channel works, and what was told of that.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    in_a_row: u32,
    /// Whether the present trouble was told of, so that its end is worth a word.
    announced: bool,
    /// When any was told of last.
    told: Option<Instant>,
}

impl Trouble {
    /// A try failed and will be made again. Gives whether to tell.
    pub(super) fn stumbled(&mut self, now: Instant) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row > PATIENCE && self.tell(now)
    }

    /// Somebody was not told, for good. Gives whether to tell.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.tell(now)
    }

    /// Everybody was told. Gives whether to tell that it works again.
    pub(super) fn over(&mut self) -> bool {
        self.in_a_row = 0;
        std::mem::take(&mut self.announced)
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.in_a_row > 0
    }

    fn tell(&mut self, now: Instant) -> bool {
        let due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= INTERVAL);
        if due {
            (self.announced, self.told) = (true, Some(now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn what_passes_by_itself_is_no_news() {
        let (mut trouble, now) = (Trouble::default(), time::monotonic());
        assert!(!trouble.stumbled(now) && !trouble.stumbled(now));
        assert!(trouble.is_failing() && !trouble.over());
        assert!(!trouble.is_failing());
    }

    #[test]
    fn what_goes_on_is_told_once_and_then_at_intervals() {
        let (mut trouble, now) = (Trouble::default(), time::monotonic());
        let told = (0..100).filter(|_| trouble.stumbled(now)).count();
        assert_eq!(told, 1);
        assert!(!trouble.failed(now + INTERVAL / 2) && trouble.failed(now + INTERVAL));
        assert!(trouble.over() && !trouble.over());
    }

    #[test]
    fn one_that_fails_and_works_by_turns_is_told_of_once_in_an_interval() {
        let (mut trouble, now) = (Trouble::default(), time::monotonic());
        let told: Vec<(bool, bool)> = (0..50).map(|_| (trouble.failed(now), trouble.over())).collect();
        assert_eq!(told[0], (true, true));
        assert!(told[1..].iter().all(|told| *told == (false, false)));
    }
}
