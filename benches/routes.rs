//! What it takes to resolve a path in tables of 1 000 patterns. The mark is 500 ns on average.
//!
//! Each case goes through its paths in turn, so that a figure is the average over them, caches as cold as that makes
//! them. `tenants` and below are tables made to be slow: nothing but a run at the beginning, expressions that have to be
//! searched for, expressions that no walk can match.

#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::routes::{Pattern, RouteSettings, Settings, Table};

const ROUTES: usize = 1_000;

fn table(pattern: impl Fn(usize) -> Pattern) -> Table {
    let route = |index: usize| RouteSettings {
        name: Some(format!("route-{index}")),
        ..RouteSettings::new(index, pattern(index))
    };
    let settings = Settings { converters: Vec::new(), routes: (0..ROUTES).map(route).collect() };
    Table::compile(&settings).0.expect("the table is valid")
}

/// Ten patterns for each of a hundred resources, as applications have them.
fn usual(index: usize) -> Pattern {
    let resource = format!("resource{}", index / 10);
    let path = |rest: &str| Pattern::Path(format!("{resource}/{rest}"));
    match index % 10 {
        0 => path(""),
        1 => path("new/"),
        2 => path("<int:pk>/"),
        3 => path("<int:pk>/edit/"),
        4 => path("<int:pk>/comments/<int:comment>/"),
        5 => path("<uuid:id>/"),
        6 => path("<slug:slug>/"),
        7 => path("files/<path:file>"),
        8 => Pattern::Regex(format!("^{resource}/archive/(?P<year>[0-9]{{4}})/(?P<month>[0-9]{{2}})/$")),
        _ => Pattern::Regex(format!(r"^{resource}/feed\.(?P<format>[a-z0-9]+)/?$")),
    }
}

fn usual_path(index: usize) -> String {
    let rest = match index % 10 {
        0 => "",
        1 => "new/",
        2 => "4217/",
        3 => "4217/edit/",
        4 => "4217/comments/99/",
        5 => "01234567-89ab-cdef-0123-456789abcdef/",
        6 => "a-title-of-some-length/",
        7 => "files/a/b/c.txt",
        8 => "archive/2024/07/",
        _ => "feed.json",
    };
    format!("/resource{}/{rest}", index / 10)
}

fn measure(criterion: &mut Criterion, name: &str, table: &Table, matches: bool, paths: &[String]) {
    for path in paths {
        assert_eq!(table.resolve("GET", path).is_some(), matches, "{name}: {path}");
    }
    let mut turn = paths.iter().cycle();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| turn.next().map(|path| table.resolve(black_box("GET"), black_box(path)).is_some()));
    });
}

fn all(path: impl Fn(usize) -> String) -> Vec<String> {
    // A stride that is no divisor: neighbours in the table are not neighbours in time.
    (0..ROUTES).map(|index| path(index * 617 % ROUTES)).collect()
}

fn usual_tables(criterion: &mut Criterion) {
    let usual = table(usual);
    measure(criterion, "usual/all", &usual, true, &all(usual_path));
    measure(criterion, "usual/first", &usual, true, &[usual_path(0)]);
    measure(criterion, "usual/last", &usual, true, &[usual_path(ROUTES - 1)]);
    measure(criterion, "usual/escaped", &usual, true, &["/resource77/files/caf%C3%A9%20au%20lait.txt".to_owned()]);
    let unknown = ["/nothing/here/", "/resource50/nope/x/", "/resource999/", "/wp-login.php", "/resource7/4217/edit"];
    measure(criterion, "usual/unknown", &usual, false, &unknown.map(str::to_owned));
}

fn slow_tables(criterion: &mut Criterion) {
    let tenants = table(|index| Pattern::Path(format!("<slug:tenant>/area{index}/<int:pk>/")));
    measure(criterion, "tenants/all", &tenants, true, &all(|index| format!("/acme/area{index}/42/")));
    measure(criterion, "tenants/unknown", &tenants, false, &["/acme/area1/x/".to_owned()]);

    let backward = table(|index| Pattern::Path(format!("area{index}/<slug:name>-<int:number>.<str:format>")));
    measure(criterion, "backward/all", &backward, true, &all(|index| format!("/area{index}/some-name-7.tar.gz")));

    let shared = table(|index| Pattern::Regex(format!("^(?P<tenant>en|de|fr)/area{index}/(?P<rest>.+)/end$")));
    measure(criterion, "expressions/all", &shared, true, &all(|index| format!("/de/area{index}/x/y/end")));
    measure(criterion, "expressions/unknown", &shared, false, &["/de/nothing/of/the/kind/".to_owned()]);

    let searched = table(|index| Pattern::Regex(format!(r"area{index}/(\d+)/")));
    measure(criterion, "searched/all", &searched, true, &all(|index| format!("/some/area{index}/17/x")));
    measure(criterion, "searched/unknown", &searched, false, &["/nothing/of/the/kind/".to_owned()]);
}

criterion_group!(benches, usual_tables, slow_tables);
criterion_main!(benches);
