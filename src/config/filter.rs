//! Filter expressions, wherever the configuration has one.

use super::finding::{Complaint, Scope};
use super::reader::Section;
use super::source::At;
use super::tree::Node;
use crate::filter::{self, Error, Expression};

/// Reads a filter that is asked of records before they are written. What is wrong is shown at the very word.
pub(super) fn filter(section: &mut Section<'_>, key: &'static str) -> Option<Expression> {
    asked_of(section, key, |expression| {
        let field = expression.first_written_field()?;
        let message = format!("`{field}` is not known yet when outputs are chosen");
        Some(Complaint::new(message, "it is the same in every record of this process, or given as one is written"))
    })
}

/// Reads a filter that is asked of requests when the head of their answer is there.
pub(super) fn filter_at_head(section: &mut Section<'_>, key: &'static str) -> Option<Expression> {
    asked_of(section, key, |expression| {
        let field = unknown_at_head(expression.root())?;
        let message = format!("`{field}` is not known yet when the head of an answer is there");
        Some(Complaint::new(
            message,
            "ask for what the request and its answer's head tell, such as status, route or user",
        ))
    })
}

/// Reads a filter, if nothing speaks against asking it where it is asked.
fn asked_of(
    section: &mut Section<'_>,
    key: &'static str,
    objection: impl FnOnce(&Expression) -> Option<Complaint>,
) -> Option<Expression> {
    let node = section.take(key)?;
    let (name, reader) = (section.name(key), section.reader);
    let text = reader.judge(&name, node.clone(), |node| node.text().map(str::to_owned))?;
    let expression = match Expression::parse(&text) {
        Ok(expression) => expression,
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "the reference has examples of filters".to_owned());
            let complaint = Complaint::new(format!("`{name}`: {}", error.message()), hint);
            reader.findings.error(place(section, &node, &text, &error), complaint, Scope::Span);
            return None;
        }
    };
    match objection(&expression) {
        None => Some(expression),
        Some(complaint) => {
            reader.error(node.at, format!("`{name}`: {}", complaint.message), complaint.hint);
            None
        }
    }
}

/// The first field that the end of a request tells.
fn unknown_at_head(node: &filter::Node) -> Option<&'static str> {
    match node {
        filter::Node::All(nodes) | filter::Node::Any(nodes) => nodes.iter().find_map(unknown_at_head),
        filter::Node::Not(node) => unknown_at_head(node),
        filter::Node::Words(_) => None,
        filter::Node::Field(name, _) => {
            Some(name.field).filter(|field| !field.known.is_told_by_answer()).map(|field| field.name)
        }
    }
}

/// Where in the file the fault is, if the expression is written there as it is read; else where it stands as a whole.
fn place(section: &Section<'_>, node: &Node, text: &str, error: &Error) -> At {
    let Some(content) = section.reader.sources.borrow().content(node.at, text) else { return node.at };
    let offset = |characters: usize| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    let (start, end) = (offset(error.column - 1), offset(error.column - 1 + error.length));
    // What is missing at the end has no character of its own: the closing quote stands for it.
    At { start: content.start + start, end: content.start + end.max(start + 1), ..content }
}
