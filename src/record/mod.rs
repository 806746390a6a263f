//! What is written: the record of one event, borrowed from whoever owns the facts.
//!
//! A [`Record`] is a view. It holds no copy of anything, so that building one costs a stack frame, and evaluating a
//! filter on it costs no allocation; whoever must keep a record makes an owned, compact copy of it.
//! The field list, its order and its types are the contract of the native schema, version [`SCHEMA`].
//! Nothing here knows a clock, a socket or a file.

pub mod args;
pub mod event;
pub mod gist;
pub mod schema;
pub mod fields;
pub mod redact;
pub mod settings;
pub mod json;
pub mod logfmt;
pub mod combined;
pub mod django;
pub mod text;
pub mod syslog;

pub use args::{Arg, Value};
pub use event::{Closer, Event, Level, Outcome, Phase};
pub use gist::Gist;
pub use schema::Schema;
pub use settings::{RedactSettings, Settings};

/// The version of the native schema, written in every record.
pub const SCHEMA: u32 = 1;

/// A moment in microseconds since the Unix epoch, as records have it: `2026-11-22T11:02:36.000123Z`.
pub fn timestamp(micros: u64) -> String {
    let mut text = Vec::new();
    json::Clock::default().write(micros, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// One event, with everything that is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What every record of any kind carries.
    pub head: Head<'a>,
    /// What this kind of record carries beside it.
    pub body: Body<'a>,
}

/// The fields that every record carries, whatever it is about.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Microseconds since the Unix epoch.
    pub timestamp: u64,
    /// How much it matters.
    pub level: Level,
    /// The kind of the record, a stable token.
    pub event: Event,
    /// The sentence for people.
    pub message: &'a str,
    /// Dotted name of the logger, such as `gatelog.request`.
    pub logger: &'a str,
}

/// What a record is about.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A request: what is known from its head, and, once there is one, how it went.
    Request {
        /// Known from the head on.
        facts: &'a Facts<'a>,
        /// Known while it runs or once it is over; `None` in a started record.
        progress: Option<&'a Progress<'a>>,
    },
    /// Bytes that could not be read as a request (`request_rejected`), or what is suspicious about one that could
    /// (`security_event`).
    Rejected(&'a Rejected<'a>),
    /// Records that an output had to drop.
    Loss(&'a Loss<'a>),
    /// Anything else: gatelog about itself. Names are written as given, in order.
    Fields(&'a [(&'a str, Value<'a>)]),
}

/// What the head of a request tells, redacted already.
///
/// Strings may hold whatever bytes the client sent; the encoders make valid UTF-8 of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// UUID as minted, or the client's own.
    pub request_id: &'a str,
    /// `generated`, `client` or `replaced`.
    pub request_id_origin: &'static str,
    /// W3C trace id, 32 hex digits.
    pub trace_id: Option<&'a str>,
    /// The span this proxy stands for, 16 hex digits.
    pub span_id: Option<&'a str>,
    /// The span that the client named.
    pub parent_span_id: Option<&'a str>,
    /// As sent, case kept.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and, where given, port, as the client named them.
    pub host: Option<&'a [u8]>,
    /// As sent, not decoded.
    pub path: &'a [u8],
    /// Without the question mark; redacted.
    pub query: Option<&'a [u8]>,
    /// `1.0`, `1.1` or `2`.
    pub http_version: &'static str,
    /// The route's full name, `namespace:name`; `unknown` when nothing matched.
    pub view_name: &'a str,
    /// Positional parameters.
    pub view_args: &'a [Value<'a>],
    /// Named parameters.
    pub view_kwargs: &'a [Arg<'a>],
    /// The pattern as `/posts/{pk}/`.
    pub route: Option<&'a str>,
    /// Who it was, as far as the request head tells.
    pub user_id: Option<&'a [u8]>,
    /// The client as the trusted chain says (already anonymised where configured); none behind a unix socket, unless somebody
    /// trusted names one.
    pub ip_address: Option<&'a str>,
    /// The peer of the socket, address and port, whomever it speaks for; `unix:` behind a unix socket.
    pub peer_address: Option<&'a str>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`, its query redacted.
    pub referer: Option<&'a [u8]>,
    /// `Content-Type` of the request.
    pub content_type: Option<&'a [u8]>,
    /// `Content-Length` as declared.
    pub content_length: Option<u64>,
    /// The TLS session; `None` on a plain connection.
    pub tls: Option<Tls<'a>>,
    /// What the user asked to be labelled, name and value, in the configured order.
    pub labels: &'a [(&'a str, &'a [u8])],
}

