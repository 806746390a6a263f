//! Routes in the record: names, typed parameters, and what a route may change about its records.

use serde_json::json;

use crate::support::{Client, Setup, TestProxy, Upstream, get, request};

const ROUTES: &str = r#"
[[route]]
name = "post-detail"
path = "posts/<int:pk>/"
[[route]]
name = "year"
regex = '^articles/(?P<year>[0-9]{4})/$'
[[route]]
regex = '^unnamed/([0-9]+)/([a-z]+)/$'
name = "unnamed"
[[route]]
name = "health"
path = "healthz"
log = false
[[route]]
name = "quiet"
path = "quiet/"
start = "never"
level = "warning"
labels = { team = "web" }
[[route]]
name = "form"
path = "form/"
methods = ["POST"]
[[route]]
prefix = "shop/"
namespace = "shop"
route = [{ name = "cart", path = "cart/" }, { name = "order", path = "orders/<uuid:id>/" }]
"#;

fn routed(upstream: &Upstream) -> TestProxy {
    Setup::before(upstream).routes(ROUTES).start()
}

#[test]
fn records_name_the_route_and_type_its_parameters() {
    let upstream = Upstream::ok();
    let proxy = routed(&upstream);
    let id = "0b8b1ab2-1b1c-4b57-8c5e-5f3f1e0f5e11";
    let order = format!("/shop/orders/{id}/");
    let expected = [
        ("/posts/42/?page=2", "post-detail", Some("/posts/{pk}/"), json!([]), json!({"pk": 42})),
        ("/posts/042/", "post-detail", Some("/posts/{pk}/"), json!([]), json!({"pk": 42})),
        ("/posts/x/", "unknown", None, json!([]), json!({})),
        ("/articles/2024/", "year", Some("/articles/{year}/"), json!([]), json!({"year": "2024"})),
        ("/shop/cart/", "shop:cart", Some("/shop/cart/"), json!([]), json!({})),
        (order.as_str(), "shop:order", Some("/shop/orders/{id}/"), json!([]), json!({"id": id})),
        ("/posts/42", "unknown", None, json!([]), json!({})),
    ];
    for (index, (target, name, route, args, kwargs)) in expected.into_iter().enumerate() {
        let id = format!("route-{index}");
        get(proxy.addr(), target, &id).ok();
        let record = proxy.completed(&id);
        assert_eq!((record.text("view_name"), record.get("route").and_then(|route| route.as_str())), (name, route));
        assert_eq!(record.get("view_args").cloned().unwrap_or(json!([])), args, "{record:?}");
        assert_eq!(record.get("view_kwargs").cloned().unwrap_or(json!({})), kwargs, "{record:?}");
        assert_eq!(proxy.log().of(&id).only("request_started").text("view_name"), name);
    }
    get(proxy.addr(), "/unnamed/7/abc/", "unnamed").ok();
    assert_eq!(proxy.completed("unnamed").get("view_args"), Some(&json!(["7", "abc"])));
    proxy.stop();
}

#[test]
fn methods_are_part_of_the_match() {
    let upstream = Upstream::ok();
    let proxy = routed(&upstream);
    get(proxy.addr(), "/form/", "get").ok();
    Client::connect(proxy.addr()).exchange(request("POST", "/form/", "post", "", "a=1")).ok();
    assert_eq!(proxy.completed("get").text("view_name"), "unknown");
    assert_eq!(proxy.completed("post").text("view_name"), "form");
    proxy.stop();
}

#[test]
fn a_route_can_be_kept_out_of_the_log() {
    let upstream = Upstream::ok();
    let proxy = routed(&upstream);
    get(proxy.addr(), "/healthz", "health").ok();
    get(proxy.addr(), "/posts/1/", "post").ok();
    proxy.completed("post");
    assert!(proxy.stop().of("health").0.is_empty());
}

#[test]
fn a_route_can_change_level_start_and_labels() {
    let upstream = Upstream::ok();
    let proxy = routed(&upstream);
    get(proxy.addr(), "/quiet/", "quiet").ok();
    proxy.wait_for("completed", |log| log.of("quiet").count("request_completed") > 0);
    let own = proxy.stop().of("quiet");
    assert_eq!(own.0.len(), 1, "{own:?}");
    assert_eq!(own.0[0].text("level"), "WARNING");
    assert_eq!(own.0[0].get("labels"), Some(&json!({"team": "web"})));
}
