//! The anatomy of an output that is written to as a stream of bytes: one thread that takes batches, numbers their lines
//! and writes them.
//!
//! A target that is too slow makes this writer wait in `write`, then its queue fills and records are dropped and counted;
//! requests go on. A target that fails loses records, which are counted and told with the next line that it takes, and is
//! left alone for a while ([`Pause`]). What it took half of a line is given the rest first, so that no line is ever torn.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::{Batch, Health, Load, Losses, Port, Queue, Reason, Share, Stamp};

use super::handover::{DRAIN, Handover, Started, lose, lose_all};
use super::pause::{self, Pause};
use super::sequence::Sequence;
use super::trouble::Trouble;

/// What is gathered from several batches before one `write`.
const WRITE_BYTES: usize = 256 * 1024;
/// Longest sleep without a wake-up: bounds what a missed one could cost, and how late a target looks after itself.
const PARK: Duration = Duration::from_secs(1);
/// Pause before a descriptor that others made non-blocking is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// Where the bytes go.
pub trait Target: Send + 'static {
    /// Takes bytes, not necessarily all.
    ///
    /// # Errors
    /// When it takes none.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Looks after itself; called before lines are numbered, and once a second at least. Returns whether the rest of a
    /// line that was written in part can still follow it.
    fn tend(&mut self) -> bool {
        true
    }

    /// Whether the rest of a line that the target before it at the same place took in part can follow in this one.
    fn can_go_on(&self) -> bool {
        true
    }

    /// Nothing more will come, for the process ends.
    fn finish(&mut self) {}
}

/// Starts the writer thread of an output. It ends once the queue is closed and empty, or was closed [`DRAIN`] ago.
///
/// # Errors
/// When there are no more threads.
pub fn start(target: impl Target, port: &Port, stamp: &Stamp) -> io::Result<Started> {
    let mut writer = Writer::new(target, port, stamp);
    Started::spawn(port, writer.drain, move |before, leave| {
        let queue = Arc::clone(&writer.queue);
        writer.take_over(before);
        let (mut target, handover) = writer.run();
        leave.leave(handover);
        if queue.is_ending() {
            target.finish();
        }
    })
}

struct Writer<T> {
    target: T,
    queue: Arc<Queue>,
    health: Arc<Health>,
    trouble: Trouble,
    pause: Pause,
    sequence: Sequence,
    /// Numbered lines not written yet; first the rest of a line that a failed write has torn.
    out: Vec<u8>,
    /// That rest: its length, and the numbers that its line has used up.
    carried: (usize, u64),
    /// How many numbers the whole lines of `out` have used up.
    pending: u64,
    /// Lines of `out` that used up more than their own number: which, and how many more.
    jumps: Vec<(u64, u64)>,
    /// Lines of `out`, without the torn one.
    lines: u64,
    /// Records that failed writes have lost and that nobody was told of yet, and why.
    lost: Vec<(Reason, u64)>,
    /// How long it still writes once its queue is closed.
    drain: Duration,
}

impl<T: Target> Writer<T> {
    fn new(target: T, port: &Port, stamp: &Stamp) -> Writer<T> {
        Writer {
            target,
            queue: Arc::clone(&port.queue),
            health: Arc::clone(&port.health),
            trouble: Trouble::new(port),
            pause: Pause::new(pause::LONGEST),
            sequence: Sequence::new(&port.name, port.format, stamp),
            out: Vec::with_capacity(port.queue.batch_memory()),
            carried: (0, 0),
            pending: 0,
            jumps: Vec::new(),
            lines: 0,
            lost: Vec::new(),
            drain: DRAIN,
        }
    }

    /// Goes on where the writer before has ended.
    fn take_over(&mut self, handover: Handover) {
        let (rest, numbers) = handover.torn;
        self.sequence.go_on(handover.next);
        self.lost = handover.lost;
        self.carried = (rest.len(), numbers);
        self.out.extend_from_slice(&rest);
        if !self.target.can_go_on() {
            self.forget_torn();
        }
    }

    fn run(mut self) -> (T, Handover) {
        loop {
            // Read before the queue is emptied: whatever was pushed before the close is then seen.
            let closed = self.queue.is_closed();
            self.drain();
            if closed {
                return self.finish();
            }
            self.queue.park(self.pause.left().unwrap_or(PARK));
        }
    }

    fn finish(mut self) -> (T, Handover) {
        self.tell_lost();
        self.write();
        let torn = (self.out, self.carried.1);
        (self.target, Handover { next: self.sequence.next(), lost: self.lost, torn, ..Handover::default() })
    }

