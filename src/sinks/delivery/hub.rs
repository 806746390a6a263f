//! What the feeder and the workers of an output share: numbers, losses, and the lines that wait.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::pipeline::{Batch, DeliverySettings, Format, Health, Losses, Port, Queue, Reason, SpoolSettings, Stamp};
use crate::sinks::handover::Handover;
use crate::sinks::lines::{Limits, Lines};
use crate::sinks::pause::{self, Pause};
use crate::sinks::sequence::Sequence;
use crate::sinks::spool::{Aside, Damage, Refusal, Unsynced};
use crate::sinks::trouble::Trouble;
use crate::time;

use super::gaps::Gaps;
use super::parcel::Parcel;
use super::shelf::Shelf;
use super::{LAST_ATTEMPTS, LAST_ATTEMPTS_WITH_SPOOL};

/// How often a spool is synced while it is written to, and the longest sleep without a look around.
const TICK: Duration = Duration::from_secs(1);
/// How long a process that hands its sockets over may keep a spool without that being told, and how often it is tried.
const CEDED: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// Memory that is kept for the lines of one batch.
const KEEP: usize = 1 << 20;

/// The state of one output, on its own thread.
#[derive(Debug)]
pub(super) struct Hub {
    queue: Arc<Queue>,
    health: Arc<Health>,
    trouble: Trouble,
    /// Of a spool that cannot be written.
    pause: Pause,
    sequence: Sequence,
    prefix: Prefix,
    instance: String,
    shelf: Shelf,
    aside: Option<Aside>,
    limits: Limits,
    wait: Duration,
    /// When the next parcel began to fill.
    since: Option<Instant>,
    /// Lost before they had numbers, and nobody was told yet.
    owed: Vec<(Reason, u64)>,
    /// Lost after they had theirs.
    gaps: Gaps,
    /// Lines that workers have in hand.
    in_hand: u64,
    /// Lines that nobody took in the end.
    abandoned: u64,
    closing: bool,
    /// The last losses were told.
    told_last: bool,
    stage: Lines,
    scratch: Vec<u8>,
}

/// What a syslog line carries in front beside what its layout has written: its number and its process.
#[derive(Debug)]
struct Prefix {
    instance: Option<String>,
    line: Vec<u8>,
}

impl Prefix {
    fn new(format: Format, stamp: &Stamp) -> Prefix {
        let instance = matches!(format, Format::Syslog(_)).then(|| stamp.instance.clone());
        Prefix { instance, line: Vec::new() }
    }

    fn push(&mut self, seq: u64, line: &[u8], stage: &mut Lines) {
        let Some(instance) = &self.instance else { return stage.push(line) };
        self.line.clear();
        self.line.extend_from_slice(format!("{seq} {instance} ").as_bytes());
        self.line.extend_from_slice(line);
        stage.push(&self.line);
    }
}

impl Hub {
    /// Its shelf is in memory until another one is [opened](Hub::open).
    pub(super) fn new(port: &Port, stamp: &Stamp, settings: &DeliverySettings) -> Hub {
        Hub {
            queue: Arc::clone(&port.queue),
            health: Arc::clone(&port.health),
            trouble: Trouble::new(port),
            pause: Pause::new(pause::LONGEST),
            sequence: Sequence::new(&port.name, port.format, stamp),
            prefix: Prefix::new(port.format, stamp),
            instance: stamp.instance.clone(),
            shelf: Shelf::Memory(Lines::default()),
            aside: None,
            since: None,
            limits: Limits { records: settings.batch.records, bytes: settings.batch.bytes },
            wait: settings.batch.wait,
            owed: Vec::new(),
            gaps: Gaps::default(),
            in_hand: 0,
            abandoned: 0,
            closing: false,
            told_last: false,
            stage: Lines::default(),
            scratch: Vec::new(),
        }
    }

