//! Texts to look for: whole or contained, with `*` for anything, in time linear in what is searched.

use std::fmt;

use aho_corasick::AhoCorasick;
use memchr::memmem;

/// A text with `*` in it, or none.
///
/// It works on bytes: records may hold bytes that are no UTF-8, and since no character of UTF-8 begins within another,
/// a text is found in them exactly where it is found in what the encoders make of them.
#[derive(Clone)]
pub struct Pattern {
    pieces: Vec<String>,
    whole: bool,
    folded: bool,
    /// What is looked for in the middle, from left to right.
    middle: Vec<Finder>,
}

impl Pattern {
    /// A pattern of what stands before, between and behind the `*`; one piece has none.
    ///
    /// `whole`: it has to be all of a value, not only within it. `folded`: ASCII letters match in either case.
    pub(super) fn new(mut pieces: Vec<String>, whole: bool, folded: bool) -> Pattern {
        let last = pieces.len().saturating_sub(1);
        let mut at = 0;
        pieces.retain(|piece| {
            at += 1;
            // Two `*` side by side say no more than one, nor does one at the end of what may stand anywhere.
            !piece.is_empty() || (whole && (at == 1 || at == last + 1))
        });
        let middle = if whole { pieces.get(1..pieces.len().saturating_sub(1)) } else { Some(pieces.as_slice()) };
        let middle = middle.unwrap_or_default().iter().map(|piece| Finder::new(piece, folded)).collect();
        Pattern { pieces, whole, folded, middle }
    }

    /// What stands before, between and behind the `*`. One piece: there is none.
    pub fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// Whether it has to be all of a value; otherwise it may stand anywhere within.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether ASCII letters match in either case.
    pub fn ignores_case(&self) -> bool {
        self.folded
    }

    /// Whether a value is what it describes.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self.pieces.as_slice() {
            [piece] if self.whole => self.equal(text, piece.as_bytes()),
            [first, .., last] if self.whole => self.between(text, first.as_bytes(), last.as_bytes()),
            _ => self.middle_in(text),
        }
    }

    fn between(&self, text: &[u8], first: &[u8], last: &[u8]) -> bool {
        let Some((start, rest)) = text.split_at_checked(first.len()) else { return false };
        let Some((rest, end)) = rest.len().checked_sub(last.len()).map(|at| rest.split_at(at)) else { return false };
        self.equal(start, first) && self.equal(end, last) && self.middle_in(rest)
    }

    /// The leftmost place of each piece leaves the most for those behind it: there is never a need to go back.
    fn middle_in(&self, text: &[u8]) -> bool {
        let mut rest = text;
        self.middle.iter().all(|finder| match finder.end_in(rest) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    }

    fn equal(&self, text: &[u8], piece: &[u8]) -> bool {
        if self.folded { text.eq_ignore_ascii_case(piece) } else { text == piece }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        (self.whole, self.folded, &self.pieces) == (other.whole, other.folded, &other.pieces)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pattern { pieces, whole, folded, middle: _ } = self;
        f.debug_struct("Pattern").field("pieces", pieces).field("whole", whole).field("folded", folded).finish()
    }
}

/// Finds a text in a longer one. Neither kind allocates, nor takes more than linear time.
#[derive(Debug, Clone)]
pub(super) enum Finder {
    Exact(Box<memmem::Finder<'static>>),
    Folded(Box<AhoCorasick>, usize),
}

impl Finder {
    pub(super) fn new(piece: &str, folded: bool) -> Finder {
        let exact = || Finder::Exact(Box::new(memmem::Finder::new(piece).into_owned()));
        let letters = piece.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !folded || !letters {
            return exact();
        }
        // It fails only for more and longer patterns than an expression can hold.
        let built = AhoCorasick::builder().ascii_case_insensitive(true).build([piece]);
        built.map_or_else(|_| exact(), |automaton| Finder::Folded(Box::new(automaton), piece.len()))
    }

    /// Where the first of them ends.
    pub(super) fn end_in(&self, text: &[u8]) -> Option<usize> {
        match self {
            Finder::Exact(finder) => finder.find(text).map(|at| at + finder.needle().len()),
            // Most of what is searched is not there, and short.
            Finder::Folded(_, length) if text.len() < *length => None,
            Finder::Folded(automaton, _) => automaton.find(text).map(|found| found.end()),
        }
    }
}
