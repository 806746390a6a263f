//! The statistics that a writer keeps beside its segments ([`super::rollup`]): what is committed is counted, and saved now and
//! then; what a crash kept from being saved is found in the segments again, a piece at a time, while records come in.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::behind::Recount;
use super::error::Error;
use super::facts::Facts;
use super::rollup::{Keep, Opened, Pending, RollupFile, Tally};
use crate::time::{micros, wall_now};

/// Microseconds after which what was counted is saved, and records after which it is sooner. It costs as much for few as for
/// many; and what is not saved, another process that reads the store has to count for itself.
const SAVE_AFTER: u64 = 60_000_000;
const SAVE_RECORDS: u64 = 20_000;
/// Microseconds between two attempts that failed, and between two looks for what is too old.
const TRY_AGAIN: u64 = 10_000_000;
const PRUNE_AFTER: u64 = 600_000_000;
/// Troubles that are kept until somebody asks.
const MAX_TROUBLES: usize = 16;

/// What is counted, and how far.
#[derive(Debug)]
pub(super) struct Counting {
    file: RollupFile,
    keep: Keep,
    /// Shared with whoever asks within this process.
    pending: Arc<Mutex<Pending>>,
    /// Of the batch that is not committed.
    tally: Tally,
    recount: Option<Recount>,
    /// Records since it was saved.
    records: u64,
    /// Moments in microseconds since the Unix epoch: when it was saved, or tried to be, and when it was pruned.
    saved: u64,
    failed: bool,
    pruned: u64,
    left_out: u64,
    troubles: Vec<String>,
}

impl Counting {
    /// Of the store in this folder. `statistics` is how long they are kept; `None` is for ever.
    pub(super) fn open(folder: &Path, statistics: Option<Duration>) -> Result<Counting, Error> {
        let Opened { file, pending, trouble } = RollupFile::open(folder, wall_now())?;
        let hours = statistics.map_or(u64::MAX, micros);
        Ok(Counting {
            file,
            keep: Keep { hours, minutes: Keep::default().minutes.min(hours) },
            pending: Arc::new(Mutex::new(pending)),
            tally: Tally::default(),
            recount: None,
            records: 0,
            saved: 0,
            failed: false,
            pruned: 0,
            left_out: 0,
            troubles: trouble.into_iter().collect(),
        })
    }

    /// What is counted and not saved.
    pub(super) fn pending(&self) -> Arc<Mutex<Pending>> {
        self.pending.clone()
    }

    /// The number of the last record that is counted.
    pub(super) fn through(&self) -> u64 {
        self.lock().through()
    }

    /// The last record of the segments is that of this number: those between it and the last that was counted are found again.
    pub(super) fn found(&mut self, folder: &Path, last: u64) {
        let through = self.through();
        self.recount = (last > through).then(|| Recount::new(folder, through));
    }

    /// A record is in the batch.
    pub(super) fn note(&mut self, facts: &Facts<'_>) {
        if let Some(noted) = facts.noted() {
            self.tally.note(&noted);
            self.records += 1;
        }
    }

    /// Whether the batch is to be committed before more of it is counted.
    pub(super) fn is_full(&self) -> bool {
        self.tally.is_full()
    }

    /// The batch is committed, up to the record of this number.
    pub(super) fn committed(&mut self, through: u64, now: u64) {
        let tally = std::mem::take(&mut self.tally);
        // Until all before it is counted, it is found with that.
        if self.recount.is_none() {
            self.lock().add(tally, through);
        }
        self.save_if_due(now);
    }

    /// The batch is lost.
    pub(super) fn lost(&mut self) {
        self.tally.clear();
    }

    /// Goes on with what is to be done by the way.
    pub(super) fn tick(&mut self, now: u64) {
        if self.recount.is_some() {
            self.count_again();
        }
        self.save_if_due(now);
        if now.abs_diff(self.pruned) >= PRUNE_AFTER {
            self.pruned = now;
            // It is tried again the next time.
            let failed = self.file.prune(self.keep, now).err();
            self.troubles(failed.map(|error| error.to_string()));
        }
    }

    /// What has gone wrong since this was asked last.
    pub(super) fn take_troubles(&mut self) -> Vec<String> {
        let left_out = self.lock().left_out();
        if left_out > self.left_out {
            self.troubles(Some(format!(
                "{} records are in no statistics: they could not be saved",
                left_out - self.left_out
            )));
            self.left_out = left_out;
        }
        std::mem::take(&mut self.troubles)
    }

    fn count_again(&mut self) {
        // While it cannot be saved, no more is counted than there is room for.
        if self.lock().is_full() {
            return;
        }
        let Some(recount) = &mut self.recount else { return };
        let (mut tally, mut troubles) = (Tally::default(), Vec::new());
        let through = recount.step(&mut tally, &mut troubles);
        match through {
            Ok(Some(through)) => {
                self.records += SAVE_RECORDS / 8;
                self.lock().add(tally, through);
            }
            Ok(None) => self.recount = None,
            // It is tried again with the next tick.
            Err(error) => troubles.push(error.to_string()),
        }
        self.troubles(troubles);
    }

    fn save_if_due(&mut self, now: u64) {
        let since = now.abs_diff(self.saved);
        let is_due = match self.failed {
            true => since >= TRY_AGAIN,
            false => since >= SAVE_AFTER || self.records >= SAVE_RECORDS || self.lock().is_full(),
        };
        if is_due {
            self.save(now);
        }
    }

    /// Saves what is counted. What cannot be saved now stays, and is saved later.
    pub(super) fn save(&mut self, now: u64) {
        self.saved = now;
        self.records = 0;
        if !self.lock().is_changed() {
            return;
        }
        match self.file.save(&self.pending) {
            Ok(troubles) => {
                self.failed = false;
                self.troubles(troubles);
            }
            // Told once, not each time that it is tried.
            Err(error) => {
                let told = std::mem::replace(&mut self.failed, true);
                self.troubles((!told).then(|| error.to_string()));
            }
        }
    }

    fn troubles(&mut self, more: impl IntoIterator<Item = String>) {
        let room = MAX_TROUBLES.saturating_sub(self.troubles.len());
        self.troubles.extend(more.into_iter().take(room));
    }

    /// Nothing panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
