//! The fuzz targets on a stable compiler: their corpus replayed, and tables and paths made up by proptest.

#![allow(clippy::disallowed_methods, reason = "tests read files")]

#[path = "fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a library of its own to the fuzz targets")]
mod fuzz;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Every file of a target's corpus.
fn read_all(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = corpus.read_dir().expect("the corpus is there").map(|entry| entry.expect("it can be listed").path());
    files.map(|file| std::fs::read(file).expect("it can be read")).collect()
}

/// Runs a target over its corpus; `counts` is what it says of each file.
fn replay(target: &str, counts: impl Fn(&[u8]) -> usize) -> (usize, usize) {
    let files = read_all(target);
    (files.len(), files.iter().map(|file| counts(file)).sum())
}

#[test]
fn the_corpus_keeps_every_promise() {
    let (files, compared) = replay("routes", fuzz::routes::run);
    assert!(files >= 8, "the corpus is gone");
    assert!(compared >= 15, "the corpus matches little: {compared}");
    for (target, run) in TARGETS {
        let (files, reached) = replay(target, run);
        assert!(files >= 8, "the corpus of {target} is gone");
        assert!(reached >= 4, "the corpus of {target} gets nowhere: {reached} of {files}");
    }
}

/// A target, and what it says of its bytes: how far they came.
type Target = (&'static str, fn(&[u8]) -> usize);

const TARGETS: [Target; 9] = [
    ("announced", |data| usize::from(fuzz::announced::run(data))),
    ("head", fuzz::head::run),
    ("response", |data| usize::from(fuzz::response::run(data))),
    ("config", |data| usize::from(fuzz::config::run(data))),
    ("filter", |data| usize::from(fuzz::filter::run(data))),
    ("lines", fuzz::lines::run),
    ("row", fuzz::row::run),
    ("redact", |data| usize::from(fuzz::redact::run(data))),
    ("spool", fuzz::spool::run),
];

/// The files of a corpus, cut, joined, doubled and with bytes changed: where a fuzzer begins.
#[test]
fn what_is_near_the_corpus_keeps_every_promise() {
    for (target, run) in TARGETS {
        let files: Vec<_> = read_all(target).into_iter().filter(|bytes| bytes.len() < 4000).collect();
        let some = (0..files.len(), 0..files.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
        let edits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
        let outcome = TestRunner::new(config).run(&(some, edits), |((first, second, cut, begin), edits)| {
            let (first, second) = (&files[first], &files[second]);
            let mut bytes = first[..cut.index(first.len() + 1)].to_vec();
            bytes.extend_from_slice(&second[begin.index(second.len() + 1)..]);
            for (at, byte) in edits.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            run(&bytes);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{target}: {error}"));
    }
}

/// Few letters, so that patterns and paths meet.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab/]{1,3}",
        1 => prop::sample::select(vec!["é", "-", "1", ".", "\n", "ab/", "//"]).prop_map(str::to_owned),
    ]
}

fn path_pattern() -> impl Strategy<Value = String> {
    let parameter =
        (prop::sample::select(vec!["", "int:", "str:", "slug:", "path:", "uuid:", "n:", "g:", "t:"]), "[abc]")
            .prop_map(|(converter, name)| format!("<{converter}{name}>"));
    vec(prop_oneof![piece(), parameter], 0..5).prop_map(|pieces| pieces.concat())
}

fn regex_pattern() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        3 => "[ab/]{1,2}",
        1 => prop::sample::select(vec![".", "[^/]", "[a-b/]", "[1-9]", "(?:a|b/)", "(a|1)", "(?:a/)?", "([^/]*)/"]).prop_map(str::to_owned),
        2 => ("[abc]", prop::sample::select(vec!["[^/]+", ".*", ".+?", "[ab]*", "a|b", "[0-9]+", "a?"]))
            .prop_map(|(name, inner)| format!("(?P<{name}>{inner})")),
        1 => prop::sample::select(vec!["([ab]+)", "(.)", "(/)?", "(?:(b)/)?", "([0-9]+)"]).prop_map(str::to_owned),
    ];
    let repeat = prop::sample::select(vec!["", "", "", "", "?", "+", "*?"]);
    ("\\^?", vec((atom, repeat), 0..4), "\\$?").prop_map(|(start, atoms, end)| {
        start + &atoms.into_iter().map(|(atom, repeat)| atom + repeat).collect::<String>() + &end
    })
}

fn line() -> impl Strategy<Value = String> {
    let methods = prop::sample::select(vec!["*", "*", "*", "GET", "GET,POST"]);
    let no_newline = |pattern: String| pattern.replace('\n', "");
    let path = (prop::sample::select(vec!["p", "p", "p", "P"]), path_pattern());
    let regex = (prop::sample::select(vec!["r", "r", "R"]), regex_pattern());
    let route = (methods, prop_oneof![path, regex]);
    prop_oneof![
        6 => route.prop_map(move |(methods, (kind, pattern))| format!("{kind} {methods} {}", no_newline(pattern))),
        1 => Just("}".to_owned()),
    ]
}

fn request() -> impl Strategy<Value = String> {
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let escape = prop::sample::select(vec![
        "%61", "%2F", "%2f", "%0A", "%FF", "%C3%A9", "%C3", "%", "%zz", "%25", "é", uuid, "12", "007",
    ]);
    let path = vec(
        prop_oneof![5 => piece().prop_map(|piece| piece.replace('\n', "%0a")), 1 => escape.prop_map(str::to_owned)],
        0..6,
    );
    (prop::sample::select(vec!["GET", "GET", "POST", "get"]), path)
        .prop_map(|(method, path)| format!("{method} /{}", path.concat()))
}

fn table_and_paths() -> impl Strategy<Value = String> {
    let converters = "c n int [0-9]+-?\nc g uuid [0-9a-f-]+\nc t str a+(?:/b)?";
    let written = |(lines, requests): (Vec<String>, Vec<String>)| (lines.join("\n"), requests.join("\n"));
    let written = (vec(line(), 1..12), vec(request(), 1..12)).prop_map(written);
    written.prop_map(move |(lines, requests)| format!("{converters}\n{lines}\n?\n{requests}"))
}

#[test]
fn a_table_answers_as_its_patterns_do_one_by_one() {
    let compared = AtomicUsize::new(0);
    let config = ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&table_and_paths(), |text| {
        compared.fetch_add(fuzz::routes::run(text.as_bytes()), Ordering::Relaxed);
        Ok(())
    });
    outcome.expect("both answer alike");
    let compared = compared.into_inner();
    assert!(compared > 2_000, "only {compared} matches were compared: the strategies miss");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_table_panic(data in vec(any::<u8>(), 0..200), text in "[pr] \\* .{0,40}\n\\?\nGET /.{0,20}") {
        fuzz::routes::run(&data);
        fuzz::routes::run(text.as_bytes());
    }
}
