//! Standard output: where a container's log is read from.
//!
//! A reader that is too slow fills the pipe, then this writer waits in `write`, then its queue fills and records are
//! dropped and counted; requests go on. A reader that is gone makes writes fail: records are counted as lost and tried
//! again with the next batch, so that a reader that comes back is told what it missed.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::pipeline::{Batch, Port, Queue, Stamp};

use super::sequence::Sequence;

/// What is gathered from several batches before one `write`.
const WRITE_BYTES: usize = 256 * 1024;
/// Longest sleep without a wake-up: bounds what a missed one could cost.
const PARK: Duration = Duration::from_secs(1);
/// Pause before a descriptor that others made non-blocking is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// Starts the writer thread of standard output.
pub fn start(port: &Port, stamp: &Stamp) -> io::Result<JoinHandle<()>> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    start_on(file, "stdout", port, stamp)
}

/// Starts a writer thread on anything that bytes can be written to.
pub fn start_on(
    target: impl Write + Send + 'static,
    name: &str,
    port: &Port,
    stamp: &Stamp,
) -> io::Result<JoinHandle<()>> {
    let queue = Arc::clone(&port.queue);
    let sequence = Sequence::new(name, port.format, stamp);
    let writer = Writer::new(target, queue, sequence);
    let thread = std::thread::Builder::new().name(format!("log-{name}")).spawn(|| writer.run())?;
    port.queue.attach(thread.thread().clone());
    Ok(thread)
}

struct Writer<T> {
    target: T,
    queue: Arc<Queue>,
    sequence: Sequence,
    /// Numbered lines not written yet; first the rest of a line that a failed write has torn.
    out: Vec<u8>,
    /// Length of that rest.
    carried: usize,
    /// How many numbers the whole lines of `out` have used up.
    pending: u64,
    /// Lines of `out` that used up more than their own number: which, and how many more.
    jumps: Vec<(u64, u64)>,
    /// Lines of `out`, without the torn one.
    lines: u64,
    /// Records that a failed write has lost and that nobody was told of yet.
    lost: u64,
}

impl<T: Write> Writer<T> {
    fn new(target: T, queue: Arc<Queue>, sequence: Sequence) -> Writer<T> {
        Writer {
            target,
            queue,
            sequence,
            out: Vec::new(),
            carried: 0,
            pending: 0,
            jumps: Vec::new(),
            lines: 0,
            lost: 0,
        }
    }

    fn run(mut self) {
        loop {
            // Read before the queue is emptied: whatever was pushed before the close is then seen.
            let closed = self.queue.is_closed();
            self.drain();
            if closed {
                return;
            }
            self.queue.park(PARK);
        }
    }

    fn drain(&mut self) {
        while let Some(batch) = self.queue.pop() {
            let lost = std::mem::take(&mut self.lost);
            self.tell_lost(lost, "write_failed");
            self.tell_lost(batch.lost, "queue_full");
            self.number(&batch);
            self.queue.recycle(batch);
            if self.out.len() >= WRITE_BYTES {
                self.write();
            }
        }
        let untold = self.queue.take_untold();
        self.tell_lost(untold, "queue_full");
        self.write();
    }

    fn number(&mut self, batch: &Batch) {
        self.sequence.number(batch, &mut self.out);
        self.lines += batch.lines.len() as u64;
        self.pending += batch.lines.len() as u64;
    }

    fn tell_lost(&mut self, count: u64, reason: &str) {
        if count > 0 {
            // Where the format has no line for it, the numbers go with the line that comes next.
            let told = u64::from(self.sequence.lost(count, reason, &mut self.out));
            self.jumps.push((self.lines, count));
            self.lines += told;
            self.pending += count + told;
        }
    }

    fn write(&mut self) {
        match write_all(&mut self.target, &self.out) {
            Ok(()) => {
                self.out.clear();
                self.carried = 0;
            }
            Err(written) => self.keep_torn_line(written),
        }
        (self.pending, self.lines) = (0, 0);
        self.jumps.clear();
    }

    /// Lines that went out keep their numbers, and so does the one that was torn, whose rest comes first next time. The
    /// others are lost, and so told with the next batch.
    fn keep_torn_line(&mut self, written: usize) {
        let torn = written > 0 && self.out[written - 1] != b'\n' || written < self.carried;
        let rest = memchr::memchr(b'\n', &self.out[written..]).filter(|_| torn).map_or(0, |at| at + 1);
        let kept = &self.out[self.carried.min(written + rest)..written + rest];
        let kept = memchr::memchr_iter(b'\n', kept).count() as u64;
        let jumped: u64 = self.jumps.iter().filter(|(line, _)| *line < kept).map(|(_, count)| count).sum();
        let lost = self.pending - kept - jumped;
        self.sequence.unwrite(lost);
        self.queue.count_dropped(self.lines - kept);
        self.lost += lost;
        self.out.truncate(written + rest);
        self.out.drain(..written);
        self.carried = self.out.len();
    }
}

/// Writes all bytes, or says how many were written before it failed.
fn write_all(target: &mut impl Write, mut bytes: &[u8]) -> Result<(), usize> {
    let all = bytes.len();
    while !bytes.is_empty() {
        match target.write(bytes) {
            Ok(0) => return Err(all - bytes.len()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(_) => return Err(all - bytes.len()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings};
    use proptest::prelude::*;
    use std::sync::{Mutex, PoisonError};

    /// A target that takes so many bytes in each write, and fails where it takes none.
    #[derive(Clone)]
    struct Faulty {
        takes: Arc<Mutex<Vec<usize>>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Faulty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(usize::MAX);
            if takes == 0 {
                return Err(io::Error::from(ErrorKind::StorageFull));
            }
            let taken = takes.min(bytes.len());
            self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch(lines: usize, lost: u64) -> Batch {
        let mut batch = Batch { lost, ..Batch::default() };
        for _ in 0..lines {
            batch.bytes.extend_from_slice(br#"{"event":"line","seq":,"instance":"i"}"#);
            let seq_at = batch.bytes.len() - br#","instance":"i"}"#.len();
            batch.bytes.push(b'\n');
            batch.close_line(crate::pipeline::Written::Numbered(seq_at));
        }
        batch
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
            batches in proptest::collection::vec((0usize..4, 0u64..3), 1..8),
            takes in proptest::collection::vec(0usize..120, 0..20),
        ) {
            let written = Arc::new(Mutex::new(Vec::new()));
            let target = Faulty { takes: Arc::new(Mutex::new(takes)), written: Arc::clone(&written) };
            let queue = Arc::new(Queue::new(&OutputSettings::default()));
            let stamp = Stamp { instance: "i".into(), record: Default::default() };
            let mut writer =
                Writer::new(target.clone(), Arc::clone(&queue), Sequence::new("stdout", Format::Json, &stamp));
            let mut offered = 0;
            for (lines, lost) in batches {
                offered += lines as u64 + lost;
                queue.push(batch(lines, lost)).expect("room");
                writer.drain();
            }
            // The disk is well again: what was lost is told with the next line.
            target.takes.lock().unwrap_or_else(PoisonError::into_inner).clear();
            queue.push(batch(1, 0)).expect("room");
            writer.drain();
            let last = assert_gapless(&written.lock().unwrap_or_else(PoisonError::into_inner));
            prop_assert!(last > offered);
        }
    }
}
