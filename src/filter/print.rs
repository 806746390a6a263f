//! The canonical form of an expression: full names, no white space that says nothing, quotes only where they are needed.

use std::fmt::{self, Display, Formatter, Write};

use super::condition::{Comparison, Condition};
use super::expression::{Expression, Node};
use super::field::{Kind, Name};
use super::pattern::Pattern;
use super::value::{Number, SIZES, UNITS};

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.root() {
            Node::All(nodes) if !nodes.is_empty() => joined(nodes, " ", f),
            Node::Any(nodes) => joined(nodes, " OR ", f),
            node => node.fmt(f),
        }
    }
}

/// As it stands within a larger one.
impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Node::All(nodes) if nodes.is_empty() => f.write_str("*"),
            Node::All(nodes) => grouped(nodes, " ", f),
            Node::Any(nodes) => grouped(nodes, " OR ", f),
            Node::Not(node) => write!(f, "-{node}"),
            Node::Words(pattern) => text(pattern, Place::Word, f),
            Node::Field(name, asked) => {
                name.fmt(f)?;
                condition(asked, name.field.kind, f)
            }
        }
    }
}

fn grouped(nodes: &[Node], joint: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('(')?;
    joined(nodes, joint, f)?;
    f.write_char(')')
}

fn joined(nodes: &[Node], joint: &str, f: &mut Formatter<'_>) -> fmt::Result {
    for (at, node) in nodes.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { joint })?;
        node.fmt(f)?;
    }
    Ok(())
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name)?;
        match &self.part {
            None => Ok(()),
            Some(part) => {
                f.write_char('.')?;
                escaped(part, Place::Word, f)
            }
        }
    }
}

/// A condition behind its field's name, operator and all.
fn condition(condition: &Condition, kind: Kind, f: &mut Formatter<'_>) -> fmt::Result {
    match condition {
        Condition::Exists => f.write_str(":*"),
        Condition::Text(pattern) => {
            f.write_str(if kind == Kind::Text && pattern.is_whole() { "=" } else { ":" })?;
            text(pattern, Place::Value, f)
        }
        Condition::Number(comparison, number) => write!(f, "{}{number}", comparison.as_str()),
        Condition::Size(comparison, bytes) => measure(*comparison, *bytes, &SIZES, f),
        Condition::Duration(comparison, micros) => measure(*comparison, *micros, &UNITS, f),
        Condition::Level(comparison, level) => {
            write!(f, "{}{}", comparison.as_str(), level.as_str().to_ascii_lowercase())
        }
        Condition::Moment(comparison, span) => write!(f, "{}{span}", comparison.as_str()),
        Condition::StatusClass(class) => write!(f, ":{class}xx"),
        Condition::Network(network) if network.prefix_len() == network.max_prefix_len() => {
            write!(f, ":{}", network.addr())
        }
        Condition::Network(network) => write!(f, ":{network}"),
        Condition::Bool(value) => write!(f, ":{value}"),
        Condition::Loose(loose) => {
            f.write_char(':')?;
            text(&loose.text, Place::Value, f)
        }
    }
}

/// In the greatest unit that leaves no remainder.
fn measure(comparison: Comparison, value: u64, units: &[(&str, u64)], f: &mut Formatter<'_>) -> fmt::Result {
    let whole = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    let (unit, factor) = *whole.unwrap_or(&("", 1));
    write!(f, "{}{}{unit}", comparison.as_str(), value / factor)
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => number.fmt(f),
            Number::Fraction(number) => number.fmt(f),
        }
    }
}

/// Where a text stands: alone, or behind an operator, where more of it is plain.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Word,
    Value,
}

/// A pattern, in quotes where it has no `*` and would not be read as it stands.
fn text(pattern: &Pattern, place: Place, f: &mut Formatter<'_>) -> fmt::Result {
    if let [text] = pattern.pieces() {
        return match is_plain(text, place) {
            true => f.write_str(text),
            false => quoted(text, f),
        };
    }
    for (at, piece) in pattern.pieces().iter().enumerate() {
        f.write_str(if at == 0 { "" } else { "*" })?;
        escaped(piece, place, f)?;
    }
    Ok(())
}

fn quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        f.write_str(if matches!(c, '"' | '\\') { "\\" } else { "" })?;
        f.write_char(c)?;
    }
    f.write_char('"')
}

fn escaped(text: &str, place: Place, f: &mut Formatter<'_>) -> fmt::Result {
    for (at, c) in text.chars().enumerate() {
        f.write_str(if is_plain_at(at, c, place) { "" } else { "\\" })?;
        f.write_char(c)?;
    }
    Ok(())
}

fn is_plain(text: &str, place: Place) -> bool {
    let is_keyword = ["and", "or", "not"].iter().any(|word| word.eq_ignore_ascii_case(text));
    !is_keyword && text.chars().enumerate().all(|(at, c)| is_plain_at(at, c, place))
}

/// Whether a character says nothing but itself.
fn is_plain_at(at: usize, c: char, place: Place) -> bool {
    match c {
        '_' | '.' | '/' | '@' | '%' | '+' | ',' | ';' | '?' | '#' | '$' => true,
        '-' => at > 0 || place == Place::Value,
        ':' | '=' | '&' => at > 0 && place == Place::Value,
        c => c.is_alphanumeric(),
    }
}
