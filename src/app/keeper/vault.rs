//! The way into the store: lines that wait for it, lines that it has taken and not committed yet, and what goes wrong.
//!
//! Another process may still write to the store ([`Neighbour`]), or the disk may be full: what comes meanwhile waits, up to a
//! limit, and what comes beyond it is lost. A transaction that fails loses its lines, no others. Both are counted, and told
//! once the store takes lines again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::super::StartError;
use super::breath::Breath;
use super::stream::Chunk;
use crate::pipeline::announce::PROXY_LOGGER;
use crate::pipeline::{Health, Port, Queue, Reason};
use crate::sinks::Neighbour;
use crate::sinks::delivery::Gap;
use crate::sinks::pause::{self, Pause};
use crate::sinks::trouble::Trouble;
use crate::store::{Error, Lost, Reader, Settings, Writer, Written};
use crate::time;

/// Bytes that may wait for the store.
const WAITING: usize = 64 << 20;
/// How often it is looked whether a batch is old enough to be committed.
const LOOK: Duration = Duration::from_millis(100);
/// How long it is tried to store what waits when the process ends, and how often.
const LAST_WORDS: Duration = Duration::from_secs(4);
const RETRY: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub(super) struct Vault {
    settings: Settings,
    /// None until the store can be opened.
    writer: Option<Writer>,
    neighbour: Neighbour,
    health: Arc<Health>,
    trouble: Trouble,
    pause: Pause,
    /// Why nothing is stored just now, if it is because something went wrong.
    failing: Option<Reason>,
    /// What was not taken yet.
    waiting: VecDeque<Chunk>,
    waiting_bytes: usize,
    /// What was taken, and is not committed.
    taken: VecDeque<Mark>,
    /// What the writer has said last.
    written: Written,
    /// What is lost, and was not told yet.
    lost: Vec<Gap>,
    breath: Breath,
}

/// Lines that were taken.
#[derive(Debug)]
struct Mark {
    first: u64,
    last: u64,
    /// How many of them are neither stored nor lost.
    left: u64,
    bytes: u64,
    tells: Option<Gap>,
}

impl Vault {
    /// Opens the store. While the neighbour has it, or the disk is full, it is tried again and again.
    ///
    /// # Errors
    /// A store that cannot be opened for another reason.
    pub(super) fn open(settings: &Settings, port: &Port, neighbour: Neighbour) -> Result<Vault, StartError> {
        let mut vault = Vault {
            settings: settings.clone(),
            writer: None,
            neighbour,
            health: Arc::clone(&port.health),
            trouble: Trouble::new(port),
            pause: Pause::new(pause::LONGEST),
            failing: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            taken: VecDeque::new(),
            written: Written::default(),
            lost: Vec::new(),
            breath: Breath::of(port),
        };
        match vault.try_open() {
            Err(Error::Taken { .. }) if vault.neighbour.is_there() => {}
            Err(error @ Error::Full { .. }) => vault.fail("cannot open the store", &error),
            opened => opened?,
        }
        Ok(vault)
    }

    /// Whoever answers from it.
    pub(super) fn reader(&self) -> Reader {
        self.writer.as_ref().map_or_else(|| Reader::new(&self.settings.path), Reader::beside)
    }

    /// Takes lines, or has them wait; gives those back whose memory it does not need.
    pub(super) fn take(&mut self, chunk: Chunk) -> Option<Chunk> {
        if self.is_well() {
            self.ingest(&chunk);
            return Some(chunk);
        }
        if self.waiting_bytes > 0 && self.waiting_bytes + chunk.text.len() > WAITING {
            let cause = self.failing.unwrap_or(Reason::QueueFull);
            self.lose(&Mark::of(&chunk), cause);
            return Some(chunk);
        }
        self.waiting_bytes += chunk.text.len();
        self.waiting.push_back(chunk);
        None
    }

    /// Whether what comes is taken at once.
    pub(super) fn is_well(&self) -> bool {
        self.writer.is_some() && self.failing.is_none() && self.waiting.is_empty()
    }

    /// Whether the store could be opened.
    pub(super) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Looks after what waits, and after what has waited long enough to be committed.
    pub(super) fn tick(&mut self) {
        if self.pause.left().is_some() {
            return;
        }
        if self.writer.is_none() {
            self.open_again();
        }
        self.take_waiting();
        if let Some(writer) = &mut self.writer {
            let ticked = writer.tick(time::wall_now());
            tell_troubles(writer);
            self.settle(ticked);
        }
    }

    /// How long [`Vault::tick`] can wait.
    pub(super) fn patience(&self) -> Duration {
        match self.is_well() {
            true if self.taken.is_empty() => Duration::MAX,
            true => LOOK,
            false => self.pause.left().unwrap_or(RETRY),
        }
    }

