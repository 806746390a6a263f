//! A new connection to a server: its name, TCP, TLS.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::net::Stream;
use crate::time;

use super::error::UpstreamError;
use super::settings::ServerSettings;

/// How long an answer of the resolver is used.
const NAME_LIFE: Duration = Duration::from_secs(10);

/// Where a server is, and how it is spoken to.
pub(super) struct Target {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    resolved: RefCell<Option<(Instant, Vec<SocketAddr>)>>,
}

/// A server name that no certificate can hold.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a DNS name nor an IP address")]
pub struct NameError(String);

impl Target {
    /// A server, with the TLS settings of its upstream where it is `https`.
    pub(super) fn new(
        server: &ServerSettings,
        tls: Option<&Arc<ClientConfig>>,
        server_name: Option<&str>,
    ) -> Result<Target, NameError> {
        let name = server_name.unwrap_or(&server.host);
        let tls = match tls.filter(|_| server.tls) {
            Some(config) => {
                let name = ServerName::try_from(name.to_owned()).map_err(|_| NameError(name.to_owned()))?;
                Some((TlsConnector::from(Arc::clone(config)), name))
            }
            None => None,
        };
        Ok(Target { host: server.host.clone(), port: server.port, tls, resolved: RefCell::default() })
    }

    /// Connects to the first of its addresses that answers; `securing` is called between TCP and TLS.
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
        let tcp = self.tcp().await?;
        // Without it small requests wait for the answer to the segment before.
        tcp.set_nodelay(true).map_err(UpstreamError::Connect)?;
        let Some((connector, name)) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        securing();
        let stream = connector.connect(name.clone(), tcp).await.map_err(tls_error)?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    async fn tcp(&self) -> Result<TcpStream, UpstreamError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => last = error,
            }
        }
        // Perhaps the name has moved: ask again next time.
        self.resolved.replace(None);
        Err(UpstreamError::Connect(last))
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, UpstreamError> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let now = time::monotonic();
        if let Some((at, addresses)) = &*self.resolved.borrow()
            && now.saturating_duration_since(*at) < NAME_LIFE
        {
            return Ok(addresses.clone());
        }
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|source| UpstreamError::Dns { host: self.host.clone(), source })?.collect();
        self.resolved.replace(Some((now, addresses.clone())));
        Ok(addresses)
    }
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
