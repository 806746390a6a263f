//! The embedded store: records searchable, rollups for the charts.

pub mod ask;
mod block;
mod encode;
mod error;
mod file;
mod hot;
mod json;
mod line;
mod moment;
mod opened;
mod pending;
mod plan;
mod reader;
mod seal;
mod settings;
mod shape;
mod stored;
mod upkeep;
mod value;
mod words;
mod writer;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

pub use ask::{AskError, Line, Order, Page, Question, Records, Stop, Total};
pub use error::Error;
pub use reader::Reader;
pub use settings::Settings;
pub use writer::{Lost, Writer, Written};
