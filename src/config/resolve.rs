//! From texts to a [`Config`]: the sections in their order, and what only shows when all of them are read.

#[cfg(test)]
use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Complaint, Finding, Scope};
use super::problem::Severity;
use super::reader::{Reader, Section};
use super::source::{At, Kind};
use super::tree::{self, Node};
use super::value::{duration, is_off};
use super::{
    Config, Environment, Loaded, Places, Source, admin, alerts, events, identity, listen, log, overrides, routes,
    store, upstream,
};
use crate::exchange;
use crate::routes::Table;

/// See [`super::load`].
pub(super) fn load(source: &Source, environment: &Environment) -> Loaded {
    let reader = Reader::new(environment);
    let table = match &source.file {
        None => {
            reader.sources.borrow_mut().add(Kind::Argument, "command line", "");
            tree::Table::default()
        }
        Some(path) => {
            let name = path.to_string_lossy();
            match environment.read(path) {
                Ok(bytes) => reader.document(&name, bytes),
                Err(error) => {
                    let at = At::whole(reader.sources.borrow_mut().add(Kind::File, name, ""));
                    reader.error(at, format!("the configuration cannot be read: {error}"), FILE_HINT);
                    return finish(reader, None, None);
                }
            }
        }
    };
    settle(reader, table, &source.upstreams)
}

const FILE_HINT: &str = "look at the path after --config; without it gatelog.toml of the current directory is read";

/// See [`super::load_bytes`].
pub(super) fn load_bytes(name: &str, bytes: Vec<u8>, environment: &Environment) -> Loaded {
    let reader = Reader::new(environment);
    let table = reader.document(name, bytes);
    settle(reader, table, &[])
}

/// Loads, and lists every key that was asked for, with whether it was there.
#[cfg(test)]
pub(super) fn load_and_list_keys(bytes: Vec<u8>, environment: &Environment) -> (Loaded, BTreeMap<String, bool>) {
    let reader = Reader::new(environment);
    let table = reader.document("gatelog.toml", bytes);
    let (config, table) = read(reader.section("", At::whole(0), table), &[]);
    let asked = reader.asked.borrow().clone();
    (finish(reader, Some(config), table), asked)
}

/// Puts variables over the tree and reads it.
fn settle(reader: Reader<'_>, mut table: tree::Table, upstreams: &[String]) -> Loaded {
    overrides::apply(&mut table, &reader);
    let (config, table) = read(reader.section("", At::whole(0), table), upstreams);
    finish(reader, Some(config), table)
}

/// The whole configuration, section by section.
fn read(mut root: Section<'_>, arguments: &[String]) -> (Config, Option<Table>) {
    let reader = root.reader;
    let workers = root.read("workers", workers).flatten();
    let shutdown_grace = root.read("shutdown_grace", duration).unwrap_or(SHUTDOWN_GRACE);
    let listeners = listen::listeners(&mut root);
    let limits = listen::limits(root.table_or_empty("limits"));
    let mut exchange = exchange::Settings::default();
    identity::read(root.table_or_empty("identity"), &mut exchange);
    listen::check_trust(reader, &listeners, &exchange.trusted_proxies);
    let upstreams = upstream::upstreams(&mut root, arguments);
    exchange.events = events::read(&mut root);
    let (record, pipeline) = log::read(root.table_or_empty("log"), &mut exchange, &upstreams);
    let routes = routes::read(&mut root);
    routes::check_upstreams(reader, &routes.routes, &upstreams);
    let table = routes::compile(reader, &routes);
    let store = store::read(&mut root);
    let scene = alerts::Scene { pipeline: &pipeline, exchange: &exchange, routes: &routes.routes };
    let alerts = alerts::read(&mut root, &scene, store.as_ref().map(|store| store.path.as_path()));
    let admin = admin::read(&mut root, &listeners);
    let config = Config {
        workers,
        shutdown_grace,
        listeners,
        limits,
        exchange,
        upstreams,
        routes,
        record,
        pipeline,
        store,
        alerts,
        admin,
    };
    (config, table)
}

/// Longer than the timeouts of most upstreams, shorter than what supervisors wait before they kill.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// `"auto"` or a number of threads.
fn workers(node: &Node) -> Result<Option<usize>, Complaint> {
    if node.text().is_ok_and(|text| text == "auto") {
        return Ok(None);
    }
    let hint = format!("write \"auto\", or a number from 1 to {MOST_WORKERS}");
    let number = match is_off(node) {
        true => 0,
        false => node.integer().map_err(|complaint| Complaint::new(complaint.message, hint.as_str()))?,
    };
    let workers = usize::try_from(number).ok().filter(|workers| (1..=MOST_WORKERS).contains(workers));
    workers.map(Some).ok_or_else(|| Complaint::new(format!("{number} workers cannot serve"), hint))
}

/// More threads than any machine has cores are a slip of the finger.
const MOST_WORKERS: usize = 1024;

/// Findings become problems, and a configuration with an error is none.
fn finish(reader: Reader<'_>, config: Option<Config>, table: Option<Table>) -> Loaded {
    let asked = reader.asked.take();
    let named = reader.named.take();
    for unknown in reader.unknown.take() {
        let variable = reader.is_variable(unknown.at);
        if variable && named.contains(reader.sources.borrow().name(unknown.at)) {
            continue;
        }
        reader.findings.push(unknown.into_finding(variable, &asked));
    }
    let sources = reader.sources.into_inner();
    let findings = reader.findings.into_sorted(&sources);
    let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
    let (config, partial) = if broken { (None, config) } else { (config, None) };
    let shown = findings.into_iter().take(MOST_PROBLEMS);
    let problems = shown.map(|finding: Finding| finding.into_problem(&sources)).collect();
    Loaded { config, table, problems, places: Places::new(sources, reader.origins), partial }
}

/// More than anyone reads. Each carries a copy of its line.
const MOST_PROBLEMS: usize = 1000;

impl Reader<'_> {
    /// Parses a file's bytes. Where they are no UTF-8, the rest is read all the same.
    pub(super) fn document(&self, name: &str, bytes: Vec<u8>) -> tree::Table {
        let invalid = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
        let text = String::from_utf8_lossy(&bytes);
        let source = self.sources.borrow_mut().add(Kind::File, name, text.as_ref());
        if let Some(start) = invalid {
            let complaint = Complaint::new("the file is not UTF-8 here", "save it as UTF-8");
            self.findings.error(At { source, start, end: start }, complaint, Scope::Span);
        }
        tree::parse(source, &text, self.environment, &self.findings)
    }
}
