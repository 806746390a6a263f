//! Sets of characters as Python's `re` defines them.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::routes) struct Set(ClassUnicode);

/// `\w`: what `str.isalnum()` is true of, and `_`. The `regex` crate's own `\w` also holds marks and joiners.
static WORD: LazyLock<Set> = LazyLock::new(|| Set::of_class(r"[\p{L}\p{N}_]"));
/// `\d`: what `str.isdecimal()` is true of.
static DIGIT: LazyLock<Set> = LazyLock::new(|| Set::of_class(r"\p{Nd}"));
/// `\s`: what `str.isspace()` is true of; Unicode's White_Space lacks the four separators.
static SPACE: LazyLock<Set> = LazyLock::new(|| Set::of_class(r"[\p{White_Space}\x1c-\x1f]"));

impl Set {
    /// The characters of these ranges, both ends included.
    pub(in crate::routes) fn of(ranges: &[(char, char)]) -> Set {
        Set(ClassUnicode::new(ranges.iter().map(|&(from, to)| ClassUnicodeRange::new(from, to))))
    }

    /// The set of `\d`, `\w` or `\s`, by its letter; `None` for other letters.
    pub(super) fn of_category(letter: char, ascii: bool) -> Option<Set> {
        let set = match (letter.to_ascii_lowercase(), ascii) {
            ('d', false) => DIGIT.clone(),
            ('w', false) => WORD.clone(),
            ('s', false) => SPACE.clone(),
            ('d', true) => Set::of(&[('0', '9')]),
            ('w', true) => Set::of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            ('s', true) => Set::of(&[('\t', '\r'), (' ', ' ')]),
            _ => return None,
        };
        Some(if letter.is_ascii_uppercase() { set.negated() } else { set })
    }

    /// Everything but a newline: Python's `.`.
    pub(in crate::routes) fn dot() -> Set {
        Set::of(&[('\n', '\n')]).negated()
    }

    /// Everything.
    pub(super) fn any() -> Set {
        Set::of(&[('\0', char::MAX)])
    }

    /// `[a-z]` and the like, by the `regex` crate's notation; empty if that does not know it.
    fn of_class(notation: &str) -> Set {
        match regex_syntax::parse(notation).map(|hir| hir.into_kind()) {
            Ok(HirKind::Class(Class::Unicode(class))) => Set(class),
            _ => Set(ClassUnicode::empty()),
        }
    }

    /// What is not in it.
    pub(super) fn negated(mut self) -> Set {
        self.0.negate();
        self
    }

    /// Adds another set.
    pub(in crate::routes) fn add(&mut self, other: &Set) {
        self.0.union(&other.0);
    }

    /// Adds one character.
    pub(super) fn push(&mut self, character: char) {
        self.0.push(ClassUnicodeRange::new(character, character));
    }

    /// Adds the other case of its ASCII letters, and what Python holds to be a case of `i`, `k` and `s` beyond ASCII.
    pub(super) fn fold_ascii(&mut self, ascii: bool) {
        for letter in 'a'..='z' {
            let upper = letter.to_ascii_uppercase();
            if !self.contains(letter) && !self.contains(upper) {
                continue;
            }
            self.push(letter);
            self.push(upper);
            if !ascii {
                beyond_ascii(letter).iter().for_each(|&twin| self.push(twin));
            }
        }
    }

    /// Whether it holds the character.
    pub(in crate::routes) fn contains(&self, character: char) -> bool {
        let ranges = self.0.ranges();
        let after = ranges.partition_point(|range| range.start() <= character);
        after > 0 && ranges[after - 1].end() >= character
    }

    /// The letter, in lower case, when it holds nothing but the cases of one.
    pub(super) fn only_letter(&self) -> Option<char> {
        let letter = self.ranges().next().map(|(first, _)| first.to_ascii_lowercase())?;
        let mut cases = Set::of(&[(letter, letter)]);
        cases.fold_ascii(false);
        (letter.is_ascii_alphabetic() && self.within(&cases)).then_some(letter)
    }

    /// Whether all of it is in the other.
    pub(in crate::routes) fn within(&self, other: &Set) -> bool {
        let mut rest = self.0.clone();
        rest.difference(&other.0);
        rest.ranges().is_empty()
    }

    /// Whether nothing is in both.
    pub(in crate::routes) fn apart(&self, other: &Set) -> bool {
        let mut both = self.0.clone();
        both.intersect(&other.0);
        both.ranges().is_empty()
    }

    /// Without that character.
    pub(in crate::routes) fn without(&self, character: char) -> Set {
        let mut rest = self.0.clone();
        rest.difference(&ClassUnicode::new([ClassUnicodeRange::new(character, character)]));
        Set(rest)
    }

    /// Its ranges in order, both ends included.
    pub(in crate::routes) fn ranges(&self) -> impl Iterator<Item = (char, char)> + '_ {
        self.0.ranges().iter().map(|range| (range.start(), range.end()))
    }
}

fn beyond_ascii(letter: char) -> &'static [char] {
    match letter {
        'i' => &['\u{130}', '\u{131}'],
        'k' => &['\u{212a}'],
        's' => &['\u{17f}'],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_pythons() {
        let word = Set::of_category('w', false).unwrap();
        assert!("aZ_9é漢²Ⅷ٣".chars().all(|character| word.contains(character)));
        assert!("-\u{301}\u{200d}‿ ".chars().all(|character| !word.contains(character)));
        let space = Set::of_category('s', false).unwrap();
        assert!("\t\r \u{1c}\u{1f}\u{85}\u{a0}\u{3000}".chars().all(|character| space.contains(character)));
        assert!(!space.contains('\u{200b}'));
        assert!(Set::of_category('W', true).unwrap().contains('é'));
    }

    #[test]
    fn letters_without_case_have_pythons_twins() {
        let mut set = Set::of(&[('i', 'k')]);
        set.fold_ascii(false);
        assert!("iIjJkK\u{130}\u{131}\u{212a}".chars().all(|character| set.contains(character)));
        assert!(!set.contains('s'));
    }
}
