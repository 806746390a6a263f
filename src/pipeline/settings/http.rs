//! `[[log.output]]` of the types `http` and `otlp`.

use http::{HeaderName, Uri};

use super::DeliverySettings;
use crate::net::Target;
use crate::secret::Secret;

/// An HTTP collector.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Where batches are posted to.
    pub request: RequestSettings,
    /// `body`: how a batch is written.
    pub body: HttpBody,
    /// How it is sent.
    pub delivery: DeliverySettings,
}

/// An OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// Where batches are posted to.
    pub request: RequestSettings,
    /// How they are sent.
    pub delivery: DeliverySettings,
}

/// What every request to a collector has.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSettings {
    /// Where it stands in the configuration.
    pub origin: usize,
    /// The whole URL.
    pub endpoint: Uri,
    /// Host and port of it, and how TLS is spoken where it is `https`.
    pub peer: Target,
    /// `token`, `user` and `password`, or `header`.
    pub auth: Auth,
    /// `compress = "gzip"`.
    pub gzip: bool,
}

impl RequestSettings {
    /// Without what says where it stands in the configuration.
    pub(super) fn unplaced(&self) -> RequestSettings {
        RequestSettings { origin: 0, ..self.clone() }
    }
}

/// How gatelog shows who it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(Secret),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// Without a colon.
        user: String,
        /// Any text.
        password: Secret,
    },
    /// A header of the collector's own.
    Header {
        /// Its name.
        name: HeaderName,
        /// Its value.
        value: Secret,
    },
}

/// How a batch is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpBody {
    /// `{"logs":[{timestamp, level, message, extra, service, environment}]}`.
    Logs,
    /// A record a line.
    Ndjson,
    /// `_bulk` of Elasticsearch and OpenSearch.
    Elasticsearch {
        /// Index or data stream.
        index: String,
    },
}
