//! Lines in chunks that are shared with whoever reads them; the oldest chunk makes room for the newest.
//!
//! Nothing of a line is read when it is kept: under load that would cost more than all else that is done with it, for lines
//! that are mostly gone before anybody asks. A chunk is read when it is first looked at.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::Held;
use super::line::moment;
use crate::store::ask::Line;
use crate::store::moment::Moments;

/// Bytes of a chunk, but for one that a longer line fills alone.
const CHUNK: usize = 64 << 10;
/// Of a ring, a chunk is at most this part, so that little is thrown away at once.
const PARTS: usize = 16;

/// The newest lines, numbered from 1 in the order in which they came.
#[derive(Debug)]
pub(super) struct Ring {
    most_lines: u64,
    most_bytes: usize,
    chunks: VecDeque<Arc<Chunk>>,
    /// Memory of a chunk that was evicted.
    spare: Vec<u8>,
    held: Held,
    /// The number of the newest line; 0 before the first.
    newest: u64,
}

/// Lines whose numbers follow one another.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    first: u64,
    count: u64,
    /// Each ended by `\n`.
    text: Vec<u8>,
    records: OnceLock<Vec<Placed>>,
}

/// Where a record stands in its chunk.
#[derive(Debug)]
struct Placed {
    at: u64,
    number: u64,
    start: usize,
    end: usize,
}

/// A record where it stands.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    chunk: Arc<Chunk>,
    place: usize,
}

impl Ring {
    pub(super) fn of(most_lines: usize, most_bytes: usize) -> Ring {
        Ring {
            most_lines: most_lines.max(1) as u64,
            most_bytes,
            chunks: VecDeque::new(),
            spare: Vec::new(),
            held: Held::default(),
            newest: 0,
        }
    }

    /// Takes lines, each ended by `\n`.
    pub(super) fn push(&mut self, lines: &[u8], count: u64) {
        let (most, chunk) = ((self.most_lines / PARTS as u64).max(1), CHUNK.min(self.most_bytes / PARTS));
        let has_room =
            |last: &&mut Chunk| last.count + count <= most && last.text.len().saturating_add(lines.len()) <= chunk;
        // Nobody reads it.
        match self.chunks.back_mut().and_then(Arc::get_mut).filter(has_room) {
            Some(last) => {
                last.text.extend_from_slice(lines);
                last.count += count;
                last.records.take();
            }
            None => {
                let (first, text) = (self.newest + 1, self.memory(lines));
                self.chunks.push_back(Arc::new(Chunk { first, count, text, records: OnceLock::new() }));
            }
        }
        self.newest += count;
        self.held.lines += count;
        self.held.bytes += lines.len();
        self.evict();
    }

    /// Lines in memory that was used before, where they fill a good part of it: what is held is counted by its length.
    fn memory(&mut self, lines: &[u8]) -> Vec<u8> {
        let mut text = match lines.len() >= self.spare.capacity() / 4 {
            true => std::mem::take(&mut self.spare),
            false => Vec::new(),
        };
        text.extend_from_slice(lines);
        text
    }

    /// What is held now.
    pub(super) fn held(&self) -> Held {
        self.held
    }

    /// The number of the newest line.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// All chunks, the oldest first.
    pub(super) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.chunks.iter().cloned().collect()
    }

    /// The chunks that hold lines after one, the oldest first.
    pub(super) fn after(&self, number: u64) -> Vec<Arc<Chunk>> {
        let from = self.chunks.partition_point(|chunk| chunk.last() <= number);
        self.chunks.range(from..).cloned().collect()
    }

    /// Whole chunks go. Lines that are longer than all that may be held go at once.
    fn evict(&mut self) {
        while (self.held.lines > self.most_lines || self.held.bytes > self.most_bytes)
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.held.lines -= oldest.count;
            self.held.bytes -= oldest.text.len();
            self.held.evicted += oldest.count;
            // Memory that was used before is the warmer, and asks the system for no more.
            if let Some(chunk) = Arc::into_inner(oldest).filter(|chunk| chunk.text.capacity() <= 2 * CHUNK) {
                self.spare = chunk.text;
                self.spare.clear();
            }
        }
    }
}

impl Chunk {
    /// The number of its first line.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of its last line.
    pub(super) fn last(&self) -> u64 {
        self.first + self.count - 1
    }

    /// Its records. What else stands there has a number, and is none of them.
    fn records(&self) -> &[Placed] {
        self.records.get_or_init(|| {
            let (mut moments, mut start) = (Moments::default(), 0);
            let ends = memchr::memchr_iter(b'\n', &self.text).zip(self.first..);
            let placed = |(end, number)| {
                let line = std::mem::replace(&mut start, end + 1)..end;
                let at = moment(std::str::from_utf8(&self.text[line.clone()]).ok()?, &mut moments)?;
                Some(Placed { at, number, start: line.start, end: line.end })
            };
            ends.filter_map(placed).collect()
        })
    }
}

/// The records of a chunk.
pub(super) fn records(chunk: &Arc<Chunk>) -> impl Iterator<Item = Numbered> {
    (0..chunk.records().len()).map(|place| Numbered { chunk: Arc::clone(chunk), place })
}

impl Numbered {
    fn placed(&self) -> &Placed {
        &self.chunk.records()[self.place]
    }

    pub(super) fn line(&self) -> Line {
        Line { at: self.at(), json: self.json().into() }
    }

    pub(super) fn at(&self) -> u64 {
        self.placed().at
    }

    pub(super) fn json(&self) -> &str {
        let Placed { start, end, .. } = self.placed();
        // It was text when it was read.
        std::str::from_utf8(&self.chunk.text[*start..*end]).unwrap_or_default()
    }

    pub(super) fn number(&self) -> u64 {
        self.placed().number
    }
}
