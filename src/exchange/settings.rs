//! What the user says about identity and about when to write: `[identity]` and the timing part of `[log]`.

use std::time::Duration;

use http::HeaderName;

use crate::net::TrustedPeers;
use crate::routes::{SampleRule, StartMode};
use crate::secret::Secret;

use super::business::settings::EventSettings;
use super::capture::CaptureSettings;

/// `[identity]` and what `[log]` says about requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedPeers,
    /// Where request ids come from.
    pub request_id: RequestIdSettings,
    /// W3C trace context is read, continued and sent on.
    pub trace: bool,
    /// Where the user's name comes from, first match wins.
    pub user: Vec<UserSource>,
    /// `hash_key`: keys the hashes of [`UserSource::Cookie`]; `None` is a key of this process alone.
    pub hash_key: Option<Secret>,
    /// `log.start`.
    pub start: StartMode,
    /// `log.slow`; `None` is off.
    pub slow: Option<Duration>,
    /// `log.progress`: how often tunnels and long streams are reported; `None` is off.
    pub progress: Option<Duration>,
    /// `log.labels`.
    pub labels: LabelSettings,
    /// `log.sample`.
    pub sample: Vec<SampleRule>,
    /// `[[event]]`.
    pub events: Vec<EventSettings>,
    /// `log.capture`; `None` is off.
    pub capture: Option<CaptureSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            trusted_proxies: TrustedPeers::default(),
            request_id: RequestIdSettings::default(),
            trace: true,
            user: Vec::new(),
            hash_key: None,
            start: StartMode::Always,
            slow: Some(Duration::from_secs(1)),
            progress: Some(Duration::from_secs(60)),
            labels: LabelSettings::default(),
            sample: Vec::new(),
            events: Vec::new(),
            capture: None,
        }
    }
}

/// `identity.request_id`.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestIdSettings {
    /// The header it is read from, sent on in, and given back in.
    pub header: HeaderName,
    /// Whose id is believed.
    pub accept: Accept,
    /// How a new one is made.
    pub format: IdFormat,
}

impl Default for RequestIdSettings {
    fn default() -> Self {
        RequestIdSettings {
            header: HeaderName::from_static("x-request-id"),
            accept: Accept::Trusted,
            format: IdFormat::Uuid7,
        }
    }
}

/// Whose request id is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Nobody's.
    Never,
    /// That of a peer in `trusted_proxies`.
    Trusted,
    /// Anybody's, if it is well formed.
    Always,
}

/// How a request id is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdFormat {
    /// Random.
    Uuid4,
    /// Time-ordered (RFC 9562).
    Uuid7,
}

/// One entry of `identity.user`.
#[derive(Debug, Clone, PartialEq)]
pub enum UserSource {
    /// The application says so; `strip` keeps it from the client.
    ResponseHeader {
        /// Its name.
        name: HeaderName,
        /// Taken off the answer before the client sees it.
        strip: bool,
    },
    /// An authenticating proxy in front says so.
    RequestHeader {
        /// Its name.
        name: HeaderName,
        /// Believed only from `trusted_proxies`, and taken off the request of anyone else.
        trusted: bool,
    },
    /// A claim of the bearer token, read without verifying the signature (that is the application's work).
    JwtClaim(String),
    /// A cookie's value.
    Cookie {
        /// Its name.
        name: String,
        /// Only a keyed hash of the value is written.
        hash: bool,
    },
}

/// `log.labels`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelSettings {
    /// Request headers to note.
    pub request_headers: Vec<HeaderName>,
    /// Cookies to note.
    pub cookies: Vec<String>,
    /// Fixed ones.
    pub fixed: Vec<(String, String)>,
}
