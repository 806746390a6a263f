//! Lines in chunks that are shared with whoever reads them; the oldest chunk makes room for the newest.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Held;
use crate::store::ask::Line;

/// Lines of a chunk at most.
const CHUNK: usize = 256;
/// Of a ring, a chunk is at most this part, so that little is thrown away at once.
const PARTS: usize = 16;

/// The newest lines, numbered from 1 in the order in which they came.
#[derive(Debug)]
pub(super) struct Ring {
    most_lines: usize,
    most_bytes: usize,
    chunks: VecDeque<Arc<Chunk>>,
    held: Held,
    /// The number of the newest line; 0 before the first.
    newest: u64,
}

/// Lines whose numbers follow one another.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    first: u64,
    bytes: usize,
    lines: Vec<Line>,
}

/// A line where it lies, and its number.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    chunk: Arc<Chunk>,
    place: usize,
}

impl Ring {
    pub(super) fn of(most_lines: usize, most_bytes: usize) -> Ring {
        Ring { most_lines: most_lines.max(1), most_bytes, chunks: VecDeque::new(), held: Held::default(), newest: 0 }
    }

    pub(super) fn push(&mut self, line: Line) {
        let bytes = line.json.len();
        self.newest += 1;
        self.held.lines += 1;
        self.held.bytes += bytes;
        let most = (self.most_lines / PARTS).clamp(1, CHUNK);
        let has_room = |chunk: &&mut Chunk| {
            chunk.lines.len() < most && chunk.bytes.saturating_add(bytes) <= self.most_bytes / PARTS
        };
        // Nobody reads it.
        match self.chunks.back_mut().and_then(Arc::get_mut).filter(has_room) {
            Some(chunk) => {
                chunk.bytes += bytes;
                chunk.lines.push(line);
            }
            None => self.chunks.push_back(Arc::new(Chunk { first: self.newest, bytes, lines: vec![line] })),
        }
        self.evict();
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

    /// Whole chunks go. A line that is longer than all that may be held goes at once.
    fn evict(&mut self) {
        while (self.held.lines > self.most_lines || self.held.bytes > self.most_bytes)
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.held.lines -= oldest.lines.len();
            self.held.bytes -= oldest.bytes;
            self.held.evicted += oldest.lines.len() as u64;
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
        self.first + self.lines.len() as u64 - 1
    }
}

/// The lines of a chunk.
pub(super) fn lines(chunk: &Arc<Chunk>) -> impl Iterator<Item = Numbered> {
    (0..chunk.lines.len()).map(|place| Numbered { chunk: Arc::clone(chunk), place })
}

impl Numbered {
    pub(super) fn line(&self) -> &Line {
        &self.chunk.lines[self.place]
    }

    pub(super) fn at(&self) -> u64 {
        self.line().at
    }

    pub(super) fn json(&self) -> &str {
        &self.line().json
    }

    pub(super) fn number(&self) -> u64 {
        self.chunk.first + self.place as u64
    }
}
