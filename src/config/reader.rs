//! Reading a tree key by key: what a section is asked for is what it knows, and what nobody asked for is unknown.
//!
//! A [`Section`] never stops at the first mistake. A key that cannot be read is reported and counts as absent.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::environment::Environment;
use super::finding::{Complaint, Findings, Scope, quoted};
use super::origin::Origins;
use super::source::{At, Kind, Sources};
use super::tree::{Entry, Node, Table, Value};
use super::unknown::Unknown;

/// What all sections of one configuration share.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e Environment,
    pub(super) sources: RefCell<Sources>,
    pub(super) findings: Findings,
    pub(super) origins: Origins,
    pub(super) unknown: RefCell<Vec<Unknown>>,
    /// Variables that are named as holding a secret: they are not there to set a key.
    pub(super) named: RefCell<BTreeSet<String>>,
    /// Every key that was asked for, as `section.key`, and whether any section had it.
    pub(super) asked: RefCell<BTreeMap<String, bool>>,
}

impl<'e> Reader<'e> {
    /// Nothing read yet.
    pub(super) fn new(environment: &'e Environment) -> Reader<'e> {
        Reader {
            environment,
            sources: RefCell::default(),
            findings: Findings::default(),
            origins: Origins::default(),
            unknown: RefCell::default(),
            named: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// A table to be read under this name.
    pub(super) fn section(&self, path: impl Into<String>, at: At, table: Table) -> Section<'_> {
        let entries = table.0.into_iter().map(Some).collect();
        Section { reader: self, path: path.into(), at, entries, known: Vec::new() }
    }

    /// What `parse` makes of a node; a complaint becomes a finding there.
    pub(super) fn judge<T>(
        &self,
        name: &str,
        node: Node,
        parse: impl FnOnce(Node) -> Result<T, Complaint>,
    ) -> Option<T> {
        if matches!(node.value, Value::Broken) {
            return None;
        }
        let at = node.at;
        let complain = |Complaint { message, hint }| {
            self.findings.error(at, Complaint::new(format!("`{name}`: {message}"), hint), Scope::Span);
        };
        parse(node).map_err(complain).ok()
    }

    /// Something that rests on more than the span where it is shown.
    pub(super) fn error(&self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.error(at, Complaint::new(message, hint), Scope::Whole);
    }

    /// Something that works, but is surely not meant.
    pub(super) fn warning(&self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.warning(at, Complaint::new(message, hint));
    }

    /// Two places that cannot both be meant.
    pub(super) fn clash(&self, at: Option<At>, first: Option<At>, complaint: Complaint) {
        if let (Some(at), Some(first)) = (at, first) {
            self.findings.contradiction(at, first, "first here", complaint);
        }
    }

    /// Whether a span stands in a variable and not in a file.
    pub(super) fn is_variable(&self, at: At) -> bool {
        self.sources.borrow().kind(at) == Kind::Variable
    }
}

/// A table that is being read. When it is dropped, the keys that nobody took are reported as unknown.
pub(super) struct Section<'r> {
    pub(super) reader: &'r Reader<'r>,
    /// Dotted, without positions in lists: `log.output`.
    pub(super) path: String,
    pub(super) at: At,
    entries: Vec<Option<Entry>>,
    known: Vec<&'static str>,
}

impl<'r> Section<'r> {
    /// The dotted name of one of its keys.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where the value of a key stands, or the section where it has no such key. Asks for nothing.
    pub(super) fn at(&self, key: &str) -> At {
        self.entries.iter().flatten().find(|entry| entry.name == key).map_or(self.at, |entry| entry.node.at)
    }

    /// Whether a key is there, not yet taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().flatten().any(|entry| entry.name == key)
    }

