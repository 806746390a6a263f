//! The embedded store: records searchable, rollups for the charts.

pub mod ask;
pub mod recent;
pub mod rollup;
pub mod statistics;

pub use ask::{AskError, Line, Order, Page, Question, Records, Stop, Total};
