//! What a stretch of time was like: counts, response times, errors. From rollups in milliseconds, or, under a filter that
//! they know nothing of, by looking at each record ([`Statistics::note`]).
//!
//! - [`Statistics`] is the stretch as a whole: what `/api/stats`, `/api/errors`, `/api/performance` ([`answers`]) and
//!   `gatelog stats` ([`text`]) show of it.
//! - [`Series`] is the stretch in steps, for charts.
//!
//! A request is counted by its `request_completed`, in the minute in which that was written, and records by all there are.
//! What rollups know, they know by whole minutes: a range is widened to them.

pub mod answers;
mod series;
mod table;
#[cfg(test)]
mod tests;
pub mod text;

pub use answers::{Errors, Performance, Stats};
pub use series::{Chart, Series};

use std::collections::BTreeMap;

use super::rollup::{Corrupt, Grain, HOUR, Noted, Period, Periods, Piece, Range, RollupError, Wanted};

/// Hours that are told apart, more than a year of them; records of further ones are in all other counts.
const MOST_HOURS: usize = 10_000;

/// What a stretch of time was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    range: Range,
    total: Period,
    /// Counts of each hour that has any, by its first moment.
    hours: BTreeMap<u64, Counts>,
    partial: bool,
    troubles: Vec<String>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of any kind.
    pub records: u64,
    /// Requests that ended.
    pub requests: u64,
    /// Errors, each once.
    pub errors: u64,
}

impl Statistics {
    /// Of a range in which nothing has happened yet: records are to be noted.
    pub fn over(range: Range) -> Statistics {
        let (total, hours) = (Period::default(), BTreeMap::new());
        Statistics { range, total, hours, partial: false, troubles: Vec::new() }
    }

    /// From what is kept of a range.
    ///
    /// # Errors
    /// When nothing of it can be read; of what only lacks a part, see [`Statistics::troubles`].
    pub fn of(periods: &impl Periods, range: Range) -> Result<Statistics, RollupError> {
        Statistics::of_wanted(periods, range, Wanted::Everything)
    }

    /// The same of a part of it.
    ///
    /// # Errors
    /// As [`Statistics::of`].
    pub fn of_wanted(periods: &impl Periods, range: Range, wanted: Wanted<'_>) -> Result<Statistics, RollupError> {
        let mut statistics = Statistics::over(range);
        let mut add = |piece: Piece<'_>| statistics.add(piece, wanted);
        let troubles = periods.visit(range, Grain::Hours, wanted, &mut add)?;
        statistics.troubles = troubles;
        Ok(statistics)
    }

    /// Counts a record, if it is of the range.
    pub fn note(&mut self, noted: &Noted<'_>) {
        if self.range.holds(noted.at) {
            self.total.note(noted);
            let counts = Counts { records: 1, requests: noted.is_request().into(), errors: noted.is_error().into() };
            self.add_to_hour(noted.at, counts);
        }
    }

    /// Adds those of other records of the same range: files are looked through side by side.
    pub fn merge(&mut self, other: &Statistics) {
        self.total.merge(&other.total);
        other.hours.iter().for_each(|(hour, counts)| self.add_to_hour(*hour, *counts));
        self.partial |= other.partial;
        self.troubles.extend_from_slice(&other.troubles);
    }

    /// Not all records were looked at, because the time was up.
    pub fn set_partial(&mut self) {
        self.partial = true;
    }

    /// Something could not be read.
    pub fn add_trouble(&mut self, trouble: String) {
        self.troubles.push(trouble);
    }

    /// As those of another range that holds the same records: of all of time, say, the part that has any.
    #[must_use]
    pub fn told_of(self, range: Range) -> Statistics {
        Statistics { range, ..self }
    }

    /// Which stretch it is.
    pub fn range(&self) -> Range {
        self.range
    }

    /// Everything that was counted.
    pub fn total(&self) -> &Period {
        &self.total
    }

    /// The hours that have any, by their first moments.
    pub fn hours(&self) -> &BTreeMap<u64, Counts> {
        &self.hours
    }

    /// Whether there may be more than was counted.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// What could not be read, each with its name.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    fn add(&mut self, piece: Piece<'_>, wanted: Wanted<'_>) -> Result<(), Corrupt> {
        let before = Counts::of(&self.total);
        let added = piece.add_to(&mut self.total, wanted);
        self.add_to_hour(piece.at, Counts::of(&self.total).since(before));
        added
    }

    fn add_to_hour(&mut self, at: u64, counts: Counts) {
        let hour = at / HOUR * HOUR;
        if self.hours.len() < MOST_HOURS || self.hours.contains_key(&hour) {
            self.hours.entry(hour).or_default().add(counts);
        }
    }
}

impl Counts {
    fn of(period: &Period) -> Counts {
        Counts { records: period.records(), requests: period.requests.count(), errors: period.error_count() }
    }

    fn since(self, before: Counts) -> Counts {
        Counts {
            records: self.records - before.records,
            requests: self.requests - before.requests,
            errors: self.errors - before.errors,
        }
    }

    fn add(&mut self, more: Counts) {
        self.records += more.records;
        self.requests += more.requests;
        self.errors += more.errors;
    }
}
