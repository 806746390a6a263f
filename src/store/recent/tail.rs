//! Following the newest records: each follower looks for itself at what has come since it last looked.
//!
//! It has no queue that could fill up: one that is too slow finds that lines have been evicted before it saw them, and is
//! told how many. The writer does nothing for it but wake it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Recent, matches, ring};
use crate::filter::Expression;
use crate::store::ask::Line;

/// Followers at the same time.
const MOST: usize = 64;
/// Lines that are looked at for one batch: whoever follows has something else to do now and then.
const MOST_LOOKED_AT: usize = 1_024;

/// Called by the thread that writes, while it holds the lock: it must do no more than wake somebody.
type Waker = Box<dyn Fn() + Send + Sync>;

/// Who is to be told of new lines.
#[derive(Default)]
pub(super) struct Wakers {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

/// A follower. It stops following when it is dropped.
#[derive(Debug)]
pub struct Tail {
    recent: Arc<Recent>,
    id: u64,
    filter: Expression,
    seen: u64,
}

/// What has come since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Those that match, in the order in which they came.
    pub lines: Vec<Line>,
    /// The number of each of them: records are counted from 1 as they come.
    pub numbers: Vec<u64>,
    /// How many went by unseen, because this follower was too slow. They may or may not have matched.
    pub lost: u64,
    /// Whether there is more to look at right away.
    pub more: bool,
}

impl Recent {
    /// Follows the records that match, from the next one on; `wake` is called whenever there are new ones, by the thread
    /// that writes them, and must not wait. `None` when too many follow already.
    pub fn tail(self: &Arc<Self>, filter: Expression, wake: impl Fn() + Send + Sync + 'static) -> Option<Tail> {
        self.tail_after(filter, None, wake)
    }

    /// The same from the record after a number on, for whoever followed before: what has been evicted since is lost to him.
    pub fn tail_after(
        self: &Arc<Self>,
        filter: Expression,
        number: Option<u64>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Option<Tail> {
        let mut state = self.state();
        let newest = state.ring.newest();
        let seen = number.map_or(newest, |number| number.min(newest));
        let id = state.tails.add(Box::new(wake))?;
        Some(Tail { recent: Arc::clone(self), id, filter, seen })
    }
}

impl Tail {
    /// The next lines that match, at most so many, without waiting for any.
    pub fn take(&mut self, most: usize) -> Batch {
        let (chunks, newest) = {
            let state = self.recent.state();
            (state.ring.after(self.seen), state.ring.newest())
        };
        let oldest = chunks.first().map_or(newest + 1, |chunk| chunk.first());
        let mut batch = Batch { lost: oldest.saturating_sub(self.seen + 1), ..Batch::default() };
        self.seen += batch.lost;
        let (all, seen) = (self.filter.means_everything(), self.seen);
        let mut unseen = chunks.iter().flat_map(ring::records).skip_while(|line| line.number() <= seen);
        for looked_at in 0.. {
            if batch.lines.len() >= most || looked_at == MOST_LOOKED_AT {
                batch.more = self.seen < newest;
                return batch;
            }
            let Some(line) = unseen.next() else { break };
            self.seen = line.number();
            if all || matches(&self.filter, line.json()) {
                batch.lines.push(line.line());
                batch.numbers.push(line.number());
            }
        }
        // What comes behind the last record is none.
        self.seen = newest;
        batch
    }

    /// Passes over what has come, but for the last `keep` records, where more than `behind` have. Returns how many that are; they
    /// may or may not have matched.
    pub fn skip(&mut self, behind: u64, keep: u64) -> u64 {
        let newest = self.recent.state().ring.newest();
        if newest.saturating_sub(self.seen) <= behind {
            return 0;
        }
        let passed = newest.saturating_sub(keep).saturating_sub(self.seen);
        self.seen += passed;
        passed
    }

    /// The number of the last record that it has looked at, whether or not that matched.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Waits until there is something to look at, or so long. Returns whether there is.
    pub fn wait(&self, at_most: Duration) -> bool {
        let nothing_new = |state: &mut super::State| state.ring.newest() <= self.seen;
        let waited = self.recent.news.wait_timeout_while(self.recent.state(), at_most, nothing_new);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.recent.state().tails.wakers.retain(|(id, _)| *id != self.id);
    }
}

impl Wakers {
    fn add(&mut self, waker: Waker) -> Option<u64> {
        if self.wakers.len() >= MOST {
            return None;
        }
        self.next += 1;
        self.wakers.push((self.next, waker));
        Some(self.next)
    }

    pub(super) fn wake(&self) {
        self.wakers.iter().for_each(|(_, wake)| wake());
    }
}

impl std::fmt::Debug for Wakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wakers").field("followers", &self.wakers.len()).finish_non_exhaustive()
    }
}
