//! A line out of a row. What is asked of it is read from the row's bytes when it is asked: most lines are looked at for
//! one or two of their members, and then passed over.

use std::borrow::Cow;

use rusqlite::types::ValueRef;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::block::Block;
use super::encode::{EVERYTHING, SEARCHED};
use super::facts::{self, Fact, Facts, Places};
use super::json::{self, Kind};
use super::lexicon::{Links, Member, NOWHERE, Shape};
use super::shape::Slot;
use super::source::{Source, Text, quoted};
use super::stored::Stored;
use super::value::{Piece, Pieces};
use crate::filter::{Member as Shown, Members};
use crate::record::Level;

/// Whose a line is.
const USER: &str = "user_id";

/// A line.
#[derive(Debug)]
pub(super) struct StoredLine<'r> {
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    /// Its place in the order of arrival.
    pub(super) number: u64,
    row: Stored<'r>,
    source: Source<'r>,
    form: Form<'r>,
}

#[derive(Debug)]
enum Form<'r> {
    /// That of the row itself.
    Main(Shape),
    /// One that is told beside it: its own values, and where its other members are in the line of the row.
    Beside { shape: Shape, own: &'r [u8], main: Shape, links: Links },
    /// One whose members were found already: of a row that is kept as it stood.
    Read(Vec<(Cow<'r, str>, Piece<'r>)>),
}

/// All values of a line, in its order.
type Values<'r> = SmallVec<[Piece<'r>; 64]>;

