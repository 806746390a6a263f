//! How the outputs and the process do, for whoever looks at a page.

use std::sync::Arc;

use super::Control;
use crate::admin::{self, OutputStatus, ProcessStatus};
use crate::exchange::Traffic;
use crate::pipeline::{Format, Port, Reason};
use crate::store::Gauge;

/// What is asked for it.
pub(super) struct Condition {
    /// When the process was started, in microseconds since the Unix epoch.
    pub(super) started: u64,
    pub(super) cores: usize,
    pub(super) traffic: Arc<Traffic>,
    pub(super) control: Arc<Control>,
    /// Of the store, where there is one.
    pub(super) store: Option<Gauge>,
}

impl admin::Condition for Condition {
    fn outputs(&self) -> Vec<OutputStatus> {
        self.control.generations().borrow().routing.ports.iter().map(output).collect()
    }

    fn process(&self) -> ProcessStatus {
        let generations = self.control.generations();
        let stamp = generations.borrow().routing.stamp.clone();
        let held = self.store.as_ref().map(|gauge| gauge.look().unwrap_or_default());
        ProcessStatus {
            started: self.started,
            instance: stamp.instance,
            service: stamp.record.service,
            environment: stamp.record.environment,
            generation: self.control.generation(),
            cores: self.cores,
            in_flight: self.traffic.in_flight(),
            store: held.map(|held| (held.records, held.bytes)),
        }
    }
}

fn output(port: &Port) -> OutputStatus {
    let report = port.report();
    let dropped = Reason::ALL.iter().zip(report.dropped).map(|(reason, count)| (reason.as_str(), count));
    OutputStatus {
        name: report.name.to_string(),
        format: word(port.format),
        failing: report.condition.failing,
        written: report.written,
        bytes: report.bytes,
        dropped: dropped.filter(|(_, count)| *count > 0).collect(),
        waiting_batches: report.waiting_batches,
        waiting_bytes: report.waiting_bytes,
        last_failure: report.condition.last_failure.map(|failure| (failure.at, failure.error)),
    }
}

/// As the configuration has it.
fn word(format: Format) -> &'static str {
    match format {
        Format::Auto => "auto",
        Format::Json => "json",
        Format::Pretty => "pretty",
        Format::Logfmt => "logfmt",
        Format::Combined => "combined",
        Format::Verbose => "verbose",
        Format::Simple => "simple",
        Format::Syslog(inner) => word(*inner),
        _ => "native",
    }
}