    /// Opens the spool, where there is one. Gives what was cut off there.
    pub(super) fn open(&mut self, spool: Option<&SpoolSettings>) -> io::Result<Damage> {
        let (shelf, torn) = Shelf::open(spool)?;
        self.aside = shelf.aside()?;
        // What a former process has left is due.
        self.since = (shelf.waiting().0 > 0).then(time::monotonic);
        self.shelf = shelf;
        Ok(torn)
    }

    /// Opens the spool that somebody else has just let go of. One that cannot be opened is tried again while there is
    /// something to wait for.
    pub(super) fn open_at_last(&mut self, spool: Option<&SpoolSettings>) -> Option<Damage> {
        let since = time::monotonic();
        loop {
            // Read before the attempt: there is always one.
            let closed = self.queue.is_closed();
            match self.open(spool) {
                Ok(torn) => return Some(torn),
                // Another process is about to let go of it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && since.elapsed() < CEDED => {
                    self.queue.park(LOOK);
                }
                Err(error) => {
                    self.trouble.failed("cannot open its spool", &error);
                    self.queue.park(TICK);
                }
            }
            if closed {
                return None;
            }
        }
    }

    /// Goes on where the writer before has ended.
    pub(super) fn take_over(&mut self, before: Handover) {
        self.sequence.go_on(before.next);
        before.lost.into_iter().for_each(|(reason, count)| self.owe(reason, count));
        before.gaps.into_iter().for_each(|gap| self.gaps.add(gap));
    }

    /// Tells what a crash has left half written.
    pub(super) fn report_torn(&self, torn: Damage) {
        if let (Shelf::Disk(disk), true) = (&self.shelf, torn.bytes > 0) {
            let path = disk.spool.path().display();
            tracing::warn!(target: "gatelog.proxy", bytes = torn.bytes, path = %path, "an unfinished record was cut off the spool");
        }
    }

    /// Takes from the queue what there is room for; the last thing that a spool is given before it is another process's.
    fn fill(&mut self) {
        self.empty();
        if self.queue.is_ceded() && matches!(self.shelf, Shelf::Disk(_)) {
            self.sync_now();
            self.aside = None;
            self.shelf.cede();
        }
    }

    fn empty(&mut self) {
        while self.has_room() {
            let Some(load) = self.queue.pop() else {
                let lost = self.queue.take_untold();
                if !lost.is_empty() {
                    self.accept(&lost, &Batch::default());
                }
                return;
            };
            load.show(|batch| self.accept(load.lost(), batch));
            self.queue.recycle(load);
        }
    }

    /// While a spool is full or cannot be written, lines wait in the queue.
    fn has_room(&self) -> bool {
        self.shelf.has_room(self.limits) && (self.closing || self.pause.left().is_none())
    }

    /// Numbers lines and puts them on the shelf, behind what is to be told of losses.
    fn accept(&mut self, lost: &Losses, batch: &Batch) {
        self.owe_all(lost);
        let before = self.sequence.next();
        let mut stage = std::mem::take(&mut self.stage);
        stage.clear(KEEP);
        self.tell_losses(&mut stage);
        let Hub { sequence, prefix, .. } = &mut *self;
        sequence.each(batch, |seq, line| prefix.push(seq, line, &mut stage));
        match self.shelf.append(&stage) {
            Ok(()) => {
                self.owed.clear();
                self.gaps.clear();
                self.pause.end();
                self.queue.set_cause(Reason::QueueFull);
                self.since = self.since.or_else(|| Some(time::monotonic()));
            }
            Err(refusal) => self.refuse(batch.lines.len() as u64, before, &refusal),
        }
        self.stage = stage;
    }

    fn tell_losses(&mut self, stage: &mut Lines) {
        let Hub { sequence, prefix, scratch, owed, gaps, .. } = self;
        for (reason, count) in owed {
            scratch.clear();
            if sequence.lost(*count, reason.as_str(), scratch) {
                prefix.push(sequence.next() - 1, scratch, stage);
            }
        }
        for gap in gaps.iter() {
            scratch.clear();
            if sequence.missing(gap.from, gap.to, gap.count, gap.reason.as_str(), scratch) {
                prefix.push(sequence.next() - 1, scratch, stage);
            }
        }
    }

    /// The numbers are given to the next ones that are taken; these are lost.
    fn refuse(&mut self, records: u64, before: u64, refusal: &Refusal) {
        self.sequence.unwrite(self.sequence.next() - before);
        self.health.count_dropped(refusal.reason(), records);
        self.owe(refusal.reason(), records);
        self.trouble.failed("cannot spool", refusal);
        self.queue.set_cause(refusal.reason());
        if matches!(refusal, Refusal::Disk(_)) {
            self.pause.begin();
        }
    }

    fn owe_all(&mut self, losses: &Losses) {
        losses.iter().for_each(|(reason, count)| self.owe(reason, count));
    }

    fn owe(&mut self, reason: Reason, count: u64) {
        match self.owed.iter_mut().find(|(owed, _)| *owed == reason) {
            Some((_, sum)) => *sum += count,
            None if count > 0 => self.owed.push((reason, count)),
            None => {}
        }
    }

    /// A parcel, if one is full or due.
    fn take(&mut self) -> Option<Parcel> {
        let (records, bytes) = self.shelf.waiting();
        let is_full = records >= self.limits.records as u64 || bytes >= self.limits.bytes as u64;
        if records == 0 || !is_full && !self.closing && self.due_in().is_some_and(|left| !left.is_zero()) {
            return None;
        }
        let (lines, ticket) = self.shelf.take(self.limits);
        self.since = (self.shelf.waiting().0 > 0).then(time::monotonic);
        self.report_damage();
        let size = lines.len() as u64;
        self.in_hand += size;
        let parcel = Parcel::new(lines, ticket);
        if size > 0 {
            return Some(parcel);
        }
        self.settle(&parcel);
        None
    }

    /// How long until what waits is due; `None` while nothing does.
    fn due_in(&self) -> Option<Duration> {
        self.since.map(|since| self.wait.saturating_sub(since.elapsed()))
    }

    fn report_damage(&mut self) {
        let Shelf::Disk(disk) = &mut self.shelf else { return };
        let Damage { bytes, records } = disk.spool.take_damage();
        if bytes + records > 0 {
            let path = disk.spool.path().display();
            tracing::error!(target: "gatelog.proxy", bytes, records, path = %path, "damage in the spool was skipped");
            self.health.count_dropped(Reason::WriteFailed, records);
        }
    }

    /// Nobody needs this parcel any more.
    fn settle(&mut self, parcel: &Parcel) {
        self.in_hand -= parcel.size();
        if let Err(error) = self.shelf.settle(parcel.ticket()) {
            self.trouble.failed("cannot write to the spool that records have arrived", &error);
        }
    }

    /// Lines have arrived.
    fn arrived(&mut self, records: u64, bytes: u64) {
        self.health.count_written(records, bytes);
        self.trouble.over();
    }

    /// Lines were refused for good.
    fn rejected(&mut self, lines: &Lines, said: &str) {
        self.health.count_dropped(Reason::Rejected, lines.len() as u64);
        self.trouble.failed("the collector refuses records", &said);
        lines.iter().for_each(|line| self.gaps.add_line(line, Reason::Rejected, &self.instance));
        if let Some(aside) = &mut self.aside {
            let left_out = aside.keep(lines.iter());
            if left_out > 0 {
                let error = format!("{left_out} records did not fit into {}", aside.path().display());
                self.trouble.failed("cannot set refused records aside", &error);
            }
        }
    }

    /// What was spooled and is not on the disk for sure, to be forced there by any thread.
    fn unsynced(&mut self) -> io::Result<Option<Unsynced>> {
        match &mut self.shelf {
            Shelf::Disk(disk) => disk.spool.unsynced(),
            Shelf::Memory(_) => Ok(None),
        }
    }

    /// It was tried to force it there.
    fn synced(&mut self, synced: io::Result<()>) {
        if let Err(error) = synced {
            self.trouble.failed("cannot sync the spool", &error);
        }
    }

    fn sync_now(&mut self) {
        let synced = self.unsynced().and_then(|unsynced| unsynced.map_or(Ok(()), |unsynced| unsynced.sync()));
        self.synced(synced);
    }

    /// Losses that no further lines will carry are told by themselves, once.
    fn tell_last(&mut self) {
        let is_last = self.closing && self.in_hand == 0 && self.shelf.waiting().0 == 0 && !self.told_last;
        if is_last && (!self.owed.is_empty() || self.gaps.iter().next().is_some()) {
            self.told_last = true;
            self.accept(&Losses::default(), &Batch::default());
        }
    }

    /// Everything has been said and done.
    fn is_over(&self) -> bool {
        self.closing && self.in_hand == 0 && self.shelf.waiting().0 == 0 && self.queue.waiting_bytes() == 0
    }

    /// Nobody will take these to the collector any more.
    fn abandon(&mut self, lines: &Lines) {
        if let Shelf::Memory(_) = self.shelf {
            self.health.count_dropped(Reason::Shutdown, lines.len() as u64);
            lines.iter().for_each(|line| self.gaps.add_line(line, Reason::Shutdown, &self.instance));
            self.abandoned += lines.len() as u64;
        }
    }

    /// What nobody took in the end is lost, unless it is in the spool, of which this lets go.
    pub(super) fn finish(&mut self) -> Handover {
        self.aside = None;
        self.sync_now();
        if let Shelf::Memory(lines) = std::mem::replace(&mut self.shelf, Shelf::Memory(Lines::default())) {
            self.abandon(&lines);
        }
        self.give_up_queue();
        if self.abandoned > 0 {
            self.trouble.lost(self.abandoned);
        }
        let gaps = self.gaps.iter().collect();
        Handover { next: self.sequence.next(), lost: std::mem::take(&mut self.owed), gaps, ..Handover::default() }
    }

    fn give_up_queue(&mut self) {
        while let Some(load) = self.queue.pop() {
            let lines = load.lines();
            self.health.count_dropped(Reason::Shutdown, lines);
            self.owe_all(load.lost());
            self.owe(Reason::Shutdown, lines);
            self.abandoned += lines;
        }
        let untold = self.queue.take_untold();
        self.owe_all(&untold);
    }
}

