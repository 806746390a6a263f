//! Failures of an output, told once and then at intervals.
//!
//! They are told with `tracing`, and so reach every output. The failing one may fail over that line again, which is not
//! told again before the interval is over: there is no loop.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pipeline::{Health, Port};
use crate::time;

/// Failures in between are only counted.
const INTERVAL: Duration = Duration::from_secs(60);

/// What goes wrong with one output.
#[derive(Debug)]
pub struct Trouble {
    output: Arc<str>,
    health: Arc<Health>,
    failing: bool,
    /// Whether the present trouble was told of, so that its end is worth a word.
    announced: bool,
    /// When any was told of last.
    told: Option<Instant>,
    /// Failures since then.
    untold: u64,
}

impl Trouble {
    /// None so far.
    pub fn new(port: &Port) -> Trouble {
        let (output, health) = (Arc::clone(&port.name), Arc::clone(&port.health));
        Trouble { output, health, failing: false, announced: false, told: None, untold: 0 }
    }

    /// An attempt of the output went wrong; `what` is half a sentence, such as `cannot write`.
    pub fn failed(&mut self, what: &str, error: &dyn Display) {
        self.failing = true;
        self.health.fail(time::wall_now(), &format!("{what}: {error}"));
        self.untold += 1;
        // Who fails while the process still starts has nobody to tell yet.
        let heard = tracing::dispatcher::has_been_set();
        if heard && self.told.is_none_or(|told| told.elapsed() >= INTERVAL) {
            tracing::error!(
                target: "gatelog.proxy",
                output = %self.output,
                error = %error,
                failures = self.untold,
                "an output fails: {what}"
            );
            (self.announced, self.told, self.untold) = (true, Some(time::monotonic()), 0);
        }
    }

    /// The output ends, and so many records that waited are lost: its last word, which is told whatever was told before.
    pub fn lost(&mut self, records: u64) {
        self.told = None;
        self.failed("it did not take everything in time", &format!("{records} records are lost"));
    }

    /// An attempt went well.
    pub fn over(&mut self) {
        if !std::mem::take(&mut self.failing) {
            return;
        }
        self.health.recover();
        if std::mem::take(&mut self.announced) {
            tracing::warn!(target: "gatelog.proxy", output = %self.output, "an output works again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tracing::span;

    /// Counts what it is told.
    struct Counter(Arc<AtomicUsize>);

    impl tracing::Subscriber for Counter {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn an_output_that_fails_over_and_over_is_told_of_once() {
        let events = Arc::new(AtomicUsize::new(0));
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let mut trouble = Trouble::new(&port);
        tracing::subscriber::with_default(Counter(Arc::clone(&events)), || {
            for _ in 0..100 {
                trouble.failed("cannot write", &"no space");
                trouble.failed("cannot write", &"no space");
                assert!(port.report().condition.failing);
                trouble.over();
            }
        });
        assert_eq!(events.load(Ordering::Relaxed), 2, "one failure and its end");
        let condition = port.report().condition;
        assert!(!condition.failing);
        assert_eq!(condition.last_failure.map(|failure| failure.error).as_deref(), Some("cannot write: no space"));
    }
}
