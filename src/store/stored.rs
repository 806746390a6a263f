//! A row as the lines that it was made of: their members are shown to filters, and written as JSON again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use crc32fast::Hasher;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::block::Block;
use super::encode::EVERYTHING;
use super::facts::{self, Fact, Facts, Places};
use super::file;
use super::json::{self, Kind};
use super::shape::{self, Slot};
use super::value::{Piece, Pieces};
use crate::filter::{Member, Members, Number, Pattern, Value};
use crate::record::{Level, timestamp};

/// A shape that was looked up.
type Shape = Arc<Known>;

/// The members of a shape, and where among them is what statistics are made of.
#[derive(Debug)]
struct Known {
    members: Box<[(Slot, String)]>,
    places: Places,
}

impl Known {
    fn iter(&self) -> impl Iterator<Item = &(Slot, String)> {
        self.members.iter()
    }
}

/// The dictionary and the shapes of a file that is read; what was looked up once is kept.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    words: RefCell<HashMap<u32, Arc<str>>>,
    shapes: RefCell<HashMap<u32, Shape>>,
    /// All words, once they were looked through: those of a file that is written to come behind them.
    all: RefCell<Vec<(u32, Box<str>)>>,
    /// What could not be looked up: whatever was made of it in the meantime is not right.
    failed: RefCell<Option<rusqlite::Error>>,
}

impl Lexicon {
    pub(super) fn word(&self, file: &Connection, number: u32) -> Option<Arc<str>> {
        if let Some(word) = self.words.borrow().get(&number) {
            return Some(word.clone());
        }
        let word: Arc<str> = self.look_up(file, "SELECT text FROM word WHERE id = ?1", number)?;
        self.words.borrow_mut().insert(number, word.clone());
        Some(word)
    }

    /// The words that a pattern is in; `None` where there are more than so many.
    pub(super) fn matching(
        &self,
        file: &Connection,
        pattern: &Pattern,
        most: usize,
    ) -> rusqlite::Result<Option<Vec<u32>>> {
        let mut all = self.all.borrow_mut();
        let mut select = file.prepare_cached("SELECT id, text FROM word WHERE id > ?1 ORDER BY id")?;
        let mut rows = select.query([all.last().map_or(0, |(number, _)| *number)])?;
        while let Some(row) = rows.next()? {
            all.push((row.get(0)?, row.get(1)?));
        }
        let mut found = all.iter().filter(|(_, text)| pattern.matches(text.as_bytes())).map(|(number, _)| *number);
        let words: Vec<u32> = found.by_ref().take(most).collect();
        Ok(found.next().is_none().then_some(words))
    }

    fn shape(&self, file: &Connection, number: u32) -> Option<Shape> {
        if let Some(shape) = self.shapes.borrow().get(&number) {
            return Some(shape.clone());
        }
        let members: Vec<u8> = self.look_up(file, "SELECT members FROM shape WHERE id = ?1", number)?;
        let members = shape::parse(&members)?.into_boxed_slice();
        let places = facts::places(members.iter().map(|(_, name)| name.as_str()));
        let shape = Arc::new(Known { members, places });
        self.shapes.borrow_mut().insert(number, shape.clone());
        Some(shape)
    }
}

impl Lexicon {
    fn look_up<T: rusqlite::types::FromSql>(&self, file: &Connection, sql: &str, number: u32) -> Option<T> {
        let found = file.prepare_cached(sql).and_then(|mut look| look.query_row([number], |row| row.get(0)));
        found.map_err(|error| self.failed.replace(Some(error))).ok()
    }

