//! Finds the heads of frames in bytes that come in any pieces, and steps over what is behind them (RFC 9113 §4.1).

use arrayvec::ArrayVec;

use super::{HEAD, length};

/// Bytes of a payload that may be asked for beside its head.
const MORE: usize = 4;

/// Where one direction of a connection is.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Bytes that are still to be stepped over.
    left: usize,
    /// A frame that has begun, and of which not enough is there.
    start: ArrayVec<u8, { HEAD + MORE }>,
}

impl Cutter {
    /// Steps over so many bytes that come before the first frame.
    pub(super) fn after(left: usize) -> Cutter {
        Cutter { left, start: ArrayVec::new() }
    }

    /// Shows the beginning of each frame in these bytes: its head, with so many bytes more as `more` wants of its type, at
    /// most [`MORE`].
    pub(super) fn follow(&mut self, mut bytes: &[u8], more: impl Fn(u8) -> usize, mut show: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            bytes = self.step(bytes, &more, &mut show);
        }
    }

    fn step<'a>(&mut self, bytes: &'a [u8], more: &impl Fn(u8) -> usize, show: &mut impl FnMut(&[u8])) -> &'a [u8] {
        if self.left > 0 {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            return &bytes[skipped..];
        }
        match bytes.split_first_chunk::<HEAD>() {
            Some((head, rest)) if self.start.is_empty() && more(head[3]) == 0 => {
                self.left = length(head);
                show(head);
                rest
            }
            _ => self.gather(bytes, more, show),
        }
    }

    /// A frame in pieces, or one of which more than its head is wanted: both are rare.
    #[cold]
    fn gather<'a>(&mut self, bytes: &'a [u8], more: &impl Fn(u8) -> usize, show: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let due = |start: &[u8]| HEAD + start.get(3).map_or(0, |kind| more(*kind)).min(MORE);
        let (taken, rest) = bytes.split_at(bytes.len().min(due(&self.start).saturating_sub(self.start.len())));
        self.start.extend(taken.iter().copied());
        if self.start.len() == due(&self.start) {
            self.left = length(&self.start).saturating_sub(self.start.len() - HEAD);
            show(&self.start);
            self.start.clear();
        }
        rest
    }
}
