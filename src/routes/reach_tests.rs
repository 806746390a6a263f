//! Which routes are told of, and, as important, which are not.

use proptest::prelude::*;

use crate::routes::{Pattern, RouteSettings, Settings, Severity, Table};

fn route(origin: usize, pattern: Pattern) -> RouteSettings {
    RouteSettings { name: Some(format!("r{origin}")), ..RouteSettings::new(origin, pattern) }
}

fn written(text: &str) -> Pattern {
    if text.starts_with('^') || text.starts_with('(') {
        Pattern::Regex(text.into())
    } else {
        Pattern::Path(text.into())
    }
}

/// The messages, with the places that they are about.
fn told(routes: Vec<RouteSettings>) -> Vec<(usize, Option<usize>, String)> {
    let (table, problems) = Table::compile(&Settings { converters: Vec::new(), routes });
    assert!(table.is_some() && problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
    problems.into_iter().map(|problem| (problem.origin, problem.other, problem.message)).collect()
}

fn told_of(patterns: &[&str]) -> Vec<(usize, Option<usize>, String)> {
    told(patterns.iter().enumerate().map(|(origin, pattern)| route(origin, written(pattern))).collect())
}

#[test]
fn a_covered_route_is_told_of_with_both_places() {
    let cases = [
        ["a/", "a/"],
        ["<str:x>/", "new/"],
        ["<x>/", "<int:pk>/"],
        ["<slug:x>/", "<uuid:id>/"],
        ["<x>/b/", "a/b/"],
        ["<x>/b/", "<slug:y>/b/"],
        ["<path:p>", "a/<int:b>/c"],
        ["<path:p>", "<path:q>"],
        ["<int:a>/", "<int:b>/"],
        ["^a/", "a/b/<x>/"],
        ["^a/", "^a/(?P<x>.+)/end/$"],
        ["^$", ""],
        ["(?P<a>.+)/(?P<b>.+)/$", "(?P<a>.+)/(?P<b>.+)/$"],
        ["^(?P<url>.*)$", "static/"],
        ["^x/(?P<slug>[\\w-]+)/?$", "x/<slug:y>/"],
    ];
    for case in cases {
        let told = told_of(&["first/place/", case[0], case[1]]);
        assert_eq!(told.len(), 1, "{case:?}: {told:?}");
        assert_eq!((told[0].0, told[0].1), (2, Some(1)), "{case:?}");
        assert!(told[0].2.starts_with("nothing reaches"), "{case:?}: {told:?}");
    }
}

#[test]
fn what_only_odd_paths_reach_is_told_of_as_that() {
    assert!(told_of(&["<path:p>", "<str:s>/"])[0].2.starts_with("only paths that hold an encoded newline"));
    assert!(told_of(&["<int:n>/", "^(?P<n>[0-9]+)/$"])[0].2.starts_with("only numbers of more than 4300 digits"));
}

#[test]
fn a_route_that_can_be_reached_is_not_told_of() {
    let cases = [
        ["a/", "a"],
        ["new/", "<x>/"],
        ["<int:x>/", "<slug:y>/"],
        ["<slug:x>/", "<str:y>/"],
        ["<slug:x>/", "a.b/"],
        ["<x>/", "a/b/"],
        ["<path:p>/edit/", "<path:p>/"],
        ["<uuid:a>/", "<slug:b>/"],
        ["^a/$", "^a/"],
        ["^(?P<x>[a-z]{3})/$", "<slug:y>/"],
        ["(?P<a>.+)/(?P<b>.+)/$", "(?P<a>.+)/(?P<b>.*)/$"],
        ["a<x>b", "a<int:y>b"],
    ];
    for case in cases {
        assert_eq!(told_of(&case), [], "{case:?}");
    }
}

#[test]
fn methods_and_prefixes_count() {
    let only = |origin, methods: &[&str]| RouteSettings {
        methods: methods.iter().map(|method| method.to_string()).collect(),
        ..route(origin, written("a/<x>/"))
    };
    assert_eq!(told(vec![only(1, &["GET"]), only(2, &["POST"]), only(3, &[])]), []);
    assert_eq!(told(vec![only(1, &["GET", "POST"]), only(2, &["POST"])]).len(), 1);
    assert_eq!(told(vec![only(1, &[]), only(2, &["POST"])]).len(), 1);
    let under = |origin, prefix: &str, inner: &str| RouteSettings {
        name: None,
        nested: vec![route(origin, written(inner))],
        ..route(0, Pattern::Prefix(prefix.into()))
    };
    assert_eq!(told(vec![under(1, "a/", "<x>/"), under(2, "", "a/b/")])[0].1, Some(1));
    // A prefix never gives back: `a<x>` takes the `b`, and nothing is left for the route below it.
    assert_eq!(told(vec![under(1, "a<x>", "b"), under(2, "a", "cb")]), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Soundness: a route told of as out of reach is never the answer to any path.
    #[test]
    fn nothing_reaches_what_is_told_of(
        patterns in proptest::collection::vec(
            r"\^?(a|b|/|1|<x>|<int:n>|<slug:s>|<path:p>|\([ab]\+\)|\[ab/\]\*|\(\.\+\)|/\?){1,4}\$?", 2..5),
        paths in proptest::collection::vec(r"[ab1/-]{0,6}", 20),
    ) {
        let parsed = patterns.iter().map(|text| {
            if text.contains('<') { Pattern::Path(text.trim_matches(['^', '$']).into()) } else { Pattern::Regex(text.clone()) }
        });
        let routes = parsed.enumerate().map(|(origin, pattern)| route(origin, pattern)).collect();
        let (table, problems) = Table::compile(&Settings { converters: Vec::new(), routes });
        let Some(table) = table else { return Ok(()) };
        for path in paths {
            let path = format!("/{path}");
            if let Some(found) = table.resolve("GET", &path) {
                let origin = found.route(&table).origin;
                prop_assert!(!problems.iter().any(|problem| problem.origin == origin && problem.other.is_some()), "{}", path);
            }
        }
    }
}
