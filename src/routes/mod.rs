//! The table of the application's URL patterns, with Django's semantics: which view a path is, and its typed parameters.
pub mod settings;
pub use settings::{ConverterSettings, ConverterType, Pattern, RouteSettings, Settings, StartMode};
