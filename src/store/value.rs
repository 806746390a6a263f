//! How a value of a line is kept: one byte that says what it is, and as few behind it as it takes. What has no form of its
//! own is kept as it was written, so that every value comes back as it came.

use smallvec::SmallVec;

use super::json::{self, Kind, Span};
use super::line::unquoted;
use super::shape::{Shape, Slot};
use super::signature::Named;

/// The first byte of each form. From [`WORD`] on it is a word of the dictionary, with the next byte for its number.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const FAR_WORD: u8 = 3;
const TEXT: u8 = 4;
const WHOLE: u8 = 5;
const SECONDS: u8 = 6;
const HEX: u8 = 7;
const RAW: u8 = 8;
const OBJECT: u8 = 9;
const UUID: u8 = 10;
const WORD: u8 = 16;

/// Words whose number takes one byte beside the first.
const NEAR_WORDS: u32 = (256 - WORD as u32) << 8;

/// A value as it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Piece<'a> {
    Null,
    Bool(bool),
    /// A text by its number in the dictionary.
    Word(u32),
    Text(&'a str),
    Whole(u64),
    /// Seconds with six decimals, as whole microseconds.
    Seconds(u64),
    /// Small hexadecimal digits, two a byte.
    Hex(&'a [u8]),
    /// Microseconds since the Unix epoch: a moment, as lines have it.
    Moment(u64),
    /// The 16 bytes of an identifier that is written with four hyphens.
    Uuid(&'a [u8; 16]),
    /// JSON as it stood.
    Raw(&'a str),
    /// An object: the number of its shape, and its members' values one after the other, the first of which is here.
    Object(u32, &'a [u8]),
}

/// Whoever gives texts and shapes their numbers.
pub(super) trait Numbering {
    /// The number of a text, if it has one or is given one now.
    fn word(&mut self, text: &str) -> Option<u32>;
    /// The number of a shape, likewise.
    fn shape(&mut self, shape: &Shape) -> Option<u32>;
    /// Told of a text that has no number.
    fn loose(&mut self, text: &str);
    /// Told of the name of a member that is kept as it stands, with texts in it that nobody was told of.
    fn opaque(&mut self, name: &str);
    /// Told that the values to come are of a member that free text is looked for in, or of another.
    fn searched(&mut self, _is: bool) {}
    /// Told of a text that is kept as the bytes that its digits stand for.
    fn identifier(&mut self, _text: &str) {}
    /// Told whose the line is.
    fn named(&mut self, _named: Named, _name: &str) {}
    /// Told that the line's user or request is no text.
    fn unnamed(&mut self) {}
}

/// A value of a line cannot be kept: its escapes make no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Appends a value of a line.
pub(super) fn encode(value: &str, kind: Kind, to: &mut impl Numbering, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    match kind {
        Kind::Plain => text(unquoted(value), to, out),
        Kind::Escaped => text(&json::unescape(value).ok_or(Unreadable)?, to, out),
        Kind::Number => number(value, out),
        Kind::Name => out.push(match value {
            "true" => TRUE,
            "false" => FALSE,
            _ => NULL,
        }),
        Kind::Object => return object(value, to, out),
        Kind::Array => return raw(value, out),
    }
    Ok(())
}

/// Appends a text.
pub(super) fn text(text: &str, to: &mut impl Numbering, out: &mut Vec<u8>) {
    if let Some(bytes) = hyphenated(text) {
        to.identifier(text);
        out.push(UUID);
        return out.extend_from_slice(&bytes);
    }
    if is_hex(text) {
        to.identifier(text);
        out.extend_from_slice(&[HEX, (text.len() / 2) as u8]);
        return out.extend(text.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])));
    }
    match to.word(text) {
        Some(number) => word(number, out),
        None => {
            to.loose(text);
            out.push(TEXT);
            counted(text.as_bytes(), out);
        }
    }
}

/// Appends a word of the dictionary.
pub(super) fn word(number: u32, out: &mut Vec<u8>) {
    if number < NEAR_WORDS {
        out.extend_from_slice(&[WORD + (number >> 8) as u8, number as u8]);
    } else {
        out.push(FAR_WORD);
        varint(number.into(), out);
    }
}

fn number(text: &str, out: &mut Vec<u8>) {
    if let Some(value) = whole(text) {
        out.push(WHOLE);
        varint(value, out);
    } else if let Some(micros) = seconds(text) {
        out.push(SECONDS);
        varint(micros, out);
    } else {
        out.push(RAW);
        counted(text.as_bytes(), out);
    }
}

/// Objects of plain members are kept by their shape; the others as they stand.
fn object(value: &str, to: &mut impl Numbering, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let mut members: SmallVec<[Span; 8]> = SmallVec::new();
    json::members(value, |span| members.push(span)).ok_or(Unreadable)?;
    let name = |span: &Span| &value[span.name.clone()];
    let once = |(at, span): (usize, &Span)| members[..at].iter().all(|other| name(other) != name(span));
    let is_plain = |span: &Span| !span.escaped && !matches!(span.kind, Kind::Object | Kind::Array);
    if members.len() > MAX_MEMBERS || !members.iter().all(is_plain) || !members.iter().enumerate().all(once) {
        return raw(value, out);
    }
    let mut shape = Shape::default();
    members.iter().for_each(|span| shape.push(Slot::Own, name(span)));
    let Some(number) = to.shape(&shape) else { return raw(value, out) };
    out.push(OBJECT);
    varint(number.into(), out);
    members.iter().try_for_each(|span| encode(&value[span.value.clone()], span.kind, to, out))
}

/// Objects with more members than this have names that are data.
const MAX_MEMBERS: usize = 16;

fn raw(value: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    // Halves of surrogates are found by whoever puts them together.
    if value.contains("\\u") {
        serde_json::from_str::<serde_json::Value>(value).map_err(|_| Unreadable)?;
    }
    out.push(RAW);
    counted(value.as_bytes(), out);
    Ok(())
}

/// Whether a value is kept as it stood.
pub(super) fn is_raw(encoded: &[u8]) -> bool {
    encoded.first() == Some(&RAW)
}

/// Whether a text is kept as the bytes that its digits stand for.
pub(super) fn is_identifier(text: &str) -> bool {
    hyphenated(text).is_some() || is_hex(text)
}

/// Digits that are a number.
pub(super) fn whole(text: &str) -> Option<u64> {
    let plain = text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Seconds with six decimals, fewer than a thousand million of them, in microseconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (seconds, micros) = text.split_once('.')?;
    let plain = seconds.len() < 10 && micros.len() == 6 && micros.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return None;
    }
    Some(whole(seconds)? * 1_000_000 + whole(micros)?)
}

