//! What can be told of a line before it is read as JSON: that it surely is not meant.
//!
//! Between the quotes of a line without a single backslash every text stands as it is, and a `"` is nothing but the
//! beginning or the end of a text. So a value that has to be there can be looked for in the bytes, and a member by its
//! name in quotes and the colon behind it. It may lie in an object within, or under another name: then the line is read
//! for nothing. Never is one passed over that is meant. Of a line with a backslash nothing is told.

use memchr::{memchr, memmem};

use super::condition::Condition;
use super::expression::{Expression, Node};
use super::field::{Field, Kind, Name};
use super::pattern::{Finder, Pattern};
use super::table::{Group, Read};
use super::value::{Number, Value};

/// Tells most lines in the native schema that an expression does not mean by a look at their bytes.
#[derive(Debug, Clone)]
pub struct Prefilter {
    test: Test,
}

/// What must hold of the bytes where a part of the expression holds.
#[derive(Debug, Clone)]
enum Test {
    /// Nothing is known.
    Nothing,
    All(Vec<Test>),
    Any(Vec<Test>),
    /// This text is in it.
    Contains(Finder),
    /// A member is in it with a value as asked.
    Member(Box<Member>),
}

#[derive(Debug, Clone)]
struct Member {
    /// The name in its quotes.
    name: memmem::Finder<'static>,
    kind: Kind,
    condition: Condition,
}

impl Prefilter {
    /// What the lines of an expression have in common.
    pub fn new(expression: &Expression) -> Prefilter {
        Prefilter { test: test(expression.root()) }
    }

    /// `false` when the expression surely does not mean this line.
    pub fn may_match(&self, line: &[u8]) -> bool {
        self.test.may_hold(line) || memchr(b'\\', line).is_some()
    }
}

fn test(node: &Node) -> Test {
    match node {
        Node::All(nodes) => all(nodes.iter().map(test)),
        Node::Any(nodes) => any(nodes.iter().map(test)),
        Node::Not(_) => Test::Nothing,
        Node::Words(pattern) => pieces(pattern),
        Node::Field(name, condition) => of_field(name, condition),
    }
}

fn all(tests: impl Iterator<Item = Test>) -> Test {
    let telling: Vec<Test> = tests.filter(|test| !matches!(test, Test::Nothing)).collect();
    if telling.is_empty() { Test::Nothing } else { Test::All(telling) }
}

fn any(tests: impl Iterator<Item = Test>) -> Test {
    let tests: Vec<Test> = tests.collect();
    if tests.iter().any(|test| matches!(test, Test::Nothing)) { Test::Nothing } else { Test::Any(tests) }
}

fn pieces(pattern: &Pattern) -> Test {
    let pieces = pattern.pieces().iter().filter(|piece| !piece.is_empty());
    all(pieces.map(|piece| Test::Contains(Finder::new(piece, pattern.ignores_case()))))
}

fn of_field(name: &Name, condition: &Condition) -> Test {
    let member = |key: &str| member(key, name.field, condition);
    match (name.field.read, name.part.as_deref()) {
        (_, Some(part)) => member(part),
        // A view's name may be asked for by what is only in the pattern.
        (Read::Group(Group::Route), None) => any(["view_name", "route"].into_iter().map(member)),
        (_, None) => member(name.field.name),
    }
}

fn member(key: &str, field: &Field, condition: &Condition) -> Test {
    let name = memmem::Finder::new(&format!("\"{key}\"")).into_owned();
    Test::Member(Box::new(Member { name, kind: field.kind, condition: condition.clone() }))
}

impl Test {
    fn may_hold(&self, line: &[u8]) -> bool {
        match self {
            Test::Nothing => true,
            Test::All(tests) => tests.iter().all(|test| test.may_hold(line)),
            Test::Any(tests) => tests.iter().any(|test| test.may_hold(line)),
            Test::Contains(finder) => finder.end_in(line).is_some(),
            Test::Member(member) => member.may_hold(line),
        }
    }
}

impl Member {
    fn may_hold(&self, line: &[u8]) -> bool {
        let mut rest = line;
        while let Some(at) = self.name.find(rest) {
            let behind = &rest[at + self.name.needle().len()..];
            // Without a colon it is a text that says the same as the name.
            if let Some(value) = behind.trim_ascii_start().strip_prefix(b":")
                && self.may_be(value.trim_ascii_start())
            {
                return true;
            }
            // The quote at its end may be the one at the beginning of the name that is meant: `","`.
            rest = &rest[at + 1..];
        }
        false
    }

    /// Whether what begins here may be a value as asked.
    fn may_be(&self, text: &[u8]) -> bool {
        let value = match text.first() {
            Some(b'"') => memchr(b'"', &text[1..]).map(|end| Value::Text(&text[1..=end])),
            Some(b't') => Some(Value::Bool(true)),
            Some(b'f') => Some(Value::Bool(false)),
            Some(b'n') => return false,
            Some(b'-' | b'0'..=b'9') => number(text).map(Value::Number),
            // An array, an object, or something broken.
            _ => None,
        };
        value.is_none_or(|value| self.condition.holds(value.typed(self.kind)))
    }
}

/// A number without an exponent, and what ends it.
fn number(text: &[u8]) -> Option<Number> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'))?;
    Number::parse(std::str::from_utf8(&text[..end]).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_match(filter: &str, line: &str) -> bool {
        Prefilter::new(&Expression::parse(filter).unwrap()).may_match(line.as_bytes())
    }

    #[test]
    fn lines_that_are_not_meant_are_told_by_their_bytes() {
        let line = r#"{"level":"INFO","message":"Request completed","path":"/a","view_name":"b","route":"/c","status_code" : 404,"duration":0.25}"#;
        for meant in [
            "status:404",
            "level>=info",
            "REQUEST",
            "status:4xx duration:250ms",
            "status:200 OR path:/a",
            "route:/c",
            "*",
        ] {
            assert!(may_match(meant, line), "{meant}");
        }
        for other in
            ["status>=500", "level>info", "started", "status:404 path:/b", "status:200 OR path:/b", "route:d", "user:*"]
        {
            assert!(!may_match(other, line), "{other}");
        }
    }

    #[test]
    fn a_backslash_a_negation_and_a_nested_value_say_nothing() {
        assert!(may_match("path:/b", r#"{"path":"\/b"}"#));
        assert!(may_match("-path:/b", r#"{"path":"/b"}"#));
        assert!(may_match("view_kwargs:7", r#"{"view_kwargs":{"pk":7}}"#));
        assert!(may_match("duration>1", r#"{"duration":1e3}"#));
    }

    #[test]
    fn a_name_of_one_comma_is_found_behind_a_comma() {
        assert!(may_match("fields.\\,:5", r#"{"a":"b",",":5}"#));
    }

    #[test]
    fn a_text_that_reads_like_a_name_is_none() {
        assert!(!may_match("status:404", r#"{"path":"status_code","view_name":"status_code"}"#));
    }
}
