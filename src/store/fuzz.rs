//! Any bytes as a row, for the fuzzer: what is read out of one is a JSON object, or it makes no sense.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::block::Block;
use super::lexicon::Lexicon;
use super::stored::Stored;
use super::stored_line::StoredLine;
use crate::filter::{ByName, Expression};

/// Words of the dictionary beside it.
const WORDS: u32 = 256;
/// Between two shapes: no byte of UTF-8, and not the one that ends a name.
const BETWEEN: u8 = 0xfe;
/// In the second byte, whose upper half is the number of the row's shape: a line is told beside the row's own, the user is a
/// text.
const BESIDE: u8 = 1;
const NAMED: u8 = 2;

/// Two bytes for the columns, two for the length of the shapes, two for that of the row's own values; then the shapes with
/// 0xfe between them, the values, and those of the line beside. Returns the lines that make sense, as JSON.
pub fn fuzz(data: &[u8], filter: &Expression) -> Vec<Box<str>> {
    let Some(([level, flags, rest @ ..], data)) = data.split_first_chunk::<6>() else { return Vec::new() };
    let [shapes, own] = [0, 2].map(|at| usize::from(u16::from_le_bytes([rest[at], rest[at + 1]])));
    let (shapes, data) = data.split_at(shapes.min(data.len()));
    let (own, beside) = data.split_at(own.min(data.len()));
    let Ok(file) = dictionary(shapes) else { return Vec::new() };
    let is = |flag: u8| flags & flag != 0;
    let row = Stored {
        id: 1,
        number: 2,
        at: 1_795_345_356_000_000,
        level: ValueRef::Integer((*level).into()),
        status: ValueRef::Integer(503),
        duration: ValueRef::Integer(53_210),
        user: if is(NAMED) { ValueRef::Text(b"ann") } else { ValueRef::Integer(7) },
        shape: u32::from(flags >> 4),
        own,
        beside: is(BESIDE).then_some(beside),
    };
    let lexicon = Lexicon::default();
    // Whatever is asked of lines that make no sense, it is answered.
    let unproven = row.unproven(&file, &lexicon);
    unproven.iter().flatten().for_each(|line| drop((filter.matches(&ByName(line)), line.json())));
    let lines = row.lines(&file, &lexicon);
    lines.iter().flatten().filter_map(|line| told(line, filter)).collect()
}

/// All that is ever asked of a line.
fn told(line: &StoredLine<'_>, filter: &Expression) -> Option<Box<str>> {
    filter.matches(&ByName(line));
    line.mark(&mut Block::default(), |_| ());
    line.facts().noted()?;
    line.is_known().then(|| line.json())
}

fn dictionary(shapes: &[u8]) -> rusqlite::Result<Connection> {
    let file = Connection::open_in_memory()?;
    file.execute_batch(
        "CREATE TABLE word (id INTEGER PRIMARY KEY, text); CREATE TABLE shape (id INTEGER PRIMARY KEY, members)",
    )?;
    for (number, members) in (1..).zip(shapes.split(|byte| *byte == BETWEEN)) {
        file.execute("INSERT INTO shape VALUES (?1, ?2)", params![number, members])?;
    }
    let mut insert = file.prepare("INSERT INTO word VALUES (?1, 'w' || ?1)")?;
    (1..=WORDS).try_for_each(|number| insert.execute([number]).map(drop))?;
    drop(insert);
    Ok(file)
}
