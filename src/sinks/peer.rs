//! What the settings say of a far side becomes something that can be called.

use std::io;

use crate::net::Dialer;
use crate::net::dial::ServerNameError;
use crate::net::tls::{self, TlsFileError};
use crate::pipeline::Peer;

/// Why an output over a network cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// An authority, a certificate or a key.
    #[error(transparent)]
    TlsFile(#[from] TlsFileError),
    /// A name that no certificate can hold.
    #[error(transparent)]
    Name(#[from] ServerNameError),
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

/// A way to a peer.
///
/// # Errors
///
/// The first of its files that cannot be used, and a name that cannot.
pub fn dialer(peer: &Peer) -> Result<Dialer, NetworkError> {
    let Some(files) = &peer.tls else { return Ok(Dialer::plain(&peer.host, peer.port)) };
    let identity = files.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let config = tls::client_config(files.ca.as_deref(), identity)?;
    Ok(Dialer::tls(&peer.host, peer.port, config, files.server_name.as_deref())?)
}
