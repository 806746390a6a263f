//! Lines in chunks that are shared with whoever reads them; the oldest chunk makes room for the newest.
//!
//! Nothing of a line is read when it is kept: under load that would cost more than all else that is done with it, for lines
//! that are mostly gone before anybody asks. A chunk is read when it is first looked at.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use super::Held;
use super::line::moment;
use crate::store::ask::Line;
use crate::store::moment::Moments;

/// Bytes of a chunk that small batches fill together; a larger batch is one by itself. The memory of a batch of lines is as
/// large, so that the allocator has one kind of pages for both.
const CHUNK: usize = 512 << 10;
/// From here on lines are put into the memory of a chunk that had to go: memory from the kernel is cleared first, which
/// costs more than the copy. Fewer lines would hold much more memory than is counted for them.
const REUSED_FROM: usize = CHUNK / 16;
/// Of a ring, a chunk is at most this part, so that little is thrown away at once.
const PARTS: usize = 16;

/// The newest lines, numbered from 1 in the order in which they came.
#[derive(Debug)]
pub(super) struct Ring {
    most_lines: u64,
    most_bytes: usize,
    chunks: VecDeque<Arc<Chunk>>,
    held: Held,
    /// The number of the newest line; 0 before the first.
    newest: u64,
    /// Memory of the last chunk that went.
    spare: Vec<u8>,
}

/// Lines that somebody else keeps, and shows when they are looked at.
pub trait Kept: Debug + Send + Sync {
    /// All of them, each ended by `\n`.
    fn text(&self) -> Vec<u8>;
}

/// Lines whose numbers follow one another.
#[derive(Debug)]
pub(super) struct Chunk {
    first: u64,
    count: u64,
    bytes: usize,
    lines: Lines,
    records: OnceLock<Records>,
}

#[derive(Debug)]
enum Lines {
    Here(Vec<u8>),
    Elsewhere(Box<dyn Kept>),
}

/// What stands in a chunk.
#[derive(Debug)]
struct Records {
    /// The lines, where they were elsewhere.
    text: Vec<u8>,
    placed: Vec<Placed>,
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
            held: Held::default(),
            newest: 0,
            spare: Vec::new(),
        }
    }

    /// Takes lines, each ended by `\n`.
    pub(super) fn push(&mut self, lines: &[u8], count: u64) {
        let (most, chunk) = ((self.most_lines / PARTS as u64).max(1), CHUNK.min(self.most_bytes / PARTS));
        let has_room =
            |last: &&mut Chunk| last.count + count <= most && last.bytes.saturating_add(lines.len()) <= chunk;
        // Nobody reads it.
        match self.chunks.back_mut().and_then(Arc::get_mut).filter(has_room) {
            Some(Chunk { lines: Lines::Here(text), bytes, count: counted, records, .. }) => {
                text.extend_from_slice(lines);
                *bytes += lines.len();
                *counted += count;
                records.take();
                self.note(count, lines.len());
            }
            _ => {
                let text = self.copy(lines, chunk);
                self.push_chunk(Lines::Here(text), count, lines.len());
            }
        }
    }

    /// Where the last chunk is full, the next one will be, and has its memory at once. Where somebody reads it, there may be
    /// many small ones.
    fn copy(&mut self, lines: &[u8], chunk: usize) -> Vec<u8> {
        let is_full = self.chunks.back().is_none_or(|last| last.bytes + lines.len() > chunk);
        if !is_full && lines.len() < REUSED_FROM {
            return lines.to_vec();
        }
        let mut text = std::mem::take(&mut self.spare);
        text.clear();
        text.reserve_exact(chunk.max(lines.len()));
        text.extend_from_slice(lines);
        text
    }

    /// Takes so many lines of so many bytes that somebody else keeps.
    pub(super) fn push_kept(&mut self, lines: Box<dyn Kept>, count: u64, bytes: usize) {
        self.push_chunk(Lines::Elsewhere(lines), count, bytes);
    }

    fn push_chunk(&mut self, lines: Lines, count: u64, bytes: usize) {
        let (first, records) = (self.newest + 1, OnceLock::new());
        self.chunks.push_back(Arc::new(Chunk { first, count, bytes, lines, records }));
        self.note(count, bytes);
    }

    fn note(&mut self, count: u64, bytes: usize) {
        self.newest += count;
        self.held.lines += count;
        self.held.bytes += bytes;
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

    /// Whole chunks go. Lines that are longer than all that may be held go at once.
    fn evict(&mut self) {
        while (self.held.lines > self.most_lines || self.held.bytes > self.most_bytes)
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.held.lines -= oldest.count;
            self.held.bytes -= oldest.bytes;
            self.held.evicted += oldest.count;
            self.reuse(oldest);
        }
    }

    /// Keeps the memory of a chunk that nobody looks at.
    fn reuse(&mut self, gone: Arc<Chunk>) {
        if let Some(Chunk { lines: Lines::Here(text), .. }) = Arc::into_inner(gone)
            && (REUSED_FROM..=2 * CHUNK).contains(&text.capacity())
        {
            self.spare = text;
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
        &self.read().placed
    }

    fn read(&self) -> &Records {
        self.records.get_or_init(|| match &self.lines {
            Lines::Here(text) => Records { placed: place(text, self.first), text: Vec::new() },
            Lines::Elsewhere(kept) => {
                let text = kept.text();
                Records { placed: place(&text, self.first), text }
            }
        })
    }

    /// What its lines are in, where they are here.
    #[cfg(test)]
    pub(super) fn memory(&self) -> &Vec<u8> {
        match &self.lines {
            Lines::Here(text) => text,
            Lines::Elsewhere(_) => &self.read().text,
        }
    }

    fn text(&self) -> &[u8] {
        match &self.lines {
            Lines::Here(text) => text,
            Lines::Elsewhere(_) => &self.read().text,
        }
    }
}

/// The records of lines that are numbered from `first` on.
fn place(text: &[u8], first: u64) -> Vec<Placed> {
    let (mut moments, mut start) = (Moments::default(), 0);
    let placed = |(end, number)| {
        let line = std::mem::replace(&mut start, end + 1)..end;
        let at = moment(std::str::from_utf8(&text[line.clone()]).ok()?, &mut moments)?;
        Some(Placed { at, number, start: line.start, end: line.end })
    };
    memchr::memchr_iter(b'\n', text).zip(first..).filter_map(placed).collect()
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
        std::str::from_utf8(&self.chunk.text()[*start..*end]).unwrap_or_default()
    }

    pub(super) fn number(&self) -> u64 {
        self.placed().number
    }
}
