//! The segment that is written to: rows go in as they come, in transactions that end when the batch does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::block::{self, Block};
use super::encode::{EVERYTHING, Encoder, Row};
use super::error::Error;
use super::facts::{Facts, Sight};
use super::file::{self, Form};
use super::line::{self, Line};
use super::pending::Pending;
use super::shape::{Shape, Shapes};
use super::signature::{self, Named, Signature};
use super::value::Numbering;
use super::words::Words;

/// A hot segment. What it holds in memory of the file is right as long as no transaction has failed.
#[derive(Debug)]
pub(super) struct Hot {
    path: PathBuf,
    file: Connection,
    /// Whether a transaction is open.
    begun: bool,
    /// Lines that it has, those of the open transaction included; the number of the last one.
    pub(super) lines: u64,
    /// When its oldest line was written, in microseconds since the Unix epoch.
    pub(super) since: Option<u64>,
    numbers: Numbers,
    /// Blocks that the open transaction touches, and the last one.
    blocks: BTreeMap<u64, Block>,
    /// Of blocks that are not full yet; none for one that was begun before this was opened.
    signatures: BTreeMap<u64, Signature>,
    row: Row,
    beside: Vec<u8>,
}

#[derive(Debug, Default)]
struct Numbers {
    words: Words,
    shapes: Shapes,
    fresh: Vec<(u32, Box<[u8]>)>,
}

/// Gives numbers, and marks in a block what its lines use.
struct Marking<'a> {
    numbers: &'a mut Numbers,
    block: &'a mut Block,
    /// With the place of the row in it.
    signature: Option<(&'a mut Signature, usize)>,
    searched: bool,
}

/// Of the block of a row.
fn marking<'a>(
    numbers: &'a mut Numbers,
    blocks: &'a mut BTreeMap<u64, Block>,
    signatures: &'a mut BTreeMap<u64, Signature>,
    row: u64,
) -> Marking<'a> {
    let (number, place) = (row >> block::BITS, row as usize & ((1 << block::BITS) - 1));
    let begins = !blocks.contains_key(&number);
    let block = blocks.entry(number).or_default();
    if begins {
        signatures.insert(number, Signature::default());
    }
    let signature = signatures.get_mut(&number).map(|signature| (signature, place));
    Marking { numbers, block, signature, searched: false }
}

impl Marking<'_> {
    fn sign(&mut self, sign: impl FnOnce(&mut Signature, usize)) {
        if let Some((signature, row)) = &mut self.signature {
            sign(signature, *row);
        }
    }
}

impl Numbering for Marking<'_> {
    fn word(&mut self, text: &str) -> Option<u32> {
        let number = self.numbers.words.number(text)?;
        self.block.word(number);
        if self.searched {
            self.sign(|signature, row| signature.word(row, number));
        }
        Some(number)
    }

    fn searched(&mut self, is: bool) {
        self.searched = is;
    }

    fn identifier(&mut self, text: &str) {
        if self.searched {
            self.sign(|signature, row| signature.text(row, text));
        }
    }

    fn named(&mut self, named: Named, name: &str) {
        self.sign(|signature, row| signature.name(row, named, name));
    }

    fn unnamed(&mut self) {
        self.sign(Signature::anything);
    }

    fn shape(&mut self, shape: &Shape) -> Option<u32> {
        let (number, fresh) = self.numbers.shapes.number(shape)?;
        if fresh {
            self.numbers.fresh.push((number, shape.as_bytes().into()));
        }
        Some(number)
    }

    fn loose(&mut self, text: &str) {
        self.block.text(text);
        self.identifier(text);
    }

    fn opaque(&mut self, name: &str) {
        self.block.opaque(name);
        if self.searched || name == EVERYTHING {
            self.sign(Signature::anything);
        }
    }
}

const INSERT: &str = "INSERT INTO record (id, n, at, level, status, duration, user, request, shape, own, beside)
    VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

impl Hot {
    /// Opens the hot segment of this number, or makes it.
    pub(super) fn open(folder: &Path, number: u64) -> Result<Hot, Error> {
        let path = file::path(folder, number, Form::Hot);
        let file = file::open_hot(&path)?;
        let mut hot = Hot {
            path,
            file,
            begun: false,
            lines: 0,
            since: None,
            numbers: Numbers::default(),
            blocks: BTreeMap::new(),
            signatures: BTreeMap::new(),
            row: Row::default(),
            beside: Vec::new(),
        };
        hot.restore().map_err(Error::engine(&hot.path))?;
        Ok(hot)
    }

