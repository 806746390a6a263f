//! What runs now on one core, for whoever asks from outside: a bounded copy of the oldest requests.

use crate::record::{self, Phase};

use super::Exchanges;
use super::ledger::Ledger;

/// Characters of a path or a query that are shown.
const MOST_CHARACTERS: usize = 1024;

/// What runs on a core at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// How many requests run.
    pub total: usize,
    /// The oldest of them, the oldest first.
    pub oldest: Vec<Running>,
}

/// A request that runs, as its records would show it.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub request_id: String,
    /// When its head was read: microseconds since the Unix epoch.
    pub started: u64,
    /// How long ago that was, in microseconds.
    pub age: u64,
    /// Where it is.
    pub phase: Phase,
    /// Method.
    pub method: String,
    /// Host as the client named it.
    pub host: Option<String>,
    /// Path as sent, cut to 1024 characters.
    pub path: String,
    /// Query, redacted, cut likewise.
    pub query: Option<String>,
    /// The full name of its route, or `unknown`.
    pub view_name: String,
    /// The pattern of its route.
    pub route: Option<String>,
    /// The client.
    pub ip_address: Option<String>,
    /// The user, where known by now.
    pub user_id: Option<String>,
    /// The upstream it goes to.
    pub upstream: Option<String>,
    /// The server it is at.
    pub upstream_address: Option<String>,
    /// How many times a server was tried.
    pub attempts: Option<u32>,
    /// The status that the client is being sent.
    pub status_code: Option<u16>,
    /// Bytes of its body so far.
    pub request_size: u64,
    /// Bytes of the answer's body so far.
    pub response_size: Option<u64>,
    /// It has crossed its threshold.
    pub slow: bool,
}

impl Exchanges {
    /// The oldest requests that run, at most so many. What this takes depends on `limit` and not on how many there are.
    pub fn snapshot(&self, limit: usize) -> Snapshot {
        let now = self.desk.clock.now();
        let registry = self.desk.registry.borrow();
        let oldest = registry.oldest(limit);
        let total = registry.running();
        // Not held while a ledger is looked at: the last handle may be ours, and its end leaves the registry.
        drop(registry);
        let mut ledgers: Vec<_> = oldest.iter().filter_map(std::rc::Weak::upgrade).collect();
        ledgers.sort_by_key(|ledger| ledger.start);
        ledgers.truncate(limit);
        Snapshot { total, oldest: ledgers.iter().map(|ledger| ledger.running(now)).collect() }
    }
}

impl Ledger {
    fn running(&self, now: std::time::Instant) -> Running {
        let started = self.core.desk.clock.wall(self.start);
        self.with_progress(now, true, |progress| self.facts.show(|facts| Running::new(started, facts, progress)))
    }
}

impl Running {
    fn new(started: u64, facts: &record::Facts<'_>, progress: &record::Progress<'_>) -> Running {
        Running {
            request_id: facts.request_id.to_owned(),
            started,
            age: progress.duration,
            phase: progress.phase,
            method: facts.method.chars().take(MOST_CHARACTERS).collect(),
            host: facts.host.map(text),
            path: text(facts.path),
            query: facts.query.map(text),
            view_name: facts.view_name.to_owned(),
            route: facts.route.map(str::to_owned),
            ip_address: facts.ip_address.map(str::to_owned),
            user_id: progress.user_id.or(facts.user_id).map(text),
            upstream: progress.upstream.map(str::to_owned),
            upstream_address: progress.upstream_address.map(str::to_owned),
            attempts: progress.attempts,
            status_code: progress.status_code,
            request_size: progress.request_size,
            response_size: progress.response_size,
            slow: progress.slow,
        }
    }
}

/// Whatever bytes a client sent, as text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST_CHARACTERS)]).chars().take(MOST_CHARACTERS).collect()
}
