//! One place, one writer at a time: who is to write where somebody else still does waits until that one has ended, and goes
//! on with its stream. So lines never mix, and numbers have no gap.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::delivery::Gap;
use crate::pipeline::{Health, Losses, Port, Queue, Reason};

/// A queue that was closed so long ago is written no further: what still waits is lost and told as such.
pub const DRAIN: Duration = Duration::from_secs(30);
/// How often it is looked whether the queue was closed, while the writer before has not ended.
const LOOK: Duration = Duration::from_millis(20);

/// What a writer leaves to the next one at its place.
#[derive(Debug)]
pub struct Handover {
    /// The number that the next line gets.
    pub next: u64,
    /// Records that were lost and that nobody was told of yet, and why.
    pub lost: Vec<(Reason, u64)>,
    /// The same for records that had their numbers.
    pub gaps: Vec<Gap>,
    /// The rest of a line that was written in part, and the numbers that this line has used up.
    pub torn: (Vec<u8>, u64),
    /// The writer before, if it has not ended: then `next` and `torn` are its to say.
    pub before: Option<Predecessor>,
}

/// A writer that ends, or has ended.
#[derive(Debug)]
pub struct Predecessor {
    /// Ends a little later than it writes: bringing a file to the disk takes its time, which nobody else needs to wait for.
    pub thread: JoinHandle<()>,
    /// What it leaves, once it has written its last line.
    pub left: Receiver<Handover>,
}

/// The thread of an output that waits for its word.
#[derive(Debug)]
pub struct Started {
    writer: Predecessor,
    begin: SyncSender<Option<Predecessor>>,
}

/// How a writer leaves its place to the next one.
#[derive(Debug)]
pub struct Leave(SyncSender<Handover>);

impl Leave {
    /// Nothing more is written there by who calls this.
    pub fn leave(self, handover: Handover) {
        // Nobody may ever write there again.
        let _ = self.0.send(handover);
    }
}

impl Started {
    /// Starts a thread that does `work` with what the writer before has left. That one is waited for [as
    /// above](Handover::wait), for `drain` at most once the queue is closed.
    ///
    /// # Errors
    /// When there are no more threads.
    pub fn spawn(
        port: &Port,
        drain: Duration,
        work: impl FnOnce(Handover, Leave) + Send + 'static,
    ) -> io::Result<Started> {
        let (begin, word) = sync_channel(1);
        let (leave, left) = sync_channel(1);
        let (queue, health) = (Arc::clone(&port.queue), Arc::clone(&port.health));
        let begun = move || {
            let Ok(before) = word.recv() else { return };
            let handover = Handover::wait(before, &queue, &health, drain);
            // Nobody writes there again once the process is ending.
            match handover.before {
                Some(_) => Leave(leave).leave(handover),
                None => work(handover, Leave(leave)),
            }
        };
        let thread = std::thread::Builder::new().name(format!("log-{}", port.name)).spawn(begun)?;
        port.queue.attach(thread.thread().clone());
        Ok(Started { writer: Predecessor { thread, left }, begin })
    }

    /// Lets it begin, once the writer before at the same place has ended. One that is dropped instead ends, and has
    /// written nothing.
    pub fn begin(self, before: Option<Predecessor>) -> Predecessor {
        // It waits for this and cannot have ended.
        let _ = self.begin.send(before);
        self.writer
    }
}

impl Default for Handover {
    fn default() -> Self {
        Handover { next: 1, lost: Vec::new(), gaps: Vec::new(), torn: (Vec::new(), 0), before: None }
    }
}

impl Handover {
    /// Waits for the writer before. Where that one hangs, `queue` is closed meanwhile and [`DRAIN`] is over, what waits in
    /// the queue is lost, and the handover itself says that there still is one before.
    pub fn wait(before: Option<Predecessor>, queue: &Queue, health: &Health, drain: Duration) -> Handover {
        let mut handover = Handover { before, ..Handover::default() };
        while let Some(before) = handover.before.take() {
            let Some(mut earlier) = before.wait(queue, drain) else {
                handover.before = Some(before);
                handover.give_up(queue, health);
                break;
            };
            earlier.lost.append(&mut handover.lost);
            earlier.gaps.append(&mut handover.gaps);
            handover = earlier;
        }
        handover
    }