    fn drain(&mut self) {
        self.tend();
        while !self.pauses()
            && let Some(load) = self.queue.pop()
        {
            self.accept(load);
        }
        if !self.pauses() {
            let untold = self.queue.take_untold();
            self.tell_all(&untold);
            self.write();
        }
        self.queue.set_digits(self.sequence.digits());
    }

    /// Whether the target has failed a moment ago. There is no time for pauses once nothing more comes.
    fn pauses(&self) -> bool {
        self.pause.left().is_some() && !self.queue.is_closed()
    }

    fn accept(&mut self, mut load: Load) {
        if self.queue.is_closed_since(self.drain) {
            return self.give_up(&load);
        }
        self.tell_lost();
        self.tell_all(load.lost());
        match &mut load {
            Load::Own(batch) => self.number(batch),
            Load::Shared(share) => self.number_shared(share),
        }
        self.queue.recycle(load);
        if self.out.len() >= WRITE_BYTES {
            self.write();
            self.tend();
        }
    }

    /// There was no time for these records any more.
    fn give_up(&mut self, load: &Load) {
        let lines = load.lines();
        self.health.count_dropped(Reason::Shutdown, lines);
        lose_all(&mut self.lost, load.lost());
        lose(&mut self.lost, Reason::Shutdown, lines);
    }

    /// Lines that have room for their numbers are not copied: their batch is what is written next.
    fn number(&mut self, batch: &mut Batch) {
        self.make_way(self.sequence.fits(batch));
        if self.out.is_empty() && self.sequence.number_in_place(batch) {
            std::mem::swap(&mut self.out, &mut batch.bytes);
        } else {
            self.sequence.number(batch, &mut self.out);
        }
        self.numbered(batch.lines.len() as u64);
    }

    /// The same where others share the batch: lines that have room are written at once, for this output's numbers can stand
    /// in them only for so long.
    fn number_shared(&mut self, share: &Share) {
        self.make_way(share.show(|batch| self.sequence.fits(batch)));
        if self.out.is_empty() && !self.pauses() && self.write_shared(share) {
            return self.tend();
        }
        share.show(|batch| self.sequence.number(batch, &mut self.out));
        self.numbered(share.lines());
    }

    /// What is gathered goes out before a batch that can be written as it is.
    fn make_way(&mut self, fits: bool) {
        if fits && !self.out.is_empty() {
            self.write();
            self.tend();
        }
    }

    fn numbered(&mut self, lines: u64) {
        self.lines += lines;
        self.pending += lines;
    }

    /// Writes the batch itself, unless others are at it or its lines have no room for the numbers: it returns false then.
    fn write_shared(&mut self, share: &Share) -> bool {
        let next = self.sequence.next();
        let Writer { target, sequence, .. } = &mut *self;
        let outcome = share.numbered(
            |batch| sequence.number_in_place(batch),
            |batch| write_all(target, &batch.bytes).map_err(|failure| (failure, batch.bytes.clone())),
        );
        let Some(outcome) = outcome else {
            self.sequence.go_on(next);
            return false;
        };
        self.numbered(share.lines());
        let outcome = outcome.map_err(|(failure, bytes)| {
            self.out = bytes;
            failure
        });
        self.settle(outcome);
        true
    }

    fn tell_lost(&mut self) {
        for (reason, count) in std::mem::take(&mut self.lost) {
            self.tell(count, reason);
        }
    }

    fn tell_all(&mut self, losses: &Losses) {
        losses.iter().for_each(|(reason, count)| self.tell(count, reason));
    }

    fn tell(&mut self, count: u64, reason: Reason) {
        if count > 0 {
            // Where the format has no line for it, the numbers go with the line that comes next.
            let told = u64::from(self.sequence.lost(count, reason.as_str(), &mut self.out));
            self.jumps.push((self.lines, count));
            self.lines += told;
            self.pending += count + told;
        }
    }

    fn write(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let outcome = write_all(&mut self.target, &self.out);
        self.settle(outcome);
    }

    /// What was to be written is written, or `out` holds it.
    fn settle(&mut self, outcome: Result<u64, (usize, io::Error)>) {
        match outcome {
            Ok(bytes) => {
                let records = self.lines + u64::from(self.carried.0 > 0);
                self.health.count_written(records, bytes);
                self.works();
                self.out.clear();
                self.carried = (0, 0);
            }
            Err((written, error)) => {
                self.fails(&error);
                self.keep_torn_line(written, reason(&error));
            }
        }
        (self.pending, self.lines) = (0, 0);
        self.jumps.clear();
    }

