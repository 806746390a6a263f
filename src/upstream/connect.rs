//! A new connection to a server: TCP or a unix socket, and TLS.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::net::Stream;

use super::error::UpstreamError;
use super::settings::{Place, ServerSettings};

/// Where a server is, and how it is spoken to.
pub(super) struct Target {
    way: Way,
    tls: Option<Tls>,
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
    pub(super) fn new(way: Way, tls: Option<Tls>) -> Target {
        Target { way, tls }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Connects; `securing` is called between TCP and TLS.
    pub(super) async fn connect(
        &self,
        limit: Option<Duration>,
        securing: impl FnOnce(),
    ) -> Result<Stream, UpstreamError> {
        let connecting = self.connect_without_limit(securing);
        match limit {
            Some(limit) => tokio::time::timeout(limit, connecting).await.unwrap_or(Err(UpstreamError::ConnectTimeout)),
            None => connecting.await,
        }
    }

    async fn connect_without_limit(&self, securing: impl FnOnce()) -> Result<Stream, UpstreamError> {
        let tcp = match &self.way {
            Way::Tcp(addresses) => first_to_answer(addresses).await.map_err(UpstreamError::Connect)?,
            Way::Unix(path) => {
                return UnixStream::connect(path).await.map(Stream::Unix).map_err(UpstreamError::Connect);
            }
        };
        // Without it small requests wait for the answer to the segment before.
        tcp.set_nodelay(true).map_err(UpstreamError::Connect)?;
        let Some(Tls { connector, name }) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        securing();
        let stream = connector.connect(name.clone(), tcp).await.map_err(tls_error)?;
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
