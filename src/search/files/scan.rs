//! One question put to all lines of all logs, by several threads.
//!
//! Each thread takes the next block of some log that no other one is reading from, and judges its lines while others read
//! on. What it finds it puts together with the others' after each block. Where a record came is told by its log and the
//! bytes before it, so that the order does not depend on who found what when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use memchr::memchr_iter;

use crate::store::{Page, Question, Stop, Total};

use super::best::{Best, ROOM, Rank};
use super::blocks::{Block, Blocks};
use super::judge::{Fault, Judge, Verdict};
use super::troubles::Troubles;
use super::{Log, Source};

/// How a scan is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) threads: usize,
    /// Bytes of a block.
    pub(super) block: usize,
}

/// A scan while it goes on.
pub(super) struct Scan<'s> {
    question: &'s Question,
    judge: Judge<'s>,
    stop: Stop<'s>,
    feeds: Vec<Mutex<Feed<'s>>>,
    found: Mutex<Found>,
    matched: AtomicU64,
}

/// Where a log is read.
struct Feed<'s> {
    log: &'s Log,
    state: State,
    block: usize,
}

enum State {
    NotBegun,
    Reading(Blocks<Source>),
    Done,
}

/// What is known so far.
struct Found {
    best: Best,
    troubles: Troubles,
    is_stopped: bool,
}

impl<'s> Scan<'s> {
    pub(super) fn new(logs: &'s [Log], question: &'s Question, stop: Stop<'s>, pace: Pace) -> Scan<'s> {
        let feed = |log| Mutex::new(Feed { log, state: State::NotBegun, block: pace.block });
        let best = Best::new(question.skip.saturating_add(question.limit), ROOM);
        Scan {
            question,
            judge: Judge::new(question),
            stop,
            feeds: logs.iter().map(feed).collect(),
            found: Mutex::new(Found { best, troubles: Troubles::default(), is_stopped: false }),
            matched: AtomicU64::new(0),
        }
    }

    /// Scans everything, or until it is stopped.
    pub(super) fn run(self, threads: usize) -> Page {
        thread::scope(|scope| {
            for first in 1..threads.max(1) {
                let scan = &self;
                scope.spawn(move || scan.work(first));
            }
            self.work(0);
        });
        self.page()
    }

    /// What one thread does; each begins with another log, so that several are decompressed at once.
    fn work(&self, first: usize) {
        let mut used = Vec::new();
        while let Some((log, block)) = self.next(first, std::mem::take(&mut used)) {
            if (self.stop)() {
                lock(&self.found).is_stopped = true;
                return;
            }
            self.look_through(log, &block);
            used = block.bytes;
        }
    }

    /// The next block of any log.
    fn next(&self, first: usize, mut used: Vec<u8>) -> Option<(usize, Block)> {
        let order = || (first..first + self.feeds.len()).map(|at| at % self.feeds.len());
        // First what nobody else is reading from; then it is waited for.
        for waits in [false, true] {
            for log in order() {
                let feed = match (self.feeds[log].try_lock(), waits) {
                    (Ok(feed), _) => feed,
                    (Err(TryLockError::Poisoned(poisoned)), _) => poisoned.into_inner(),
                    (Err(TryLockError::WouldBlock), true) => lock(&self.feeds[log]),
                    (Err(TryLockError::WouldBlock), false) => continue,
                };
                match self.read(feed, log, used) {
                    Ok(block) => return Some((log, block)),
                    Err(unused) => used = unused,
                }
            }
        }
        None
    }

    /// The next block of a log; gives the memory back where there is none.
    fn read(&self, mut feed: MutexGuard<'_, Feed<'s>>, log: usize, used: Vec<u8>) -> Result<Block, Vec<u8>> {
        if matches!(feed.state, State::Done) {
            return Err(used);
        }
        match feed.next(used) {
            Ok(Some(block)) => return Ok(block),
            Ok(None) => {}
            Err(what) => lock(&self.found).troubles.failure(log, what),
        }
        feed.state = State::Done;
        Err(Vec::new())
    }

    fn look_through(&self, log: usize, block: &Block) {
        let mut part = self.part();
        if block.is_too_long {
            part.troubles.line(log, block.line, Fault::TooLong);
        }
        let (mut begin, mut line) = (0, block.line);
        let ends = memchr_iter(b'\n', &block.bytes).map(|end| end + 1).chain([block.bytes.len()]);
        for end in ends.filter(|end| *end > 0) {
            if begin < end {
                self.look_at(&mut part, &block.bytes[begin..end], log, block.offset + begin as u64, line);
            }
            (begin, line) = (end, line + 1);
        }
        self.matched.fetch_add(part.matched, Ordering::Relaxed);
        let mut found = lock(&self.found);
        found.best.take(&mut part.best);
        found.troubles.take(part.troubles);
    }

    /// What a block begins with: how good a record has to be by now.
    fn part(&self) -> Part {
        let bar = lock(&self.found).best.bar();
        let is_counted = self.matched.load(Ordering::Relaxed) > self.question.count_to;
        let most = self.question.skip.saturating_add(self.question.limit);
        Part { best: Best::new(most, ROOM), troubles: Troubles::default(), matched: 0, bar, is_counted }
    }

    fn look_at(&self, part: &mut Part, bytes: &[u8], log: usize, offset: u64, line: u64) {
        let rank = |at| Rank::new(self.question.order, at, log, offset);
        let is_wanted = |at| !part.is_counted || part.bar.is_none_or(|bar| rank(at) < bar);
        match self.judge.judge(bytes, is_wanted) {
            Verdict::Meant(found) => {
                part.matched += 1;
                if part.bar.is_none_or(|bar| rank(found.at) < bar) {
                    part.best.offer(rank(found.at), || found);
                }
            }
            Verdict::Other => {}
            // It is still being written.
            Verdict::Wrong(Fault::NoObject(_)) if !bytes.ends_with(b"\n") => {}
            Verdict::Wrong(fault) => part.troubles.line(log, line, fault),
        }
    }

    fn page(self) -> Page {
        let Found { best, troubles, is_stopped } = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_unread = is_stopped || troubles.has_failures();
        let matched = self.matched.into_inner();
        let mut page = Page { partial: is_unread || best.is_cut(), ..Page::default() };
        page.total = match matched {
            matched if matched > self.question.count_to => Total::AtLeast(self.question.count_to),
            matched if is_unread => Total::AtLeast(matched),
            matched => Total::Exact(matched),
        };
        page.troubles = troubles.tell(|log| self.feeds[log].lock().unwrap_or_else(PoisonError::into_inner).log.name());
        if best.is_cut() {
            page.troubles.push(format!("the page is cut: up to its end records are more than {} MB", ROOM >> 20));
        }
        page.lines = best.into_lines().skip(self.question.skip).collect();
        page
    }
}

/// What one block adds.
struct Part {
    best: Best,
    troubles: Troubles,
    matched: u64,
    bar: Option<Rank>,
    /// So many are found that counting on is worth nothing.
    is_counted: bool,
}

impl Feed<'_> {
    fn next(&mut self, used: Vec<u8>) -> Result<Option<Block>, String> {
        if let State::NotBegun = self.state {
            let source = self.log.open().map_err(|error| error.to_string())?;
            self.state = State::Reading(Blocks::new(source, self.block));
        }
        let State::Reading(blocks) = &mut self.state else { return Ok(None) };
        blocks.next(used).map_err(|error| format!("after {} lines: {error}", blocks.lines()))
    }
}

/// A thread that panicked has left nothing half done: what it had in hand is lost with it, and the panic goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
