//! The values of a row, with the dictionary and the shapes of its file: shown to filters, counted, indexed, written as JSON.

use std::io::Write;
use std::sync::Arc;

use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::block::Block;
use super::facts::Fact;
use super::json;
use super::lexicon::{Lexicon, Member, Shape};
use super::value::{Piece, Pieces};
use crate::filter::{Member as Shown, Number, Value};
use crate::record::timestamp;

/// A text of a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'t> {
    /// By its number in the dictionary.
    Word(u32),
    /// As it stands in the row.
    Own(&'t str),
}

/// Where values are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'r> {
    pub(super) file: &'r Connection,
    pub(super) lexicon: &'r Lexicon,
}

impl<'r> Source<'r> {
    /// The word of this number.
    pub(super) fn word(&self, number: u32) -> Option<Arc<str>> {
        self.lexicon.word(self.file, number)
    }

    /// The shape of this number.
    pub(super) fn shape(&self, number: u32) -> Option<Shape> {
        self.lexicon.shape(self.file, number)
    }

    /// The next value of a row; `None` where there is none, or none that makes sense.
    pub(super) fn next(&self, pieces: &mut Pieces<'r>) -> Option<Piece<'r>> {
        pieces.next(&|shape| self.shape(shape).map(|shape| shape.members.len()))
    }

    /// Shows the members of an object, or one of them.
    pub(super) fn members(
        &self,
        shape: u32,
        values: &'r [u8],
        part: Option<&str>,
        show: &mut dyn FnMut(Shown<'_>) -> bool,
    ) -> bool {
        let Some(shape) = self.shape(shape) else { return false };
        let mut pieces = Pieces::new(values);
        shape.members.iter().any(|Member { name, .. }| {
            let piece = self.next(&mut pieces);
            part.is_none_or(|part| *part == **name) && piece.is_some_and(|piece| self.show(piece, show))
        })
    }

    pub(super) fn show(&self, piece: Piece<'_>, show: &mut dyn FnMut(Shown<'_>) -> bool) -> bool {
        let mut value = |value: Value<'_>| show(Shown::Value(value));
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
            Piece::Raw(json) => serde_json::from_str(json).is_ok_and(|json| show(Shown::Json(&json))),
        }
    }

    pub(super) fn fact(&self, piece: Piece<'r>) -> Fact<'r> {
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

    pub(super) fn knows(&self, piece: Piece<'_>) -> bool {
        match piece {
            Piece::Word(number) => self.word(number).is_some(),
            Piece::Raw(json) => serde_json::from_str::<IgnoredAny>(json).is_ok(),
            Piece::Object(shape, values) => {
                let mut pieces = Pieces::new(values);
                let known = |_: &Member| pieces.next(&|_| None).is_some_and(|piece| self.knows(piece));
                self.shape(shape).is_some_and(|shape| shape.members.iter().all(known))
            }
            _ => true,
        }
    }

    pub(super) fn texts(&self, piece: Piece<'_>, each: &mut impl FnMut(Text<'_>)) {
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
                for _ in self.shape(shape).iter().flat_map(|shape| shape.members.iter()) {
                    self.texts(pieces.next(&|_| None).unwrap_or(Piece::Null), each);
                }
            }
            _ => {}
        }
    }

    pub(super) fn mark(&self, name: &str, piece: Piece<'_>, block: &mut Block) {
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
                for _ in self.shape(shape).iter().flat_map(|shape| shape.members.iter()) {
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

    pub(super) fn write(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
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
        for (at, Member { name, .. }) in self.shape(shape).iter().flat_map(|shape| shape.members.iter()).enumerate() {
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

/// Appends a text as JSON has it.
pub(super) fn quoted(text: &str, out: &mut Vec<u8>) {
    // Writing into a `Vec` cannot fail.
    let _ = serde_json::to_writer(out, text);
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
