//! A segment on the disk: what its file is called, what is in it, and whether it is one of ours.
//!
//! A segment is a number and one of three files: `00000001.hot` is written to, `00000001.part` is a sealed one in the
//! making, `00000001.segment` is sealed and never changes again. Where there is a sealed one, the others are left over.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::Error;
use crate::disk::paths;

/// What says of an SQLite file that it is ours: `gate`.
const APPLICATION: i64 = 0x6761_7465;
/// The format that is written, and the latest that is read. In the first one, what is sealed has its texts indexed by the
/// engine ([`super::opened`] asks either index).
pub(super) const VERSION: i64 = 2;
/// The first format whose sealed segments have [postings](super::postings), and say which lines are of a row's user.
pub(super) const WITH_POSTINGS: i64 = 2;

/// What a file of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Written to.
    Hot,
    /// A sealed one in the making.
    Part,
    /// Sealed.
    Sealed,
}

impl Form {
    fn suffix(self) -> &'static str {
        match self {
            Form::Hot => "hot",
            Form::Part => "part",
            Form::Sealed => "segment",
        }
    }
}

/// Where the file of a segment is.
pub(super) fn path(folder: &Path, number: u64, form: Form) -> PathBuf {
    folder.join(name(number, form))
}

/// What the file of a segment is called.
pub(super) fn name(number: u64, form: Form) -> String {
    format!("{number:08}.{}", form.suffix())
}

/// The segments of a folder by their numbers, the oldest first, without parts; a sealed one hides a hot one.
pub(super) fn list(folder: &Path) -> Result<Vec<(u64, Form)>, Error> {
    let names = paths::names(folder).map_err(Error::disk(folder))?;
    let mut found: Vec<(u64, Form)> =
        names.iter().filter_map(|name| parse(name)).filter(|it| it.1 != Form::Part).collect();
    found.sort_by_key(|(number, form)| (*number, *form != Form::Sealed));
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}

/// The segment of the greatest number.
pub(super) fn last(folder: &Path) -> Result<Option<(u64, Form)>, Error> {
    Ok(list(folder)?.pop())
}

/// What a name means.
pub(super) fn parse(name: &str) -> Option<(u64, Form)> {
    let (number, suffix) = name.split_once('.')?;
    let form = [Form::Hot, Form::Part, Form::Sealed].into_iter().find(|form| form.suffix() == suffix)?;
    let digits = number.len() >= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| digits)?, form))
}

/// Removes a file of a segment, and what SQLite keeps beside it.
pub(super) fn remove(folder: &Path, number: u64, form: Form) -> Result<(), Error> {
    clear(&path(folder, number, form))
}

/// The file itself goes last: whatever is left of its log would be taken for that of the next file of this name.
pub(super) fn clear(path: &Path) -> Result<(), Error> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.to_owned().into_os_string();
        name.push(suffix);
        paths::remove(Path::new(&name)).map_err(Error::disk(path))?;
    }
    Ok(())
}

