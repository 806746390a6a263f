//! `[[log.output]]` of type `file`.

use std::path::PathBuf;
use std::time::Duration;

/// A log file, and what becomes of it when it has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Where it stands in the configuration.
    pub origin: usize,
    /// The file that is written to; rotated ones lie beside it.
    pub path: PathBuf,
    /// `None`: it grows until somebody else rotates it.
    pub rotate: Option<Rotate>,
    /// Permission bits, whatever the umask; `None`: `0640` where the file is new, as it is where it is not.
    pub mode: Option<u32>,
    /// Name or number of the user that the file is given to; `None`: whoever runs gatelog.
    pub owner: Option<String>,
    /// Name or number of the group that the file is given to.
    pub group: Option<String>,
    /// Whether folders that are missing on the way to it are made.
    pub create_directories: bool,
}

impl FileSettings {
    /// A file that is never rotated.
    pub fn new(path: impl Into<PathBuf>) -> FileSettings {
        let (rotate, mode, owner, group) = Default::default();
        FileSettings { origin: 0, path: path.into(), rotate, mode, owner, group, create_directories: false }
    }
}

/// When a file is closed and a new one begun, and how many closed ones stay. One of `size` and `every` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate {
    /// Bytes that a file holds at most, unless a single line is longer.
    pub size: Option<u64>,
    /// Periods count from midnight UTC (of a Monday, for whole weeks), whenever the process was started.
    pub every: Option<Duration>,
    /// Closed files that stay; the oldest are removed.
    pub keep: usize,
    /// What closed files are made into.
    pub compress: Option<Compression>,
}

/// How closed files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, `.gz`.
    Gzip,
    /// RFC 8878, `.zst`.
    Zstd,
}
