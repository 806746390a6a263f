//! Variables that set keys: `GATELOG_LOG__LEVEL=debug` is `log.level`, `GATELOG_LISTEN__0__ADDRESS=…` the first
//! `listen`'s `address`.
//!
//! They are put into the tree before it is read, so that a value from a variable is checked like any other.

use super::finding::Complaint;
use super::reader::Reader;
use super::source::{At, Kind};
use super::tree::{Entry, Node, Table, Value};

/// Puts every `GATELOG_…` variable of the environment into the tree.
pub(super) fn apply(root: &mut Table, reader: &Reader<'_>) {
    for (name, value) in reader.environment.variables() {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let source = reader.sources.borrow_mut().add(Kind::Variable, name, format!("{name}={value}"));
        let key = At { source, start: 0, end: name.len() };
        let at = At { source, start: name.len() + 1, end: name.len() + 1 + value.len() };
        let node = Node { at, value: Value::Untyped(value.to_owned()) };
        let path: Vec<String> = path.split(LEVELS).take(DEEPEST + 1).map(str::to_ascii_lowercase).collect();
        let set = if path.len() > DEEPEST { Err(names_nothing()) } else { set_in_table(root, &path, key, node) };
        if let Err(complaint) = set {
            reader.findings.warning(key, complaint);
        }
    }
}

/// What marks a variable as ours, and what stands between its levels.
const PREFIX: &str = "GATELOG_";
const LEVELS: &str = "__";

/// Far below any key; what is built here is walked by recursion.
const DEEPEST: usize = 32;

/// For a variable that is nothing but a prefix, or far too deep.
fn names_nothing() -> Complaint {
    Complaint::new("the variable names no key", "GATELOG_LOG__LEVEL is `log.level`")
}

/// Sets a key, whatever case it is written in: variables are all capitals.
fn set_in_table(table: &mut Table, path: &[String], key: At, node: Node) -> Result<(), Complaint> {
    let Some((name, rest)) = path.split_first().filter(|(name, _)| !name.is_empty()) else {
        return Err(names_nothing());
    };
    let found = table.0.iter().position(|entry| entry.name.to_ascii_lowercase() == *name);
    let index = found.unwrap_or_else(|| {
        table.0.push(Entry { name: name.clone(), at: key, node: empty(rest, key) });
        table.0.len() - 1
    });
    let entry = &mut table.0[index];
    if rest.is_empty() {
        entry.at = key;
    }
    set(&mut entry.node, rest, key, node)
}

/// What a key that was not written begins with, by what is to be put into it.
fn empty(rest: &[String], at: At) -> Node {
    let value = match rest.first() {
        Some(position) if position.parse::<usize>().is_ok() => Value::Array(Vec::new()),
        _ => Value::Table(Table::default()),
    };
    Node { at, value }
}

/// Replaces a value, or goes one level deeper.
fn set(target: &mut Node, path: &[String], key: At, node: Node) -> Result<(), Complaint> {
    let Some(name) = path.first() else {
        *target = node;
        return Ok(());
    };
    match &mut target.value {
        Value::Table(table) => set_in_table(table, path, key, node),
        Value::Array(nodes) => set_in_array(nodes, name, &path[1..], key, node),
        _ => Err(Complaint::new("the variable names a key inside a value that has none", "take off its last level")),
    }
}

/// Sets an element, or adds one right behind the last.
fn set_in_array(nodes: &mut Vec<Node>, name: &str, rest: &[String], key: At, node: Node) -> Result<(), Complaint> {
    let position = name.parse::<usize>().ok().filter(|position| *position <= nodes.len()).ok_or_else(|| {
        let message = format!("the list has {} entries, the variable names entry {name}", nodes.len());
        Complaint::new(message, "entries count from 0, and the one behind the last adds an entry")
    })?;
    if position == nodes.len() {
        nodes.push(empty(rest, key));
    }
    set(&mut nodes[position], rest, key, node)
}
