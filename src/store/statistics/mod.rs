//! What a stretch of time was like: counts, response times, errors. From rollups in milliseconds, or, under a filter that
//! they know nothing of, by looking at each record ([`Statistics::note`]).
//!
//! - [`Statistics`] is the stretch as a whole: what `/api/stats`, `/api/errors`, `/api/performance` ([`answers`]) and
//!   `gatelog stats` ([`text`]) show of it.
//! - [`Series`] is the stretch in steps, for charts.
//! - [`Spread`] is each route of it, with its steps.
//!
//! All of them [`Gather`] what they count: from a place's rollups, or from its records.
//!
//! A request is counted by its `request_completed`, in the minute in which that was written, and records by all there are.
//! What rollups know, they know by whole minutes: a range is widened to them.

pub mod answers;
mod gather;
mod series;
mod spread;
mod table;
#[cfg(test)]
mod tests;
pub mod text;

pub use answers::{Errors, Performance, Stats};
pub use gather::{Gather, Wish, fill};
pub use series::{Chart, Point, Series};
pub use spread::{Routes, Spread};

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
    with_routes: bool,
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
        Statistics { range, total, hours, with_routes: true, partial: false, troubles: Vec::new() }
    }

    /// The same without routes, which take longest to add up.
    pub fn overview(range: Range) -> Statistics {
        Statistics { with_routes: false, ..Statistics::over(range) }
    }

    /// From what is kept of a range.
    ///
    /// # Errors
    /// When nothing of it can be read; of what only lacks a part, see [`Statistics::troubles`].
    pub fn of(periods: &impl Periods, range: Range) -> Result<Statistics, RollupError> {
        let mut statistics = Statistics::over(range);
        fill(&mut statistics, periods)?;
        Ok(statistics)
    }

    /// Adds those of other records of the same range: files are looked through side by side.
    pub fn merge(&mut self, other: &Statistics) {
        self.total.merge(&other.total);
        other.hours.iter().for_each(|(hour, counts)| self.add_to_hour(*hour, *counts));
        self.partial |= other.partial;
        self.troubles.extend_from_slice(&other.troubles);
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

    fn add_to_hour(&mut self, at: u64, counts: Counts) {
        let hour = at / HOUR * HOUR;
        if self.hours.len() < MOST_HOURS || self.hours.contains_key(&hour) {
            self.hours.entry(hour).or_default().add(counts);
        }
    }
}

impl Gather for Statistics {
    fn range(&self) -> Range {
        self.range
    }

    fn wish(&self) -> Option<(Grain, Wish)> {
        Some((Grain::Hours, if self.with_routes { Wish::Everything } else { Wish::Overview }))
    }

    fn add(&mut self, piece: Piece<'_>) -> Result<(), Corrupt> {
        let before = Counts::of(&self.total);
        let wanted = if self.with_routes { Wanted::Everything } else { Wanted::Overview };
        let added = piece.add_to(&mut self.total, wanted);
        self.add_to_hour(piece.at, Counts::of(&self.total).since(before));
        added
    }

    fn note(&mut self, noted: &Noted<'_>) {
        if self.range.holds(noted.at) {
            self.total.note(noted);
            let counts = Counts { records: 1, requests: noted.is_request().into(), errors: noted.is_error().into() };
            self.add_to_hour(noted.at, counts);
        }
    }

    fn set_partial(&mut self) {
        self.partial = true;
    }

    fn add_trouble(&mut self, trouble: String) {
        self.troubles.push(trouble);
    }

    fn clear(&mut self) {
        *self = Statistics { with_routes: self.with_routes, ..Statistics::over(self.range) };
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
