//! The dictionary and the shapes of a file that is read.

use std::cell::RefCell;
use std::sync::Arc;

use rusqlite::Connection;

use super::encode::SEARCHED;
use super::facts::{self, Places};
use super::shape::{self, Slot};
use crate::filter::Pattern;

/// A shape that was looked up.
pub(super) type Shape = Arc<Known>;

/// The members of a shape, and where among them is what is asked for often.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) members: Box<[Member]>,
    /// How many of them are among the row's own values.
    pub(super) own: usize,
    /// Of what statistics are made of.
    pub(super) places: Places,
}

/// A member of a shape.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) slot: Slot,
    pub(super) name: Box<str>,
    /// How many of the row's own values come before.
    pub(super) before: usize,
    /// Free text is looked for in it, and it is not told by another line.
    pub(super) searched: bool,
}

impl Known {
    fn new(slots: Vec<(Slot, String)>) -> Known {
        let mut own = 0;
        let member = |(slot, name): (Slot, String)| {
            let before = own;
            own += usize::from(slot == Slot::Own);
            let searched = slot != Slot::Same && SEARCHED.contains(&&*name);
            Member { slot, name: name.into(), before, searched }
        };
        let members: Box<[Member]> = slots.into_iter().map(member).collect();
        Known { places: facts::places(members.iter().map(|member| &*member.name)), members, own }
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| *member.name == *name)
    }
}

/// For each member of a line that is told beside another, where the same member is in that; no place has this number.
pub(super) type Links = Arc<[u16]>;
pub(super) const NOWHERE: u16 = u16::MAX;

/// Numbers below are looked up once and kept.
const MAX_KEPT: usize = 1 << 17;

/// What was looked up once is kept.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    words: RefCell<Vec<Option<Arc<str>>>>,
    shapes: RefCell<Vec<Option<Shape>>>,
    /// The last ones, and the shapes of both lines.
    links: RefCell<Option<(u32, u32, Links)>>,
    /// All words, once they were looked through: those of a file that is written to come behind them.
    all: RefCell<Vec<(u32, Box<str>)>>,
    /// What could not be looked up: whatever was made of it in the meantime is not right.
    failed: RefCell<Option<rusqlite::Error>>,
}

impl Lexicon {
    /// The word of this number.
    pub(super) fn word(&self, file: &Connection, number: u32) -> Option<Arc<str>> {
        kept(&self.words, number, || self.look_up(file, "SELECT text FROM word WHERE id = ?1", number))
    }

    /// The shape of this number.
    pub(super) fn shape(&self, file: &Connection, number: u32) -> Option<Shape> {
        kept(&self.shapes, number, || {
            let members: Vec<u8> = self.look_up(file, "SELECT members FROM shape WHERE id = ?1", number)?;
            Some(Arc::new(Known::new(shape::parse(&members)?)))
        })
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

    /// Where the members of a line of one shape are in a line of the other.
    pub(super) fn links(&self, of: (u32, &Known), to: (u32, &Known)) -> Links {
        let mut last = self.links.borrow_mut();
        if let Some((.., links)) = last.as_ref().filter(|(one, other, _)| (*one, *other) == (of.0, to.0)) {
            return links.clone();
        }
        let place = |member: &Member| to.1.position(&member.name).and_then(|at| u16::try_from(at).ok());
        let links: Links = of.1.members.iter().map(|member| place(member).unwrap_or(NOWHERE)).collect();
        *last = Some((of.0, to.0, links.clone()));
        links
    }

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

/// What is kept under a number, or what is looked up now.
fn kept<T: Clone>(of: &RefCell<Vec<Option<T>>>, number: u32, look_up: impl FnOnce() -> Option<T>) -> Option<T> {
    let at = number as usize;
    if let Some(Some(known)) = of.borrow().get(at) {
        return Some(known.clone());
    }
    let found = look_up()?;
    if at < MAX_KEPT {
        let mut all = of.borrow_mut();
        let length = all.len().max(at + 1);
        all.resize(length, None);
        all[at] = Some(found.clone());
    }
    Some(found)
}
