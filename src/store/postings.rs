//! The search index of a sealed segment: for each trigram ([`super::trigrams`]) the rows that have it in one of the texts
//! that are searched, be those words of the dictionary or not.
//!
//! It is put together in memory, a block of rows at a time, and written in parts: the rows of a trigram are those of all its
//! parts. Of each block with such rows there are its number, how many they are, and how far each is from the one before; of
//! many there is a bit for each row of the block instead.

use std::collections::{BTreeMap, HashMap};

use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::block;
use super::quick::Quick;
use super::trigrams::{self, TRIGRAMS};
use super::value::{Pieces, varint};

/// Words of a bit for each row of a block.
const WORDS: usize = (1 << block::BITS) / 64;
/// A bit for each row of a block.
type Rows = [u64; WORDS];

/// In place of a trigram: rows that may have any.
const ANYTHING: u16 = TRIGRAMS;
/// Bytes of a text whose trigrams are kept: so few that those of a block never take more than some megabytes.
const MAX_TEXT: usize = 4096;
/// Rows of a block that are written one by one.
const MAX_SINGLE: u32 = 256;
/// Bytes that are held before a part is written.
const MAX_HELD: usize = 16 << 20;
/// Bits of the number of a part.
const PART: u32 = 20;

/// An index that is put together.
#[derive(Debug)]
pub(super) struct Postings {
    /// Of the block that is read: for each trigram one more than its place in `rows`; 0: it has none.
    places: Box<[u16]>,
    used: Vec<u16>,
    rows: Vec<Rows>,
    /// The same for words of the dictionary, whose trigrams are those of all their rows.
    words: HashMap<u32, usize, Quick>,
    rows_of_words: Vec<Rows>,
    /// Of the blocks before, what is not written yet.
    done: Vec<Vec<u8>>,
    held: usize,
    parts: i64,
}

impl Default for Postings {
    fn default() -> Postings {
        let all = usize::from(ANYTHING) + 1;
        Postings {
            places: vec![0; all].into(),
            used: Vec::new(),
            rows: Vec::new(),
            words: HashMap::default(),
            rows_of_words: Vec::new(),
            done: vec![Vec::new(); all],
            held: 0,
            parts: 0,
        }
    }
}

impl Postings {
    /// A row of the block has this text.
    pub(super) fn text(&mut self, row: usize, text: &str) {
        if text.len() > MAX_TEXT {
            return self.trigram(ANYTHING)[row / 64 % WORDS] |= 1 << (row % 64);
        }
        for trigram in trigrams::of(text) {
            self.trigram(trigram)[row / 64 % WORDS] |= 1 << (row % 64);
        }
    }

    /// A row of the block has this word.
    pub(super) fn word(&mut self, row: usize, word: u32) {
        let place = *self.words.entry(word).or_insert(self.rows_of_words.len());
        if place == self.rows_of_words.len() {
            self.rows_of_words.push([0; WORDS]);
        }
        self.rows_of_words[place][row / 64 % WORDS] |= 1 << (row % 64);
    }

    /// The block of this number ends; `text` says what a word is.
    pub(super) fn end_block<T: AsRef<str>>(&mut self, block: u64, text: impl Fn(u32) -> Option<T>) {
        let rows = std::mem::take(&mut self.rows_of_words);
        let mut words = std::mem::take(&mut self.words);
        for (word, place) in words.drain() {
            match text(word) {
                Some(text) => trigrams::of(text.as_ref()).for_each(|trigram| add(self.trigram(trigram), &rows[place])),
                None => add(self.trigram(ANYTHING), &rows[place]),
            }
        }
        self.words = words;
        for trigram in std::mem::take(&mut self.used) {
            let (place, done) = (&mut self.places[usize::from(trigram)], &mut self.done[usize::from(trigram)]);
            let before = done.len();
            encode(block, &self.rows[usize::from(*place - 1)], done);
            self.held += done.len() - before;
            *place = 0;
        }
        self.rows.clear();
    }

    /// Writes what is held of the blocks that have ended, if it is much.
    pub(super) fn relieve(&mut self, to: &Connection) -> rusqlite::Result<()> {
        if self.held < MAX_HELD { Ok(()) } else { self.write(to) }
    }

