//! What the requests of one core share whatever configuration they began with: the way into the log, the clock, the list
//! of what runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::pipeline::Intake;
use crate::record::json::Fragment;
use crate::time::Clock;

use super::ledger::Ledger;
use super::registry::Registry;
use super::security::Budget;

/// Requests whose memory is kept for the next ones.
const MAX_SPARE: usize = 256;
/// Memory that a huge head has blown up is not kept.
const MAX_SPARE_BYTES: usize = 16 * 1024;

/// One core's.
pub(super) struct Desk {
    pub(super) intake: Rc<Intake>,
    pub(super) clock: Clock,
    pub(super) registry: RefCell<Registry<Ledger>>,
    /// Told when the registry has something to wait for, and had nothing before.
    pub(super) waiting: Notify,
    spare: RefCell<Vec<Memory>>,
    /// How many security events of a kind may be written.
    pub(super) budget: RefCell<Budget>,
    pub(super) shutting_down: Cell<bool>,
    /// `log.progress` as it is in force, and who is told when it changes.
    progress: Cell<Option<Duration>>,
    pub(super) paced: Notify,
}

/// What a request leaves behind for the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) fragment: Fragment,
    pub(super) texts: Vec<u8>,
}

impl Desk {
    pub(super) fn new(intake: Rc<Intake>, clock: Clock) -> Rc<Desk> {
        Rc::new(Desk {
            intake,
            clock,
            registry: RefCell::default(),
            waiting: Notify::new(),
            spare: RefCell::default(),
            budget: RefCell::default(),
            shutting_down: Cell::default(),
            progress: Cell::default(),
            paced: Notify::new(),
        })
    }

    pub(super) fn progress(&self) -> Option<Duration> {
        self.progress.get()
    }

    pub(super) fn set_progress(&self, progress: Option<Duration>) {
        if self.progress.replace(progress) != progress {
            self.paced.notify_one();
        }
    }

    pub(super) fn memory(&self) -> Memory {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn keep(&self, memory: Memory) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MAX_SPARE && memory.fragment.capacity() + memory.texts.capacity() <= MAX_SPARE_BYTES {
            spare.push(memory);
        }
    }
}
