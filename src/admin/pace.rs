//! So many records a second, for whoever follows with eyes rather than with a program: what nobody could read costs nothing.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// A token bucket that holds one second's worth, full at first.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    /// Since when what has come in is there.
    since: Instant,
}

impl Pace {
    /// Of so many a second; at least one.
    pub(super) fn new(per_second: u32, now: Instant) -> Pace {
        // A clock that was started less than a second ago has nothing saved up.
        Pace { each: SECOND / per_second.max(1), since: now.checked_sub(SECOND).unwrap_or(now) }
    }

    /// How long it takes until so many are there, of which there are no more than a second brings.
    pub(super) fn wait(&self, count: u32, now: Instant) -> Duration {
        (self.since + (self.each * count).min(SECOND)).saturating_duration_since(now)
    }

    /// Takes so many, which have to be there.
    pub(super) fn take(&mut self, count: u32, now: Instant) {
        let saved = now.checked_sub(SECOND).map_or(self.since, |oldest| self.since.max(oldest));
        self.since = saved + self.each * count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn a_seconds_worth_is_there_at_once_and_then_as_time_goes_by() {
        let start = time::monotonic() + 10 * SECOND;
        let mut pace = Pace::new(100, start);
        assert_eq!(pace.wait(100, start), Duration::ZERO);
        pace.take(100, start);
        assert_eq!(pace.wait(20, start), Duration::from_millis(200));
        pace.take(20, start + Duration::from_millis(200));
        assert_eq!(pace.wait(1, start + Duration::from_millis(205)), Duration::from_millis(5));
        // A piece of more than a second brings is due when that second is over.
        assert_eq!(pace.wait(1000, start + Duration::from_millis(200)), SECOND);
    }

    #[test]
    fn what_is_not_taken_is_not_saved_for_ever() {
        let start = time::monotonic() + 10 * SECOND;
        let mut pace = Pace::new(10, start);
        let later = start + 100 * SECOND;
        pace.take(10, later);
        assert_eq!(pace.wait(1, later), SECOND / 10);
    }
}