/// The TLS session of the client's connection.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'a str,
    /// The IANA name of the cipher suite.
    pub cipher: &'a str,
    /// The name the client asked for.
    pub sni: Option<&'a str>,
    /// `h2`, `http/1.1`, or none.
    pub alpn: Option<&'a str>,
    /// The subject of the client's certificate, as RFC 4514 writes names: `CN=robot,O=Shop`.
    pub client_subject: Option<&'a str>,
}

/// How a request goes on, or how it went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress<'a> {
    /// Who it was, where only the response told.
    pub user_id: Option<&'a [u8]>,
    /// Request body bytes counted so far.
    pub request_size: u64,
    /// What the client was sent; 499 when it left before any; `None` while none was.
    pub status_code: Option<u16>,
    /// Response body bytes counted so far.
    pub response_size: Option<u64>,
    /// `Content-Type` of the response.
    pub response_content_type: Option<&'a [u8]>,
    /// `hit`, `miss`, … as the upstream says; `unknown` otherwise; `None` while there is no response.
    pub cache_hit: Option<&'a [u8]>,
    /// Microseconds since the head was read.
    pub duration: u64,
    /// Where the time went.
    pub timing: Timing,
    /// The upstream's `Server-Timing`: name and microseconds.
    pub server_timing: &'a [(&'a str, u64)],
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// Where it is, or where it ended.
    pub phase: Phase,
    /// Who ended the tunnel that it became.
    pub closed_by: Option<Closer>,
    /// `upstream` or `gatelog`; `None` while nobody answered.
    pub responder: Option<&'static str>,
    /// Name in the configuration.
    pub upstream: Option<&'a str>,
    /// Address of the server that answered or was last tried.
    pub upstream_address: Option<&'a str>,
    /// How many times a server was tried.
    pub attempts: Option<u32>,
    /// Whether the connection had served before.
    pub reused_connection: Option<bool>,
    /// RFC 9209 §2.3 token, or what the upstream reported.
    pub exception_type: Option<&'a [u8]>,
    /// The sentence beside it.
    pub exception_message: Option<&'a [u8]>,
    /// First bytes of the response body, redacted and bounded.
    pub response_excerpt: Option<&'a [u8]>,
    /// Crossed its threshold.
    pub slow: bool,
    /// Still running.
    pub in_flight: bool,
    /// Share of like records that are written.
    pub sample_rate: Option<f64>,
    /// gRPC status from the trailers.
    pub grpc_status: Option<u32>,
}

/// Where the time of a request went, in microseconds; a phase not reached is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Head read until a server was chosen.
    pub queue: Option<u64>,
    /// TCP connection made.
    pub connect: Option<u64>,
    /// TLS handshake with the upstream.
    pub tls: Option<u64>,
    /// Request written.
    pub send: Option<u64>,
    /// Request written until the first byte of the response.
    pub wait: Option<u64>,
    /// First byte of the response until the end.
    pub receive: Option<u64>,
}

/// Bytes that could not be read as a request, a handshake that failed, or what is suspicious about a request.
#[derive(Debug, Clone, Copy)]
pub struct Rejected<'a> {
    /// The peer of the socket.
    pub peer_address: Option<&'a str>,
    /// The client, where it is known beyond the peer.
    pub ip_address: Option<&'a str>,
    /// What was sent; `None` when nothing could be (a failed handshake).
    pub status_code: Option<u16>,
    /// A stable token, such as `bare_lf` or `header_timeout`.
    pub reason: &'a str,
    /// The sentence beside it.
    pub detail: &'a str,
    /// The first bytes, as they came.
    pub excerpt: &'a [u8],
    /// The request id that the answer carries.
    pub request_id: Option<&'a str>,
    /// Of a `security_event`: how many of its reason were left out before it. 0 is written as absent.
    pub suppressed: u64,
}

/// Records that an output had to drop.
#[derive(Debug, Clone, Copy)]
pub struct Loss<'a> {
    /// The output's name.
    pub output: &'a str,
    /// How many.
    pub count: u64,
    /// The first number that is missing.
    pub from_seq: u64,
    /// The last one.
    pub to_seq: u64,
    /// `queue_full`, `disk_full`, `write_failed`, `spool_full`, `rejected`, `shutdown`.
    pub reason: &'a str,
}

#[cfg(test)]
mod tests;