    fn give_up(&mut self, queue: &Queue, health: &Health) {
        while let Some(load) = queue.pop() {
            health.count_dropped(Reason::Shutdown, load.lines());
            lose_all(&mut self.lost, load.lost());
            lose(&mut self.lost, Reason::Shutdown, load.lines());
        }
        lose_all(&mut self.lost, &queue.take_untold());
    }
}

/// Adds records to those that nobody was told of yet.
pub fn lose(lost: &mut Vec<(Reason, u64)>, reason: Reason, count: u64) {
    match lost.last_mut() {
        Some((last, sum)) if *last == reason => *sum += count,
        _ if count > 0 => lost.push((reason, count)),
        _ => {}
    }
}

/// The same for records that were lost before they came to the writer.
pub fn lose_all(lost: &mut Vec<(Reason, u64)>, losses: &Losses) {
    losses.iter().for_each(|(reason, count)| lose(lost, reason, count));
}

impl Predecessor {
    /// Waits for what it leaves; `None` when that takes too long.
    fn wait(&self, queue: &Queue, drain: Duration) -> Option<Handover> {
        loop {
            match self.left.recv_timeout(LOOK) {
                Ok(handover) => return Some(handover),
                // One that has panicked leaves nothing.
                Err(RecvTimeoutError::Disconnected) => return Some(Handover::default()),
                Err(RecvTimeoutError::Timeout) if queue.is_closed_since(drain) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Batch, OutputSettings, Written};
    use std::sync::Arc;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// A writer that ends when it is told to.
    fn writer(handover: Handover) -> (Predecessor, SyncSender<()>) {
        let (end, ended) = sync_channel(1);
        let (leave, left) = sync_channel(1);
        let work = move || {
            // A test that has failed drops its end.
            let _ = ended.recv();
            let _ = leave.send(handover);
        };
        (Predecessor { thread: std::thread::spawn(work), left }, end)
    }

    fn queue(health: &Arc<Health>, lines: usize) -> Queue {
        let queue = Queue::new(&OutputSettings::default(), Arc::clone(health));
        let mut batch = Batch::default();
        (0..lines).for_each(|_| {
            batch.bytes.push(b'\n');
            batch.close_line(Written::Plain);
        });
        queue.push(batch).expect("room");
        queue
    }

    #[test]
    fn who_comes_next_goes_on_where_the_one_before_has_ended() {
        let health = Arc::default();
        let (before, end) = writer(Handover { next: 8, ..Handover::default() });
        end.send(()).expect("it waits");
        let handover = Handover::wait(Some(before), &queue(&health, 3), &health, DRAIN);
        assert_eq!((handover.next, handover.lost, handover.before.is_none()), (8, vec![], true));
    }

    #[test]
    fn who_waits_in_vain_leaves_its_losses_and_the_one_that_hangs_to_the_next() {
        let health = Arc::default();
        let (hanging, end) = writer(Handover { next: 8, lost: vec![(Reason::DiskFull, 2)], ..Handover::default() });
        let closed = queue(&health, 3);
        closed.close();
        let vain = Handover::wait(Some(hanging), &closed, &health, Duration::ZERO);
        assert!(vain.before.is_some());
        assert_eq!(health.dropped()[Reason::Shutdown as usize], 3);
        end.send(()).expect("it waits");
        let (vain, vain_end) = writer(vain);
        drop(vain_end);
        let handover = Handover::wait(Some(vain), &queue(&health, 1), &health, DRAIN);
        assert_eq!(handover.next, 8);
        assert_eq!(handover.lost, [(Reason::DiskFull, 2), (Reason::Shutdown, 3)]);
    }
}
