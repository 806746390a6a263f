//! The channels: how people are told, each at its own pace.
//!
//! ```text
//!                     ┌─ desk ── worker ── mail
//! notices ─ Dispatcher┼─ desk ── worker ── webhook
//!                     └─ desk ── worker ── command
//! ```
//!
//! Each channel has a thread, and a desk that says what is to be done when; whoever has a notice puts it there and goes on. A
//! channel that does not get through holds up nobody but its own notices, of which it has 64 at most, and those of the message
//! that it tries to send.

mod bucket;
mod command;
mod desk;
pub mod email;
mod means;
mod trouble;
mod webhook;
mod worker;

use std::io;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::notice::Notice;
use super::service::Messenger;
use super::settings::{Channel, Settings};
use super::words::Batch;
use crate::time;

pub use desk::Pace;
pub use means::Unusable;

use means::{Means, Verdict};
use worker::Shared;

/// How long a dispatcher that nobody has any more goes on with what it has.
const LAST_TRY: Duration = Duration::from_secs(60);

/// Whoever has to know that a channel does not work. Called on the channel's own thread; it has to come back soon.
///
/// A channel that fails is told of once, then at intervals while it goes on failing, and once when it works again. So what is
/// said here may be told through other channels, though these fail as well.
pub trait Told: Send + Sync {
    /// A channel fails; `said` is for people, on one line.
    fn channel_failed(&self, channel: &str, said: &str);
    /// It works again.
    fn channel_works(&self, channel: &str);
}

/// How a channel does. All counts are of notices, since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `name`.
    pub name: String,
    /// `type`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// That somebody has.
    pub delivered: u64,
    /// That were refused for good, or given up after many tries.
    pub failed: u64,
    /// That made room for later ones while too many waited, or that there was no time for in the end.
    pub dropped: u64,
    /// That nobody has yet.
    pub waiting: u64,
    /// Whether the last try failed.
    pub failing: bool,
    /// What was said when a try failed last.
    pub last_error: Option<String>,
    /// When a message was delivered last, in microseconds since the Unix epoch.
    pub last_delivered_at: Option<u64>,
}

/// Why the channels cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("channel `{channel}`: {problem}")]
pub struct StartError {
    /// The channel at fault.
    pub channel: String,
    /// What is wrong with it.
    #[source]
    pub problem: StartProblem,
}

/// What is wrong with a channel.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// It cannot be used as it is configured.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The system has no thread, or no descriptor, left.
    #[error("it cannot be started: {0}")]
    System(#[source] io::Error),
}

/// Why a message was not sent at once.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no way to send it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Another try would be refused as well.
    #[error("refused: {0}")]
    Refused(String),
    /// Somebody has it, and others have refused it.
    #[error("not everybody has it: {0}")]
    Partly(String),
    /// Another try may work.
    #[error("{0}")]
    NotNow(String),
}

/// All channels, while they run.
pub struct Dispatcher {
    channels: Vec<Running>,
}

struct Running {
    shared: Arc<Shared>,
    /// Disconnected when the thread has ended: threads cannot be joined for a time only.
    ended: Mutex<Receiver<()>>,
}

impl Dispatcher {
    /// Starts a thread for each channel of the settings, in their order.
    ///
    /// # Errors
    ///
    /// The first channel that cannot be used, or that the system has no thread for.
    pub fn start(settings: &Settings, told: Arc<dyn Told>) -> Result<Dispatcher, StartError> {
        Dispatcher::start_at(&settings.channels, told, Pace::default())
    }

    /// The same at another pace.
    ///
    /// # Errors
    ///
    /// Those of [`Dispatcher::start`].
    pub fn start_at(channels: &[Channel], told: Arc<dyn Told>, pace: Pace) -> Result<Dispatcher, StartError> {
        // What cannot be used is found before anything runs.
        let means = channels.iter().map(means).collect::<Result<Vec<_>, _>>()?;
        let start = |(channel, means): (&Channel, Means)| {
            let shared = Arc::new(Shared::new(channel, pace));
            let ended = worker::start(Arc::clone(&shared), means, Arc::clone(&told));
            let ended = ended.map_err(|error| failure(channel, StartProblem::System(error)))?;
            Ok(Running { shared, ended: Mutex::new(ended) })
        };
        let channels = channels.iter().zip(means).map(start).collect::<Result<_, StartError>>()?;
        Ok(Dispatcher { channels })
    }

    /// Gives a notice to a channel, by its place in the settings. Never waits; of too many that wait, the oldest is dropped
    /// and counted.
    pub fn tell(&self, channel: usize, notice: Arc<Notice>) {
        if let Some(running) = self.channels.get(channel) {
            running.shared.put(notice);
        }
    }

    /// How each channel does, in the order of the settings.
    pub fn status(&self) -> Vec<Status> {
        self.channels.iter().map(|running| running.shared.status()).collect()
    }

    /// Ends all: what waits has one more try, without delay, and what is not delivered by then is lost and counted in what
    /// this gives, the last status of each. Nobody is told anything after that.
    pub fn finish(&self, until: Instant) -> Vec<Status> {
        self.channels.iter().for_each(|running| running.shared.close(until));
        for running in &self.channels {
            let ended = running.ended.lock().unwrap_or_else(PoisonError::into_inner);
            // Nothing is ever sent: it is over, or it takes too long.
            let _ = ended.recv_timeout(until.saturating_duration_since(time::monotonic()));
        }
        self.channels.iter().map(|running| running.shared.last_status(until)).collect()
    }
}

impl Messenger for Dispatcher {
    fn tell(&self, channel: usize, notice: &Arc<Notice>) {
        Dispatcher::tell(self, channel, Arc::clone(notice));
    }
}

impl Drop for Dispatcher {
    /// Who is replaced by another one, and was not ended, ends by itself: what waits has one more try, and nobody waits for it.
    fn drop(&mut self) {
        let until = time::monotonic() + LAST_TRY;
        self.channels.iter().for_each(|running| running.shared.close(until));
    }
}

/// Checks that a channel can be used: addresses, URL, and the files of TLS.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(channel: &Channel) -> Result<(), Unusable> {
    Means::new(channel).map(drop)
}

/// Sends a message through a channel at once and once, and waits for what comes of it: for the command line. Not to be
/// called where a runtime runs.
///
/// # Errors
///
/// Why not everybody has it.
pub fn send_once(channel: &Channel, notices: &[Arc<Notice>]) -> Result<(), SendError> {
    let mut means = means(channel)?;
    let runtime = worker::runtime().map_err(|error| failure(channel, StartProblem::System(error)))?;
    let batch = Batch { notices: notices.to_vec(), dropped: 0 };
    let mut message = means.write(&batch, time::wall_now());
    let verdict = runtime.block_on(means.send(&mut message));
    runtime.shutdown_timeout(Duration::ZERO);
    match verdict {
        Verdict::Delivered { but: None } => Ok(()),
        Verdict::Delivered { but: Some(said) } => Err(SendError::Partly(said)),
        Verdict::Refused { said } => Err(SendError::Refused(said)),
        Verdict::Again { said, .. } => Err(SendError::NotNow(said)),
    }
}

fn means(channel: &Channel) -> Result<Means, StartError> {
    Means::new(channel).map_err(|problem| failure(channel, problem.into()))
}

fn failure(channel: &Channel, problem: StartProblem) -> StartError {
    StartError { channel: channel.name.clone(), problem }
}