impl<'r> StoredLine<'r> {
    /// That of the row itself.
    pub(super) fn main(row: &Stored<'r>, source: Source<'r>) -> Option<StoredLine<'r>> {
        let form = match row.shape {
            0 => Form::Read(as_it_stands(std::str::from_utf8(row.own).ok()?)?),
            shape => Form::Main(source.shape(shape)?),
        };
        Some(StoredLine { at: row.at, number: row.number, row: *row, source, form })
    }

    /// The one that is told beside that of the row.
    pub(super) fn beside(&self, told: &'r [u8]) -> Option<StoredLine<'r>> {
        let StoredLine { row, source, .. } = *self;
        let mut own = Pieces::new(told);
        let number = u32::try_from(own.varint()?).ok()?;
        let shape = source.shape(number)?;
        let at = self.at.checked_sub(own.varint()?)?;
        let before = own.varint()?;
        let form = match &self.form {
            Form::Main(main) => {
                let links = source.lexicon.links((number, &shape), (row.shape, main));
                Form::Beside { shape, own: own.rest(), main: main.clone(), links }
            }
            _ => Form::Read(self.read_beside(&shape, own, at)?),
        };
        Some(StoredLine { at, number: self.number.checked_sub(before)?, row, source, form })
    }

    fn read_beside(&self, shape: &Shape, mut own: Pieces<'r>, at: u64) -> Option<Vec<(Cow<'r, str>, Piece<'r>)>> {
        let mut member = |member: &Member| {
            let piece = match member.slot {
                Slot::Own => self.source.next(&mut own),
                Slot::Same => self.piece(&member.name),
                Slot::At => Some(Piece::Moment(at)),
                _ => None,
            };
            Some((Cow::Owned(member.name.to_string()), piece?))
        };
        shape.members.iter().map(&mut member).collect()
    }

    /// Whether all its values are there; what they name need not be.
    pub(super) fn is_sound(&self) -> bool {
        let walk = |own: &'r [u8], shape: &Shape| {
            let mut own = Pieces::new(own);
            (0..shape.own).all(|_| self.source.next(&mut own).is_some())
        };
        match &self.form {
            Form::Main(shape) => {
                let is_there = |member: &Member| member.slot == Slot::Own || self.column(member.slot).is_some();
                shape.members.iter().all(is_there) && walk(self.row.own, shape)
            }
            Form::Beside { shape, own, links, .. } => {
                let is_there = |(member, link): (&Member, &u16)| match member.slot {
                    Slot::Own | Slot::At => true,
                    Slot::Same => *link != NOWHERE,
                    _ => false,
                };
                shape.members.iter().zip(links.iter()).all(is_there) && walk(own, shape)
            }
            Form::Read(_) => true,
        }
    }

    fn piece(&self, name: &str) -> Option<Piece<'r>> {
        match &self.form {
            Form::Main(shape) => self.piece_at(shape.position(name)?),
            Form::Beside { shape, .. } => self.piece_at(shape.position(name)?),
            Form::Read(members) => members.iter().find(|(own, _)| own == name).map(|(_, piece)| *piece),
        }
    }

    fn piece_at(&self, at: usize) -> Option<Piece<'r>> {
        match &self.form {
            Form::Main(shape) => self.piece_of_main(shape, at),
            Form::Beside { shape, own, main, links } => {
                let member = shape.members.get(at)?;
                match member.slot {
                    Slot::Own => self.own(own, member.before),
                    Slot::Same => self.piece_of_main(main, usize::from(*links.get(at)?)),
                    Slot::At => Some(Piece::Moment(self.at)),
                    _ => None,
                }
            }
            Form::Read(members) => members.get(at).map(|(_, piece)| *piece),
        }
    }

    fn piece_of_main(&self, shape: &Shape, at: usize) -> Option<Piece<'r>> {
        let member = shape.members.get(at)?;
        if member.slot == Slot::Own { self.own(self.row.own, member.before) } else { self.column(member.slot) }
    }

    /// The value behind so many.
    fn own(&self, own: &'r [u8], before: usize) -> Option<Piece<'r>> {
        let mut own = Pieces::new(own);
        for _ in 0..before {
            self.source.next(&mut own)?;
        }
        self.source.next(&mut own)
    }

    /// A value of the line of the row that has a column.
    fn column(&self, slot: Slot) -> Option<Piece<'r>> {
        let row = &self.row;
        match slot {
            Slot::Own | Slot::Same => None,
            Slot::At => Some(Piece::Moment(row.at)),
            Slot::Level => {
                let at = usize::try_from(row.level.as_i64().ok()?).ok()?;
                Level::ALL.get(at).map(|level| Piece::Text(level.as_str()))
            }
            Slot::Status => u64::try_from(row.status.as_i64().ok()?).ok().map(Piece::Whole),
            Slot::Duration => u64::try_from(row.duration.as_i64().ok()?).ok().map(Piece::Seconds),
            Slot::User => match row.user {
                ValueRef::Integer(number) => u32::try_from(number).ok().map(Piece::Word),
                user => user.as_str().ok().map(Piece::Text),
            },
        }
    }

    /// All values; `None` where one of them is not there.
    fn values(&self) -> Option<Values<'r>> {
        match &self.form {
            Form::Main(shape) => self.values_of_main(shape),
            Form::Beside { shape, own, main, links } => {
                let (all, mut own) = (self.values_of_main(main)?, Pieces::new(own));
                let mut values = Values::new();
                for (member, link) in shape.members.iter().zip(links.iter()) {
                    values.push(match member.slot {
                        Slot::Own => self.source.next(&mut own)?,
                        Slot::Same => *all.get(usize::from(*link))?,
                        Slot::At => Piece::Moment(self.at),
                        _ => return None,
                    });
                }
                Some(values)
            }
            Form::Read(members) => Some(members.iter().map(|(_, piece)| *piece).collect()),
        }
    }

    fn values_of_main(&self, shape: &Shape) -> Option<Values<'r>> {
        let (mut own, mut values) = (Pieces::new(self.row.own), Values::new());
        for member in &shape.members {
            let value = if member.slot == Slot::Own { self.source.next(&mut own) } else { self.column(member.slot) };
            values.push(value?);
        }
        Some(values)
    }

    fn name(&self, at: usize) -> &str {
        let name = match &self.form {
            Form::Main(shape) | Form::Beside { shape, .. } => shape.members.get(at).map(|member| &*member.name),
            Form::Read(members) => members.get(at).map(|(name, _)| &**name),
        };
        name.unwrap_or_default()
    }

    /// Whether both are of the same user.
    pub(super) fn is_of_user(&self, other: &StoredLine<'_>) -> bool {
        let user = self.piece(USER);
        user.is_some() && user == other.piece(USER)
    }

    /// As JSON in the native schema, its members in the order in which they came.
    pub(super) fn json(&self) -> Box<str> {
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        for (at, piece) in self.values().iter().flatten().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quoted(self.name(at), &mut out);
            out.push(b':');
            self.source.write(*piece, &mut out);
        }
        out.push(b'}');
        String::from_utf8_lossy(&out).into()
    }

    /// What statistics are made of.
    pub(super) fn facts(&self) -> Facts<'r> {
        let (places, values) = (self.places(), self.values().unwrap_or_default());
        Facts::new(self.at, |field| {
            let piece = places[field].and_then(|at| values.get(usize::from(at)));
            piece.map_or(Fact::None, |piece| self.source.fact(*piece))
        })
    }

    fn places(&self) -> Places {
        match &self.form {
            Form::Main(shape) | Form::Beside { shape, .. } => shape.places,
            Form::Read(members) => facts::places(members.iter().map(|(name, _)| &**name)),
        }
    }

    /// Whether the dictionary knows all words that it uses, and all shapes; and what is kept as it stood is JSON.
    pub(super) fn is_known(&self) -> bool {
        self.values().is_some_and(|values| values.iter().all(|piece| self.source.knows(*piece)))
    }

    /// Marks in a block what it uses, as it was marked when it was written, but for what the line of its row has; and calls
    /// `search` with the texts of those members that free text is looked for in, but for those that are the same there.
    pub(super) fn mark(&self, block: &mut Block, mut search: impl FnMut(Text<'_>)) {
        block.line(self.at);
        let mut each = |name: &str, piece: Piece<'r>, searched: bool| {
            self.source.mark(name, piece, block);
            if searched {
                self.source.texts(piece, &mut search);
            }
        };
        match &self.form {
            Form::Main(shape) => self.each_own(shape, self.row.own, each),
            Form::Beside { shape, own, .. } => self.each_own(shape, own, each),
            Form::Read(members) => {
                members.iter().for_each(|(name, piece)| each(name, *piece, SEARCHED.contains(&&**name)));
                block.opaque(EVERYTHING);
            }
        }
    }

    /// The values that are its own, and its user; and whether free text is looked for in them.
    fn each_own(&self, shape: &Shape, own: &'r [u8], mut each: impl FnMut(&str, Piece<'r>, bool)) {
        let mut own = Pieces::new(own);
        for member in &shape.members {
            let piece = match member.slot {
                Slot::Own => self.source.next(&mut own),
                Slot::User => self.column(Slot::User),
                _ => None,
            };
            piece.into_iter().for_each(|piece| each(&member.name, piece, member.searched));
        }
    }
}

