//! A parsed pattern as a program of the `regex` crate.

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

use super::{Count, Node, Set, Syntax, SyntaxError};

/// What one compiled expression may take; large counted repeats of large sets are what needs it.
const SIZE_LIMIT: usize = 4 << 20;

/// A compiled expression that answers as Python's `search()` or `fullmatch()` would.
#[derive(Debug, Clone)]
pub(in crate::routes) struct Program {
    regex: Regex,
    /// The crate's group for each group of the pattern.
    groups: Vec<usize>,
    /// Groups of our own that took the newline before which `$` matched.
    newlines: Vec<usize>,
}

/// Where a match ends, and its groups, as byte offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::routes) struct Found {
    pub(in crate::routes) end: usize,
    pub(in crate::routes) groups: Vec<Option<(usize, usize)>>,
}

impl Program {
    /// Compiles for `fullmatch()` (`whole`) or for `search()`.
    ///
    /// # Errors
    /// [`SyntaxError::TooLarge`], or what the crate says.
    pub(in crate::routes) fn new(syntax: &Syntax, whole: bool) -> Result<Program, SyntaxError> {
        let mut emitter =
            Emitter { text: String::new(), next: 1, groups: vec![0; syntax.groups.len()], newlines: Vec::new(), whole };
        emitter.text.push_str(if whole { r"\A(?:" } else { "(?:" });
        emitter.node(&syntax.root);
        emitter.text.push_str(if whole { r")\z" } else { ")" });
        let regex = RegexBuilder::new(&emitter.text).size_limit(SIZE_LIMIT).build();
        let regex = regex.map_err(|error| SyntaxError::TooLarge(error.to_string()))?;
        Ok(Program { regex, groups: emitter.groups, newlines: emitter.newlines })
    }

    /// Searches the text.
    pub(in crate::routes) fn find(&self, text: &str) -> Option<Found> {
        let captures = self.regex.captures(text)?;
        let end = captures.get(0)?.end();
        let limit = self.newlines.iter().filter_map(|&group| captures.get(group)).map(|newline| newline.start()).min();
        let limit = limit.unwrap_or(end);
        let span = |&group: &usize| captures.get(group).map(|span| (span.start().min(limit), span.end().min(limit)));
        Some(Found { end: end.min(limit), groups: self.groups.iter().map(span).collect() })
    }
}

struct Emitter {
    text: String,
    next: usize,
    groups: Vec<usize>,
    newlines: Vec<usize>,
    whole: bool,
}

impl Emitter {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Literal(character) => self.text.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
            Node::Set(set) => self.set(set),
            Node::Start => self.text.push_str(r"\A"),
            Node::End => self.text.push_str(r"\z"),
            Node::Dollar if self.whole => self.text.push_str(r"\z"),
            Node::Dollar => self.dollar(),
            Node::LineStart => self.text.push_str("(?m:^)"),
            Node::LineEnd => self.text.push_str("(?m:$)"),
            Node::Capture(number, inner) => self.capture(*number, inner),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Either(nodes) => self.either(nodes),
            Node::Repeat(inner, count) => self.repeat(inner, *count),
        }
    }

    /// The crate cannot look ahead: a final newline is taken, and given back when the match is read.
    fn dollar(&mut self) {
        self.newlines.push(self.next);
        self.next += 1;
        self.text.push_str(r"(?:\z|(\n)\z)");
    }

    fn capture(&mut self, number: usize, inner: &Node) {
        self.groups[number] = self.next;
        self.next += 1;
        self.text.push('(');
        self.node(inner);
        self.text.push(')');
    }

    fn either(&mut self, nodes: &[Node]) {
        self.text.push_str("(?:");
        for (index, node) in nodes.iter().enumerate() {
            self.text.push_str(if index == 0 { "" } else { "|" });
            self.node(node);
        }
        self.text.push(')');
    }

    fn repeat(&mut self, inner: &Node, count: Count) {
        self.text.push_str("(?:");
        self.node(inner);
        self.text.push(')');
        let _ = match (count.min, count.max) {
            (0, None) => write!(self.text, "*"),
            (1, None) => write!(self.text, "+"),
            (0, Some(1)) => write!(self.text, "?"),
            (min, None) => write!(self.text, "{{{min},}}"),
            (min, Some(max)) => write!(self.text, "{{{min},{max}}}"),
        };
        if !count.greedy {
            self.text.push('?');
        }
    }

    fn set(&mut self, set: &Set) {
        let mut ranges = set.ranges().peekable();
        if ranges.peek().is_none() {
            // The crate's notation for what never matches.
            self.text.push_str("[a&&b]");
            return;
        }
        self.text.push('[');
        for (from, to) in ranges {
            let _ = write!(self.text, r"\x{{{:x}}}-\x{{{:x}}}", u32::from(from), u32::from(to));
        }
        self.text.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn find(source: &str, whole: bool, text: &str) -> Option<(String, Vec<Option<String>>)> {
        let found = Program::new(&parse(source).unwrap(), whole).unwrap().find(text)?;
        let cut = |span: Option<(usize, usize)>| span.map(|(start, end)| text[start..end].to_owned());
        Some((text[found.end..].to_owned(), found.groups.into_iter().map(cut).collect()))
    }

    #[test]
    fn dollar_matches_before_a_final_newline_without_taking_it() {
        assert_eq!(find("^(a$)", false, "a\n"), Some(("\n".into(), vec![Some("a".into())])));
        assert_eq!(find("a$", false, "a\n\n"), None);
        assert_eq!(find("^a$", true, "a\n"), None);
        assert_eq!(find("^(?:b|(a)$)", false, "a"), Some((String::new(), vec![Some("a".into())])));
    }

    #[test]
    fn search_goes_anywhere_and_fullmatch_does_not() {
        assert_eq!(find("b(c)?", false, "abx"), Some(("x".into(), vec![None])));
        assert_eq!(find("b", true, "ab"), None);
        assert_eq!(find("^a|b$", true, "ab"), None);
        assert_eq!(find("a|ab", true, "ab"), Some((String::new(), vec![])));
    }

    #[test]
    fn an_empty_set_never_matches() {
        assert_eq!(find(r"[^\s\S]", false, "a"), None);
    }
}
