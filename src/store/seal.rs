//! Seals a segment: copies it into a file in the order of time, with the indexes that are too dear while rows come in, and
//! puts that in its place. Whenever it is interrupted, the one or the other is there, whole.

use std::path::Path;

use crc32fast::Hasher;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};

use super::block::{self, Block};
use super::error::Error;
use super::file::{self, Form};
use super::hot::put_block;
use super::lexicon::Lexicon;
use super::postings::Postings;
use super::source::Text;
use super::stored::{self, COLUMNS, Stored};

/// Rows between two looks at whether to go on: those of a block.
const SLICE: usize = 1 << block::BITS;

/// Seals a segment that nobody writes to any more. `false`: it was told to stop, and has left nothing.
///
/// # Errors
/// What the file system or the engine says; the segment stays as it is.
pub(super) fn seal(folder: &Path, number: u64, stop: &dyn Fn() -> bool) -> Result<bool, Error> {
    let [hot, part, sealed] = [Form::Hot, Form::Part, Form::Sealed].map(|form| file::path(folder, number, form));
    file::remove(folder, number, Form::Part)?;
    let from = file::open_to_read(&hot, Form::Hot)?;
    let to = file::make_sealed(&part)?;
    let copied = Copy { from: &from, to: &to, path: &hot }.all(stop);
    drop((from, to));
    if !matches!(copied, Ok(true)) {
        file::remove(folder, number, Form::Part)?;
        return copied;
    }
    file::publish(&part, &sealed)?;
    file::remove(folder, number, Form::Hot)?;
    Ok(true)
}

/// A value of one file, for another.
fn same(value: ValueRef<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(value)
}

/// From one file into another.
struct Copy<'a> {
    from: &'a Connection,
    to: &'a Connection,
    path: &'a Path,
}

impl Copy<'_> {
    fn all(&self, stop: &dyn Fn() -> bool) -> Result<bool, Error> {
        let engine = Error::engine(self.path);
        // Else each row that is read would take the locks of the file and give them back.
        self.from.execute_batch("BEGIN").map_err(&engine)?;
        self.to.execute_batch("BEGIN").map_err(&engine)?;
        self.names().map_err(&engine)?;
        if !self.rows(stop)? {
            return Ok(false);
        }
        self.sums().map_err(&engine)?;
        for index in file::indexes() {
            if stop() {
                return Ok(false);
            }
            self.to.execute_batch(index).map_err(&engine)?;
        }
        self.to.execute_batch("COMMIT").map_err(&engine)?;
        Ok(true)
    }

    /// The dictionary and the shapes.
    fn names(&self) -> rusqlite::Result<()> {
        let mut from = self.from.prepare("SELECT id, text FROM word ORDER BY id")?;
        let mut to = self.to.prepare("INSERT INTO word (id, text) VALUES (?1, ?2)")?;
        let mut words = from.query([])?;
        while let Some(word) = words.next()? {
            to.execute(params![same(word.get_ref(0)?), same(word.get_ref(1)?)])?;
        }
        let mut from = self.from.prepare("SELECT id, members FROM shape ORDER BY id")?;
        let mut to = self.to.prepare("INSERT INTO shape (id, members) VALUES (?1, ?2)")?;
        let mut shapes = from.query([])?;
        while let Some(shape) = shapes.next()? {
            to.execute(params![same(shape.get_ref(0)?), same(shape.get_ref(1)?)])?;
        }
        Ok(())
    }

    fn sums(&self) -> rusqlite::Result<()> {
        for (name, of, _) in stored::SUMMED {
            let sum = stored::sum(self.to, of)?;
            self.to.execute("INSERT INTO sum (name, value) VALUES (?1, ?2)", params![name, sum])?;
        }
        Ok(())
    }

    fn rows(&self, stop: &dyn Fn() -> bool) -> Result<bool, Error> {
        let mut order = self.order().map_err(Error::engine(self.path))?;
        order.sort_unstable();
        let (lexicon, mut postings) = (Lexicon::default(), Postings::default());
        for (slice, ids) in order.chunks(SLICE).enumerate() {
            if stop() {
                return Ok(false);
            }
            self.block(slice * SLICE, ids, &lexicon, &mut postings)?;
            postings.relieve(self.to).map_err(Error::engine(self.path))?;
        }
        postings.write(self.to).map_err(Error::engine(self.path))?;
        Ok(true)
    }

    /// Moment and number of each row.
    fn order(&self) -> rusqlite::Result<Vec<(u64, u32)>> {
        let mut select = self.from.prepare("SELECT at, id FROM record")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    fn block(&self, first: usize, ids: &[(u64, u32)], lexicon: &Lexicon, postings: &mut Postings) -> Result<(), Error> {
        let engine = Error::engine(self.path);
        let sql = format!("SELECT {COLUMNS}, request FROM record WHERE id = ?1");
        let mut select = self.from.prepare_cached(&sql).map_err(&engine)?;
        let sql = "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let mut insert = self.to.prepare_cached(sql).map_err(&engine)?;
        let (mut block, mut sum) = (Block::default(), Hasher::new());
        for (id, (_, from)) in (first as i64..).zip(ids) {
            let mut rows = select.query([from]).map_err(&engine)?;
            let row = rows.next().map_err(&engine)?.ok_or_else(|| self.broken(*from))?;
            let stored = Stored::read(row, 0).map_err(&engine)?;
            let lines = stored.lines(self.from, lexicon);
            stored.sum(&mut sum);
            lines
                .iter()
                .flatten()
                .for_each(|line| line.mark(&mut block, |text| post(id as usize % SLICE, text, postings)));
            lexicon.failure().map_err(&engine)?;
            let lines = lines.ok_or_else(|| self.broken(*from))?;
            let both = lines.split_last().is_some_and(|(main, beside)| beside.iter().any(|line| line.is_of_user(main)));
            let Stored { number, at, level, status, duration, user, shape, own, beside, .. } = stored;
            let request = same(row.get_ref(10).map_err(&engine)?);
            let [level, status, duration, user] = [level, status, duration, user].map(same);
            let values = params![id, number, at, level, status, duration, user, request, shape, own, beside, both];
            insert.execute(values).map_err(&engine)?;
        }
        postings.end_block((first >> block::BITS) as u64, |word| lexicon.word(self.from, word));
        // A word that nobody knows is in a row that makes no sense, which is for those who read it to tell.
        let _told = lexicon.failure();
        put_block(self.to, (first >> block::BITS) as u64, &block, Some(sum.finalize())).map_err(engine)
    }

    fn broken(&self, id: u32) -> Error {
        Error::broken(self.path, format!("record {id} makes no sense"))
    }
}

/// Puts a text of a row into the search index.
fn post(row: usize, text: Text<'_>, postings: &mut Postings) {
    match text {
        Text::Word(word) => postings.word(row, word),
        Text::Own(text) => postings.text(row, text),
    }
}
