//! Which records are written at all: the level of each logger, by dotted name, nearest wins.

use crate::record::Level;

use super::Settings;

/// The thresholds of all loggers.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    default: Option<Level>,
    /// Longest name first.
    named: Vec<(String, Option<Level>)>,
}

impl Levels {
    /// The thresholds that `[log]` asks for.
    pub fn new(settings: &Settings) -> Levels {
        let mut named = settings.loggers.clone();
        named.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Levels { default: settings.level, named }
    }

    /// The threshold of a logger; `None` is off. `log.level = "off"` silences every logger.
    pub fn threshold(&self, logger: &str) -> Option<Level> {
        self.default?;
        let named = self.named.iter().find(|(name, _)| is_at_or_below(logger, name));
        named.map_or(self.default, |(_, level)| *level)
    }

    /// Whether a record of this level is written.
    pub fn allow(&self, logger: &str, level: Level) -> bool {
        self.threshold(logger).is_some_and(|threshold| level >= threshold)
    }
}

/// `gatelog.proxy.pool` hangs below `gatelog.proxy` and `gatelog`.
fn is_at_or_below(logger: &str, name: &str) -> bool {
    logger.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(level: Option<Level>) -> Levels {
        let loggers = vec![("gatelog".into(), Some(Level::Error)), ("gatelog.request".into(), Some(Level::Debug))];
        Levels::new(&Settings { level, loggers, ..Settings::default() })
    }

    #[test]
    fn the_nearest_name_wins() {
        let levels = levels(Some(Level::Info));
        assert_eq!(levels.threshold("gatelog.request"), Some(Level::Debug));
        assert_eq!(levels.threshold("gatelog.request.slow"), Some(Level::Debug));
        assert_eq!(levels.threshold("gatelog.requests"), Some(Level::Error));
        assert_eq!(levels.threshold("rustls"), Some(Level::Info));
    }

    #[test]
    fn off_silences_every_logger() {
        assert!(!levels(None).allow("gatelog.request", Level::Critical));
    }
}
