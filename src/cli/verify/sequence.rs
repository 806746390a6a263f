//! The second promise: the numbers of one instance, in the order they were written, and those that are missing.

use super::line::Loss;
use super::problem::{Place, Problem};

/// Gaps that are kept in wait for their `log_loss`; when there are more, the oldest is held to be unexplained.
const GAPS: usize = 4096;

/// The numbers of one instance so far.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    gaps: Vec<Gap>,
}

/// Numbers that were skipped.
#[derive(Debug, Clone, Copy)]
struct Gap {
    from: u64,
    to: u64,
    /// The line behind it.
    place: Place,
}

impl Sequence {
    /// A stream whose first number must be `first`.
    pub(super) fn starting_at(first: u64) -> Sequence {
        Sequence { next: first, gaps: Vec::new() }
    }

    /// Takes the number of the next line; gives what is surely wrong with it, and where.
    pub(super) fn take(&mut self, seq: u64, place: Place, instance: &str) -> Option<(Place, Problem)> {
        if seq < self.next {
            let missing = self.explain_range(seq, seq);
            let problem = if missing { Problem::OutOfOrder { seq } } else { Problem::Reused { seq } };
            return Some((place, problem));
        }
        let gap = Gap { from: self.next, to: seq.saturating_sub(1), place };
        let skipped = seq > self.next;
        self.next = seq.saturating_add(1);
        if !skipped {
            return None;
        }
        self.gaps.push(gap);
        (self.gaps.len() > GAPS).then(|| self.gaps.remove(0).problem(instance))
    }

    /// Takes a `log_loss`: the numbers it names are no longer unexplained. Gives what is wrong with it.
    pub(super) fn explain(&mut self, loss: Loss) -> Option<Problem> {
        if !self.explain_range(loss.from, loss.to) {
            return Some(Problem::Unfounded(loss));
        }
        (loss.count != loss.to - loss.from + 1).then_some(Problem::Miscounted(loss))
    }

    /// The numbers that nobody explained.
    pub(super) fn gaps(&self, instance: &str) -> Vec<(Place, Problem)> {
        self.gaps.iter().map(|gap| gap.problem(instance)).collect()
    }

    /// Takes numbers out of the gap they lie in; false if they do not all lie in one.
    fn explain_range(&mut self, from: u64, to: u64) -> bool {
        let within = |gap: &Gap| gap.from <= from && from <= to && to <= gap.to;
        let Some(at) = self.gaps.iter().rposition(within) else { return false };
        let gap = self.gaps[at];
        let before = (gap.from < from).then(|| Gap { to: from - 1, ..gap });
        let after = (to < gap.to).then(|| Gap { from: to + 1, ..gap });
        self.gaps.splice(at..=at, before.into_iter().chain(after));
        true
    }
}

impl Gap {
    fn problem(&self, instance: &str) -> (Place, Problem) {
        (self.place, Problem::Gap { from: self.from, to: self.to, instance: instance.to_owned() })
    }
}
