//! The embedded store: records searchable, rollups for the charts.

pub mod ask;
pub mod settings;

pub use ask::{AskError, Line, Order, Page, Question, Records, Stop, Total};
pub use settings::Settings;
