//! `routes`, `[converters]` and `[[route]]`: the table as written. Whether its patterns make sense is for
//! [`crate::routes`] to say, and what it says gets its place here.

use super::finding::{Complaint, Finding, Scope, quoted};
use super::reader::{Reader, Section};
use super::sample;
use super::source::At;
use super::tree::{Entry, Node, Value};
use super::value::{boolean, choice, duration, level, name, text, time_limit, token};
use crate::routes::{ConverterSettings, ConverterType, Pattern, RouteSettings, Settings, Severity, StartMode, Table};
use crate::upstream;

/// Files first, in the order they are named; then what stands in the configuration itself.
pub(super) fn read(root: &mut Section<'_>) -> Settings {
    let mut settings = Settings::default();
    let reader = root.reader;
    for node in root.nodes("routes").unwrap_or_default() {
        if let Some(mut file) = reader.judge("routes", node, |node| open(reader, &node)) {
            add(&mut file, &mut settings);
            for entry in file.take_rest() {
                let message = format!("unknown key {} in a file of routes", quoted(&entry.name));
                reader.error(entry.at, message, "it holds [converters] and [[route]], nothing else");
            }
        }
    }
    add(root, &mut settings);
    settings
}

/// A file of routes, as a section of its own.
fn open<'r>(reader: &'r Reader<'r>, node: &Node) -> Result<Section<'r>, Complaint> {
    let (path, bytes) = reader.file(node)?;
    let table = reader.document(&path.to_string_lossy(), bytes);
    let source = reader.sources.borrow().last();
    Ok(reader.section("", At::whole(source), table))
}

/// What a file of routes and the configuration itself both hold.
fn add(section: &mut Section<'_>, settings: &mut Settings) {
    if let Some(mut converters) = section.table("converters") {
        let entries = converters.take_rest();
        settings.converters.extend(entries.into_iter().filter_map(|entry| converter(converters.reader, entry)));
    }
    settings.routes.extend(section.tables("route").into_iter().filter_map(route));
}

/// One entry of `[converters]`.
fn converter(reader: &Reader<'_>, entry: Entry) -> Option<ConverterSettings> {
    let mut section = reader.table("converters".to_owned(), entry.node)?;
    let origin = section.origin();
    reader.origins.note(origin, "name", entry.at);
    let regex = section.require("regex", "'[0-9]{4}'", name);
    let kind = section.read("type", |node| choice(node, &TYPES)).unwrap_or(ConverterType::Str);
    Some(ConverterSettings { origin, name: entry.name, regex: regex?, kind })
}

const TYPES: [(&str, ConverterType); 3] =
    [("int", ConverterType::Int), ("str", ConverterType::Str), ("uuid", ConverterType::Uuid)];

/// One `[[route]]`, and those nested in it. `None` where it has no pattern that could be read.
fn route(mut section: Section<'_>) -> Option<RouteSettings> {
    let origin = section.origin();
    let nests = section.has("route");
    let pattern = pattern(&mut section, nests);
    let settings = RouteSettings {
        origin,
        name: section.read("name", name),
        pattern: Pattern::Path(String::new()),
        namespace: section.read("namespace", name),
        nested: section.tables_like("route", "route").into_iter().filter_map(route).collect(),
        kwargs: kwargs(&mut section),
        methods: section.list("methods", method).unwrap_or_default(),
        slow: section.read("slow", time_limit),
        level: section.read("level", level),
        start: section.take("start").and_then(|node| start_mode(section.reader, &section.name("start"), node)),
        sample: sample::of_route(&mut section),
        log: section.read("log", boolean).unwrap_or(true),
        upstream: section.read("upstream", name),
        labels: section.table("labels").map(pairs).unwrap_or_default(),
    };
    Some(RouteSettings { pattern: pattern?, ..settings })
}

/// Exactly one of `path`, `regex` and `prefix`; a `regex` with routes in it is a prefix, too.
fn pattern(section: &mut Section<'_>, nests: bool) -> Option<Pattern> {
    let written: Vec<&str> = PATTERNS.into_iter().filter(|key| section.has(key)).collect();
    let at = section.at;
    match written[..] {
        [] => section.reader.error(at, "the route has no pattern", "add path = \"…\", regex = '…' or prefix = \"…\""),
        [_] => {}
        [_, second, ..] => {
            let message = format!("the route has several patterns: {}", written.join(", "));
            section.reader.error(section.at(second), message, "keep one of them");
        }
    }
    let path = section.read("path", text);
    let regex = section.read("regex", text);
    let prefix = section.read("prefix", text);
    path.map(Pattern::Path)
        .or(regex.map(if nests { Pattern::RegexPrefix } else { Pattern::Regex }))
        .or(prefix.map(Pattern::Prefix))
}

