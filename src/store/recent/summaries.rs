//! What the last hour was like, as it was counted; under a filter, from those records that are still held.

use std::sync::PoisonError;

use super::{BREATH, Numbered, Recent, line, matches, ring};
use crate::filter::Expression;
use crate::store::ask::{AskError, Order, Question, Stop, Summaries};
use crate::store::rollup::{Range, Snapshot};
use crate::store::statistics::{Gather, fill};

impl Summaries for Recent {
    /// What has been evicted is not in it, and that is said.
    fn gather(&self, into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>) -> Result<(), AskError> {
        let (range, all) = (into.range(), filter.means_everything());
        if let Some(snapshot) = self.snapshot(range).filter(|_| all && into.wish().is_some()) {
            count(&snapshot, into);
            return Ok(());
        }
        let (since, until, order) = (Some(range.since), Some(range.until), Order::Oldest);
        let question = Question { filter: filter.clone(), since, until, order, skip: 0, limit: 0, count_to: 0 };
        for (at, record) in self.candidates(&question).iter().enumerate() {
            if at % BREATH == 0 && stop() {
                into.set_partial();
                break;
            }
            if all || matches(filter, record.json()) {
                line::note(record.json(), record.at(), |noted| into.note(noted));
            }
        }
        if self.oldest().is_some_and(|oldest| range.since < oldest) && self.held().evicted > 0 {
            into.set_partial();
        }
        Ok(())
    }
}

/// A snapshot that cannot be read is none: it was made from what this program has counted.
fn count(snapshot: &Snapshot, into: &mut dyn Gather) {
    if fill(into, snapshot).is_err() {
        into.clear();
    }
    if snapshot.is_partial() {
        into.set_partial();
    }
}

impl Recent {
    /// What was counted of a range, where it was counted.
    fn snapshot(&self, range: Range) -> Option<Snapshot> {
        let pulse = self.pulse.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(pulse.snapshot(range))
    }

    /// When the oldest chunk began.
    fn oldest(&self) -> Option<u64> {
        let chunk = self.state().ring.after(0).into_iter().next();
        chunk.as_ref().and_then(|chunk| ring::records(chunk).map(|record: Numbered| record.at()).min())
    }
}
