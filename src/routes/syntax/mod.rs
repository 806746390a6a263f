//! Python's regular expressions: read by Python's rules, so that nothing is taken for what it only looks like elsewhere.
//!
//! Django's patterns are written for Python's `re`. The `regex` crate reads some of the same spellings differently
//! (`$`, `\w`, `\s`, `\Z`, `a*+`, `[a&&b]`), and knows neither look-around nor back-references. So a pattern is
//! parsed here into a [`Node`] tree with one meaning; what the crate cannot do is refused, with advice.

mod emit;
mod error;
mod parse;
mod render;
mod set;

pub(super) use emit::Program;
pub(super) use error::SyntaxError;
pub(super) use parse::{is_identifier, parse};
pub(super) use render::render;
pub(super) use set::Set;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    /// What it matches.
    pub(super) root: Node,
    /// Its capturing groups in order, with their names.
    pub(super) groups: Vec<Option<String>>,
}

/// What a piece of a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// This character.
    Literal(char),
    /// One character of a set.
    Set(Set),
    /// `^`, `\A`: the beginning of the text.
    Start,
    /// `\Z`: the end of the text.
    End,
    /// `$`: the end of the text, or before a newline that ends it. Nothing that takes text may follow.
    Dollar,
    /// `^` under `(?m)`.
    LineStart,
    /// `$` under `(?m)`.
    LineEnd,
    /// A capturing group, by its number from 0.
    Capture(usize, Box<Node>),
    /// One after the other; never directly within another.
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Either(Vec<Node>),
    /// Several times.
    Repeat(Box<Node>, Count),
}

/// How many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Count {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
}

impl Node {
    /// Concatenates, flat.
    pub(super) fn concat(nodes: impl IntoIterator<Item = Node>) -> Node {
        let mut flat = Vec::new();
        for node in nodes {
            match node {
                Node::Concat(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Node::Concat(flat),
        }
    }

    /// Its parts in order; itself, if it has none.
    pub(super) fn parts(&self) -> &[Node] {
        match self {
            Node::Concat(nodes) => nodes,
            other => std::slice::from_ref(other),
        }
    }

    /// The character, if it is one.
    pub(super) fn literal(&self) -> Option<char> {
        match self {
            Node::Literal(character) => Some(*character),
            _ => None,
        }
    }

    /// Whether it can match without taking text.
    pub(super) fn nullable(&self) -> bool {
        match self {
            Node::Literal(_) | Node::Set(_) => false,
            Node::Start | Node::End | Node::Dollar | Node::LineStart | Node::LineEnd => true,
            Node::Capture(_, inner) => inner.nullable(),
            Node::Concat(nodes) => nodes.iter().all(Node::nullable),
            Node::Either(nodes) => nodes.iter().any(Node::nullable),
            Node::Repeat(inner, count) => count.min == 0 || inner.nullable(),
        }
    }

    /// Whether a `$` is anywhere in it.
    pub(super) fn has_dollar(&self) -> bool {
        match self {
            Node::Dollar => true,
            Node::Capture(_, inner) | Node::Repeat(inner, _) => inner.has_dollar(),
            Node::Concat(nodes) | Node::Either(nodes) => nodes.iter().any(Node::has_dollar),
            _ => false,
        }
    }
}
