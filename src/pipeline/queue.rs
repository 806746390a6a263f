//! The bounded way from the cores to one output's writer thread.
//!
//! A lock-free ring of batches, bounded in their number and in their bytes. Emptied buffers go back the other way, so
//! that steady traffic allocates nothing. The writer sleeps by parking its thread and is woken by `unpark`, which is a
//! swap of one atomic while it is awake.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

use super::batch::Spares;
use super::{Batch, Health, Load, Losses, OutputSettings, Reason, Share, WhenFull};
use crate::time;

/// A batch is handed over when it has grown to a sixteenth of what may wait, within these bounds. At full speed each
/// batch costs two switches of threads, and the kernel appends a long write with a third fewer instructions than eight
/// short ones; much more would not stay in a core's caches until it is written. With the line that fills it, the memory is
/// a size that allocators have pages for.
const BATCH_BYTES: RangeInclusive<usize> = (64 << 10) - LINE..=(512 << 10) - LINE;
/// The room for a line of usual length.
const LINE: usize = 4 << 10;
/// Batches that may wait, however small.
const MAX_BATCHES: usize = 1024;
/// The way to one output.
#[derive(Debug)]
pub struct Queue {
    loads: ArrayQueue<Load>,
    spares: Arc<Spares>,
    waiting_bytes: AtomicUsize,
    max_bytes: usize,
    when_full: WhenFull,
    health: Arc<Health>,
    /// Dropped records of which no batch tells, by reason.
    untold: [AtomicU64; Reason::ALL.len()],
    /// Why what finds it full is lost: the place of a reason in [`Reason::ALL`].
    cause: AtomicU8,
    /// When nothing more was to come.
    closed: OnceLock<Instant>,
    /// Nothing more comes because the process ends.
    ending: AtomicBool,
    /// Another process writes to the same place from now on.
    ceded: AtomicBool,
    /// Digits of the numbers that the writer gives now.
    digits: AtomicUsize,
    writer: OnceLock<Thread>,
    /// For a writer that waits for other things as well.
    arrived: Notify,
}

impl Queue {
    /// An empty queue with the limits of its output, which counts what it drops in `health`.
    pub fn new(settings: &OutputSettings, health: Arc<Health>) -> Queue {
        Queue {
            loads: ArrayQueue::new(MAX_BATCHES),
            spares: Arc::default(),
            waiting_bytes: AtomicUsize::new(0),
            max_bytes: settings.queue,
            when_full: settings.when_full,
            health,
            untold: Default::default(),
            cause: AtomicU8::new(Reason::QueueFull as u8),
            closed: OnceLock::new(),
            ending: AtomicBool::new(false),
            ceded: AtomicBool::new(false),
            digits: AtomicUsize::new(1),
            writer: OnceLock::new(),
            arrived: Notify::new(),
        }
    }

    /// How many digits the next line's number will probably have.
    pub fn digits(&self) -> usize {
        self.digits.load(Ordering::Relaxed)
    }

    /// The writer has come to numbers of so many digits.
    pub fn set_digits(&self, digits: usize) {
        self.digits.store(digits, Ordering::Relaxed);
    }

    /// Names the thread that takes batches out and [parks](Queue::park) in between; it is woken when one comes.
    pub fn attach(&self, writer: Thread) {
        // A second writer would steal lines; the first one stays.
        let _ = self.writer.set(writer);
    }

    /// Hands a batch over, or gives it back when the queue is full.
    pub fn push(&self, batch: Batch) -> Result<(), Batch> {
        self.offer(Load::Own(batch)).map_err(Load::into_batch)
    }

    /// The same for a batch that other outputs may share; its bytes count here as if they did not.
    pub fn offer(&self, load: Load) -> Result<(), Load> {
        let bytes = load.bytes();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // An empty queue takes any batch: one record larger than the limit must not be lost for ever.
        if waiting > 0 && waiting + bytes > self.max_bytes {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(load);
        }
        let pushed = self.loads.push(load);
        match pushed {
            Ok(()) => self.wake(),
            Err(_) => {
                self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
        pushed
    }

    /// Whether a batch of so many bytes would be taken now.
    pub fn has_room(&self, bytes: usize) -> bool {
        let waiting = self.waiting_bytes();
        (waiting == 0 || waiting + bytes <= self.max_bytes) && !self.loads.is_full()
    }

    /// Takes the oldest batch.
    pub fn pop(&self) -> Option<Load> {
        let load = self.loads.pop()?;
        self.waiting_bytes.fetch_sub(load.bytes(), Ordering::Relaxed);
        Some(load)
    }

    /// An empty batch, its memory used before where possible.
    pub fn spare(&self) -> Batch {
        self.spares.take()
    }

    /// Gives an emptied batch's memory back. What others share goes back by itself, with the last of them.
    pub fn recycle(&self, load: Load) {
        if let Load::Own(batch) = load {
            self.spares.give(batch);
        }
    }

    /// Makes a batch one that other outputs can take, too. Its memory comes back here with the last of them.
    pub fn share(&self, batch: Batch) -> Share {
        Share::new(batch, &self.spares)
    }

    /// A batch is handed over when it has grown to so many bytes.
    pub fn batch_bytes(&self) -> usize {
        (self.max_bytes / 16).clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end())
    }

    /// The memory that a batch has from its first line on, in bytes. Whoever copies batches takes as much: the allocator has
    /// one kind of pages for all of it.
    pub fn batch_memory(&self) -> usize {
        self.batch_bytes() + LINE
    }

    /// What the user wants done when it is full.
    pub fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// The writer says why it takes nothing for a while; `QueueFull` is that it is only slow.
    pub fn set_cause(&self, cause: Reason) {
        self.cause.store(cause as u8, Ordering::Relaxed);
    }

    /// Counts records that were dropped because it was full. Gives why it was.
    pub fn count_dropped(&self, records: u64) -> Reason {
        let cause = Reason::ALL[usize::from(self.cause.load(Ordering::Relaxed))];
        self.health.count_dropped(cause, records);
        cause
    }

    /// Counts dropped records whose core has no later batch to tell of them with; the writer does.
    pub fn count_untold(&self, records: u64) {
        let cause = self.count_dropped(records);
        self.leave_untold(&Losses::of(cause, records));
    }

    /// The same for records that were counted as dropped before.
    pub fn leave_untold(&self, losses: &Losses) {
        losses.iter().for_each(|(reason, records)| {
            self.untold[reason as usize].fetch_add(records, Ordering::Relaxed);
        });
    }

    /// Takes the counts of [`Queue::count_untold`].
    pub fn take_untold(&self) -> Losses {
        let mut losses = Losses::default();
        for reason in Reason::ALL {
            losses.add(reason, self.untold[reason as usize].swap(0, Ordering::Relaxed));
        }
        losses
    }

    /// Nothing more will come; the writer leaves once it has written what waits.
    pub fn close(&self) {
        // Only the first time counts.
        let _ = self.closed.set(time::monotonic());
        self.wake();
    }

    /// The process ends: nothing more will come, to any output.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.close();
    }

