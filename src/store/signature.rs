//! Which rows of a block of a hot segment may be meant: a bit for each row and each of some hundred marks, kept mark by mark,
//! so that a question reads those of its own marks and no row that lacks one of them.
//!
//! A text is marked by its trigrams, a word of the dictionary by its number, a user and a request by their names. It costs a
//! fraction of what an index does while rows come, and takes 32 bytes a row until the segment is sealed.

use super::block;

/// Marks, as a power of two.
pub(super) const BITS: u32 = 8;
const MARKS: usize = 1 << BITS;
/// Bytes of the rows of a mark.
pub(super) const SLICE: usize = (1 << block::BITS) / 8;
/// Marks of a word, and of a name.
const OF_WORD: u32 = 2;
const OF_NAME: u32 = 4;
/// Marks of a text that are asked for: more of them leave out hardly more rows.
const MAX_ASKED: usize = 12;

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    User,
    Request,
}

/// The marks of a block.
#[derive(Debug)]
pub(super) struct Signature {
    bits: Box<[u8]>,
}

impl Default for Signature {
    fn default() -> Signature {
        Signature { bits: vec![0; MARKS * SLICE].into() }
    }
}

impl Signature {
    /// A row has this text.
    pub(super) fn text(&mut self, row: usize, text: &str) {
        text.as_bytes().windows(3).for_each(|three| self.mark(row, trigram(three)));
    }

    /// A row has this word.
    pub(super) fn word(&mut self, row: usize, word: u32) {
        of_word(word).for_each(|mark| self.mark(row, mark));
    }

    /// A row is of this user or request.
    pub(super) fn name(&mut self, row: usize, named: Named, name: &str) {
        of_name(named, name).for_each(|mark| self.mark(row, mark));
    }

    /// A row may have anything.
    pub(super) fn anything(&mut self, row: usize) {
        (0..=u8::MAX).for_each(|mark| self.mark(row, mark));
    }

    /// The rows of each mark.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.bits.chunks_exact(SLICE)
    }

    fn mark(&mut self, row: usize, mark: u8) {
        let at = usize::from(mark) * SLICE + row / 8 % SLICE;
        self.bits[at] |= 1 << (row % 8);
    }
}

/// Marks that a row must have, all of them; at least one of those.
pub(super) type Asked = Vec<Vec<u8>>;

/// The marks of rows with these pieces in a text; none where they are too short for any.
pub(super) fn asked_texts(pieces: &[String]) -> Option<Vec<u8>> {
    let mut marks: Vec<u8> = pieces.iter().flat_map(|piece| piece.as_bytes().windows(3)).map(trigram).collect();
    marks.sort_unstable();
    marks.dedup();
    // Any of them will do; these lie apart.
    let step = marks.len().div_ceil(MAX_ASKED).max(1);
    let marks: Vec<u8> = marks.into_iter().step_by(step).collect();
    (!marks.is_empty()).then_some(marks)
}

/// The marks of rows with a word.
pub(super) fn of_word(word: u32) -> impl Iterator<Item = u8> {
    marks(mixed(u64::from(word) | 1 << 40), OF_WORD)
}

/// The marks of rows of a user or a request; letters of either case are one.
pub(super) fn of_name(named: Named, name: &str) -> impl Iterator<Item = u8> {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ named as u64;
    let hash = name
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3));
    marks(mixed(hash), OF_NAME)
}

fn trigram(three: &[u8]) -> u8 {
    let number = three.iter().fold(0, |number: u64, byte| number << 8 | u64::from(byte.to_ascii_lowercase()));
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

fn marks(hash: u64, count: u32) -> impl Iterator<Item = u8> {
    (0..count).map(move |at| (hash >> (8 * at)) as u8)
}

/// As MurmurHash3 finishes.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(signature: &Signature, marks: impl IntoIterator<Item = u8>) -> Vec<usize> {
        let slices: Vec<&[u8]> = signature.slices().collect();
        let marks: Vec<u8> = marks.into_iter().collect();
        let has = |row: usize| marks.iter().all(|mark| slices[usize::from(*mark)][row / 8] >> (row % 8) & 1 == 1);
        (0..SLICE * 8).filter(|row| has(*row)).collect()
    }

    proptest! {
        #[test]
        fn a_row_is_found_by_whatever_it_has(
            text in "[a-z/é]{3,30}", from in 0usize..20, length in 3usize..20, word in any::<u32>(), row in 0usize..4096,
        ) {
            let mut signature = Signature::default();
            signature.text(row, &text.to_uppercase());
            signature.text(row, &text);
            signature.word(row, word);
            signature.name(row, Named::User, &text);
            let letters: Vec<char> = text.chars().collect();
            let part: String = letters.iter().skip(from).take(length).collect();
            if let Some(marks) = asked_texts(&[part]) {
                prop_assert_eq!(rows(&signature, marks), [row]);
            }
            prop_assert_eq!(rows(&signature, of_word(word)), [row]);
            prop_assert_eq!(rows(&signature, of_name(Named::User, &text.to_ascii_uppercase())), [row]);
            signature.anything(row ^ 1);
            prop_assert!(rows(&signature, of_word(word ^ 7)).contains(&(row ^ 1)));
        }
    }

    #[test]
    fn of_a_full_block_hardly_a_row_is_meant_by_what_none_has() {
        let mut signature = Signature::default();
        for row in 0..4096 {
            signature.text(row, &format!("/section{}/{}/", row % 120, row * 7919 % 100_000));
            signature.name(row, Named::User, &format!("u{row}"));
            signature.name(row, Named::Request, &format!("r{row}"));
            (0..3).for_each(|word| signature.word(row, word));
        }
        assert!(rows(&signature, of_name(Named::User, "nobody")).len() < 10);
        assert!(rows(&signature, asked_texts(&["nowhere-to-be-found".to_owned()]).unwrap()).is_empty());
        assert_eq!(asked_texts(&["ab".to_owned()]), None);
    }
}
