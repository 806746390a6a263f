//! The shape of the source tree, held by a test: who may import whom, sizes, module docs, the order of `lib.rs`.
//!
//! The tables below are the rules; the scanner in `architecture/scan.rs` finds the facts, and the last tests show that
//! a tree which breaks a rule is caught.

#![allow(clippy::unwrap_used, reason = "a test without its tree has nothing to say")]
#![allow(clippy::disallowed_methods, reason = "it reads the sources")]

#[path = "architecture/scan.rs"]
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every top-level module in the reading order of `lib.rs`, and what it may import. Some are still to come.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // What is searched, logs too, comes from the store's questions and the disk.
    // Rules are tried on logs, and channels from the command line.
    ("cli", &["config", "app", "search", "record", "filter", "routes", "store", "alert", "disk", "time"]),
    ("app", ALL_BUT_CLI),
    ("listen", &["net", "time", "metrics"]),
    ("proxy", &["listen", "exchange", "upstream", "routes", "net", "record", "time", "metrics"]),
    ("upstream", &["net", "time", "metrics"]),
    // The vocabulary only (levels, typed values, filters of what a route samples): a table knows no request.
    ("routes", &["record", "filter"]),
    // The filter of `log.capture` is asked while the answer passes.
    ("exchange", &["record", "filter", "routes", "pipeline", "time", "net", "metrics", "secret"]),
    ("record", &[]),
    ("filter", &["record"]),
    ("pipeline", &["record", "filter", "net", "metrics", "time", "secret"]),
    ("sinks", &["record", "filter", "pipeline", "disk", "net", "time", "metrics", "secret"]),
    ("analyze", &[]),
    // Sightings come from where records are offered.
    ("alert", &["record", "filter", "pipeline", "net", "time", "metrics", "analyze", "secret", "disk"]),
    ("store", &["record", "filter", "disk", "time", "metrics"]),
    // Log files are searched as a store is: they come from the disk.
    ("search", &["record", "filter", "store", "disk"]),
    (
        "admin",
        &[
            "listen",
            "net",
            "dashboard",
            "search",
            "store",
            "analyze",
            "alert",
            "exchange",
            "upstream",
            "metrics",
            "record",
            "filter",
            "time",
            "secret",
        ],
    ),
    ("dashboard", &[]),
    ("config", SETTINGS_OF),
    ("net", &["time", "metrics", "disk"]),
    ("disk", &[]),
    ("secret", &[]),
    ("time", &[]),
    ("metrics", &[]),
    ("telemetry", &[]),
];

/// What `app` wires together.
const ALL_BUT_CLI: &[&str] = &[
    "listen",
    "proxy",
    "upstream",
    "routes",
    "exchange",
    "record",
    "filter",
    "pipeline",
    "sinks",
    "analyze",
    "alert",
    "store",
    "search",
    "admin",
    "dashboard",
    "config",
    "net",
    "disk",
    "secret",
    "time",
    "metrics",
    "telemetry",
    "secret",
];

/// The modules whose `Settings` the configuration resolves into, and the disk that it reads from.
const SETTINGS_OF: &[&str] = &[
    "listen",
    "proxy",
    "upstream",
    "routes",
    "exchange",
    "record",
    "filter",
    "pipeline",
    "sinks",
    "analyze",
    "alert",
    "store",
    "search",
    "admin",
    "dashboard",
    "net",
    "disk",
    "secret",
    "time",
    "telemetry",
    "secret",
];

/// What a module must not know even from outside the package: paths that begin so.
const NEVER: &[(&str, &[&str])] = &[
    (
        "record",
        &["tokio", "hyper", "hyper_util", "http_body", "http_body_util", SOCKETS, FILES, THREADS, CLOCK, CALENDAR],
    ),
    ("routes", &["tokio", "hyper", SOCKETS, FILES, THREADS, CLOCK, CALENDAR]),
    ("filter", &["tokio", "hyper", SOCKETS, FILES, THREADS, CLOCK, CALENDAR]),
    ("store", &["tokio", "hyper"]),
];
/// Addresses are values and may be known.
const SOCKETS: &str = "std::net::Tcp";
const FILES: &str = "std::fs";
const THREADS: &str = "std::thread";
const CLOCK: &str = "std::time::Instant";
const CALENDAR: &str = "std::time::SystemTime";

