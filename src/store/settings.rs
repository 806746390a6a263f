//! How a store is kept: what the user says in `[store]`, and what was measured best.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the section stands in the configuration.
    pub origin: usize,
    /// `path`: the folder, of which nobody else writes anything; made where there is none.
    pub path: PathBuf,
    /// `retention.age`: older records are let go of, a whole segment at a time; `None` is never.
    pub age: Option<Duration>,
    /// `retention.size`: bytes of all segments, beyond which the oldest go; `None` is no limit.
    pub size: Option<u64>,
    /// `retention.statistics`: how long counts and durations by minute stay, which take little room.
    pub statistics: Option<Duration>,
    /// Lines of a segment, after which it is sealed.
    pub seal_lines: u64,
    /// How long a segment is written to before it is sealed.
    pub seal_after: Duration,
    /// Lines after which a batch is committed.
    pub batch_lines: u64,
    /// How long a batch waits for more.
    pub batch_after: Duration,
}

impl Settings {
    /// The defaults, in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Settings {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Settings {
            origin: 0,
            path: path.into(),
            age: Some(7 * DAY),
            size: Some(5 << 30),
            statistics: Some(90 * DAY),
            seal_lines: 1_000_000,
            seal_after: Duration::from_secs(3600),
            batch_lines: 20_000,
            batch_after: Duration::from_millis(500),
        }
    }
}
