//! What the user says about the near side: `[[listen]]` and `[limits]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One `[[listen]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenSettings {
    /// Where it was written: an index into the places that the configuration keeps.
    pub origin: usize,
    /// Host and port.
    pub address: SocketAddr,
    /// TLS, if it speaks it.
    pub tls: Option<TlsSettings>,
}

/// `listen.tls`.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// `[limits]`: sizes in bytes; `None` is no limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// A request head, whole.
    pub header_bytes: usize,
    /// Fields in a head.
    pub header_count: usize,
    /// The request target.
    pub uri_bytes: usize,
    /// A request body.
    pub body_bytes: Option<u64>,
    /// From the first byte of a head to its last; TLS handshakes too.
    pub header_timeout: Option<Duration>,
    /// Between two pieces of a body, either way.
    pub body_idle_timeout: Option<Duration>,
    /// Between two requests of a connection.
    pub keep_alive: Option<Duration>,
    /// Connections of all listeners together.
    pub connections: Option<usize>,
    /// Concurrent HTTP/2 streams of a connection.
    pub streams_per_connection: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_bytes: 32 * 1024,
            header_count: 100,
            uri_bytes: 16 * 1024,
            body_bytes: None,
            header_timeout: Some(Duration::from_secs(10)),
            body_idle_timeout: Some(Duration::from_secs(30)),
            keep_alive: Some(Duration::from_secs(75)),
            connections: Some(20_000),
            streams_per_connection: 128,
        }
    }
}
