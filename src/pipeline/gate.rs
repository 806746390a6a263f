//! Which of the records that their loggers let through are for one output.

use std::sync::Arc;

use crate::filter::Expression;
use crate::record::{Head, Level, Record};

use super::OutputSettings;

/// What an output lets in.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    level: Option<Level>,
    /// Shared by the cores.
    filter: Option<Arc<Expression>>,
}

impl Gate {
    /// What one `[[log.output]]` asks for.
    pub fn new(settings: &OutputSettings) -> Gate {
        Gate { level: settings.level, filter: settings.filter.clone().map(Arc::new) }
    }

    /// The lowest level that can pass.
    pub fn lowest(&self) -> Level {
        self.level.unwrap_or(Level::Debug)
    }

    /// Whether a record passes.
    pub fn accepts(&self, record: &Record<'_>) -> bool {
        self.accepts_head(&record.head, |filter| filter.matches(record))
    }

    /// The same for a record that is only put together where there is a filter to ask.
    #[inline]
    pub fn accepts_head(&self, head: &Head<'_>, matches: impl FnOnce(&Expression) -> bool) -> bool {
        self.level.is_none_or(|level| head.level >= level) && self.filter.as_deref().is_none_or(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Body, Event};

    fn accepts(level: Option<Level>, filter: &str, record: Level) -> bool {
        let filter = Some(Expression::parse(filter).expect("a filter"));
        let gate = Gate::new(&OutputSettings { level, filter, ..OutputSettings::default() });
        let event = Event::ServerStarted;
        let head = Head { timestamp: 0, level: record, event, message: "m", logger: "gatelog.proxy" };
        gate.accepts(&Record { head, body: Body::Fields(&[]) })
    }

    #[test]
    fn both_level_and_filter_must_let_a_record_in() {
        assert!(accepts(Some(Level::Warning), "event:server_started", Level::Error));
        assert!(!accepts(Some(Level::Warning), "event:server_started", Level::Info));
        assert!(!accepts(Some(Level::Warning), "-event:server_started", Level::Error));
        assert!(accepts(None, "level>=error", Level::Critical));
    }
}
