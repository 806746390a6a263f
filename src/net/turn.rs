//! A task's turn to write: after everything that has come in with it was read.
//!
//! Each write to a sleeping peer on the same machine wakes it, and where that peer is quick it sleeps again before the next
//! write: one wake-up, an interrupt to another core, for every write. A task that lets the others that are ready go first
//! writes among their writes, and the peer stays awake for all of them. Alone on its core it waits for nobody.

use std::cell::Cell;
use std::task::{Context, Poll};

/// Whether its turn has come.
#[derive(Debug, Default)]
pub struct Turn(Cell<bool>);

impl Turn {
    /// Ready at the second call, which comes once every task that is ready now has been polled.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.replace(true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next write has a turn of its own.
    pub fn end(&self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::rc::Rc;

    #[test]
    fn everybody_has_read_before_anybody_writes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let seen = Rc::new(std::cell::RefCell::new(Vec::new()));
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let seen = Rc::clone(&seen);
                    tokio::task::spawn_local(async move {
                        let turn = Turn::default();
                        for _ in 0..2 {
                            seen.borrow_mut().push("read");
                            poll_fn(|cx| turn.poll(cx)).await;
                            seen.borrow_mut().push("write");
                            turn.end();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        let first = ["read", "read", "read", "write"];
        assert_eq!(seen.borrow()[..4], first);
        assert_eq!(seen.borrow().len(), 12);
    }
}