    /// What has been lost since this was asked last.
    pub(super) fn lost(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.lost)
    }

    /// Stores what there is, and gives up what cannot be stored within a few seconds after the queue was closed.
    pub(super) fn store_all(&mut self, queue: &Queue) {
        self.tick();
        while !self.waiting.is_empty() && !queue.is_closed_since(LAST_WORDS) {
            std::thread::sleep(RETRY);
            self.tick();
        }
        let committed = self.writer.as_mut().map(Writer::commit);
        committed.into_iter().for_each(|committed| self.settle(committed));
        let late: Vec<Chunk> = self.waiting.drain(..).collect();
        let reason = self.failing.unwrap_or(Reason::Shutdown);
        late.iter().for_each(|chunk| self.lose(&Mark::of(chunk), reason));
        if !late.is_empty() {
            self.trouble.lost(late.iter().map(|chunk| chunk.lines).sum());
        }
    }

    /// Whoever waits for the store may have it.
    pub(super) fn close(self) {
        drop(self.writer);
    }

    fn try_open(&mut self) -> Result<(), Error> {
        let mut writer = Writer::open(self.settings.clone())?;
        writer.start_upkeep()?;
        (self.writer, self.written) = (Some(writer), Written::default());
        self.works();
        Ok(())
    }

    fn open_again(&mut self) {
        match self.try_open() {
            Ok(()) => {}
            Err(Error::Taken { .. }) if self.neighbour.is_there() => self.pause.begin(),
            Err(error) => self.fail("cannot open the store", &error),
        }
    }

    /// After a failure one batch shows whether it is over. What the disk has no room for goes on waiting.
    fn take_waiting(&mut self) {
        while self.pause.left().is_none()
            && let Some(writer) = &mut self.writer
            && let Some(chunk) = self.waiting.pop_front()
        {
            let probed =
                self.failing.map(|_| writer.ingest(&chunk.text, time::wall_now()).and_then(|_| writer.commit()));
            match probed {
                Some(Err(Lost { source: error @ Error::Full { .. }, .. })) => {
                    self.written = writer.written();
                    self.waiting.push_front(chunk);
                    return self.fail("cannot store", &error);
                }
                Some(outcome) => {
                    self.taken.push_back(Mark::of(&chunk));
                    self.settle(outcome);
                }
                None => self.ingest(&chunk),
            }
            self.waiting_bytes -= chunk.text.len();
        }
    }

    fn ingest(&mut self, chunk: &Chunk) {
        self.taken.push_back(Mark::of(chunk));
        for piece in pieces(&chunk.text) {
            let Some(writer) = self.writer.as_mut().filter(|_| self.failing.is_none()) else { return };
            let outcome = writer.ingest(piece, time::wall_now());
            self.settle(outcome);
            self.breath.take();
        }
    }

    /// Learns what became of what was taken: what was not committed is lost where something went wrong.
    fn settle(&mut self, outcome: Result<Written, Lost>) {
        let Some(writer) = &self.writer else { return };
        let before = std::mem::replace(&mut self.written, writer.written());
        self.count_refused(self.written.refused - before.refused);
        self.count_durable(self.written.durable - before.durable);
        if let Err(Lost { source, .. }) = outcome {
            let reason = reason(&source);
            std::mem::take(&mut self.taken).iter().for_each(|mark| self.lose(mark, reason));
            self.fail("cannot store", &source);
        }
    }

    fn count_durable(&mut self, mut lines: u64) {
        if lines == 0 {
            return;
        }
        let mut bytes = 0;
        self.health.count_written(lines, 0);
        while let Some(mark) = self.taken.front_mut().filter(|mark| mark.left <= lines) {
            (lines, bytes) = (lines - mark.left, bytes + mark.bytes);
            self.taken.pop_front();
        }
        self.taken.front_mut().into_iter().for_each(|mark| mark.left -= lines);
        self.health.count_written(0, bytes);
        self.works();
    }

    /// Lines that the store does not take for records. Which of those that came last is not known.
    fn count_refused(&mut self, mut lines: u64) {
        self.health.count_dropped(Reason::Rejected, lines);
        for mark in self.taken.iter_mut().rev() {
            let count = lines.min(mark.left);
            if count > 0 {
                self.lost.push(Gap { from: mark.first, to: mark.last, count, reason: Reason::Rejected });
            }
            (mark.left, lines) = (mark.left - count, lines - count);
        }
    }

    /// Those that were not stored yet, and what they were to tell.
    fn lose(&mut self, mark: &Mark, reason: Reason) {
        if mark.left > 0 {
            self.health.count_dropped(reason, mark.left);
            self.lost.extend(mark.tells);
            let from = (mark.last + 1).saturating_sub(mark.left).max(mark.first);
            self.lost.push(Gap { from, to: mark.last, count: mark.left, reason });
        }
    }

    fn fail(&mut self, what: &str, error: &Error) {
        self.trouble.failed(what, error);
        self.failing = Some(reason(error));
        self.pause.begin();
    }

    fn works(&mut self) {
        self.trouble.over();
        self.failing = None;
        self.pause.end();
    }
}

impl Mark {
    fn of(chunk: &Chunk) -> Mark {
        let Chunk { first, lines, tells, .. } = *chunk;
        Mark { first, last: first + lines.saturating_sub(1), left: lines, bytes: chunk.text.len() as u64, tells }
    }
}

/// Whole lines, about as many as are stored in the tenth part of a millisecond.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const PIECE: usize = 16 << 10;
    std::iter::from_fn(move || {
        let end = text.get(PIECE..).and_then(|rest| memchr::memchr(b'\n', rest));
        let (piece, rest) = text.split_at(end.map_or(text.len(), |end| PIECE + end + 1));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Files that were set aside, and the like.
fn tell_troubles(writer: &mut Writer) {
    // While the process still starts there is nobody to tell yet.
    if tracing::dispatcher::has_been_set() {
        for error in writer.troubles() {
            tracing::warn!(target: PROXY_LOGGER, error, "the store has trouble with one of its files");
        }
    }
}

/// A full disk is worth telling apart: it may well pass.
fn reason(error: &Error) -> Reason {
    match error {
        Error::Full { .. } => Reason::DiskFull,
        _ => Reason::WriteFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_whole_lines_and_all_of_them(lengths in prop::collection::vec(0..40_000_usize, 0..20)) {
            let lines: Vec<String> = lengths.iter().map(|length| "x".repeat(*length) + "\n").collect();
            let text = lines.concat();
            let pieces: Vec<&[u8]> = pieces(text.as_bytes()).collect();
            prop_assert!(pieces.iter().all(|piece| piece.ends_with(b"\n")));
            prop_assert_eq!(pieces.concat(), text.as_bytes());
        }
    }
}
