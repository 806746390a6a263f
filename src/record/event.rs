//! The closed vocabularies of the record: event, level, outcome, phase. Tokens are stable; tests assert on them.

use std::sync::{Mutex, PoisonError};

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For whoever looks into gatelog itself.
    Debug,
    /// As it should be.
    Info,
    /// The client's fault, or slow.
    Warning,
    /// The upstream's fault.
    Error,
    /// gatelog's own fault.
    Critical,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Level; 5] = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A head was read.
    RequestStarted,
    /// The threshold was crossed while it runs.
    RequestSlow,
    /// It has become a tunnel: the client was sent 101, or 200 to its CONNECT.
    RequestUpgraded,
    /// A tunnel or a stream runs on.
    RequestProgress,
    /// An exception ended it.
    RequestFailed,
    /// It is over.
    RequestCompleted,
    /// Bytes that are no request.
    RequestRejected,
    /// Something about a request that honest clients do not do, or a limit that was hit.
    SecurityEvent,
    /// An output dropped records.
    LogLoss,
    /// Sampling left requests out.
    LogSampled,
    /// Listening.
    ServerStarted,
    /// Draining.
    ServerStopping,
    /// The configuration was read again and is in force.
    ConfigReloaded,
    /// The configuration was read again and is no good; the one before stays.
    ConfigRefused,
    /// A server is given no requests any more.
    UpstreamDown,
    /// It is given requests again.
    UpstreamUp,
    /// It is time for somebody to look.
    AlertFired,
    /// It is over.
    AlertResolved,
    /// gatelog about itself.
    Diagnostic,
    /// What the user calls so.
    Business(&'static str),
}

/// Names of business events; each is kept once for as long as the process lives.
static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());

impl Event {
    /// A business event. Names are never given back, so that they are for what is configured, not for what traffic brings.
    pub fn business(name: &str) -> Event {
        // Nothing panics while it holds the lock.
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().find(|known| **known == name).copied();
        Event::Business(known.unwrap_or_else(|| {
            names.push(Box::leak(name.into()));
            names.last().copied().unwrap_or_default()
        }))
    }

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Event::RequestStarted => "request_started",
            Event::RequestSlow => "request_slow",
            Event::RequestUpgraded => "request_upgraded",
            Event::RequestProgress => "request_progress",
            Event::RequestFailed => "request_failed",
            Event::RequestCompleted => "request_completed",
            Event::RequestRejected => "request_rejected",
            Event::SecurityEvent => "security_event",
            Event::LogLoss => "log_loss",
            Event::LogSampled => "log_sampled",
            Event::ServerStarted => "server_started",
            Event::ServerStopping => "server_stopping",
            Event::ConfigReloaded => "config_reloaded",
            Event::ConfigRefused => "config_refused",
            Event::UpstreamDown => "upstream_down",
            Event::UpstreamUp => "upstream_up",
            Event::AlertFired => "alert_fired",
            Event::AlertResolved => "alert_resolved",
            Event::Diagnostic => "diagnostic",
            Event::Business(name) => name,
        }
    }

    /// The sentence for people.
    pub const fn message(self) -> &'static str {
        match self {
            Event::RequestStarted => "Request started",
            Event::RequestSlow => "Slow request detected",
            Event::RequestUpgraded => "Request upgraded",
            Event::RequestProgress => "Request in progress",
            Event::RequestFailed => "Request failed with exception",
            Event::RequestCompleted => "Request completed",
            Event::RequestRejected => "Request rejected",
            Event::SecurityEvent => "Suspicious request",
            Event::LogLoss => "Log records lost",
            Event::LogSampled => "Requests left out by sampling",
            Event::ServerStarted => "Server started",
            Event::ServerStopping => "Server stopping",
            Event::ConfigReloaded => "Configuration reloaded",
            Event::ConfigRefused => "Configuration refused",
            Event::UpstreamDown => "Upstream server down",
            Event::UpstreamUp => "Upstream server up",
            Event::AlertFired => "Alert fired",
            Event::AlertResolved => "Alert resolved",
            Event::Diagnostic => "",
            Event::Business(name) => name,
        }
    }
}

