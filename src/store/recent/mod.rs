//! The newest records in memory: what is searched where there is no store, and what a live view follows in any case.
//!
//! ```text
//! writer thread:  keep ──> last chunk │ chunk │ … │ oldest chunk ──> evicted, counted
//!                            │         └────┬────┘
//!                  wakes who follows     cheap copies of pointers: search, statistics, Tail::take
//! ```
//!
//! Keeping lines costs a copy of them at most, and of large batches not even that ([`Kept`]); they are read when somebody
//! asks, so that a proxy at full speed pays next to nothing for a view that nobody has open. Statistics under a filter are
//! counted from the lines that are held: of a busier time than memory holds, they say that they are a part. Without a filter
//! they are of all records of the last hour, where somebody counts those as they come ([`Pulse`]).
//!
//! Whoever asks takes pointers to the chunks and lets go of the lock before it looks at a single line; the writer changes
//! the last chunk only while nobody has a pointer to it, and else begins another. So neither waits for the other longer than
//! it takes to copy some pointers.

mod line;
mod pulse;
mod ring;
mod summaries;
mod tail;
#[cfg(test)]
mod tests;

pub use pulse::Pulse;
pub use ring::Kept;
pub use tail::{Batch, Tail};

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value as Json};

use super::ask::{AskError, Order, Page, Question, Records, Stop, Total};
use crate::filter::Expression;
use crate::store::rollup::RouteName;
use ring::{Numbered, Ring};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines at most.
    pub lines: usize,
    /// Bytes of all lines at most.
    pub bytes: usize,
}

impl Default for Limits {
    /// 50,000 lines in at most 16 MB together.
    fn default() -> Limits {
        Limits { lines: 50_000, bytes: 16 << 20 }
    }
}

/// What is held at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Lines.
    pub lines: u64,
    /// Bytes of them.
    pub bytes: usize,
    /// Lines that had to make room for newer ones.
    pub evicted: u64,
}

/// The newest records, shared between the thread that writes them and those that ask.
#[derive(Debug)]
pub struct Recent {
    state: Mutex<State>,
    /// Told when there are new lines.
    news: Condvar,
    /// The last hour, where it is counted.
    pulse: Option<Mutex<Pulse>>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    tails: tail::Wakers,
}

/// How many lines are looked at between two questions whether to stop.
const BREATH: usize = 256;

impl Recent {
    /// None yet.
    pub fn new(limits: Limits) -> Arc<Recent> {
        Recent::of(limits, None)
    }

    /// The same for whoever counts records as they come ([`Recent::count`]); `name` gives the names of routes.
    pub fn counting(limits: Limits, name: RouteName) -> Arc<Recent> {
        Recent::of(limits, Some(Mutex::new(Pulse::new(name))))
    }

    fn of(limits: Limits, pulse: Option<Mutex<Pulse>>) -> Arc<Recent> {
        let state = State { ring: Ring::of(limits.lines, limits.bytes), tails: tail::Wakers::default() };
        Arc::new(Recent { state: Mutex::new(state), news: Condvar::new(), pulse })
    }

    /// Has records counted, all of those that are kept, where that is wanted.
    pub fn count(&self, count: impl FnOnce(&mut Pulse)) {
        if let Some(pulse) = &self.pulse {
            // Each record is counted by itself: what a panic leaves is whole.
            count(&mut pulse.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Takes lines of the native schema, so many, each ended by `\n`, in the order in which they were written. What of them
    /// is no record is passed over when they are read.
    pub fn keep(&self, lines: &[u8], count: u64) {
        if count > 0 {
            self.push(|ring| ring.push(lines, count));
        }
    }

    /// The same for so many lines, of so many bytes of memory, that stay where they are until somebody looks at them.
    pub fn refer_to(&self, lines: Box<dyn Kept>, count: u64, bytes: usize) {
        if count > 0 {
            self.push(|ring| ring.push_kept(lines, count, bytes));
        }
    }

    fn push(&self, push: impl FnOnce(&mut Ring)) {
        let mut state = self.state();
        push(&mut state.ring);
        state.tails.wake();
        drop(state);
        self.news.notify_all();
    }

    /// What is held now.
    pub fn held(&self) -> Held {
        self.state().ring.held()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A waker of a follower may panic; what it is told of is whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines within a question's time, in its order.
    fn candidates(&self, question: &Question) -> Vec<Numbered> {
        let chunks = self.state().ring.chunks();
        let within = |line: &Numbered| {
            line.at() >= question.since.unwrap_or(0) && question.until.is_none_or(|until| line.at() < until)
        };
        let mut lines: Vec<Numbered> = chunks.iter().flat_map(ring::records).filter(within).collect();
        lines.sort_by_key(|line| (line.at(), line.number()));
        if question.order == Order::Newest {
            lines.reverse();
        }
        lines
    }
}

impl Records for Recent {
    fn search(&self, question: &Question, stop: Stop<'_>) -> Result<Page, AskError> {
        let (mut page, mut count) = (Page::default(), 0_u64);
        let all = question.filter.means_everything();
        for (at, line) in self.candidates(question).iter().enumerate() {
            if at % BREATH == 0 && stop() {
                page.partial = true;
                break;
            }
            if count > question.count_to && page.lines.len() >= question.limit {
                break;
            }
            if !all && !matches(&question.filter, line.json()) {
                continue;
            }
            if count >= question.skip as u64 && page.lines.len() < question.limit {
                page.lines.push(line.line());
            }
            count += 1;
        }
        page.total = match count {
            count if count > question.count_to => Total::AtLeast(question.count_to),
            count if page.partial => Total::AtLeast(count),
            count => Total::Exact(count),
        };
        Ok(page)
    }

    fn request(&self, request_id: &str, limit: usize, stop: Stop<'_>) -> Result<Page, AskError> {
        let filter = quoted(request_id).and_then(|id| Expression::parse(&format!("request_id={id}")).ok());
        let Some(filter) = filter else { return Ok(Page::default()) };
        let order = Order::Oldest;
        self.search(&Question { filter, since: None, until: None, order, skip: 0, limit, count_to: u64::MAX }, stop)
    }
}

/// An id as the filter language has it in quotes; `None` for what is no id.
fn quoted(request_id: &str) -> Option<String> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=128).contains(&request_id.len()) && request_id.chars().all(is_id);
    fits.then(|| format!("\"{request_id}\""))
}

fn matches(filter: &Expression, json: &str) -> bool {
    serde_json::from_str::<Map<String, Json>>(json).is_ok_and(|fields| filter.matches(&fields))
}
