//! Counts by word, for what is rare.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Words that are told apart; those that come later count as [`OTHER`].
const MOST: usize = 64;
/// Whatever came after too many.
const OTHER: &str = "other";

/// Counts by word. Each core has its own, so that only a scrape ever waits for the lock, or is waited for.
#[derive(Debug, Default)]
pub struct Words(Mutex<BTreeMap<String, u64>>);

impl Words {
    /// Counts one.
    pub fn count(&self, word: &str) {
        self.add(word, 1);
    }

    /// Takes over the counts of others, which count no more.
    pub fn absorb(&self, ended: &Words) {
        let counts = std::mem::take(&mut *ended.lock());
        counts.iter().for_each(|(word, count)| self.add(word, *count));
    }

    fn add(&self, word: &str, more: u64) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(word) {
            *count += more;
            return;
        }
        let word = if counts.len() < MOST { word } else { OTHER };
        *counts.entry(word.to_owned()).or_default() += more;
    }

    /// Adds all of them to others.
    pub fn add_to(&self, sums: &mut BTreeMap<String, u64>) {
        for (word, count) in &*self.lock() {
            *sums.entry(word.clone()).or_default() += count;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_words_is_bounded() {
        let words = Words::default();
        (0..200).for_each(|word| words.count(&word.to_string()));
        words.count("7");
        let mut sums = BTreeMap::new();
        words.add_to(&mut sums);
        assert_eq!((sums.len(), sums["7"], sums[OTHER]), (MOST + 1, 2, 200 - MOST as u64));
    }
}
