//! Answers questions from a store's files, whoever writes to them meanwhile, and whether anybody does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::ask::{AskError, Line, Order, Page, Question, Records, Stop, Total};
use super::error::Error;
use super::file;
use super::matching::{Match, Matching};
use super::opened::{Candidate, Opened};
use super::rollup::Pending;
use super::writer::Writer;
use crate::filter::Expression;

/// Segments that stay open between questions.
const MAX_OPEN: usize = 64;
/// Lines that are kept in order while a question is looked into; pages beyond are empty.
const MAX_REACH: usize = 1 << 20;
/// Rows between two looks at whether to go on.
const STRIDE: usize = 256;

/// Reads a store. Questions may be asked from several threads at a time.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// What the writer has counted and not saved, where it is in this process.
    pending: Option<Arc<Mutex<Pending>>>,
    idle: Mutex<Vec<Opened>>,
}

impl Reader {
    /// Of the store in this folder; nothing is opened until something is asked.
    pub fn new(folder: &Path) -> Reader {
        Reader { folder: folder.to_owned(), pending: None, idle: Mutex::new(Vec::new()) }
    }

    /// Of the store that a writer in this process has: what it has not saved yet need not be counted again.
    pub fn beside(writer: &Writer) -> Reader {
        Reader { pending: Some(writer.pending()), ..Reader::new(writer.path()) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn pending(&self) -> Option<&Mutex<Pending>> {
        self.pending.as_deref()
    }

    /// The segments as they are now, and those that cannot be read.
    pub(super) fn segments(&self) -> Result<(Vec<Opened>, Vec<String>), AskError> {
        let listed = file::list(&self.folder).map_err(unreadable)?;
        let mut idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        idle.retain(|segment| listed.contains(&(segment.number, segment.form)));
        let (mut segments, mut troubles) = (Vec::new(), Vec::new());
        for (number, form) in listed {
            match idle.iter().position(|segment| (segment.number, segment.form) == (number, form)) {
                Some(at) => segments.push(idle.swap_remove(at)),
                None => match Opened::open_or_sealed(&self.folder, number, form) {
                    Ok(segment) => segments.extend(segment),
                    Err(error) => troubles.push(error.to_string()),
                },
            }
        }
        Ok((segments, troubles))
    }

    pub(super) fn give_back(&self, segments: Vec<Opened>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.is_empty() {
            idle.extend(segments.into_iter().rev().take(MAX_OPEN));
        }
    }
}

/// Segments as they are at one moment, whatever is written meanwhile.
#[derive(Debug)]
pub(super) struct Moment(pub(super) Vec<Opened>);

impl Moment {
    /// Leaves out those that cannot be held still.
    pub(super) fn of(mut segments: Vec<Opened>, troubles: &mut Vec<String>) -> Moment {
        segments.retain(|segment| {
            let begun = segment.begin().map_err(|error| segment.error(error).to_string());
            let failed = begun.err();
            let is_begun = failed.is_none();
            troubles.extend(failed);
            is_begun
        });
        Moment(segments)
    }

    /// They go on; one that does not is opened anew the next time.
    pub(super) fn end(mut self) -> Vec<Opened> {
        self.0.retain(|segment| segment.end().is_ok());
        self.0
    }
}

fn unreadable(error: Error) -> AskError {
    match error {
        Error::Disk { path, source } => AskError::Unreadable { path, source },
        error => AskError::Broken { path: String::new(), why: error.to_string() },
    }
}

impl Records for Reader {
    fn search(&self, question: &Question, stop: Stop<'_>) -> Result<Page, AskError> {
        let (segments, mut troubles) = self.segments()?;
        let segments = Moment::of(segments, &mut troubles);
        let mut search = Search::new(question, &segments.0, stop);
        search.troubles = troubles;
        search.look();
        let page = search.page();
        self.give_back(segments.end());
        Ok(page)
    }

    fn request(&self, request_id: &str, limit: usize, stop: Stop<'_>) -> Result<Page, AskError> {
        let quoted = request_id.replace('\\', "\\\\").replace('"', "\\\"");
        // What no expression can say is no id of any request.
        let Ok(filter) = Expression::parse(&format!("request_id:\"{quoted}\"")) else { return Ok(Page::default()) };
        let (since, until, order) = (None, None, Order::Oldest);
        let question = Question { filter, since, until, order, skip: 0, limit, count_to: limit as u64 };
        self.search(&question, stop)
    }
}

/// The place of a line in the order that was asked for: what comes first is greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank([u64; 3]);

/// A line that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    rank: Rank,
    segment: usize,
    row: i64,
    number: u64,
}

/// One question, looked into.
struct Search<'a> {
    question: &'a Question,
    matching: Matching<'a>,
    stop: Stop<'a>,
    ranked: Ranked,
    stopped: bool,
    troubles: Vec<String>,
}

