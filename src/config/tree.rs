//! Configuration as written: a tree of values, each with its place, before anything is made of them.
//!
//! It is not the TOML parser's own tree, because a value may also come from a variable (which has no type of its own),
//! because keys are kept in the order they were written, and because a value that was complained about once must stay
//! silent from then on ([`Value::Broken`]).

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::expand;
use super::finding::{Complaint, Findings, Scope};
use super::source::At;

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
}

/// What TOML knows, and two things that it does not.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    /// The text of a variable or of an argument; it is whatever type is asked of it.
    Untyped(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date,
    Array(Vec<Node>),
    Table(Table),
    /// Reported already.
    Broken,
}

/// Keys in the order they were written.
#[derive(Clone, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The key, not the value.
    pub(super) at: At,
    pub(super) node: Node,
}

/// Parses a TOML document. What the parser could not read is a finding, and is left out of the tree.
pub(super) fn parse(source: usize, text: &str, environment: &Environment, findings: &Findings) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or_default();
        let at = At { source, start: span.start, end: span.end };
        findings.error(at, syntax_complaint(error.message()), Scope::Syntax);
    }
    Builder { source, offset: 0, text, environment: Some(environment), findings }.table(document.into_inner())
}

/// A TOML value inside the text of a variable, where `offset` bytes stand before it. Nothing is expanded in it.
fn parse_untyped(node: &Node, text: &str, findings: &Findings) -> Result<Value, Complaint> {
    let value = DeValue::parse(text).map_err(|error| syntax_complaint(error.message()))?;
    let builder = Builder { source: node.at.source, offset: node.at.start, text, environment: None, findings };
    Ok(builder.node(value).value)
}

/// The parser says "what, expected what": the second half is the hint.
fn syntax_complaint(message: &str) -> Complaint {
    let (what, hint) = match message.split_once(", expected ") {
        _ if message.starts_with("string values must be quoted") => {
            ("no value", "give the key a value; text stands in quotes".to_owned())
        }
        Some((what, "nothing")) => (what, "take it out".to_owned()),
        Some((what, expected)) => (what, format!("expected {expected}")),
        None if message == "duplicate key" => (message, "keep one of the two".to_owned()),
        None => (message, "look at the quotes, brackets and commas around it".to_owned()),
    };
    Complaint::new(format!("syntax: {what}"), hint)
}

/// Turns the parser's tree into ours.
struct Builder<'a> {
    source: usize,
    offset: usize,
    text: &'a str,
    /// `None`: strings are taken as they are.
    environment: Option<&'a Environment>,
    findings: &'a Findings,
}

