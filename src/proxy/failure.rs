//! Why a request is answered by gatelog itself, and the one table from that to status, outcome and token.

use std::time::Duration;

use http::StatusCode;

use crate::exchange::Sign;
use crate::record::{Outcome, Phase};
use crate::upstream::UpstreamError;
use crate::upstream::error::is_reset;

/// Why the upstream's answer is not what the client gets.
#[derive(Debug)]
pub enum Failure {
    /// The request itself is refused.
    Refused(Refused),
    /// The client's body broke off.
    Body(BodyError),
    /// There is no upstream for it.
    NoUpstream,
    /// Every server of its upstream is down.
    ServersDown,
    /// No server is below its `max_requests`, and no more requests may wait for one.
    QueueFull,
    /// It has waited for `queue.timeout`.
    QueueTimeout,
    /// The upstream gave no whole head.
    Upstream(UpstreamError),
    /// A panic of gatelog's own.
    Panicked,
}

/// What is wrong with a request whose head could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// CONNECT: this is no forward proxy.
    Connect,
    /// `Host` and the target's authority differ, or there is neither.
    Host,
    /// A body with TRACE (RFC 9110 §9.3.8).
    TraceBody,
    /// TRACE or OPTIONS with `Max-Forwards: 0`.
    MaxForwards,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A declared body over `limits.body_bytes`.
    BodyTooLarge,
    /// A target longer than `limits.uri_bytes`, in HTTP/2.
    TargetTooLong,
    /// An HTTP/2 head over `limits.header_bytes`.
    HeadTooLarge,
    /// More fields than `limits.header_count`, in HTTP/2.
    TooManyFields,
    /// This proxy has passed it on before.
    Loop,
    /// More requests of the client than `limits.requests_per_second`; it had better wait so long.
    TooOften(Duration),
}

/// How a request's body can break off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The client left, or reset the stream.
    ClientGone,
    /// Nothing came for `limits.body_idle_timeout`.
    Timeout,
    /// It came more slowly than `limits.body_min_rate`.
    TooSlow,
    /// More than `limits.body_bytes`.
    TooLarge,
    /// Its chunked coding is malformed.
    Malformed,
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BodyError::ClientGone => "the client left before its request body was whole",
            BodyError::Timeout => "the request body did not come within limits.body_idle_timeout",
            BodyError::TooSlow => "the request body came more slowly than limits.body_min_rate",
            BodyError::TooLarge => "the request body is larger than limits.body_bytes",
            BodyError::Malformed => "the request body's chunked coding is malformed",
        })
    }
}

impl std::error::Error for BodyError {}

/// What follows from a failure, for the client and for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the client is answered; `None` where nobody is there any more.
    pub status: Option<StatusCode>,
    /// How the exchange ended.
    pub outcome: Outcome,
    /// RFC 9209 §2.3 token.
    pub token: &'static str,
    /// Where it ended, where that is not where it was.
    pub phase: Option<Phase>,
}

impl Failure {
    /// What follows from it.
    pub fn verdict(&self) -> Verdict {
        let verdict = |status, outcome, token| Verdict { status: Some(status), outcome, token, phase: None };
        match self {
            Failure::Refused(refused) => refused.verdict(),
            Failure::Body(error) => error.verdict(),
            Failure::NoUpstream => verdict(StatusCode::NOT_FOUND, Outcome::NoUpstream, "destination_not_found"),
            Failure::ServersDown => {
                verdict(StatusCode::SERVICE_UNAVAILABLE, Outcome::NoUpstream, "destination_unavailable")
            }
            Failure::QueueFull | Failure::QueueTimeout => {
                verdict(StatusCode::SERVICE_UNAVAILABLE, Outcome::Limited, "connection_limit_reached")
            }
            Failure::Panicked => verdict(StatusCode::INTERNAL_SERVER_ERROR, Outcome::Internal, "proxy_internal_error"),
            Failure::Upstream(error) => {
                let (status, outcome) = upstream(error);
                verdict(status, outcome, error.token())
            }
        }
    }

    /// The sentence for the record; nothing of it is for the client.
    pub fn message(&self) -> String {
        match self {
            Failure::Refused(refused) => refused.message().to_owned(),
            Failure::Body(error) => error.to_string(),
            Failure::NoUpstream => "no upstream is configured for this host and path".to_owned(),
            Failure::ServersDown => "every server of the upstream is down".to_owned(),
            Failure::QueueFull => "every server has max_requests, and queue.requests wait already".to_owned(),
            Failure::QueueTimeout => "no server was below max_requests within queue.timeout".to_owned(),
            Failure::Upstream(error) => error.describe(),
            Failure::Panicked => "a panic in gatelog".to_owned(),
        }
    }

    /// What it is a sign of, where honest clients hardly ever come to it.
    pub fn sign(&self) -> Option<Sign> {
        match self {
            Failure::Refused(refused) => refused.sign(),
            Failure::Body(BodyError::TooLarge) => Some(Sign::BodyBytes),
            Failure::Body(BodyError::Timeout) => Some(Sign::BodyTimeout),
            Failure::Body(BodyError::TooSlow) => Some(Sign::BodyRate),
            // Its bytes have their `request_rejected`.
            Failure::Body(BodyError::Malformed) => None,
            Failure::Body(BodyError::ClientGone)
            | Failure::NoUpstream
            | Failure::ServersDown
            | Failure::QueueFull
            | Failure::QueueTimeout
            | Failure::Upstream(_)
            | Failure::Panicked => None,
        }
    }

