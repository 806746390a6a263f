//! A look at all lines of all logs, by several threads.
//!
//! Each thread takes the next block of some log that no other one is reading from, and looks at its lines while others read
//! on. Where a line came is told by its log and the bytes before it, so that nothing depends on who looked at what when.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use memchr::memchr_iter;

use crate::store::Stop;

use super::blocks::{Block, Blocks};
use super::judge::Fault;
use super::troubles::Troubles;
use super::{Log, Source};

/// How a scan is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) threads: usize,
    /// Bytes of a block.
    pub(super) block: usize,
}

/// What is done with the lines.
pub(super) trait Look: Sync {
    /// What one thread has found and not yet put together with what the others have.
    type Hand;

    /// With nothing in it.
    fn hand(&self) -> Self::Hand;

    /// A line, its end included unless it is the last one.
    ///
    /// # Errors
    /// Why it is no record.
    fn line(&self, hand: &mut Self::Hand, bytes: &[u8], spot: Spot) -> Result<(), Fault>;

    /// After each block: puts together what may be, and learns what the others have found.
    fn exchange(&self, _: &mut Self::Hand) {}

    /// After the last one.
    fn put_down(&self, hand: Self::Hand);
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// Which log, in the order in which they are given.
    pub(super) log: usize,
    /// Bytes of the log before it.
    pub(super) offset: u64,
}

/// How a scan ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Whether it was told to stop.
    pub(super) is_stopped: bool,
    /// Whether a log could not be read whole.
    pub(super) has_failures: bool,
    /// What could not be read, by log and line.
    pub(super) troubles: Vec<String>,
}

/// A scan while it goes on.
pub(super) struct Scan<'s, L> {
    look: &'s L,
    stop: Stop<'s>,
    feeds: Vec<Mutex<Feed<'s>>>,
    troubles: Mutex<Troubles>,
    is_stopped: Mutex<bool>,
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

impl<'s, L: Look> Scan<'s, L> {
    pub(super) fn new(logs: &'s [Log], look: &'s L, stop: Stop<'s>, pace: Pace) -> Scan<'s, L> {
        let feed = |log| Mutex::new(Feed { log, state: State::NotBegun, block: pace.block });
        Scan {
            look,
            stop,
            feeds: logs.iter().map(feed).collect(),
            troubles: Mutex::default(),
            is_stopped: Mutex::default(),
        }
    }

    /// Scans everything, or until it is stopped.
    pub(super) fn run(self, threads: usize) -> Ended {
        thread::scope(|scope| {
            for first in 1..threads.max(1) {
                let scan = &self;
                scope.spawn(move || scan.work(first));
            }
            self.work(0);
        });
        let troubles = std::mem::take(&mut *lock(&self.troubles));
        let (is_stopped, has_failures) = (*lock(&self.is_stopped), troubles.has_failures());
        Ended { is_stopped, has_failures, troubles: troubles.tell(|log| lock(&self.feeds[log]).log.name()) }
    }

    /// What one thread does; each begins with another log, so that several are decompressed at once.
    fn work(&self, first: usize) {
        let (mut hand, mut used) = (self.look.hand(), Vec::new());
        while let Some((log, block)) = self.next(first, std::mem::take(&mut used)) {
            if (self.stop)() {
                *lock(&self.is_stopped) = true;
                break;
            }
            self.look_through(&mut hand, log, &block);
            self.look.exchange(&mut hand);
            used = block.bytes;
        }
        self.look.put_down(hand);
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
            Err(what) => lock(&self.troubles).failure(log, what),
        }
        feed.state = State::Done;
        Err(Vec::new())
    }

    fn look_through(&self, hand: &mut L::Hand, log: usize, block: &Block) {
        let mut troubles = Troubles::default();
        if block.is_too_long {
            troubles.line(log, block.line, Fault::TooLong);
        }
        let (mut begin, mut line) = (0, block.line);
        let ends = memchr_iter(b'\n', &block.bytes).map(|end| end + 1).chain([block.bytes.len()]);
        for end in ends.filter(|end| *end > 0) {
            if begin < end {
                let (bytes, offset) = (&block.bytes[begin..end], block.offset + begin as u64);
                match self.look.line(hand, bytes, Spot { log, offset }) {
                    // It is still being written.
                    Err(Fault::NoObject(_)) if !bytes.ends_with(b"\n") => {}
                    Err(fault) => troubles.line(log, line, fault),
                    Ok(()) => {}
                }
            }
            (begin, line) = (end, line + 1);
        }
        lock(&self.troubles).take(troubles);
    }
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
