//! A new connection to a server: TCP or a unix socket, and TLS.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::net::proxy_protocol::{self, Addresses, Version};
use crate::net::{Polled, Stream};

use super::error::UpstreamError;
use super::settings::{Place, ServerSettings};

/// Where a server is, and how it is spoken to.
pub(super) struct Target {
    way: Way,
    tls: Option<Tls>,
    proxy_protocol: Option<Version>,
}

/// What its bytes go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// The first of these that answers.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

/// How a server of an upstream proves who it is.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// A server name that no certificate can hold.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a DNS name nor an IP address")]
pub struct NameError(String);

impl Tls {
    /// The TLS of a server, where it speaks any: asked for by `server_name` in place of its host where that is given.
    pub(super) fn of(
        server: &ServerSettings,
        config: Option<&Arc<ClientConfig>>,
        server_name: Option<&str>,
    ) -> Result<Option<Tls>, NameError> {
        let Place::Host { host, .. } = &server.place else { return Ok(None) };
        let Some(config) = config.filter(|_| server.protocol.is_tls()) else { return Ok(None) };
        let name = server_name.unwrap_or(host).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| NameError(name))?;
        let mut config = Arc::clone(config);
        if server.protocol.is_http2() {
            Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
        }
        Ok(Some(Tls { connector: TlsConnector::from(config), name }))
    }
}

impl Target {
    pub(super) fn new(way: Way, tls: Option<Tls>, proxy_protocol: Option<Version>) -> Target {
        Target { way, tls, proxy_protocol }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// A connection is one client's, and of no use to any other.
    pub(super) fn is_personal(&self) -> bool {
        self.proxy_protocol.is_some()
    }

    /// Connects, on behalf of somebody where the server is told; `securing` is called between TCP and TLS.
    pub(super) async fn connect(
        &self,
        limit: Option<Duration>,
        client: Option<Addresses>,
        securing: impl FnOnce(),
    ) -> Result<Stream, UpstreamError> {
        let is_securing = Cell::new(false);
        let securing = || {
            is_securing.set(true);
            securing();
        };
        let connecting = self.connect_without_limit(client, securing);
        let Some(limit) = limit else { return connecting.await };
        tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
            Err(if is_securing.get() { UpstreamError::HandshakeTimeout("TLS") } else { UpstreamError::ConnectTimeout })
        })
    }

    async fn connect_without_limit(
        &self,
        client: Option<Addresses>,
        securing: impl FnOnce(),
    ) -> Result<Stream, UpstreamError> {
        let header = self.proxy_protocol.map(|version| proxy_protocol::write(version, client)).unwrap_or_default();
        let mut tcp = match &self.way {
            Way::Tcp(addresses) => first_to_answer(addresses).await.map_err(UpstreamError::Connect)?,
            Way::Unix(path) => {
                let mut unix = UnixStream::connect(path).await.map_err(UpstreamError::Connect)?;
                unix.write_all(&header).await.map_err(UpstreamError::Connect)?;
                return Ok(Stream::Unix(Polled::new(unix)));
            }
        };
        // Without it small requests wait for the answer to the segment before.
        tcp.set_nodelay(true).map_err(UpstreamError::Connect)?;
        tcp.write_all(&header).await.map_err(UpstreamError::Connect)?;
        let Some(Tls { connector, name }) = &self.tls else { return Ok(Stream::Plain(Polled::new(tcp))) };
        securing();
        let stream = connector.connect(name.clone(), Polled::new(tcp)).await.map_err(tls_error)?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tls_error(error: io::Error) -> UpstreamError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            UpstreamError::Certificate(error)
        }
        _ => UpstreamError::Tls(error),
    }
}
