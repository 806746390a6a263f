//! Care of a store by hand: looked through for damage ([`check`]), copied out ([`export`]), filled from logs ([`Import`]),
//! made smaller ([`prune`]).
//!
//! Looking and copying need nobody's leave, also while a proxy writes to the store. Filling it takes possession of it, and is
//! refused while somebody else has it. Making it smaller beside one who writes leaves the segments that are not sealed.

mod check;
mod export;
mod import;
mod prune;
#[cfg(test)]
mod tests;

pub use check::{Fault, Findings, Problem, check};
pub use export::{ExportError, Exported, Selection, export};
pub use import::{BadLine, Import, ImportError, Imported};
pub use prune::{Pruned, Pruning, prune};
