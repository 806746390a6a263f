//! What the user says about the far side: one `[[upstream]]`.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

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
}

/// One of `servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// `https`.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port, the scheme's own where none is written.
    pub port: u16,
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
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Some(Duration::from_secs(2)),
            response: Some(Duration::from_secs(30)),
            idle: Some(Duration::from_secs(60)),
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