    /// Writes what is held.
    pub(super) fn write(&mut self, to: &Connection) -> rusqlite::Result<()> {
        let mut insert = to.prepare_cached("INSERT INTO posting (id, rows) VALUES (?1, ?2)")?;
        for (trigram, rows) in (0_i64..).zip(&mut self.done).filter(|(_, rows)| !rows.is_empty()) {
            insert.execute(params![trigram << PART | self.parts, std::mem::take(rows)])?;
        }
        self.held = 0;
        self.parts += 1;
        Ok(())
    }

    fn trigram(&mut self, trigram: u16) -> &mut Rows {
        let place = &mut self.places[usize::from(trigram)];
        if *place == 0 {
            self.rows.push([0; WORDS]);
            self.used.push(trigram);
            // There are fewer trigrams than such numbers.
            *place = self.rows.len() as u16;
        }
        &mut self.rows[usize::from(*place - 1)]
    }
}

fn add(rows: &mut Rows, more: &Rows) {
    rows.iter_mut().zip(more).for_each(|(rows, more)| *rows |= more);
}

fn encode(block: u64, rows: &Rows, out: &mut Vec<u8>) {
    varint(block, out);
    let count: u32 = rows.iter().map(|word| word.count_ones()).sum();
    if count > MAX_SINGLE {
        varint(0, out);
        return rows.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }
    varint(count.into(), out);
    let mut last = 0;
    for row in numbers(rows) {
        varint(row - last, out);
        last = row;
    }
}

/// The rows of a block whose bits are set, in their order.
fn numbers(rows: &Rows) -> impl Iterator<Item = u64> {
    (0..).zip(rows).flat_map(|(at, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| u64::from(rest.trailing_zeros()))?;
            rest &= rest - 1;
            Some(at * 64 + bit)
        })
    })
}

/// Calls `each` with the rows of each block of a part; `None` where it makes no sense.
fn decode(part: &[u8], mut each: impl FnMut(u64, &Rows)) -> Option<()> {
    let mut pieces = Pieces::new(part);
    while let Some(block) = pieces.varint() {
        let (count, mut rows) = (pieces.varint()?, [0; WORDS]);
        if count == 0 {
            let bits = pieces.take(WORDS * 8)?;
            rows.iter_mut().zip(bits.chunks_exact(8)).for_each(|(word, bits)| {
                *word = bits.try_into().map_or(0, u64::from_le_bytes);
            });
        }
        let mut row = 0_usize;
        for _ in 0..count {
            row = row.saturating_add(usize::try_from(pieces.varint()?).ok()?);
            *rows.get_mut(row / 64)? |= 1 << (row % 64);
        }
        each(block, &rows);
    }
    Some(())
}

/// Rows by their blocks.
type Found = BTreeMap<u64, Rows>;

/// The rows that may have texts with all these trigrams, in the order of their numbers; `None` where there are more than
/// `most`.
pub(super) fn find(file: &Connection, trigrams: &[u16], most: usize) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut found = with_all(file, trigrams)?;
    read(file, ANYTHING, |block, rows| add(found.entry(block).or_insert([0; WORDS]), rows))?;
    if count(&found) > most {
        return Ok(None);
    }
    let rows = found.iter().flat_map(|(block, rows)| numbers(rows).map(move |row| (block << block::BITS | row) as i64));
    Ok(Some(rows.collect()))
}

/// Those with few rows are looked up first, and no more of them than it takes.
fn with_all(file: &Connection, trigrams: &[u16]) -> rusqlite::Result<Found> {
    let mut sizes = Vec::with_capacity(trigrams.len());
    for trigram in trigrams {
        match size(file, *trigram)? {
            Some(bytes) => sizes.push((bytes, *trigram)),
            None => return Ok(Found::new()),
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    let mut found = Found::new();
    for (at, (bytes, trigram)) in sizes.into_iter().enumerate() {
        if at > 0 && count(&found) * BYTES_OF_A_ROW <= bytes {
            break;
        }
        let mut rows = Found::new();
        read(file, trigram, |block, more| add(rows.entry(block).or_insert([0; WORDS]), more))?;
        if at == 0 {
            found = rows;
        } else {
            found.retain(|block, found| rows.get(block).is_some_and(|rows| keep(found, rows)));
        }
    }
    Ok(found)
}

/// To look at a row takes as long as to look up so many bytes.
const BYTES_OF_A_ROW: usize = 4096;

/// Whether any is left of those that are among others.
fn keep(found: &mut Rows, among: &Rows) -> bool {
    found.iter_mut().zip(among).for_each(|(found, among)| *found &= among);
    found.iter().any(|rows| *rows != 0)
}

fn count(found: &Found) -> usize {
    found.values().flatten().map(|word| word.count_ones() as usize).sum()
}

/// Bytes of the rows of a trigram, if there are any.
fn size(file: &Connection, trigram: u16) -> rusqlite::Result<Option<usize>> {
    let mut select = file.prepare_cached("SELECT sum(length(rows)) FROM posting WHERE id >= ?1 AND id < ?2")?;
    let [from, to] = parts(trigram);
    select.query_row([from, to], |row| row.get(0))
}

fn read(file: &Connection, trigram: u16, mut each: impl FnMut(u64, &Rows)) -> rusqlite::Result<()> {
    let mut select = file.prepare_cached("SELECT rows FROM posting WHERE id >= ?1 AND id < ?2")?;
    let [from, to] = parts(trigram);
    let mut parts = select.query([from, to])?;
    while let Some(part) = parts.next()? {
        decode(part.get_ref(0)?.as_blob()?, &mut each).ok_or_else(senseless)?;
    }
    Ok(())
}

fn senseless() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, "the search index makes no sense".into())
}