/// Where a ban of `.clippy.toml` may be lifted: the places that those bans point to.
const MAY_LIFT_BANS: &[&str] = &["cli", "app", "disk", "time", "main"];

/// Lines of a file. Tables are read by looking up, not from top to bottom; those that are longer stand here by name.
const FILE_LINES: usize = 600;
const LONG_TABLES: &[&str] = &[];

/// Lines of a function: none is longer, and nine in ten and half of all are not longer than these.
const FUNCTION_LINES: usize = 80;
const MOST_FUNCTIONS_LINES: usize = 25;
const MEDIAN_FUNCTION_LINES: usize = 8;

#[test]
fn imports_keep_to_the_table() {
    assert_none(foreign_imports(&sources("src")));
}

#[test]
fn the_table_has_no_cycle() {
    let graph = MAY_IMPORT.iter().map(|(module, may)| (module.to_string(), owned(may))).collect();
    assert_eq!(cycle(&graph), None);
}

#[test]
fn modules_know_nothing_of_what_is_not_theirs_to_know() {
    assert_none(forbidden_knowledge(&sources("src")));
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_none(everything().iter().filter_map(undocumented).collect());
}

#[test]
fn no_file_is_too_long() {
    assert_none(everything().iter().filter_map(too_long).collect());
}

#[test]
fn functions_are_short() {
    assert_none(long_functions(&sources("src")));
}

#[test]
fn there_is_no_unsafe_code() {
    assert_none(everything().iter().filter_map(unsafe_code).collect());
}

#[test]
fn lib_rs_declares_every_module_in_reading_order() {
    let sources = sources("src");
    assert_none(misdeclared_modules(&sources));
}

#[test]
fn bans_are_lifted_only_where_they_point_to() {
    assert_none(lifted_bans(&sources("src")));
}

/// A file of the tree: path from the package's root, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// `src/a/b.rs` is `["a", "b"]`, `src/a/mod.rs` is `["a"]`, `src/main.rs` is `["main"]`, `src/lib.rs` is empty.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.split('/').filter(|segment| *segment != "mod" && *segment != "lib").collect()
    }

    fn production(&self) -> String {
        scan::production(&self.text)
    }

    /// Paths with what leaves the top-level module beginning with `crate`; the binary says `gatelog` for it.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = scan::paths(&self.production(), &self.module());
        for path in &mut paths {
            if path[0] == "gatelog" {
                path[0] = "crate".to_owned();
            }
        }
        paths
    }
}

/// The `.rs` files below a folder of the package; those of `src` without its tests.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join(folder), &mut files);
    files.sort();
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"),
    };
    files.into_iter().map(read).filter(|source| folder != "src" || !is_test(&source.path)).collect()
}

/// Unit tests in files of their own: `tests.rs`, `…_tests.rs`, and what lies in a folder `tests`.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

fn everything() -> Vec<Source> {
    ["src", "tests", "benches"].into_iter().flat_map(sources).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn foreign_imports(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let module = source.module().first().copied().unwrap_or("lib").to_owned();
        if module == "lib" {
            continue;
        }
        let allowed = match MAY_IMPORT.iter().find(|(name, _)| *name == module) {
            Some((_, allowed)) => *allowed,
            None if module == "main" => &["cli"],
            None => &[],
        };
        for path in source.paths().iter().filter(|path| path[0] == "crate" && path.len() > 1) {
            if path[1] != module && !allowed.contains(&path[1].as_str()) {
                wrong.push(format!("{}: {module} may not import {}", source.path, path.join("::")));
            }
        }
    }
    wrong
}

/// Some cycle among modules, as the names along it.
fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        node: &str,
        graph: &BTreeMap<String, BTreeSet<String>>,
        trail: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if done.contains(node) {
            return false;
        }
        let seen = trail.iter().any(|name| name == node);
        trail.push(node.to_owned());
        if seen || graph.get(node).is_some_and(|next| next.iter().any(|next| visit(next, graph, trail, done))) {
            return true;
        }
        trail.pop();
        done.insert(node.to_owned());
        false
    }
    let (mut trail, mut done) = (Vec::new(), BTreeSet::new());
    graph.keys().any(|node| visit(node, graph, &mut trail, &mut done)).then_some(trail)
}

