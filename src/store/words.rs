//! The dictionary of a file that is written: texts that come again are kept once and named by their numbers.
//!
//! A text gets a number when it is seen for the second time, so that what never comes again takes no room in it.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::quick::Quick;

/// Texts in the dictionary of a file.
const MAX_WORDS: usize = 1 << 16;
/// Bytes of a text that may become one.
const MAX_WORD: usize = 512;
/// Bytes of all of them.
const MAX_BYTES: usize = 8 << 20;
/// Marks of texts seen once; a newer one takes the place of an older.
const SEEN: usize = 1 << 16;

/// Texts and their numbers.
#[derive(Debug)]
pub(super) struct Words {
    numbers: HashMap<Box<str>, u32, Quick>,
    bytes: usize,
    seen: Box<[u32]>,
    hasher: Quick,
    /// The next number.
    next: u32,
    /// Numbers given since the last [`Words::fresh`].
    fresh: Vec<(u32, Box<str>)>,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            numbers: HashMap::default(),
            bytes: 0,
            seen: vec![0; SEEN].into(),
            hasher: Quick::default(),
            next: 1,
            fresh: Vec::new(),
        }
    }
}

impl Words {
    /// The number of a text, if it has one or gets one now.
    pub(super) fn number(&mut self, text: &str) -> Option<u32> {
        let known = self.numbers.get(text).copied();
        if known.is_none() && self.is_second(text) { self.insert(text) } else { known }
    }

    /// Gives a text a number at its first sight.
    pub(super) fn insert(&mut self, text: &str) -> Option<u32> {
        let full = self.numbers.len() >= MAX_WORDS || self.bytes + text.len() > MAX_BYTES;
        if full || text.len() > MAX_WORD {
            return self.numbers.get(text).copied();
        }
        let number = self.next;
        self.known(number, text);
        self.fresh.push((number, text.into()));
        Some(number)
    }

    /// One that the file has already.
    pub(super) fn known(&mut self, number: u32, text: &str) {
        self.next = self.next.max(number + 1);
        self.bytes += text.len();
        self.numbers.insert(text.into(), number);
    }

    /// What was added since this was asked last.
    pub(super) fn fresh(&mut self) -> std::vec::Drain<'_, (u32, Box<str>)> {
        self.fresh.drain(..)
    }

    fn is_second(&mut self, text: &str) -> bool {
        if text.len() > MAX_WORD {
            return false;
        }
        let hash = self.hasher.hash_one(text);
        // Never the mark of an empty place.
        let mark = (hash >> 32) as u32 | 1;
        let place = &mut self.seen[hash as usize % SEEN];
        std::mem::replace(place, mark) == mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gets_a_number_at_its_second_sight() {
        let mut words = Words::default();
        assert_eq!([words.number("a"), words.number("a"), words.number("a")], [None, Some(1), Some(1)]);
        assert_eq!(words.fresh().collect::<Vec<_>>(), [(1, "a".into())]);
        assert_eq!(words.fresh().count(), 0);
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let mut words = Words::default();
        let long = "x".repeat(MAX_WORD + 1);
        assert_eq!((words.number(&long), words.number(&long), words.insert(&long)), (None, None, None));
        let given = (0..2 * MAX_WORDS).filter(|at| words.insert(&at.to_string()).is_some()).count();
        assert_eq!(given, MAX_WORDS);
        let mut words = Words::default();
        let given = (0..MAX_WORDS).filter(|at| words.insert(&format!("{at:0>512}")).is_some()).count();
        assert_eq!(given, MAX_BYTES / 512);
    }

    #[test]
    fn what_the_file_has_keeps_its_number() {
        let mut words = Words::default();
        words.known(7, "a");
        assert_eq!((words.number("a"), words.insert("b")), (Some(7), Some(8)));
    }
}