/// The numbers of the parts of a trigram, and behind them.
fn parts(trigram: u16) -> [i64; 2] {
    [i64::from(trigram) << PART, (i64::from(trigram) + 1) << PART]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file() -> Connection {
        let file = Connection::open_in_memory().unwrap();
        file.execute_batch("CREATE TABLE posting (id INTEGER PRIMARY KEY, rows BLOB NOT NULL)").unwrap();
        file
    }

    fn asked(text: &str) -> Vec<u16> {
        trigrams::of(text).collect()
    }

    proptest! {
        #[test]
        fn whoever_has_a_text_is_found_by_any_part_of_it(
            rows in proptest::collection::btree_map(0usize..3 << block::BITS, ("[a-f/]{0,9}", any::<bool>()), 0..300),
            wanted in "[a-f/]{3,5}", many in any::<bool>(),
        ) {
            let (file, mut postings) = (file(), Postings::default());
            let texts: Vec<&str> = rows.values().map(|(text, _)| text.as_str()).collect();
            for block in 0..3_usize {
                let place = |row: usize| (row >> block::BITS == block).then_some(row % (1 << block::BITS));
                for (at, (row, (text, is_word))) in rows.iter().enumerate() {
                    match place(*row) {
                        Some(row) if *is_word => postings.word(row, at as u32),
                        Some(row) => postings.text(row, text),
                        None => {}
                    }
                }
                if many {
                    (0..600).for_each(|row| postings.text(row * 3, &wanted));
                }
                postings.end_block(block as u64, |word| texts.get(word as usize));
                if block == 1 {
                    postings.write(&file).unwrap();
                }
            }
            postings.write(&file).unwrap();
            let found = find(&file, &asked(&wanted), 100_000).unwrap().unwrap();
            prop_assert!(found.is_sorted());
            let has = |row: usize| rows.get(&row).is_some_and(|(text, _)| asked(&wanted).iter().all(|it| asked(text).contains(it)))
                || many && (row % (1 << block::BITS)).is_multiple_of(3) && row % (1 << block::BITS) < 1800;
            for row in (0..3 << block::BITS).filter(|row| has(*row)) {
                prop_assert!(found.binary_search(&(row as i64)).is_ok());
            }
        }

        #[test]
        fn whatever_bytes_there_are_reading_them_ends(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            decode(&bytes, |_, _| ());
        }
    }

    #[test]
    fn long_texts_and_unknown_words_may_have_anything() {
        let (file, mut postings) = (file(), Postings::default());
        postings.text(7, &"x".repeat(MAX_TEXT + 1));
        postings.word(9, 1);
        postings.text(11, "something else");
        postings.end_block(2, |_| None::<&str>);
        postings.relieve(&file).unwrap();
        assert_eq!(find(&file, &asked("nowhere"), 10).unwrap(), Some(vec![]));
        postings.write(&file).unwrap();
        assert_eq!(find(&file, &asked("nowhere"), 10).unwrap(), Some(vec![8192 + 7, 8192 + 9]));
        assert_eq!(find(&file, &asked("thing"), 10).unwrap().map(|rows| rows.len()), Some(3));
        assert_eq!(find(&file, &asked("thing"), 2).unwrap(), None);
    }
}
