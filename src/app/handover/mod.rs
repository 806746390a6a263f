//! SIGUSR2: the listening sockets go to a new process of this program, which may be another version of it, and no request
//! is lost.
//!
//! ```text
//! this process                                     the new one
//! SIGUSR2: starts the program again ──────────────> finds one end of a line as its standard input
//! sends every socket, by name ────────────────────> reads and checks its own configuration
//!   (both accept)                                   takes the sockets of its listeners, opens its outputs, serves
//! is told so, or not for a minute <──────────────── says that it is ready
//! accepts no more, drains, ends ──────────────────> the line is closed: it is alone
//! ```
//!
//! - The very same sockets are passed (`SCM_RIGHTS`, unix(7)), not others at their addresses: what waits to be accepted is
//!   accepted by whoever is there. A socket of its own that was closed would reset what waits in it.
//! - Until the new process is ready it changes nothing that the old one needs. One that ends, or hangs, is told of, and the
//!   old one goes on ([`Refusal`]).
//! - What is inherited is one descriptor, whose number is known, so that none leaks and nothing unsafe is needed; the line
//!   is also how each hears of the other's end.
//! - Outputs of both write beside each other until the old process has ended ([`crate::sinks::neighbour`]).

mod estate;
mod handed;
mod image;
mod line;

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub(super) use self::estate::Estate;
pub use self::handed::{Handed, HandedError};
pub use self::image::Image;
use self::line::Line;
use super::reload::Control;
use super::signals::Requests;
use super::systemd;
use crate::listen::Socket;
use crate::pipeline::announce::PROXY_LOGGER;

/// How long a new process may take until it serves: names are resolved, and certificates are read.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process that serves in this one's place. Once this is dropped, it knows that it is alone.
#[derive(Debug)]
pub struct Successor {
    pid: u32,
    _line: Line,
}

impl Successor {
    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// Why the sockets stay where they are.
#[derive(Debug, Error)]
pub enum Refusal {
    /// There is no process.
    #[error("{binary} cannot be started: {source}")]
    Start {
        /// What was to be started.
        binary: String,
        /// Why it was not.
        source: io::Error,
    },
    /// It has ended before it was ready: it does not like its configuration, or this machine. It has said why on stderr.
    #[error("process {pid} ended before it was ready: {status}")]
    Ended {
        /// The process.
        pid: u32,
        /// How it ended.
        status: ExitStatus,
    },
    /// It was not ready in time, and was killed.
    #[error("process {pid} was not ready after {} seconds, and was killed", .after.as_secs())]
    Silent {
        /// The process.
        pid: u32,
        /// How long it was waited for.
        after: Duration,
    },
}

/// Hands the sockets over when it is asked to.
#[derive(Debug)]
pub struct Handover {
    image: Image,
    /// Those of no traffic.
    estate: Arc<Estate>,
    control: Arc<Control>,
}

impl Handover {
    /// That of these sockets, to this program.
    pub(super) fn new(image: Image, estate: Arc<Estate>, control: Arc<Control>) -> Handover {
        Handover { image, estate, control }
    }

    /// Waits until the sockets are handed over, whatever number of attempts that takes. Dropped during an attempt, it ends the
    /// process that has not taken over yet.
    pub async fn done(self, mut requests: Requests) -> Successor {
        loop {
            requests.next().await;
            systemd::reloading("handing the sockets over");
            self.control.expect_neighbour();
            match self.attempt_alone(&mut requests).await {
                Ok(successor) => return successor,
                Err(refusal) => {
                    self.control.be_alone();
                    systemd::ready(&self.control.status());
                    tracing::error!(target: PROXY_LOGGER, error = %refusal, "the sockets are not handed over: this process goes on");
                }
            }
        }
    }

    /// All that are listened on now, by name.
    fn sockets(&self) -> io::Result<Vec<(String, Socket)>> {
        let mut sockets = self.control.sockets()?;
        sockets.extend(self.estate.sockets()?);
        Ok(sockets)
    }

    /// One attempt at a time: who asks for another one meanwhile is told so.
    async fn attempt_alone(&self, requests: &mut Requests) -> Result<Successor, Refusal> {
        let mut attempt = std::pin::pin!(attempt(&self.image, self.sockets(), PATIENCE));
        loop {
            tokio::select! {
                outcome = &mut attempt => return outcome,
                () = requests.next() => tell_underway(),
            }
        }
    }
}

/// Starts the program, and waits for so long until it serves these sockets. Dropped before that, it ends it.
async fn attempt(
    image: &Image,
    sockets: io::Result<Vec<(String, Socket)>>,
    patience: Duration,
) -> Result<Successor, Refusal> {
    let failed = |source| Refusal::Start { binary: image.path().display().to_string(), source };
    let (line, theirs) = Line::pair().map_err(failed)?;
    let sockets = sockets.map_err(failed)?;
    let mut heir = Heir(Some(image.command().stdin(theirs).spawn().map_err(failed)?));
    let pid = heir.pid();
    match tokio::time::timeout(patience, line.pass_on(&sockets)).await {
        Ok(Ok(())) => {
            heir.0 = None;
            Ok(Successor { pid, _line: line })
        }
        // It has closed its end of the line, by its own end most likely.
        Ok(Err(error)) => Err(heir.end().map_or_else(|| failed(error), |status| Refusal::Ended { pid, status })),
        Err(_) => Err(Refusal::Silent { pid, after: patience }),
    }
}

/// Says that there is one request too many.
fn tell_underway() {
    tracing::warn!(target: PROXY_LOGGER, "the sockets are being handed over already: another SIGUSR2 changes nothing");
}

/// A process that has not taken over yet; killed when this is dropped.
struct Heir(Option<Child>);

impl Heir {
    fn pid(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// How it ended: as it wanted, if it already had.
    fn end(&mut self) -> Option<ExitStatus> {
        let mut child = self.0.take()?;
        // One that has ended cannot be killed any more.
        let _ = child.kill();
        child.wait().ok()
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_program_that_ends_is_told_of_with_its_status() {
        let image = Image::of("/bin/sh", &["-c", "exit 3"]);
        let refusal = attempt(&image, Ok(Vec::new()), SOON).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Ended { status, .. } if status.code() == Some(3)), "{refusal}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_of_by_its_name() {
        let refusal = attempt(&Image::of("/no/such/file", &[]), Ok(Vec::new()), SOON).await.unwrap_err();
        assert!(refusal.to_string().contains("/no/such/file"), "{refusal}");
    }

    /// The clock jumps to whatever is waited for.
    #[tokio::test(start_paused = true)]
    async fn a_program_that_hangs_is_given_up_and_killed() {
        let refusal = attempt(&Image::of("/bin/sleep", &["600"]), Ok(Vec::new()), SOON).await.unwrap_err();
        let Refusal::Silent { pid, after } = refusal else { panic!("{refusal}") };
        assert_eq!(after, SOON);
        let gone = crate::disk::paths::look(std::path::Path::new(&format!("/proc/{pid}")));
        assert!(gone.is_err(), "it still runs");
    }

    #[tokio::test]
    async fn a_program_that_says_something_else_than_that_it_is_ready_is_given_up() {
        let image = Image::of("/bin/sh", &["-c", "echo hello >&0; exec sleep 600"]);
        let refusal = attempt(&image, Ok(Vec::new()), SOON).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Ended { status, .. } if status.code().is_none()), "{refusal}");
    }
}
