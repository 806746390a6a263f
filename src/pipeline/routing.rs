//! Where records go, as one value that can be swapped for another.

use crate::record::Level;

use super::port::lowest_level;
use super::{Levels, Port, Stamp, Watch};

/// Which records are written, and to which outputs.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The thresholds of all loggers.
    pub levels: Levels,
    /// The way to each output.
    pub ports: Vec<Port>,
    /// Who the records are from.
    pub stamp: Stamp,
    /// What is looked for in them, where somebody watches.
    pub watch: Option<Watch>,
}

impl Routing {
    /// Below it nobody takes anything.
    pub fn lowest(&self) -> Level {
        if self.watch.is_some() { Level::Debug } else { lowest_level(&self.ports) }
    }

    /// Whether any output counts what records say.
    pub fn wants_gists(&self) -> bool {
        self.ports.iter().any(|port| port.gists)
    }
}
