//! The guard of a request that runs on a connection: as long as there is one, the connection is not idle.

use std::cell::Cell;
use std::rc::Rc;

use super::Wire;

/// A request runs on this connection.
pub struct Running {
    wire: Rc<Wire>,
    is_untaken: Cell<bool>,
    /// It waits for its answer.
    is_pending: Cell<bool>,
}

impl Running {
    pub(super) fn on(wire: Rc<Wire>) -> Running {
        Running { wire, is_untaken: Cell::default(), is_pending: Cell::default() }
    }

    pub(super) fn begin(&self) {
        self.is_pending.set(true);
    }

    /// The connection.
    pub fn wire(&self) -> &Rc<Wire> {
        &self.wire
    }

    pub(in crate::listen) fn finish(&self) {
        self.is_pending.set(false);
    }

    /// Notes whether it is the client's turn: something was given out, and no more has been asked for since.
    pub fn offer(&self, is_untaken: bool) {
        if self.is_untaken.replace(is_untaken) != is_untaken {
            let untaken = self.wire.untaken.get();
            self.wire.untaken.set(if is_untaken { untaken + 1 } else { untaken - 1 });
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.offer(false);
        self.wire.running.set(self.wire.running.get() - 1);
        self.wire.resets.set(self.wire.resets.get() + u64::from(self.is_pending.get()));
        if let Some(driver) = &*self.wire.driver.borrow() {
            driver.wake_by_ref();
        }
    }
}
