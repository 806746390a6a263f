//! What can go wrong with an upstream, and whose fault that was.

use std::io;

use thiserror::Error;

use crate::net::chunked::ChunkedError;

/// Why there is no whole answer.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// The name does not resolve.
    #[error("{host} does not resolve")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The server refuses connections, or the network does.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// No connection within `timeouts.connect`.
    #[error("no connection within timeouts.connect")]
    ConnectTimeout,
    /// A connection of TCP, on which TLS or HTTP/2, as it says, did not begin within `timeouts.connect`.
    #[error("connected, but the server did not begin with {0} within timeouts.connect")]
    HandshakeTimeout(&'static str),
    /// The TLS handshake failed for a reason that is not the certificate.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The server's certificate is not good.
    #[error("the server's certificate is not accepted")]
    Certificate(#[source] io::Error),
    /// The connection broke while the request was written.
    #[error("the connection broke while the request was sent")]
    Write(#[source] io::Error),
    /// The server takes no more of the request, for `timeouts.idle`.
    #[error("the server took nothing of the request within timeouts.idle")]
    WriteTimeout,
    /// The connection ended before the response head was whole.
    #[error("the connection ended before the response head was whole")]
    Closed {
        /// What the socket says; `None` for an orderly end.
        source: Option<io::Error>,
        /// Not one byte of a response had come.
        untouched: bool,
    },
    /// The server of a connection of HTTP/2 does not answer a PING within `timeouts.ping`.
    #[error("the server's connection is dead: it did not answer a PING within timeouts.ping")]
    Unanswered,
    /// The server reset the stream before the response head was whole.
    #[error("the server reset the stream: {reason}")]
    Reset {
        /// As RFC 9113 §7 describes it.
        reason: h2::Reason,
        /// It has surely not looked at the request.
        unprocessed: bool,
    },
    /// What the server sends is no HTTP/2.
    #[error("the server's HTTP/2 is malformed")]
    Http2(#[source] h2::Error),
    /// No response head within `timeouts.response`.
    #[error("no response within timeouts.response")]
    ResponseTimeout,
    /// The response head is larger than any that is read.
    #[error("the response head is too large")]
    HeadTooLarge,
    /// The response head is no HTTP, or contradicts itself.
    #[error("the response head is malformed: {0}")]
    Head(&'static str),
    /// The client's offer of another protocol cannot be taken, or was taken in a way that cannot be right.
    #[error("the upgrade failed: {0}")]
    Upgrade(&'static str),
    /// The body ended before its declared length, or without its last chunk.
    #[error("the response body ended early")]
    Incomplete(#[source] Option<io::Error>),
    /// The chunked coding of the body is malformed.
    #[error("the response body is malformed")]
    Coding(#[source] ChunkedError),
    /// Nothing of the body for `timeouts.idle`.
    #[error("nothing of the response body within timeouts.idle")]
    BodyTimeout,
}

impl UpstreamError {
    /// RFC 9209 §2.3 token.
    pub fn token(&self) -> &'static str {
        match self {
            UpstreamError::Dns { .. } => "dns_error",
            UpstreamError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => "connection_refused",
            UpstreamError::Connect(error) if is_reset(error) => "connection_terminated",
            UpstreamError::Connect(_) => "destination_unavailable",
            UpstreamError::ConnectTimeout | UpstreamError::HandshakeTimeout(_) => "connection_timeout",
            UpstreamError::Tls(error) if alert(error).is_some() => "tls_alert_received",
            UpstreamError::Tls(_) => "tls_protocol_error",
            UpstreamError::Certificate(_) => "tls_certificate_error",
            UpstreamError::Write(_) | UpstreamError::Closed { .. } | UpstreamError::Reset { .. } => {
                "connection_terminated"
            }
            UpstreamError::WriteTimeout => "connection_write_timeout",
            UpstreamError::ResponseTimeout => "http_response_timeout",
            UpstreamError::HeadTooLarge => "http_response_header_section_size",
            UpstreamError::Head(_) | UpstreamError::Http2(_) => "http_protocol_error",
            UpstreamError::Upgrade(_) => "http_upgrade_failed",
            UpstreamError::Incomplete(_) => "http_response_incomplete",
            UpstreamError::Coding(_) => "http_response_transfer_coding",
            UpstreamError::BodyTimeout | UpstreamError::Unanswered => "connection_read_timeout",
        }
    }

    /// The sentence and its cause, without an address of the inside.
    pub fn describe(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// Whether the server has surely not begun to work on the request, so that any request may be sent again.
    pub fn is_before_sending(&self) -> bool {
        matches!(
            self,
            UpstreamError::Dns { .. }
                | UpstreamError::Connect(_)
                | UpstreamError::ConnectTimeout
                | UpstreamError::HandshakeTimeout(_)
                | UpstreamError::Tls(_)
                | UpstreamError::Certificate(_)
                | UpstreamError::Reset { unprocessed: true, .. }
        )
    }

    /// Whether a kept connection was closed by the server while it was idle, as far as can be told, or was dead.
    pub fn is_stale(&self) -> bool {
        matches!(
            self,
            UpstreamError::Write(_) | UpstreamError::Closed { untouched: true, .. } | UpstreamError::Unanswered
        )
    }
}

/// What the server says against this proxy's part of a TLS handshake, if that is what went wrong.
fn alert(error: &io::Error) -> Option<rustls::AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Whether a server has refused the certificate that it was shown, or the lack of one. With TLS 1.3 it says so only when the
/// handshake is over on this side; it has read nothing of a request then.
pub(super) fn is_refused_certificate(error: &io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let refusals = [
        Alert::CertificateRequired,
        Alert::BadCertificate,
        Alert::UnsupportedCertificate,
        Alert::CertificateRevoked,
        Alert::CertificateExpired,
        Alert::CertificateUnknown,
        Alert::UnknownCA,
    ];
    alert(error).is_some_and(|alert| refusals.contains(&alert))
}

/// A connection that was accepted and reset at once is no refusal, though some kernels tell it while connecting.
pub fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
