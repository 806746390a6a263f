//! What waits for one channel and when its turn comes: a state machine that is told the time, and does nothing itself.
//!
//! ```text
//! notices ──> wait, at most 64 ──(gathered, and the rate allows)──> one message ──> tried until it is settled
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::alert::notice::Notice;
use crate::alert::words::Batch;
use crate::net::Backoff;

use super::bucket::Bucket;
use super::means::Verdict;

/// Notices that wait; when there are more, the oldest is dropped.
pub(super) const MOST_WAITING: usize = 64;

/// How much time things take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From the first notice to the message: what comes in between is in it as well.
    pub gather: Duration,
    /// The longest wait between two tries.
    pub retry_at_most: Duration,
    /// From the first try to the last; what nobody took until then is given up.
    pub give_up: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            gather: Duration::from_secs(2),
            retry_at_most: Duration::from_secs(5 * 60),
            give_up: Duration::from_secs(3600),
        }
    }
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing before this moment, or before something comes.
    Wait(Option<Instant>),
    /// A new message, and the first try of it.
    Write(Batch),
    /// One more try of the present message.
    Again,
    /// Nothing ever more.
    Over,
}

/// What has become of a message with a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Everybody has it.
    Delivered,
    /// It is not tried any more, and there is somebody who does not have it.
    Failed(String),
    /// It is tried again.
    Later(String),
}

/// What became of the notices of a channel so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
}

/// One channel's desk.
#[derive(Debug)]
pub(super) struct Desk {
    pace: Pace,
    bucket: Bucket,
    /// The oldest first.
    waiting: VecDeque<(Instant, Arc<Notice>)>,
    effort: Option<Effort>,
    /// Nothing more comes, and what is there has time until then.
    until: Option<Instant>,
    counts: Counts,
    /// Dropped, and the next message does not say so yet.
    unsaid: u64,
}

/// A message that is being tried.
#[derive(Debug)]
struct Effort {
    notices: u64,
    since: Instant,
    next: Instant,
    backoff: Backoff,
}

impl Desk {
    /// An empty one, of `rate` messages an hour.
    pub(super) fn new(rate: u32, pace: Pace) -> Desk {
        let (bucket, counts) = (Bucket::new(rate), Counts::default());
        Desk { pace, bucket, waiting: VecDeque::new(), effort: None, until: None, counts, unsaid: 0 }
    }

    /// One more notice. Where there is no room, the oldest of those that a later one makes needless is dropped, else the
    /// oldest of all.
    pub(super) fn put(&mut self, now: Instant, notice: Arc<Notice>) {
        self.waiting.push_back((now, notice));
        if self.waiting.len() > MOST_WAITING {
            let place = self.needless().unwrap_or(0);
            self.waiting.remove(place);
            self.counts.dropped += 1;
            self.unsaid += 1;
        }
    }

    /// The first of which a later notice of the same alert waits as well.
    fn needless(&self) -> Option<usize> {
        let is_needless = |place: usize| {
            let key = &self.waiting[place].1.key;
            self.waiting.iter().skip(place + 1).any(|(_, later)| later.key == *key)
        };
        (0..self.waiting.len()).find(|place| is_needless(*place))
    }

    /// Nothing more comes: what is there has time until then for one more try, which waits for nothing.
    pub(super) fn close(&mut self, now: Instant, until: Instant) {
        self.until = Some(self.until.map_or(until, |earlier| earlier.min(until)));
        if let Some(effort) = &mut self.effort {
            effort.next = effort.next.min(now);
        }
    }

    /// What is to be done now. Whoever is told to write or to try has to [settle](Desk::settle) that before it asks again.
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        if self.until.is_some_and(|until| now >= until) {
            self.abandon();
            return Turn::Over;
        }
        match (&self.effort, self.waiting.front()) {
            (Some(effort), _) if now >= effort.next => Turn::Again,
            (Some(effort), _) => Turn::Wait(Some(effort.next)),
            (None, None) if self.until.is_some() => Turn::Over,
            (None, None) => Turn::Wait(None),
            (None, Some((came, _))) => match self.due(*came, now) {
                due if now >= due => Turn::Write(self.write(now)),
                due => Turn::Wait(Some(due)),
            },
        }
    }

    /// When those who wait since then have their turn. In the end nobody waits for more to come, or for the rate.
    fn due(&self, came: Instant, now: Instant) -> Instant {
        if self.until.is_some() { now } else { self.bucket.ready(now).max(came + self.pace.gather) }
    }

    fn write(&mut self, now: Instant) -> Batch {
        self.bucket.take(now);
        let notices: Vec<Arc<Notice>> = self.waiting.drain(..).map(|(_, notice)| notice).collect();
        let backoff = Backoff::new(self.pace.retry_at_most);
        self.effort = Some(Effort { notices: notices.len() as u64, since: now, next: now, backoff });
        Batch { notices, dropped: std::mem::take(&mut self.unsaid) }
    }

    /// What came of the try.
    pub(super) fn settle(&mut self, now: Instant, verdict: Verdict) -> Settled {
        let Some(effort) = &mut self.effort else { return Settled::Delivered };
        match verdict {
            Verdict::Delivered { but } => {
                self.counts.delivered += effort.notices;
                self.effort = None;
                but.map_or(Settled::Delivered, Settled::Failed)
            }
            Verdict::Refused { said } => {
                self.fail();
                Settled::Failed(said)
            }
            Verdict::Again { said, .. } if self.until.is_some() || now >= effort.since + self.pace.give_up => {
                self.fail();
                Settled::Failed(format!("given up: {said}"))
            }
            Verdict::Again { said, after } => {
                effort.next = now + effort.backoff.next(after);
                Settled::Later(said)
            }
        }
    }

    fn fail(&mut self) {
        self.counts.failed += self.effort.take().map_or(0, |effort| effort.notices);
    }

    /// There is no more time.
    fn abandon(&mut self) {
        self.fail();
        self.counts.dropped += self.waiting.drain(..).count() as u64;
    }

    /// Notices that nobody has yet, those of the present message included.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64 + self.effort.as_ref().map_or(0, |effort| effort.notices)
    }

    /// What became of the others.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
