//! Records are copied out of a store in the order of time, however many there are.
//!
//! Blocks of rows are read in the order of their oldest lines. A line waits until no block that is still to come can hold an
//! earlier one; blocks of sealed segments hardly overlap, so that few lines wait at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use crate::filter::Expression;
use crate::store::ask::{AskError, Line, Stop};
use crate::store::matching::{Match, Matching};
use crate::store::opened::Candidate;
use crate::store::reader::Reader;

/// Bytes of lines that wait as they will be written; of what waits beyond, only the place is known, and it is read again.
const MAX_WAITING: usize = 64 << 20;

/// Which records are wanted: those of a [`Question`](crate::store::Question), all of them.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which of them.
    pub filter: Expression,
    /// Microseconds since the Unix epoch: none that is older.
    pub since: Option<u64>,
    /// Microseconds since the Unix epoch: only what is older than this.
    pub until: Option<u64>,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// So many records.
    pub lines: u64,
    /// Whether it was told to stop before the end.
    pub partial: bool,
    /// What could not be read, each with its name.
    pub troubles: Vec<String>,
}

/// Why nothing more is copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store does not answer at all.
    #[error(transparent)]
    Store(#[from] AskError),
    /// Whoever is given the records cannot take more.
    #[error("the records cannot be written: {0}")]
    Output(#[source] io::Error),
}

/// Gives each record that is wanted to `each`, the oldest first, as a search for [`Order::Oldest`](crate::store::Order) has
/// them. What is stored meanwhile is not among them.
///
/// # Errors
/// When there is no such store, or `each` fails; what only lacks a part is [`Exported::troubles`].
pub fn export(
    folder: &Path,
    selection: &Selection,
    stop: Stop<'_>,
    each: &mut dyn FnMut(&Line) -> io::Result<()>,
) -> Result<Exported, ExportError> {
    let (segments, troubles) = Reader::new(folder).segments()?;
    let matching = Matching::new(&selection.filter, selection.since, selection.until, &segments);
    let exported = Exported { troubles, ..Exported::default() };
    let mut sweep = Sweep { matching, waiting: BinaryHeap::new(), bytes: 0, exported };
    sweep.all(stop, each)?;
    sweep.exported.troubles.extend(sweep.matching.left_out());
    Ok(sweep.exported)
}

/// A line that waits for those that may be older.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    /// Its moment, its segment's number and its own: the order of records.
    rank: [u64; 3],
    segment: usize,
    row: i64,
    json: Option<Box<str>>,
}

struct Sweep<'a> {
    matching: Matching<'a>,
    /// The oldest on top.
    waiting: BinaryHeap<Reverse<Waiting>>,
    bytes: usize,
    exported: Exported,
}

impl Sweep<'_> {
    fn all(&mut self, stop: Stop<'_>, each: &mut dyn FnMut(&Line) -> io::Result<()>) -> Result<(), ExportError> {
        // What is stored from here on is left out.
        let last: Vec<i64> =
            self.matching.segments.iter().map(|segment| segment.last_row().unwrap_or_default()).collect();
        let mut blocks = self.matching.blocks(&mut self.exported.troubles);
        blocks.sort_by_key(|(segment, block)| (block.oldest, *segment, block.id));
        for (at, (segment, block)) in blocks.iter().enumerate() {
            if stop() {
                self.exported.partial = true;
                break;
            }
            self.read((*segment, block), last[*segment]);
            self.give(blocks.get(at + 1).map_or(u64::MAX, |(_, next)| next.oldest), each)?;
        }
        self.give(u64::MAX, each)
    }

    fn read(&mut self, block: (usize, &Candidate), last: i64) {
        let Sweep { matching, waiting, bytes, exported } = self;
        let each = |found: Match<'_, '_>| {
            let Match { segment, number, row, line } = found;
            let (is_old, is_known) = (row <= last, line.is_known());
            if is_old && is_known {
                let json = (*bytes < MAX_WAITING).then(|| line.json());
                *bytes += json.as_ref().map_or(0, |json| json.len());
                waiting.push(Reverse(Waiting { rank: [line.at, number, line.number], segment, row, json }));
            }
            is_known
        };
        matching.block(block, false, &mut exported.troubles, each, || true);
    }

    /// Gives what is older than this moment.
    fn give(&mut self, before: u64, each: &mut dyn FnMut(&Line) -> io::Result<()>) -> Result<(), ExportError> {
        while self.waiting.peek().is_some_and(|first| first.0.rank[0] < before)
            && let Some(Reverse(mut first)) = self.waiting.pop()
        {
            self.bytes -= first.json.as_ref().map_or(0, |json| json.len());
            let json = first.json.take().map_or_else(|| self.read_again(&first), Some);
            if let Some(json) = json {
                each(&Line { at: first.rank[0], json }).map_err(ExportError::Output)?;
                self.exported.lines += 1;
            }
        }
        Ok(())
    }

    fn read_again(&mut self, waiting: &Waiting) -> Option<Box<str>> {
        let read = self.matching.segments[waiting.segment].row(waiting.row, |row, file, lexicon| {
            let lines = row.lines(file, lexicon)?;
            lines.iter().find(|line| line.number == waiting.rank[2]).map(|line| line.json())
        });
        match read {
            Ok(None) => self.matching.leave_out(waiting.segment),
            Ok(json) => return json,
            Err(error) => self.exported.troubles.push(error.to_string()),
        }
        None
    }
}