    fn works(&mut self) {
        self.trouble.over();
        self.pause.end();
        self.queue.set_cause(Reason::QueueFull);
    }

    fn fails(&mut self, error: &io::Error) {
        self.trouble.failed("cannot write", error);
        self.pause.begin();
        self.queue.set_cause(reason(error));
    }

    /// Lines that went out keep their numbers, and so does the one that was torn, whose rest comes first next time. The
    /// others are lost, and so told with the next batch.
    fn keep_torn_line(&mut self, written: usize, reason: Reason) {
        let (carried, numbers) = self.carried;
        let torn = written > 0 && self.out[written - 1] != b'\n' || written < carried;
        let rest = memchr::memchr(b'\n', &self.out[written..]).filter(|_| torn).map_or(0, |at| at + 1);
        let kept = &self.out[carried.min(written + rest)..written + rest];
        let kept = memchr::memchr_iter(b'\n', kept).count() as u64;
        let lost = self.pending - self.numbers_of(kept);
        let of_torn = if kept > 0 { self.numbers_of(kept) - self.numbers_of(kept - 1) } else { numbers };
        self.sequence.unwrite(lost);
        let whole = memchr::memchr_iter(b'\n', &self.out[..written]).count() as u64;
        self.health.count_written(whole, written as u64);
        self.health.count_dropped(reason, self.lines - kept);
        lose(&mut self.lost, reason, lost);
        self.out.truncate(written + rest);
        self.out.drain(..written);
        self.carried = (self.out.len(), of_torn);
    }

    /// The numbers that the first lines of `out` have used up.
    fn numbers_of(&self, lines: u64) -> u64 {
        lines + self.jumps.iter().filter(|(line, _)| *line < lines).map(|(_, count)| count).sum::<u64>()
    }

    fn tend(&mut self) {
        if !self.target.tend() {
            self.forget_torn();
        }
    }

    /// What a torn line began in is gone, and the line with it.
    fn forget_torn(&mut self) {
        let (carried, numbers) = self.carried;
        if carried > 0 {
            self.out.drain(..carried);
            self.carried = (0, 0);
            self.sequence.unwrite(numbers);
            self.health.count_dropped(Reason::WriteFailed, 1);
            self.lost.insert(0, (Reason::WriteFailed, numbers));
        }
    }
}

