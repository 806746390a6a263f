//! From the request's core to the outputs: offering a record never waits.
//!
//! ```text
//! core: Intake ── encode ──> batch ──┐
//! core: Intake ── encode ──> batch ──┼──> Queue (bounded) ──> one writer thread per output: seq, write
//! any thread: Announcer ── a line ───┘
//! ```
//!
//! A core encodes straight into a batch of its own and hands it over when it is full, or when the core has nothing to
//! do. The number of a record (`seq`) is given by the writer, in the order of the stream. What finds the queue full is
//! dropped and counted; the count travels with the next batch of the same core, so that the numbers of the lost
//! records, and a `log_loss` record that names them, stand where they were lost. Once a queue has refused a batch, lines
//! are dropped before they are encoded, until there is room for as much: an output that takes nothing costs a core a
//! look at its queue. A writer that fails takes nothing for a while, and says [why](Queue::set_cause).
//!
//! Outputs of the same format that take the same lines share one batch (`step`, [`load`]): one more of them costs a core
//! next to nothing. They share memory and nothing else: each has its own queue, losses and numbers.
//!
//! Which outputs there are is one value, the [`Routing`]. A core takes a new one between two records
//! ([`Intake::swap`]): what it offered before goes to the outputs before, what it offers afterwards to those after. An
//! output that is in both keeps its queue. Of one that is not, the queue is closed by whoever lets go of it last.

pub mod announce;
pub mod batch;
pub mod gate;
pub mod health;
pub mod intake;
mod lane;
pub mod layout;
pub mod levels;
pub mod load;
pub mod losses;
pub mod port;
pub mod queue;
pub mod routing;
pub mod settings;
mod step;
pub mod watch;

pub use announce::Announcer;
pub use batch::Batch;
pub use gate::Gate;
pub use health::{Health, Reason};
pub use intake::Intake;
pub use layout::{Layout, Written};
pub use levels::Levels;
pub use load::{Load, Share};
pub use losses::Losses;
pub use port::{Port, RESERVED, Report};
pub use queue::Queue;
pub use routing::Routing;
pub use settings::{
    Auth, BatchSettings, Compression, DeliverySettings, FileSettings, Format, HttpBody, HttpSettings, OtlpSettings,
    OutputKind, OutputSettings, RequestSettings, Rotate, Settings, SpoolSettings, SyslogAddress, SyslogSettings,
    WhenFull,
};
pub use watch::{Look, Road, Sightings, Watch};

/// Who an output's lines are from, for whoever encodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// The process instance.
    pub instance: String,
    /// What the user says about records.
    pub record: crate::record::Settings,
}
