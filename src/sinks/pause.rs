//! How long a writer that has failed leaves its target alone.
//!
//! What comes meanwhile waits in its queue, and is dropped by the cores before they encode it once that is full: a target
//! that takes nothing costs next to nothing, and what is lost is the newest.

use std::time::{Duration, Instant};

use crate::time;

/// The pause after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause.
pub const LONGEST: Duration = Duration::from_secs(1);

/// The pauses between attempts at a target.
#[derive(Debug)]
pub struct Pause {
    at_most: Duration,
    next: Duration,
    until: Option<Instant>,
}

impl Pause {
    /// None yet; none will be longer than `at_most`.
    pub fn new(at_most: Duration) -> Pause {
        Pause { at_most, next: FIRST, until: None }
    }

    /// An attempt has failed.
    pub fn begin(&mut self) {
        self.until = Some(time::monotonic() + self.next.min(self.at_most));
        self.next = (self.next * 2).min(self.at_most);
    }

    /// An attempt went well.
    pub fn end(&mut self) {
        (self.next, self.until) = (FIRST, None);
    }

    /// How much of the pause is left; `None` where it is over.
    pub fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(time::monotonic());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit_and_begin_anew_after_a_success() {
        let mut pause = Pause::new(LONGEST);
        assert_eq!(pause.left(), None);
        for _ in 0..20 {
            pause.begin();
            assert!(pause.left().is_none_or(|left| left <= LONGEST));
        }
        assert!(pause.left() > Some(LONGEST / 2));
        pause.end();
        assert_eq!(pause.left(), None);
        pause.begin();
        assert!(pause.left().is_none_or(|left| left <= FIRST));
        let mut none = Pause::new(Duration::ZERO);
        none.begin();
        assert_eq!(none.left(), None);
    }
}
