//! What the outside asks of the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the process.
pub struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    /// Takes SIGTERM and SIGINT over; call it within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> io::Result<Stops> {
        Ok(Stops { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signal after others have moved files (SIGUSR1), as logrotate sends it.
pub struct Reopens(Signal);

impl Reopens {
    /// Takes SIGUSR1 over; call it within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> io::Result<Reopens> {
        Ok(Reopens(signal(SignalKind::user_defined1())?))
    }

    /// Waits for the next one; pends for ever when there can be none.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
