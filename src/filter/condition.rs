//! What is asked of one field's value.

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::moment::Span;
use super::pattern::Pattern;
use super::value::{Number, Value};
use crate::record::Level;

/// A condition on the value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `field:*`: it is there.
    Exists,
    /// A text, whole or within.
    Text(Pattern),
    /// A number.
    Number(Comparison, Number),
    /// Bytes.
    Size(Comparison, u64),
    /// Microseconds.
    Duration(Comparison, u64),
    /// A level.
    Level(Comparison, Level),
    /// A point in time: equal is within, less is before its beginning, greater is at its end or later.
    Moment(Comparison, Span),
    /// The hundreds of a status code: 5 is `5xx`.
    StatusClass(u8),
    /// An address within a network.
    Network(IpNet),
    /// Yes or no.
    Bool(bool),
    /// A value whose type only the record knows.
    Loose(Loose),
}

/// What is written where a value may be a text, a number, or yes or no: any reading of it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Loose {
    /// As a text.
    pub text: Pattern,
    /// As a number, if it is one.
    pub number: Option<Number>,
    /// As yes or no, if it is that.
    pub bool: Option<bool>,
}

/// How an ordered value compares with the one that is written. There is no unequal: that is a negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `:` and `=`.
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => ":",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Condition {
    /// Whether a value is as asked. One of another type than the field has never is.
    #[inline]
    pub fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Condition::Exists, _) => true,
            (Condition::Text(pattern), Value::Text(text)) => pattern.matches(text),
            (Condition::Number(comparison, number), Value::Number(value)) => {
                value.partial_cmp(number).is_some_and(|ordering| comparison.holds(ordering))
            }
            (Condition::Size(comparison, bytes), Value::Number(value)) => {
                value.partial_cmp(&Number::Whole((*bytes).into())).is_some_and(|ordering| comparison.holds(ordering))
            }
            (Condition::Duration(comparison, micros), Value::Duration(value)) => comparison.holds(value.cmp(micros)),
            (Condition::Level(comparison, level), Value::Level(value)) => comparison.holds(value.cmp(level)),
            (Condition::Moment(comparison, span), Value::Moment(value)) => comparison.holds(position(value, *span)),
            (Condition::StatusClass(class), Value::Number(Number::Whole(value))) => value / 100 == i128::from(*class),
            (Condition::Network(network), Value::Text(text)) => {
                address(text).is_some_and(|address| network.contains(&address))
            }
            (Condition::Bool(wanted), Value::Bool(value)) => value == *wanted,
            (Condition::Loose(loose), value) => loose.holds(value),
            _ => false,
        }
    }
}

impl Loose {
    fn holds(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.text.matches(text),
            Value::Number(number) => self.number == Some(number),
            Value::Bool(value) => self.bool == Some(value),
            _ => false,
        }
    }
}

/// Where a moment lies beside a span.
fn position(moment: u64, span: Span) -> Ordering {
    match moment {
        moment if moment < span.from => Ordering::Less,
        moment if moment < span.to => Ordering::Equal,
        _ => Ordering::Greater,
    }
}

/// The address that a text is or begins with, an IPv4 one out of its mapping into IPv6.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}
