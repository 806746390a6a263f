//! The table of fields: name, kind, and where each stands in a [`Record`]. A new field of the record gets its line here.

use super::field::{Field, Kind, Known, Parts};
use super::value::{Number, Value};
use crate::record::{Body, Facts, Head, Loss, Outcome, Phase, Progress, Record, Rejected, SCHEMA};

/// Every field, in the order of the record.
pub(super) static FIELDS: [Field; 66] = {
    use Kind::*;
    [
        head("timestamp", Moment, |head| Value::Moment(head.timestamp)),
        head("level", Level, |head| Value::Level(head.level)).at_answer(),
        head("event", Word, |head| Value::text(head.event.as_str())).of_the_record(),
        head("message", Text, |head| Value::text(head.message)).of_the_record(),
        head("logger", Word, |head| Value::text(head.logger)).of_the_record(),
        head("schema", Number, |_| Value::whole(SCHEMA)).of_the_record(),
        written("seq", Number),
        written("instance", Exact),
        written("service", Exact),
        written("environment", Exact),
        field("request_id", Exact, |record| match record.body {
            Body::Rejected(rejected) => Some(Value::text(rejected.request_id?)),
            _ => Some(Value::text(facts(record)?.request_id)),
        })
        .at_request(),
        field("request_id_origin", Choice(&["generated", "client", "replaced"]), |record| {
            Some(Value::text(facts(record)?.request_id_origin))
        })
        .at_request(),
        field("trace_id", Word, |record| Some(Value::text(facts(record)?.trace_id?))).at_request(),
        field("span_id", Word, |record| Some(Value::text(facts(record)?.span_id?))).at_request(),
        field("parent_span_id", Word, |record| Some(Value::text(facts(record)?.parent_span_id?))).at_request(),
        field("method", Word, |record| Some(Value::text(facts(record)?.method))).at_request(),
        field("scheme", Choice(&["http", "https"]), |record| Some(Value::text(facts(record)?.scheme))).at_request(),
        field("host", Word, |record| Some(Value::Text(facts(record)?.host?))).at_request(),
        // A record leaves an empty one out.
        field("path", Exact, |record| present(facts(record)?.path)).at_request(),
        field("query", Exact, |record| Some(Value::Text(facts(record)?.query?))).at_request(),
        field("http_version", Word, |record| Some(Value::text(facts(record)?.http_version))).at_request(),
        field("view_name", Exact, |record| Some(Value::text(facts(record)?.view_name))).at_request(),
        group("view_args", Any, Group::Args).at_request(),
        group("view_kwargs", Any, Group::Kwargs).at_request(),
        group("route", Exact, Group::Route).at_request(),
        field("user_id", Exact, |record| {
            let told = progress(record).and_then(|progress| progress.user_id);
            Some(Value::Text(told.or(facts(record)?.user_id)?))
        })
        .at_answer()
        .short("user"),
        field("ip_address", Address, |record| match record.body {
            Body::Rejected(rejected) => Some(Value::text(rejected.ip_address?)),
            _ => Some(Value::text(facts(record)?.ip_address?)),
        })
        .short("ip")
        .at_request(),
        field("peer_address", Peer, |record| match record.body {
            Body::Rejected(rejected) => Some(Value::text(rejected.peer_address?)),
            _ => Some(Value::text(facts(record)?.peer_address?)),
        })
        .at_request(),
        field("user_agent", Text, |record| Some(Value::Text(facts(record)?.user_agent?))).at_request(),
        field("referer", Exact, |record| Some(Value::Text(facts(record)?.referer?))).at_request(),
        field("content_type", Word, |record| Some(Value::Text(facts(record)?.content_type?))).at_request(),
        field("content_length", Size, |record| Some(Value::whole(facts(record)?.content_length?))).at_request(),
        field("request_size", Size, |record| Some(Value::whole(progress(record)?.request_size))),
        field("status_code", Status, |record| match record.body {
            Body::Rejected(rejected) => Some(Value::whole(rejected.status_code?)),
            _ => Some(Value::whole(progress(record)?.status_code?)),
        })
        .at_answer()
        .short("status"),
        field("response_size", Size, |record| Some(Value::whole(progress(record)?.response_size?))),
        field("response_content_type", Word, |record| Some(Value::Text(progress(record)?.response_content_type?)))
            .at_answer(),
        field("cache_hit", Word, |record| Some(Value::Text(progress(record)?.cache_hit?))).at_answer(),
        field("duration", Duration, |record| Some(Value::Duration(progress(record)?.duration))),
        group("timing", Duration, Group::Timing),
        group("server_timing", Duration, Group::ServerTiming).at_answer(),
        field("outcome", Choice(&OUTCOMES), |record| Some(Value::text(progress(record)?.outcome?.as_str()))),
        field("phase", Choice(&PHASES), |record| Some(Value::text(progress(record)?.phase.as_str()))),
        field("closed_by", Choice(&["client", "upstream", "gatelog"]), |record| {
            Some(Value::text(progress(record)?.closed_by?.as_str()))
        }),
        field("responder", Choice(&["upstream", "gatelog"]), |record| Some(Value::text(progress(record)?.responder?)))
            .at_answer(),
        field("upstream", Exact, |record| Some(Value::text(progress(record)?.upstream?))).at_answer(),
        field("upstream_address", Peer, |record| Some(Value::text(progress(record)?.upstream_address?))).at_answer(),
        field("attempts", Number, |record| Some(Value::whole(progress(record)?.attempts?))).at_answer(),
        field("reused_connection", Bool, |record| Some(Value::Bool(progress(record)?.reused_connection?))).at_answer(),
        field("exception_type", Word, |record| Some(Value::Text(progress(record)?.exception_type?))),
        field("exception_message", Text, |record| Some(Value::Text(progress(record)?.exception_message?))),
        field("response_excerpt", Text, |record| Some(Value::Text(progress(record)?.response_excerpt?))),
        field("slow", Bool, |record| Some(Value::Bool(progress(record)?.slow))),
        field("in_flight", Flag, |record| {
            facts(record)?;
            progress(record).is_none_or(|progress| progress.in_flight).then_some(Value::Bool(true))
        }),
        field("sample_rate", Number, |record| {
            Some(Value::Number(self::Number::fraction(progress(record)?.sample_rate?)?))
        }),
        group("tls", Word, Group::Tls).at_request(),
        field("grpc_status", Number, |record| Some(Value::whole(progress(record)?.grpc_status?))),
        group("labels", Exact, Group::Labels).at_request(),
        // Of rejected heads and suspicious requests.
        field("reason", Word, |record| match record.body {
            Body::Loss(loss) => Some(Value::text(loss.reason)),
            _ => Some(Value::text(rejected(record)?.reason)),
        }),
        field("detail", Text, |record| present(rejected(record)?.detail.as_bytes())),
        group("excerpt", Text, Group::Excerpt),
        field("suppressed", Number, |record| {
            Some(Value::whole(rejected(record)?.suppressed)).filter(|count| *count != Value::whole(0_u64))
        }),
        // Of losses.
        field("output", Exact, |record| Some(Value::text(loss(record)?.output))),
        field("count", Number, |record| Some(Value::whole(loss(record)?.count))),
        field("from_seq", Number, |record| Some(Value::whole(loss(record)?.from_seq))),
        field("to_seq", Number, |record| Some(Value::whole(loss(record)?.to_seq))),
        group("fields", Any, Group::Own),
    ]
};

