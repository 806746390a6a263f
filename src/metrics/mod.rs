//! Numbers about what goes on, for Prometheus: counters that cost their writer next to nothing, and their exposition.
//!
//! Whoever counts on a request's way has counters of its own ([`Counter`]: one writer, no locked instruction, no line of a
//! cache that another core writes to); whoever shows them adds up those of all cores. What there is to show is given by
//! whoever [`Collect`]s it, so that nothing here knows what is counted. Labels come from the configuration and from closed
//! vocabularies, never from the traffic: how many series there are does not depend on what clients send.

pub mod counter;
pub mod durations;
pub mod exposition;
pub mod words;

pub use counter::Counter;
pub use durations::Durations;
pub use exposition::{Exposition, Format, Kind};
pub use words::Words;

/// Something that has numbers to show.
pub trait Collect: Send + Sync {
    /// Writes them down as they are now.
    fn collect(&self, exposition: &mut Exposition);
}