/// Writes all bytes and says how many, or how many were written before it failed.
fn write_all(target: &mut impl Target, mut bytes: &[u8]) -> Result<u64, (usize, io::Error)> {
    let all = bytes.len();
    while !bytes.is_empty() {
        match target.write(bytes) {
            Ok(0) => return Err((all - bytes.len(), ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err((all - bytes.len(), error)),
        }
    }
    Ok(all as u64)
}

/// A full disk is worth telling apart: it may well pass.
fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Reason::DiskFull,
        _ => Reason::WriteFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings, Written};
    use proptest::prelude::*;
    use std::sync::{Mutex, PoisonError};

    /// A target that takes so many bytes in each write, and fails where it takes none. Now and then a new one stands in
    /// its place, and what was torn in the old one is gone.
    #[derive(Clone, Default)]
    struct Faulty {
        takes: Arc<Mutex<Vec<usize>>>,
        replaced: Arc<Mutex<Vec<bool>>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Target for Faulty {
        fn tend(&mut self) -> bool {
            let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(false);
            if replaced {
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                let whole = memchr::memrchr(b'\n', &written).map_or(0, |at| at + 1);
                written.truncate(whole);
            }
            !replaced
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(usize::MAX);
            if takes == 0 {
                return Err(io::Error::from(ErrorKind::StorageFull));
            }
            let taken = takes.min(bytes.len());
            self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
    }

    fn batch(lines: usize, lost: u64, hole: usize) -> Batch {
        let mut batch = Batch { lost: Losses::of(Reason::QueueFull, lost), hole, ..Batch::default() };
        for _ in 0..lines {
            batch.bytes.extend_from_slice(br#"{"event":"line","seq":"#);
            let seq_at = batch.bytes.len();
            batch.bytes.resize(seq_at + hole, b'0');
            batch.bytes.extend_from_slice(br#","instance":"i"}"#);
            batch.bytes.push(b'\n');
            batch.close_line(Written::Numbered(seq_at));
        }
        batch
    }

    #[test]
    fn what_finds_the_queue_full_while_the_target_fails_is_lost_for_the_same_reason() {
        let target = Faulty::default();
        target.takes.lock().unwrap_or_else(PoisonError::into_inner).push(0);
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let mut writer = Writer::new(target.clone(), &port, &stamp);
        writer.pause = Pause::new(Duration::ZERO);
        for expected in [Reason::DiskFull, Reason::QueueFull] {
            port.queue.push(batch(1, 0, 0)).expect("room");
            writer.drain();
            port.queue.count_untold(1);
            assert_eq!(port.queue.take_untold(), Losses::of(expected, 1));
        }
    }

    #[test]
    fn writers_that_share_a_batch_number_it_each_for_itself() {
        let ports = ["a", "b", "c"]
            .map(|name| Port::new(&OutputSettings { name: name.into(), ..OutputSettings::default() }, Format::Json));
        let targets = [0; 3].map(|_| Faulty::default());
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let share = ports[0].queue.share(batch(2, 0, 1));
        for (port, target) in ports.iter().zip(&targets) {
            let mut writer = Writer::new(target.clone(), port, &stamp);
            // The second one is ahead, the third one's numbers have another length.
            writer.sequence.go_on(match &*port.name {
                "a" => 1,
                "b" => 4,
                _ => 9,
            });
            port.queue.offer(Load::Shared(share.clone())).expect("room");
            writer.drain();
        }
        let numbers = targets.map(|target| {
            let written = target.written.lock().unwrap_or_else(PoisonError::into_inner);
            let lines = String::from_utf8_lossy(&written).into_owned();
            let number = |line| serde_json::from_str::<serde_json::Value>(line).expect(line)["seq"].as_u64();
            lines.lines().filter_map(number).collect::<Vec<_>>()
        });
        assert_eq!(numbers, [vec![1, 2], vec![4, 5], vec![9, 10]]);
    }

    #[test]
    fn a_batch_that_another_one_is_writing_is_copied() {
        let target = Faulty::default();
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let mut writer = Writer::new(target.clone(), &port, &stamp);
        let share = port.queue.share(batch(2, 0, 1));
        port.queue.offer(Load::Shared(share.clone())).expect("room");
        let before = share.show(|held| {
            writer.drain();
            held.bytes.clone()
        });
        assert_eq!(share.show(|held| held.bytes.clone()), before);
        let written = target.written.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(assert_gapless(&written), 2);
    }

    /// The stream's numbers: every one is either a line's or named by the loss record right after it.
    fn assert_gapless(written: &[u8]) -> u64 {
        let mut next = 1;
        for line in String::from_utf8_lossy(written).lines() {
            let record: serde_json::Value = serde_json::from_str(line).expect(line);
            if record["event"] == "log_loss" {
                assert_eq!(record["from_seq"], next, "{line}");
                next = record["to_seq"].as_u64().expect("a number") + 1;
            }
            assert_eq!(record["seq"], next, "{line}");
            next += 1;
        }
        next - 1
    }

    proptest! {
        #[test]
        fn failed_and_torn_writes_leave_whole_lines_and_no_untold_gap(
            batches in proptest::collection::vec((0usize..4, 0u64..3, 0usize..3, any::<bool>()), 1..12),
            takes in proptest::collection::vec(0usize..120, 0..20),
            replaced in proptest::collection::vec(any::<bool>(), 0..8),
        ) {
            let target = Faulty::default();
            *target.takes.lock().unwrap_or_else(PoisonError::into_inner) = takes;
            *target.replaced.lock().unwrap_or_else(PoisonError::into_inner) = replaced;
            let port = Port::new(&OutputSettings::default(), Format::Json);
            let queue = Arc::clone(&port.queue);
            let stamp = Stamp { instance: "i".into(), record: Default::default() };
            let mut writer = Writer::new(target.clone(), &port, &stamp);
            writer.pause = Pause::new(Duration::ZERO);
            let mut offered = 0;
            for (lines, lost, hole, shared) in batches {
                offered += lines as u64 + lost;
                let batch = batch(lines, lost, hole);
                let load = if shared { Load::Shared(queue.share(batch)) } else { Load::Own(batch) };
                queue.offer(load).expect("room");
                writer.drain();
            }
            // The disk is well again: what was lost is told with the next line.
            target.takes.lock().unwrap_or_else(PoisonError::into_inner).clear();
            queue.push(batch(1, 0, 0)).expect("room");
            writer.drain();
            let written = target.written.lock().unwrap_or_else(PoisonError::into_inner);
            prop_assert!(assert_gapless(&written) > offered);
            let lines = memchr::memchr_iter(b'\n', &written).count() as u64;
            prop_assert_eq!(port.health.written(), lines);
        }
    }
}
