//! Lines that begin a request, held until its end comes or the batch does: together they take one row.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;

use super::line::{Line, Member};

/// Bytes of lines that wait.
const MAX_BYTES: usize = 16 << 20;

/// Lines that wait.
#[derive(Debug, Default)]
pub(super) struct Pending {
    text: String,
    members: Vec<Member>,
    held: Vec<Option<Held>>,
    /// By the hash of the request's id.
    places: HashMap<u64, usize>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Held {
    number: u64,
    at: u64,
    id: Box<str>,
    text: Range<usize>,
    members: Range<usize>,
}

/// A line that has waited.
#[derive(Debug)]
pub(super) struct Began<'p> {
    /// Its place in the order of arrival.
    pub(super) number: u64,
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) line: Line<'p>,
}

impl Pending {
    /// Holds a line; not where another one of the same request waits already, or too many do.
    pub(super) fn hold(&mut self, id: &str, number: u64, at: u64, line: &Line<'_>) -> bool {
        let hash = self.hasher.hash_one(id);
        if self.places.contains_key(&hash) || self.text.len() + line.text.len() > MAX_BYTES {
            return false;
        }
        let text = self.text.len()..self.text.len() + line.text.len();
        let members = self.members.len()..self.members.len() + line.members.len();
        self.text.push_str(line.text);
        self.members.extend_from_slice(line.members);
        self.places.insert(hash, self.held.len());
        self.held.push(Some(Held { number, at, id: id.into(), text, members }));
        true
    }

    /// Where the line of a request waits.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let place = *self.places.get(&self.hasher.hash_one(id))?;
        let held = self.held.get(place)?.as_ref()?;
        (*held.id == *id).then_some(place)
    }

    /// The line at a place.
    pub(super) fn line(&self, place: usize) -> Option<Began<'_>> {
        self.held.get(place)?.as_ref().map(|held| self.began(held))
    }

    /// It waits no longer.
    pub(super) fn drop(&mut self, place: usize) {
        if let Some(held) = self.held.get_mut(place).and_then(Option::take) {
            self.places.remove(&self.hasher.hash_one(&*held.id));
        }
    }

    /// Those that still wait, in the order in which they came.
    pub(super) fn drain(&self) -> impl Iterator<Item = Began<'_>> {
        self.held.iter().flatten().map(|held| self.began(held))
    }

    /// None waits any longer.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.members.clear();
        self.held.clear();
        self.places.clear();
    }

    fn began(&self, held: &Held) -> Began<'_> {
        let line = Line { text: &self.text[held.text.clone()], members: &self.members[held.members.clone()] };
        Began { number: held.number, at: held.at, line }
    }
}