    /// Whether something that was looked up was not there, and [`Lexicon::failure`] has yet to say so.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Whether all that was looked up since this was asked last was there.
    ///
    /// # Errors
    /// What the engine said the last time when it was not.
    pub(super) fn failure(&self) -> rusqlite::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

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
    pub(super) fn lines(&self, file: &'r Connection, lexicon: &'r Lexicon) -> Option<SmallVec<[StoredLine<'r>; 2]>> {
        let source = Source { file, lexicon };
        let main = source.main(self)?;
        let mut lines = SmallVec::new();
        if let Some(beside) = self.beside {
            lines.push(source.started(beside, &main)?);
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

/// A line out of a row.
#[derive(Debug)]
pub(super) struct StoredLine<'r> {
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    /// Its place in the order of arrival.
    pub(super) number: u64,
    source: Source<'r>,
    names: Names,
    pieces: SmallVec<[Piece<'r>; 64]>,
}

/// A text of a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'t> {
    /// By its number in the dictionary.
    Word(u32),
    /// As it stands in the row.
    Own(&'t str),
}

#[derive(Debug)]
enum Names {
    Shape(Shape),
    Own(Vec<String>),
}

impl Names {
    fn at(&self, at: usize) -> Option<&str> {
        match self {
            Names::Shape(shape) => shape.members.get(at).map(|(_, name)| name.as_str()),
            Names::Own(names) => names.get(at).map(String::as_str),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        match self {
            Names::Shape(shape) => shape.iter().position(|(_, own)| own == name),
            Names::Own(names) => names.iter().position(|own| own == name),
        }
    }

    fn places(&self) -> Places {
        match self {
            Names::Shape(shape) => shape.places,
            Names::Own(names) => facts::places(names.iter().map(String::as_str)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Source<'r> {
    file: &'r Connection,
    lexicon: &'r Lexicon,
}

impl<'r> Source<'r> {
    fn word(&self, number: u32) -> Option<Arc<str>> {
        self.lexicon.word(self.file, number)
    }

    fn shape(&self, number: u32) -> Option<Shape> {
        self.lexicon.shape(self.file, number)
    }

    fn next(&self, pieces: &mut Pieces<'r>) -> Option<Piece<'r>> {
        pieces.next(&|shape| self.shape(shape).map(|shape| shape.members.len()))
    }

    fn main(self, row: &Stored<'r>) -> Option<StoredLine<'r>> {
        let line = |names, pieces| StoredLine { at: row.at, number: row.number, source: self, names, pieces };
        if row.shape == 0 {
            let (names, pieces) = as_it_stands(std::str::from_utf8(row.own).ok()?)?;
            return Some(line(Names::Own(names), pieces));
        }
        let shape = self.shape(row.shape)?;
        let mut own = Pieces::new(row.own);
        let piece = |slot: Slot| match slot {
            Slot::Own => self.next(&mut own),
            Slot::Same => None,
            Slot::At => Some(Piece::Moment(row.at)),
            Slot::Level => {
                Level::ALL.get(usize::try_from(row.level.as_i64().ok()?).ok()?).map(|it| Piece::Text(it.as_str()))
            }
            Slot::Status => u64::try_from(row.status.as_i64().ok()?).ok().map(Piece::Whole),
            Slot::Duration => u64::try_from(row.duration.as_i64().ok()?).ok().map(Piece::Seconds),
            Slot::User => match row.user {
                ValueRef::Integer(number) => u32::try_from(number).ok().map(Piece::Word),
                user => user.as_str().ok().map(Piece::Text),
            },
        };
        let pieces = shape.iter().map(|(slot, _)| *slot).map(piece).collect::<Option<_>>()?;
        Some(line(Names::Shape(shape), pieces))
    }

    fn started(self, beside: &'r [u8], main: &StoredLine<'r>) -> Option<StoredLine<'r>> {
        let mut own = Pieces::new(beside);
        let shape = self.shape(u32::try_from(own.varint()?).ok()?)?;
        let at = main.at.checked_sub(own.varint()?)?;
        let number = main.number.checked_sub(own.varint()?)?;
        let piece = |(slot, name): &(Slot, String)| match slot {
            Slot::Own => self.next(&mut own),
            Slot::Same => main.piece(name),
            Slot::At => Some(Piece::Moment(at)),
            _ => None,
        };
        let pieces = shape.iter().map(piece).collect::<Option<_>>()?;
        Some(StoredLine { at, number, source: self, names: Names::Shape(shape), pieces })
    }
}

fn as_it_stands(text: &str) -> Option<(Vec<String>, SmallVec<[Piece<'_>; 64]>)> {
    let (mut names, mut pieces, mut readable) = (Vec::new(), SmallVec::new(), true);
    json::members(text, |span| {
        let name = &text[span.name.clone()];
        let name = if span.escaped { json::unescape(&format!("\"{name}\"")) } else { Some(name.to_owned()) };
        readable &= name.is_some();
        names.push(name.unwrap_or_default());
        let value = &text[span.value];
        pieces.push(if span.kind == Kind::Plain {
            Piece::Text(super::line::unquoted(value))
        } else {
            Piece::Raw(value)
        });
    })?;
    readable.then_some((names, pieces))
}

impl<'r> StoredLine<'r> {
    fn piece(&self, name: &str) -> Option<Piece<'r>> {
        self.names.position(name).and_then(|at| self.pieces.get(at).copied())
    }

    /// As JSON in the native schema, its members in the order in which they came.
    pub(super) fn json(&self) -> Box<str> {
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        for (at, piece) in self.pieces.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quoted(self.names.at(at).unwrap_or_default(), &mut out);
            out.push(b':');
            self.source.write(*piece, &mut out);
        }
        out.push(b'}');
        String::from_utf8_lossy(&out).into()
    }

    /// What statistics are made of.
    pub(super) fn facts(&self) -> Facts<'r> {
        let places = self.names.places();
        Facts::new(self.at, |field| {
            let piece = places[field].and_then(|at| self.pieces.get(usize::from(at)));
            piece.map_or(Fact::None, |piece| self.source.fact(*piece))
        })
    }

    /// Whether the dictionary knows all words that it uses, and all shapes; and what is kept as it stood is JSON.
    pub(super) fn is_known(&self) -> bool {
        self.pieces.iter().all(|piece| self.source.knows(*piece))
    }

    /// Calls `each` with the texts of a member.
    pub(super) fn texts(&self, name: &str, mut each: impl FnMut(Text<'_>)) {
        if let Some(piece) = self.piece(name) {
            self.source.texts(piece, &mut each);
        }
    }
}

impl StoredLine<'_> {
    /// Marks in a block what it uses, as it was marked when it was written.
    pub(super) fn mark(&self, block: &mut Block) {
        block.line(self.at);
        for (at, piece) in self.pieces.iter().enumerate() {
            let name = self.names.at(at).unwrap_or_default();
            self.source.mark(name, *piece, block);
        }
        if matches!(self.names, Names::Own(_)) {
            block.opaque(EVERYTHING);
        }
    }
}

/// All texts within a value that is kept as it stood.
fn texts_of(json: &str) -> String {
    fn collect(value: &Json, out: &mut String) {
        match value {
            Json::String(text) => {
                out.push_str(text);
                out.push('\n');
            }
            Json::Array(values) => values.iter().for_each(|value| collect(value, out)),
            Json::Object(members) => members.values().for_each(|value| collect(value, out)),
            _ => {}
        }
    }
    let mut out = String::new();
    collect(&serde_json::from_str(json).unwrap_or(Json::Null), &mut out);
    out
}

impl Members for StoredLine<'_> {
    fn member(&self, name: &str, part: Option<&str>, show: &mut dyn FnMut(Member<'_>) -> bool) -> bool {
        let Some(piece) = self.piece(name) else { return false };
        match (piece, part) {
            (Piece::Object(shape, values), part) => self.source.members(shape, values, part, show),
            (Piece::Raw(json), part) => {
                let value: Json = serde_json::from_str(json).unwrap_or(Json::Null);
                let shown = part.map_or(Some(&value), |part| value.as_object()?.get(part));
                shown.is_some_and(|value| show(Member::Json(value)))
            }
            (_, Some(_)) => false,
            (piece, None) => self.source.show(piece, show),
        }
    }
}

impl<'r> Source<'r> {
    /// Shows the members of an object, or one of them.
    fn members(
        &self,
        shape: u32,
        values: &'r [u8],
        part: Option<&str>,
        show: &mut dyn FnMut(Member<'_>) -> bool,
    ) -> bool {
        let Some(shape) = self.shape(shape) else { return false };
        let mut pieces = Pieces::new(values);
        shape.iter().any(|(_, name)| {
            let piece = self.next(&mut pieces);
            part.is_none_or(|part| part == name) && piece.is_some_and(|piece| self.show(piece, show))
        })
    }

    fn show(&self, piece: Piece<'_>, show: &mut dyn FnMut(Member<'_>) -> bool) -> bool {
        let mut value = |value: Value<'_>| show(Member::Value(value));
        match piece {
            Piece::Null | Piece::Object(..) => false,
            Piece::Bool(yes) => value(Value::Bool(yes)),
            Piece::Word(number) => self.word(number).is_some_and(|text| value(Value::text(&text))),
            Piece::Text(text) => value(Value::text(text)),
            Piece::Whole(number) => value(Value::whole(number)),
            Piece::Moment(at) => value(Value::Moment(at)),
            Piece::Hex(_) | Piece::Uuid(_) => {
                let mut text = Vec::with_capacity(64);
                identifier(piece, &mut text);
                value(Value::Text(&text))
            }
            // Both are whole and small enough: the quotient is the number that is nearest to the decimals.
            Piece::Seconds(micros) => {
                Number::fraction(micros as f64 / 1e6).is_some_and(|number| value(Value::Number(number)))
            }
            Piece::Raw(json) => serde_json::from_str(json).is_ok_and(|json| show(Member::Json(&json))),
        }
    }

    fn fact(&self, piece: Piece<'r>) -> Fact<'r> {
        match piece {
            Piece::Null | Piece::Object(..) => Fact::None,
            Piece::Bool(yes) => Fact::Bool(yes),
            Piece::Word(number) => self.word(number).map_or(Fact::None, Fact::Word),
            Piece::Text(text) => Fact::Text(text.into()),
            Piece::Whole(number) => Fact::Whole(number),
            Piece::Seconds(micros) => Fact::Seconds(micros),
            Piece::Moment(at) => Fact::Text(timestamp(at).into()),
            Piece::Hex(_) | Piece::Uuid(_) => {
                let mut text = Vec::with_capacity(64);
                identifier(piece, &mut text);
                Fact::Text(String::from_utf8_lossy(&text).into_owned().into())
            }
            Piece::Raw(json) => json::kind(json).map_or(Fact::None, |kind| Fact::of_json(kind, json)),
        }
    }

    fn knows(&self, piece: Piece<'_>) -> bool {
        match piece {
            Piece::Word(number) => self.word(number).is_some(),
            Piece::Raw(json) => serde_json::from_str::<IgnoredAny>(json).is_ok(),
            Piece::Object(shape, values) => {
                let mut pieces = Pieces::new(values);
                let known = |_: &(Slot, String)| pieces.next(&|_| None).is_some_and(|piece| self.knows(piece));
                self.shape(shape).is_some_and(|shape| shape.iter().all(known))
            }
            _ => true,
        }
    }

    fn texts(&self, piece: Piece<'_>, each: &mut impl FnMut(Text<'_>)) {
        match piece {
            Piece::Word(number) => each(Text::Word(number)),
            Piece::Text(text) => each(Text::Own(text)),
            Piece::Raw(json) => each(Text::Own(&texts_of(json))),
            Piece::Hex(_) | Piece::Uuid(_) => {
                let mut text = Vec::new();
                identifier(piece, &mut text);
                each(Text::Own(&String::from_utf8_lossy(&text)));
            }
            Piece::Object(shape, values) => {
                let mut pieces = Pieces::new(values);
                for _ in self.shape(shape).iter().flat_map(|shape| shape.iter()) {
                    self.texts(pieces.next(&|_| None).unwrap_or(Piece::Null), each);
                }
            }
            _ => {}
        }
    }

    fn mark(&self, name: &str, piece: Piece<'_>, block: &mut Block) {
        match piece {
            Piece::Word(number) => block.word(number),
            Piece::Text(text) => block.text(text),
            Piece::Raw(json) if json.starts_with(['[', '{']) => block.opaque(name),
            Piece::Uuid(_) | Piece::Hex(_) if name == "request_id" => {
                let mut text = Vec::new();
                identifier(piece, &mut text);
                block.text(&String::from_utf8_lossy(&text));
            }
            Piece::Object(..) if name == "request_id" => block.opaque(name),
            Piece::Object(shape, values) => {
                let mut pieces = Pieces::new(values);
                for _ in self.shape(shape).iter().flat_map(|shape| shape.iter()) {
                    let piece = pieces.next(&|_| None).unwrap_or(Piece::Null);
                    self.mark(name, piece, block);
                }
            }
            _ => {}
        }
        // A request is looked for by its text, be it a word or not.
        if let (Piece::Word(number), "request_id") = (piece, name) {
            self.word(number).iter().for_each(|text| block.text(text));
        }
    }

    fn write(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Null => out.extend_from_slice(b"null"),
            Piece::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
            Piece::Word(number) => quoted(&self.word(number).unwrap_or_else(|| "".into()), out),
            Piece::Text(text) => quoted(text, out),
            Piece::Whole(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            // Writing into a `Vec` cannot fail.
            Piece::Seconds(micros) => drop(write!(out, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)),
            Piece::Moment(at) => quoted(&timestamp(at), out),
            Piece::Hex(_) | Piece::Uuid(_) => {
                out.push(b'"');
                identifier(piece, out);
                out.push(b'"');
            }
            Piece::Raw(json) => out.extend_from_slice(json.as_bytes()),
            Piece::Object(shape, values) => self.write_object(shape, values, out),
        }
    }

    fn write_object(&self, shape: u32, values: &[u8], out: &mut Vec<u8>) {
        let mut pieces = Pieces::new(values);
        out.push(b'{');
        for (at, (_, name)) in self.shape(shape).iter().flat_map(|shape| shape.iter()).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quoted(name, out);
            out.push(b':');
            // There are no objects in objects.
            self.write(pieces.next(&|_| None).unwrap_or(Piece::Null), out);
        }
        out.push(b'}');
    }
}

/// The digits of an identifier.
fn identifier(piece: Piece<'_>, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (bytes, hyphens): (&[u8], &[usize]) = match &piece {
        Piece::Hex(bytes) => (bytes, &[]),
        Piece::Uuid(bytes) => (*bytes, &[4, 6, 8, 10]),
        _ => return,
    };
    for (at, byte) in bytes.iter().enumerate() {
        if hyphens.contains(&at) {
            out.push(b'-');
        }
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    // Writing into a `Vec` cannot fail.
    let _ = serde_json::to_writer(out, text);
}