/// The bytes of `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` in small letters.
fn hyphenated(text: &str) -> Option<[u8; 16]> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = (0..36).filter(|at| !HYPHENS.contains(at)).map(|at| text[at]);
    for byte in &mut bytes {
        let (high, low) = (digits.next()?, digits.next()?);
        if !is_digit(high) || !is_digit(low) {
            return None;
        }
        *byte = nibble(high) << 4 | nibble(low);
    }
    Some(bytes)
}

/// Identifiers of traces and the like; shorter ones may well be words.
fn is_hex(text: &str) -> bool {
    matches!(text.len(), 16 | 32 | 64) && text.bytes().all(is_digit)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn nibble(digit: u8) -> u8 {
    if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
}

/// Reads values one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Pieces<'a> {
        Pieces { rest }
    }

    /// The next value; `None` where there is none, or none that makes sense. `members` says how many values an object of a
    /// shape has.
    pub(super) fn next(&mut self, members: &impl Fn(u32) -> Option<usize>) -> Option<Piece<'a>> {
        let first = self.byte()?;
        Some(match first {
            NULL => Piece::Null,
            FALSE | TRUE => Piece::Bool(first == TRUE),
            FAR_WORD => Piece::Word(u32::try_from(self.varint()?).ok()?),
            TEXT => Piece::Text(self.text()?),
            WHOLE => Piece::Whole(self.varint()?),
            SECONDS => Piece::Seconds(self.varint()?),
            HEX => {
                let length = self.byte()?;
                Piece::Hex(self.take(length.into())?)
            }
            RAW => Piece::Raw(self.text()?),
            OBJECT => self.object(members)?,
            UUID => Piece::Uuid(self.take(16)?.first_chunk()?),
            WORD.. => Piece::Word(u32::from(first - WORD) << 8 | u32::from(self.byte()?)),
            _ => return None,
        })
    }

    /// Objects lie in lines only: there are none in them.
    fn object(&mut self, members: &impl Fn(u32) -> Option<usize>) -> Option<Piece<'a>> {
        let shape = u32::try_from(self.varint()?).ok()?;
        let values = self.rest;
        for _ in 0..members(shape)? {
            if self.rest.first() == Some(&OBJECT) {
                return None;
            }
            self.next(members)?;
        }
        Some(Piece::Object(shape, &values[..values.len() - self.rest.len()]))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.varint()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes as they stand.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Appends a number, seven bits a byte, the least first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_short_forms_only_where_they_come_back_the_same() {
        assert_eq!(
            [whole("0"), whole("17"), whole("00"), whole("-1"), whole("")],
            [Some(0), Some(17), Some(0), None, None]
        );
        assert_eq!([seconds("0.000001"), seconds("12.500000"), seconds("0.5")], [Some(1), Some(12_500_000), None]);
        assert_eq!([seconds("1234567890.000000"), seconds(".000000"), seconds("1.00000a")], [None; 3]);
        assert_eq!(seconds("5842239213149946.0"), None);
    }

    #[test]
    fn identifiers_take_half_their_digits() {
        let id = "01997f3e-0001-7000-8000-00000000000a";
        assert_eq!(hyphenated(id).map(u128::from_be_bytes), Some(0x01997f3e_0001_7000_8000_00000000000a));
        assert_eq!(hyphenated(&id.to_uppercase()), None);
        assert!(is_hex("00f067aa0ba902b7") && !is_hex("00F067AA0BA902B7") && !is_hex("beef"));
    }

    proptest! {
        #[test]
        fn whatever_bytes_there_are_reading_them_ends(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut pieces = Pieces::new(&bytes);
            while pieces.next(&|shape| Some(shape as usize % 5)).is_some() {}
            prop_assert!(pieces.rest.len() <= bytes.len());
        }

        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            varint(value, &mut out);
            prop_assert_eq!(Pieces::new(&out).varint(), Some(value));
        }
    }
}
