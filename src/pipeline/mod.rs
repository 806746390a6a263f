//! From the request's core to the outputs: offering a record never waits.
pub mod settings;
pub use settings::{Format, OutputSettings, Settings, WhenFull};