/// The ways to write a pattern.
const PATTERNS: [&str; 3] = ["path", "regex", "prefix"];

/// A method; they are compared with case.
fn method(node: &Node) -> Result<String, Complaint> {
    let method = token(node)?;
    if method != method.to_ascii_uppercase() {
        let message = format!("{} is no method: they are written in capitals", quoted(&method));
        return Err(Complaint::new(message, format!("write \"{}\"", method.to_ascii_uppercase())));
    }
    Ok(method)
}

/// `"always"`, `"never"` or `{ after = "250ms" }`.
pub(super) fn start_mode(reader: &Reader<'_>, name: &str, node: Node) -> Option<StartMode> {
    if matches!(node.value, Value::Table(_)) {
        return reader.table(name.to_owned(), node)?.require("after", "\"250ms\"", duration).map(StartMode::After);
    }
    reader.judge(name, node, |node| choice(&node, &[("always", StartMode::Always), ("never", StartMode::Never)]))
}

/// A table of texts under names of the user's own.
pub(super) fn pairs(mut section: Section<'_>) -> Vec<(String, String)> {
    let (reader, path) = (section.reader, section.path.clone());
    let pair = |entry: Entry| Some((entry.name, reader.judge(&path, entry.node, |node| text(&node))?));
    section.take_rest().into_iter().filter_map(pair).collect()
}

/// `route.kwargs`, in the order they are written.
fn kwargs(section: &mut Section<'_>) -> Vec<(String, serde_json::Value)> {
    let Some(mut table) = section.table("kwargs") else { return Vec::new() };
    let reader = section.reader;
    let pair = |entry: Entry| Some((entry.name, reader.judge("route.kwargs", entry.node, json)?));
    table.take_rest().into_iter().filter_map(pair).collect()
}

/// A value as it is to appear in a record.
fn json(node: Node) -> Result<serde_json::Value, Complaint> {
    match node.value {
        Value::Text(text) | Value::Untyped(text) => Ok(text.into()),
        Value::Integer(number) => Ok(number.into()),
        Value::Float(number) if number.is_finite() => Ok(number.into()),
        Value::Boolean(yes) => Ok(yes.into()),
        Value::Array(nodes) => nodes.into_iter().map(json).collect(),
        Value::Table(table) => table.0.into_iter().map(|entry| Ok((entry.name, json(entry.node)?))).collect(),
        Value::Broken => Ok(serde_json::Value::Null),
        Value::Date | Value::Float(_) => Err(Complaint::new("JSON has no such value", "put it in quotes")),
    }
}

/// Compiles the table; what is wrong with its patterns becomes a finding where they are written.
pub(super) fn compile(reader: &Reader<'_>, settings: &Settings) -> Option<Table> {
    let (table, problems) = Table::compile(settings);
    for problem in problems {
        let Some(at) = reader.origins.at(problem.origin, problem.field) else { continue };
        let other = problem.other.and_then(|origin| reader.origins.at(origin, problem.field));
        let hint = problem.hint.unwrap_or_else(|| "look at the pattern".to_owned());
        let severity = match problem.severity {
            Severity::Error => super::Severity::Error,
            Severity::Warning => super::Severity::Warning,
        };
        let complaint = Complaint::new(problem.message, hint);
        let other = other.map(|at| (at, "this one comes first".to_owned()));
        reader.findings.push(Finding { severity, at, complaint, other, scope: Scope::Whole });
    }
    table
}

/// Every route's `upstream` must be one of those there are.
pub(super) fn check_upstreams(reader: &Reader<'_>, routes: &[RouteSettings], upstreams: &[upstream::Settings]) {
    for route in routes {
        check_upstreams(reader, &route.nested, upstreams);
        let Some(name) = route.upstream.as_deref() else { continue };
        if upstreams.iter().all(|upstream| upstream.name != name) {
            let names: Vec<&str> = upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
            let hint = match super::unknown::nearest(name, &names) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there is {}", names.join(", ")),
            };
            let at = reader.origins.at(route.origin, "upstream").unwrap_or(At::whole(0));
            reader.error(at, format!("`route.upstream`: there is no upstream {}", quoted(name)), hint);
        }
    }
}