/// Renames a file of a segment that cannot be gone on with, and what SQLite keeps beside it: it is left for whoever can make
/// something of it. Returns its new name.
pub(super) fn set_aside(folder: &Path, number: u64, form: Form) -> Result<String, Error> {
    let path = path(folder, number, form);
    let aside = format!("{}.broken", name(number, form));
    for suffix in ["", "-wal"] {
        let mut from = path.clone().into_os_string();
        from.push(suffix);
        match paths::rename(Path::new(&from), &folder.join(format!("{aside}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::disk(&path)(error)),
            _ => {}
        }
    }
    remove(folder, number, form)?;
    paths::sync_folder(folder).map_err(Error::disk(folder))?;
    Ok(aside)
}

const TABLES: &str = "
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE shape (id INTEGER PRIMARY KEY, members BLOB NOT NULL);
CREATE TABLE block (id INTEGER PRIMARY KEY, lines INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL,
    words BLOB NOT NULL, digest BLOB NOT NULL, sum INTEGER);
CREATE TABLE record (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL, level, status, duration, user,
    request INTEGER, shape INTEGER NOT NULL, own BLOB NOT NULL, beside BLOB, both INTEGER);
";

/// Few rows are in these: they cost next to nothing while rows come.
const PARTIAL: &str = "
CREATE INDEX word_text ON word (text COLLATE NOCASE);
CREATE INDEX failed ON record (status) WHERE status >= 500;
CREATE INDEX long ON record (duration) WHERE duration >= 1000000;
CREATE INDEX grave ON record (level) WHERE level >= 2;
";

/// What a hot one has until then: for each block that is full, and each mark, which of its rows have it.
const SLICES: &str = "
CREATE TABLE slice (id INTEGER PRIMARY KEY, rows BLOB NOT NULL);
";

/// What a sealed file has beside them. `both` is whether the line beside that of the row is of its user, too: so rows of a
/// user are counted without being read.
const FULL: &str = "
CREATE INDEX by_user ON record (user, both) WHERE user IS NOT NULL;
CREATE INDEX by_request ON record (request) WHERE request IS NOT NULL;
";

/// CRC-32 of what is beside the blocks, each of which has its own: SQLite does not see a flipped bit.
const SUMS: &str = "
CREATE TABLE sum (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
";

/// Rows by the trigrams of their texts.
const SEARCH: &str = "
CREATE TABLE posting (id INTEGER PRIMARY KEY, rows BLOB NOT NULL);
";

/// How long one process waits for another one that is about to recover a file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a hot segment to write to it; makes it where there is none.
pub(super) fn open_hot(path: &Path) -> Result<Connection, Error> {
    if paths::look(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        make_hot(path)?;
    }
    let engine = Error::engine(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(path, flags).map_err(&engine)?;
    file.busy_timeout(PATIENCE).map_err(&engine)?;
    recognise(&file, path)?;
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
        PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;";
    file.execute_batch(pragmas).map_err(&engine)?;
    Ok(file)
}

/// Makes a hot segment without any records under another name, so that it is there whole or not at all, whenever the
/// machine stops.
fn make_hot(path: &Path) -> Result<(), Error> {
    let part = path.with_extension(Form::Part.suffix());
    clear(&part)?;
    let engine = Error::engine(&part);
    let file = Connection::open(&part).map_err(&engine)?;
    let stamp = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
    let made = format!(
        "PRAGMA page_size = 4096; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;
        BEGIN; {stamp} {TABLES} {PARTIAL} {SLICES} COMMIT;"
    );
    file.execute_batch(&made).map_err(&engine)?;
    // Takes what is in the log into the file. Closing would do so too, and not tell of failures.
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(&engine)?;
    file.close().map_err(|(_, error)| engine(error))?;
    publish(&part, path)
}

/// Makes sure of a file and gives it the name by which it is found.
pub(super) fn publish(part: &Path, path: &Path) -> Result<(), Error> {
    paths::open(part).and_then(|file| file.sync_all()).map_err(Error::disk(part))?;
    clear(path)?;
    paths::rename(part, path).map_err(Error::disk(path))?;
    let folder = path.parent().unwrap_or(path);
    paths::sync_folder(folder).map_err(Error::disk(folder))
}

/// Makes a sealed segment that is filled before it has its indexes ([`finish`]); nothing in it survives a crash.
pub(super) fn make_sealed(path: &Path) -> Result<Connection, Error> {
    let engine = Error::engine(path);
    let file = Connection::open(path).map_err(&engine)?;
    let pragmas = "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        PRAGMA cache_size = -16384; PRAGMA temp_store = FILE;";
    let stamp = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
    file.execute_batch(&format!("{pragmas} {stamp} {TABLES} {PARTIAL} {SUMS} {SEARCH}")).map_err(&engine)?;
    Ok(file)
}

/// The indexes of a sealed segment that wait for its rows, each a step of its own.
pub(super) fn indexes() -> impl Iterator<Item = &'static str> {
    FULL.split_inclusive(';').map(str::trim).filter(|step| !step.is_empty())
}

/// Opens a segment to read it.
pub(super) fn open_to_read(path: &Path, form: Form) -> Result<Connection, Error> {
    open_known(path, form).map(|(file, _)| file)
}

/// The same, with the version of its format.
pub(super) fn open_known(path: &Path, form: Form) -> Result<(Connection, i64), Error> {
    // SQLite would say nothing but that it cannot.
    paths::look(path).map_err(Error::disk(path))?;
    let file = match form {
        Form::Sealed => connect(path, "immutable=1"),
        // Where the folder may not be written to, a file that nobody writes to is read as it is.
        Form::Hot | Form::Part => connect(path, "mode=ro").or_else(|_| connect(path, "immutable=1")),
    };
    let file = file?;
    let version = recognise(&file, path)?;
    Ok((file, version))
}

/// Whether nobody has put anything into a file yet.
pub(super) fn is_empty(path: &Path) -> Result<bool, Error> {
    if paths::look(path).map_err(Error::disk(path))?.len == 0 {
        return Ok(true);
    }
    let file = connect(path, "mode=ro").or_else(|_| connect(path, "immutable=1"))?;
    let tables = file.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    tables.map(|tables| tables == 0).map_err(Error::engine(path))
}

fn connect(path: &Path, how: &str) -> Result<Connection, Error> {
    let engine = Error::engine(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let text: &[u8] = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let name =
        percent_encoding::percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%2F", "/");
    let file = Connection::open_with_flags(format!("file:{name}?{how}"), flags).map_err(&engine)?;
    file.busy_timeout(PATIENCE).map_err(&engine)?;
    file.execute_batch("PRAGMA cache_size = -2048; PRAGMA query_only = 1;").map_err(&engine)?;
    file.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(&engine)?;
    Ok(file)
}

/// The version of a file, if it is one of ours, and of a version that is known.
fn recognise(file: &Connection, path: &Path) -> Result<i64, Error> {
    let number = |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let shown = || path.display().to_string();
    match (number("application_id"), number("user_version")) {
        (Ok(APPLICATION), Ok(version @ 1..=VERSION)) => Ok(version),
        (Ok(APPLICATION), Ok(version)) if version > VERSION => {
            Err(Error::Newer { path: shown(), version, known: VERSION })
        }
        (Ok(_), Ok(_)) => Err(Error::Foreign { path: shown() }),
        (Err(error), _) | (_, Err(error)) => Err(Error::engine(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_number_and_form() {
        assert_eq!(parse("00000012.hot"), Some((12, Form::Hot)));
        assert_eq!(parse("123456789.segment"), Some((123_456_789, Form::Sealed)));
        for name in ["12.hot", "0000001x.hot", "00000001.hot-wal", "00000001", "lock", "+0000001.hot"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_sealed_segment_hides_its_hot_one() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["00000002.hot", "00000001.hot", "00000001.segment", "00000003.part", "lock"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(list(folder.path()).unwrap(), [(1, Form::Sealed), (2, Form::Hot)]);
    }

    #[test]
    fn files_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000001.hot #?%");
        drop(open_hot(&path).unwrap());
        open_to_read(&path, Form::Hot).unwrap();
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
        assert!(matches!(open_to_read(&path, Form::Hot), Err(Error::Newer { version: 3, known: 2, .. })));
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
        assert_eq!(open_known(&path, Form::Hot).unwrap().1, 1);
        Connection::open(&path).unwrap().execute_batch("PRAGMA application_id = 1").unwrap();
        assert!(matches!(open_to_read(&path, Form::Hot), Err(Error::Foreign { .. })));
        std::fs::write(&path, "no database, but long enough for one".repeat(1000)).unwrap();
        assert!(matches!(open_to_read(&path, Form::Sealed), Err(Error::Foreign { .. })));
        assert!(matches!(open_to_read(&folder.path().join("none"), Form::Sealed), Err(Error::Disk { .. })));
    }
}
