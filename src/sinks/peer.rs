//! Why an output over a network cannot be started.

use std::io;

use crate::net::TargetError;

/// Why an output over a network cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// There is no way to the far side.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The spool's folder belongs to somebody else.
    #[error("another process, or another output, uses the spool")]
    SpoolInUse,
    /// The spool, or a thread.
    #[error("{0}")]
    System(#[source] io::Error),
}

impl From<io::Error> for NetworkError {
    fn from(error: io::Error) -> NetworkError {
        match error.kind() {
            io::ErrorKind::WouldBlock => NetworkError::SpoolInUse,
            _ => NetworkError::System(error),
        }
    }
}

impl From<NetworkError> for io::Error {
    fn from(error: NetworkError) -> io::Error {
        match error {
            NetworkError::System(error) => error,
            error => io::Error::other(error),
        }
    }
}