/// The hub, and what those on its thread wake each other with. It is never borrowed across an `await`.
#[derive(Debug)]
pub(super) struct Shared {
    hub: RefCell<Hub>,
    queue: Arc<Queue>,
    /// There may be a parcel.
    ready: Notify,
    /// There may be room.
    room: Notify,
    /// Nothing more will come.
    closing: Notify,
}

impl Shared {
    pub(super) fn new(hub: Hub) -> Shared {
        let queue = Arc::clone(&hub.queue);
        Shared { hub: RefCell::new(hub), queue, ready: Notify::new(), room: Notify::new(), closing: Notify::new() }
    }

    /// Empties the queue until it is closed, and has a spool synced meanwhile.
    pub(super) async fn feed(&self) {
        tokio::select! {
            () = self.empty_queue() => {}
            () = self.keep_synced() => {}
        }
        self.hub.borrow_mut().closing = true;
        self.ready.notify_waiters();
        self.closing.notify_waiters();
    }

    /// On another thread: while the disk takes its time, the queue would fill.
    async fn keep_synced(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            let unsynced = self.hub.borrow_mut().unsynced();
            let synced = match unsynced {
                Ok(None) => continue,
                Ok(Some(unsynced)) => {
                    tokio::task::spawn_blocking(move || unsynced.sync()).await.map_err(io::Error::from)
                }
                Err(error) => Err(error),
            };
            self.hub.borrow_mut().synced(synced.flatten());
        }
    }

    async fn empty_queue(&self) {
        while !self.queue.is_closed() {
            self.hub.borrow_mut().fill();
            self.ready.notify_waiters();
            let wait = self.hub.borrow().pause.left().unwrap_or(TICK);
            tokio::select! {
                () = self.queue.arrived() => {}
                () = self.room.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The next parcel; `None` when there will be none any more.
    pub(super) async fn next(&self) -> Option<Parcel> {
        loop {
            let due = {
                let mut hub = self.hub.borrow_mut();
                hub.fill();
                hub.tell_last();
                if let Some(parcel) = hub.take() {
                    self.room.notify_one();
                    return Some(parcel);
                }
                if hub.is_over() {
                    self.ready.notify_waiters();
                    return None;
                }
                hub.due_in().unwrap_or(TICK).min(TICK)
            };
            tokio::select! {
                () = self.ready.notified() => {}
                () = tokio::time::sleep(due) => {}
            }
        }
    }

    /// Waits between two attempts; not for long once nothing more will come.
    pub(super) async fn pause(&self, wait: Duration) {
        if self.hub.borrow().closing {
            return tokio::time::sleep(wait.min(LAST_PAUSE)).await;
        }
        tokio::select! {
            () = self.closing.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// How long what waits may still be delivered once nothing more comes: for less where nothing is lost by giving up.
    pub(super) fn last_attempts(&self) -> Duration {
        match self.hub.borrow().shelf {
            Shelf::Memory(_) => LAST_ATTEMPTS,
            Shelf::Disk(_) => LAST_ATTEMPTS_WITH_SPOOL,
        }
    }

    pub(super) fn arrived(&self, records: usize, bytes: usize) {
        self.hub.borrow_mut().arrived(records as u64, bytes as u64);
    }

    pub(super) fn rejected(&self, lines: &Lines, said: &str) {
        self.hub.borrow_mut().rejected(lines, said);
    }

    /// Some of these lines were refused, and nobody knows which.
    pub(super) fn some_rejected(&self, lines: &Lines, count: u64, said: &str) {
        let mut hub = self.hub.borrow_mut();
        let count = count.min(lines.len() as u64);
        hub.health.count_dropped(Reason::Rejected, count);
        let what = if count > 0 { "the collector refuses records" } else { "the collector complains" };
        hub.trouble.failed(what, &said);
        if count == 0 {
            return;
        }
        let Hub { gaps, instance, .. } = &mut *hub;
        gaps.add_some(lines.line(0), lines.line(lines.len().saturating_sub(1)), count, instance);
    }

    pub(super) fn too_large(&self, said: &str) {
        self.hub.borrow_mut().trouble.failed("a batch is too large for the collector, and is sent in halves", &said);
    }

    pub(super) fn failed(&self, said: &str) {
        self.hub.borrow_mut().trouble.failed("cannot deliver", &said);
    }

    /// No worker is left.
    pub(super) fn finish(&self) -> Handover {
        self.hub.borrow_mut().finish()
    }
}

/// A parcel in the hand of a worker: one that is dropped on the way is lost.
pub(super) struct InHand<'s> {
    shared: &'s Shared,
    pub(super) parcel: Parcel,
    settled: bool,
}

impl InHand<'_> {
    pub(super) fn new(shared: &Shared, parcel: Parcel) -> InHand<'_> {
        InHand { shared, parcel, settled: false }
    }

    /// Nobody needs it any more.
    pub(super) fn settle(mut self) {
        self.settled = true;
        self.shared.hub.borrow_mut().settle(&self.parcel);
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let mut hub = self.shared.hub.borrow_mut();
            self.parcel.left().for_each(|lines| hub.abandon(lines));
        }
    }
}

/// The longest wait between two of the last attempts.
const LAST_PAUSE: Duration = Duration::from_millis(250);
