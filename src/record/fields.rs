//! Every field of a record in the order of the contract, each with its name and its value in its own type.
//!
//! Whatever writes a record other than the native JSON encoder, whose hand-tuned path a test holds against this one, walks
//! it here: logfmt, the renamed schemas, a store.

use super::json::EXCERPT;
use super::schema::Field;
use super::{
    Arg, Body, Closer, Facts, Head, Level, Loss, Outcome, Progress, Record, Rejected, SCHEMA, Settings, Timing, Tls,
    Value,
};

/// The name of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// One of the contract.
    Known(Field),
    /// One that gatelog writes about itself, in whatever words.
    Free(&'a str),
    /// The same; but every record has a field of this name, and so a `_` goes behind it.
    Clashing(&'a str),
}

impl<'a> Name<'a> {
    /// Its native name in two parts, the second being empty or `_`.
    pub fn parts(self) -> [&'a str; 2] {
        match self {
            Name::Known(field) => [field.name(), ""],
            Name::Free(name) => [name, ""],
            Name::Clashing(name) => [name, "_"],
        }
    }
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'a> {
    /// None; written where absent fields are asked for.
    Absent,
    /// Microseconds since the Unix epoch.
    Moment(u64),
    /// The number that the output gives.
    Seq,
    /// How much it matters.
    Level(Level),
    /// How it ended.
    Outcome(Outcome),
    /// Whatever bytes, to be made valid UTF-8.
    Text(&'a [u8]),
    /// Whatever bytes, all of which must stay readable ([`visible`]).
    Visible(&'a [u8]),
    /// A whole number.
    Whole(u64),
    /// A finite fraction.
    Fraction(f64),
    /// Yes or no.
    Truth(bool),
    /// Microseconds, written as seconds.
    Seconds(u64),
    /// Positional parameters; there may be none.
    Values(&'a [Value<'a>]),
    /// Named parameters; there may be none.
    Arguments(&'a [Arg<'a>]),
    /// Texts by name, at least one.
    Texts(&'a [(&'a str, &'a [u8])]),
    /// Microseconds by name, written as seconds, at least one.
    Durations(&'a [(&'a str, u64)]),
    /// A value that is not null.
    Value(&'a Value<'a>),
}

/// What an output stamps each of its lines with.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The process instance.
    pub instance: &'a str,
    /// `log.service`.
    pub service: Option<&'a str>,
    /// `log.environment`.
    pub environment: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// This process, as the user's settings name it.
    pub fn new(instance: &'a str, settings: &'a Settings) -> Origin<'a> {
        Origin { instance, service: settings.service.as_deref(), environment: settings.environment.as_deref() }
    }
}

/// Calls `visit` with each field that a record of its kind has, absent ones included, in the order of the contract.
pub fn walk<'a>(record: &Record<'a>, origin: Origin<'a>, visit: &mut impl FnMut(Name<'a>, Content<'a>)) {
    let mut known = |field: Field, content: Content<'a>| visit(Name::Known(field), content);
    head(&record.head, origin, &mut known);
    match record.body {
        Body::Request { facts, progress } => request(facts, progress, &mut known),
        Body::Rejected(rejected) => rejection(rejected, &mut known),
        Body::Loss(loss) => self::loss(loss, &mut known),
        Body::Fields(fields) => fields.iter().for_each(|(name, value)| visit(free_name(name), free(value))),
    }
}

/// The text of bytes that must all stay readable: what is no printable ASCII shows as `\xNN`, or `\r`, `\n`, `\t`, and a
/// backslash as two.
pub fn visible(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        match byte {
            b'"' | b'\'' => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
        text
    })
}

/// By what a free record is joined to a request's own, it is called as there, in every schema.
fn free_name(name: &str) -> Name<'_> {
    if let Some(field) = JOINING.into_iter().find(|field| field.name() == name) {
        return Name::Known(field);
    }
    if Field::is_common(name) { Name::Clashing(name) } else { Name::Free(name) }
}

const JOINING: [Field; 3] = [Field::RequestId, Field::TraceId, Field::ViewName];

fn free<'a>(value: &'a Value<'a>) -> Content<'a> {
    match value {
        Value::Null => Content::Absent,
        value => Content::Value(value),
    }
}

