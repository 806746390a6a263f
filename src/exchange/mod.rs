//! One request and its answer as facts.
pub mod settings;
pub use settings::{Accept, IdFormat, LabelSettings, RequestIdSettings, Settings, UserSource};
