//! What an output takes from its queue: a batch of its own, or one that outputs of the same format share.
//!
//! Outputs that share a batch share its memory and nothing else. Each puts its numbers into the lines where they stand and
//! writes them; who finds another one at it copies them. Nobody waits for a write: the lock is held alone only while
//! numbers are put in, and what is written is read.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use super::batch::Spares;
use super::{Batch, Losses};

/// Lines for one output.
#[derive(Debug)]
pub enum Load {
    /// Nobody else has them.
    Own(Batch),
    /// Other outputs have them, too.
    Shared(Share),
}

impl Load {
    /// Bytes of its lines.
    pub fn bytes(&self) -> usize {
        match self {
            Load::Own(batch) => batch.bytes.len(),
            Load::Shared(share) => share.shared.bytes,
        }
    }

    /// Bytes of the memory that they are in.
    pub fn memory(&self) -> usize {
        match self {
            Load::Own(batch) => batch.bytes.capacity(),
            Load::Shared(share) => share.shared.memory,
        }
    }

    /// Whether keeping them where they are takes little more room than they do.
    pub fn fills_its_memory(&self) -> bool {
        self.bytes() >= self.memory() / 2
    }

    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        match self {
            Load::Own(batch) => batch.lines.len() as u64,
            Load::Shared(share) => share.lines(),
        }
    }

    /// Records of the same core that were dropped before the first of these lines.
    pub fn lost(&self) -> &Losses {
        match self {
            Load::Own(batch) => &batch.lost,
            Load::Shared(share) => &share.lost,
        }
    }

    /// Says what was dropped before.
    pub(super) fn set_lost(&mut self, lost: Losses) {
        match self {
            Load::Own(batch) => batch.lost = lost,
            Load::Shared(share) => share.lost = lost,
        }
    }

    /// Shows the lines; what is lost is not in them.
    pub fn show<T>(&self, see: impl FnOnce(&Batch) -> T) -> T {
        match self {
            Load::Own(batch) => see(batch),
            Load::Shared(share) => share.show(see),
        }
    }

    /// A batch of one's own, copied where others share it.
    pub fn into_batch(self) -> Batch {
        match self {
            Load::Own(batch) => batch,
            Load::Shared(share) => Batch { lost: share.lost, ..share.show(Batch::clone) },
        }
    }
}

/// A batch that others have, too.
#[derive(Debug, Clone)]
pub struct Share {
    shared: Arc<Shared>,
    lost: Losses,
}

#[derive(Debug)]
struct Shared {
    lines: RwLock<Lines>,
    bytes: usize,
    memory: usize,
    count: u64,
    /// Where its memory goes with the last share.
    home: Arc<Spares>,
}

#[derive(Debug)]
struct Lines {
    batch: Batch,
    /// How often numbers were put in: whose they are now.
    numbered: u64,
}

impl Share {
    /// Makes a batch one that can be shared, by cloning.
    pub(super) fn new(batch: Batch, home: &Arc<Spares>) -> Share {
        let (bytes, memory, count) = (batch.bytes.len(), batch.bytes.capacity(), batch.lines.len() as u64);
        let lost = batch.lost;
        let lines = RwLock::new(Lines { batch, numbered: 0 });
        Share { shared: Arc::new(Shared { lines, bytes, memory, count, home: Arc::clone(home) }), lost }
    }

    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        self.shared.count
    }

    /// Shows the lines, with anybody's numbers in them. Others can see them meanwhile, and cannot number them.
    pub fn show<T>(&self, see: impl FnOnce(&Batch) -> T) -> T {
        see(&self.read().batch)
    }

    /// Has numbers put into the lines where they stand, and shows these lines. `None` where `number` cannot, or others are
    /// at it: `number` may have been asked then.
    pub fn numbered<T>(&self, number: impl FnOnce(&mut Batch) -> bool, see: impl FnOnce(&Batch) -> T) -> Option<T> {
        let own = self.put_in(number)?;
        let lines = self.read();
        // Somebody else may have come in between.
        (lines.numbered == own).then(|| see(&lines.batch))
    }

    fn put_in(&self, number: impl FnOnce(&mut Batch) -> bool) -> Option<u64> {
        let mut lines = match self.shared.lines.try_write() {
            Ok(lines) => lines,
            Err(TryLockError::Poisoned(lines)) => lines.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        lines.numbered += 1;
        number(&mut lines.batch).then_some(lines.numbered)
    }

    fn read(&self) -> RwLockReadGuard<'_, Lines> {
        // Numbers that a panic has left half put in are put in again before anybody writes them.
        self.shared.lines.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.home.give(std::mem::take(&mut lines.batch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Written;

    fn share() -> (Share, Arc<Spares>) {
        let mut batch = Batch { bytes: b"0.\n".to_vec(), hole: 1, ..Batch::default() };
        batch.close_line(Written::Numbered(0));
        let home = Arc::default();
        (Share::new(batch, &home), home)
    }

    fn number(share: &Share, digit: u8) -> Option<Vec<u8>> {
        let put_in = |batch: &mut Batch| {
            batch.bytes[0] = digit;
            true
        };
        share.numbered(put_in, |batch| batch.bytes.clone())
    }

    #[test]
    fn each_share_puts_its_own_numbers_in() {
        let (one, _) = share();
        let other = one.clone();
        assert_eq!(number(&one, b'1').as_deref(), Some(&b"1.\n"[..]));
        assert_eq!(number(&other, b'2').as_deref(), Some(&b"2.\n"[..]));
    }

    #[test]
    fn what_one_is_writing_others_can_read_and_not_change() {
        let (one, _) = share();
        let other = one.clone();
        let seen = one.show(|written| (number(&other, b'2'), other.show(Batch::clone).bytes, written.bytes.clone()));
        assert_eq!(seen, (None, b"0.\n".to_vec(), b"0.\n".to_vec()));
    }

    #[test]
    fn its_memory_goes_home_with_the_last_share() {
        let (one, home) = share();
        let other = one.clone();
        drop(one);
        assert_eq!(home.take().bytes.capacity(), 0);
        drop(other);
        let spare = home.take();
        assert!(spare.bytes.capacity() > 0 && spare.is_empty() && spare.bytes.is_empty());
    }
}
