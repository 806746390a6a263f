//! A hash of short texts for tables in memory, quicker than the usual one. Its keys are drawn anew each time, so that nobody
//! who chooses the texts can choose their places.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The keys of a table.
#[derive(Debug, Clone)]
pub(super) struct Quick {
    keys: [u64; 2],
}

impl Default for Quick {
    fn default() -> Quick {
        let random = RandomState::new();
        Quick { keys: [random.hash_one(0), random.hash_one(1)] }
    }
}

impl BuildHasher for Quick {
    type Hasher = Mixing;

    fn build_hasher(&self) -> Mixing {
        Mixing { state: self.keys[0], key: self.keys[1] }
    }
}

/// What was hashed so far.
#[derive(Debug)]
pub(super) struct Mixing {
    state: u64,
    key: u64,
}

impl Mixing {
    /// Both halves of a product hang on all bits of both numbers.
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key | 1 << 63 | 1);
        self.state = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for Mixing {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        let last = rest.iter().fold(rest.len() as u64, |last, byte| last << 8 | u64::from(*byte));
        self.mix(last);
    }

    fn write_u8(&mut self, byte: u8) {
        self.state ^= u64::from(byte);
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(number.into());
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.state) * u128::from(self.key | 1);
        (product as u64) ^ (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_that_differ_little_lie_apart() {
        let quick = Quick::default();
        let texts = (0..20_000).map(|at| format!("/section{}/{at}/", at % 7));
        let hashes: Vec<u64> = texts.map(|text| quick.hash_one(text.as_str())).collect();
        let places = |bits: u32, shift: u32| -> usize {
            hashes.iter().map(|hash| hash >> shift & ((1 << bits) - 1)).collect::<HashSet<_>>().len()
        };
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 20_000);
        // Of so many places that many are taken by chance, at either end of the hash.
        assert!(places(14, 0) > 11_000 && places(14, 50) > 11_000, "{} {}", places(14, 0), places(14, 50));
    }

    #[test]
    fn another_table_has_other_keys_and_a_longer_text_another_hash() {
        let [one, other] = [Quick::default(), Quick::default()];
        assert_ne!(one.hash_one("a"), other.hash_one("a"));
        assert_ne!(one.hash_one("a"), one.hash_one("a\0"));
        assert_ne!(one.hash_one(""), one.hash_one("\0"));
    }
}
