//! Letting others go first: on a core that it shares with requests, a request that comes would else wait for some
//! milliseconds, though what is done here has time.

use std::sync::Arc;

use crate::pipeline::{Port, Queue};

/// With more bytes that wait, the thread takes the share of the processor that its priority gives it.
const BEHIND: usize = 8 << 20;

/// Whether there is time for it.
#[derive(Debug)]
pub(super) struct Breath(Arc<Queue>);

impl Breath {
    /// Of whoever takes what comes this way.
    pub(super) fn of(port: &Port) -> Breath {
        Breath(Arc::clone(&port.queue))
    }

    /// Whoever waits for this core may have it.
    pub(super) fn take(&self) {
        if self.0.waiting_bytes() < BEHIND {
            std::thread::yield_now();
        }
    }
}
