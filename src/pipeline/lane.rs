//! What one core keeps for one output: the lines that gather, and what becomes of them when the output is slow.

use std::time::{Duration, Instant};

use crate::record::{Event, Gist};
use crate::time;

use super::{Batch, Layout, Load, Losses, Port, Share, Stamp, WhenFull, Written};

/// One core's way to one output.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) port: Port,
    pub(super) layout: Layout,
    pub(super) batch: Batch,
    /// The place of an earlier lane whose batch holds the lines of this one, all of them and no others; its own is empty.
    pub(super) follows: Option<usize>,
    /// Where in the batch the record of this round begins, if this output takes it.
    taken: Option<usize>,
    /// Dropped since the last batch that was taken.
    lost: Losses,
    /// Bytes of the batch that the queue has refused since it took one; 0 while it takes them. Meanwhile blocking is not
    /// tried again: one wait a stall, not one a batch.
    stalled: usize,
}

impl Lane {
    /// Nothing gathered yet.
    pub(super) fn new(port: Port, stamp: &Stamp) -> Lane {
        let layout = Layout::new(port.format, stamp);
        Lane { port, layout, batch: Batch::default(), follows: None, taken: None, lost: Losses::default(), stalled: 0 }
    }

    /// Lines are from somebody else from now on, or laid out in another way; what has gathered is handed over as it is.
    pub(super) fn lay_out(&mut self, port: Port, stamp: &Stamp) {
        self.hand_over();
        self.layout = Layout::new(port.format, stamp);
        self.port = port;
    }

    /// This round's record is not for this output.
    pub(super) fn pass_by(&mut self, earlier: &[Lane]) {
        self.taken = None;
        if let Some(leader) = self.leader(earlier)
            && let Some(taken) = leader.taken
        {
            self.part(leader, taken);
        }
    }

    /// Whether lines need not be encoded, because there is no room for as much as the queue has refused before.
    pub(super) fn refuses(&self) -> bool {
        self.stalled > 0 && self.batch.lines.is_empty() && !self.port.queue.has_room(self.stalled)
    }

    /// Drops this round's record.
    pub(super) fn drop_line(&mut self, event: Event) {
        self.taken = None;
        if self.layout.has_line(event) {
            self.count_dropped(1);
        }
    }

    /// Takes this round's record: as another lane of the same format has it already, else encoded here. Returns whether
    /// it is the first line of a batch.
    pub(super) fn take(
        &mut self,
        earlier: &[Lane],
        gist: Option<Gist>,
        encode: impl FnOnce(&mut Layout, &mut Vec<u8>) -> Written,
    ) -> bool {
        if self.goes_on_following(earlier) {
            return false;
        }
        let twin = earlier.iter().position(|lane| lane.taken.is_some() && lane.port.format == self.port.format);
        if twin.is_some_and(|at| self.can_follow(&earlier[at])) {
            (self.follows, self.taken) = (twin, None);
            return false;
        }
        let lines = self.batch.lines.len();
        if lines == 0 {
            self.batch.hole = self.layout.leave_room(self.port.queue.digits());
        }
        self.batch.make_room(self.port.queue.batch_memory());
        self.taken = Some(self.batch.bytes.len());
        match twin.map(|at| &earlier[at]) {
            Some(Lane { batch, taken, .. }) => {
                self.batch.copy_lines(batch, taken.unwrap_or_default()..batch.bytes.len());
            }
            None => {
                let written = encode(&mut self.layout, &mut self.batch.bytes);
                self.batch.close_counted(written, gist);
            }
        }
        lines == 0 && !self.batch.lines.is_empty()
    }

    /// Whether it still has exactly the lines of the lane that it follows; if not, from now on it has its own.
    fn goes_on_following(&mut self, earlier: &[Lane]) -> bool {
        match self.leader(earlier) {
            Some(leader) if leader.taken.is_none() => {
                self.part(leader, leader.batch.bytes.len());
                false
            }
            leader => leader.is_some(),
        }
    }

    /// Whether the other one has nothing but this round's record, and is handed over at the same size. A lane that the
    /// queue has refused something needs a batch of its own, to tell before which of its lines that was.
    fn can_follow(&self, other: &Lane) -> bool {
        let begins = other.taken == Some(0) && self.batch.bytes.is_empty();
        begins && self.stalled == 0 && self.port.queue.batch_bytes() == other.port.queue.batch_bytes()
    }

