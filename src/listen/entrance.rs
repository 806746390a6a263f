//! What a listener asks of those who connect, before there is a request, and what it says to those who ask.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::{Peer, ServerTls, Stream, TlsSession, subject};

use super::announced::ProxyProtocol;
use super::gate::Refusal;
use super::settings::Redirect;

/// A listener's way in, the same on every core. The default is plain HTTP.
#[derive(Clone, Default)]
pub struct Entrance {
    /// The header that connections begin with, if they do.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS, if it speaks it.
    pub tls: Option<Arc<ServerTls>>,
    /// Where requests are sent instead of being served.
    pub redirect: Option<Redirect>,
    /// `Strict-Transport-Security` of its answers; browsers heed it over TLS alone, so that it is sent there alone.
    pub hsts: Option<HeaderValue>,
}

impl Entrance {
    /// Speaks TLS over a connection, where it does, and notes what was agreed upon.
    pub(super) async fn secure(
        &self,
        stream: Stream,
        peer: &mut Peer,
        limit: Option<Duration>,
    ) -> Result<Stream, Refusal> {
        let Some(tls) = &self.tls else { return Ok(stream) };
        let (stream, session) = secure(tls, stream, limit).await?;
        peer.tls = Some(session);
        Ok(stream)
    }
}

async fn secure(tls: &ServerTls, stream: Stream, limit: Option<Duration>) -> Result<(Stream, TlsSession), Refusal> {
    let acceptor = TlsAcceptor::from(tls.current());
    match stream {
        Stream::Plain(tcp) => {
            let (stream, session) = handshake(&acceptor, tcp, limit).await?;
            Ok((Stream::Tls(Box::new(stream.into())), session))
        }
        Stream::Unix(unix) => {
            let (stream, session) = handshake(&acceptor, unix, limit).await?;
            Ok((Stream::TlsUnix(Box::new(stream.into())), session))
        }
        Stream::Tls(_) | Stream::TlsUnix(_) => Err(refusal("tls_handshake", "TLS within TLS".to_owned())),
    }
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    stream: S,
    limit: Option<Duration>,
) -> Result<(TlsStream<S>, TlsSession), Refusal> {
    let accepted = match limit {
        Some(limit) => tokio::time::timeout(limit, acceptor.accept(stream)).await,
        None => Ok(acceptor.accept(stream).await),
    };
    let stream = match accepted {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(refusal("tls_handshake", error.to_string())),
        Err(_) => return Err(refusal("tls_handshake_timeout", "the handshake took too long".to_owned())),
    };
    let session = session(stream.get_ref().1);
    Ok((stream, session))
}

fn refusal(reason: &'static str, detail: String) -> Refusal {
    Refusal { status: None, reason, detail, excerpt: Vec::new() }
}

fn session(connection: &rustls::ServerConnection) -> TlsSession {
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    TlsSession {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        },
        cipher: connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
        sni: connection.server_name().map(Into::into),
        alpn: connection.alpn_protocol().and_then(|alpn| std::str::from_utf8(alpn).ok()).map(Into::into),
        client_subject: certificate.and_then(|own| subject::of_certificate(own)).map(Into::into),
    }
}
