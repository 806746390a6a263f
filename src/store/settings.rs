//! How a store is kept.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder; made where there is none.
    pub path: PathBuf,
    /// Records that are older go, whole segments at a time.
    pub age: Option<Duration>,
    /// Beyond so many bytes the oldest segments go.
    pub bytes: Option<u64>,
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
    /// As it is measured best, and kept without end.
    pub fn new(path: PathBuf) -> Settings {
        Settings {
            path,
            age: None,
            bytes: None,
            seal_lines: 1_000_000,
            seal_after: Duration::from_secs(3600),
            batch_lines: 20_000,
            batch_after: Duration::from_millis(500),
        }
    }
}
