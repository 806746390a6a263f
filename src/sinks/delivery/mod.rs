//! Delivery over a network: batches, attempts, losses. What the outputs `http`, `otlp` and `syslog` have in common.
//!
//! ```text
//! Queue ──feeder──> Hub: numbers, losses ──> shelf: memory or spool ──workers──> Collector
//! ```
//!
//! One thread an output, with a runtime of its own on which one *feeder* empties the queue and one *worker* for each
//! request in flight takes parcels to a [`Collector`] until it has them or refuses them for good. Nothing here waits for
//! another output.
//!
//! - Without a spool, memory is bounded by the queue and one parcel a worker: the feeder takes from the queue what the
//!   next parcel needs and no more. The oldest lines are kept; the newest find the queue full, and are dropped there.
//! - With a spool ([`super::spool`]) the feeder writes whatever comes to disk at once.
//! - What fails for now is tried again, for ever, after a random part of a doubling wait (full jitter), or after what the
//!   collector asks for (`Retry-After`). What is refused for good is counted, set aside beside the spool, and named
//!   by a `log_loss` that travels with the next lines: it is never the reason for a request of its own, so that a
//!   collector that refuses everything is not asked for ever.
//! - A batch that the collector finds too large is sent in halves, and these in halves again, down to single lines; a
//!   line that is too large by itself is refused for good, and those beside it arrive.
//! - Failures are told by [`Trouble`](super::trouble::Trouble): once, and then at intervals.
//! - At the end everything that waits is sent without delay, for a second where there is a spool to keep the rest, else
//!   for [`LAST_ATTEMPTS`]; what is left then is counted as lost.

mod gaps;
mod hub;
mod parcel;
mod shelf;
#[cfg(test)]
mod tests;
mod worker;

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};

use crate::pipeline::{DeliverySettings, Port, Stamp};

use super::handover::{DRAIN, Handover, Started};
use super::lines::Lines;

pub use gaps::Gap;

use hub::{Hub, Shared};

/// How long delivering goes on once nothing more comes: less than what the process gives its outputs in the end.
pub const LAST_ATTEMPTS: Duration = Duration::from_secs(4);
/// The same where nothing is lost by giving up.
const LAST_ATTEMPTS_WITH_SPOOL: Duration = Duration::from_secs(1);

/// Takes lines to where they belong; one for each request in flight.
pub trait Collector: Send + 'static {
    /// One attempt, bounded in time.
    fn deliver(&mut self, lines: &Lines) -> impl Future<Output = Verdict>;
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All lines have arrived.
    Accepted,
    /// None has arrived, and none will.
    Rejected {
        /// What was said.
        said: String,
    },
    /// None has arrived: they are too many for one request. Fewer of them may be taken.
    TooLarge {
        /// What was said.
        said: String,
    },
    /// None has arrived for certain; the same attempt may succeed later.
    Again {
        /// What was said.
        said: String,
        /// What the collector asks to wait.
        after: Option<Duration>,
    },
    /// Some lines were not taken, by their places in the parcel; all others have arrived.
    Partly {
        /// Refused for good.
        rejected: Vec<usize>,
        /// To be sent again.
        again: Vec<usize>,
        /// What was said.
        said: String,
    },
    /// So many lines were refused for good, and nobody knows which; all others have arrived.
    Fewer {
        /// How many.
        rejected: u64,
        /// What was said.
        said: String,
    },
}

/// Starts the thread of an output. `collectors` are as many as may be busy at once. Where somebody else still writes to
/// the same place (`taken`), the spool is opened once that one has let go of it.
///
/// # Errors
///
/// When the spool cannot be opened, and when the system has no thread left.
pub fn start<C: Collector>(
    port: &Port,
    stamp: &Stamp,
    settings: &DeliverySettings,
    collectors: Vec<C>,
    taken: bool,
) -> io::Result<Started> {
    let mut hub = Hub::new(port, stamp, settings);
    let spool = settings.spool.clone();
    let opened = if taken { None } else { Some(hub.open(spool.as_ref())?) };
    let runtime = OwnRuntime(Some(Builder::new_current_thread().enable_all().build()?));
    let at_most = settings.retry_at_most;
    Started::spawn(port, DRAIN, move |before, leave| {
        hub.take_over(before);
        let handover = match opened.or_else(|| hub.open_at_last(spool.as_ref())) {
            Some(torn) => {
                hub.report_torn(torn);
                runtime.run(hub, collectors, at_most)
            }
            None => hub.finish(),
        };
        leave.leave(handover);
    })
}

/// A runtime that can be let go of anywhere, and waits for nothing then: a name that is being resolved must not keep the
/// process from leaving.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl OwnRuntime {
    /// Delivers until the queue is closed, and for a little after that.
    fn run<C: Collector>(&self, mut hub: Hub, collectors: Vec<C>, at_most: Duration) -> Handover {
        let Some(runtime) = &self.0 else { return hub.finish() };
        let shared = Rc::new(Shared::new(hub));
        let local = LocalSet::new();
        local.block_on(runtime, async {
            let mut workers = JoinSet::new();
            for collector in collectors {
                workers.spawn_local(worker::work(Rc::clone(&shared), collector, at_most));
            }
            shared.feed().await;
            let last = shared.last_attempts();
            let _ = tokio::time::timeout(last, async { while workers.join_next().await.is_some() {} }).await;
            // Those that are still at it leave what they have in hand.
            workers.shutdown().await;
        });
        shared.finish()
    }
}
