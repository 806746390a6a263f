//! Questions of a person, and how answers look: any place that holds records ([`crate::store::Records`]) is asked the same
//! way, log files among them ([`files`]).
//!
//! Times are shown, and read where they have no offset, in the local time of whoever asks, as `journalctl` does; JSON and
//! logfmt stay as they were written, in UTC.

pub mod detail;
pub mod files;
pub mod follow;
pub mod logfmt;
pub mod paint;
pub mod table;
pub mod watch;
pub mod waterfall;
pub mod zone;
