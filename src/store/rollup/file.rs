//! The file of rollups as its writer has it: what is pending is added to it, minute by minute and hour by hour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::RollupError;
use super::pending::Pending;
use super::period::{Period, Wanted};
use super::periods::{Grain, HOUR, MINUTE};
use super::schema::{self, FILE};
use crate::disk::paths;
use crate::record;

/// How long what is counted is kept, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Minutes; what is older is told apart by hours only.
    pub minutes: u64,
    /// Hours, and with them all.
    pub hours: u64,
}

impl Default for Keep {
    /// 90 days, of them 14 by minutes: at 120 routes 0.3 GB, where all 90 by minutes would be 2 GB.
    fn default() -> Keep {
        Keep { minutes: 14 * 24 * HOUR, hours: 90 * 24 * HOUR }
    }
}

/// Rows that one [`RollupFile::prune`] removes at most of each table, so that the writer is not held up for long.
const PRUNED_AT_ONCE: u32 = 2_000;

/// The file, and the right to write to it. One process has it: whoever owns the folder of the store.
#[derive(Debug)]
pub struct RollupFile {
    path: PathBuf,
    connection: Connection,
}

/// What opening a file gave.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: RollupFile,
    /// Nothing yet, after the last record that the file holds: the records behind that one are to be noted now.
    pub pending: Pending,
    /// What was there and could not be used, and where it is now.
    pub trouble: Option<String>,
}

impl RollupFile {
    /// Opens the rollups in the folder of a store; makes them where there are none. A file that is damaged, or of a later
    /// version, or something else altogether, is renamed and left to be looked at, and a new one is begun.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(folder: &Path, now: u64) -> Result<Opened, RollupError> {
        let path = folder.join(FILE);
        // A disk that fails to read looks like a broken file: only what is so at a second look is set aside.
        let ((connection, through), trouble) = match opened(&path).or_else(|_| opened(&path)) {
            Err(error) if error.is_of_the_file() => {
                let aside = set_aside(&path, now)?;
                (opened(&path)?, Some(format!("{error}; it is now {}", aside.display())))
            }
            opened => (opened?, None),
        };
        Ok(Opened { file: RollupFile { path, connection }, pending: Pending::after(through), trouble })
    }

    /// Adds all that is pending, in one transaction: afterwards the file holds it, and the number of its last record, or,
    /// when this fails or the process dies before its end, neither. Returns what in the file could not be read and was
    /// begun anew.
    ///
    /// # Errors
    /// When it cannot be written; what is pending stays so.
    pub fn save(&mut self, pending: &Mutex<Pending>) -> Result<Vec<String>, RollupError> {
        // Only the writer changes what is pending, so that this is still all of it when it is cleared.
        let adding = lock(pending).clone();
        let troubles = self.add(&adding).map_err(|error| RollupError::of(&self.path, &error))?;
        lock(pending).clear();
        Ok(troubles)
    }

    /// Removes what is older than it is to be kept; some of it, when it is much.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prune(&mut self, keep: Keep, now: u64) -> Result<usize, RollupError> {
        let minutes = now.saturating_sub(keep.minutes) / HOUR * (HOUR / MINUTE);
        let hours = now.saturating_sub(keep.hours) / HOUR;
        self.remove(minutes, hours).map_err(|error| RollupError::of(&self.path, &error))
    }

    /// Everything that is wrong with the file: the engine's own check, and each row as it was written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn check(&self) -> Result<Vec<String>, RollupError> {
        super::reader::problems(&self.connection, &self.path).map_err(|error| RollupError::of(&self.path, &error))
    }

    /// As a disk that has no more room.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: i64) {
        self.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    }

    /// Removes minutes before one, and hours before one. From then on nobody looks for those minutes, removed or not.
    fn remove(&mut self, minutes: u64, hours: u64) -> rusqlite::Result<usize> {
        let transaction = self.connection.transaction()?;
        transaction.execute("UPDATE progress SET minutes_from = max(minutes_from, ?1)", [whole(minutes)])?;
        let mut removed = 0;
        for (grain, before) in [(Grain::Minutes, minutes), (Grain::Hours, hours)] {
            let table = schema::table(grain);
            let oldest = format!("SELECT at FROM {table} WHERE at < ?1 ORDER BY at LIMIT ?2");
            let delete = format!("DELETE FROM {table} WHERE at IN ({oldest})");
            removed += transaction.execute(&delete, params![whole(before), PRUNED_AT_ONCE])?;
        }
        transaction.commit()?;
        Ok(removed)
    }

    fn add(&mut self, pending: &Pending) -> rusqlite::Result<Vec<String>> {
        let mut troubles = Vec::new();
        let transaction = self.connection.transaction()?;
        let mut hours = BTreeMap::<u64, Period>::new();
        for (minute, period) in pending.minutes() {
            hours.entry(minute / (HOUR / MINUTE)).or_default().merge(period);
            troubles.extend(add_to_row(&transaction, Grain::Minutes, *minute, period, &self.path)?);
        }
        for (hour, period) in &hours {
            troubles.extend(add_to_row(&transaction, Grain::Hours, *hour, period, &self.path)?);
        }
        transaction.execute("UPDATE progress SET through = ?1", [whole(pending.through())])?;
        transaction.commit()?;
        Ok(troubles)
    }
}

/// Nothing panics while it holds this lock.
pub(super) fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

fn opened(path: &Path) -> Result<(Connection, u64), RollupError> {
    let connection = schema::open(path)?;
    let through = schema::through(&connection).map_err(|error| RollupError::of(path, &error))?;
    Ok((connection, through))
}

/// Renames a file that cannot be used, and what SQLite keeps beside it.
fn set_aside(path: &Path, now: u64) -> Result<PathBuf, RollupError> {
    let moment: String = record::timestamp(now).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let aside = |path: &Path, ending: &str| PathBuf::from(format!("{}-{moment}.aside{ending}", path.display()));
    let refused = |error: std::io::Error| RollupError::Refused { path: path.to_owned(), why: error.to_string() };
    for ending in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{ending}", path.display()));
        match paths::rename(&beside, &aside(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refused(error)),
            _ => {}
        }
    }
    paths::rename(path, &aside(path, "")).map_err(refused)?;
    Ok(aside(path, ""))
}

/// Adds a period to the one that the file has; returns what is wrong with that, if it cannot be read.
fn add_to_row(
    transaction: &Transaction<'_>,
    grain: Grain,
    at: u64,
    period: &Period,
    path: &Path,
) -> rusqlite::Result<Option<String>> {
    let (table, columns) = (schema::table(grain), schema::columns(Wanted::Everything));
    let mut select = transaction.prepare_cached(&format!("SELECT {columns} FROM {table} WHERE at = ?1"))?;
    let mut sum = Period::default();
    let read = select
        .query_row([whole(at)], |row| Ok(schema::parts(row).and_then(|parts| sum.absorb(parts, Wanted::Everything))))
        .optional()?;
    let trouble = match read {
        Some(Err(corrupt)) => {
            sum = Period::default();
            Some(format!("{}: {table} {at}: {corrupt}", path.display()))
        }
        _ => None,
    };
    sum.merge(period);
    let written = schema::sealed(&sum);
    let mut replace = transaction.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3, ?4)"))?;
    replace.execute(params![whole(at), written.counts, written.routes, written.notable])?;
    Ok(trouble)
}

/// SQLite's numbers have a sign; no moment and no number of a record comes near it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
