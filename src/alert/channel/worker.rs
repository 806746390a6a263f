//! The thread of a channel: does what its desk says.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::alert::notice::Notice;
use crate::alert::settings::Channel;
use crate::alert::words::line;
use crate::time;

use super::desk::{Counts, Desk, Pace, Settled, Turn};
use super::means::{Means, Message, Verdict};
use super::trouble::Trouble;
use super::{Status, Told};

/// What a channel's thread and those who give it notices share.
pub(super) struct Shared {
    name: String,
    kind: &'static str,
    state: Mutex<State>,
    /// Something has come, or the end.
    news: Notify,
}

struct State {
    desk: Desk,
    trouble: Trouble,
    last_error: Option<String>,
    last_delivered_at: Option<u64>,
}

/// What is to be told of a try.
enum Tell {
    Nothing,
    Failed(String),
    Works,
}

impl Tell {
    fn tell(self, channel: &str, told: &dyn Told) {
        match self {
            Tell::Nothing => {}
            Tell::Failed(said) => told.channel_failed(channel, &said),
            Tell::Works => told.channel_works(channel),
        }
    }
}

impl Shared {
    /// Of a channel that has done nothing yet.
    pub(super) fn new(channel: &Channel, pace: Pace) -> Shared {
        let desk = Desk::new(channel.rate, pace);
        let state = State { desk, trouble: Trouble::default(), last_error: None, last_delivered_at: None };
        Shared {
            name: channel.name.clone(),
            kind: channel.kind.as_str(),
            state: Mutex::new(state),
            news: Notify::new(),
        }
    }

    /// Held for moments only: nobody waits, sends or calls anybody else with it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, notice: Arc<Notice>) {
        self.lock().desk.put(time::monotonic(), notice);
        self.news.notify_one();
    }

    pub(super) fn close(&self, until: Instant) {
        self.lock().desk.close(time::monotonic(), until);
        self.news.notify_one();
    }

    pub(super) fn status(&self) -> Status {
        let state = self.lock();
        let Counts { delivered, failed, dropped } = state.desk.counts();
        Status {
            name: self.name.clone(),
            kind: self.kind,
            delivered,
            failed,
            dropped,
            waiting: state.desk.waiting(),
            failing: state.trouble.is_failing(),
            last_error: state.last_error.clone(),
            last_delivered_at: state.last_delivered_at,
        }
    }

    /// The status once the time is over: what then still waits is lost.
    pub(super) fn last_status(&self, until: Instant) -> Status {
        if self.lock().desk.waiting() > 0 {
            let _ = self.lock().desk.turn(until);
        }
        self.status()
    }

    fn turn(&self) -> Turn {
        self.lock().desk.turn(time::monotonic())
    }

    /// Waits for that moment, or for news.
    async fn wait(&self, until: Option<Instant>) {
        match until {
            None => self.news.notified().await,
            Some(until) => {
                let left = until.saturating_duration_since(time::monotonic());
                let _ = tokio::time::timeout(left, self.news.notified()).await;
            }
        }
    }

    /// Notices had to make room for later ones.
    fn dropped(&self, count: u64) -> Tell {
        let said = format!("{count} notices were dropped: too many waited");
        let mut state = self.lock();
        state.last_error = Some(said.clone());
        if state.trouble.failed(time::monotonic()) { Tell::Failed(said) } else { Tell::Nothing }
    }

    fn settle(&self, verdict: Verdict) -> Tell {
        let mut state = self.lock();
        let (now, wall) = (time::monotonic(), time::wall_now());
        if matches!(verdict, Verdict::Delivered { .. }) {
            state.last_delivered_at = Some(wall);
        }
        let (said, tell) = match state.desk.settle(now, verdict) {
            Settled::Delivered if state.trouble.over() => return Tell::Works,
            Settled::Delivered => return Tell::Nothing,
            Settled::Failed(said) => (said, state.trouble.failed(now)),
            Settled::Later(said) => (said, state.trouble.stumbled(now)),
        };
        state.last_error = Some(said.clone());
        if tell { Tell::Failed(said) } else { Tell::Nothing }
    }
}

/// The runtime of one thread.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Starts the thread. What it gives is disconnected when that has ended.
pub(super) fn start(shared: Arc<Shared>, means: Means, told: Arc<dyn Told>) -> io::Result<Receiver<()>> {
    let runtime = runtime()?;
    let (alive, ended) = sync_channel(0);
    let name = format!("alert-{}", line(&shared.name, 64));
    std::thread::Builder::new().name(name).spawn(move || {
        let _alive: SyncSender<()> = alive;
        let _mourner = Mourner { shared: &shared, told: &*told };
        runtime.block_on(work(&shared, means, &*told));
        // A name that is being resolved must not keep the process from leaving.
        runtime.shutdown_background();
    })?;
    Ok(ended)
}

async fn work(shared: &Shared, mut means: Means, told: &dyn Told) {
    let mut message: Option<Message> = None;
    loop {
        match shared.turn() {
            Turn::Over => return,
            Turn::Wait(until) => {
                shared.wait(until).await;
                continue;
            }
            Turn::Write(batch) => {
                if batch.dropped > 0 {
                    shared.dropped(batch.dropped).tell(&shared.name, told);
                }
                message = Some(means.write(&batch, time::wall_now()));
            }
            Turn::Again => {}
        }
        let verdict = match &mut message {
            Some(message) => means.send(message).await,
            None => Verdict::Refused { said: "there is no message".to_owned() },
        };
        shared.settle(verdict).tell(&shared.name, told);
    }
}

/// Says that a thread has ended as none should: its notices wait in vain from then on.
struct Mourner<'a> {
    shared: &'a Shared,
    told: &'a dyn Told,
}

impl Drop for Mourner<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.told.channel_failed(&self.shared.name, "its thread has panicked: nothing is sent any more");
        }
    }
}