    fn restore(&mut self) -> rusqlite::Result<()> {
        let Hot { file, numbers, lines, since, blocks, .. } = self;
        each(file, "SELECT id, text FROM word", |id, text: String| numbers.words.known(id, &text))?;
        each(file, "SELECT id, members FROM shape", |id, members: Vec<u8>| numbers.shapes.known(id, &members))?;
        *lines = file.query_row("SELECT coalesce(max(id), 0) FROM record", [], |row| row.get(0))?;
        *since = file.query_row("SELECT min(oldest) FROM block", [], |row| row.get(0))?;
        let sql = "SELECT id, lines, oldest, newest, words, digest FROM block ORDER BY id DESC LIMIT 1";
        let last = file.query_row(sql, [], |row| {
            let words = row.get_ref(4)?.as_blob()?;
            let digest = row.get_ref(5)?.as_blob()?;
            Ok((row.get(0)?, Block::restore(row.get(1)?, row.get(2)?, row.get(3)?, words, digest)))
        });
        blocks.extend(last.optional()?);
        Ok(())
    }

    /// Takes lines into the open transaction, and tells what statistics are made of, or nothing for what is no record; those that begin a request wait in `pending` for its end.
    ///
    /// # Errors
    /// The transaction is lost, and with it what was taken since the last commit.
    pub(super) fn take(
        &mut self,
        lines: &[&[u8]],
        tools: &mut Tools,
        pending: &mut Pending,
        mut each: impl FnMut(Option<Facts<'_>>),
    ) -> Result<(), Error> {
        let engine = Error::engine(&self.path);
        if !self.begun {
            self.file.execute_batch("BEGIN IMMEDIATE").map_err(&engine)?;
            self.begun = true;
        }
        let Hot { file, lines: last, numbers, blocks, signatures, row, beside, .. } = self;
        let insert = file.prepare_cached(INSERT).map_err(&engine)?;
        let mut intake = Intake { insert, last, numbers, blocks, signatures, row, beside, pending };
        for text in lines {
            let line = std::str::from_utf8(text).ok().and_then(|text| tools.lines.read(text));
            let stored = match &line {
                Some(line) => intake.line(line, &mut tools.encoder).map_err(&engine)?,
                None => None,
            };
            each(stored.zip(line).map(|(at, line)| tools.sight.facts(at, &line)));
        }
        Ok(())
    }

    /// Ends the transaction: what was taken is on the disk when this returns.
    ///
    /// # Errors
    /// As for [`Hot::take`].
    pub(super) fn commit(&mut self, tools: &mut Tools, pending: &mut Pending) -> Result<(), Error> {
        if !self.begun {
            return Ok(());
        }
        let engine = Error::engine(&self.path);
        self.rest(tools, pending).map_err(&engine)?;
        self.tables().map_err(&engine)?;
        self.file.execute_batch("COMMIT").map_err(&engine)?;
        self.begun = false;
        let last = (self.lines + 1) >> block::BITS;
        self.blocks.retain(|number, _| *number >= last);
        self.signatures.retain(|number, _| *number >= last);
        Ok(())
    }

    /// Started requests whose end has not come yet have rows of their own.
    fn rest(&mut self, tools: &mut Tools, pending: &mut Pending) -> rusqlite::Result<()> {
        let mut insert = self.file.prepare_cached(INSERT)?;
        for began in pending.drain() {
            let mut marking = marking(&mut self.numbers, &mut self.blocks, &mut self.signatures, began.number);
            // It was looked at when it came.
            if tools.encoder.row(&began.line, &mut marking, &mut self.row).is_ok() {
                marking.block.line(began.at);
                put(&mut insert, began.number, &self.row, None)?;
            }
        }
        pending.clear();
        Ok(())
    }

    fn tables(&mut self) -> rusqlite::Result<()> {
        let Hot { file, numbers, blocks, signatures, since, lines, .. } = self;
        let mut insert = file.prepare_cached("INSERT INTO word (id, text) VALUES (?1, ?2)")?;
        numbers.words.fresh().try_for_each(|(id, text)| insert.execute(params![id, text]).map(drop))?;
        let mut insert = file.prepare_cached("INSERT INTO shape (id, members) VALUES (?1, ?2)")?;
        numbers.fresh.drain(..).try_for_each(|(id, members)| insert.execute(params![id, &*members]).map(drop))?;
        let oldest = blocks.values().map(|block| block.oldest).min();
        *since = since.iter().copied().chain(oldest).min();
        blocks.iter().try_for_each(|(id, block)| put_block(file, *id, block, None))?;
        let full = signatures.range(..(*lines + 1) >> block::BITS);
        full.into_iter().try_for_each(|(id, signature)| put_signature(file, *id, signature))
    }
}

/// Puts lines into the open transaction, one after the other.
struct Intake<'h> {
    insert: CachedStatement<'h>,
    /// The number of the last line.
    last: &'h mut u64,
    numbers: &'h mut Numbers,
    blocks: &'h mut BTreeMap<u64, Block>,
    signatures: &'h mut BTreeMap<u64, Signature>,
    row: &'h mut Row,
    beside: &'h mut Vec<u8>,
    pending: &'h mut Pending,
}

