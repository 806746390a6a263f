//! What the user says about the near side: `[[listen]]` and `[limits]`.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::net::proxy_protocol::Versions;

/// One `[[listen]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenSettings {
    /// Where it was written: an index into the places that the configuration keeps.
    pub origin: usize,
    /// Where it listens.
    pub address: ListenAddress,
    /// TLS, if it speaks it.
    pub tls: Option<TlsSettings>,
    /// Versions of the PROXY protocol that connections begin with, if they do.
    pub proxy_protocol: Option<Versions>,
    /// Where requests are sent instead of being served.
    pub redirect: Option<Redirect>,
    /// `Strict-Transport-Security` of its answers.
    pub hsts: Option<HeaderValue>,
    /// Who may connect to its unix socket.
    pub access: SocketAccess,
}

impl ListenSettings {
    /// Plain HTTP at an address.
    pub fn new(origin: usize, address: ListenAddress) -> ListenSettings {
        let (tls, proxy_protocol, redirect, hsts, access) = Default::default();
        ListenSettings { origin, address, tls, proxy_protocol, redirect, hsts, access }
    }
}

/// `listen.address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// `unix:`: the path of a socket.
    Unix(PathBuf),
    /// `fd:`: sockets of this name that the service manager has opened.
    Inherited(String),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(formatter),
            ListenAddress::Unix(path) => write!(formatter, "unix:{}", path.display()),
            ListenAddress::Inherited(name) => write!(formatter, "fd:{name}"),
        }
    }
}

/// `listen.mode`, `owner` and `group`, for a unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketAccess {
    /// Permission bits; `None`: what the umask leaves.
    pub mode: Option<u32>,
    /// Name or number of its user; `None`: whoever runs gatelog.
    pub owner: Option<String>,
    /// Name or number of its group.
    pub group: Option<String>,
}

/// `listen.redirect`: to `https` on the host that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// The port there; 443 goes without saying.
    pub port: u16,
}

/// `listen.tls`, and `[[listen.certificate]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// At least one; the first is for clients that name nothing, or what none is made out to.
    pub certificates: Vec<CertificateSettings>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// Whether clients show certificates.
    pub client: Option<ClientSettings>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq)]
pub struct CertificateSettings {
    /// Where it was written, and what its two keys are called there.
    pub origin: (usize, [&'static str; 2]),
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// `listen.tls.client_ca` and `client_auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// PEM: the authorities that vouch for clients.
    pub authorities: PathBuf,
    /// Whether a client without a certificate is turned away.
    pub required: bool,
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
    /// Connections of one client, an IPv6 network of 64 bits being one. Those of `exempt` networks are not counted.
    pub connections_per_ip: Option<usize>,
    /// How often a client may ask.
    pub requests: Option<RequestRate>,
    /// Least bytes a second of a request body, on average, once [`BODY_GRACE`] is over.
    pub body_min_rate: Option<u64>,
    /// HTTP/2 streams of a connection that the client resets before they are answered; past it the connection is closed,
    /// if that is more than half of them.
    pub resets_per_connection: Option<u64>,
    /// Networks whose clients may connect and ask as often as they like.
    pub exempt: Vec<IpNet>,
    /// Concurrent HTTP/2 streams of a connection.
    pub streams_per_connection: u32,
}

/// How long a request body may be slower than `limits.body_min_rate`.
pub const BODY_GRACE: Duration = Duration::from_secs(5);

/// `limits.requests_per_second` and what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRate {
    /// Requests a second, a million at most.
    pub per_second: NonZeroU32,
    /// How many may come at once beside that.
    pub burst: u32,
    /// Who counts as one client.
    pub key: RateKey,
}

/// Who counts as one client.
#[derive(Debug, Clone, PartialEq)]
pub enum RateKey {
    /// An address; an IPv6 network of 64 bits.
    Ip,
    /// The value of a request header; an address where there is none.
    Header(HeaderName),
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
            connections_per_ip: None,
            requests: None,
            body_min_rate: None,
            resets_per_connection: Some(500),
            exempt: Vec::new(),
            streams_per_connection: 128,
        }
    }
}
