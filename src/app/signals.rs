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

/// A signal that asks for something and may come again; those that come while one is answered count as one.
pub struct Requests(Signal);

impl Requests {
    /// Takes SIGUSR1 over, which comes when others have moved files, as from logrotate; call it within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn reopen() -> io::Result<Requests> {
        Ok(Requests(signal(SignalKind::user_defined1())?))
    }

    /// Takes SIGHUP over, which comes when the configuration is to be read again; call it within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn reload() -> io::Result<Requests> {
        Ok(Requests(signal(SignalKind::hangup())?))
    }

    /// Takes SIGUSR2 over, which comes when another binary is to serve in this one's place; call it within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hand_over() -> io::Result<Requests> {
        Ok(Requests(signal(SignalKind::user_defined2())?))
    }

    /// Waits for the next one; pends for ever when there can be none.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
