//! The far side: a server is chosen, connected to, spoken to, and its connection kept for the next request.
pub mod settings;
pub use settings::{ExceptionHeaders, ServerSettings, Settings, Timeouts, TlsSettings};
