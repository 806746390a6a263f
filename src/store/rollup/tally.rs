//! What was counted of records that may still be lost: those of a batch that is not committed yet.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::RollupError;
use super::noted::Noted;
use super::pending::MOST_MINUTES;
use super::period::{Period, Wanted};
use super::periods::{Grain, MINUTE, Periods, Piece, Range, Visit};

/// Minutes that are being counted. Added to what is [pending](super::Pending) once their records are on the disk.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    minutes: BTreeMap<u64, Period>,
}

impl Tally {
    /// Counts a record.
    #[inline]
    pub fn note(&mut self, noted: &Noted<'_>) {
        self.minutes.entry(noted.at / MINUTE).or_default().note(noted);
    }

    /// Whether its records are of so many minutes that they are to be committed before more of them are counted.
    pub fn is_full(&self) -> bool {
        self.minutes.len() >= MOST_MINUTES
    }

    /// Its records are lost.
    pub fn clear(&mut self) {
        self.minutes.clear();
    }

    /// The minutes by their number since the Unix epoch.
    pub(super) fn into_minutes(self) -> BTreeMap<u64, Period> {
        self.minutes
    }
}

impl Periods for Tally {
    fn visit(&self, range: Range, _: Grain, _: Wanted<'_>, visit: Visit<'_>) -> Result<Vec<String>, RollupError> {
        visit_minutes(&self.minutes, range, visit);
        Ok(Vec::new())
    }
}

/// Shows the minutes of a range that are in memory.
pub(super) fn visit_minutes<P: Borrow<Period>>(minutes: &BTreeMap<u64, P>, range: Range, visit: Visit<'_>) {
    let Range { since, until } = range.widened(MINUTE);
    for (minute, period) in minutes.range(since / MINUTE..(until / MINUTE).max(since / MINUTE)) {
        // What is in memory is what was counted.
        let _always = visit(Piece::counted(minute * MINUTE, period.borrow()));
    }
}