/// The lines that come first, and how many there are.
struct Ranked {
    order: Order,
    /// The last of them on top.
    first: BinaryHeap<Reverse<Found>>,
    reach: usize,
    count: u64,
}

impl Ranked {
    fn rank(&self, at: u64, segment: u64, number: u64) -> Rank {
        let key = [at, segment, number];
        Rank(if self.order == Order::Newest { key } else { key.map(|part| !part) })
    }

    /// The best place that a line of a block can have.
    fn best(&self, block: &Candidate) -> Rank {
        let at = if self.order == Order::Newest { block.newest } else { !block.oldest };
        Rank([at, u64::MAX, u64::MAX])
    }

    /// Whether nothing of this rank is among the first.
    fn is_behind(&self, rank: Rank) -> bool {
        let is_full = self.first.len() >= self.reach;
        is_full && self.first.peek().is_none_or(|last| last.0.rank > rank)
    }

    fn add(&mut self, found: &Match<'_, '_>) {
        self.count += 1;
        let rank = self.rank(found.line.at, found.number, found.line.number);
        if self.is_behind(rank) {
            return;
        }
        let is_full = self.first.len() >= self.reach;
        let Match { segment, row, line, .. } = *found;
        self.first.push(Reverse(Found { rank, segment, row, number: line.number }));
        if is_full {
            self.first.pop();
        }
    }
}

impl<'a> Search<'a> {
    fn new(question: &'a Question, segments: &'a [Opened], stop: Stop<'a>) -> Search<'a> {
        let matching = Matching::new(&question.filter, question.since, question.until, segments);
        let reach = question.skip.saturating_add(question.limit).min(MAX_REACH);
        let ranked = Ranked { order: question.order, first: BinaryHeap::new(), reach, count: 0 };
        Search { question, matching, stop, ranked, stopped: false, troubles: Vec::new() }
    }

    fn look(&mut self) {
        let Search { question, matching, stop, ranked, stopped, troubles } = self;
        let mut blocks = matching.blocks(troubles);
        blocks.sort_by_key(|(segment, block)| Reverse((ranked.best(block), *segment, block.id)));
        let mut seen = 0_usize;
        for (segment, block) in blocks {
            let is_behind = ranked.is_behind(ranked.best(&block));
            if *stopped || is_behind && ranked.count > question.count_to {
                break;
            }
            // Where it is known how many are meant, they need not be looked at to be counted.
            if is_behind && let Some(count) = matching.count(segment, &block) {
                ranked.count += count;
                continue;
            }
            let newest = question.order == Order::Newest;
            matching.block(
                (segment, &block),
                newest,
                troubles,
                |found| {
                    ranked.add(&found);
                    true
                },
                || {
                    seen += 1;
                    *stopped |= seen.is_multiple_of(STRIDE) && stop();
                    !*stopped
                },
            );
        }
    }

    /// What was found, read once more.
    fn page(mut self) -> Page {
        let mut found: Vec<Found> = std::mem::take(&mut self.ranked.first).into_iter().map(|found| found.0).collect();
        found.sort_unstable_by_key(|found| Reverse(found.rank));
        let mut page = Page { partial: self.stopped, ..Page::default() };
        for found in found.iter().skip(self.question.skip).take(self.question.limit) {
            let read = self.matching.segments[found.segment].row(found.row, |row, file, lexicon| {
                let lines = row.lines(file, lexicon)?;
                let line = lines.iter().find(|line| line.number == found.number && line.is_known())?;
                Some(Line { at: line.at, json: line.json() })
            });
            match read {
                Ok(Some(line)) => page.lines.push(line),
                Ok(None) => self.matching.leave_out(found.segment),
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
        page.total = match self.ranked.count {
            count if count > self.question.count_to => Total::AtLeast(self.question.count_to),
            count if self.stopped => Total::AtLeast(count),
            count => Total::Exact(count),
        };
        page.troubles = self.troubles;
        page.troubles.extend(self.matching.left_out());
        page
    }
}
