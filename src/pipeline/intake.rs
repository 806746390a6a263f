//! Where a core offers its records: encoded at once into a batch per output, never waiting for anybody.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::record::json::{Encoder, Fragment};
use crate::record::text::Pretty;
use crate::record::{Body, Facts, Head, Level, Progress, Record};
use crate::time;

use super::queue::BATCH_BYTES;
use super::{Batch, Format, Levels, Port, Stamp, WhenFull};

/// One core's way into the pipeline.
///
/// Not `Sync`: each serving thread has its own.
#[derive(Debug)]
pub struct Intake {
    levels: Levels,
    lanes: RefCell<Vec<Lane>>,
    filled: Notify,
}

impl Intake {
    /// A way to each of the outputs.
    pub fn new(levels: Levels, ports: &[Port], stamp: &Stamp) -> Intake {
        let lanes = ports.iter().map(|port| Lane::new(port.clone(), stamp)).collect();
        Intake { levels, lanes: RefCell::new(lanes), filled: Notify::new() }
    }

    /// Whether a record of this level is written by anybody.
    pub fn allows(&self, logger: &str, level: Level) -> bool {
        self.levels.allow(logger, level)
    }

    /// Encodes once what all records of one request share.
    pub fn fragment(&self, facts: &Facts<'_>, fragment: &mut Fragment) {
        if let Some(lane) = self.lanes.borrow().iter().find_map(|lane| lane.encoder.json()) {
            lane.fragment(facts, fragment);
        }
    }

    /// Offers a record about a request whose [`Intake::fragment`] was made from the same facts.
    /// `show` gives the facts themselves, to layouts that make no use of the fragment.
    pub fn request(&self, head: &Head<'_>, fragment: &Fragment, progress: Option<&Progress<'_>>, show: &Show<'_>) {
        self.offer(head, |encoder, batch| match encoder {
            LaneEncoder::Json(encoder) => {
                let seq_at = encoder.request(head, fragment, progress, &mut batch.bytes);
                batch.close_line(Some(seq_at));
            }
            LaneEncoder::Pretty(_) => show(&mut |facts| {
                encoder.record(&Record { head: *head, body: Body::Request { facts, progress } }, batch);
            }),
        });
    }

    /// Offers any record.
    pub fn record(&self, record: &Record<'_>) {
        self.offer(&record.head, |encoder, batch| encoder.record(record, batch));
    }

    /// Waits until there is something to [`Intake::flush`].
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Hands over whatever the batches hold. Returns whether a loss could not be told yet because the queue is full.
    pub fn flush(&self) -> bool {
        let mut untold = false;
        for lane in self.lanes.borrow_mut().iter_mut() {
            lane.hand_over();
            untold |= lane.lost > 0;
        }
        untold
    }

    fn offer(&self, head: &Head<'_>, encode: impl Fn(&mut LaneEncoder, &mut Batch)) {
        if !self.levels.allow(head.logger, head.level) {
            return;
        }
        for lane in self.lanes.borrow_mut().iter_mut() {
            if lane.batch.lines.is_empty() {
                self.filled.notify_one();
            }
            encode(&mut lane.encoder, &mut lane.batch);
            if lane.batch.bytes.len() >= BATCH_BYTES {
                lane.hand_over();
            }
        }
    }
}

/// Shows the facts of a request to whoever wants to see them.
pub type Show<'a> = dyn Fn(&mut dyn FnMut(&Facts<'_>)) + 'a;

/// What one core keeps for one output.
#[derive(Debug)]
struct Lane {
    port: Port,
    encoder: LaneEncoder,
    batch: Batch,
    /// Dropped since the last batch that was taken.
    lost: u64,
    /// While the output is stalled, blocking is not tried again: one wait a stall, not one a batch.
    stalled: bool,
}

impl Lane {
    fn new(port: Port, stamp: &Stamp) -> Lane {
        let encoder = LaneEncoder::new(port.format, stamp);
        Lane { port, encoder, batch: Batch::default(), lost: 0, stalled: false }
    }

    fn hand_over(&mut self) {
        if self.batch.lines.is_empty() && self.lost == 0 {
            return;
        }
        let mut batch = std::mem::replace(&mut self.batch, self.port.queue.spare());
        batch.lost = self.lost;
        match self.push(batch) {
            Ok(()) => (self.lost, self.stalled) = (0, false),
            Err(refused) => self.drop_batch(refused),
        }
    }

    fn push(&mut self, batch: Batch) -> Result<(), Batch> {
        let refused = match (self.port.queue.push(batch), self.port.queue.when_full()) {
            (Err(refused), WhenFull::Block(at_most)) if !self.stalled => (refused, at_most),
            (result, _) => return result,
        };
        let (mut batch, at_most) = refused;
        let since = time::monotonic();
        while since.elapsed() < at_most {
            std::thread::sleep(pause(since, at_most));
            match self.port.queue.push(batch) {
                Ok(()) => return Ok(()),
                Err(refused) => batch = refused,
            }
        }
        self.stalled = true;
        Err(batch)
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

/// The layout of one output.
#[derive(Debug)]
pub(super) enum LaneEncoder {
    /// One JSON object a line.
    Json(Box<Encoder>),
    /// For people.
    Pretty(Pretty),
}

impl LaneEncoder {
    pub(super) fn new(format: Format, stamp: &Stamp) -> LaneEncoder {
        match format {
            Format::Pretty => LaneEncoder::Pretty(Pretty::new(true)),
            Format::Json | Format::Auto => LaneEncoder::Json(Box::new(Encoder::new(&stamp.instance, &stamp.record))),
        }
    }

    fn json(&self) -> Option<&Encoder> {
        match self {
            LaneEncoder::Json(encoder) => Some(encoder),
            LaneEncoder::Pretty(_) => None,
        }
    }

    pub(super) fn record(&mut self, record: &Record<'_>, batch: &mut Batch) {
        let seq_at = match self {
            LaneEncoder::Json(encoder) => Some(encoder.record(record, &mut batch.bytes)),
            LaneEncoder::Pretty(pretty) => {
                pretty.record(record, &mut batch.bytes);
                None
            }
        };
        batch.close_line(seq_at);
    }
}