fn head<'a>(head: &Head<'a>, origin: Origin<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::Timestamp, Content::Moment(head.timestamp));
    visit(Field::Level, Content::Level(head.level));
    visit(Field::Event, Content::Text(head.event.as_str().as_bytes()));
    visit(Field::Message, Content::Text(head.message.as_bytes()));
    visit(Field::Logger, Content::Text(head.logger.as_bytes()));
    visit(Field::Version, Content::Whole(u64::from(SCHEMA)));
    visit(Field::Seq, Content::Seq);
    visit(Field::Instance, Content::Text(origin.instance.as_bytes()));
    visit(Field::Service, str_or_absent(origin.service));
    visit(Field::Environment, str_or_absent(origin.environment));
}

fn request<'a>(facts: &Facts<'a>, progress: Option<&Progress<'a>>, visit: &mut impl FnMut(Field, Content<'a>)) {
    identity(facts, visit);
    visit(Field::UserId, text_or_absent(progress.and_then(|progress| progress.user_id).or(facts.user_id)));
    headers(facts, visit);
    match progress {
        None => visit(Field::InFlight, Content::Truth(true)),
        Some(progress) => {
            response(progress, visit);
            timing(&progress.timing, visit);
            ending(progress, visit);
        }
    }
    session(facts.tls.as_ref(), visit);
    if let Some(progress) = progress {
        visit(Field::GrpcStatus, whole_or_absent(progress.grpc_status.map(u64::from)));
    }
    visit(Field::Labels, if facts.labels.is_empty() { Content::Absent } else { Content::Texts(facts.labels) });
}

/// `request_id` to `route`.
fn identity<'a>(facts: &Facts<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::RequestId, Content::Text(facts.request_id.as_bytes()));
    visit(Field::RequestIdOrigin, Content::Text(facts.request_id_origin.as_bytes()));
    visit(Field::TraceId, str_or_absent(facts.trace_id));
    visit(Field::SpanId, str_or_absent(facts.span_id));
    visit(Field::ParentSpanId, str_or_absent(facts.parent_span_id));
    visit(Field::Method, Content::Text(facts.method.as_bytes()));
    visit(Field::Scheme, Content::Text(facts.scheme.as_bytes()));
    visit(Field::Host, text_or_absent(facts.host));
    // Only CONNECT has none (RFC 9112 §3.2.3).
    visit(Field::Path, text_or_absent(Some(facts.path).filter(|path| !path.is_empty())));
    visit(Field::Query, text_or_absent(facts.query));
    visit(Field::HttpVersion, Content::Text(facts.http_version.as_bytes()));
    visit(Field::ViewName, Content::Text(facts.view_name.as_bytes()));
    visit(Field::ViewArgs, Content::Values(facts.view_args));
    visit(Field::ViewKwargs, Content::Arguments(facts.view_kwargs));
    visit(Field::Route, str_or_absent(facts.route));
}

/// `ip_address` to `content_length`.
fn headers<'a>(facts: &Facts<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::IpAddress, str_or_absent(facts.ip_address));
    visit(Field::PeerAddress, str_or_absent(facts.peer_address));
    visit(Field::UserAgent, text_or_absent(facts.user_agent));
    visit(Field::Referer, text_or_absent(facts.referer));
    visit(Field::ContentType, text_or_absent(facts.content_type));
    visit(Field::ContentLength, whole_or_absent(facts.content_length));
}

/// `request_size` to `duration`.
fn response<'a>(progress: &Progress<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::RequestSize, Content::Whole(progress.request_size));
    visit(Field::StatusCode, whole_or_absent(progress.status_code.map(u64::from)));
    visit(Field::ResponseSize, whole_or_absent(progress.response_size));
    visit(Field::ResponseContentType, text_or_absent(progress.response_content_type));
    visit(Field::CacheHit, text_or_absent(progress.cache_hit));
    visit(Field::Duration, Content::Seconds(progress.duration));
}

