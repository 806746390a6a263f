//! How long a connection may wait for what it waits for: a head, the rest of one, the next request, a client that reads.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::time::{self, Deadline};

use super::settings::Limits;
use super::wire::Wire;

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// The next request.
    Idle,
    /// The next request, not for so long that the connection would be closed.
    Rest,
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
    /// When it began to wait for what it waits for.
    since: Instant,
    /// After how long without a request it rests; `None` where it does not.
    rest: Option<Duration>,
    /// It waits for a request, and is to rest at the deadline.
    may_rest: bool,
    deadline: Deadline,
}

impl<'a> Patience<'a> {
    pub(super) fn new(limits: &'a Limits) -> Patience<'a> {
        let (mut deadline, since) = (Deadline::default(), time::monotonic());
        deadline.set(since, limits.header_timeout);
        Patience { limits, waiting: Waiting::FirstHead, moved: 0, since, rest: None, may_rest: false, deadline }
    }

    /// The same for a connection that is to rest when there was no request for so long.
    pub(super) fn resting(limits: &'a Limits, after: Duration) -> Patience<'a> {
        let rest = Some(after).filter(|after| limits.keep_alive.is_none_or(|keep_alive| *after < keep_alive));
        Patience { rest, ..Patience::new(limits) }
    }

    /// Ready when a connection at rest has waited for its next request for too long.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stay();
        self.deadline.poll(cx)
    }

    /// It does not rest before the next request, or does already.
    pub(super) fn stay(&mut self) {
        if std::mem::take(&mut self.may_rest) {
            self.deadline.set(self.since, self.limits.keep_alive);
        }
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
            Waiting::Idle if self.may_rest => Poll::Ready(Expired::Rest),
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
        self.may_rest = self.waiting == Waiting::Idle && self.rest.is_some();
        let limit = match self.waiting {
            Waiting::FirstHead | Waiting::Head => self.limits.header_timeout,
            Waiting::Idle => self.rest.or(self.limits.keep_alive),
            Waiting::Blocked => self.limits.body_idle_timeout,
            Waiting::Running => return self.deadline.clear(),
        };
        self.since = time::monotonic();
        self.deadline.set(self.since, limit);
    }
}
