//! Business events with the real process: which requests have one, what its fields hold, what is left out.

use serde_json::json;

use crate::support::{Client, Log, Setup, TestProxy, Upstream, request};

const PHONE: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/125.0.0.0 Mobile Safari/537.36";

const EVENTS: &str = r#"
[[route]]
name = "product-detail"
path = "products/<int:pk>/"
[[route]]
name = "quiet"
path = "quiet/<int:pk>/"
log = false
[[event]]
name = "product_viewed"
when = "route:product-detail status<400"
[event.fields]
product_id = "view_kwargs.pk"
user_id = "user_id"
category = "response.header.x-product-category"
is_mobile = "is_mobile"
campaign = "query.utm campaign"
secret = "query.token"
secret_hash = { from = "query.token", hash = true }
tenant = "request.header.X-Tenant"
key = "request.header.Authorization"
session = { from = "cookie.sessionid", hash = true }
status = "status"
took = "duration"
shop = { value = "eu" }
version = { value = 3 }
[[event]]
name = "trouble"
when = "status>=500"
level = "warning"
fields = { user_hash = { from = "user_id", hash = true }, method = "method" }
"#;

/// Answers 500 under `/fail`, and tells the category of a product.
fn shop() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            let status = if message.start[1].starts_with("/fail") { "500 No" } else { "200 Yes" };
            conn.send(format!("HTTP/1.1 {status}\r\nX-Product-Category: shoes\r\nContent-Length: 0\r\n\r\n"));
        }
    })
}

fn setup(upstream: &Upstream, log: &str) -> Setup {
    let identity = "request_id = { accept = \"always\" }\nuser = [{ request_header = \"X-User\", trusted = false }]\n\
                    hash_key = \"0123456789abcdef\"";
    Setup::before(upstream).identity(identity).set("log", log).routes(EVENTS)
}

fn visit(proxy: &TestProxy, target: &str, id: &str, more: &str) {
    Client::connect(proxy.addr()).exchange(request("GET", target, id, more, ""));
}

/// Everything that a client may say.
fn all_of_it() -> String {
    format!(
        "User-Agent: {PHONE}\r\nX-User: ada\r\nX-Tenant: acme\r\nAuthorization: Bearer hunter2\r\n\
         Cookie: a=b; sessionid=hunter2\r\n"
    )
}

#[test]
fn an_event_has_its_fields_with_their_types_and_is_joined_by_the_request_id() {
    let upstream = shop();
    let proxy = setup(&upstream, "").start();
    visit(&proxy, "/products/42/?utm+campaign=spring%20sale&token=hunter2", "whole", &all_of_it());
    visit(&proxy, "/products/7/", "bare", "");
    visit(&proxy, "/other/", "other", &all_of_it());
    visit(&proxy, "/quiet/1/", "quiet", "");
    let log = proxy.stop();
    let completed = log.completed("whole");
    let events = log.of("whole");
    let event = events.only("product_viewed");
    let head = (event.text("logger"), event.text("level"), event.text("message"), event.text("view_name"));
    assert_eq!(head, ("gatelog.business", "INFO", "product_viewed", "product-detail"));
    assert_eq!(event.get("trace_id"), completed.get("trace_id"));
    assert_eq!(event.get("took"), completed.get("duration"));
    for (name, value) in [
        ("product_id", json!(42)),
        ("user_id", json!("ada")),
        ("category", json!("shoes")),
        ("is_mobile", json!(true)),
        ("campaign", json!("spring sale")),
        ("secret", json!("REDACTED")),
        ("tenant", json!("acme")),
        ("key", json!("REDACTED")),
        ("status", json!(200)),
        ("shop", json!("eu")),
        ("version", json!(3)),
    ] {
        assert_eq!(event.get(name), Some(&value), "{name}");
    }
    for name in ["session", "secret_hash"] {
        assert_eq!(event.text(name).len(), 16, "{event:?}");
    }
    assert!(!format!("{log:?}").contains("hunter2"));

    let bare = log.of("bare");
    let bare = bare.only("product_viewed");
    assert_eq!((bare.get("is_mobile"), bare.get("category")), (Some(&json!(false)), Some(&json!("shoes"))));
    let missing = ["user_id", "campaign", "secret", "secret_hash", "tenant", "key", "session"];
    assert!(missing.iter().all(|name| bare.get(name).is_none()), "{bare:?}");
    assert_eq!(log.count("product_viewed"), 2);
    assert_eq!(told_as_missing(&log), missing.map(|name| (name.to_owned(), "1".to_owned())));
}

/// Field and count, as the log tells at its end.
fn told_as_missing(log: &Log) -> Vec<(String, String)> {
    let told = log.events("diagnostic").into_iter().filter(|record| record.text("business_event") == "product_viewed");
    told.map(|record| (record.text("field").to_owned(), record.text("count").to_owned())).collect()
}

#[test]
fn events_are_hashed_alike_leveled_and_untouched_by_sampling() {
    let upstream = shop();
    let proxy = setup(&upstream, "sample = [{ rate = 0 }]").start();
    visit(&proxy, "/products/1/", "sampled", "Cookie: sessionid=one\r\n");
    visit(&proxy, "/products/2/", "again", "Cookie: sessionid=one\r\n");
    visit(&proxy, "/fail", "failed", "X-User: ada\r\n");
    let log = proxy.stop();
    assert_eq!(log.of("sampled").0.len(), 1, "the event alone");
    let sessions: Vec<&str> = log.events("product_viewed").iter().map(|event| event.text("session")).collect();
    assert!(sessions[0].len() == 16 && sessions[0] == sessions[1], "{sessions:?}");
    let failed = log.of("failed");
    let trouble = failed.only("trouble");
    assert_eq!((trouble.text("level"), trouble.text("method")), ("WARNING", "GET"));
    assert!(trouble.text("user_hash").len() == 16 && trouble.get("user_id").is_none());
    failed.only("request_completed");
}

#[test]
fn outputs_choose_events_by_logger_and_field() {
    let upstream = shop();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("business.log");
    let outputs = format!(
        "level = \"info\"\n[[log.output]]\ntype = \"stdout\"\n[[log.output]]\ntype = \"file\"\npath = {path:?}\n\
         format = \"logfmt\"\nfilter = \"logger:gatelog.business fields.product_id:42\"\n"
    );
    let proxy = setup(&upstream, &outputs).start();
    visit(&proxy, "/products/42/", "chosen", &all_of_it());
    visit(&proxy, "/products/43/", "other", &all_of_it());
    proxy.stop();
    let lines = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    for pair in ["event=product_viewed", "request_id=chosen", "view_name=product-detail", "product_id=42", "shop=eu"] {
        assert!(lines.contains(pair), "{pair} is not in {lines}");
    }
}