impl Intake<'_> {
    /// Returns its moment, or `None` for what is no record.
    fn line(&mut self, line: &Line<'_>, encoder: &mut Encoder) -> rusqlite::Result<Option<u64>> {
        let Some(at) = encoder.moment(line) else { return Ok(None) };
        let number = *self.last + 1;
        let event = line.plain(encoder.codes().event).unwrap_or_default();
        let request = line.plain(encoder.codes().request_id);
        let begins = request.filter(|_| event == "request_started" && is_plain(line.text));
        if !begins.is_some_and(|id| self.pending.hold(id, number, at, line)) {
            let mut marking = marking(self.numbers, self.blocks, self.signatures, number);
            if encoder.row(line, &mut marking, self.row).is_err() {
                return Ok(None);
            }
            marking.block.line(at);
            let ended = request.filter(|_| event == "request_completed").and_then(|id| self.pending.find(id));
            let joined = ended.filter(|place| self.join(*place, line, number, encoder).is_some());
            joined.into_iter().for_each(|place| self.pending.drop(place));
            put(&mut self.insert, number, self.row, joined.map(|_| self.beside.as_slice()))?;
        }
        *self.last = number;
        Ok(Some(at))
    }

    /// Tells the line that began a request beside the one that ends it, if what they share is the same.
    fn join(&mut self, place: usize, line: &Line<'_>, number: u64, encoder: &mut Encoder) -> Option<()> {
        let began = self.pending.line(place)?;
        let mut marking = marking(self.numbers, self.blocks, self.signatures, number);
        encoder.beside(&began.line, line, (began.number, number), &mut marking, self.beside)?;
        marking.block.line(began.at);
        Some(())
    }
}

/// What takes lines apart and makes rows of them.
#[derive(Debug)]
pub(super) struct Tools {
    lines: super::line::Reader,
    encoder: Encoder,
    sight: Sight,
}

impl Tools {
    /// Why a text is no line of a log.
    pub(super) fn objection(&mut self, text: &[u8]) -> Option<&'static str> {
        let Ok(text) = std::str::from_utf8(text) else { return Some("it is no UTF-8") };
        match self.lines.read(text) {
            None if text.len() > line::MAX_LINE => Some("it is too long"),
            None => Some("it is no JSON object"),
            Some(line) if self.encoder.moment(&line).is_none() => Some("it has no timestamp"),
            Some(_) => None,
        }
    }
}

impl Default for Tools {
    fn default() -> Tools {
        let lines = super::line::Reader::default();
        Tools { encoder: Encoder::new(&lines), sight: Sight::new(&lines), lines }
    }
}

fn put(insert: &mut CachedStatement<'_>, number: u64, row: &Row, beside: Option<&[u8]>) -> rusqlite::Result<()> {
    let Row { at, level, status, duration, user, request, shape, own } = row;
    insert.execute(params![number, at, level, status, duration, user, request, shape, own, beside]).map(drop)
}

/// Writes a block, over the one that may be there; one that never changes again with the sum of its rows.
pub(super) fn put_block(file: &Connection, id: u64, block: &Block, sum: Option<u32>) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO block (id, lines, oldest, newest, words, digest, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut insert = file.prepare_cached(sql)?;
    let Block { lines, oldest, newest, .. } = block;
    insert.execute(params![id, lines, oldest, newest, block.words(), block.digest(), sum]).map(drop)
}

/// Writes the signature of a block that is full.
fn put_signature(file: &Connection, id: u64, signature: &Signature) -> rusqlite::Result<()> {
    let mut insert = file.prepare_cached("INSERT OR REPLACE INTO slice (id, rows) VALUES (?1, ?2)")?;
    let first = id << signature::BITS;
    (first..).zip(signature.slices()).try_for_each(|(id, rows)| insert.execute(params![id, rows]).map(drop))
}

fn each<T: rusqlite::types::FromSql>(
    file: &Connection,
    sql: &str,
    mut each: impl FnMut(u32, T),
) -> rusqlite::Result<()> {
    let mut select = file.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get(1)?);
    }
    Ok(())
}

/// Whether nothing can be wrong with it when its turn comes.
fn is_plain(text: &str) -> bool {
    !text.contains('\\')
}
