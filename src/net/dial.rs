//! Connecting to a server by name, over TCP and, where wanted, TLS.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Polled, Stream};

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A server name that no certificate can hold.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a DNS name nor an IP address")]
pub struct ServerNameError(String);

impl Dialer {
    /// A server in the clear.
    pub fn plain(host: &str, port: u16) -> Dialer {
        Dialer { host: host.to_owned(), port, tls: None }
    }

    /// A server behind TLS, asked for by `name` in place of its host where that is given.
    ///
    /// # Errors
    ///
    /// When no certificate can hold the name.
    pub fn tls(
        host: &str,
        port: u16,
        config: Arc<ClientConfig>,
        name: Option<&str>,
    ) -> Result<Dialer, ServerNameError> {
        let name = name.unwrap_or(host);
        let server = ServerName::try_from(name.to_owned()).map_err(|_| ServerNameError(name.to_owned()))?;
        Ok(Dialer { host: host.to_owned(), port, tls: Some((TlsConnector::from(config), server)) })
    }

    /// Its host and port.
    pub fn target(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects to the first of its addresses that answers. Not bounded in time.
    ///
    /// # Errors
    ///
    /// Those of the resolver, of the last address that was tried, and of the handshake.
    pub async fn connect(&self) -> io::Result<Stream> {
        self.secure(self.connect_in_the_clear().await?).await
    }

    /// The same without TLS, where that begins later.
    ///
    /// # Errors
    ///
    /// Those of the resolver, and of the last address that was tried.
    pub async fn connect_in_the_clear(&self) -> io::Result<TcpStream> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // Without it the end of a batch waits for the answer to the segment before.
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// Begins TLS on a connection, where it is spoken.
    ///
    /// # Errors
    ///
    /// Those of the handshake.
    pub async fn secure(&self, tcp: TcpStream) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(Stream::Plain(Polled::new(tcp))),
            Some((connector, name)) => {
                Ok(Stream::Tls(Box::new(connector.connect(name.clone(), Polled::new(tcp)).await?.into())))
            }
        }
    }
}
