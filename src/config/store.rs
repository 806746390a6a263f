//! `[store]`: where records are kept, and for how long.

use std::path::PathBuf;

use super::finding::Complaint;
use super::later;
use super::reader::Section;
use super::tree::{Node, Value};
use super::value::{name, size_limit, time_limit};
use crate::store::Settings;

/// `[store]`; `None` where there is none, and for `store = "off"`.
pub(super) fn read(root: &mut Section<'_>) -> Option<Settings> {
    if matches!(root.value("store"), Some(Value::Text(text) | Value::Untyped(text)) if text.trim() == "off") {
        drop(root.take("store"));
        return None;
    }
    let mut section = root.table("store")?;
    section.read("engine", engine);
    let origin = section.origin();
    let mut settings = Settings { origin, ..Settings::new(folder(&mut section)) };
    if let Some(mut retention) = section.table("retention") {
        retention.set("age", &mut settings.age, time_limit);
        retention.set("size", &mut settings.size, size_limit);
        retention.set("statistics", &mut settings.statistics, time_limit);
    }
    Some(settings)
}

/// `path`; it is made where it is missing.
fn folder(section: &mut Section<'_>) -> PathBuf {
    let (reader, at) = (section.reader, section.at);
    let path = |at, text: &str| reader.sources.borrow().path(at, text);
    section.read("path", |node| Ok(path(node.at, &name(node)?))).unwrap_or_else(|| path(at, "data"))
}

/// `engine`: there is one.
fn engine(node: &Node) -> Result<(), Complaint> {
    match node.text()? {
        "sqlite" => Ok(()),
        "clickhouse" => Err(later::not_yet("clickhouse")),
        other => Err(Complaint::new(format!("`{other}` is no engine"), "take it out: there is only \"sqlite\"")),
    }
}
