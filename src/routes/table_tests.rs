//! The table as its callers see it: settings in, matches out.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Table;
use crate::record::{Level, Value};
use crate::routes::{ConverterSettings, ConverterType, Pattern, Problem, RouteSettings, Settings, Severity};

fn route(name: &str, pattern: Pattern) -> RouteSettings {
    RouteSettings { name: Some(name.into()), ..RouteSettings::new(name.bytes().map(usize::from).sum(), pattern) }
}

fn path(name: &str, pattern: &str) -> RouteSettings {
    route(name, Pattern::Path(pattern.into()))
}

fn regex(name: &str, pattern: &str) -> RouteSettings {
    route(name, Pattern::Regex(pattern.into()))
}

fn under(prefix: Pattern, namespace: &str, nested: Vec<RouteSettings>) -> RouteSettings {
    RouteSettings { name: None, namespace: Some(namespace.into()), nested, ..route("", prefix) }
}

fn compile(routes: Vec<RouteSettings>) -> (Option<Table>, Vec<Problem>) {
    let yyyy =
        |name: &str, regex: &str, kind| ConverterSettings { origin: 1, name: name.into(), regex: regex.into(), kind };
    let converters = vec![
        yyyy("yyyy", "[0-9]{4}", ConverterType::Int),
        yyyy("signed", r"[-+]?\d+", ConverterType::Int),
        yyyy("any", "[^/]+", ConverterType::Int),
        yyyy("guid", "[0-9a-fA-F-]+", ConverterType::Uuid),
    ];
    Table::compile(&Settings { converters, routes })
}

fn table(routes: Vec<RouteSettings>) -> Table {
    let (table, problems) = compile(routes);
    table.unwrap_or_else(|| panic!("{problems:?}"))
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Digits(digits) => json!({ "int": digits }),
        Value::Float(float) => json!(float),
        Value::Bool(bool) => json!(bool),
        Value::Text(text) => json!(String::from_utf8_lossy(text)),
        Value::Null => Json::Null,
        other => panic!("{other:?}"),
    }
}

/// Name, args and kwargs; `null` when nothing matches.
fn ask(table: &Table, method: &str, path: &str) -> Json {
    let Some(found) = table.resolve(method, path) else { return Json::Null };
    let args: Vec<Json> = found.args(table, path).map(json).collect();
    let kwargs: serde_json::Map<String, Json> =
        found.kwargs(table, path).map(|arg| (arg.name.to_owned(), json(arg.value))).collect();
    json!([&*found.route(table).name, args, kwargs])
}

#[test]
fn parameters_have_their_types() {
    let table = table(vec![
        path("post", "posts/<int:pk>/"),
        path("file", "files/<uuid:id>.<slug:format>"),
        path("year", "y/<yyyy:year>/"),
        path("signed", "s/<signed:n>/"),
        path("guid", "g/<guid:id>/"),
        path("tree", "tree/<path:rest>"),
        path("user", "<user>/"),
    ]);
    let ask = |path: &str| ask(&table, "GET", path);
    let id = "01234567-89ab-cdef-0123-456789abcdef";
    assert_eq!(ask("/posts/0042/"), json!(["post", [], {"pk": {"int": "42"}}]));
    assert_eq!(ask(&format!("/files/{id}.tar-gz")), json!(["file", [], {"id": id, "format": "tar-gz"}]));
    assert_eq!(ask("/y/0001/"), json!(["year", [], {"year": {"int": "1"}}]));
    assert_eq!(ask("/s/-007/"), json!(["signed", [], {"n": {"int": "-7"}}]));
    assert_eq!(ask("/s/%D9%A3/"), json!(["signed", [], {"n": {"int": "3"}}]));
    assert_eq!(ask("/g/0123456789ABCDEF0123456789abcdef/"), json!(["guid", [], {"id": id}]));
    assert_eq!(ask("/tree/a/b%2Fc%20d"), json!(["tree", [], {"rest": "a/b/c d"}]));
    assert_eq!(ask("/caf%C3%A9/"), json!(["user", [], {"user": "café"}]));
    assert_eq!(ask("/%FF/"), json!(["user", [], {"user": "%FF"}]));
    assert_eq!(ask("/a%0A/"), json!(["user", [], {"user": "a\n"}]));
    assert_eq!(ask("/tree/a%0A"), Json::Null);
    assert_eq!(ask("/user"), Json::Null);
    assert_eq!(ask("user/"), Json::Null);
    assert_eq!(ask("//user/"), Json::Null);
    assert_eq!(ask("*"), Json::Null);
}

#[test]
fn a_failing_converter_means_the_next_pattern() {
    let table = table(vec![path("number", "a/<any:n>/"), path("long", "b/<int:n>/"), path("text", "<t>/<n>/")]);
    assert_eq!(ask(&table, "GET", "/a/12/"), json!(["number", [], {"n": {"int": "12"}}]));
    assert_eq!(ask(&table, "GET", "/a/x/"), json!(["text", [], {"t": "a", "n": "x"}]));
    let digits = "9".repeat(4301);
    assert_eq!(ask(&table, "GET", &format!("/b/{digits}/")), json!(["text", [], {"t": "b", "n": digits}]));
}

