//! The fields of the contract, in its order, and what each is called in the other schemas. Nothing else renames.
//!
//! - **OpenTelemetry**: a line is a log record with the names of the Logs Data Model (`Timestamp`, `SeverityNumber`,
//!   `Body`, `Attributes`, …); attributes have the names of the semantic conventions 1.44, flat, with dots in them, and
//!   their types: headers are arrays of text, durations seconds, the timestamp nanoseconds in decimal digits between
//!   quotes (as in OTLP/JSON: a JSON number of that size loses digits in most readers).
//! - **Elastic Common Schema** 9: flat names with dots, which Elasticsearch takes as it takes nested objects, and which
//!   the ECS logging libraries write for `log.level`. `event.duration` is whole nanoseconds; what is mapped as an address
//!   (`client.ip`) is there only when it is one, and `client.address` always.
//!
//! What has no name in a schema goes under `gatelog.`, and so do free fields. Parameters and labels stay objects; whoever
//! stores them in Elasticsearch maps `gatelog.view_kwargs` as `flattened`, since a parameter of one name may be a number in
//! one view and a text in another.

/// The schema of JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// The contract's own names.
    #[default]
    Native,
    /// OpenTelemetry Logs Data Model with the HTTP semantic conventions.
    Otel,
    /// Elastic Common Schema.
    Ecs,
}

impl Schema {
    /// What a field is called and how it looks in this schema; `None` in the native one, where it is as it is.
    pub fn target(self, field: Field) -> Option<&'static Target> {
        match self {
            Schema::Native => None,
            Schema::Otel => Some(&field.row().otel),
            Schema::Ecs => Some(&field.row().ecs),
        }
    }
}

/// The Elastic Common Schema that lines of [`Schema::Ecs`] keep to, in their field `ecs.version`.
pub const ECS_VERSION: &str = "9.4.0";

/// What stands before names that a schema does not know.
pub const PREFIX: &str = "gatelog.";

impl Field {
    /// Its name in the native schema; where a dot is in it, of a member of an object.
    pub fn name(self) -> &'static str {
        self.row().native
    }

    /// Whether every record of any kind carries a field of this name, so that no free field may take it.
    pub fn is_common(name: &str) -> bool {
        Field::ALL[..=Field::Environment as usize].iter().any(|field| field.name() == name)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// A field in a schema that is not the native one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Where in the line it is.
    pub place: Place,
    /// What it is called there.
    pub name: &'static str,
    /// What becomes of its value.
    pub form: Form,
}

/// Where in a line a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A member of the line's object itself.
    Top,
    /// A member of the object `Resource`.
    Resource,
    /// A member of the object `Attributes`.
    Attributes,
}

impl Place {
    /// The name of that object, where it is not the line itself.
    pub fn object(self) -> Option<&'static str> {
        match self {
            Place::Top => None,
            Place::Resource => Some("Resource"),
            Place::Attributes => Some("Attributes"),
        }
    }
}

