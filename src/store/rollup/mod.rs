//! What happened, minute by minute and hour by hour: counts, bytes, and the durations of each route as a histogram, so
//! that 24 hours are shown in milliseconds whatever the traffic was, long after the records themselves are gone.
//!
//! ```text
//! writer thread:  record ──> Tally (of the batch) ──commit──> Pending (of minutes) ──> RollupFile (minute, hour)
//! whoever asks:                                                  └─ a cheap copy ──┐        │ a transaction to read in
//!                                                                            RollupReader ──┘──> statistics
//! ```
//!
//! # Nothing is counted twice, and nothing is left out
//!
//! Records are numbered by the store in the order in which they come; a number is never given again. The file holds, in the
//! same transaction as the counts, the number of the last record that they include. So its writer
//!
//! 1. counts records as they come ([`Tally`]), and adds that, with the number of the last of them, once they are committed to
//!    their segment ([`Pending::add`]);
//! 2. saves what is pending once a minute, sooner where many records come or many minutes are touched
//!    ([`Pending::is_full`]), before it begins another segment, and at its end ([`RollupFile::save`]);
//! 3. when it opens the store, notes the records behind [`Pending::through`], which it finds in its segments: those are
//!    what a crash kept from being saved. One that is in the file already is passed over.
//!
//! Where the records behind it are lost, because their segment was damaged and set aside, they are in neither; where the
//! file was set aside, rollups begin anew with the records that are still there. Both are told.
//!
//! A record that comes late, or is imported, goes to the minute that it belongs to, however old: what is pending is added
//! to what the file has. Another process that reads a store while it is written does the third step for itself.
//!
//! # Where there is no file
//!
//! The last hour is counted in memory ([`Window`]), from what comes with the lines and not from the lines
//! ([`Gist`](crate::record::Gist)).
//!
//! # What is bounded
//!
//! Names in a period ([`Names`]), minutes that are pending ([`Pending::is_full`]), texts of what is shown one by one
//! ([`Mention`]), and how long all is kept ([`Keep`]).

mod bytes;
mod error;
mod file;
mod histogram;
mod minute;
mod names;
mod notable;
mod noted;
mod pending;
mod period;
mod periods;
mod reader;
#[cfg(test)]
pub(in crate::store) mod sample;
mod schema;
mod tally;
#[cfg(test)]
mod tests;
mod window;

pub use bytes::Corrupt;
pub use error::RollupError;
pub use file::{Keep, Opened, RollupFile};
pub use histogram::Histogram;
pub use names::{Names, OTHER};
pub use notable::{ERRORS, Mention, Notable, SLOWEST};
pub use noted::{Noted, UNMATCHED, route_label};
pub use pending::Pending;
pub use period::{Codes, Encoded, Parts, Period, Requests, Wanted};
pub use periods::{Grain, HOUR, MINUTE, Periods, Piece, Range, Visit};
pub use reader::{RollupReader, check};
pub use schema::FILE;
pub(in crate::store) use schema::PART;
pub use tally::Tally;
pub use window::{RouteName, Snapshot, Window};
