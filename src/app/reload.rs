//! The configuration read again while requests run: refused whole, or in force at once.
//!
//! What can change is one value, the [`Generation`], which every core takes between two records. Nothing on a core waits for
//! any of this: outputs are opened and left here and on their own threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::core::Generation;
use super::difference::{changed_later, changed_now, record_settings};
use super::preflight::Ready;
use super::settled;
use crate::config::{Config, Problem, Severity};
use crate::pipeline::{Announcer, Levels, Port, Routing, Stamp};
use crate::record::{Event, Level, Value};
use crate::sinks::{Changes, Outputs, Prepared, StartError};

/// Problems that are told one by one; of more only the number is.
const TOLD: usize = 100;
/// An output that was left and has not ended after this time is told of.
const HANGS: Duration = Duration::from_secs(10);

/// What can be asked of a proxy while it serves.
#[derive(Debug)]
pub struct Control {
    announcer: Arc<Announcer>,
    generations: watch::Sender<Arc<Generation>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What is in force.
    config: Config,
    outputs: Outputs,
    /// The process is about to end, and nothing changes any more.
    closed: bool,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The new configuration is in force.
    Taken,
    /// The one before stays, and the log says why.
    Refused,
    /// The process is about to end: nothing was done.
    Ignored,
}

impl Control {
    /// The control of outputs that have just been started for this configuration.
    pub(super) fn new(config: Config, outputs: Outputs, stamp: Stamp) -> Control {
        let routing = Routing { levels: Levels::new(&config.pipeline), ports: outputs.ports(), stamp };
        let announcer = Arc::new(Announcer::new(&routing));
        let generations = watch::Sender::new(Arc::new(Generation { number: 1, routing }));
        Control { announcer, generations, state: Mutex::new(State { config, outputs, closed: false }) }
    }

    /// Says something about gatelog itself, through all outputs.
    pub fn announcer(&self) -> &Arc<Announcer> {
        &self.announcer
    }

    /// What each core follows.
    pub(super) fn generations(&self) -> watch::Receiver<Arc<Generation>> {
        self.generations.subscribe()
    }

    /// Has log files opened again that others have moved.
    pub fn reopen(&self) {
        self.state().outputs.reopen();
    }

    /// Puts a configuration in force that was read and looked through, or says what is wrong with it and leaves the one
    /// before as it is. Never waits for an output.
    pub fn reload(&self, ready: Option<Ready>, problems: &[Problem]) -> Reloaded {
        let mut state = self.state();
        if state.closed {
            return Reloaded::Ignored;
        }
        tell(problems);
        let taken = match ready {
            Some(ready) => self.take(&mut state, ready.config).map_err(|error| {
                let error = anyhow::Error::from(error);
                tracing::error!(target: "gatelog.proxy", "the configuration cannot be reloaded: {error:#}");
                1
            }),
            None => Err(count(problems, Severity::Error)),
        };
        match taken {
            Ok(()) => Reloaded::Taken,
            Err(errors) => {
                let errors = ("errors", Value::Unsigned(errors));
                let fields = [errors, ("warnings", Value::Unsigned(count(problems, Severity::Warning)))];
                self.announcer.announce(Event::ConfigRefused, Level::Error, &fields);
                Reloaded::Refused
            }
        }
    }

    /// Tells of outputs that were left and do not end, once they should have.
    pub async fn tell_hanging(&self) {
        tokio::time::sleep(HANGS).await;
        for output in self.state().outputs.hanging(HANGS) {
            tracing::warn!(target: "gatelog.proxy", output, "an output that was taken out does not end");
        }
    }

    /// From now on nothing changes.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Lets all outputs write what waits, at most until then.
    pub(super) fn finish(&self, until: Instant) {
        self.state().outputs.finish(until);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in here leaves nothing half done that matters to what comes next.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, state: &mut State, config: Config) -> Result<(), StartError> {
        let before = Arc::clone(&self.generations.borrow());
        let now = changed_now(&state.config, &config);
        let later = changed_later(&state.config, &config);
        let record = record_settings(&state.config, &config);
        let stamp = Stamp { instance: before.routing.stamp.instance.clone(), record };
        let restamped = stamp.record != before.routing.stamp.record;
        let prepared = state.outputs.prepare(&settled(&config.pipeline.outputs), &stamp, restamped)?;
        let ports = prepared.ports(&state.outputs);
        let next = Routing { levels: Levels::new(&config.pipeline), ports, stamp };
        let number = before.number + 1;
        let report = Report { number, now: &now, later: &later, changes: prepared.changes() };
        self.announce(&report, &before.routing, &next);
        (state.config.pipeline, state.config.record) = (config.pipeline, next.stamp.record.clone());
        self.swap(&mut state.outputs, prepared, Generation { number, routing: next });
        Ok(())
    }

    /// Streams that end are told so, as far as they are not cut off; those that begin have the record of it first.
    fn announce(&self, report: &Report<'_>, before: &Routing, next: &Routing) {
        let Changes { begin, end, .. } = report.changes;
        let is_of = |port: &Port, names: &[String]| names.iter().any(|name| **name == *port.name);
        let part = |routing: &Routing, is_meant: &dyn Fn(&Port) -> bool| {
            let ports = routing.ports.iter().filter(|port| is_meant(port)).cloned().collect();
            Announcer::new(&Routing { ports, ..routing.clone() })
        };
        report.announce(&part(before, &|port| is_of(port, end)), Some("ends"));
        report.announce(&part(next, &|port| is_of(port, begin)), Some("begins"));
        report.announce(&part(next, &|port| !is_of(port, begin)), None);
    }

    fn swap(&self, outputs: &mut Outputs, prepared: Prepared, generation: Generation) {
        self.announcer.swap(&generation.routing);
        outputs.change(prepared);
        // With the one before go the ports of outputs that are no more, once every core has let go of it.
        drop(self.generations.send_replace(Arc::new(generation)));
    }
}

/// What a `config_reloaded` says.
struct Report<'a> {
    number: u64,
    now: &'a [&'static str],
    later: &'a [&'static str],
    changes: &'a Changes,
}

impl Report<'_> {
    fn announce(&self, announcer: &Announcer, stream: Option<&str>) {
        let Changes { added, removed, changed, .. } = self.changes;
        let names = [added, removed, changed].map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        let [added, removed, changed] = &names;
        let mut fields = vec![("generation", Value::Unsigned(self.number))];
        fields.extend(stream.map(|stream| ("stream", Value::Text(stream.as_bytes()))));
        let lists: [(&str, &[&str]); 5] = [
            ("outputs_added", added),
            ("outputs_removed", removed),
            ("outputs_changed", changed),
            ("changed", self.now),
            ("at_next_start", self.later),
        ];
        fields.extend(
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, Value::List(list))),
        );
        announcer.announce(Event::ConfigReloaded, Level::Info, &fields);
    }
}

fn count(problems: &[Problem], severity: Severity) -> u64 {
    problems.iter().filter(|problem| problem.severity == severity).count() as u64
}

/// Says in the log what is wrong with a configuration.
fn tell(problems: &[Problem]) {
    for Problem { severity, place, message, hint, .. } in problems.iter().take(TOLD) {
        match severity {
            Severity::Error => tracing::error!(target: "gatelog.proxy", %place, %hint, "{message}"),
            Severity::Warning => tracing::warn!(target: "gatelog.proxy", %place, %hint, "{message}"),
        }
    }
    if let Some(more @ 1..) = problems.len().checked_sub(TOLD) {
        tracing::error!(target: "gatelog.proxy", more, "the configuration has further problems");
    }
}
