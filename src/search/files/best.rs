//! The records that come first, of all that go by: never more of them are kept than are asked for.

use std::collections::BinaryHeap;

use crate::store::{Line, Order};

/// Bytes of records that are kept at once; where a page needs more, it ends early, and says so.
pub const ROOM: usize = 256 << 20;

/// Where a record stands in the order that was asked for: the least comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u64, u64, u64);

impl Rank {
    /// By its moment, then by how it came: which log it is in, and how many bytes are before it there.
    pub fn new(order: Order, at: u64, log: usize, offset: u64) -> Rank {
        match order {
            Order::Oldest => Rank(at, log as u64, offset),
            Order::Newest => Rank(!at, !(log as u64), !offset),
        }
    }
}

/// So many records, the first ones of those that it was shown.
#[derive(Debug)]
pub struct Best {
    /// The last one on top.
    kept: BinaryHeap<Kept>,
    most: usize,
    room: usize,
    bytes: usize,
    is_cut: bool,
}

#[derive(Debug)]
struct Kept {
    rank: Rank,
    line: Line,
}

impl Best {
    /// Keeps `most` records in `room` bytes.
    pub fn new(most: usize, room: usize) -> Best {
        Best { kept: BinaryHeap::new(), most, room, bytes: 0, is_cut: false }
    }

    /// What a record must come before to be kept; `None` while there is room for any.
    pub fn bar(&self) -> Option<Rank> {
        let is_full = self.kept.len() >= self.most;
        is_full.then(|| self.kept.peek().map_or(Rank(0, 0, 0), |last| last.rank))
    }

    /// Keeps a record, if it is one of the first.
    pub fn offer(&mut self, rank: Rank, line: impl FnOnce() -> Line) {
        if self.bar().is_some_and(|bar| rank >= bar) {
            return;
        }
        let line = line();
        self.bytes += line.json.len();
        self.kept.push(Kept { rank, line });
        while self.kept.len() > self.most || self.bytes > self.room {
            self.drop_last();
        }
    }

    /// Offers all that another one has kept.
    pub fn take(&mut self, other: &mut Best) {
        for Kept { rank, line } in other.kept.drain() {
            self.offer(rank, || line);
        }
        other.bytes = 0;
        self.is_cut |= other.is_cut;
    }

    /// Whether some had to go for lack of room.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What was kept, in order.
    pub fn into_lines(self) -> impl Iterator<Item = Line> {
        self.kept.into_sorted_vec().into_iter().map(|kept| kept.line)
    }

    /// Whoever comes behind one that had no room has none either: else there would be a hole.
    fn drop_last(&mut self) {
        if let Some(Kept { line, .. }) = self.kept.pop() {
            self.bytes -= line.json.len();
        }
        if self.kept.len() < self.most {
            self.most = self.kept.len();
            self.is_cut = true;
        }
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Kept) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(best: &mut Best, moments: &[u64]) -> Vec<u64> {
        for (offset, at) in moments.iter().enumerate() {
            let rank = Rank::new(Order::Oldest, *at, 0, offset as u64);
            best.offer(rank, || Line { at: *at, json: "12345678".into() });
        }
        std::mem::replace(best, Best::new(0, 0)).into_lines().map(|line| line.at).collect()
    }

    #[test]
    fn the_first_of_all_are_kept_in_order() {
        assert_eq!(kept(&mut Best::new(3, ROOM), &[5, 1, 4, 1, 3]), [1, 1, 3]);
        assert!(kept(&mut Best::new(0, ROOM), &[5]).is_empty());
    }

    #[test]
    fn without_room_the_last_go_and_no_hole_is_left() {
        let mut best = Best::new(9, 20);
        assert!(!best.is_cut());
        assert_eq!(kept(&mut best, &[5, 7, 9, 6, 8]), [5, 6]);
    }

    #[test]
    fn the_newest_are_those_that_came_last() {
        let rank = |at, log, offset| Rank::new(Order::Newest, at, log, offset);
        assert!(rank(2, 0, 0) < rank(1, 9, 9) && rank(1, 1, 0) < rank(1, 0, 9) && rank(1, 1, 2) < rank(1, 1, 1));
    }
}
