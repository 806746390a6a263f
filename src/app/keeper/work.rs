//! The thread: takes batches, gives their lines numbers, and passes them on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::stream::{Chunk, Stream};
use super::vault::Vault;
use crate::pipeline::{Health, Load, Port, Queue, Stamp};
use crate::store::recent::{Feed, Recent};

/// Longest sleep without a wake-up.
const PARK: Duration = Duration::from_secs(1);
/// How much less than a serving thread it gets where both want the processor: a quarter of a core beside one that is
/// busy, which is more than it needs. At the lowest priority it would get nothing just when there is most to store.
const NICE: i32 = 5;

/// What others have to say to it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    stamp: Mutex<Option<Stamp>>,
}

impl Shared {
    /// Records carry this from now on.
    pub(super) fn restamp(&self, stamp: Stamp) {
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
    }

    fn take_stamp(&self) -> Option<Stamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the thread does.
pub(super) struct Work {
    queue: Arc<Queue>,
    health: Arc<Health>,
    shared: Arc<Shared>,
    stream: Stream,
    recent: Option<(Arc<Recent>, Feed)>,
    vault: Option<Vault>,
}

impl Work {
    pub(super) fn new(
        port: &Port,
        stamp: &Stamp,
        shared: Arc<Shared>,
        recent: Option<Arc<Recent>>,
        vault: Option<Vault>,
    ) -> Work {
        // Where there is a store, it counts for itself what happened.
        let feed = Feed::new(vault.is_none());
        Work {
            queue: Arc::clone(&port.queue),
            health: Arc::clone(&port.health),
            shared,
            stream: Stream::new(&port.name, stamp),
            recent: recent.map(|recent| (recent, feed)),
            vault,
        }
    }

    /// Works until the queue is closed and all is stored, or cannot be.
    pub(super) fn run(mut self) {
        // Of this thread alone; where it is refused, it is as the others are.
        let _ = rustix::process::setpriority_process(None, NICE);
        loop {
            // Read before the queue is emptied: whatever was pushed before the close is then seen.
            let closed = self.queue.is_closed();
            self.shared.take_stamp().iter().for_each(|stamp| self.stream.restamp(stamp));
            while let Some(load) = self.queue.pop() {
                self.accept(load);
            }
            self.stream.lose(&self.queue.take_untold());
            self.go_on();
            if closed {
                return self.finish();
            }
            self.queue.set_digits(self.stream.digits());
            self.queue.park(self.vault.as_ref().map_or(PARK, |vault| vault.patience().min(PARK)));
        }
    }

    fn accept(&mut self, mut load: Load) {
        self.stream.lose(load.lost());
        self.tell();
        if load.lines() > 0 {
            let chunk = self.stream.chunk(&mut load);
            self.pass_on(chunk);
        }
        self.queue.recycle(load);
    }

    /// Tells what is missing, unless the line would be missing as well.
    fn tell(&mut self) {
        if self.vault.as_ref().is_none_or(Vault::is_well) {
            self.stream.told().into_iter().for_each(|chunk| self.pass_on(chunk));
        }
    }

    fn pass_on(&mut self, chunk: Chunk) {
        if let Some((recent, feed)) = &mut self.recent {
            // What is encoded here is text.
            feed.take(recent, std::str::from_utf8(&chunk.text).unwrap_or_default());
        }
        let used = match &mut self.vault {
            Some(vault) => vault.take(chunk),
            None => {
                self.health.count_written(chunk.lines, chunk.text.len() as u64);
                Some(chunk)
            }
        };
        used.into_iter().for_each(|chunk| self.stream.recycle(chunk));
        self.learn();
    }

    /// What was lost on the way into the store.
    fn learn(&mut self) {
        if let Some(vault) = &mut self.vault {
            self.stream.miss(vault.lost());
        }
    }

    fn go_on(&mut self) {
        if let Some(vault) = &mut self.vault {
            vault.tick();
        }
        self.learn();
        self.tell();
    }

    /// Nothing more comes: what waits is stored, and what is missing is told, as far as the store takes it.
    fn finish(mut self) {
        let Some(mut vault) = self.vault.take() else { return };
        for _ in 0..2 {
            vault.store_all(&self.queue);
            self.stream.miss(vault.lost());
            self.stream.told().into_iter().for_each(|chunk| drop(vault.take(chunk)));
        }
        vault.store_all(&self.queue);
        vault.close();
    }
}
