//! What the fuzz targets do with their bytes: one module a target, each with a `run(&[u8])` that panics when a promise is
//! broken. `tests/fuzz.rs` includes this file, to replay the corpus on a stable compiler.

pub mod announced;
pub mod config;
pub mod filter;
pub mod head;
pub mod line;
pub mod lines;
pub mod naive;
pub mod redact;
pub mod response;
pub mod routes;
pub mod row;
pub mod spool;
