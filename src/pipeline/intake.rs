//! Where a core offers its records: encoded at once into a batch per output, never waiting for anybody.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::record::json::Fragment;
use crate::record::{Body, Facts, Gist, Head, Level, Progress, Record};
use crate::time;

use super::lane::Lane;
use super::step;
use super::watch::Watcher;
use super::{Gate, Layout, Levels, Port, Routing, Stamp, Watch, Written};

/// One core's way into the pipeline.
///
/// Not `Sync`: each serving thread has its own.
#[derive(Debug)]
pub struct Intake {
    levels: RefCell<Levels>,
    /// Below it no output takes anything.
    lowest: Cell<Level>,
    /// Whether somebody counts what the records say.
    gists: Cell<bool>,
    watcher: RefCell<Option<Watcher>>,
    lanes: RefCell<Vec<Lane>>,
    /// Lanes to outputs that are no more, whose last lines found the queue full, and since when.
    leaving: RefCell<Vec<(Lane, Instant)>>,
    stamp: RefCell<Stamp>,
    filled: Notify,
}

impl Intake {
    /// A way to each of the outputs.
    pub fn new(routing: &Routing) -> Intake {
        let lanes = routing.ports.iter().map(|port| Lane::new(port.clone(), &routing.stamp)).collect();
        Intake {
            levels: RefCell::new(routing.levels.clone()),
            lowest: Cell::new(routing.lowest()),
            gists: Cell::new(routing.wants_gists()),
            watcher: RefCell::new(routing.watch.clone().map(Watcher::new)),
            lanes: RefCell::new(lanes),
            leaving: RefCell::default(),
            stamp: RefCell::new(routing.stamp.clone()),
            filled: Notify::new(),
        }
    }

    /// From now on there are these outputs. One that was there before keeps the lines that have gathered for it; those
    /// of one that is no more are handed over now, or soon where its queue is full: nobody waits for it.
    pub fn swap(&self, routing: &Routing) {
        let mut lanes = self.lanes.borrow_mut();
        step::part_all(&mut lanes);
        let mut before = std::mem::take(&mut *lanes);
        let restamped = *self.stamp.borrow() != routing.stamp;
        let lane = |port: &Port| match before.iter().position(|lane| lane.port.is(port)) {
            Some(at) => {
                let mut lane = before.swap_remove(at);
                if restamped {
                    lane.lay_out(port.clone(), &routing.stamp);
                }
                lane
            }
            None => Lane::new(port.clone(), &routing.stamp),
        };
        *lanes = routing.ports.iter().map(lane).collect();
        self.stamp.replace(routing.stamp.clone());
        self.levels.replace(routing.levels.clone());
        self.lowest.set(routing.lowest());
        self.gists.set(routing.wants_gists());
        self.watch(routing.watch.as_ref());
        let since = time::monotonic();
        let left = before.into_iter().filter_map(|mut lane| (!lane.hand_over_last()).then_some((lane, since)));
        self.leaving.borrow_mut().extend(left);
        self.filled.notify_one();
    }

    /// Whether a record of this level is written by anybody.
    pub fn allows(&self, logger: &str, level: Level) -> bool {
        level >= self.lowest.get() && self.levels.borrow().allow(logger, level)
    }

    /// Encodes once what all records of one request share, if any output has a use for it.
    pub fn fragment(&self, facts: &Facts<'_>, fragment: &mut Fragment) {
        match self.lanes.borrow_mut().iter_mut().find_map(|lane| lane.layout.json()) {
            Some(encoder) => encoder.fragment(facts, fragment),
            // What an earlier request left must not be taken for this one's.
            None => fragment.clear(),
        }
    }

    /// Offers a record about a request whose [`Intake::fragment`] was made from the same facts.
    /// `show` gives the facts themselves, to filters, and to layouts that make no use of the fragment; `route` is the place
    /// of its route's name among all that are counted ([`Gist::route`]).
    pub fn request(
        &self,
        head: &Head<'_>,
        fragment: &Fragment,
        progress: Option<&Progress<'_>>,
        route: u32,
        show: &Show<'_>,
    ) {
        let gist = if self.gists.get() { Gist::of(head, progress, route) } else { None };
        self.witness(head, progress, show);
        let accepts = |gate: &Gate| {
            gate.accepts_head(head, |filter| {
                let mut matches = false;
                show(&mut |facts| {
                    matches = filter.matches(&Record { head: *head, body: Body::Request { facts, progress } });
                });
                matches
            })
        };
        self.offer(head, gist, accepts, |layout, out| match layout {
            // It is empty where no output had a use for it when the request began.
            Layout::Json(encoder) if !fragment.is_empty() => {
                Written::Numbered(encoder.request(head, fragment, progress, out))
            }
            layout => {
                let mut written = Written::None;
                show(&mut |facts| {
                    written = layout.record(&Record { head: *head, body: Body::Request { facts, progress } }, out);
                });
                written
            }
        });
    }

