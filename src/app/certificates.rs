//! Certificates that are renewed on the disk are put in force without a restart.
//!
//! Files are looked at every two seconds rather than watched: renewals replace files, links and whole folders, some
//! file systems tell nobody, and a look costs a microsecond.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::listeners::SpokenTls;
use crate::net::ServerTls;
use crate::net::server_tls::{Change, InForce};
use crate::pipeline::announce::PROXY_LOGGER;
use crate::time;

/// How often files are looked at. Files that are replaced one after the other are complained of when they are no pair for
/// as long.
const EVERY: Duration = Duration::from_secs(2);

/// The thread that looks, until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks after the TLS of the listeners there are.
    pub(super) fn start(tls: SpokenTls) -> io::Result<Watch> {
        let (stop, stopped) = sync_channel(0);
        let work = move || look_often(&tls, &stopped);
        let thread = std::thread::Builder::new().name("certificates".into()).spawn(work)?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that has failed has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn look_often(tls: &SpokenTls, stopped: &Receiver<()>) {
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        look(&tls.all());
    }
}

/// Puts in force what was renewed, and tells of it. Reads files.
pub(super) fn look(tls: &[Arc<ServerTls>]) {
    tls.iter().flat_map(|tls| tls.look()).for_each(|change| tell(&change));
}

fn tell(change: &Change) {
    match change {
        Change::Certificate(InForce { file, names, not_after }) => {
            let (file, names) = (file.display(), names.join(" "));
            let not_after = not_after.map(time::http_date).unwrap_or_default();
            tracing::info!(target: PROXY_LOGGER, certificate = %file, names, not_after, "a renewed certificate is in force");
        }
        Change::Authorities(file) => {
            tracing::info!(target: PROXY_LOGGER, client_ca = %file.display(), "renewed authorities of clients are in force");
        }
        Change::Refused(error) => {
            let file = error.path.display();
            tracing::error!(
                target: PROXY_LOGGER, %file, role = %error.role, %error,
                "renewed TLS files cannot be used: those before stay in force"
            );
        }
    }
}
