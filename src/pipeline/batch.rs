//! Lines that gather, and the memory that they gather in, which is used again.

use std::ops::Range;

use crossbeam_queue::ArrayQueue;

use super::{Losses, Written};
use crate::record::Gist;

/// Emptied buffers that are kept. Several outputs let go of what they share at the pace of the slowest, so that many come
/// back at once; what is not kept is fetched from the kernel again, which clears every page of it first: at full speed that
/// was a twentieth of a core's time.
const MAX_SPARE: usize = 8;
/// A buffer that one huge record has blown up is not kept.
const MAX_SPARE_BYTES: usize = 1 << 20;

/// Whole lines, in order, without their numbers.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Lines, each ended by `\n`.
    pub bytes: Vec<u8>,
    /// One for each line.
    pub lines: Vec<Line>,
    /// Digits that each line has room for where its number belongs.
    pub hole: usize,
    /// Records of the same core that were dropped before the first of these lines.
    pub lost: Losses,
}

/// A line of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Where it ends in the batch.
    pub end: usize,
    /// Where its number belongs; `None` where the format shows none.
    pub seq_at: Option<usize>,
    /// What is counted of it, where that is known and somebody counts ([`Port::gists`](super::Port::gists)).
    pub gist: Option<Gist>,
}

impl Batch {
    /// Has so many bytes of memory from its first line on: what grows leaves a trail of smaller memories behind, each of which
    /// the allocator keeps for the next that grows. Of what is not written to, the kernel has nothing to give.
    pub(super) fn make_room(&mut self, memory: usize) {
        if self.bytes.is_empty() {
            self.bytes.reserve_exact(memory);
        }
    }

    /// Adds the line that has just been written to the end of `bytes`, if one was.
    pub fn close_line(&mut self, written: Written) {
        self.close_counted(written, None);
    }

    /// The same with what is counted of it.
    pub(super) fn close_counted(&mut self, written: Written, gist: Option<Gist>) {
        let seq_at = match written {
            Written::None => return,
            Written::Plain => None,
            Written::Numbered(at) => Some(at),
        };
        self.lines.push(Line { end: self.bytes.len(), seq_at, gist });
    }

    /// Adds the lines of another batch that stand in these of its bytes.
    pub(super) fn copy_lines(&mut self, other: &Batch, Range { mut start, end }: Range<usize>) {
        let new = other.lines.iter().rev().take_while(|line| line.end > start).count();
        let new = other.lines[other.lines.len() - new..].iter();
        for line in new.take_while(|line| line.end <= end) {
            let bytes = &other.bytes[start..line.end];
            let seq_at = line.seq_at.map(|at| self.copy_line(bytes, at - start, other.hole));
            if seq_at.is_none() {
                self.bytes.extend_from_slice(bytes);
            }
            self.lines.push(Line { end: self.bytes.len(), seq_at, gist: line.gist });
            start = line.end;
        }
    }

    /// Copies a line, its hole as wide as those of this batch. Returns where its number belongs.
    fn copy_line(&mut self, line: &[u8], seq_at: usize, hole: usize) -> usize {
        let moved = self.bytes.len() + seq_at;
        if hole == self.hole {
            self.bytes.extend_from_slice(line);
        } else {
            self.bytes.extend_from_slice(&line[..seq_at]);
            self.bytes.resize(moved + self.hole, b'0');
            self.bytes.extend_from_slice(&line[seq_at + hole..]);
        }
        moved
    }

    /// Neither lines nor losses.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
        (self.hole, self.lost) = (0, Losses::default());
    }
}

/// Emptied buffers on their way back from one output to the cores.
#[derive(Debug)]
pub(super) struct Spares(ArrayQueue<Batch>);

impl Default for Spares {
    fn default() -> Spares {
        Spares(ArrayQueue::new(MAX_SPARE))
    }
}

impl Spares {
    /// An empty batch, its memory used before where possible.
    pub(super) fn take(&self) -> Batch {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps the memory of a batch.
    pub(super) fn give(&self, mut batch: Batch) {
        if batch.bytes.capacity() <= MAX_SPARE_BYTES {
            batch.clear();
            // A full store of spares means that this one is not needed.
            let _ = self.0.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_spares_are_kept_and_none_that_is_too_large() {
        let spares = Spares::default();
        let of = |bytes| Batch { bytes: Vec::with_capacity(bytes), ..Batch::default() };
        spares.give(of(MAX_SPARE_BYTES + 1));
        (0..MAX_SPARE + 1).for_each(|_| spares.give(of(10)));
        let kept = std::iter::from_fn(|| Some(spares.take()).filter(|spare| spare.bytes.capacity() > 0));
        assert_eq!(kept.count(), MAX_SPARE);
    }

    #[test]
    fn a_copied_line_has_the_room_of_its_new_batch() {
        let mut first = Batch { hole: 2, ..Batch::default() };
        first.bytes.extend_from_slice(b"a:00.\n");
        first.close_line(Written::Numbered(2));
        first.bytes.extend_from_slice(b"plain\n");
        first.close_line(Written::Plain);
        for hole in 0..4 {
            let mut second = Batch { hole, ..Batch::default() };
            second.copy_lines(&first, 0..first.bytes.len());
            let expected = format!("a:{}.\nplain\n", "0".repeat(hole));
            assert_eq!(String::from_utf8_lossy(&second.bytes), expected);
            assert_eq!((second.lines[0].seq_at, second.lines[1].end), (Some(2), expected.len()));
        }
    }
}