    /// Has a record about a request seen by who watches, and by no output: what sampling leaves out is no less of a share.
    pub fn witness(&self, head: &Head<'_>, progress: Option<&Progress<'_>>, show: &Show<'_>) {
        self.see(head, |see| {
            show(&mut |facts| see(&Record { head: *head, body: Body::Request { facts, progress } }));
        });
    }

    /// Offers any record.
    pub fn record(&self, record: &Record<'_>) {
        self.see(&record.head, |see| see(record));
        self.offer(&record.head, None, |gate| gate.accepts(record), |layout, out| layout.record(record, out));
    }

    /// Waits until there is something to [`Intake::flush`].
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Hands over whatever the batches hold. Returns whether something is left that a full queue did not take: a loss that
    /// could not be told yet, or the last lines for an output that is no more.
    pub fn flush(&self) -> bool {
        self.watcher.borrow_mut().iter_mut().for_each(Watcher::hand_over_urgent);
        let mut lanes = self.lanes.borrow_mut();
        let untold = step::hand_over_all(&mut lanes);
        untold | self.flush_leaving()
    }

    fn flush_leaving(&self) -> bool {
        let mut leaving = self.leaving.borrow_mut();
        leaving.retain_mut(|(lane, since)| {
            if lane.hand_over_last() {
                return false;
            }
            let late = since.elapsed() >= LAST_LINES;
            if late {
                lane.give_up();
            }
            !late
        });
        !leaving.is_empty()
    }

    /// Hands over the last of all lines within this time, to all outputs at once; what one does not take until then is
    /// counted as lost.
    pub fn flush_last(&self, at_most: Duration) {
        self.hand_over_sightings();
        let since = time::monotonic();
        let mut lanes = self.lanes.borrow_mut();
        step::part_all(&mut lanes);
        let mut leaving = self.leaving.borrow_mut();
        let mut left: Vec<&mut Lane> = lanes.iter_mut().chain(leaving.iter_mut().map(|(lane, _)| lane)).collect();
        loop {
            left.retain_mut(|lane| !lane.hand_over_last());
            if left.is_empty() || since.elapsed() >= at_most {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        left.into_iter().for_each(Lane::give_up);
    }

    /// Hands over what was seen for who watches: to be called each second or so.
    pub fn hand_over_sightings(&self) {
        self.watcher.borrow_mut().iter_mut().for_each(Watcher::hand_over);
    }

    /// What is noted for who watched before is handed over.
    fn watch(&self, watch: Option<&Watch>) {
        let before = self.watcher.replace(watch.cloned().map(Watcher::new));
        before.into_iter().for_each(|mut watcher| watcher.hand_over());
    }

    /// Has a record seen by who watches, whatever outputs take it; `show` puts it together.
    #[inline]
    fn see(&self, head: &Head<'_>, show: impl FnOnce(&mut dyn FnMut(&Record<'_>))) {
        if let Some(watcher) = &mut *self.watcher.borrow_mut()
            && watcher.cares(head)
            && self.levels.borrow().allow(head.logger, head.level)
        {
            let mut urgent = false;
            show(&mut |record| urgent = watcher.see(record));
            if urgent {
                self.filled.notify_one();
            }
        }
    }

    /// Encodes a record once for each format whose outputs accept it and have room for it.
    fn offer(
        &self,
        head: &Head<'_>,
        gist: Option<Gist>,
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
                lane.pass_by(earlier);
            } else if lane.refuses() {
                lane.drop_line(head.event);
            } else if lane.take(earlier, gist, &encode) {
                self.filled.notify_one();
            }
        }
        // Only now: lanes copy from each other's batches.
        step::hand_over_full(&mut lanes);
    }
}

/// How long an output that is no more is offered its last lines.
const LAST_LINES: Duration = Duration::from_secs(5);
/// The wait between two tries to hand over the last lines.
const PAUSE: Duration = Duration::from_millis(1);

