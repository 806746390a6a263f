//! What was counted since the file was last written, by minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RollupError;
use super::noted::Noted;
use super::period::{Period, Wanted};
use super::periods::{Grain, MINUTE, Periods, Range, Visit};
use super::tally::{Tally, visit_minutes};

/// Minutes that are counted at the same time. Records come within seconds of each other, so that there are two; it is
/// when logs are imported that there are more.
pub(super) const MOST_MINUTES: usize = 64;

/// Minutes that are kept at most, whatever comes at once, while they cannot be saved.
const MOST_AT_ALL: usize = 8 * MOST_MINUTES;

/// Minutes that are being counted, and which records are in them.
///
/// A minute is copied when it is counted further while somebody reads it, so that [`Pending::clone`] is cheap and whoever
/// asks holds up nobody.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    minutes: BTreeMap<u64, Arc<Period>>,
    saved: u64,
    through: u64,
    left_out: u64,
}

impl Pending {
    /// Nothing yet, beside a file that holds all records up to the one of this number.
    pub fn after(saved: u64) -> Pending {
        Pending { saved, through: saved, ..Pending::default() }
    }

    /// Counts a record, by the number that it has in the store. Numbers grow; one that is not greater than
    /// [`Pending::through`] has been counted before, and is passed over.
    #[inline]
    pub fn note(&mut self, number: u64, noted: &Noted<'_>) {
        if number > self.through {
            self.through = number;
            self.count(noted);
        }
    }

    /// Adds what was counted of the records behind [`Pending::through`] up to the one of this number.
    pub fn add(&mut self, tally: Tally, through: u64) {
        self.through = self.through.max(through);
        for (minute, period) in tally.into_minutes() {
            let room = self.minutes.len() < MOST_AT_ALL;
            match self.minutes.get_mut(&minute) {
                Some(counted) => Arc::make_mut(counted).merge(&period),
                None if room => drop(self.minutes.insert(minute, Arc::new(period))),
                None => self.left_out += period.records(),
            }
        }
    }

    /// The number of the last record that is counted, here or in the file.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// The number of the last record that is in the file.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// Whether there is something to be saved.
    pub fn is_changed(&self) -> bool {
        self.through > self.saved
    }

    /// Whether there is room only for the minutes that are there: it is to be saved before more is counted.
    pub fn is_full(&self) -> bool {
        self.minutes.len() >= MOST_MINUTES
    }

    /// How many records were not counted, because it was full and was not saved.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The minutes by their number since the Unix epoch.
    pub(super) fn minutes(&self) -> &BTreeMap<u64, Arc<Period>> {
        &self.minutes
    }

    /// All that is here is in the file now.
    pub(super) fn clear(&mut self) {
        self.minutes.clear();
        self.saved = self.through;
    }

    fn count(&mut self, noted: &Noted<'_>) {
        let minute = noted.at / MINUTE;
        let room = self.minutes.len() < MOST_MINUTES;
        match self.minutes.get_mut(&minute) {
            Some(period) => Arc::make_mut(period).note(noted),
            None if room => Arc::make_mut(self.minutes.entry(minute).or_default()).note(noted),
            None => self.left_out += 1,
        }
    }
}

impl Periods for Pending {
    fn visit(&self, range: Range, _: Grain, _: Wanted<'_>, visit: Visit<'_>) -> Result<Vec<String>, RollupError> {
        visit_minutes(&self.minutes, range, visit);
        Ok(Vec::new())
    }
}
