//! Batches become chunks: lines with their numbers in them, and what is missing of them told.

use std::sync::Arc;

use crate::pipeline::{Format, Load, Losses, Queue, Stamp};
use crate::sinks::delivery::Gap;
use crate::sinks::sequence::{Sequence, number_from};
use crate::store::recent::Kept;

/// The numbers of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    name: String,
    sequence: Sequence,
    /// Of what nobody was told yet that it is missing, in the order of its numbers.
    gaps: Vec<Gap>,
    /// Memory that was used before.
    spare: Vec<u8>,
}

/// Lines whose numbers follow one another.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Each ended by `\n`.
    pub(super) text: Vec<u8>,
    /// The number of the first one.
    pub(super) first: u64,
    /// How many there are.
    pub(super) lines: u64,
    /// What they tell is missing: then it is one line.
    pub(super) tells: Option<Gap>,
}

/// Lines that nobody has looked at yet.
#[derive(Debug)]
pub(super) struct Unread {
    /// The number of the first one.
    first: u64,
    load: Option<Load>,
    /// Where its memory goes in the end.
    home: Arc<Queue>,
}

impl Kept for Unread {
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.load.iter().for_each(|load| load.show(|batch| number_from(self.first, batch, &mut text)));
        text
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.load.take().into_iter().for_each(|load| self.home.recycle(load));
    }
}

impl Stream {
    /// One that begins now.
    pub(super) fn new(name: &str, stamp: &Stamp) -> Stream {
        let sequence = Sequence::new(name, Format::Native, stamp);
        Stream { name: name.to_owned(), sequence, gaps: Vec::new(), spare: Vec::new() }
    }

    /// Goes on with records that carry something else.
    pub(super) fn restamp(&mut self, stamp: &Stamp) {
        let next = self.sequence.next();
        self.sequence = Sequence::new(&self.name, Format::Native, stamp);
        self.sequence.go_on(next);
    }

    /// How many digits the next number has.
    pub(super) fn digits(&self) -> usize {
        self.sequence.digits()
    }

    /// The lines of a batch, with their numbers, in at least so much memory. Lines that nobody else has are not copied.
    pub(super) fn chunk(&mut self, load: &mut Load, memory: usize) -> Chunk {
        let mut text = std::mem::take(&mut self.spare);
        text.clear();
        text.reserve_exact(memory);
        let (first, lines) = (self.sequence.next(), load.lines());
        match load {
            Load::Own(batch) => match self.sequence.number_in_place(batch) {
                true => std::mem::swap(&mut text, &mut batch.bytes),
                false => self.sequence.number(batch, &mut text),
            },
            Load::Shared(share) => share.show(|batch| self.sequence.number(batch, &mut text)),
        }
        Chunk { text, first, lines, tells: None }
    }

    /// The lines of a batch, which get their numbers when they are looked at.
    pub(super) fn leave(&mut self, load: Load, home: &Arc<Queue>) -> Unread {
        let first = self.sequence.next();
        self.sequence.go_on(first + load.lines());
        Unread { first, load: Some(load), home: Arc::clone(home) }
    }

    /// Keeps the memory of a chunk.
    pub(super) fn recycle(&mut self, chunk: Chunk) {
        self.spare = chunk.text;
    }

    /// Records are lost that have no numbers yet: they use them up.
    pub(super) fn lose(&mut self, losses: &Losses) {
        for (reason, count) in losses.iter() {
            let from = self.sequence.next();
            self.sequence.go_on(from + count);
            self.miss([Gap { from, to: from + count - 1, count, reason }]);
        }
    }

    /// Lines are lost that had their numbers.
    pub(super) fn miss(&mut self, gaps: impl IntoIterator<Item = Gap>) {
        for gap in gaps {
            match self.gaps.last_mut() {
                Some(last) if last.to + 1 == gap.from && last.reason == gap.reason => {
                    (last.to, last.count) = (gap.to, last.count + gap.count);
                }
                _ => self.gaps.push(gap),
            }
        }
    }

    /// A line for each thing that nobody was told of yet.
    pub(super) fn told(&mut self) -> Vec<Chunk> {
        let gaps = std::mem::take(&mut self.gaps);
        gaps.into_iter().map(|gap| self.tell(gap)).collect()
    }

    fn tell(&mut self, gap: Gap) -> Chunk {
        let Gap { from, to, count, reason } = gap;
        let (mut text, first) = (Vec::new(), self.sequence.next());
        self.sequence.missing(from, to, count, reason.as_str(), &mut text);
        Chunk { text, first, lines: 1, tells: Some(gap) }
    }
}
