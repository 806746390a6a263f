//! What the user says about the far side: one `[[upstream]]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::net::proxy_protocol::Version;

/// One `[[upstream]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where it was written: an index into the places that the configuration keeps.
    pub origin: usize,
    /// `name`.
    pub name: String,
    /// `servers`, at least one.
    pub servers: Vec<ServerSettings>,
    /// `hosts`: requests for these names come here; empty: any. Lower case, without port.
    pub hosts: Vec<String>,
    /// `prefix`: requests whose path begins with it (at a segment boundary) come here.
    pub prefix: Option<String>,
    /// `timeouts`.
    pub timeouts: Timeouts,
    /// `exception_headers`: where the application reports an exception.
    pub exception_headers: ExceptionHeaders,
    /// How its certificates are checked.
    pub tls: TlsSettings,
    /// `balance`.
    pub balance: Balance,
    /// `resolver`: name servers to ask for its servers' names; empty: as the system does.
    pub resolver: Vec<SocketAddr>,
    /// `health`; `None`: nobody asks its servers how they are.
    pub health: Option<HealthSettings>,
    /// `ejection`; `None`: whatever a server does, it stays.
    pub ejection: Option<EjectionSettings>,
    /// `slow_start`: how long a server that came back takes to its whole share.
    pub slow_start: Option<Duration>,
    /// `retries`; `None`: [`RetrySettings::default`], and only where there is another server.
    pub retries: Option<RetrySettings>,
    /// `queue`: requests that wait for a server below its `max_requests`.
    pub queue: QueueSettings,
    /// `proxy_protocol`: the header that each connection begins with, if it does.
    pub proxy_protocol: Option<Version>,
}

impl Settings {
    /// An upstream with these servers, and defaults for the rest.
    pub fn new(origin: usize, name: String, servers: Vec<ServerSettings>) -> Settings {
        Settings {
            origin,
            name,
            servers,
            hosts: Vec::new(),
            prefix: None,
            timeouts: Timeouts::default(),
            exception_headers: ExceptionHeaders::default(),
            tls: TlsSettings::default(),
            balance: Balance::RoundRobin,
            resolver: Vec::new(),
            health: None,
            ejection: Some(EjectionSettings::default()),
            slow_start: Some(Duration::from_secs(10)),
            retries: None,
            queue: QueueSettings::default(),
            proxy_protocol: None,
        }
    }
}

/// One of `servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is.
    pub place: Place,
    /// `weight`: its share beside the other servers', from 1.
    pub weight: u32,
    /// `backup`: it serves only where none of the others can.
    pub backup: bool,
    /// `max_requests`: so many at once, over all cores; `None` is no limit.
    pub max_requests: Option<u32>,
}

impl ServerSettings {
    /// A server like any other.
    pub fn new(protocol: Protocol, place: Place) -> ServerSettings {
        ServerSettings { protocol, place, weight: 1, backup: false, max_requests: None }
    }
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 in the clear, by prior knowledge.
    H2c,
    /// HTTP/2 over TLS, by ALPN.
    H2,
}

impl Protocol {
    /// Whether it is spoken over TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Protocol::Https | Protocol::H2)
    }

    /// Whether it is HTTP/2.
    pub fn is_http2(self) -> bool {
        matches!(self, Protocol::H2c | Protocol::H2)
    }

    /// The same in HTTP/2.
    pub fn in_http2(self) -> Protocol {
        if self.is_tls() { Protocol::H2 } else { Protocol::H2c }
    }
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a network.
    Host {
        /// Name or address, without brackets.
        host: String,
        /// Port, the scheme's own where none is written.
        port: u16,
    },
    /// On this machine, behind a unix socket.
    Unix(PathBuf),
}

impl Place {
    /// The name that has to be resolved, if there is one, and the port.
    pub fn name(&self) -> Option<(&str, u16)> {
        match self {
            Place::Host { host, port } if host.parse::<IpAddr>().is_err() => Some((host, *port)),
            Place::Host { .. } | Place::Unix(_) => None,
        }
    }
}

/// `upstream.balance`: which server is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight, the turns of each spread evenly.
    RoundRobin,
    /// Of two taken by chance, the one with fewer requests in flight for its weight.
    LeastRequests,
    /// The same client address, the same server.
    IpHash,
    /// The same value of this request header, the same server; without it, in turn.
    HeaderHash(HeaderName),
}

