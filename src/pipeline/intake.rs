//! Where a core offers its records: encoded at once into a batch per output, never waiting for anybody.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::record::json::Fragment;
use crate::record::{Body, Facts, Head, Level, Progress, Record};
use crate::time;

use super::queue::BATCH_BYTES;
use super::{Batch, Layout, Levels, Port, Stamp, WhenFull, Written};

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
        if let Some(lane) = self.lanes.borrow().iter().find_map(|lane| lane.layout.json()) {
            lane.fragment(facts, fragment);
        }
    }

    /// Offers a record about a request whose [`Intake::fragment`] was made from the same facts.
    /// `show` gives the facts themselves, to layouts that make no use of the fragment.
    pub fn request(&self, head: &Head<'_>, fragment: &Fragment, progress: Option<&Progress<'_>>, show: &Show<'_>) {
        self.offer(head, |layout, out| match layout {
            Layout::Json(encoder) => Written::Numbered(encoder.request(head, fragment, progress, out)),
            layout => {
                let mut written = Written::None;
                show(&mut |facts| {
                    written = layout.record(&Record { head: *head, body: Body::Request { facts, progress } }, out);
                });
                written
            }
        });
    }

    /// Offers any record.
    pub fn record(&self, record: &Record<'_>) {
        self.offer(&record.head, |layout, out| layout.record(record, out));
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

    /// Hands over the last of all lines, each output's within this time; what it does not take until then is counted as
    /// lost.
    pub fn flush_last(&self, at_most: Duration) {
        self.lanes.borrow_mut().iter_mut().for_each(|lane| lane.hand_over_last(at_most));
    }

    fn offer(&self, head: &Head<'_>, encode: impl Fn(&mut Layout, &mut Vec<u8>) -> Written) {
        if !self.levels.allow(head.logger, head.level) {
            return;
        }
        for lane in self.lanes.borrow_mut().iter_mut() {
            let before = lane.batch.lines.len();
            let written = encode(&mut lane.layout, &mut lane.batch.bytes);
            lane.batch.close_line(written);
            if before == 0 && !lane.batch.lines.is_empty() {
                self.filled.notify_one();
            }
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
    layout: Layout,
    batch: Batch,
    /// Dropped since the last batch that was taken.
    lost: u64,
    /// While the output is stalled, blocking is not tried again: one wait a stall, not one a batch.
    stalled: bool,
}

impl Lane {
    fn new(port: Port, stamp: &Stamp) -> Lane {
        let layout = Layout::new(port.format, stamp);
        Lane { port, layout, batch: Batch::default(), lost: 0, stalled: false }
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

    /// The last time: whoever is lost now is told of by the writer.
    fn hand_over_last(&mut self, at_most: Duration) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.lost = std::mem::take(&mut self.lost);
        if batch.is_empty() {
            return;
        }
        let lost = batch.lost;
        if let Err(refused) = self.push_within(batch, at_most) {
            self.port.queue.leave_untold(lost);
            self.port.queue.count_untold(refused.lines.len() as u64);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings, Queue};
    use crate::record::Event;
    use std::sync::Arc;

    /// An intake before an output that has room for one line, which another one has taken.
    fn full() -> (Intake, Arc<Queue>) {
        let queue = Arc::new(Queue::new(&OutputSettings { queue: 1, ..OutputSettings::default() }));
        let mut other = Batch { bytes: vec![b'\n'], ..Batch::default() };
        other.close_line(Written::Plain);
        queue.push(other).expect("an empty queue takes any batch");
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let port = Port { format: Format::Json, queue: Arc::clone(&queue) };
        let intake = Intake::new(Levels::new(&Default::default()), &[port], &stamp);
        let event = Event::ServerStopping;
        let head = Head { timestamp: 0, level: Level::Info, event, message: "m", logger: "gatelog.proxy" };
        intake.record(&Record { head, body: Body::Fields(&[]) });
        (intake, queue)
    }

    #[test]
    fn the_last_lines_wait_for_a_queue_that_is_full() {
        let (intake, queue) = full();
        let reader = Arc::clone(&queue);
        let reading = std::thread::spawn(move || {
            let mut lines = 0;
            while lines < 2 {
                lines += reader.pop().map_or(0, |batch| batch.lines.len());
                std::thread::yield_now();
            }
        });
        intake.flush_last(Duration::from_secs(20));
        reading.join().expect("both lines come");
        assert_eq!((queue.dropped(), queue.take_untold()), (0, 0));
    }

    #[test]
    fn the_last_lines_that_nobody_takes_are_told_of() {
        let (intake, queue) = full();
        intake.flush();
        intake.record(&Record {
            head: Head {
                timestamp: 0,
                level: Level::Info,
                event: Event::ServerStopping,
                message: "m",
                logger: "gatelog",
            },
            body: Body::Fields(&[]),
        });
        intake.flush_last(Duration::from_millis(1));
        assert_eq!((queue.dropped(), queue.take_untold()), (2, 2));
    }
}