fn forbidden_knowledge(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let module = source.module();
        for (_, banned) in NEVER.iter().filter(|(name, _)| module.first() == Some(name)) {
            for path in source.paths().iter().map(|path| path.join("::")) {
                if banned.iter().any(|banned| begins_with(&path, banned)) {
                    wrong.push(format!("{}: {path}", source.path));
                }
            }
        }
    }
    wrong
}

/// A path of two segments or more is banned by its first letters, a crate by its whole name.
fn begins_with(path: &str, banned: &str) -> bool {
    path.strip_prefix(banned).is_some_and(|rest| banned.contains("::") || rest.is_empty() || rest.starts_with("::"))
}

fn undocumented(source: &Source) -> Option<String> {
    let documented = source.text.starts_with("//! ");
    (!documented).then(|| format!("{}: does not open with //! and what it is for", source.path))
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let allowed = lines <= FILE_LINES || LONG_TABLES.contains(&source.path.as_str());
    (!allowed).then(|| format!("{}: {lines} lines", source.path))
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for source in sources {
        for function in scan::functions(&source.production()) {
            lengths.push(function.length);
            if function.length > FUNCTION_LINES {
                wrong.push(format!(
                    "{}:{}: {} has {} lines",
                    source.path, function.line, function.name, function.length
                ));
            }
        }
    }
    lengths.sort_unstable();
    let short = lengths.iter().filter(|&&length| length <= MOST_FUNCTIONS_LINES).count();
    if short * 10 < lengths.len() * 9 {
        wrong.push(format!("only {short} of {} functions have {MOST_FUNCTIONS_LINES} lines or fewer", lengths.len()));
    }
    match lengths.get(lengths.len() / 2) {
        Some(&median) if median > MEDIAN_FUNCTION_LINES => {
            wrong.push(format!("half of all functions have {median} lines or more"))
        }
        _ => {}
    }
    wrong
}

fn unsafe_code(source: &Source) -> Option<String> {
    let code = scan::blank(&source.text);
    let mut words = code.split(|c: char| c != '_' && !c.is_alphanumeric());
    words.any(|word| word == "unsafe").then(|| format!("{}: unsafe", source.path))
}

fn misdeclared_modules(sources: &[Source]) -> Vec<String> {
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").unwrap();
    let declared = scan::declared_modules(&lib.production());
    let existing: BTreeSet<&str> = sources.iter().filter_map(|source| source.module().first().copied()).collect();
    let known: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    let expected: Vec<&str> = known.iter().copied().filter(|module| existing.contains(module)).collect();
    let mut wrong: Vec<String> = existing
        .iter()
        .filter(|module| **module != "main" && !known.contains(module))
        .map(|module| format!("src/{module} is not in the table"))
        .collect();
    if declared != expected {
        wrong.push(format!("src/lib.rs declares\n  {declared:?}\nand its reading order is\n  {expected:?}"));
    }
    wrong
}

fn lifted_bans(sources: &[Source]) -> Vec<String> {
    let lifts = |source: &&Source| {
        let path = |path: &Vec<String>| path[0] == "clippy" && path[1].starts_with("disallowed_");
        source.paths().iter().any(path)
    };
    // `lib.rs` lifts them for all unit tests at once.
    let outside = |source: &&Source| source.module().first().is_some_and(|module| !MAY_LIFT_BANS.contains(module));
    sources.iter().filter(lifts).filter(outside).map(|source| format!("{} lifts a ban", source.path)).collect()
}

