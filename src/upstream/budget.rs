//! How many requests may be sent again: a share of those that were sent in the last seconds, and a few beside them.
//!
//! Each core keeps its own: shares of parts add up to the share of the whole, and nothing is shared. While all servers
//! fail, an upstream so is asked 1.2 times as often, and not as often as `attempts` would have it.

use std::time::{Duration, Instant};

/// What was earned is good for so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Retries a second beside the share, so that a site with few requests has some.
const RESERVE: f64 = 2.0;

/// The budget of one core for one upstream.
#[derive(Debug)]
pub(super) struct Budget {
    share: f64,
    tokens: f64,
    /// Requests up to here have been paid for.
    requests: u64,
    at: Option<Instant>,
}

impl Budget {
    /// A budget of this share of requests, from 0 to 1.
    pub(super) fn new(share: f64) -> Budget {
        Budget { share, tokens: RESERVE * WINDOW.as_secs_f64(), requests: 0, at: None }
    }

    /// Takes a retry from it, if there is one; `requests` is how many there were so far.
    pub(super) fn take(&mut self, requests: u64, now: Instant) -> bool {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let windows = since.as_secs_f64() / WINDOW.as_secs_f64();
        // What came in a longer time counts as if it had come evenly.
        let recent = if windows > 1.0 { 1.0 / windows } else { 1.0 };
        let earned = requests.saturating_sub(self.requests) as f64 * self.share;
        let reserve = RESERVE * since.as_secs_f64();
        self.tokens = self.tokens * (1.0 - windows).max(0.0) + (earned + reserve) * recent;
        (self.requests, self.at) = (requests, Some(now));
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::monotonic;
    use proptest::prelude::*;

    /// How many of `tries` in a row it grants.
    fn granted(budget: &mut Budget, requests: u64, now: Instant, tries: u64) -> u64 {
        (0..tries).filter(|_| budget.take(requests, now)).count() as u64
    }

    #[test]
    fn a_share_of_the_requests_may_be_sent_again_and_no_more() {
        let (mut budget, start) = (Budget::new(0.2), monotonic());
        assert_eq!(granted(&mut budget, 0, start, 1000), 20);
        assert_eq!(granted(&mut budget, 1000, start, 1000), 200);
        assert_eq!(granted(&mut budget, 1000, start, 1000), 0);
    }

    #[test]
    fn what_was_earned_long_ago_is_gone() {
        let (mut budget, start) = (Budget::new(0.2), monotonic());
        assert!(budget.take(0, start));
        // 1000 requests an hour ago are hardly any in the last ten seconds: the reserve is what is left.
        assert_eq!(granted(&mut budget, 1000, start + Duration::from_secs(3600), 1000), 20);
    }

    #[test]
    fn a_quiet_site_has_its_reserve_again() {
        let (mut budget, start) = (Budget::new(0.0), monotonic());
        assert_eq!(granted(&mut budget, 0, start, 100), 20);
        assert_eq!(granted(&mut budget, 0, start + Duration::from_secs(2), 100), 4);
    }

    proptest! {
        #[test]
        fn under_steady_failure_retries_stay_within_share_and_reserve(
            share in 0.0f64..1.0, per_step in 1u64..500, millis in 1u64..3000,
        ) {
            let (mut budget, start) = (Budget::new(share), monotonic());
            let (mut granted, steps) = (0, 200);
            for step in 1..=steps {
                let now = start + Duration::from_millis(step * millis);
                granted += (0..per_step).filter(|_| budget.take(step * per_step, now)).count() as u64;
            }
            let seconds = (steps * millis) as f64 / 1000.0;
            let bound = share * (steps * per_step) as f64 + RESERVE * (seconds + WINDOW.as_secs_f64());
            prop_assert!(granted as f64 <= bound + 1.0, "{} of at most {}", granted, bound);
        }
    }
}
