//! Another process that writes to the same places for a while: the one that hands its sockets over, or the one that takes
//! them.
//!
//! Both append whole lines, each of its own instance with numbers of its own, so that they may stand in one file. What they
//! must not do beside each other waits until one of them has gone: rotating a file, which would leave the other one with a
//! closed one, and compressing closed ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether there is one. All clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Neighbour(Arc<Mutex<bool>>);

impl Neighbour {
    /// One that is there already.
    pub fn present() -> Neighbour {
        Neighbour(Arc::new(Mutex::new(true)))
    }

    /// There may be one from now on. Returns when nothing of [`Neighbour::unless_there`] is under way any more.
    pub fn comes(&self) {
        *self.state() = true;
    }

    /// There is none any more.
    pub fn goes(&self) {
        *self.state() = false;
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        *self.state()
    }

    /// Does what must not be done beside one; `None` while there is one.
    pub fn unless_there<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let there = self.state();
        (!*there).then(work)
    }

    fn state(&self) -> MutexGuard<'_, bool> {
        // A panic in between has not changed it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_done_beside_another_is_not() {
        let neighbour = Neighbour::default();
        let clone = neighbour.clone();
        assert_eq!(clone.unless_there(|| 1), Some(1));
        neighbour.comes();
        assert_eq!((clone.unless_there(|| 2), clone.is_there()), (None, true));
        neighbour.goes();
        assert_eq!(clone.unless_there(|| 3), Some(3));
    }
}
