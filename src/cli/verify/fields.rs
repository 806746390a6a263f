//! What the schema asks of a line: the fields that a record of each event must and may have, their types, and those
//! whose text is not free.

use crate::record::{Closer, Level, Outcome, Phase};

/// The name of a field and the type it has wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    /// Whole or not.
    Number,
    Boolean,
    Array,
    Object,
}

impl Kind {
    /// In words.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Whole => "a whole number",
            Kind::Number => "a number",
            Kind::Boolean => "true or false",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// The fields that a record must have, none of them `null`, and those that it may have.
#[derive(Debug)]
pub(super) struct Demand {
    must: [&'static [Field]; 3],
    may: &'static [Field],
}

impl Demand {
    /// What is asked of a record of this event.
    pub(super) fn of(event: &str) -> Demand {
        let (must, may) = match event {
            "request_completed" => ([HEAD, REQUEST, COMPLETED], OPTIONAL),
            "request_rejected" | "security_event" => ([HEAD, REJECTED, NONE], OPTIONAL),
            "log_loss" => ([HEAD, LOSS, NONE], NONE),
            "log_sampled" => ([HEAD, SAMPLED, NONE], NONE),
            event if event.starts_with("request_") => ([HEAD, REQUEST, NONE], OPTIONAL),
            _ => ([HEAD, NONE, NONE], NONE),
        };
        Demand { must, may }
    }

    /// Fields that must be there.
    pub(super) fn must(&self) -> impl Iterator<Item = Field> {
        self.must.into_iter().flatten().copied()
    }

    /// Fields that need not be there.
    pub(super) fn may(&self) -> impl Iterator<Item = Field> {
        self.may.iter().copied().filter(|field| self.must().all(|must| must != *field))
    }
}

const NONE: &[Field] = &[];

/// The fields of every record.
const HEAD: &[Field] = &[
    text("timestamp"),
    text("level"),
    text("event"),
    text("message"),
    text("logger"),
    whole("schema"),
    whole("seq"),
    text("instance"),
];

/// The fields of every record of a request that was read.
const REQUEST: &[Field] = &[
    text("request_id"),
    text("request_id_origin"),
    text("method"),
    text("view_name"),
    array("view_args"),
    object("view_kwargs"),
];

/// The fields of every terminal record, beside those of the request.
const COMPLETED: &[Field] =
    &[whole("request_size"), number("duration"), text("outcome"), text("phase"), boolean("slow")];

/// The fields of a head that could not be read.
const REJECTED: &[Field] = &[text("reason")];

/// The fields of a loss.
const LOSS: &[Field] = &[text("output"), whole("count"), whole("from_seq"), whole("to_seq"), text("reason")];

/// The fields of an account of sampling.
const SAMPLED: &[Field] = &[whole("count")];

/// The fields that a record about requests may have beside those it must have.
const OPTIONAL: &[Field] = &[
    text("service"),
    text("environment"),
    text("trace_id"),
    text("span_id"),
    text("parent_span_id"),
    text("scheme"),
    text("host"),
    text("path"),
    text("query"),
    text("http_version"),
    text("route"),
    text("user_id"),
    text("ip_address"),
    text("peer_address"),
    text("user_agent"),
    text("referer"),
    text("content_type"),
    whole("content_length"),
    whole("request_size"),
    whole("status_code"),
    whole("response_size"),
    text("response_content_type"),
    text("cache_hit"),
    number("duration"),
    object("timing"),
    object("server_timing"),
    text("outcome"),
    text("phase"),
    text("closed_by"),
    text("responder"),
    text("upstream"),
    text("upstream_address"),
    whole("attempts"),
    boolean("reused_connection"),
    text("exception_type"),
    text("exception_message"),
    text("response_excerpt"),
    boolean("slow"),
    boolean("in_flight"),
    number("sample_rate"),
    object("tls"),
    whole("grpc_status"),
    object("labels"),
];

const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text }
}

const fn whole(name: &'static str) -> Field {
    Field { name, kind: Kind::Whole }
}

const fn number(name: &'static str) -> Field {
    Field { name, kind: Kind::Number }
}

const fn boolean(name: &'static str) -> Field {
    Field { name, kind: Kind::Boolean }
}

const fn array(name: &'static str) -> Field {
    Field { name, kind: Kind::Array }
}

const fn object(name: &'static str) -> Field {
    Field { name, kind: Kind::Object }
}

/// A field whose text is not free.
pub(super) struct Word {
    pub(super) field: &'static str,
    /// In records that are not about a request, too.
    pub(super) everywhere: bool,
    /// In words.
    pub(super) expected: &'static str,
    pub(super) holds: fn(&str) -> bool,
}

/// All of them.
pub(super) const WORDS: &[Word] = &[
    Word { field: "timestamp", everywhere: true, expected: "RFC 3339 in UTC with six decimals", holds: is_timestamp },
    Word {
        field: "level",
        everywhere: true,
        expected: "a level",
        holds: |word| Level::ALL.iter().any(|level| level.as_str() == word),
    },
    Word { field: "instance", everywhere: true, expected: "1 to 128 bytes", holds: is_instance },
    Word {
        field: "outcome",
        everywhere: false,
        expected: "an outcome",
        holds: |word| Outcome::ALL.iter().any(|outcome| outcome.as_str() == word),
    },
    Word {
        field: "phase",
        everywhere: false,
        expected: "a phase",
        holds: |word| Phase::ALL.iter().any(|phase| phase.as_str() == word),
    },
    Word {
        field: "closed_by",
        everywhere: false,
        expected: "`client`, `upstream` or `gatelog`",
        holds: |word| Closer::ALL.iter().any(|closer| closer.as_str() == word),
    },
    Word {
        field: "request_id_origin",
        everywhere: false,
        expected: "`generated`, `client` or `replaced`",
        holds: |word| matches!(word, "generated" | "client" | "replaced"),
    },
    Word { field: "request_id", everywhere: false, expected: "1 to 128 of `A-Z a-z 0-9 . _ -`", holds: is_request_id },
];

/// `2026-11-22T11:02:36.000123Z`, digit for digit.
fn is_timestamp(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000000Z";
    let fits = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

/// Whether a process may be named so.
pub(super) fn is_instance(text: &str) -> bool {
    (1..=128).contains(&text.len())
}

/// Whether a request may be named so.
pub(super) fn is_request_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}