    /// Whether [`Queue::end`] was called.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Another process goes on in this one's place: what only one can have is for it, and what still comes goes without.
    pub fn cede(&self) {
        self.ceded.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether [`Queue::cede`] was called.
    pub fn is_ceded(&self) -> bool {
        self.ceded.load(Ordering::Acquire)
    }

    /// Whether [`Queue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Whether [`Queue::close`] was called so long ago.
    pub fn is_closed_since(&self, at_least: Duration) -> bool {
        self.closed.get().is_some_and(|closed| closed.elapsed() >= at_least)
    }

    /// Bytes that wait to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Batches that wait to be written.
    pub fn waiting_batches(&self) -> usize {
        self.loads.len()
    }

    /// Puts the writer's thread to sleep until something happens, or for a while.
    pub fn park(&self, at_most: Duration) {
        std::thread::park_timeout(at_most);
    }

    /// Waits until something happens, in place of [`Queue::park`], for a writer that waits for other things as well. Losing
    /// the future loses no wake-up.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn wake(&self) {
        // A writer may park at first, while it waits for its place, and go on with futures then: it is woken both ways.
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
        self.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Written;

    fn batch(bytes: usize) -> Batch {
        let mut batch = Batch { bytes: vec![b'x'; bytes], ..Batch::default() };
        batch.close_line(Written::Plain);
        batch
    }

    fn queue(limit: usize) -> Queue {
        Queue::new(&OutputSettings { queue: limit, ..OutputSettings::default() }, Arc::default())
    }

    #[test]
    fn takes_batches_up_to_its_bytes_and_gives_the_next_one_back() {
        let queue = queue(100);
        assert!(queue.push(batch(60)).is_ok());
        assert_eq!(queue.push(batch(60)).map_err(|back| back.bytes.len()), Err(60));
        assert!(queue.push(batch(40)).is_ok());
        assert_eq!(queue.pop().map(|load| load.bytes()), Some(60));
        assert_eq!(queue.waiting_bytes(), 40);
    }

    #[test]
    fn an_empty_queue_takes_a_batch_above_its_limit() {
        let queue = queue(10);
        assert!(queue.push(batch(60)).is_ok());
        assert!(queue.push(batch(1)).is_err());
    }

    #[test]
    fn the_number_of_batches_is_bounded_too() {
        let queue = queue(usize::MAX);
        for _ in 0..MAX_BATCHES {
            assert!(queue.push(batch(1)).is_ok());
        }
        assert!(queue.push(batch(1)).is_err());
        assert_eq!(queue.waiting_bytes(), MAX_BATCHES);
    }

    #[test]
    fn there_is_room_for_what_would_be_taken() {
        let queue = queue(100);
        assert!(queue.has_room(1000), "an empty one takes anything");
        queue.push(batch(60)).expect("room");
        assert!(queue.has_room(40) && !queue.has_room(41));
        (0..40).for_each(|_| queue.push(batch(1)).expect("room"));
        assert!(!queue.has_room(1));
    }

    #[test]
    fn what_finds_it_full_is_lost_for_the_reason_that_the_writer_gives() {
        let queue = queue(1);
        queue.count_untold(1);
        queue.set_cause(Reason::DiskFull);
        queue.count_untold(2);
        queue.set_cause(Reason::QueueFull);
        queue.count_untold(4);
        let untold: Vec<_> = queue.take_untold().iter().collect();
        assert_eq!(untold, [(Reason::QueueFull, 5), (Reason::DiskFull, 2)]);
        assert!(queue.take_untold().is_empty());
    }

    #[tokio::test]
    async fn a_batch_wakes_a_writer_that_waits_with_a_future_though_its_thread_is_attached() {
        let queue = queue(100);
        queue.attach(std::thread::current());
        let arrived = async || {
            tokio::select! {
                biased;
                () = queue.arrived() => true,
                () = std::future::ready(()) => false,
            }
        };
        assert!(!arrived().await);
        queue.push(batch(1)).expect("room");
        assert!(arrived().await);
        assert!(!arrived().await, "once");
        queue.close();
        assert!(arrived().await);
    }
}
