//! A row as the file has it: the lines that it was made of, and its sum.

use crc32fast::Hasher;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use smallvec::SmallVec;

use super::file;
use super::lexicon::Lexicon;
use super::source::Source;
use super::stored_line::StoredLine;

/// The lines of a row.
pub(super) type Lines<'r> = SmallVec<[StoredLine<'r>; 2]>;

/// A row as the file has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'r> {
    /// Its number in the file.
    pub(super) id: i64,
    /// Its place in the order of arrival.
    pub(super) number: u64,
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) level: ValueRef<'r>,
    pub(super) status: ValueRef<'r>,
    pub(super) duration: ValueRef<'r>,
    pub(super) user: ValueRef<'r>,
    pub(super) shape: u32,
    pub(super) own: &'r [u8],
    pub(super) beside: Option<&'r [u8]>,
}

/// The columns of [`Stored`], in its order.
pub(super) const COLUMNS: &str = "id, n, at, level, status, duration, user, shape, own, beside";

impl<'r> Stored<'r> {
    /// Out of a row with [`COLUMNS`] from `first` on.
    pub(super) fn read(row: &'r rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Stored<'r>> {
        Ok(Stored {
            id: row.get(first)?,
            number: row.get(first + 1)?,
            at: row.get(first + 2)?,
            level: row.get_ref(first + 3)?,
            status: row.get_ref(first + 4)?,
            duration: row.get_ref(first + 5)?,
            user: row.get_ref(first + 6)?,
            shape: row.get(first + 7)?,
            own: row.get_ref(first + 8)?.as_blob()?,
            beside: row.get_ref(first + 9)?.as_blob_or_null()?,
        })
    }

    /// Adds all of it to the sum of its block, but its place there.
    pub(super) fn sum(&self, sum: &mut Hasher) {
        for number in [self.number, self.at, self.shape.into()] {
            sum.update(&number.to_le_bytes());
        }
        [self.level, self.status, self.duration, self.user].into_iter().for_each(|value| add_value(value, sum));
        add_value(ValueRef::Blob(self.own), sum);
        add_value(self.beside.map_or(ValueRef::Null, ValueRef::Blob), sum);
    }

    /// Its lines, that of the row itself last; `None` where its bytes make no sense.
    pub(super) fn lines(&self, file: &'r Connection, lexicon: &'r Lexicon) -> Option<Lines<'r>> {
        self.unproven(file, lexicon).filter(|lines| lines.iter().all(StoredLine::is_sound))
    }

    /// Its lines, of which it is not known whether all their values make sense.
    pub(super) fn unproven(&self, file: &'r Connection, lexicon: &'r Lexicon) -> Option<Lines<'r>> {
        let main = StoredLine::main(self, Source { file, lexicon })?;
        let mut lines = Lines::new();
        if let Some(beside) = self.beside {
            lines.push(main.beside(beside)?);
        }
        lines.push(main);
        Some(lines)
    }
}

/// What a sealed file has a sum of beside its blocks, the question for its rows, and the first version that has it.
pub(super) const SUMMED: [(&str, &str, i64); 3] = [
    ("word", "SELECT id, text FROM word ORDER BY id", 1),
    ("shape", "SELECT id, members FROM shape ORDER BY id", 1),
    ("posting", "SELECT id, rows FROM posting ORDER BY id", file::WITH_POSTINGS),
];

/// The sum of all rows of two columns.
pub(super) fn sum(file: &Connection, of: &str) -> rusqlite::Result<u32> {
    let (mut select, mut sum) = (file.prepare(of)?, Hasher::new());
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        add_value(row.get_ref(0)?, &mut sum);
        add_value(row.get_ref(1)?, &mut sum);
    }
    Ok(sum.finalize())
}

/// Its kind, its length and its bytes.
fn add_value(value: ValueRef<'_>, sum: &mut Hasher) {
    let number;
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(whole) => {
            number = whole.to_le_bytes();
            (1, &number)
        }
        ValueRef::Real(real) => {
            number = real.to_le_bytes();
            (2, &number)
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(blob) => (4, blob),
    };
    sum.update(&[kind]);
    sum.update(&(bytes.len() as u64).to_le_bytes());
    sum.update(bytes);
}
