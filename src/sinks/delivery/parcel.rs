//! What a worker takes to the collector: at first all lines at once, and in parts where these are too many for one request.

use crate::sinks::lines::{Limits, Lines};

use super::shelf::Ticket;

/// Lines for a worker.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Those that are sent next.
    pub(super) lines: Lines,
    /// Those that come after, the last part first.
    rest: Vec<Lines>,
    ticket: Ticket,
    size: u64,
}

impl Parcel {
    /// Lines in one part.
    pub(super) fn new(lines: Lines, ticket: Ticket) -> Parcel {
        let size = lines.len() as u64;
        Parcel { lines, rest: Vec::new(), ticket, size }
    }

    /// Which one it is.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The lines that it had in the beginning.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Leaves half of the present part for later. Returns whether there were two halves.
    pub(super) fn halve(&mut self) -> bool {
        let half = Limits { records: self.lines.len() / 2, bytes: usize::MAX };
        if half.records > 0 {
            let first = self.lines.split(half);
            self.rest.push(std::mem::replace(&mut self.lines, first));
        }
        half.records > 0
    }

    /// Goes on to the next part, as nobody needs the present one any more. Returns whether there is one.
    pub(super) fn go_on(&mut self) -> bool {
        let part = self.rest.pop();
        let is_there = part.is_some();
        self.lines = part.unwrap_or_default();
        is_there
    }

    /// All parts that are still there, in order.
    pub(super) fn left(&self) -> impl Iterator<Item = &Lines> {
        std::iter::once(&self.lines).chain(self.rest.iter().rev())
    }
}
