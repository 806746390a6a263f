//! So many messages an hour, and no more than that at once.

use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

/// A token bucket: full at first, and as long as nobody takes.
#[derive(Debug)]
pub(super) struct Bucket {
    /// How long it takes until one more is there.
    each: Duration,
    /// How much may have been saved up.
    full: Duration,
    /// When it was, or will be, empty: all that has passed since then is there.
    empty: Option<Instant>,
}

impl Bucket {
    /// Of `rate` an hour; at least one.
    pub(super) fn new(rate: u32) -> Bucket {
        Bucket { each: HOUR / rate.max(1), full: HOUR, empty: None }
    }

    /// When there is one to take: `now`, or later.
    pub(super) fn ready(&self, now: Instant) -> Instant {
        self.empty.map_or(now, |empty| now.max(empty + self.each))
    }

    /// Takes one, which has to be there.
    pub(super) fn take(&mut self, now: Instant) {
        let longest_ago = now.checked_sub(self.full);
        let empty = match (self.empty, longest_ago) {
            (Some(empty), Some(longest_ago)) => empty.max(longest_ago),
            (Some(empty), None) => empty,
            // Where the clock does not go back that far, the hour before it began cannot be had: it counts from now on.
            (None, longest_ago) => longest_ago.unwrap_or(now),
        };
        self.empty = Some(empty + self.each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn an_hours_worth_is_there_at_once_and_then_one_after_the_other() {
        let start = time::monotonic() + 2 * HOUR;
        let mut bucket = Bucket::new(4);
        for _ in 0..4 {
            assert_eq!(bucket.ready(start), start);
            bucket.take(start);
        }
        assert_eq!(bucket.ready(start), start + HOUR / 4);
        assert_eq!(bucket.ready(start + HOUR), start + HOUR);
    }

    #[test]
    fn what_nobody_takes_is_not_saved_for_ever() {
        let start = time::monotonic() + 2 * HOUR;
        let mut bucket = Bucket::new(2);
        bucket.take(start);
        let later = start + 100 * HOUR;
        bucket.take(later);
        bucket.take(later);
        assert_eq!(bucket.ready(later), later + HOUR / 2);
    }
}
