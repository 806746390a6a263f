//! A line as a row: what questions are mostly about in columns of its own, the rest as values in the order of the line.

use std::borrow::Cow;

use rusqlite::types::Value as Sql;

use super::json::{self, Kind};
use super::line::{Code, Line, Member, Reader, unquoted};
use super::moment::Moments;
use super::shape::{Shape, Slot};
use super::signature::Named;
use super::value::{self, Numbering, Unreadable};
use crate::record::Level;

/// A row that is put together; its memory is used for the next one.
#[derive(Debug)]
pub(super) struct Row {
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    /// Its place in [`Level::ALL`].
    pub(super) level: Sql,
    pub(super) status: Sql,
    /// Microseconds.
    pub(super) duration: Sql,
    /// The number of a word, or the text itself.
    pub(super) user: Sql,
    /// A hash of the request's id.
    pub(super) request: Option<i64>,
    /// Number of the shape; 0 is a line kept as it stood.
    pub(super) shape: u32,
    pub(super) own: Vec<u8>,
}

impl Default for Row {
    fn default() -> Row {
        let null = || Sql::Null;
        let (level, status, duration, user) = (null(), null(), null(), null());
        Row { at: 0, level, status, duration, user, request: None, shape: 0, own: Vec::new() }
    }
}

/// In a column, what is no value of its own kind: greater than any of them, so that no bound from below misses it.
pub(super) fn odd() -> Sql {
    Sql::Blob(Vec::new())
}

/// Beside the hashes of requests' ids: the id is no text.
pub(super) const ODD_REQUEST: i64 = -1;

/// The members that free text is looked for in.
pub(super) const SEARCHED: [&str; 4] = ["message", "path", "exception_message", "user_agent"];

/// Makes rows of lines.
#[derive(Debug)]
pub(super) struct Encoder {
    codes: Codes,
    moments: Moments,
    shape: Shape,
}

/// The fields that are looked at, by their places in the contract.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    pub(super) timestamp: Code,
    pub(super) level: Code,
    pub(super) event: Code,
    pub(super) request_id: Code,
    user_id: Code,
    status_code: Code,
    duration: Code,
}

impl Codes {
    fn new(reader: &Reader) -> Codes {
        Codes {
            timestamp: reader.code("timestamp"),
            level: reader.code("level"),
            event: reader.code("event"),
            request_id: reader.code("request_id"),
            user_id: reader.code("user_id"),
            status_code: reader.code("status_code"),
            duration: reader.code("duration"),
        }
    }
}

/// What a started line has of its own; all else must be as the completed one has it.
const STARTED: [(&str, &str); 3] =
    [("level", "\"INFO\""), ("event", "\"request_started\""), ("message", "\"Request started\"")];

impl Encoder {
    pub(super) fn new(reader: &Reader) -> Encoder {
        Encoder { codes: Codes::new(reader), moments: Moments::default(), shape: Shape::default() }
    }

    pub(super) fn codes(&self) -> &Codes {
        &self.codes
    }

    /// When a line was written: microseconds since the Unix epoch.
    pub(super) fn moment(&mut self, line: &Line<'_>) -> Option<u64> {
        let (member, value) = line.value(self.codes.timestamp)?;
        if member.kind != Kind::Plain {
            return None;
        }
        self.moments.read(unquoted(value)).map(|(at, _)| at)
    }

    /// Makes a row of a line.
    pub(super) fn row(&mut self, line: &Line<'_>, to: &mut impl Numbering, row: &mut Row) -> Result<(), Unreadable> {
        *row = Row { own: std::mem::take(&mut row.own), ..Row::default() };
        row.own.clear();
        self.shape.clear();
        row.at = self.moment(line).ok_or(Unreadable)?;
        for (member, name, value) in line.each() {
            let slot = self.column(member, value, to, row)?;
            let name = readable(name)?;
            to.searched(SEARCHED.contains(&&*name));
            if slot == Slot::Own {
                own(member, &name, value, to, &mut row.own)?;
            }
            self.shape.push(slot, &name);
        }
        to.searched(false);
        match to.shape(&self.shape) {
            Some(number) => row.shape = number,
            None => as_it_stands(line, to, row),
        }
        Ok(())
    }

    /// Puts a value into its column; says where it is kept.
    fn column(
        &mut self,
        member: &Member,
        value: &str,
        to: &mut impl Numbering,
        row: &mut Row,
    ) -> Result<Slot, Unreadable> {
        let Codes { timestamp, level, request_id, user_id, status_code, duration, .. } = self.codes;
        let (column, slot) = match member.code {
            Code::OTHER => return Ok(Slot::Own),
            code if code == timestamp => {
                let canonical = self.moments.read(unquoted(value)).is_some_and(|(_, canonical)| canonical);
                return Ok(if canonical { Slot::At } else { Slot::Own });
            }
            code if code == request_id => {
                row.request = request(member, value, to)?;
                return Ok(Slot::Own);
            }
            code if code == level => (&mut row.level, leveled(value).map(|level| (level, Slot::Level))),
            code if code == status_code => (&mut row.status, number(value, value::whole, Slot::Status)),
            code if code == duration => (&mut row.duration, number(value, value::seconds, Slot::Duration)),
            code if code == user_id => (&mut row.user, user(member, value, to)?.map(|user| (user, Slot::User))),
            _ => return Ok(Slot::Own),
        };
        let Some((value, slot)) = slot else {
            // What is absent is not there whatever is asked of it.
            *column = if value == "null" { Sql::Null } else { odd() };
            if member.code == user_id && value != "null" {
                to.unnamed();
            }
            return Ok(Slot::Own);
        };
        *column = value;
        Ok(slot)
    }