#[test]
fn the_first_match_in_order_wins() {
    let table = table(vec![
        path("str", "<x>/a/"),
        path("int", "<int:x>/b/"),
        path("static", "1/b/"),
        path("slug", "<slug:x>/<slug:y>/"),
        regex("any", "c"),
        path("late", "z/c"),
    ]);
    let name = |path| ask(&table, "GET", path)[0].clone();
    assert_eq!(name("/1/a/"), "str");
    assert_eq!(name("/1/b/"), "int");
    assert_eq!(name("/é/b/"), Json::Null);
    assert_eq!(name("/x/b/"), "slug");
    assert_eq!(name("/z/c"), "any");
    assert_eq!(name("/c/"), "any");
}

#[test]
fn methods_choose_among_routes() {
    let only = |name, methods: &[&str]| RouteSettings {
        methods: methods.iter().map(|method| method.to_string()).collect(),
        ..path(name, "a/")
    };
    let nested = under(Pattern::Prefix("a".into()), "n", vec![path("rest", "/"), only("never", &["GET"])]);
    let table = table(vec![
        only("read", &["GET", "HEAD"]),
        only("write", &["POST"]),
        RouteSettings { methods: vec!["PUT".into()], ..nested },
    ]);
    assert_eq!(ask(&table, "GET", "/a/")[0], "read");
    assert_eq!(ask(&table, "POST", "/a/")[0], "write");
    assert_eq!(ask(&table, "PUT", "/a/")[0], "n:rest");
    assert_eq!(ask(&table, "get", "/a/"), Json::Null);
    assert_eq!(ask(&table, "DELETE", "/a/"), Json::Null);
    assert_eq!(ask(&table, "GET", "/aa/"), Json::Null);
}

#[test]
fn groups_become_arguments_by_djangos_rules() {
    let table = table(vec![
        regex("positional", r"^p/(\d+)/(?:(\w+)/)?$"),
        regex("mixed", r"^m/(\d+)/(?P<a>\w+)/$"),
        regex("optional", r"^o/(?:(?P<a>\d+)/)?(?:(?P<b>\w+)/)?$"),
        under(
            Pattern::RegexPrefix(r"^x/(\d+)/".into()),
            "x",
            vec![regex("pos", r"^(\w+)$"), path("named", "n/<int:k>")],
        ),
        under(Pattern::Prefix("y/<int:id>/".into()), "y", vec![regex("pos", r"^(\w+)$"), path("id", "n/<id>/")]),
        under(Pattern::RegexPrefix(r"^z/(?:(?P<z>\d)/)?".into()), "z", vec![regex("pos", r"^(\w+)$")]),
        under(Pattern::RegexPrefix(r"^w/(\d)/".into()), "w", vec![regex("optional", r"^(?:(?P<o>\d)/)?$")]),
    ]);
    let ask = |path: &str| ask(&table, "GET", path);
    assert_eq!(ask("/p/1/b/"), json!(["positional", ["1", "b"], {}]));
    assert_eq!(ask("/p/1/"), json!(["positional", ["1", null], {}]));
    assert_eq!(ask("/m/1/b/"), json!(["mixed", [], {"a": "b"}]));
    assert_eq!(ask("/o/x/"), json!(["optional", [], {"b": "x"}]));
    assert_eq!(ask("/x/1/b"), json!(["x:pos", ["1", "b"], {}]));
    assert_eq!(ask("/x/1/n/2"), json!(["x:named", [], {"k": {"int": "2"}}]));
    // Not a slip: Django drops the positional arguments above named ones, never those below.
    assert_eq!(ask("/y/1/b"), json!(["y:pos", ["b"], {"id": {"int": "1"}}]));
    assert_eq!(ask("/y/1/n/b/"), json!(["y:id", [], {"id": "b"}]));
    assert_eq!(ask("/z/1/b"), json!(["z:pos", ["b"], {"z": "1"}]));
    assert_eq!(ask("/z/b"), json!(["z:pos", ["b"], {}]));
    assert_eq!(ask("/w/1/"), json!(["w:optional", ["1"], {}]));
    assert_eq!(ask("/w/1/2/"), json!(["w:optional", [], {"o": "2"}]));
}

