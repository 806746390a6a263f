//! The file of rollups: its tables, its version, and how it is opened.
//!
//! ```text
//! rollup.db          SQLite, application_id "glru", user_version 1
//!   progress         one row: through, the number of the last record that is counted in all below; and minutes_from, the
//!                    minute before which there are only hours
//!   minute, hour     at (its number since the Unix epoch), counts, routes, notable
//! ```
//!
//! Each of the three parts ends with the CRC-32 of what is before it, because SQLite does not see a flipped bit. They are
//! in the order of how often they are read: a long row lies in a chain of pages, of which only the beginning is read then.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use super::error::RollupError;
use super::period::{Encoded, Parts, Period, Wanted};
use super::{Corrupt, Grain};
use crate::disk::paths;
use crate::store::error::Error;
use crate::store::file;

/// Its name in the folder of the store.
pub const FILE: &str = "rollup.db";
/// While it is being made.
pub(in crate::store) const PART: &str = "rollup.part";

/// "glru".
const APPLICATION: i64 = 0x676c_7275;
const VERSION: i64 = 1;

/// How long to wait for another process that is just writing: `store prune` beside a running proxy.
const PATIENCE: Duration = Duration::from_secs(2);

const TABLES: &str = "
    CREATE TABLE progress(through INTEGER NOT NULL, minutes_from INTEGER NOT NULL);
    INSERT INTO progress(through, minutes_from) VALUES (0, 0);
    CREATE TABLE minute(at INTEGER PRIMARY KEY, counts BLOB NOT NULL, routes BLOB NOT NULL, notable BLOB NOT NULL);
    CREATE TABLE hour(at INTEGER PRIMARY KEY, counts BLOB NOT NULL, routes BLOB NOT NULL, notable BLOB NOT NULL);
";

/// Opens the file to write to it; makes it where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, RollupError> {
    if paths::look(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        make(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).and_then(prepared);
    let connection = connection.map_err(|error| RollupError::of(path, &error))?;
    verify(&connection, path)?;
    Ok(connection)
}

/// Opens the file to read it, also while another process writes it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, RollupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    let connection = open().map_err(|error| RollupError::of(path, &error))?;
    verify(&connection, path)?;
    Ok(connection)
}

fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What the last moments before a loss of power have added is counted again from the records themselves.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Makes a file that counts nothing under another name, so that whoever reads the store finds it whole or not at all,
/// whenever its writer dies.
fn make(path: &Path) -> Result<(), RollupError> {
    let part = path.with_file_name(PART);
    let refused = |error: Error| RollupError::Refused { path: part.clone(), why: error.to_string() };
    file::clear(&part).map_err(refused)?;
    Connection::open(&part).and_then(fill).map_err(|error| RollupError::of(&part, &error))?;
    file::publish(&part, path).map_err(refused)
}

fn fill(connection: Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;
        BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {TABLES} COMMIT;"
    ))?;
    // Takes what is in the log into the file. Closing would do so too, and not tell of failures.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

fn verify(connection: &Connection, path: &Path) -> Result<(), RollupError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let stamps = pragma("application_id").and_then(|application| Ok((application, pragma("user_version")?)));
    let path = path.to_owned();
    match stamps.map_err(|error| RollupError::of(&path, &error))? {
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, version) if version > VERSION => Err(RollupError::Newer { path, version, known: VERSION }),
        _ => Err(RollupError::Broken { path, why: "it is no file of rollups".to_owned() }),
    }
}

/// The number of the last record that is counted.
pub(super) fn through(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT through FROM progress", [], |row| number(row, 0))
}

/// The minute before which there are only hours: a whole hour.
pub(super) fn minutes_from(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT minutes_from FROM progress", [], |row| number(row, 0))
}

/// A whole number of a row; SQLite's have a sign.
pub(super) fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|number| u64::try_from(number).unwrap_or_default())
}

/// The table that holds periods of this length.
pub(super) fn table(grain: Grain) -> &'static str {
    match grain {
        Grain::Minutes => "minute",
        Grain::Hours => "hour",
    }
}

/// The columns that must be read for what is wanted; those that need not are empty.
pub(super) fn columns(wanted: Wanted<'_>) -> &'static str {
    match wanted {
        Wanted::Everything => "at, counts, routes, notable",
        Wanted::Overview => "at, counts, NULL, notable",
        Wanted::Counts => "at, counts, NULL, NULL",
        Wanted::Route(_) => "at, NULL, routes, NULL",
    }
}

/// The parts of a row that begins with `at`, each as it was written.
pub(super) fn parts<'r>(row: &'r Row<'_>) -> Result<Parts<'r>, Corrupt> {
    let part = |at| match row.get_ref(at).map_err(|_| Corrupt)?.as_blob_or_null().map_err(|_| Corrupt)? {
        None => Ok(&[][..]),
        Some(sealed) => unsealed(sealed),
    };
    Ok(Parts { counts: part(1)?, routes: part(2)?, notable: part(3)? })
}

/// A period as it is written to a row.
pub(super) fn sealed(period: &Period) -> Encoded {
    let mut encoded = period.encode();
    for part in [&mut encoded.counts, &mut encoded.routes, &mut encoded.notable] {
        part.extend_from_slice(&crc32fast::hash(part).to_le_bytes());
    }
    encoded
}

fn unsealed(sealed: &[u8]) -> Result<&[u8], Corrupt> {
    let (part, sum) = sealed.split_last_chunk().ok_or(Corrupt)?;
    if crc32fast::hash(part).to_le_bytes() == *sum { Ok(part) } else { Err(Corrupt) }
}
