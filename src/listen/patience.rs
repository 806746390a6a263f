//! How long a connection may wait for what it waits for: a head, the rest of one, the next request, a client that reads.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::time::{self, Deadline};

use super::settings::Limits;
use super::wire::Wire;

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// The next request.
    Idle,
    /// A head that has begun.
    Head,
    /// A client that does not read.
    Blocked,
}

/// What a connection waits for, and for how long it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For the first byte of its first head.
    FirstHead,
    /// For the first byte of a head.
    Idle,
    /// For the rest of a head.
    Head,
    /// For the client to read.
    Blocked,
    /// A request runs; whoever answers it watches the time.
    Running,
}

pub(super) struct Patience<'a> {
    limits: &'a Limits,
    waiting: Waiting,
    /// How much the client had taken when the deadline was set.
    moved: u64,
    deadline: Deadline,
}

impl<'a> Patience<'a> {
    pub(super) fn new(limits: &'a Limits) -> Patience<'a> {
        let mut deadline = Deadline::default();
        deadline.set(time::monotonic(), limits.header_timeout);
        Patience { limits, waiting: Waiting::FirstHead, moved: 0, deadline }
    }

    pub(super) fn poll(&mut self, wire: &Wire, cx: &mut Context<'_>) -> Poll<Expired> {
        let waiting = self.look(wire);
        let goes_on = waiting == Waiting::Blocked && wire.moved() != self.moved;
        if waiting != self.waiting || goes_on {
            (self.waiting, self.moved) = (waiting, wire.moved());
            self.arm();
        }
        if self.deadline.poll(cx).is_pending() {
            return Poll::Pending;
        }
        match self.waiting {
            Waiting::Head => {
                wire.gate().refuse(Some(408), "header_timeout", "the head did not come within limits.header_timeout");
                Poll::Ready(Expired::Head)
            }
            Waiting::Blocked => {
                wire.stall();
                Poll::Ready(Expired::Blocked)
            }
            Waiting::FirstHead | Waiting::Idle => Poll::Ready(Expired::Idle),
            Waiting::Running => Poll::Pending,
        }
    }

    /// A little more time, to end well.
    pub(super) fn extend(&mut self, by: Duration) {
        self.deadline.set(time::monotonic(), Some(by));
    }

    fn look(&self, wire: &Wire) -> Waiting {
        match (wire.is_blocked(), wire.is_running(), wire.gate().is_mid_head()) {
            (true, ..) => Waiting::Blocked,
            (_, true, _) => Waiting::Running,
            (_, _, true) => Waiting::Head,
            _ if self.waiting == Waiting::FirstHead && !wire.has_begun() => Waiting::FirstHead,
            _ => Waiting::Idle,
        }
    }

    fn arm(&mut self) {
        let limit = match self.waiting {
            Waiting::FirstHead | Waiting::Head => self.limits.header_timeout,
            Waiting::Idle => self.limits.keep_alive,
            Waiting::Blocked => self.limits.body_idle_timeout,
            Waiting::Running => return self.deadline.clear(),
        };
        self.deadline.set(time::monotonic(), limit);
    }
}
