//! Filter expressions, wherever the configuration has one.

use super::finding::{Complaint, Scope};
use super::reader::Section;
use super::source::At;
use super::tree::Node;
use crate::filter::{Error, Expression};

/// Reads a filter that is asked of records before they are written. What is wrong is shown at the very word.
pub(super) fn filter(section: &mut Section<'_>, key: &'static str) -> Option<Expression> {
    let node = section.take(key)?;
    let (name, reader) = (section.name(key), section.reader);
    let text = reader.judge(&name, node.clone(), |node| node.text().map(str::to_owned))?;
    match Expression::parse(&text) {
        Ok(expression) => match expression.first_written_field() {
            None => Some(expression),
            Some(field) => {
                let message = format!("`{name}`: `{field}` is not known yet when outputs are chosen");
                reader.error(
                    node.at,
                    message,
                    "it is the same in every record of this process, or given as one is written",
                );
                None
            }
        },
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "the reference has examples of filters".to_owned());
            let complaint = Complaint::new(format!("`{name}`: {}", error.message()), hint);
            reader.findings.error(place(section, &node, &text, &error), complaint, Scope::Span);
            None
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