/// What a word without a field is looked for in.
pub(super) static SEARCHED: [&Field; 4] =
    [named("message"), named("path"), named("exception_message"), named("user_agent")];

/// A field of the table, found by the compiler.
const fn named(name: &str) -> &'static Field {
    let mut at = 0;
    while !equal(FIELDS[at].name.as_bytes(), name.as_bytes()) {
        at += 1;
    }
    &FIELDS[at]
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// `route:*` asks for this one alone: a request that matched no route has a view name all the same, `unknown`.
pub(super) static PATTERN: Field =
    field("route", Kind::Exact, |record| Some(Value::text(facts(record)?.route?))).at_request();

/// Where a field stands in a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// In the head of every record.
    Head(for<'a> fn(&Head<'a>) -> Value<'a>),
    /// In some records; among the free fields of those that have them, by its name.
    One(for<'a> fn(&Record<'a>) -> Option<Value<'a>>),
    /// Several values, or one that has to be made.
    Group(Group),
    /// Only in a written line: the output puts it there.
    Written,
}

/// Values that are read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Args,
    Kwargs,
    /// The view's name, and the pattern: whichever one writes is found.
    Route,
    Timing,
    ServerTiming,
    Tls,
    Labels,
    /// Escaped, as the line has it.
    Excerpt,
    /// Free fields, by their own names.
    Own,
}