/// Shows the facts of a request to whoever wants to see them.
pub type Show<'a> = dyn Fn(&mut dyn FnMut(&Facts<'_>)) + 'a;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Batch, Format, Health, Losses, OutputSettings, Queue};
    use crate::record::Event;
    use std::sync::Arc;

    /// An intake before an output that has room for one line, which another one has taken.
    fn full() -> (Intake, Arc<Queue>, Arc<Health>) {
        let port = Port::new(&OutputSettings { queue: 1, ..OutputSettings::default() }, Format::Json);
        let (queue, health) = (Arc::clone(&port.queue), Arc::clone(&port.health));
        let mut other = Batch { bytes: vec![b'\n'], ..Batch::default() };
        other.close_line(Written::Plain);
        queue.push(other).expect("an empty queue takes any batch");
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        let intake =
            Intake::new(&Routing { levels: Levels::new(&Default::default()), ports: vec![port], stamp, watch: None });
        let event = Event::ServerStopping;
        let head = Head { timestamp: 0, level: Level::Info, event, message: "m", logger: "gatelog.proxy" };
        intake.record(&Record { head, body: Body::Fields(&[]) });
        (intake, queue, health)
    }

    #[test]
    fn the_last_lines_wait_for_a_queue_that_is_full() {
        let (intake, queue, health) = full();
        let reader = Arc::clone(&queue);
        let reading = std::thread::spawn(move || {
            let mut lines = 0;
            while lines < 2 {
                lines += reader.pop().map_or(0, |load| load.lines());
                std::thread::yield_now();
            }
        });
        intake.flush_last(Duration::from_secs(20));
        reading.join().expect("both lines come");
        assert_eq!((health.dropped()[0], queue.take_untold()), (0, Losses::default()));
    }

    #[test]
    fn the_last_lines_that_nobody_takes_are_told_of() {
        let (intake, queue, health) = full();
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
        // One was refused with its batch, the other before it was encoded; a count without lines finds room.
        let told: u64 = std::iter::from_fn(|| queue.pop())
            .flat_map(|load| load.lost().iter().collect::<Vec<_>>())
            .map(|(_, lost)| lost)
            .sum();
        assert_eq!((health.dropped()[0], told, queue.take_untold()), (2, 2, Losses::default()));
    }

    fn routing(ports: &[&Port]) -> Routing {
        let stamp = Stamp { instance: "i".into(), record: Default::default() };
        Routing {
            levels: Levels::new(&Default::default()),
            ports: ports.iter().map(|port| (*port).clone()).collect(),
            stamp,
            watch: None,
        }
    }

    fn say(intake: &Intake) {
        let event = Event::ServerStarted;
        let head = Head { timestamp: 0, level: Level::Info, event, message: "m", logger: "gatelog.proxy" };
        intake.record(&Record { head, body: Body::Fields(&[]) });
    }

    fn lines(queue: &Queue) -> u64 {
        std::iter::from_fn(|| queue.pop()).map(|load| load.lines()).sum()
    }

    #[test]
    fn records_before_a_swap_go_to_the_outputs_before_and_those_after_it_to_the_outputs_after() {
        let [kept, gone, new] = [0; 3].map(|_| Port::new(&OutputSettings::default(), Format::Json));
        let queues = [&kept, &gone, &new].map(|port| Arc::clone(&port.queue));
        let intake = Intake::new(&routing(&[&gone, &kept]));
        say(&intake);
        intake.swap(&routing(&[&new, &kept]));
        drop((kept, gone, new));
        assert!(queues[1].is_closed(), "nobody can offer anything to it any more");
        assert_eq!(queues[0].waiting_batches(), 0, "what gathers for it goes on gathering");
        say(&intake);
        intake.flush();
        assert_eq!(queues.each_ref().map(|queue| lines(queue)), [2, 1, 1]);
        assert!(!queues[0].is_closed() && !queues[2].is_closed());
    }

    #[test]
    fn a_port_that_stays_while_the_stamp_changes_has_lines_with_the_new_one_from_then_on() {
        let port = Port::new(&OutputSettings::default(), Format::Native);
        let intake = Intake::new(&routing(&[&port]));
        say(&intake);
        let mut next = routing(&[&port]);
        next.stamp.record.service = Some("shop".into());
        intake.swap(&next);
        say(&intake);
        intake.flush();
        let named: Vec<bool> = std::iter::from_fn(|| port.queue.pop())
            .map(|load| load.show(|batch| String::from_utf8_lossy(&batch.bytes).contains("\"shop\"")))
            .collect();
        assert_eq!(named, [false, true]);
    }

    #[test]
    fn last_lines_for_an_output_that_is_no_more_wait_until_its_queue_has_room() {
        let (intake, queue, _) = full();
        intake.swap(&routing(&[]));
        assert!(intake.flush(), "they are still there");
        assert!(!queue.is_closed());
        assert_eq!(lines(&queue), 1);
        assert!(!intake.flush());
        assert_eq!(lines(&queue), 1);
        assert!(queue.is_closed());
    }
}