/// How a request ended: who ended it and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 1xx or 2xx, whole.
    Success,
    /// 3xx, whole.
    Redirect,
    /// 4xx of the upstream, whole.
    ClientError,
    /// 5xx of the upstream, whole.
    ServerError,
    /// The client left.
    ClientAbort,
    /// The client was too slow.
    ClientTimeout,
    /// The upstream was too slow.
    UpstreamTimeout,
    /// No connection could be made.
    UpstreamRefused,
    /// The upstream closed or reset before its head was whole.
    UpstreamReset,
    /// The upstream's body ended early.
    UpstreamIncomplete,
    /// The upstream's answer is no HTTP.
    UpstreamProtocol,
    /// The handshake with the upstream failed.
    UpstreamTls,
    /// The upstream's name does not resolve.
    UpstreamDns,
    /// No upstream is configured for it, or none is fit to serve.
    NoUpstream,
    /// Refused for what it is.
    Rejected,
    /// Refused by a limit.
    Limited,
    /// Cut off by the end of the drain.
    Shutdown,
    /// gatelog's own fault.
    Internal,
    /// Became a tunnel.
    Upgraded,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 19] = [
        Outcome::Success,
        Outcome::Redirect,
        Outcome::ClientError,
        Outcome::ServerError,
        Outcome::ClientAbort,
        Outcome::ClientTimeout,
        Outcome::UpstreamTimeout,
        Outcome::UpstreamRefused,
        Outcome::UpstreamReset,
        Outcome::UpstreamIncomplete,
        Outcome::UpstreamProtocol,
        Outcome::UpstreamTls,
        Outcome::UpstreamDns,
        Outcome::NoUpstream,
        Outcome::Rejected,
        Outcome::Limited,
        Outcome::Shutdown,
        Outcome::Internal,
        Outcome::Upgraded,
    ];

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Redirect => "redirect",
            Outcome::ClientError => "client_error",
            Outcome::ServerError => "server_error",
            Outcome::ClientAbort => "client_abort",
            Outcome::ClientTimeout => "client_timeout",
            Outcome::UpstreamTimeout => "upstream_timeout",
            Outcome::UpstreamRefused => "upstream_refused",
            Outcome::UpstreamReset => "upstream_reset",
            Outcome::UpstreamIncomplete => "upstream_incomplete",
            Outcome::UpstreamProtocol => "upstream_protocol",
            Outcome::UpstreamTls => "upstream_tls",
            Outcome::UpstreamDns => "upstream_dns",
            Outcome::NoUpstream => "no_upstream",
            Outcome::Rejected => "rejected",
            Outcome::Limited => "limited",
            Outcome::Shutdown => "shutdown",
            Outcome::Internal => "internal",
            Outcome::Upgraded => "upgraded",
        }
    }

    /// The outcome of a whole answer of the upstream with this status.
    pub const fn of_status(status: u16) -> Outcome {
        match status {
            0..300 => Outcome::Success,
            300..400 => Outcome::Redirect,
            400..500 => Outcome::ClientError,
            _ => Outcome::ServerError,
        }
    }
}

/// Who ended a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closer {
    /// The client said its last, or left.
    Client,
    /// The server did.
    Upstream,
    /// gatelog: nothing moved for `timeouts.tunnel`, or the drain was over.
    Gatelog,
}

impl Closer {
    /// Every one of them.
    pub const ALL: [Closer; 3] = [Closer::Client, Closer::Upstream, Closer::Gatelog];

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Closer::Client => "client",
            Closer::Upstream => "upstream",
            Closer::Gatelog => "gatelog",
        }
    }
}

/// Where a request is, or where it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The request is still being read and nothing was sent on.
    #[default]
    ReadRequest,
    /// Waiting for a server.
    Queue,
    /// Connecting (TCP and TLS).
    Connect,
    /// The request is being written.
    Send,
    /// Waiting for the first byte of the answer.
    Wait,
    /// The answer is being passed on.
    Receive,
    /// Bytes both ways.
    Tunnel,
    /// Over.
    Done,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 8] = [
        Phase::ReadRequest,
        Phase::Queue,
        Phase::Connect,
        Phase::Send,
        Phase::Wait,
        Phase::Receive,
        Phase::Tunnel,
        Phase::Done,
    ];

    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::ReadRequest => "read_request",
            Phase::Queue => "queue",
            Phase::Connect => "connect",
            Phase::Send => "send",
            Phase::Wait => "wait",
            Phase::Receive => "receive",
            Phase::Tunnel => "tunnel",
            Phase::Done => "done",
        }
    }
}
