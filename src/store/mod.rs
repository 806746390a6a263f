//! The embedded store: records searchable, rollups for the charts.
//!
//! ```text
//! lines ──> Writer ──> hot segment ──> seal ──> sealed segments ──> gone by age or bytes
//!              a batch is a transaction  │            │
//!                                        └── Reader ──┘     any number of them, in any process
//! ```
//!
//! A line is kept as its shape (which members, in which order: [`shape`]) and its values, the ones that come again by their
//! numbers in a dictionary ([`words`], [`value`]), so that what comes out is what went in. What a started record has in
//! common with the completed one of the same batch is kept once ([`encode`], [`pending`]). Nothing is indexed while it is
//! hot but what is rare; a block of 4096 rows knows which words and texts are in it ([`block`]). Sealed, it has an index of
//! users, of requests, and of the trigrams of texts ([`postings`]).
//!
//! A question is answered by the filter's own expression on every line that may be meant; the plan ([`plan`]) only leaves out
//! what cannot be. All values reach the engine bound.

pub mod ask;
mod behind;
mod block;
pub mod care;
mod counting;
mod encode;
mod error;
mod facts;
mod file;
mod fuzz;
mod held;
mod hot;
mod json;
mod lexicon;
mod line;
mod matching;
mod moment;
mod opened;
mod pending;
mod plan;
mod postings;
mod quick;
mod reader;
pub mod recent;
pub mod rollup;
mod seal;
mod settings;
mod shape;
mod signature;
mod source;
pub mod statistics;
mod stored;
mod stored_line;
mod summary;
mod trigrams;
mod upkeep;
mod value;
mod words;
mod writer;

#[cfg(test)]
mod senseless_tests;
#[cfg(test)]
mod summary_tests;
#[cfg(test)]
mod tests;

pub use ask::{Archive, AskError, Line, Order, Page, Question, Records, Stop, Summaries, Total};
pub use error::Error;
pub use fuzz::fuzz;
pub use held::{Gauge, Held};
pub use reader::Reader;
pub use settings::Settings;
pub use writer::{Lost, Writer, Written};
