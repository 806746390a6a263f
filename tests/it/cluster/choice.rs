//! Which upstream a request is for: by host, by prefix, by route, and by nothing.

use crate::support::{Client, Setup, Upstream, get};

/// What answers with its own name.
fn saying(answer: &'static [u8]) -> Upstream {
    Upstream::answering(answer)
}

#[test]
fn the_host_decides_then_the_longest_prefix_then_the_default() {
    let [app, shop, api] = [
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napp"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nshop"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napi"),
    ];
    let others = format!(
        "[[upstream]]\nname = \"shop\"\nhosts = [\"shop.example\"]\nservers = [{:?}]\n\
         [[upstream]]\nname = \"api\"\nprefix = \"/api\"\nservers = [{:?}]\n\
         [[route]]\nname = \"pinned\"\npath = \"pinned/\"\nupstream = \"api\"\n",
        shop.url(),
        api.url()
    );
    let proxy = Setup::before(&app).routes(&others).start();
    let cases = [
        ("test.example", "/", "app"),
        ("shop.example", "/", "shop"),
        ("SHOP.example:8080", "/", "shop"),
        ("shop.example", "/api/x", "shop"),
        ("test.example", "/api", "api"),
        ("test.example", "/api/x?y", "api"),
        ("test.example", "/apiary", "app"),
        ("shop.example", "/pinned/", "api"),
    ];
    for (index, (host, path, name)) in cases.into_iter().enumerate() {
        let id = format!("choice-{index}");
        let asked = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Request-ID: {id}\r\n\r\n");
        assert_eq!(Client::connect(proxy.addr()).exchange(asked).ok().text(), name, "{host}{path}");
        assert_eq!(proxy.completed(&id).text("upstream"), name, "{host}{path}");
    }
    proxy.stop();
}

#[test]
fn a_host_that_nobody_serves_is_told_as_that() {
    let app = Upstream::ok();
    let proxy = Setup::before(&app).upstream("hosts = [\"app.example\"]").start();
    assert_eq!(get(proxy.addr(), "/", "foreign").status(), 404);
    let record = proxy.completed("foreign");
    let seen = (record.text("outcome"), record.text("exception_type"), record.text("responder"));
    assert_eq!(seen, ("no_upstream", "destination_not_found", "gatelog"), "{record:?}");
    assert!(record.get("upstream").is_none());
    proxy.stop();
}
