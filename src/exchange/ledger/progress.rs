//! What is told of an exchange while it runs: that it is slow, that it has become a tunnel, how far it is.

use std::time::{Duration, Instant};

use crate::record::{Closer, Event, Level, Outcome, Phase};

use super::{Exchange, Ledger};

impl Exchange {
    /// It has become a tunnel, and the client knows: `request_upgraded` is written.
    pub fn upgraded(&self) {
        self.enter(Phase::Tunnel);
        self.0.is_tunnel.set(true);
        let now = self.0.core.desk.clock.now();
        self.0.release(now);
        self.0.write_progress(Event::RequestUpgraded, Level::Info, now, true);
    }

    /// The tunnel is over; `orderly` if both ends have said all they had to say.
    pub fn closed(&self, by: Closer, orderly: bool) {
        self.0.closed_by.set(Some(by));
        self.failed(Outcome::Upgraded, None);
        if orderly {
            self.enter(Phase::Done);
        }
    }
}

impl Ledger {
    /// Writes `request_slow`; it still runs.
    pub(in crate::exchange) fn write_slow(&self, now: Instant) {
        if self.is_tunnel.get() {
            return;
        }
        self.slow.set(true);
        self.release(now);
        self.write_progress(Event::RequestSlow, Level::Warning, now, true);
    }

    /// Writes `request_progress` where another `period` is over for a tunnel or a stream. Returns how long it is to the next.
    pub(in crate::exchange) fn report_progress(&self, now: Instant, period: Duration) -> Duration {
        let age = self.age(now);
        let periods = u32::try_from(age.as_micros() / period.as_micros().max(1)).unwrap_or(u32::MAX);
        let before = self.progress.replace(periods);
        let streams = matches!(self.phase.get(), Phase::Send | Phase::Receive | Phase::Tunnel);
        if periods > before && streams {
            self.release(now);
            self.write_progress(Event::RequestProgress, Level::Info, now, true);
        }
        period.saturating_mul(periods.saturating_add(1)).saturating_sub(age)
    }
}
