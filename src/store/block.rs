//! Rows lie in blocks. What is known of a block says whether a question can find anything in it: when its lines were
//! written, which words of the dictionary they use, and a Bloom filter of their other texts.

use super::value::{Pieces, varint};

/// Rows of a block, as a power of two: the block of a row is its number without so many bits.
pub(super) const BITS: u32 = 12;

/// Bytes of a digest: 16 bits for each row of a full block.
const DIGEST: usize = 8192;
/// Bits that a text sets.
const PROBES: u32 = 4;

/// A block that is written.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) lines: u64,
    /// Microseconds since the Unix epoch: of the oldest line, and of the newest.
    pub(super) oldest: u64,
    pub(super) newest: u64,
    /// A bit for each word.
    used: Vec<u64>,
    digest: Box<[u8]>,
}

impl Default for Block {
    fn default() -> Block {
        Block { lines: 0, oldest: u64::MAX, newest: 0, used: Vec::new(), digest: vec![0; DIGEST].into() }
    }
}

impl Block {
    /// One that is read back to go on with it.
    pub(super) fn restore(lines: u64, oldest: u64, newest: u64, words: &[u8], digest: &[u8]) -> Block {
        let mut block = Block { lines, oldest, newest, ..Block::default() };
        each_word(words, |word| {
            block.word(word);
            true
        });
        let length = digest.len().min(DIGEST);
        block.digest[..length].copy_from_slice(&digest[..length]);
        block
    }

    /// A line was written at this moment.
    pub(super) fn line(&mut self, at: u64) {
        self.lines += 1;
        self.oldest = self.oldest.min(at);
        self.newest = self.newest.max(at);
    }

    /// A line uses this word.
    pub(super) fn word(&mut self, number: u32) {
        let at = number as usize / 64;
        if at >= self.used.len() {
            self.used.resize(at + 1, 0);
        }
        self.used[at] |= 1 << (number % 64);
    }

    /// A line has this text, which is no word.
    pub(super) fn text(&mut self, text: &str) {
        self.set(bits(text.bytes()));
    }

    fn set(&mut self, bits: impl Iterator<Item = usize>) {
        bits.for_each(|bit| self.digest[bit / 8] |= 1 << (bit % 8));
    }

    /// A line has texts in the member of this name that are not marked one by one.
    pub(super) fn opaque(&mut self, name: &str) {
        self.set(bits(opaque(name)));
    }

    /// The numbers of its words, in their order: how far each is from the one before.
    pub(super) fn words(&self) -> Vec<u8> {
        let (mut out, mut last) = (Vec::new(), 0);
        for (at, bits) in self.used.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let number = at as u64 * 64 + u64::from(bits.trailing_zeros());
                varint(number - last, &mut out);
                last = number;
                bits &= bits - 1;
            }
        }
        out
    }

    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }
}

/// The mark of a member with texts that are not marked; texts of lines do hardly look like it.
fn opaque(name: &str) -> impl Iterator<Item = u8> {
    b"\0opaque ".iter().copied().chain(name.bytes())
}

/// Whether there are texts in the member of this name that are not marked one by one.
pub(super) fn may_be_opaque(digest: &[u8], name: &str) -> bool {
    is_set(digest, bits(opaque(name)))
}

/// Calls `each` with the number of each word until it says no; whether it never did.
pub(super) fn each_word(words: &[u8], mut each: impl FnMut(u32) -> bool) -> bool {
    let (mut pieces, mut number) = (Pieces::new(words), 0_u64);
    while let Some(step) = pieces.varint() {
        number = number.saturating_add(step);
        // What is no number of a word ends the list.
        let Ok(number) = u32::try_from(number).map(|number| number.min(MAX_WORD)) else { return true };
        if !each(number) {
            return false;
        }
    }
    true
}

/// Greater numbers are not given.
const MAX_WORD: u32 = 1 << 20;

/// Whether a line of the block may have this text; letters of either case are one.
pub(super) fn may_hold(digest: &[u8], text: &str) -> bool {
    is_set(digest, bits(text.bytes()))
}

fn is_set(digest: &[u8], mut bits: impl Iterator<Item = usize>) -> bool {
    digest.len() != DIGEST || bits.all(|bit| digest[bit / 8] >> (bit % 8) & 1 == 1)
}

/// The hash is part of the format: FNV-1a, finished as MurmurHash3 is.
fn bits(text: impl Iterator<Item = u8>) -> impl Iterator<Item = usize> {
    let mut hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    (0..PROBES).map(move |probe| (hash >> (probe * 16)) as usize % (DIGEST * 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_comes_back_and_knows_what_it_holds(
            words in proptest::collection::btree_set(0u32..70_000, 0..50),
            texts in proptest::collection::vec("[a-zA-Z/é]{0,12}", 0..50),
        ) {
            let mut block = Block::default();
            words.iter().for_each(|word| block.word(*word));
            texts.iter().for_each(|text| block.text(text));
            block.line(5);
            block.line(3);
            let again = Block::restore(2, 3, 5, &block.words(), block.digest());
            let mut found = Vec::new();
            each_word(&again.words(), |word| { found.push(word); true });
            prop_assert_eq!(found, words.into_iter().collect::<Vec<_>>());
            prop_assert_eq!((again.lines, again.oldest, again.newest), (block.lines, block.oldest, block.newest));
            prop_assert!(texts.iter().all(|text| may_hold(again.digest(), &text.to_ascii_uppercase())));
        }
    }

    #[test]
    fn a_full_block_tells_most_of_what_it_does_not_hold() {
        let mut block = Block::default();
        (0..2 << BITS).for_each(|at| block.text(&format!("/orders/{at}/")));
        let wrong = (0..10_000).filter(|at| may_hold(block.digest(), &format!("/carts/{at}/"))).count();
        assert!(wrong < 500, "{wrong}");
    }
}
