//! What the user says about business events: `[[event]]`.

use http::HeaderName;

use crate::filter::Expression;
use crate::record::{Level, Value};

use super::member::Member;

/// One `[[event]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSettings {
    /// `name`: the `event` of its records.
    pub name: String,
    /// `when`: the requests, by their `request_completed`.
    pub when: Expression,
    /// `level` of its records.
    pub level: Level,
    /// `fields`, in order: names and where their values come from.
    pub fields: Vec<(String, FieldSource)>,
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldSource {
    /// A field of the request's own record.
    Record {
        /// Which.
        member: Member,
        /// Only a keyed hash of the value is written.
        hash: bool,
    },
    /// Something in the head of the request or of the response.
    Head {
        /// Where in it.
        place: HeadPlace,
        /// Only a keyed hash of the value is written.
        hash: bool,
    },
    /// Whether the user agent is a phone's.
    IsMobile,
    /// The same in every record.
    Constant(Constant),
}

/// A place in a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadPlace {
    /// A header of the request.
    RequestHeader(HeaderName),
    /// A header of the response, as the application sent it.
    ResponseHeader(HeaderName),
    /// A cookie of the request.
    Cookie(String),
    /// A parameter of the query; name and value are percent-decoded.
    Query(String),
}

/// A value that stands in the configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// Text.
    Text(String),
    /// A whole number, in decimal digits.
    Whole(String),
    /// A fraction.
    Fraction(f64),
    /// Yes or no.
    Truth(bool),
}

impl Constant {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Constant::Text(text) => Value::Text(text.as_bytes()),
            Constant::Whole(digits) => Value::Digits(digits),
            Constant::Fraction(number) => Value::Float(*number),
            Constant::Truth(yes) => Value::Bool(*yes),
        }
    }
}