    /// After how many seconds it is worth trying again, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Failure::Refused(Refused::TooOften(wait)) => Some(wait.as_millis().div_ceil(1000) as u64),
            _ => None,
        }
    }

    /// Whether it is an exception that ended the request, so that `request_failed` is written.
    pub fn is_exception(&self) -> bool {
        matches!(self, Failure::NoUpstream | Failure::ServersDown | Failure::Upstream(_) | Failure::Panicked)
    }
}

/// The upstream's side of the table.
pub fn upstream(error: &UpstreamError) -> (StatusCode, Outcome) {
    match error {
        UpstreamError::Dns { .. } => (StatusCode::BAD_GATEWAY, Outcome::UpstreamDns),
        UpstreamError::Connect(error) if is_reset(error) => (StatusCode::BAD_GATEWAY, Outcome::UpstreamReset),
        UpstreamError::Connect(_) => (StatusCode::BAD_GATEWAY, Outcome::UpstreamRefused),
        UpstreamError::Tls(_) | UpstreamError::Certificate(_) => (StatusCode::BAD_GATEWAY, Outcome::UpstreamTls),
        UpstreamError::Write(_) | UpstreamError::Closed { .. } | UpstreamError::Reset { .. } => {
            (StatusCode::BAD_GATEWAY, Outcome::UpstreamReset)
        }
        UpstreamError::ConnectTimeout
        | UpstreamError::HandshakeTimeout(_)
        | UpstreamError::WriteTimeout
        | UpstreamError::ResponseTimeout
        | UpstreamError::BodyTimeout
        | UpstreamError::Unanswered => (StatusCode::GATEWAY_TIMEOUT, Outcome::UpstreamTimeout),
        UpstreamError::HeadTooLarge
        | UpstreamError::Head(_)
        | UpstreamError::Upgrade(_)
        | UpstreamError::Http2(_)
        | UpstreamError::Coding(_) => (StatusCode::BAD_GATEWAY, Outcome::UpstreamProtocol),
        UpstreamError::Incomplete(_) => (StatusCode::BAD_GATEWAY, Outcome::UpstreamIncomplete),
    }
}

impl Refused {
    fn verdict(self) -> Verdict {
        let (status, outcome, token) = match self {
            Refused::Connect | Refused::MaxForwards => {
                (StatusCode::METHOD_NOT_ALLOWED, Outcome::Rejected, "http_request_denied")
            }
            Refused::Host | Refused::TraceBody => (StatusCode::BAD_REQUEST, Outcome::Rejected, "http_request_error"),
            Refused::Expectation => (StatusCode::EXPECTATION_FAILED, Outcome::Rejected, "http_request_error"),
            Refused::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Outcome::Limited, "http_request_error"),
            Refused::TargetTooLong => (StatusCode::URI_TOO_LONG, Outcome::Limited, "http_request_error"),
            Refused::HeadTooLarge | Refused::TooManyFields => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Outcome::Limited, "http_request_error")
            }
            Refused::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, Outcome::Limited, "http_request_denied"),
            Refused::Loop => (StatusCode::LOOP_DETECTED, Outcome::Rejected, "proxy_loop_detected"),
        };
        Verdict { status: Some(status), outcome, token, phase: Some(Phase::ReadRequest) }
    }

    fn sign(self) -> Option<Sign> {
        match self {
            Refused::Connect | Refused::TraceBody => Some(Sign::Method),
            Refused::Host => Some(Sign::Host),
            Refused::BodyTooLarge => Some(Sign::BodyBytes),
            Refused::TargetTooLong => Some(Sign::UriBytes),
            Refused::HeadTooLarge => Some(Sign::HeaderBytes),
            Refused::TooManyFields => Some(Sign::HeaderCount),
            Refused::Loop => Some(Sign::Loop),
            Refused::TooOften(_) => Some(Sign::RequestRate),
            Refused::MaxForwards | Refused::Expectation => None,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Refused::Connect => "CONNECT is not offered",
            Refused::Host => "Host is missing, or contradicts the request target",
            Refused::TraceBody => "TRACE with a body",
            Refused::MaxForwards => "Max-Forwards has run out here, and TRACE is not offered",
            Refused::Expectation => "an expectation other than 100-continue",
            Refused::BodyTooLarge => "the declared request body is larger than limits.body_bytes",
            Refused::TargetTooLong => "the request target is longer than limits.uri_bytes",
            Refused::HeadTooLarge => "the head is larger than limits.header_bytes",
            Refused::TooManyFields => "the head has more fields than limits.header_count",
            Refused::TooOften(_) => "more requests of this client than limits.requests_per_second",
            Refused::Loop => "the request has passed this proxy before",
        }
    }
}

impl BodyError {
    fn verdict(self) -> Verdict {
        let (status, outcome, token) = match self {
            BodyError::ClientGone => (None, Outcome::ClientAbort, "client_abort"),
            BodyError::Timeout | BodyError::TooSlow => {
                (Some(StatusCode::REQUEST_TIMEOUT), Outcome::ClientTimeout, "client_timeout")
            }
            BodyError::TooLarge => (Some(StatusCode::PAYLOAD_TOO_LARGE), Outcome::Limited, "http_request_error"),
            BodyError::Malformed => (Some(StatusCode::BAD_REQUEST), Outcome::Rejected, "http_request_error"),
        };
        Verdict { status, outcome, token, phase: None }
    }
}
