//! The end of a core's serving: first nothing new begins, then nothing goes on.

use std::cell::Cell;

use tokio::sync::Notify;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// Serving.
    #[default]
    Open,
    /// Requests that run may finish; nothing new is taken.
    Draining,
    /// Whatever still runs is cut off.
    Closed,
}

/// The stage of one core, watched by its listeners and connections.
#[derive(Debug, Default)]
pub struct Drain {
    stage: Cell<Stage>,
    changed: Notify,
}

impl Drain {
    /// Where it is.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Goes on to a later stage.
    pub fn advance(&self, stage: Stage) {
        if stage > self.stage.get() {
            self.stage.set(stage);
            self.changed.notify_waiters();
        }
    }

    /// Waits until the stage is at least this.
    pub async fn reached(&self, stage: Stage) {
        while self.stage.get() < stage {
            self.changed.notified().await;
        }
    }
}