    fn leader<'a>(&self, earlier: &'a [Lane]) -> Option<&'a Lane> {
        earlier.get(self.follows?)
    }

    /// Takes its lines, which end at this byte of the leader's batch, into a batch of its own.
    pub(super) fn part(&mut self, leader: &Lane, end: usize) {
        self.follows = None;
        self.batch.hole = self.layout.leave_room(self.port.queue.digits());
        self.batch.copy_lines(&leader.batch, 0..end);
    }

    /// Whether the batch has grown enough to be handed over.
    pub(super) fn is_full(&self) -> bool {
        self.batch.bytes.len() >= self.port.queue.batch_bytes()
    }

    /// Hands over whatever has gathered. Returns whether a loss could not be told yet because the queue is full.
    pub(super) fn hand_over(&mut self) -> bool {
        // An empty batch always finds room: while nothing else does, one after the other would only tell of losses.
        if self.batch.is_empty() && (self.lost.is_empty() || self.refuses()) {
            return !self.lost.is_empty();
        }
        let batch = std::mem::replace(&mut self.batch, self.port.queue.spare());
        self.hand_over_load(Load::Own(batch));
        !self.lost.is_empty()
    }

    /// Gives what has gathered away for several outputs.
    pub(super) fn share_batch(&mut self) -> Share {
        let batch = std::mem::replace(&mut self.batch, self.port.queue.spare());
        self.port.queue.share(batch)
    }

    /// Hands over lines, and before them what is to be told of losses.
    pub(super) fn hand_over_load(&mut self, mut load: Load) {
        load.set_lost(self.lost);
        match self.push(load) {
            Ok(()) => (self.lost, self.stalled) = (Losses::default(), 0),
            Err(refused) => self.drop_load(refused),
        }
    }

    /// Whether a loss could not be told yet.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
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
        self.port.queue.leave_untold(&std::mem::take(&mut self.lost));
        self.port.queue.count_untold(std::mem::take(&mut self.batch).lines.len() as u64);
    }

    fn push(&mut self, load: Load) -> Result<(), Load> {
        let at_most = match self.port.queue.when_full() {
            WhenFull::Block(at_most) if self.stalled == 0 => at_most,
            _ => Duration::ZERO,
        };
        self.push_within(load, at_most)
    }

    fn push_within(&self, mut load: Load, at_most: Duration) -> Result<(), Load> {
        let mut since = None;
        loop {
            match self.port.queue.offer(load) {
                Ok(()) => return Ok(()),
                Err(refused) => load = refused,
            }
            let since = *since.get_or_insert_with(time::monotonic);
            if since.elapsed() >= at_most {
                return Err(load);
            }
            std::thread::sleep(pause(since, at_most));
        }
    }

    fn drop_load(&mut self, load: Load) {
        // Even one without lines needs a place.
        self.stalled = load.bytes().max(1);
        self.count_dropped(load.lines());
        self.port.queue.recycle(load);
    }

    fn count_dropped(&mut self, records: u64) {
        let cause = self.port.queue.count_dropped(records);
        self.lost.add(cause, records);
    }
}

/// The wait between two tries of a blocked core.
fn pause(since: Instant, at_most: Duration) -> Duration {
    at_most.saturating_sub(since.elapsed()).min(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings, Reason};

    /// A lane to an output of which others have taken all room.
    fn stalled(format: Format) -> Lane {
        let port = Port::new(&OutputSettings { queue: 10, ..OutputSettings::default() }, format);
        port.queue.push(lines(10)).expect("an empty queue takes any batch");
        let mut lane = Lane::new(port, &Stamp { instance: "i".into(), record: Default::default() });
        take(&mut lane);
        assert!(!lane.refuses(), "it has not been refused anything yet");
        assert!(lane.hand_over(), "a loss is to be told");
        assert!(lane.refuses());
        lane
    }

    fn lines(bytes: usize) -> Batch {
        let mut batch = Batch { bytes: vec![b'x'; bytes], ..Batch::default() };
        batch.close_line(Written::Plain);
        batch
    }

    fn take(lane: &mut Lane) -> bool {
        lane.take(&[], None, |_, out| {
            out.extend_from_slice(b"line\n");
            Written::Plain
        })
    }

    #[test]
    fn what_was_dropped_unseen_is_told_with_the_first_line_that_finds_room_again() {
        let mut lane = stalled(Format::Json);
        lane.drop_line(Event::RequestStarted);
        lane.port.queue.set_cause(Reason::DiskFull);
        lane.drop_line(Event::RequestCompleted);
        assert!(lane.hand_over(), "nothing is pushed while there is no room");
        assert_eq!(lane.port.queue.waiting_batches(), 1);
        lane.port.queue.pop();
        assert!(!lane.refuses());
        assert!(take(&mut lane), "the first line of a batch");
        assert!(!lane.hand_over());
        let batch = lane.port.queue.pop().expect("a batch");
        let lost: Vec<_> = batch.lost().iter().collect();
        assert_eq!((batch.lines(), lost), (1, vec![(Reason::QueueFull, 2), (Reason::DiskFull, 1)]));
        assert_eq!(lane.port.health.dropped()[..2], [2, 1]);
    }

    #[test]
    fn losses_alone_are_told_once_there_is_room() {
        let mut lane = stalled(Format::Json);
        lane.port.queue.pop();
        assert!(!lane.hand_over());
        assert_eq!(lane.port.queue.pop().map(|load| *load.lost()), Some(Losses::of(Reason::QueueFull, 1)));
    }

    #[test]
    fn a_record_of_which_the_format_has_no_line_is_not_lost() {
        for format in [Format::Combined, Format::Combined.for_syslog()] {
            let mut lane = stalled(format);
            lane.drop_line(Event::RequestStarted);
            assert_eq!(lane.port.health.dropped()[0], 1);
            lane.drop_line(Event::RequestCompleted);
            assert_eq!(lane.port.health.dropped()[0], 2);
        }
    }

    #[test]
    fn a_twin_of_one_that_refuses_encodes_for_itself() {
        let mut lanes = [stalled(Format::Json)];
        lanes[0].drop_line(Event::RequestStarted);
        let mut lane = Lane::new(
            Port::new(&OutputSettings::default(), Format::Json),
            &Stamp { instance: "i".into(), record: Default::default() },
        );
        let written = |_: &mut Layout, out: &mut Vec<u8>| {
            out.push(b'\n');
            Written::Plain
        };
        assert!(lane.take(&lanes, None, written));
        assert_eq!(lane.batch.bytes, b"\n");
    }
}
