//! A parsed expression: its tree, its evaluation, its canonical form.

use std::str::FromStr;

use super::condition::Condition;
use super::error::Error;
use super::field::Name;
use super::parser::Parser;
use super::pattern::Pattern;
use super::source::Source;
use super::table::{PATTERN, Read, SEARCHED};
use super::value::Value;

/// A filter: which records are meant.
///
/// Equal expressions print alike, and what is printed reads back as an equal expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    root: Node,
}

/// A part of an expression. Those of an [`Expression`] are simplified: no `All` within an `All`, no `Any` within an
/// `Any`, no `Not` within a `Not`, none of them with a single member; only the `All` without members is there, and means
/// every record.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// All of these: terms side by side.
    All(Vec<Node>),
    /// At least one of these: `OR`.
    Any(Vec<Node>),
    /// Not this: `-`, `NOT`, `!=`.
    Not(Box<Node>),
    /// Words: found in the message, the path, the exception's message or the user agent.
    Words(Pattern),
    /// A field's value is as asked. With several values (`view_args`, `labels` without a part, `route`) one is enough;
    /// absent, it never is.
    Field(Name, Condition),
}

impl Expression {
    /// Reads an expression; one of nothing but white space, or `*`, means every record.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Expression, Error> {
        Ok(Expression { root: Parser::parse(text)? })
    }

    /// Whether a record is meant. Nothing is allocated.
    #[inline]
    pub fn matches(&self, record: &impl Source) -> bool {
        self.root.matches(record)
    }

    /// Its tree, for whoever asks the same of something else than a record.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it says nothing, so that every record is meant.
    pub fn means_everything(&self) -> bool {
        matches!(&self.root, Node::All(nodes) if nodes.is_empty())
    }

    /// The first field it names that only a written line has (`seq`, `instance`, `service`, `environment`): on a
    /// [`Record`](crate::record::Record), before an output has written it, such a field is absent.
    pub fn first_written_field(&self) -> Option<&'static str> {
        self.root.first_written_field()
    }
}

/// Every record.
impl Default for Expression {
    fn default() -> Expression {
        Expression { root: Node::All(Vec::new()) }
    }
}

impl FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expression, Error> {
        Expression::parse(text)
    }
}

impl Node {
    /// All of these, simplified.
    pub(super) fn all(nodes: Vec<Node>) -> Node {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Node::All(nodes) => nodes,
            node => vec![node],
        });
        Node::only(flat.collect(), Node::All)
    }

    /// At least one of these, simplified; there must be one.
    pub(super) fn any(nodes: Vec<Node>) -> Node {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Node::Any(nodes) => nodes,
            node => vec![node],
        });
        Node::only(flat.collect(), Node::Any)
    }

    fn only(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
        match nodes.len() {
            1 => nodes.swap_remove(0),
            _ => join(nodes),
        }
    }

    /// Not this, simplified.
    pub(super) fn not(node: Node) -> Node {
        match node {
            Node::Not(node) => *node,
            node => Node::Not(Box::new(node)),
        }
    }

    pub(super) fn matches(&self, record: &impl Source) -> bool {
        match self {
            Node::All(nodes) => nodes.iter().all(|node| node.matches(record)),
            Node::Any(nodes) => nodes.iter().any(|node| node.matches(record)),
            Node::Not(node) => !node.matches(record),
            Node::Words(pattern) => {
                let found = |value: Value<'_>| matches!(value, Value::Text(text) if pattern.matches(text));
                SEARCHED.iter().any(|field| record.any(field, None, found))
            }
            Node::Field(name, condition) => {
                let exists = matches!(condition, Condition::Exists) && name.field.name == PATTERN.name;
                let field = if exists { &PATTERN } else { name.field };
                record.any(field, name.part.as_deref(), |value| condition.holds(value))
            }
        }
    }

    fn first_written_field(&self) -> Option<&'static str> {
        match self {
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().find_map(Node::first_written_field),
            Node::Not(node) => node.first_written_field(),
            Node::Words(_) => None,
            Node::Field(name, _) => matches!(name.field.read, Read::Written).then_some(name.field.name),
        }
    }
}
