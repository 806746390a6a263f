//! The outputs: each takes batches from its queue on a thread of its own, numbers the lines and writes them.

pub mod lines;
pub mod sequence;
pub mod spool;
pub mod stdout;
pub mod trouble;
pub mod writer;
