//! What one core keeps for one output: the lines that gather, and what becomes of them when the output is slow.

use std::time::{Duration, Instant};

use crate::time;

use super::queue::BATCH_BYTES;
use super::{Batch, Layout, Port, Stamp, WhenFull, Written};

/// One core's way to one output.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) port: Port,
    pub(super) layout: Layout,
    batch: Batch,
    /// Where in the batch the record of this round begins, if this output takes it.
    taken: Option<usize>,
    /// Dropped since the last batch that was taken.
    lost: u64,
    /// While the output is stalled, blocking is not tried again: one wait a stall, not one a batch.
    stalled: bool,
}

impl Lane {
    /// Nothing gathered yet.
    pub(super) fn new(port: Port, stamp: &Stamp) -> Lane {
        let layout = Layout::new(port.format, stamp);
        Lane { port, layout, batch: Batch::default(), taken: None, lost: 0, stalled: false }
    }

    /// This round's record is not for this output.
    pub(super) fn pass_by(&mut self) {
        self.taken = None;
    }

    /// Takes this round's record: as another lane of the same format has it already, else encoded here. Returns whether
    /// it is the first line of a batch.
    pub(super) fn take(&mut self, earlier: &[Lane], encode: impl FnOnce(&mut Layout, &mut Vec<u8>) -> Written) -> bool {
        let lines = self.batch.lines.len();
        if lines == 0 {
            self.batch.hole = self.layout.leave_room(self.port.queue.digits());
        }
        self.taken = Some(self.batch.bytes.len());
        match earlier.iter().find(|lane| lane.taken.is_some() && lane.port.format == self.port.format) {
            Some(twin) => self.batch.copy_lines(&twin.batch, twin.taken.unwrap_or_default()),
            None => {
                let written = encode(&mut self.layout, &mut self.batch.bytes);
                self.batch.close_line(written);
            }
        }
        lines == 0 && !self.batch.lines.is_empty()
    }

    /// Hands over a batch that has grown enough.
    pub(super) fn hand_over_full(&mut self) {
        if self.batch.bytes.len() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Hands over whatever has gathered. Returns whether a loss could not be told yet because the queue is full.
    pub(super) fn hand_over(&mut self) -> bool {
        if self.batch.is_empty() && self.lost == 0 {
            return false;
        }
        let mut batch = std::mem::replace(&mut self.batch, self.port.queue.spare());
        batch.lost = self.lost;
        match self.push(batch) {
            Ok(()) => (self.lost, self.stalled) = (0, false),
            Err(refused) => self.drop_batch(refused),
        }
        self.lost > 0
    }

    /// Hands over the last of all lines, if there is room. Returns whether none is left.
    pub(super) fn hand_over_last(&mut self) -> bool {
        let mut batch = std::mem::take(&mut self.batch);
        batch.lost = std::mem::take(&mut self.lost);
        if batch.is_empty() {
            return true;
        }
        match self.port.queue.push(batch) {
            Ok(()) => true,
            Err(mut refused) => {
                self.lost = std::mem::take(&mut refused.lost);
                self.batch = refused;
                false
            }
        }
    }

    /// There was no room for the last lines: the writer is to tell of them.
    pub(super) fn give_up(&mut self) {
        self.port.queue.leave_untold(std::mem::take(&mut self.lost));
        self.port.queue.count_untold(std::mem::take(&mut self.batch).lines.len() as u64);
    }

    fn push(&mut self, batch: Batch) -> Result<(), Batch> {
        let at_most = match self.port.queue.when_full() {
            WhenFull::Block(at_most) if !self.stalled => at_most,
            _ => Duration::ZERO,
        };
        let pushed = self.push_within(batch, at_most);
        self.stalled |= pushed.is_err();
        pushed
    }

    fn push_within(&self, mut batch: Batch, at_most: Duration) -> Result<(), Batch> {
        let mut since = None;
        loop {
            match self.port.queue.push(batch) {
                Ok(()) => return Ok(()),
                Err(refused) => batch = refused,
            }
            let since = *since.get_or_insert_with(time::monotonic);
            if since.elapsed() >= at_most {
                return Err(batch);
            }
            std::thread::sleep(pause(since, at_most));
        }
    }

    fn drop_batch(&mut self, batch: Batch) {
        let records = batch.lines.len() as u64;
        self.lost += records;
        self.port.queue.count_dropped(records);
        self.port.queue.recycle(batch);
    }
}

/// The wait between two tries of a blocked core.
fn pause(since: Instant, at_most: Duration) -> Duration {
    at_most.saturating_sub(since.elapsed()).min(Duration::from_millis(1))
}
