//! The near side: sockets are accepted, TLS is spoken, heads are read, and a handler is called for each request.
pub mod settings;
pub use settings::{Limits, ListenSettings, TlsSettings, TlsVersion};
