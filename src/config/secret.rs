//! Secrets: `"text"`, `{ env = "NAME" }` or `{ file = "PATH" }`. Messages about them never show one.

use super::finding::{Complaint, quoted};
use super::reader::{Reader, Section};
use super::tree::{Node, Value};
use crate::secret::Secret;

/// The secret of a key; absent and unreadable are both `None`.
pub(super) fn read(section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    let (name, reader) = (section.name(key), section.reader);
    value(reader, name, section.take(key)?)
}

/// The secret that a value is, called `name` in what is said about it.
pub(super) fn value<'r>(reader: &'r Reader<'r>, name: String, node: Node) -> Option<Secret> {
    match node.value {
        Value::Table(table) => referenced(reader.section(name, node.at, table)),
        _ => reader.judge(&name, node, |node| node.text().map(Secret::new)),
    }
}

/// A secret that stands in a variable or in a file of its own. A newline at the end of a file is not part of it.
fn referenced(mut section: Section<'_>) -> Option<Secret> {
    let (environment, named) = (section.reader.environment, &section.reader.named);
    let variable = section.read("env", |node| {
        let name = node.text()?;
        named.borrow_mut().insert(name.to_owned());
        let value = environment.variable(name).map(Secret::new);
        value.ok_or_else(|| Complaint::new(format!("the variable {} is not set", quoted(name)), "set it"))
    });
    let file = section.take("file").and_then(|node| {
        let (name, reader) = (section.name("file"), section.reader);
        let (_, bytes) = reader.judge(&name, node, |node| reader.file(&node))?;
        Some(Secret::new(String::from_utf8_lossy(&bytes).trim_end()))
    });
    variable.or(file)
}