    /// Appends what a started line has that the line of its request has not, if all else is the same: its shape, how far
    /// it is before the other in time and in number, and its own values.
    pub(super) fn beside(
        &mut self,
        started: &Line<'_>,
        main: &Line<'_>,
        before: (u64, u64),
        to: &mut impl Numbering,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        out.clear();
        self.shape.clear();
        let mut values = Vec::new();
        let main_at = self.moment(main)?;
        let at = self.moment(started)?;
        for (member, name, value) in started.each() {
            let slot = self.started_slot(member, name, value, main)?;
            if slot == Slot::Own {
                to.searched(SEARCHED.contains(&name));
                value::encode(value, member.kind, to, &mut values).ok()?;
            }
            self.shape.push(slot, name);
        }
        to.searched(false);
        let (number, main_number) = before;
        value::varint(to.shape(&self.shape)?.into(), out);
        value::varint(main_at.checked_sub(at)?, out);
        value::varint(main_number.checked_sub(number)?, out);
        out.extend_from_slice(&values);
        Some(())
    }

    fn started_slot(&mut self, member: &Member, name: &str, value: &str, main: &Line<'_>) -> Option<Slot> {
        if member.code == self.codes.timestamp {
            return self.moments.read(unquoted(value)).filter(|(_, canonical)| *canonical).map(|_| Slot::At);
        }
        if let Some((_, own)) = STARTED.iter().find(|(own, _)| *own == name) {
            return (value == *own).then_some(Slot::Own);
        }
        if matches!(name, "seq" | "in_flight") {
            return matches!(member.kind, Kind::Number | Kind::Name).then_some(Slot::Own);
        }
        let (_, same) = main.value(member.code).filter(|_| member.code != Code::OTHER)?;
        (same == value).then_some(Slot::Same)
    }
}

fn own(member: &Member, name: &str, value: &str, to: &mut impl Numbering, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let start = out.len();
    value::encode(value, member.kind, to, out)?;
    let nested = matches!(member.kind, Kind::Array | Kind::Object);
    if nested && value::is_raw(&out[start..]) {
        to.opaque(name);
    }
    Ok(())
}

/// A line that has a shape too many.
fn as_it_stands(line: &Line<'_>, to: &mut impl Numbering, row: &mut Row) {
    row.shape = 0;
    row.own.clear();
    row.own.extend_from_slice(line.text.as_bytes());
    to.opaque(EVERYTHING);
}

/// The name of no member: any of them may be meant.
pub(super) const EVERYTHING: &str = "";

/// A name without its escapes.
fn readable(name: &str) -> Result<Cow<'_, str>, Unreadable> {
    if !name.contains('\\') {
        return Ok(Cow::Borrowed(name));
    }
    json::unescape(&format!("\"{name}\"")).map(Cow::Owned).ok_or(Unreadable)
}

fn leveled(value: &str) -> Option<Sql> {
    let at = Level::ALL.iter().position(|level| value.len() > 2 && level.as_str() == unquoted(value))?;
    Some(Sql::Integer(at as i64)).filter(|_| value.starts_with('"'))
}

fn number(value: &str, read: fn(&str) -> Option<u64>, slot: Slot) -> Option<(Sql, Slot)> {
    let number = read(value).and_then(|number| i64::try_from(number).ok())?;
    Some((Sql::Integer(number), slot))
}

fn user(member: &Member, value: &str, to: &mut impl Numbering) -> Result<Option<Sql>, Unreadable> {
    let text = match member.kind {
        Kind::Plain => Cow::Borrowed(unquoted(value)),
        Kind::Escaped => Cow::Owned(json::unescape(value).ok_or(Unreadable)?),
        _ => return Ok(None),
    };
    to.named(Named::User, &text);
    Ok(Some(match to.word(&text) {
        Some(number) => Sql::Integer(number.into()),
        None => {
            to.loose(&text);
            Sql::Text(text.into_owned())
        }
    }))
}

fn request(member: &Member, value: &str, to: &mut impl Numbering) -> Result<Option<i64>, Unreadable> {
    let text = match member.kind {
        Kind::Plain => Cow::Borrowed(unquoted(value)),
        Kind::Escaped => Cow::Owned(json::unescape(value).ok_or(Unreadable)?),
        kind => {
            if value == "null" {
                return Ok(None);
            }
            // Identifiers within an object are marked nowhere else.
            if kind == Kind::Object {
                to.opaque("request_id");
            }
            to.unnamed();
            return Ok(Some(ODD_REQUEST));
        }
    };
    to.named(Named::Request, &text);
    to.loose(&text);
    Ok(Some(request_hash(&text)))
}

/// By which a request is found.
pub(super) fn request_hash(id: &str) -> i64 {
    crc32fast::hash(id.as_bytes()).into()
}
