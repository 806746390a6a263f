//! A far side as settings name it, and the way to it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;

use super::Dialer;
use super::dial::ServerNameError;
use super::tls::{self, TlsFileError};

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `None`: in the clear.
    pub tls: Option<TlsFiles>,
}

/// How a TLS server is checked, and what it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// `ca`: PEM of the authorities to trust in place of the public ones.
    pub ca: Option<PathBuf>,
    /// `certificate` and `key`: what gatelog shows of itself.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `server_name`: the name to ask for and to check in place of the host.
    pub server_name: Option<String>,
}

/// Why there is no way to a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// An authority, a certificate or a key.
    #[error(transparent)]
    TlsFile(#[from] TlsFileError),
    /// A name that no certificate can hold.
    #[error(transparent)]
    Name(#[from] ServerNameError),
}

impl Target {
    /// The way to it, for HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The first of its files that cannot be used, and a name that cannot.
    pub fn dialer(&self) -> Result<Dialer, TargetError> {
        self.dial(|config| config)
    }

    /// The way to it, for a protocol that TLS knows no name for: a server that is asked for one that it does not speak may
    /// refuse the handshake, as some mail servers do.
    ///
    /// # Errors
    ///
    /// Those of [`Target::dialer`].
    pub fn dialer_of_no_protocol(&self) -> Result<Dialer, TargetError> {
        self.dial(|config| {
            let mut config = ClientConfig::clone(&config);
            config.alpn_protocols.clear();
            Arc::new(config)
        })
    }

    fn dial(&self, adapt: impl FnOnce(Arc<ClientConfig>) -> Arc<ClientConfig>) -> Result<Dialer, TargetError> {
        let Some(files) = &self.tls else { return Ok(Dialer::plain(&self.host, self.port)) };
        let identity = files.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let config = adapt(tls::client_config(files.ca.as_deref(), identity)?);
        Ok(Dialer::tls(&self.host, self.port, config, files.server_name.as_deref())?)
    }
}
