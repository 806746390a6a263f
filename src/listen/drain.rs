//! The end of a core's serving: first nothing new begins, then nothing goes on.

use std::cell::Cell;
use std::io;
use std::pin::pin;

use tokio::sync::{Notify, watch};

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// Serving.
    #[default]
    Open,
    /// Another process accepts from the same sockets: no connection is taken any more, and none is closed unless it says so
    /// in an answer, or by the rules of HTTP/2. So no request is on its way to nobody.
    Leaving,
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

    /// Serves, going through the stages as they are told, until the serving has ended or is cut off.
    pub async fn follow(
        &self,
        mut stages: watch::Receiver<Stage>,
        serving: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let mut serving = pin!(serving);
        loop {
            tokio::select! {
                served = &mut serving => return served,
                changed = stages.changed() => {
                    // Nobody to say how far it is means that the process is going.
                    let stage = if changed.is_ok() { *stages.borrow_and_update() } else { Stage::Closed };
                    self.advance(stage);
                    if stage == Stage::Closed {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits until the stage is at least this.
    pub async fn reached(&self, stage: Stage) {
        while self.stage.get() < stage {
            self.changed.notified().await;
        }
    }
}
