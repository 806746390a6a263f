//! What the user says about the store: `[store]`.

use std::path::PathBuf;
use std::time::Duration;

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `path`: the folder, of which nobody else writes anything.
    pub path: PathBuf,
    /// `retention.age`: older records are let go of, a whole segment at a time; `None` is never.
    pub age: Option<Duration>,
    /// `retention.size`: bytes of all segments; `None` is no limit.
    pub size: Option<u64>,
    /// `retention.statistics`: how long counts and durations by minute stay, which take little room.
    pub statistics: Option<Duration>,
}

impl Settings {
    /// The defaults, in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Settings {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Settings { path: path.into(), age: Some(7 * DAY), size: Some(5 << 30), statistics: Some(90 * DAY) }
    }
}
