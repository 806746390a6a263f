//! From a field, an operator and what is written behind it to a [`Condition`].

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::condition::{Comparison, Condition, Loose};
use super::error::{self, Error, Mistake};
use super::field::{Kind, Name};
use super::moment::Span;
use super::pattern::Pattern;
use super::reader::Written;
use super::value::{self, Number};

/// What stands between a field and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `:`
    Has,
    /// `=`, `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`, `<=`, `>`, `>=`
    Ordered(Comparison),
}

impl Operator {
    /// The operator of this name, if it is one.
    pub(super) fn read(symbol: &str) -> Option<Operator> {
        Some(match symbol {
            ":" => Operator::Has,
            "=" | "==" => Operator::Equal,
            "!=" => Operator::Unequal,
            "<" => Operator::Ordered(Comparison::Less),
            "<=" => Operator::Ordered(Comparison::LessOrEqual),
            ">" => Operator::Ordered(Comparison::Greater),
            ">=" => Operator::Ordered(Comparison::GreaterOrEqual),
            _ => return None,
        })
    }

    /// Whether it asks for no order.
    pub(super) fn is_equality(self) -> bool {
        self.comparison() == Comparison::Equal
    }

    /// An error about it and what it does not go with.
    pub(super) fn refused_with(self, with: impl Into<String>, hint: &'static str) -> Mistake {
        Mistake::WrongOperator { operator: self.comparison().as_str(), with: with.into(), hint }
    }

    fn comparison(self) -> Comparison {
        match self {
            Operator::Ordered(comparison) => comparison,
            Operator::Has | Operator::Equal | Operator::Unequal => Comparison::Equal,
        }
    }
}

/// What is asked of a field's value; whether it is negated is up to the caller.
pub(super) fn condition(name: &Name, operator: Operator, written: &Written) -> Result<Condition, Error> {
    let (field, kind) = (name.field.name, name.field.kind);
    let refuse = |mistake| Err(written.refuse(mistake));
    if !operator.is_equality() && !kind.is_ordered() {
        return refuse(operator.refused_with(format!("`{field}`"), "its values have no order: use : or ="));
    }
    if written.is_anything() {
        return match operator.is_equality() {
            true => Ok(Condition::Exists),
            false => refuse(operator.refused_with("`*`", "to ask whether there is any value, use :")),
        };
    }
    match value(kind, operator, written) {
        Some(Condition::StatusClass(_)) if !operator.is_equality() => {
            refuse(operator.refused_with("a class of status codes", "write >=500, or :5xx"))
        }
        Some(condition) => Ok(condition),
        None => refuse(Mistake::WrongValue { field, value: written.quoted(), expected: expected(kind, written) }),
    }
}

fn expected(kind: Kind, written: &Written) -> String {
    if written.text().is_empty() {
        return "no value is an empty text; for an absent one write - before FIELD:*".to_owned();
    }
    match kind {
        Kind::Choice(tokens) => meant(&written.text(), tokens),
        Kind::Level => meant(&written.text(), &LEVELS),
        kind => kind.example().to_owned(),
    }
}

/// The word that was probably meant, or all there are.
fn meant(text: &str, words: &[&'static str]) -> String {
    match error::nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean {word}?"),
        None => format!("write one of {}", words.join(", ")),
    }
}

const LEVELS: [&str; 5] = ["debug", "info", "warning", "error", "critical"];

fn value(kind: Kind, operator: Operator, written: &Written) -> Option<Condition> {
    if written.text().is_empty() {
        return None;
    }
    match kind {
        Kind::Text => Some(Condition::Text(pattern(written, operator != Operator::Has, true))),
        Kind::Word => Some(Condition::Text(pattern(written, true, true))),
        Kind::Exact => Some(Condition::Text(pattern(written, true, false))),
        Kind::Choice(tokens) => choice(tokens, written),
        Kind::Address | Kind::Peer => address(kind, written),
        Kind::Any if operator.is_equality() => Some(Condition::Loose(loose(written))),
        _ => ordered(kind, operator.comparison(), written),
    }
}

fn pattern(written: &Written, whole: bool, folded: bool) -> Pattern {
    Pattern::new(written.pieces.clone(), whole, folded)
}

/// A text that at least one of the tokens is like.
fn choice(tokens: &[&str], written: &Written) -> Option<Condition> {
    let pattern = pattern(written, true, true);
    let possible = tokens.iter().any(|token| pattern.matches(token.as_bytes()));
    possible.then_some(Condition::Text(pattern))
}

fn loose(written: &Written) -> Loose {
    let text = written.plain();
    Loose {
        number: text.and_then(Number::parse),
        bool: text.and_then(|text| text.parse().ok()),
        text: pattern(written, true, false),
    }
}

/// What is not a text, and so has no `*`.
fn ordered(kind: Kind, comparison: Comparison, written: &Written) -> Option<Condition> {
    let text = written.plain()?;
    Some(match kind {
        Kind::Number | Kind::Any => Condition::Number(comparison, Number::parse(text)?),
        Kind::Status => status(comparison, text)?,
        Kind::Size => Condition::Size(comparison, value::size(text)?),
        Kind::Duration => Condition::Duration(comparison, value::duration(text)?),
        Kind::Level => Condition::Level(comparison, value::level(text)?),
        Kind::Moment => Condition::Moment(comparison, Span::parse(text)?),
        Kind::Bool => Condition::Bool(text.parse().ok()?),
        Kind::Flag => Condition::Bool(text.parse().ok().filter(|yes| *yes)?),
        _ => return None,
    })
}

/// A status code, or a class of them: `5xx`.
fn status(comparison: Comparison, text: &str) -> Option<Condition> {
    match text.as_bytes() {
        [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] => Some(Condition::StatusClass(class - b'0')),
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => Some(Condition::Number(comparison, Number::parse(text)?)),
        _ => None,
    }
}

/// An address or a network; else a text where addresses are written in part, hashed, or with their port.
fn address(kind: Kind, written: &Written) -> Option<Condition> {
    let text = || Some(Condition::Text(pattern(written, true, true)));
    let Some(plain) = written.plain() else { return text() };
    let network = plain.parse::<IpNet>().ok().or_else(|| plain.parse::<IpAddr>().ok().map(IpNet::from));
    if let Some(network) = network {
        return Some(Condition::Network(canonical(network)));
    }
    let host = plain.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(host, _)| host);
    let is_peer = kind == Kind::Peer && (host.is_some() || plain.starts_with("unix:"));
    if is_hash(plain) || is_peer { text() } else { None }
}

/// What stands for an address where `log.redact` hashes them.
fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without the bits that do not count, and out of the mapping of IPv4 into IPv6.
fn canonical(network: IpNet) -> IpNet {
    let mapped = |v6: Ipv6Net| {
        let prefix = v6.prefix_len().checked_sub(96)?;
        Some(IpNet::V4(Ipv4Net::new(v6.addr().to_ipv4_mapped()?, prefix).ok()?))
    };
    match network {
        IpNet::V6(v6) => mapped(v6).unwrap_or(network).trunc(),
        IpNet::V4(_) => network.trunc(),
    }
}
