//! When to try again.

use std::time::{Duration, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

/// The wait after the first failure, at most; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait that a collector may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// The waits between the attempts of one parcel: each a random part of a bound that doubles up to a limit ("full jitter"),
/// so that many senders do not come back all at once.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    at_most: Duration,
    random: SystemRandom,
}

impl Backoff {
    /// No failure yet; no wait will be longer than `at_most`.
    pub fn new(at_most: Duration) -> Backoff {
        Backoff { failures: 0, at_most, random: SystemRandom::new() }
    }

    /// The wait after one more failure, of which the collector may have said how long it is to be.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let bound = bound(self.failures, self.at_most);
        self.failures = self.failures.saturating_add(1);
        asked.unwrap_or_else(|| bound.mul_f64(self.part())).min(LONGEST.max(self.at_most))
    }

    /// There was progress: the next failure is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// From 0 to 1; where the system has no random numbers, all of the wait is waited.
    fn part(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.random.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        }
    }
}

fn bound(failures: u32, at_most: Duration) -> Duration {
    FIRST.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX)).min(at_most)
}

/// A `Retry-After` (RFC 9110 §10.2.3): seconds, or a date; `now` is in microseconds since the epoch. A date that has passed
/// is no wait.
pub fn retry_after(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date = date.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_micros(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_random_parts_of_a_bound_that_doubles_up_to_its_limit() {
        let at_most = Duration::from_secs(10);
        let bounds: Vec<u128> = (0..7).map(|failures| bound(failures, at_most).as_millis()).collect();
        assert_eq!(bounds, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(bound(u32::MAX, at_most), at_most);
        let mut backoff = Backoff::new(at_most);
        let waits: Vec<Duration> = (0..50).map(|_| backoff.next(None)).collect();
        assert!(waits.iter().zip(0..).all(|(wait, failures)| *wait <= bound(failures, at_most)));
        assert!(waits.iter().any(|wait| *wait > at_most / 2) && waits.iter().any(|wait| *wait < at_most / 2));
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn what_the_collector_asks_for_is_waited_but_not_for_ever() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        assert_eq!(backoff.next(Some(Duration::from_secs(77))), Duration::from_secs(77));
        assert_eq!(backoff.next(Some(Duration::from_secs(1 << 40))), LONGEST);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 784_111_777_000_000;
        let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for value in ["", "soon", "-5", "1.5", "Sun, 36 Nov 1994 08:00:00 GMT"] {
            assert_eq!(seconds(value), None, "{value}");
        }
    }
}