impl Builder<'_> {
    /// In the order of the text, which the parser does not keep.
    fn table(&self, table: DeTable<'_>) -> Table {
        let entry = |(key, value): (Spanned<Cow<'_, str>>, _)| Entry {
            at: self.at(key.span()),
            name: key.into_inner().into_owned(),
            node: self.node(value),
        };
        let mut entries: Vec<Entry> = table.into_iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.at);
        Table(entries)
    }

    /// A value and all below it. The parser has bounded how deep that is.
    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let at = self.at(value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => self.string(at, text.into_owned()),
            DeValue::Integer(number) => self.number(at, i64::from_str_radix(number.as_str(), number.radix()).ok()),
            DeValue::Float(number) => number.as_str().parse().map_or(Value::Broken, Value::Float),
            DeValue::Boolean(yes) => Value::Boolean(yes),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(values) => Value::Array(values.into_iter().map(|value| self.node(value)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { at, value }
    }

    /// A span of the parser's as one of ours.
    fn at(&self, span: std::ops::Range<usize>) -> At {
        At { source: self.source, start: self.offset + span.start, end: self.offset + span.end }
    }

    /// TOML numbers may be longer than ours.
    fn number(&self, at: At, number: Option<i64>) -> Value {
        if number.is_none() {
            let complaint = Complaint::new("the number is too large", "64 bits, with a sign, are the most");
            self.findings.error(at, complaint, Scope::Span);
        }
        number.map_or(Value::Broken, Value::Integer)
    }

    /// A string with its variables put in; each one that is not set is a finding of its own.
    fn string(&self, at: At, text: String) -> Value {
        let Some(environment) = self.environment else { return Value::Text(text) };
        match expand::expand(&text, environment) {
            Ok(expanded) => Value::Text(expanded),
            Err(errors) => {
                for error in errors {
                    self.findings.error(self.within(at, error.reference()), error.complaint(), Scope::Span);
                }
                Value::Broken
            }
        }
    }

    /// Where a piece of a string stands, if it is written there just so.
    fn within(&self, at: At, piece: &str) -> At {
        let written = self.text.get(at.start - self.offset..at.end - self.offset).unwrap_or("");
        match written.find(piece) {
            Some(found) => At { start: at.start + found, end: at.start + found + piece.len(), ..at },
            None => at,
        }
    }
}

impl Node {
    /// A string.
    pub(super) fn text(&self) -> Result<&str, Complaint> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Ok(text),
            _ => Err(self.wrong_type("a string", "put it in quotes")),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self) -> Result<i64, Complaint> {
        let number = match &self.value {
            Value::Integer(number) => Some(*number),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.wrong_type("a whole number", "write it in digits, without quotes"))
    }

    /// Any number.
    pub(super) fn number(&self) -> Result<f64, Complaint> {
        let number = match &self.value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.wrong_type("a number", "write it in digits, without quotes"))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, Complaint> {
        let yes = match &self.value {
            Value::Boolean(yes) => Some(*yes),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        yes.ok_or_else(|| self.wrong_type("true or false", "write it without quotes"))
    }

    /// A list; a variable gives one as TOML (`["a", "b"]`) or as `a,b`.
    pub(super) fn array(self, findings: &Findings) -> Result<Vec<Node>, Complaint> {
        match self.value {
            Value::Array(nodes) => Ok(nodes),
            Value::Untyped(ref text) if text.trim_start().starts_with('[') => {
                let value = parse_untyped(&self, text, findings)?;
                Node { at: self.at, value }.array(findings)
            }
            Value::Untyped(text) => Ok(comma_separated(self.at, &text)),
            _ => Err(self.wrong_type("a list", "put it in brackets: [ … ]")),
        }
    }

    /// A table; a variable gives one as TOML (`{ a = 1 }`).
    pub(super) fn table(self, findings: &Findings) -> Result<Table, Complaint> {
        match self.value {
            Value::Table(table) => Ok(table),
            Value::Untyped(ref text) if text.trim_start().starts_with('{') => {
                let value = parse_untyped(&self, text, findings)?;
                Node { at: self.at, value }.table(findings)
            }
            _ => Err(self.wrong_type("a table", "write { key = value, … } or a [section] of its own")),
        }
    }

    /// What was expected, and what is there.
    fn wrong_type(&self, expected: &str, hint: &str) -> Complaint {
        Complaint::new(format!("{expected} is expected here, this is {}", self.type_name()), hint)
    }

    /// With its article, for a sentence.
    fn type_name(&self) -> &'static str {
        match self.value {
            Value::Text(_) | Value::Untyped(_) => "a string",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a fraction",
            Value::Boolean(_) => "true or false",
            Value::Date => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
            Value::Broken => "unreadable",
        }
    }
}

/// `a, b` as two untyped values, each with its place.
fn comma_separated(at: At, text: &str) -> Vec<Node> {
    let mut start = at.start;
    let piece = |piece: &str| {
        let before = piece.len() - piece.trim_start().len();
        let at = At { start: start + before, end: start + before + piece.trim().len(), ..at };
        start += piece.len() + 1;
        Node { at, value: Value::Untyped(piece.trim().to_owned()) }
    };
    let nodes: Vec<Node> = text.split(',').map(piece).collect();
    nodes.into_iter().filter(|node| node.at.start < node.at.end).collect()
}