fn owned(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

mod a_tree_that_breaks_a_rule_is_caught {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_foreign_import() {
        let wrong = foreign_imports(&[
            file("src/routes/table.rs", "use crate::record::Level; use super::super::proxy::Proxy;"),
            file("src/record/json.rs", "fn f() { crate::time::now() }"),
            file("src/main.rs", "use gatelog::cli; use gatelog::app::App;"),
            file("src/surprise.rs", "use crate::record::Level;"),
        ]);
        let wrong: Vec<&str> = wrong.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(wrong, ["crate::proxy::Proxy", "crate::time::now", "crate::app::App", "crate::record::Level"]);
    }

    #[test]
    fn a_cycle() {
        let graph = |edges: &[(&str, &str)]| -> BTreeMap<String, BTreeSet<String>> {
            edges.iter().map(|(from, to)| (from.to_string(), owned(&[to]))).collect()
        };
        assert_eq!(cycle(&graph(&[("a", "b"), ("b", "c")])), None);
        assert_eq!(cycle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap(), ["a", "b", "c", "b"]);
    }

    #[test]
    fn a_clock_in_the_record() {
        let sources = [
            file("src/record/x.rs", "use std::time::{Duration, Instant};"),
            file("src/net/x.rs", "use tokio::net::TcpStream;"),
        ];
        assert_eq!(forbidden_knowledge(&sources), ["src/record/x.rs: std::time::Instant"]);
    }

    #[test]
    fn a_file_without_a_word_or_too_many() {
        assert!(undocumented(&file("src/x.rs", "use std::fmt;\n//! late")).is_some());
        assert!(undocumented(&file("src/x.rs", "//! What it is for.\n")).is_none());
        assert!(too_long(&file("src/x.rs", &"\n".repeat(FILE_LINES + 1))).is_some());
        assert!(too_long(&file("src/x.rs", &"\n".repeat(FILE_LINES))).is_none());
    }

    #[test]
    fn a_function_that_is_the_program() {
        let text = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
        let short = "fn h() {}\n".repeat(30);
        assert_eq!(long_functions(&[file("src/x.rs", &(text(80) + &short))]), Vec::<String>::new());
        assert_eq!(long_functions(&[file("src/x.rs", &(text(81) + &short))]), ["src/x.rs:1: f has 81 lines"]);
        assert_eq!(long_functions(&[file("src/x.rs", &text(26))]).len(), 2, "share and median");
    }

    #[test]
    fn unsafe_code_but_not_the_word() {
        assert!(unsafe_code(&file("src/x.rs", "fn f() { unsafe { g() } }")).is_some());
        assert!(
            unsafe_code(&file("src/x.rs", "#![forbid(unsafe_code)] // unsafe\nconst S: &str = \"unsafe\";")).is_none()
        );
    }

    #[test]
    fn a_module_out_of_order_or_unknown() {
        let modules = ["src/listen/mod.rs", "src/record/mod.rs", "src/time.rs"].map(|path| file(path, "//! x"));
        let with_lib = |text: &str| {
            modules.iter().map(|m| file(&m.path, &m.text)).chain([file("src/lib.rs", text)]).collect::<Vec<_>>()
        };
        assert!(misdeclared_modules(&with_lib("pub mod listen;\npub mod record;\nmod time;")).is_empty());
        assert_eq!(misdeclared_modules(&with_lib("pub mod record; pub mod listen; mod time;")).len(), 1);
        assert_eq!(misdeclared_modules(&with_lib("pub mod listen; mod time;")).len(), 1);
        let mut surprise = with_lib("pub mod listen; pub mod record; mod time;");
        surprise.push(file("src/surprise.rs", ""));
        assert_eq!(misdeclared_modules(&surprise), ["src/surprise is not in the table"]);
    }

    #[test]
    fn a_ban_lifted_in_the_wrong_place() {
        let attribute = "#[expect(clippy::disallowed_methods, reason = \"x\")] fn f() {}";
        let sources = [file("src/proxy/x.rs", attribute), file("src/time.rs", attribute)];
        assert_eq!(lifted_bans(&sources), ["src/proxy/x.rs lifts a ban"]);
    }

    #[test]
    fn but_tests_in_files_of_their_own_are_not_production_code() {
        let tests = ["src/net/tests.rs", "src/net/wire_tests.rs", "src/net/tests/wire.rs"];
        assert!(tests.into_iter().all(is_test));
        assert!(!["src/net/wire.rs", "src/contests.rs"].into_iter().any(is_test));
    }
}