/// The members of `timing`.
fn timing<'a>(timing: &Timing, visit: &mut impl FnMut(Field, Content<'a>)) {
    let phases = [
        (Field::TimingQueue, timing.queue),
        (Field::TimingConnect, timing.connect),
        (Field::TimingTls, timing.tls),
        (Field::TimingSend, timing.send),
        (Field::TimingWait, timing.wait),
        (Field::TimingReceive, timing.receive),
    ];
    for (field, micros) in phases {
        visit(field, micros.map_or(Content::Absent, Content::Seconds));
    }
}

/// `server_timing` to `sample_rate`.
fn ending<'a>(progress: &Progress<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    let timings = progress.server_timing;
    visit(Field::ServerTiming, if timings.is_empty() { Content::Absent } else { Content::Durations(timings) });
    visit(Field::Outcome, progress.outcome.map_or(Content::Absent, Content::Outcome));
    visit(Field::Phase, Content::Text(progress.phase.as_str().as_bytes()));
    visit(Field::ClosedBy, str_or_absent(progress.closed_by.map(Closer::as_str)));
    visit(Field::Responder, str_or_absent(progress.responder));
    visit(Field::Upstream, str_or_absent(progress.upstream));
    visit(Field::UpstreamAddress, str_or_absent(progress.upstream_address));
    visit(Field::Attempts, whole_or_absent(progress.attempts.map(u64::from)));
    visit(Field::ReusedConnection, progress.reused_connection.map_or(Content::Absent, Content::Truth));
    visit(Field::ExceptionType, text_or_absent(progress.exception_type));
    visit(Field::ExceptionMessage, text_or_absent(progress.exception_message));
    visit(Field::ResponseExcerpt, text_or_absent(progress.response_excerpt));
    visit(Field::Slow, Content::Truth(progress.slow));
    visit(Field::InFlight, if progress.in_flight { Content::Truth(true) } else { Content::Absent });
    let rate = progress.sample_rate.filter(|rate| rate.is_finite());
    visit(Field::SampleRate, rate.map_or(Content::Absent, Content::Fraction));
}

/// The members of `tls`.
fn session<'a>(tls: Option<&Tls<'a>>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::TlsVersion, str_or_absent(tls.map(|tls| tls.version)));
    visit(Field::TlsCipher, str_or_absent(tls.map(|tls| tls.cipher)));
    visit(Field::TlsSni, str_or_absent(tls.and_then(|tls| tls.sni)));
    visit(Field::TlsAlpn, str_or_absent(tls.and_then(|tls| tls.alpn)));
    visit(Field::TlsClientSubject, str_or_absent(tls.and_then(|tls| tls.client_subject)));
}

fn rejection<'a>(rejected: &Rejected<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::RequestId, str_or_absent(rejected.request_id));
    visit(Field::IpAddress, str_or_absent(rejected.ip_address));
    visit(Field::PeerAddress, str_or_absent(rejected.peer_address));
    visit(Field::StatusCode, whole_or_absent(rejected.status_code.map(u64::from)));
    visit(Field::Reason, Content::Text(rejected.reason.as_bytes()));
    visit(Field::Detail, str_or_absent(Some(rejected.detail).filter(|detail| !detail.is_empty())));
    let excerpt = &rejected.excerpt[..rejected.excerpt.len().min(EXCERPT)];
    visit(Field::Excerpt, if excerpt.is_empty() { Content::Absent } else { Content::Visible(excerpt) });
    visit(Field::Suppressed, whole_or_absent(Some(rejected.suppressed).filter(|count| *count > 0)));
}

fn loss<'a>(loss: &Loss<'a>, visit: &mut impl FnMut(Field, Content<'a>)) {
    visit(Field::Output, Content::Text(loss.output.as_bytes()));
    visit(Field::Count, Content::Whole(loss.count));
    visit(Field::FromSeq, Content::Whole(loss.from_seq));
    visit(Field::ToSeq, Content::Whole(loss.to_seq));
    visit(Field::Reason, Content::Text(loss.reason.as_bytes()));
}

fn text_or_absent(text: Option<&[u8]>) -> Content<'_> {
    text.map_or(Content::Absent, Content::Text)
}

fn str_or_absent(text: Option<&str>) -> Content<'_> {
    text_or_absent(text.map(str::as_bytes))
}

fn whole_or_absent<'a>(number: Option<u64>) -> Content<'a> {
    number.map_or(Content::Absent, Content::Whole)
}
