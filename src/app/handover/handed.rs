//! What a process finds that was started to take the sockets of another one over.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef};
use thiserror::Error;

use super::Estate;
use super::line::{ALL, Line, Message, receive};
use crate::app::reload::Control;
use crate::disk::paths;
use crate::listen::Socket;
use crate::net::unix_socket;
use crate::pipeline::announce::PROXY_LOGGER;

/// The variable that says whose sockets come over the standard input: the number of the parent process. (Names that begin
/// with `GATELOG_` are keys of the configuration.)
pub(super) const FROM: &str = "HANDOVER_FROM";
/// How long the next socket may take to come; all of them are sent at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sockets that are served already, and the process that does.
#[derive(Debug)]
pub struct Handed {
    from: u32,
    estate: Estate,
    line: Line,
}

/// Why there are no sockets although some were to come.
#[derive(Debug, Error)]
#[error("the sockets of process {from} cannot be taken over")]
pub struct HandedError {
    from: u32,
    source: io::Error,
}

impl Handed {
    /// What the parent process hands over, if it does; call it once, within a runtime.
    ///
    /// # Errors
    /// When it says so and does not.
    #[expect(clippy::disallowed_methods, reason = "the parent process speaks through the environment")]
    pub fn receive() -> Result<Option<Handed>, HandedError> {
        let from = std::env::var(FROM).ok().and_then(|pid| pid.parse().ok());
        // Of anybody else's it is a leftover.
        let Some(from) = from.filter(|from| *from == std::os::unix::process::parent_id()) else { return Ok(None) };
        let received = standard_input().and_then(|line| {
            let estate = receive_all(&line)?;
            Ok(Handed { from, estate, line: Line::new(line)? })
        });
        received.map(Some).map_err(|source| HandedError { from, source })
    }

    /// The process that served before.
    pub(in crate::app) fn from(&self) -> u32 {
        self.from
    }

    /// Its sockets.
    pub(in crate::app) fn estate(&self) -> &Estate {
        &self.estate
    }

    /// Tells the process before that this one serves, closes what nobody needs any more, and waits until that one has
    /// ended.
    pub async fn take_over(self, control: Arc<Control>) {
        control.all_serve().await;
        if let Err(error) = self.line.tell_ready().await {
            tracing::warn!(target: PROXY_LOGGER, %error, "the process before cannot be told that its sockets are served");
        }
        let unneeded = self.estate.close();
        let files = unneeded.iter().filter_map(|name| name.strip_prefix("unix:"));
        files.for_each(|path| unix_socket::abandon(Path::new(path)));
        self.line.closed().await;
        control.be_alone();
    }
}

/// The line that stands where input would; none comes from there any more.
fn standard_input() -> io::Result<OwnedFd> {
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(paths::open(Path::new("/dev/null"))?)?;
    SockRef::from(&line).set_read_timeout(Some(PATIENCE))?;
    Ok(line)
}

fn receive_all(line: &OwnedFd) -> io::Result<Estate> {
    let estate = Estate::default();
    loop {
        match receive(line)? {
            Message { text, socket: Some(socket) } => estate.push(text, listening(socket)?),
            Message { text, socket: None } if text == ALL => return Ok(estate),
            Message { .. } => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

fn listening(socket: OwnedFd) -> io::Result<Socket> {
    match SockRef::from(&socket).domain()? {
        Domain::UNIX => Ok(Socket::Unix(UnixListener::from(socket))),
        _ => Ok(Socket::Tcp(socket.into())),
    }
}