/// What becomes of a field's value. The names within are of further members, beside the field's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As in the native schema.
    Same,
    /// Within an object, as the member of this name.
    Within(&'static str),
    /// A text in an array of its own, as OpenTelemetry has the values of a header.
    Listed,
    /// [`PREFIX`] before the text: names of events are to be namespaced.
    Prefixed,
    /// A moment as nanoseconds since the Unix epoch: decimal digits in quotes.
    EpochNanoseconds,
    /// A duration as whole nanoseconds.
    Nanoseconds,
    /// The level as text, and its severity number.
    Severity(&'static str),
    /// A method that is none of the registered ones becomes `_OTHER`, and is itself the member of this name.
    Method(&'static str),
    /// Address and port, taken apart; brackets of an IPv6 address stay when they are part of the name.
    Address {
        /// Whether `[::1]` keeps its brackets.
        brackets: bool,
        /// The address once more, if it is an IP address.
        ip: Option<&'static str>,
        /// The port, a whole number.
        port: Option<&'static str>,
    },
    /// `TLSv1.3` as `1.3`, and the protocol's name, `tls`.
    TlsVersion(&'static str),
    /// The token, and whether it stands for success or failure.
    Verdict(&'static str),
}

impl Target {
    /// Its name and those of the members that come with it.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let [first, second] = match self.form {
            Form::Severity(name) | Form::Method(name) | Form::TlsVersion(name) | Form::Verdict(name) => {
                [Some(name), None]
            }
            Form::Address { ip, port, .. } => [ip, port],
            _ => [None, None],
        };
        std::iter::once(self.name).chain(first).chain(second)
    }
}

/// One line of the table.
struct Row {
    native: &'static str,
    otel: Target,
    ecs: Target,
}

const fn top(name: &'static str, form: Form) -> Target {
    Target { place: Place::Top, name, form }
}

/// A member of an ECS line, as it is.
const fn ecs(name: &'static str) -> Target {
    top(name, Form::Same)
}

const fn resource(name: &'static str) -> Target {
    Target { place: Place::Resource, name, form: Form::Same }
}

/// An OpenTelemetry attribute, as it is.
const fn otel(name: &'static str) -> Target {
    attribute(name, Form::Same)
}

const fn attribute(name: &'static str, form: Form) -> Target {
    Target { place: Place::Attributes, name, form }
}

const HOST: Form = Form::Address { brackets: false, ip: None, port: Some("server.port") };
const PEER: Form = Form::Address { brackets: false, ip: None, port: Some("network.peer.port") };
const ECS_HOST: Form = Form::Address { brackets: true, ip: None, port: Some("url.port") };
const ECS_CLIENT: Form = Form::Address { brackets: false, ip: Some("client.ip"), port: None };
const ECS_PEER: Form = Form::Address { brackets: false, ip: Some("source.ip"), port: Some("source.port") };

macro_rules! fields {
    ($($field:ident $native:literal, $otel:expr, $ecs:expr;)*) => {
        /// A field of the contract. What is an object in the native schema with members of fixed names is a field for
        /// each member.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Field {
            $(#[doc = concat!("`", $native, "`.")] $field,)*
        }

        impl Field {
            /// Every field, in the order of the contract; those of particular records behind those of requests.
            pub const ALL: &'static [Field] = &[$(Field::$field,)*];
        }

        const TABLE: &[Row] = &[$(Row { native: $native, otel: $otel, ecs: $ecs },)*];
    };
}

fields! {
    Timestamp "timestamp", top("Timestamp", Form::EpochNanoseconds), ecs("@timestamp");
    Level "level", top("SeverityText", Form::Severity("SeverityNumber")), ecs("log.level");
    Event "event", top("EventName", Form::Prefixed), ecs("event.action");
    Message "message", top("Body", Form::Same), ecs("message");
    Logger "logger", top("InstrumentationScope", Form::Within("Name")), ecs("log.logger");
    Version "schema", otel("gatelog.schema"), ecs("gatelog.schema");
    Seq "seq", otel("gatelog.seq"), ecs("event.sequence");
    Instance "instance", resource("service.instance.id"), ecs("service.ephemeral_id");
    Service "service", resource("service.name"), ecs("service.name");
    Environment "environment", resource("deployment.environment.name"), ecs("service.environment");
    RequestId "request_id", otel("gatelog.request_id"), ecs("http.request.id");
    RequestIdOrigin "request_id_origin", otel("gatelog.request_id_origin"), ecs("gatelog.request_id_origin");
    TraceId "trace_id", top("TraceId", Form::Same), ecs("trace.id");
    SpanId "span_id", top("SpanId", Form::Same), ecs("span.id");
    ParentSpanId "parent_span_id", otel("gatelog.parent_span_id"), ecs("gatelog.parent_span_id");
    Method "method", attribute("http.request.method", Form::Method("http.request.method_original")), ecs("http.request.method");
    Scheme "scheme", otel("url.scheme"), ecs("url.scheme");
    Host "host", attribute("server.address", HOST), top("url.domain", ECS_HOST);
    Path "path", otel("url.path"), ecs("url.path");
    Query "query", otel("url.query"), ecs("url.query");
    HttpVersion "http_version", otel("network.protocol.version"), ecs("http.version");
    ViewName "view_name", otel("gatelog.view_name"), ecs("gatelog.view_name");
    ViewArgs "view_args", otel("gatelog.view_args"), ecs("gatelog.view_args");
    ViewKwargs "view_kwargs", otel("gatelog.view_kwargs"), ecs("gatelog.view_kwargs");
    Route "route", otel("http.route"), ecs("gatelog.route");
    UserId "user_id", otel("user.id"), ecs("user.id");
    IpAddress "ip_address", otel("client.address"), top("client.address", ECS_CLIENT);
    PeerAddress "peer_address", attribute("network.peer.address", PEER), top("source.address", ECS_PEER);
    UserAgent "user_agent", otel("user_agent.original"), ecs("user_agent.original");
    Referer "referer", attribute("http.request.header.referer", Form::Listed), ecs("http.request.referrer");
    ContentType "content_type", attribute("http.request.header.content-type", Form::Listed), ecs("gatelog.content_type");
    ContentLength "content_length", attribute("http.request.header.content-length", Form::Listed), ecs("gatelog.content_length");
    RequestSize "request_size", otel("http.request.body.size"), ecs("http.request.body.bytes");
    StatusCode "status_code", otel("http.response.status_code"), ecs("http.response.status_code");
    ResponseSize "response_size", otel("http.response.body.size"), ecs("http.response.body.bytes");
    ResponseContentType "response_content_type", attribute("http.response.header.content-type", Form::Listed), ecs("gatelog.response_content_type");
    CacheHit "cache_hit", otel("gatelog.cache_hit"), ecs("gatelog.cache_hit");
    Duration "duration", otel("http.server.request.duration"), top("event.duration", Form::Nanoseconds);
    TimingQueue "timing.queue", otel("gatelog.timing.queue"), ecs("gatelog.timing.queue");
    TimingConnect "timing.connect", otel("gatelog.timing.connect"), ecs("gatelog.timing.connect");
    TimingTls "timing.tls", otel("gatelog.timing.tls"), ecs("gatelog.timing.tls");
    TimingSend "timing.send", otel("gatelog.timing.send"), ecs("gatelog.timing.send");
    TimingWait "timing.wait", otel("gatelog.timing.wait"), ecs("gatelog.timing.wait");
    TimingReceive "timing.receive", otel("gatelog.timing.receive"), ecs("gatelog.timing.receive");
    ServerTiming "server_timing", otel("gatelog.server_timing"), ecs("gatelog.server_timing");
    Outcome "outcome", otel("gatelog.outcome"), top("gatelog.outcome", Form::Verdict("event.outcome"));
    Phase "phase", otel("gatelog.phase"), ecs("gatelog.phase");
    ClosedBy "closed_by", otel("gatelog.closed_by"), ecs("gatelog.closed_by");
    Responder "responder", otel("gatelog.responder"), ecs("gatelog.responder");
    Upstream "upstream", otel("gatelog.upstream"), ecs("gatelog.upstream");
    UpstreamAddress "upstream_address", otel("gatelog.upstream_address"), ecs("gatelog.upstream_address");
    Attempts "attempts", otel("gatelog.attempts"), ecs("gatelog.attempts");
    ReusedConnection "reused_connection", otel("gatelog.reused_connection"), ecs("gatelog.reused_connection");
    ExceptionType "exception_type", otel("exception.type"), ecs("error.type");
    ExceptionMessage "exception_message", otel("exception.message"), ecs("error.message");
    ResponseExcerpt "response_excerpt", otel("gatelog.response_excerpt"), ecs("gatelog.response_excerpt");
    Slow "slow", otel("gatelog.slow"), ecs("gatelog.slow");
    InFlight "in_flight", otel("gatelog.in_flight"), ecs("gatelog.in_flight");
    SampleRate "sample_rate", otel("gatelog.sample_rate"), ecs("gatelog.sample_rate");
    TlsVersion "tls.version", attribute("tls.protocol.version", Form::TlsVersion("tls.protocol.name")), top("tls.version", Form::TlsVersion("tls.version_protocol"));
    TlsCipher "tls.cipher", otel("tls.cipher"), ecs("tls.cipher");
    TlsSni "tls.sni", otel("gatelog.tls.sni"), ecs("tls.client.server_name");
    TlsAlpn "tls.alpn", otel("tls.next_protocol"), ecs("tls.next_protocol");
    TlsClientSubject "tls.client_subject", otel("tls.client.subject"), ecs("tls.client.subject");
    GrpcStatus "grpc_status", otel("gatelog.grpc_status"), ecs("gatelog.grpc_status");
    Labels "labels", otel("gatelog.labels"), ecs("labels");
    // Of refused heads and of losses.
    Output "output", otel("gatelog.output"), ecs("gatelog.output");
    Count "count", otel("gatelog.count"), ecs("gatelog.count");
    FromSeq "from_seq", otel("gatelog.from_seq"), ecs("gatelog.from_seq");
    ToSeq "to_seq", otel("gatelog.to_seq"), ecs("gatelog.to_seq");
    Reason "reason", otel("gatelog.reason"), ecs("event.reason");
    Detail "detail", otel("gatelog.detail"), ecs("gatelog.detail");
    Excerpt "excerpt", otel("gatelog.excerpt"), ecs("gatelog.excerpt");
    Suppressed "suppressed", otel("gatelog.suppressed"), ecs("gatelog.suppressed");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_fields_share_a_name() {
        for schema in [Schema::Otel, Schema::Ecs] {
            let mut seen = HashSet::new();
            for field in Field::ALL {
                let target = schema.target(*field).unwrap();
                for name in target.names() {
                    assert!(seen.insert((target.place == Place::Resource, name)), "{name} in {schema:?}");
                }
            }
        }
        let natives: HashSet<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        assert_eq!(natives.len(), Field::ALL.len());
    }

    /// Elasticsearch takes `a.b` as the member `b` of an object `a`: `a` cannot be a text beside it.
    #[test]
    fn no_name_is_an_object_and_a_value() {
        for schema in [Schema::Otel, Schema::Ecs] {
            let names: Vec<&str> = Field::ALL.iter().flat_map(|field| schema.target(*field).unwrap().names()).collect();
            for outer in &names {
                let within = |name: &&&str| name.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
                assert_eq!(names.iter().find(within), None, "within {outer} in {schema:?}");
            }
        }
    }

    #[test]
    fn what_a_schema_does_not_know_is_prefixed_with_its_native_name() {
        for schema in [Schema::Otel, Schema::Ecs] {
            for field in Field::ALL {
                let target = schema.target(*field).unwrap();
                if let Some(rest) = target.name.strip_prefix(PREFIX) {
                    assert_eq!(rest, field.name(), "{schema:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_common_fields_are_reserved() {
        assert!(Field::is_common("timestamp") && Field::is_common("seq") && Field::is_common("environment"));
        assert!(!Field::is_common("request_id") && !Field::is_common("listen"));
    }
}
