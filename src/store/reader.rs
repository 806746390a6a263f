//! Answers questions from a store's files, whoever writes to them meanwhile, and whether anybody does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ask::{AskError, Line, Order, Page, Question, Records, Stop, Total};
use super::error::Error;
use super::file;
use super::opened::{Candidate, Opened, Picked};
use super::plan::Plan;
use crate::filter::{ByName, Expression};

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
    idle: Mutex<Vec<Opened>>,
}

impl Reader {
    /// Of the store in this folder; nothing is opened until something is asked.
    pub fn new(folder: &Path) -> Reader {
        Reader { folder: folder.to_owned(), idle: Mutex::new(Vec::new()) }
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

    fn give_back(&self, segments: Vec<Opened>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.is_empty() {
            idle.extend(segments.into_iter().rev().take(MAX_OPEN));
        }
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
        let (segments, troubles) = self.segments()?;
        let mut search = Search::new(question, &segments, stop);
        search.troubles = troubles;
        search.look();
        let page = search.page();
        self.give_back(segments);
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
    plan: Plan,
    segments: &'a [Opened],
    stop: Stop<'a>,
    /// The first ones, the last of them on top.
    first: BinaryHeap<Reverse<Found>>,
    reach: usize,
    count: u64,
    seen: usize,
    stopped: bool,
    troubles: Vec<String>,
}

impl<'a> Search<'a> {
    fn new(question: &'a Question, segments: &'a [Opened], stop: Stop<'a>) -> Search<'a> {
        let plan = Plan::new(&question.filter, question.since, question.until);
        let reach = question.skip.saturating_add(question.limit).min(MAX_REACH);
        let first = BinaryHeap::new();
        let troubles = Vec::new();
        Search { question, plan, segments, stop, first, reach, count: 0, seen: 0, stopped: false, troubles }
    }

    fn is_newest(&self) -> bool {
        self.question.order == Order::Newest
    }

    fn rank(&self, at: u64, segment: u64, number: u64) -> Rank {
        let key = [at, segment, number];
        Rank(if self.is_newest() { key } else { key.map(|part| !part) })
    }

    /// The best place that a line of a block can have.
    fn best(&self, block: &Candidate) -> Rank {
        let at = if self.is_newest() { block.newest } else { !block.oldest };
        Rank([at, u64::MAX, u64::MAX])
    }

    fn look(&mut self) {
        let mut blocks = self.blocks();
        blocks.sort_by_key(|(segment, block)| Reverse((self.best(block), *segment, block.id)));
        let mut picked: Vec<Option<Picked>> = self.segments.iter().map(|_| None).collect();
        let mut broken = vec![false; self.segments.len()];
        for (segment, block) in blocks {
            let is_done = self.is_behind(&block) && self.count > self.question.count_to;
            if is_done || self.stopped {
                break;
            }
            if broken[segment] || self.count_whole(&block) {
                continue;
            }
            if let Err(error) = self.look_into(segment, &block, &mut picked[segment]) {
                broken[segment] = true;
                self.troubles.push(error.to_string());
            }
        }
    }

    fn blocks(&mut self) -> Vec<(usize, Candidate)> {
        let mut blocks = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment.begin().and_then(|()| segment.blocks(&self.plan)) {
                Ok(found) => blocks.extend(found.into_iter().map(|block| (at, block))),
                Err(error) => self.troubles.push(segment.error(error).to_string()),
            }
        }
        blocks
    }

    /// Whether all that may be in a block comes behind the lines that are wanted.
    fn is_behind(&self, block: &Candidate) -> bool {
        let is_full = self.first.len() >= self.reach;
        is_full && self.first.peek().is_none_or(|last| last.0.rank > self.best(block))
    }

    /// Where every record is meant, those of a block need not be looked at to be counted.
    fn count_whole(&mut self, block: &Candidate) -> bool {
        let is_any = matches!(self.question.filter.root(), crate::filter::Node::All(nodes) if nodes.is_empty());
        let is_within = block.oldest >= self.plan.since && self.plan.until.is_none_or(|until| block.newest < until);
        let counts = is_any && is_within && self.is_behind(block);
        self.count += if counts { block.lines } else { 0 };
        counts
    }

    fn look_into(&mut self, at: usize, block: &Candidate, picked: &mut Option<Picked>) -> Result<(), Error> {
        let segment = &self.segments[at];
        let plan = std::mem::take(&mut self.plan);
        let chosen = match picked.take() {
            Some(picked) => Ok(picked),
            None => segment.pick(&plan).map_err(|error| segment.error(error)),
        };
        let newest = self.is_newest();
        let looked = chosen.and_then(|chosen| {
            let chosen = picked.insert(chosen);
            segment.rows(block.id, &plan, chosen, newest, |row, file, lexicon| {
                let lines = row.lines(file, lexicon).ok_or_else(|| format!("record {} makes no sense", row.id))?;
                for line in &lines {
                    if plan.is_in_time(line.at) && self.question.filter.matches(&ByName(line)) {
                        self.add(at, segment.number, row.id, line.at, line.number);
                    }
                }
                Ok(self.goes_on())
            })
        });
        self.plan = plan;
        looked.map(drop)
    }

    fn add(&mut self, segment: usize, segment_number: u64, row: i64, at: u64, number: u64) {
        self.count += 1;
        let rank = self.rank(at, segment_number, number);
        let is_full = self.first.len() >= self.reach;
        if is_full && self.first.peek().is_none_or(|last| last.0.rank > rank) {
            return;
        }
        self.first.push(Reverse(Found { rank, segment, row, number }));
        if is_full {
            self.first.pop();
        }
    }

    fn goes_on(&mut self) -> bool {
        self.seen += 1;
        if self.seen.is_multiple_of(STRIDE) && (self.stop)() {
            self.stopped = true;
        }
        !self.stopped
    }

    /// What was found, read once more.
    fn page(mut self) -> Page {
        let mut found: Vec<Found> = std::mem::take(&mut self.first).into_iter().map(|found| found.0).collect();
        found.sort_unstable_by_key(|found| Reverse(found.rank));
        let mut page = Page { partial: self.stopped, ..Page::default() };
        for found in found.iter().skip(self.question.skip).take(self.question.limit) {
            let segment = &self.segments[found.segment];
            let read = segment.row(found.row, |row, file, lexicon| {
                let lines = row.lines(file, lexicon)?;
                let line = lines.iter().find(|line| line.number == found.number)?;
                Some(Line { at: line.at, json: line.json() })
            });
            match read {
                Ok(line) => page.lines.extend(line),
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
        for segment in self.segments {
            // A segment that cannot be left cannot have been begun, which was told.
            let _ = segment.end();
        }
        page.total = match self.count {
            count if count > self.question.count_to => Total::AtLeast(self.question.count_to),
            count if self.stopped => Total::AtLeast(count),
            count => Total::Exact(count),
        };
        page.troubles = self.troubles;
        page
    }
}