/// The parts of `timing`.
pub(super) const TIMINGS: [&str; 6] = ["queue", "connect", "tls", "send", "wait", "receive"];
/// The parts of `tls`.
pub(super) const SESSION: [&str; 5] = ["version", "cipher", "sni", "alpn", "client_subject"];

/// What may stand behind the dot of a field.
pub(super) fn parts(field: &Field) -> Parts {
    match field.read {
        Read::Group(Group::Timing) => Parts::Known(&TIMINGS),
        Read::Group(Group::Tls) => Parts::Known(&SESSION),
        Read::Group(Group::Kwargs | Group::ServerTiming | Group::Labels) => Parts::Free,
        Read::Group(Group::Own) => Parts::Own,
        Read::Group(Group::Args | Group::Route | Group::Excerpt) | Read::Head(_) | Read::One(_) | Read::Written => {
            Parts::None
        }
    }
}

const fn head(name: &'static str, kind: Kind, read: for<'a> fn(&Head<'a>) -> Value<'a>) -> Field {
    Field { name, short: None, kind, known: Known::AtEnd, read: Read::Head(read) }
}

const fn field(name: &'static str, kind: Kind, read: for<'a> fn(&Record<'a>) -> Option<Value<'a>>) -> Field {
    Field { name, short: None, kind, known: Known::AtEnd, read: Read::One(read) }
}

const fn group(name: &'static str, kind: Kind, group: Group) -> Field {
    Field { name, short: None, kind, known: Known::AtEnd, read: Read::Group(group) }
}

const fn written(name: &'static str, kind: Kind) -> Field {
    Field { name, short: None, kind, known: Known::AtEnd, read: Read::Written }
}

impl Field {
    const fn short(mut self, short: &'static str) -> Field {
        self.short = Some(short);
        self
    }

    /// It says which record this is.
    const fn of_the_record(self) -> Field {
        Field { known: Known::ByRecord, ..self }
    }

    /// The head of the request tells it.
    const fn at_request(self) -> Field {
        Field { known: Known::AtRequest, ..self }
    }

    /// The head of the answer tells it.
    const fn at_answer(self) -> Field {
        Field { known: Known::AtAnswer, ..self }
    }
}

const OUTCOMES: [&str; Outcome::ALL.len()] = {
    let mut tokens = [""; Outcome::ALL.len()];
    let mut at = 0;
    while at < tokens.len() {
        tokens[at] = Outcome::ALL[at].as_str();
        at += 1;
    }
    tokens
};

const PHASES: [&str; Phase::ALL.len()] = {
    let mut tokens = [""; Phase::ALL.len()];
    let mut at = 0;
    while at < tokens.len() {
        tokens[at] = Phase::ALL[at].as_str();
        at += 1;
    }
    tokens
};

/// The head of a request, in records that are about one.
pub(super) fn facts<'a>(record: &Record<'a>) -> Option<&'a Facts<'a>> {
    match record.body {
        Body::Request { facts, .. } => Some(facts),
        _ => None,
    }
}

/// How a request goes on, in records that tell it.
pub(super) fn progress<'a>(record: &Record<'a>) -> Option<&'a Progress<'a>> {
    match record.body {
        Body::Request { progress, .. } => progress,
        _ => None,
    }
}

/// Bytes that are no request.
pub(super) fn rejected<'a>(record: &Record<'a>) -> Option<&'a Rejected<'a>> {
    match record.body {
        Body::Rejected(rejected) => Some(rejected),
        _ => None,
    }
}

fn loss<'a>(record: &Record<'a>) -> Option<&'a Loss<'a>> {
    match record.body {
        Body::Loss(loss) => Some(loss),
        _ => None,
    }
}

/// A record leaves an empty text out.
fn present(text: &[u8]) -> Option<Value<'_>> {
    Some(Value::Text(text)).filter(|_| !text.is_empty())
}