/// `upstream.health`: a GET that each server is asked from time to time.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthSettings {
    /// `path`.
    pub path: String,
    /// `host`: sent as `Host`, in place of the server's own.
    pub host: Option<String>,
    /// `interval`: from one check to the next.
    pub interval: Duration,
    /// `timeout`: for connection and answer together.
    pub timeout: Duration,
    /// `status`: ranges of status codes that are good, both ends included.
    pub status: Vec<(u16, u16)>,
    /// `unhealthy_after`: so many checks that failed in a row take it out.
    pub unhealthy_after: u32,
    /// `healthy_after`: so many good ones in a row bring it back.
    pub healthy_after: u32,
}

impl HealthSettings {
    /// Checks of this path, and defaults for the rest.
    pub fn new(path: String) -> HealthSettings {
        HealthSettings {
            path,
            host: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            status: vec![(200, 399)],
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

/// `upstream.ejection`: a server that fails request after request is left out for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct EjectionSettings {
    /// `failures`: so many in a row.
    pub failures: u32,
    /// `time`: how long for the first time; twice as long each time that it fails again.
    pub time: Duration,
    /// `longest`: and never longer.
    pub longest: Duration,
    /// `share`: of the servers may be out at a time, but always one of several may. From 0 to 1.
    pub share: f64,
}

impl Default for EjectionSettings {
    fn default() -> Self {
        EjectionSettings { failures: 5, time: Duration::from_secs(5), longest: Duration::from_secs(300), share: 0.5 }
    }
}

/// `upstream.retries`: sending a request once more, where that can do no harm.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySettings {
    /// `attempts`: the first one counts.
    pub attempts: u32,
    /// `on`: `connect`, no connection was made.
    pub on_connect: bool,
    /// `on`: `reset_before_response`, the connection ended before a byte of the response.
    pub on_reset: bool,
    /// `on`: `response_timeout`, no byte of a response within `timeouts.response`.
    pub on_timeout: bool,
    /// `budget`: the share of requests that may be sent again. From 0 to 1.
    pub budget: f64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings { attempts: 2, on_connect: true, on_reset: true, on_timeout: false, budget: 0.2 }
    }
}

/// `upstream.queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// `requests`: so many may wait at once, over all cores; 0 is no queue.
    pub requests: usize,
    /// `timeout`: none waits longer.
    pub timeout: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        QueueSettings { requests: 100, timeout: Duration::from_secs(2) }
    }
}

/// `upstream.timeouts`; `None` is no limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeouts {
    /// TCP and TLS together.
    pub connect: Option<Duration>,
    /// From the request's last byte to the response's first.
    pub response: Option<Duration>,
    /// Between two pieces of either body, and of an unused connection in the pool.
    pub idle: Option<Duration>,
    /// In a tunnel, with nothing either way.
    pub tunnel: Option<Duration>,
    /// With requests on a connection of HTTP/2 and nothing from its server: then it is asked, and has as long to answer.
    pub ping: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Some(Duration::from_secs(2)),
            response: Some(Duration::from_secs(30)),
            idle: Some(Duration::from_secs(60)),
            tunnel: Some(Duration::from_secs(3600)),
            ping: Some(Duration::from_secs(10)),
        }
    }
}

/// Where the application reports an exception; stripped before the client.
#[derive(Debug, Clone, PartialEq)]
pub struct ExceptionHeaders {
    /// The type.
    pub kind: HeaderName,
    /// The message.
    pub message: HeaderName,
}

impl Default for ExceptionHeaders {
    fn default() -> Self {
        ExceptionHeaders {
            kind: HeaderName::from_static("x-exception-type"),
            message: HeaderName::from_static("x-exception-message"),
        }
    }
}

/// TLS towards the servers of an upstream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TlsSettings {
    /// `ca`: PEM of the authorities to trust in place of the public ones.
    pub ca: Option<PathBuf>,
    /// `certificate` and `key`: what this proxy shows of itself.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `server_name`: the name to ask for and to check in place of the host.
    pub server_name: Option<String>,
}
