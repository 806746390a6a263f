//! Where a core offers its records: encoded at once into a batch per output, never waiting for anybody.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;

use crate::record::json::Fragment;
use crate::record::{Body, Facts, Head, Level, Progress, Record};
use crate::time;

use super::lane::Lane;
use super::port::lowest_level;
use super::{Gate, Layout, Levels, Port, Stamp, Written};

/// One core's way into the pipeline.
///
/// Not `Sync`: each serving thread has its own.
#[derive(Debug)]
pub struct Intake {
    levels: Levels,
    /// Below it no output takes anything.
    lowest: Level,
    lanes: RefCell<Vec<Lane>>,
    filled: Notify,
}

impl Intake {
    /// A way to each of the outputs.
    pub fn new(levels: Levels, ports: &[Port], stamp: &Stamp) -> Intake {
        let lanes = ports.iter().map(|port| Lane::new(port.clone(), stamp)).collect();
        Intake { levels, lowest: lowest_level(ports), lanes: RefCell::new(lanes), filled: Notify::new() }
    }

    /// Whether a record of this level is written by anybody.
    pub fn allows(&self, logger: &str, level: Level) -> bool {
        level >= self.lowest && self.levels.allow(logger, level)
    }

    /// Encodes once what all records of one request share.
    pub fn fragment(&self, facts: &Facts<'_>, fragment: &mut Fragment) {
        if let Some(lane) = self.lanes.borrow().iter().find_map(|lane| lane.layout.json()) {
            lane.fragment(facts, fragment);
        }
    }

    /// Offers a record about a request whose [`Intake::fragment`] was made from the same facts.
    /// `show` gives the facts themselves, to filters, and to layouts that make no use of the fragment.
    pub fn request(&self, head: &Head<'_>, fragment: &Fragment, progress: Option<&Progress<'_>>, show: &Show<'_>) {
        let accepts = |gate: &Gate| {
            gate.accepts_head(head, |filter| {
                let mut matches = false;
                show(&mut |facts| {
                    matches = filter.matches(&Record { head: *head, body: Body::Request { facts, progress } });
                });
                matches
            })
        };
        self.offer(head, accepts, |layout, out| match layout {
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
        self.offer(&record.head, |gate| gate.accepts(record), |layout, out| layout.record(record, out));
    }

    /// Waits until there is something to [`Intake::flush`].
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Hands over whatever the batches hold. Returns whether a loss could not be told yet because the queue is full.
    pub fn flush(&self) -> bool {
        let mut lanes = self.lanes.borrow_mut();
        lanes.iter_mut().fold(false, |untold, lane| lane.hand_over() | untold)
    }

    /// Hands over the last of all lines within this time, to all outputs at once; what one does not take until then is
    /// counted as lost.
    pub fn flush_last(&self, at_most: Duration) {
        let since = time::monotonic();
        let mut lanes = self.lanes.borrow_mut();
        let mut left: Vec<&mut Lane> = lanes.iter_mut().collect();
        loop {
            left.retain_mut(|lane| !lane.hand_over_last());
            if left.is_empty() || since.elapsed() >= at_most {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        left.into_iter().for_each(Lane::give_up);
    }

    /// Encodes a record once for each format whose outputs accept it.
    fn offer(
        &self,
        head: &Head<'_>,
        accepts: impl Fn(&Gate) -> bool,
        encode: impl Fn(&mut Layout, &mut Vec<u8>) -> Written,
    ) {
        if !self.allows(head.logger, head.level) {
            return;
        }
        let mut lanes = self.lanes.borrow_mut();
        for at in 0..lanes.len() {
            let Some((lane, earlier)) = lanes[..=at].split_last_mut() else { continue };
            if !accepts(&lane.port.gate) {
                lane.pass_by();
            } else if lane.take(earlier, &encode) {
                self.filled.notify_one();
            }
        }
        // Only now: lanes copy from each other's batches.
        lanes.iter_mut().for_each(Lane::hand_over_full);
    }
}

/// The wait between two tries to hand over the last lines.
const PAUSE: Duration = Duration::from_millis(1);

/// Shows the facts of a request to whoever wants to see them.
pub type Show<'a> = dyn Fn(&mut dyn FnMut(&Facts<'_>)) + 'a;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Batch, Format, OutputSettings, Queue};
    use crate::record::Event;
    use std::sync::Arc;

    /// An intake before an output that has room for one line, which another one has taken.
    fn full() -> (Intake, Arc<Queue>) {
        let port = Port::new(&OutputSettings { queue: 1, ..OutputSettings::default() }, Format::Json);
        let queue = Arc::clone(&port.queue);
        let mut other = Batch { bytes: vec![b'\n'], ..Batch::default() };
        other.close_line(Written::Plain);
        queue.push(other).expect("an empty queue takes any batch");
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
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
