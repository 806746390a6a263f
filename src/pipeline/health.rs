//! How an output fares: counted by its writer, read by whoever shows it, without a lock but for the last error's text.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Why records are lost. The words are those of `log_loss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The output is slower than the traffic.
    QueueFull,
    /// No space is left where it writes to.
    DiskFull,
    /// Its target refuses.
    WriteFailed,
    /// What waits for a receiver has reached its limit on the disk.
    SpoolFull,
    /// The receiver does not want them.
    Rejected,
    /// The process ended before they were written.
    Shutdown,
}

impl Reason {
    /// Every reason, in the order in which they are declared and counted.
    pub const ALL: [Reason; 6] = [
        Reason::QueueFull,
        Reason::DiskFull,
        Reason::WriteFailed,
        Reason::SpoolFull,
        Reason::Rejected,
        Reason::Shutdown,
    ];

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue_full",
            Reason::DiskFull => "disk_full",
            Reason::WriteFailed => "write_failed",
            Reason::SpoolFull => "spool_full",
            Reason::Rejected => "rejected",
            Reason::Shutdown => "shutdown",
        }
    }
}

/// Characters of an error's text that are kept.
const ERROR_CHARACTERS: usize = 500;

/// The counters of one output since the process began.
#[derive(Debug, Default)]
pub struct Health {
    written: AtomicU64,
    bytes: AtomicU64,
    dropped: [AtomicU64; Reason::ALL.len()],
    failing: AtomicBool,
    last_failure: Mutex<Option<Failure>>,
}

/// Whether an output works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The last attempt to write went wrong.
    pub failing: bool,
    /// The last failure, long ago or not.
    pub last_failure: Option<Failure>,
}

/// A failure of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Microseconds since the Unix epoch.
    pub at: u64,
    /// What was said, cut to 500 characters.
    pub error: String,
}

impl Health {
    /// Counts records that are written, and bytes, which may be those of records that are not yet whole.
    pub fn count_written(&self, records: u64, bytes: u64) {
        self.written.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts records that are lost.
    pub fn count_dropped(&self, reason: Reason, records: u64) {
        self.dropped[reason as usize].fetch_add(records, Ordering::Relaxed);
    }

    /// The output does not work now.
    pub fn fail(&self, at: u64, error: &str) {
        let error = error.chars().take(ERROR_CHARACTERS).collect();
        // Nothing panics while it holds the lock.
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(Failure { at, error });
        self.failing.store(true, Ordering::Release);
    }

    /// The output works again.
    pub fn recover(&self) {
        self.failing.store(false, Ordering::Release);
    }

    /// Records that were written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records that were lost, by reason.
    pub fn dropped(&self) -> [u64; Reason::ALL.len()] {
        Reason::ALL.map(|reason| self.dropped[reason as usize].load(Ordering::Relaxed))
    }

    /// Whether it works, and what went wrong last.
    pub fn condition(&self) -> Condition {
        let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Condition { failing: self.failing.load(Ordering::Acquire), last_failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_in_its_own_place() {
        let health = Health::default();
        Reason::ALL.into_iter().zip(1..).for_each(|(reason, records)| health.count_dropped(reason, records));
        assert_eq!(health.dropped(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_last_failure_stays_readable_after_the_recovery_and_is_bounded() {
        let health = Health::default();
        health.fail(7, &"ö".repeat(10_000));
        assert!(health.condition().failing);
        health.recover();
        let condition = health.condition();
        assert!(!condition.failing);
        let failure = condition.last_failure.expect("a failure");
        assert_eq!((failure.at, failure.error.chars().count()), (7, ERROR_CHARACTERS));
    }
}