#[test]
fn extra_arguments_win_over_captured_ones_of_their_own_pattern() {
    let extra = |route: RouteSettings, kwargs: Json| RouteSettings {
        kwargs: kwargs.as_object().unwrap().clone().into_iter().collect(),
        ..route
    };
    let nested = vec![extra(regex("pos", r"^(\d+)/$"), json!({"own": 1.5})), path("captured", "<slug:a>/")];
    let prefix = extra(under(Pattern::Prefix("<int:a>/<int:b>/".into()), "n", nested), json!({"a": true, "big": 10}));
    let table = table(vec![extra(path("one", "<int:a>"), json!({"a": "extra", "none": null})), prefix]);
    assert_eq!(ask(&table, "GET", "/1"), json!(["one", [], {"a": "extra", "none": null}]));
    let big = json!({"int": "10"});
    let all = json!(["n:pos", ["7"], {"a": true, "b": {"int": "2"}, "big": big, "own": 1.5}]);
    assert_eq!(ask(&table, "GET", "/1/2/7/"), all);
    assert_eq!(ask(&table, "GET", "/1/2/x/"), json!(["n:captured", [], {"a": "x", "b": {"int": "2"}, "big": big}]));
}

#[test]
fn a_prefix_takes_all_it_can_and_never_gives_back() {
    let table = table(vec![
        under(Pattern::Prefix("a<x>".into()), "greedy", vec![path("b", "b"), path("slash", "/c")]),
        under(Pattern::RegexPrefix("b+?".into()), "lazy", vec![path("b", "bb")]),
        under(Pattern::RegexPrefix("^d(e$)".into()), "dollar", vec![regex("rest", "^(\n?)$")]),
    ]);
    assert_eq!(ask(&table, "GET", "/axb"), Json::Null);
    assert_eq!(ask(&table, "GET", "/axb/c"), json!(["greedy:slash", [], {"x": "xb"}]));
    assert_eq!(ask(&table, "GET", "/xbbb"), json!(["lazy:b", [], {}]));
    assert_eq!(ask(&table, "GET", "/de%0A"), json!(["dollar:rest", ["e", "\n"], {}]));
}

#[test]
fn settings_are_inherited_and_the_nearest_wins() {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let inner = RouteSettings {
        slow: Some(None),
        labels: vec![label("team", "b")],
        upstream: Some("inner".into()),
        ..path("inner", "x/")
    };
    let table = table(vec![
        RouteSettings {
            slow: Some(Some(Duration::from_secs(3))),
            level: Some(Level::Debug),
            upstream: Some("outer".into()),
            log: false,
            labels: vec![label("team", "a"), label("tier", "1")],
            ..under(Pattern::Prefix("p/".into()), "n", vec![inner, path("plain", "y/")])
        },
        RouteSettings { name: None, ..regex("", "^q/(?P<id>[0-9]+)/$") },
    ]);
    let inner = &table.routes()[0].overrides;
    assert_eq!((inner.slow, inner.level, inner.log), (Some(None), Some(Level::Debug), false));
    assert_eq!(inner.upstream.as_deref(), Some("inner"));
    let labels: Vec<(&str, &str)> = inner.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(labels, [("tier", "1"), ("team", "b")]);
    assert_eq!(table.routes()[1].overrides.slow, Some(Some(Duration::from_secs(3))));
    assert_eq!((&*table.routes()[1].name, &*table.routes()[1].pattern), ("n:plain", "/p/y/"));
    assert_eq!(&*table.routes()[2].name, "/q/{id}/");
}

#[test]
fn broken_tables_are_refused_with_every_problem() {
    let nested = under(Pattern::Prefix("<a b>/".into()), "n", vec![path("inner", "<nope:x>")]);
    let listed = RouteSettings { kwargs: vec![("k".into(), json!([1]))], ..path("list", "l/") };
    let (table, problems) = compile(vec![nested, regex("look", "^(?!a)b$"), listed, path("fine", "fine/")]);
    assert!(table.is_none());
    let errors: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
    assert_eq!(errors, ["prefix", "path", "regex", "kwargs"]);
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error && problem.hint.is_some()));
}

#[test]
fn what_django_warns_of_is_warned_of() {
    let cases = [
        path("slash", "/a/"),
        regex("slash", r"^\/a"),
        path("regex", "^a/$"),
        path("bracket", "a/<int:pk"),
        path("bracket", "a>b<c"),
        path("a:b", "colon/"),
        under(Pattern::RegexPrefix("^a/$".into()), "", vec![path("x", "x")]),
        under(Pattern::Prefix("empty/".into()), "", Vec::new()),
        RouteSettings { namespace: Some("n".into()), ..path("namespace", "n/") },
        RouteSettings { nested: vec![path("x", "x")], ..path("nested", "n/") },
    ];
    for case in cases {
        let (table, problems) = compile(vec![case.clone()]);
        assert!(table.is_some(), "{case:?}");
        assert!(problems.iter().any(|problem| problem.severity == Severity::Warning), "{case:?}");
    }
    let joined = under(Pattern::Prefix("shop".into()), "shop", vec![path("cart", "/cart/")]);
    assert_eq!(compile(vec![joined, path("plain", "a/<int:b>-<c>/")]).1, []);
}

#[test]
fn no_path_at_all_is_read_as_the_root() {
    let table = table(vec![regex("empty", "()")]);
    assert_eq!(ask(&table, "GET", ""), ask(&table, "GET", "/"));
    assert_eq!(ask(&table, "GET", "/"), json!(["empty", [""], {}]));
}
