//! Configuration: raw (as written), resolved into the settings of every module, every problem at once with its place.

use std::time::Duration;

/// The settled configuration of the whole program.
#[derive(Debug, Clone)]
pub struct Config {
    /// `workers`: threads that serve; `None` is one a core.
    pub workers: Option<usize>,
    /// `shutdown_grace`.
    pub shutdown_grace: Duration,
    /// `[[listen]]`, at least one.
    pub listeners: Vec<crate::listen::ListenSettings>,
    /// `[limits]`.
    pub limits: crate::listen::Limits,
    /// `[identity]` and when to write what.
    pub exchange: crate::exchange::Settings,
    /// `[[upstream]]`, in order.
    pub upstreams: Vec<crate::upstream::Settings>,
    /// `[converters]` and `[[route]]`.
    pub routes: crate::routes::Settings,
    /// What records hold.
    pub record: crate::record::Settings,
    /// Which records go where.
    pub pipeline: crate::pipeline::Settings,
}