    /// The value of a key, not yet taken, for whoever reads it by its type.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.entries.iter().flatten().find(|entry| entry.name == key).map(|entry| &entry.node.value)
    }

    /// Takes a key out, well formed or not.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let entry = self.entries.iter_mut().find(|entry| entry.as_ref().is_some_and(|entry| entry.name == key));
        let node = entry.and_then(Option::take).map(|entry| entry.node);
        *self.reader.asked.borrow_mut().entry(self.name(key)).or_default() |= node.is_some();
        node
    }

    /// Takes all that is left: tables whose keys are names that the user chose.
    pub(super) fn take_rest(&mut self) -> Vec<Entry> {
        self.entries.iter_mut().filter_map(Option::take).collect()
    }

    /// Reads a key; absent and unreadable are both `None`.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.reader.judge(&self.name(key), node, |node| parse(&node))
    }

    /// Reads a key over the default that stands in `target`.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        target: &mut T,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) {
        if let Some(value) = self.read(key, parse) {
            *target = value;
        }
    }

    /// Reads a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        example: &str,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<T> {
        if !self.has(key) {
            let message = format!("`{}` is missing", self.name(key));
            self.reader.error(self.at, message, format!("add {key} = {example}"));
        }
        self.read(key, parse)
    }

    /// The elements of a list.
    pub(super) fn nodes(&mut self, key: &'static str) -> Option<Vec<Node>> {
        let node = self.take(key)?;
        self.reader.judge(&self.name(key), node, |node| node.array(&self.reader.findings))
    }

    /// Reads a list; elements that cannot be read are reported and left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&Node) -> Result<T, Complaint>,
    ) -> Option<Vec<T>> {
        let nodes = self.nodes(key)?;
        let name = self.name(key);
        Some(nodes.into_iter().filter_map(|node| self.reader.judge(&name, node, |node| parse(&node))).collect())
    }

    /// A file that must exist; its path as the text that names it means it.
    pub(super) fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        let node = self.take(key)?;
        self.reader.judge(&self.name(key), node, |node| self.reader.file(&node).map(|(path, _)| path))
    }

    /// A table inside it.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Section<'r>> {
        let node = self.take(key)?;
        self.reader.table(self.name(key), node)
    }

    /// A table inside it, empty where it is not written: its keys are known all the same.
    pub(super) fn table_or_empty(&mut self, key: &'static str) -> Section<'r> {
        let (name, at) = (self.name(key), self.at);
        self.table(key).unwrap_or_else(|| self.reader.section(name, at, Table::default()))
    }

    /// The tables of a `[[list]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Section<'r>> {
        self.tables_like(key, &self.name(key))
    }

    /// The tables of a list that are read as sections of another name.
    pub(super) fn tables_like(&mut self, key: &'static str, name: &str) -> Vec<Section<'r>> {
        let nodes = self.nodes(key).unwrap_or_default();
        nodes.into_iter().filter_map(|node| self.reader.table(name.to_owned(), node)).collect()
    }

    /// Says nothing about what was not taken: the section as a whole was refused.
    pub(super) fn abandon(mut self) {
        self.entries.clear();
    }

    /// Remembers where the section and its keys stand, for whoever finds fault with it later.
    pub(super) fn origin(&self) -> usize {
        let fields = self.entries.iter().flatten().map(|entry| (entry.name.clone(), entry.node.at)).collect();
        self.reader.origins.add(self.at, fields)
    }
}

impl<'r> Reader<'r> {
    /// A file that is named in the configuration, and what it holds.
    pub(super) fn file(&self, node: &Node) -> Result<(PathBuf, Vec<u8>), Complaint> {
        let path = self.sources.borrow().path(node.at, node.text()?);
        match self.environment.read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", quoted(&path.to_string_lossy()));
                Err(Complaint::new(message, "paths are relative to the file that names them"))
            }
        }
    }

    pub(super) fn table(&'r self, path: String, node: Node) -> Option<Section<'r>> {
        let at = node.at;
        let table = self.judge(&path, node, |node| node.table(&self.findings))?;
        Some(self.section(path, at, table))
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let left = self.entries.iter_mut().filter_map(Option::take);
        let unknown = left.map(|Entry { name, at, .. }| Unknown {
            at,
            section: self.path.clone(),
            name,
            known: self.known.clone(),
        });
        self.reader.unknown.borrow_mut().extend(unknown);
    }
}
