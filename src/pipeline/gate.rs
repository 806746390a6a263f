//! Which of the records that their loggers let through are for one output.

use crate::record::{Head, Level};

use super::OutputSettings;

/// What an output lets in.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    level: Option<Level>,
}

impl Gate {
    /// What one `[[log.output]]` asks for.
    pub fn new(settings: &OutputSettings) -> Gate {
        Gate { level: settings.level }
    }

    /// The lowest level that can pass.
    pub fn lowest(&self) -> Level {
        self.level.unwrap_or(Level::Debug)
    }

    /// Whether a record passes.
    pub fn accepts(&self, head: &Head<'_>) -> bool {
        self.level.is_none_or(|level| head.level >= level)
    }
}