impl Members for StoredLine<'_> {
    fn member(&self, name: &str, part: Option<&str>, show: &mut dyn FnMut(Shown<'_>) -> bool) -> bool {
        let Some(piece) = self.piece(name) else { return false };
        match (piece, part) {
            (Piece::Object(shape, values), part) => self.source.members(shape, values, part, show),
            (Piece::Raw(json), part) => {
                let value: Json = serde_json::from_str(json).unwrap_or(Json::Null);
                let shown = part.map_or(Some(&value), |part| value.as_object()?.get(part));
                shown.is_some_and(|value| show(Shown::Json(value)))
            }
            (_, Some(_)) => false,
            (piece, None) => self.source.show(piece, show),
        }
    }
}

/// The members of a line that is kept as it stood.
fn as_it_stands(text: &str) -> Option<Vec<(Cow<'_, str>, Piece<'_>)>> {
    let (mut members, mut readable) = (Vec::new(), true);
    json::members(text, |span| {
        let name = &text[span.name.clone()];
        let name = if span.escaped {
            json::unescape(&format!("\"{name}\"")).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(name))
        };
        readable &= name.is_some();
        let value = &text[span.value];
        let piece =
            if span.kind == Kind::Plain { Piece::Text(super::line::unquoted(value)) } else { Piece::Raw(value) };
        members.push((name.unwrap_or_default(), piece));
    })?;
    readable.then_some(members)
}
