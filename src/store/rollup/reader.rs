//! Rollups as they are asked: those of the file, and what is pending beside it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;

use super::error::RollupError;
use super::file::{lock, whole};
use super::pending::Pending;
use super::period::{Period, Wanted};
use super::periods::{Grain, HOUR, MINUTE, Periods, Piece, Range, Visit};
use super::schema::{self, FILE};
use super::tally::Tally;
use crate::disk::paths;

/// How often to look again when the writer has saved between two looks; it does so once a minute.
const LOOKS: usize = 5;

/// One moment of the rollups: what the file holds, and what was pending then. It is read in one transaction, so that
/// whatever is written meanwhile changes nothing.
#[derive(Debug)]
pub struct RollupReader {
    path: PathBuf,
    connection: Connection,
    pending: Pending,
    /// Of records that were found to be in neither.
    unsaved: Tally,
    through: u64,
}

impl RollupReader {
    /// Opens the rollups in the folder of a store, also of one that another process writes. What that has pending is not
    /// in them: what is counted of the records behind [`RollupReader::through`] is to be added ([`RollupReader::add`]).
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    pub fn open(folder: &Path) -> Result<RollupReader, RollupError> {
        let path = folder.join(FILE);
        let connection = schema::open_to_read(&path)?;
        let (pending, unsaved) = (Pending::default(), Tally::default());
        let mut reader = RollupReader { path, connection, pending, unsaved, through: 0 };
        let through = reader.begin().map_err(|error| RollupError::of(&reader.path, &error))?;
        reader.pending = Pending::after(through);
        reader.through = through;
        Ok(reader)
    }

    /// Whether there are any.
    pub fn exists(folder: &Path) -> bool {
        paths::look(&folder.join(FILE)).is_ok()
    }

    /// The same within the process that writes them, with all that is pending.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open_with(folder: &Path, pending: &Mutex<Pending>) -> Result<RollupReader, RollupError> {
        for _ in 0..LOOKS {
            let taken = lock(pending).clone();
            let mut reader = RollupReader::open(folder)?;
            // Otherwise it was saved just between.
            if taken.saved() == reader.pending.saved() {
                reader.through = taken.through();
                reader.pending = taken;
                return Ok(reader);
            }
        }
        Err(RollupError::Refused { path: folder.join(FILE), why: "it does not hold still".to_owned() })
    }

    /// The number of the last record that is counted.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// Adds what was counted of the records behind [`RollupReader::through`] up to the one of this number, for this reader
    /// only.
    pub fn add(&mut self, tally: Tally, through: u64) {
        self.unsaved = tally;
        self.through = self.through.max(through);
    }

    /// Begins to read: from here on the file is as it is now.
    fn begin(&self) -> rusqlite::Result<u64> {
        self.connection.execute_batch("BEGIN")?;
        schema::through(&self.connection)
    }

    fn read(&self, range: Range, grain: Grain, wanted: Wanted<'_>, visit: Visit<'_>) -> rusqlite::Result<Vec<String>> {
        let mut troubles = Vec::new();
        for (grain, from, to) in stretches(range, grain, schema::minutes_from(&self.connection)?) {
            self.read_rows(grain, (from, to), wanted, visit, &mut troubles)?;
        }
        Ok(troubles)
    }

    fn read_rows(
        &self,
        grain: Grain,
        (from, to): (u64, u64),
        wanted: Wanted<'_>,
        visit: Visit<'_>,
        troubles: &mut Vec<String>,
    ) -> rusqlite::Result<()> {
        let (columns, table) = (schema::columns(wanted), schema::table(grain));
        let select = format!("SELECT {columns} FROM {table} WHERE at >= ?1 AND at < ?2 ORDER BY at");
        let mut select = self.connection.prepare_cached(&select)?;
        let mut rows = select.query([whole(from), whole(to)])?;
        while let Some(row) = rows.next()? {
            let at = schema::number(row, 0)?;
            let start = at.saturating_mul(if grain == Grain::Hours { HOUR } else { MINUTE });
            let read = schema::parts(row).and_then(|parts| visit(Piece::written(start, parts)));
            troubles.extend(read.err().map(|corrupt| format!("{}: {table} {at}: {corrupt}", self.path.display())));
        }
        Ok(())
    }
}

impl Periods for RollupReader {
    fn visit(
        &self,
        range: Range,
        grain: Grain,
        wanted: Wanted<'_>,
        visit: Visit<'_>,
    ) -> Result<Vec<String>, RollupError> {
        let read = self.read(range, grain, wanted, visit);
        let troubles = read.map_err(|error| RollupError::of(&self.path, &error))?;
        self.pending.visit(range, grain, wanted, visit)?;
        self.unsaved.visit(range, grain, wanted, visit)?;
        Ok(troubles)
    }
}

/// Which rows make up a range: of which table, from which one, up to which. Before `minutes_from` there are only hours, and
/// those at the range's ends are taken whole.
fn stretches(range: Range, grain: Grain, minutes_from: u64) -> [(Grain, u64, u64); 3] {
    const EACH: u64 = HOUR / MINUTE;
    let Range { since, until } = range.widened(MINUTE);
    let (from, to) = (since / MINUTE, until / MINUTE);
    let first = if from < minutes_from { from / EACH } else { from.div_ceil(EACH) };
    let end = match grain {
        _ if to <= minutes_from => to.div_ceil(EACH),
        Grain::Hours => to / EACH,
        Grain::Minutes => minutes_from / EACH,
    };
    // None where there is no whole hour between: then it is minutes up to the end.
    let (first, end) = if first < end { (first, end) } else { (to.div_ceil(EACH), to.div_ceil(EACH)) };
    let before = (Grain::Minutes, from, (first * EACH).min(to));
    let after = (Grain::Minutes, (end * EACH).max(from), to);
    [before, (Grain::Hours, first, end), after]
}

/// Everything that is wrong with the rollups in the folder of a store, also while somebody writes to them; `None` where
/// there are none.
///
/// # Errors
/// When they cannot be read at all.
pub fn check(folder: &Path) -> Result<Option<Vec<String>>, RollupError> {
    let path = folder.join(FILE);
    if paths::look(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let connection = schema::open_to_read(&path)?;
    problems(&connection, &path).map(Some).map_err(|error| RollupError::of(&path, &error))
}

/// Everything that is wrong with a file.
pub(super) fn problems(connection: &Connection, path: &Path) -> rusqlite::Result<Vec<String>> {
    let mut problems = Vec::new();
    connection.pragma_query(None, "quick_check", |row| {
        let said: String = row.get(0)?;
        problems.extend((said != "ok").then(|| format!("{}: {said}", path.display())));
        Ok(())
    })?;
    for grain in [Grain::Minutes, Grain::Hours] {
        let (columns, table) = (schema::columns(Wanted::Everything), schema::table(grain));
        let mut select = connection.prepare(&format!("SELECT {columns} FROM {table} ORDER BY at"))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let read = schema::parts(row).and_then(|parts| Period::default().absorb(parts, Wanted::Everything));
            let at = schema::number(row, 0)?;
            problems.extend(read.err().map(|corrupt| format!("{}: {table} {at}: {corrupt}", path.display())));
        }
    }
    Ok(problems)
}
