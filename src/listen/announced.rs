//! The PROXY header that a connection begins with: read before anything else, believed from trusted peers alone.
//!
//! Every connection of such a listener begins with one, as in nginx, HAProxy and Envoy: whether bytes are a header never
//! depends on who sends them. What a peer says that is not trusted is stepped over, and counts for nothing (as in nginx).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::net::proxy_protocol::{Header, MAX_HEADER, Versions, parse};
use crate::net::{Peer, Stream, TrustedPeers};

use super::gate::Refusal;

/// Bytes of a refused header that the record shows.
const EXCERPT: usize = 256;

/// What a listener reads before all else.
#[derive(Debug, Clone)]
pub struct ProxyProtocol {
    /// The versions that are read.
    pub versions: Versions,
    /// Whose headers are believed.
    pub trusted: Arc<TrustedPeers>,
}

/// Why a connection comes to nothing before it has said anything itself.
#[derive(Debug)]
pub(super) enum Unannounced {
    /// Opened and closed again, as health checks over TCP do.
    Silent,
    /// No header, or none in time.
    Refused(Refusal),
}

impl ProxyProtocol {
    /// Takes the header off a connection, and notes whom it announces.
    pub(super) async fn take(
        &self,
        stream: &mut Stream,
        peer: &mut Peer,
        limit: Option<Duration>,
    ) -> Result<(), Unannounced> {
        let mut bytes = Vec::new();
        let header = self.read(stream, &mut bytes);
        let read = match limit {
            Some(limit) => tokio::time::timeout(limit, header).await,
            None => Ok(header.await),
        };
        let refused = |reason, detail: String| {
            let excerpt = bytes[..bytes.len().min(EXCERPT)].to_vec();
            Unannounced::Refused(Refusal { status: None, reason, detail, excerpt })
        };
        let header = match read {
            Ok(Ok(Some(header))) => header,
            Ok(Ok(None)) if bytes.is_empty() => return Err(Unannounced::Silent),
            Ok(Ok(None)) => return Err(refused("proxy_protocol", "the client left within the header".to_owned())),
            Ok(Err(error)) => return Err(refused("proxy_protocol", error.to_string())),
            Err(_) => {
                let detail = "the PROXY header did not come within limits.header_timeout".to_owned();
                return Err(refused("proxy_protocol_timeout", detail));
            }
        };
        if let Some(addresses) = header.addresses.filter(|_| self.trusted.contains(peer.ip)) {
            peer.announce(addresses);
        }
        Ok(())
    }

    /// Looks at what has come before it is taken: behind the header begins what is not for us to read here. `None` where
    /// the client leaves before it is whole. `bytes` shows what has come of it.
    async fn read(&self, stream: &mut Stream, bytes: &mut Vec<u8>) -> io::Result<Option<Header>> {
        let mut ahead = vec![0; MAX_HEADER];
        loop {
            let known = bytes.len();
            let seen = stream.peek(&mut ahead[..MAX_HEADER - known]).await?;
            if seen == 0 {
                return Ok(None);
            }
            bytes.extend_from_slice(&ahead[..seen]);
            let header = parse(bytes, self.versions).map_err(io::Error::other)?;
            // Without a verdict all of it is the header's.
            let taken = header.map_or(bytes.len(), |header| header.length) - known;
            stream.read_exact(&mut ahead[..taken]).await?;
            if header.is_some() {
                return Ok(header);
            }
        }
    }
}
