//! The outputs: each takes batches from its queue on a thread of its own, numbers the lines and writes them.

pub mod delivery;
pub mod http;
pub mod lines;
pub mod members;
pub mod numbered;
pub mod otlp;
pub mod peer;
pub mod sequence;
pub mod spool;
pub mod stdout;
pub mod syslog;
pub mod trouble;
pub mod writer;
