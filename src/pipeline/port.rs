//! One output as everybody but its own writer sees it.

use std::sync::Arc;

use crate::record::Level;

use super::health::Condition;
use super::{Format, Gate, Health, OutputSettings, Queue, Reason};

/// What the way into the store is called among the outputs; where there is none, that into memory.
pub const RESERVED: [&str; 2] = ["store", "recent"];

/// The way to one output: whoever holds one may offer batches. Its writer holds none, and leaves when nobody does.
#[derive(Debug, Clone)]
pub struct Port {
    /// What the output is called.
    pub name: Arc<str>,
    /// How lines are laid out; never `Auto`.
    pub format: Format,
    /// Which records are for it.
    pub gate: Gate,
    /// Whether its lines come with what is counted of them ([`Line::gist`](super::batch::Line::gist)).
    pub gists: bool,
    /// Where batches go.
    pub queue: Arc<Queue>,
    /// How it fares.
    pub health: Arc<Health>,
    /// With the last of all ports the queue is closed.
    _open: Arc<Open>,
}

/// Closes a queue when nobody is left who could offer something to it.
#[derive(Debug)]
struct Open(Arc<Queue>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How an output fares, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the output is called.
    pub name: Arc<str>,
    /// Records that it has written.
    pub written: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were to be written and are lost, for each [`Reason`] in the order of [`Reason::ALL`].
    pub dropped: [u64; Reason::ALL.len()],
    /// Bytes that wait.
    pub waiting_bytes: u64,
    /// Batches that wait.
    pub waiting_batches: u64,
    /// Whether the last attempt went well, and the last failure.
    pub condition: Condition,
}

impl Port {
    /// A new way to an output, its queue empty. `format` is what `Auto` stands for where the output is.
    pub fn new(settings: &OutputSettings, format: Format) -> Port {
        Port::counting(settings, format, Arc::default())
    }

    /// The same for an output that had counters before.
    pub fn counting(settings: &OutputSettings, format: Format, health: Arc<Health>) -> Port {
        let queue = Arc::new(Queue::new(settings, Arc::clone(&health)));
        let _open = Arc::new(Open(Arc::clone(&queue)));
        Port {
            name: settings.name.as_str().into(),
            format,
            gate: Gate::new(settings),
            gists: false,
            queue,
            health,
            _open,
        }
    }

    /// The same way, for lines that come with what is counted of them.
    pub fn with_gists(self) -> Port {
        Port { gists: true, ..self }
    }

    /// The same way, for lines that are laid out otherwise from now on.
    pub fn laid_out(&self, format: Format) -> Port {
        Port { format, ..self.clone() }
    }

    /// Whether both lead to the same queue.
    pub fn is(&self, other: &Port) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// How the output fares now.
    pub fn report(&self) -> Report {
        Report {
            name: Arc::clone(&self.name),
            written: self.health.written(),
            bytes: self.health.bytes(),
            dropped: self.health.dropped(),
            waiting_bytes: self.queue.waiting_bytes() as u64,
            waiting_batches: self.queue.waiting_batches() as u64,
            condition: self.health.condition(),
        }
    }
}

/// The lowest level that any of the outputs lets in; the highest there is where there are none.
pub fn lowest_level(ports: &[Port]) -> Level {
    ports.iter().map(|port| port.gate.lowest()).min().unwrap_or(Level::Critical)
}
