//! Records from outside the request's way: gatelog about itself, from any thread.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::record::{Body, Event, Head, Level, Record, Value};
use crate::time;

use super::watch::Watcher;
use super::{Layout, Levels, Load, Port, Routing};

/// The logger of gatelog about itself.
pub const PROXY_LOGGER: &str = "gatelog.proxy";

/// Offers rare records, each handed over at once.
#[derive(Debug)]
pub struct Announcer(ArcSwap<Ways>);

/// The ways to all outputs.
#[derive(Debug)]
struct Ways {
    levels: Levels,
    /// Below it no output takes anything.
    lowest: Level,
    ports: Vec<(Port, Mutex<Layout>)>,
    watcher: Option<Mutex<Watcher>>,
}

impl Announcer {
    /// A way to each of the outputs.
    pub fn new(routing: &Routing) -> Announcer {
        Announcer(ArcSwap::from_pointee(Ways::new(routing)))
    }

    /// From now on there are these outputs.
    pub fn swap(&self, routing: &Routing) {
        self.0.store(Arc::new(Ways::new(routing)));
    }

    /// Whether a record of this level is written by anybody.
    pub fn allows(&self, logger: &str, level: Level) -> bool {
        self.0.load().allows(logger, level)
    }

    /// Says something about gatelog itself, now.
    pub fn announce(&self, event: Event, level: Level, fields: &[(&str, Value<'_>)]) {
        let head = Head { timestamp: time::wall_now(), level, event, message: event.message(), logger: PROXY_LOGGER };
        self.record(&Record { head, body: Body::Fields(fields) });
    }

    /// Offers any record. What finds a queue full is dropped and counted there.
    pub fn record(&self, record: &Record<'_>) {
        self.0.load().record(record);
    }
}

impl Ways {
    fn new(routing: &Routing) -> Ways {
        let layout = |port: &Port| Mutex::new(Layout::new(port.format, &routing.stamp));
        let ports = routing.ports.iter().map(|port| (port.clone(), layout(port))).collect();
        let watcher = routing.watch.clone().map(|watch| Mutex::new(Watcher::new(watch)));
        Ways { levels: routing.levels.clone(), lowest: routing.lowest(), ports, watcher }
    }

    fn allows(&self, logger: &str, level: Level) -> bool {
        level >= self.lowest && self.levels.allow(logger, level)
    }

    fn see(&self, record: &Record<'_>) {
        if let Some(watcher) = &self.watcher {
            let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
            watcher.see(record);
            watcher.hand_over();
        }
    }

    fn record(&self, record: &Record<'_>) {
        if !self.allows(record.head.logger, record.head.level) {
            return;
        }
        self.see(record);
        for (port, layout) in self.ports.iter().filter(|(port, _)| port.gate.accepts(record)) {
            let mut batch = port.queue.spare();
            // A panic while encoding leaves nothing half-written behind: the encoder holds only caches.
            let written = layout.lock().unwrap_or_else(PoisonError::into_inner).record(record, &mut batch.bytes);
            batch.close_line(written);
            if batch.is_empty() {
                port.queue.recycle(Load::Own(batch));
                continue;
            }
            if let Err(refused) = port.queue.push(batch) {
                port.queue.count_untold(refused.lines.len() as u64);
            }
        }
    }
}
