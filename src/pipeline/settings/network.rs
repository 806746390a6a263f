//! What outputs over a network have in common: how much is sent at once, how often it is tried, and what waits on disk.

use std::path::PathBuf;
use std::time::Duration;

/// How records are gathered, sent and sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySettings {
    /// `batch`.
    pub batch: BatchSettings,
    /// `concurrency`: requests in flight, at least one.
    pub concurrency: usize,
    /// `timeout`: of one attempt, from connecting to the last byte that is read of the answer.
    pub timeout: Duration,
    /// `retry_at_most`: the longest wait between two attempts of our own choosing.
    pub retry_at_most: Duration,
    /// `spool`; `None`: what waits, waits in the queue.
    pub spool: Option<SpoolSettings>,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        DeliverySettings {
            batch: BatchSettings::default(),
            concurrency: 1,
            timeout: Duration::from_secs(30),
            retry_at_most: Duration::from_secs(30),
            spool: None,
        }
    }
}

/// When a batch is sent: as soon as one of these is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Lines.
    pub records: usize,
    /// Bytes, before they are compressed; a longer line is sent alone.
    pub bytes: usize,
    /// Since the batch began to fill.
    pub wait: Duration,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings { records: 500, bytes: 1 << 20, wait: Duration::from_secs(5) }
    }
}

/// `spool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// `path`: a folder of its own.
    pub path: PathBuf,
    /// `max`: bytes of all segments together.
    pub max: u64,
}
