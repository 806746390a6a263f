//! How an exchange ended, where nobody has said so, and how much that matters.

use crate::record::{Closer, Level, Outcome, Phase};
use crate::routes::Route;

use super::{Exception, Ledger};

/// What the log says where the client left before it was sent a status.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Ledger {
    /// Decides how it ended, where nobody has said so yet.
    pub(super) fn conclude(&self) {
        let outcome = match (self.outcome.get(), self.status.get()) {
            (Some(outcome), _) => outcome,
            (None, Some(status)) if self.delivered.get() && self.phase.get() != Phase::Tunnel => {
                self.phase.set(Phase::Done);
                Outcome::of_status(status)
            }
            _ if std::thread::panicking() => self.blame_ourselves(),
            _ if self.core.is_shutting_down() => self.cut_off(),
            _ => Outcome::ClientAbort,
        };
        self.outcome.set(Some(outcome));
        if outcome == Outcome::ClientAbort && self.status.get().is_none() {
            self.status.set(Some(CLIENT_CLOSED_REQUEST));
        }
    }

    fn cut_off(&self) -> Outcome {
        if self.phase.get() == Phase::Tunnel {
            self.closed_by.set(Some(Closer::Gatelog));
        }
        Outcome::Shutdown
    }

    fn blame_ourselves(&self) -> Outcome {
        let (kind, message) = (b"proxy_internal_error".to_vec(), b"a panic in gatelog".to_vec());
        *self.exception.borrow_mut() = Some(Exception { kind, message });
        Outcome::Internal
    }

    /// RECORD.md, "Level of `request_completed`"; a route may fix it.
    pub(super) fn completed_level(&self) -> Level {
        if let Some(level) = self.facts.route().and_then(level_of) {
            return level;
        }
        match (self.outcome.get(), self.status.get()) {
            (Some(Outcome::Internal), _) => Level::Critical,
            (Some(Outcome::ClientAbort | Outcome::ClientTimeout | Outcome::Shutdown), _) => Level::Warning,
            (Some(outcome), _) if is_upstreams_fault(outcome) => Level::Error,
            (_, Some(500..)) => Level::Error,
            (_, Some(400..)) => Level::Warning,
            _ => Level::Info,
        }
    }
}

fn level_of(route: &Route) -> Option<Level> {
    route.overrides.level
}

/// The upstream did not give a whole answer.
pub(super) fn is_upstreams_fault(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::UpstreamTimeout
            | Outcome::UpstreamRefused
            | Outcome::UpstreamReset
            | Outcome::UpstreamIncomplete
            | Outcome::UpstreamProtocol
            | Outcome::UpstreamTls
            | Outcome::UpstreamDns
    )
}
