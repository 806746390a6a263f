//! What is done with requests changes between two of them: routes, upstreams, limits and identity, on connections that
//! stay open; what runs goes on as it began.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::{OUTPUTS, names};
use crate::support::log::Log;
use crate::support::metrics::Samples;
use crate::support::{Client, Setup, TestProxy, Upstream, get, request};

const ONE: &str = "[[route]]\nname = \"one\"\npath = \"x/<int:pk>/\"\n";
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"x/<slug:name>/\"\n";

/// Writes another file and has it taken.
pub(super) fn take(proxy: &TestProxy, path: &std::path::Path, text: &str) -> crate::support::log::Record {
    std::fs::write(path, text).unwrap();
    let before = proxy.log().count("config_reloaded");
    proxy.signal("HUP");
    let log = proxy.wait_for("config_reloaded", |log| log.count("config_reloaded") > before);
    log.events("config_reloaded")[before].clone()
}

fn view(log: &Log, id: &str) -> String {
    log.completed(id).text("view_name").to_owned()
}

/// A proxy, its file, and the text of that up to its routes.
pub(super) fn start(setup: Setup) -> (TestProxy, std::path::PathBuf, String) {
    let setup = setup.routes(OUTPUTS).admin();
    let config = setup.dir().join("gatelog.toml");
    let proxy = setup.start();
    let text = std::fs::read_to_string(&config).unwrap();
    (proxy, config, text.split_once(OUTPUTS).unwrap().0.to_owned())
}

#[test]
fn routes_change_on_a_connection_that_stays_open_and_counts_go_on() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let mut client = Client::connect(proxy.addr());
    take(&proxy, &config, &format!("{rest}{ONE}"));
    client.exchange(request("GET", "/x/7/", "first", "", "")).ok();
    let record = take(&proxy, &config, &format!("{rest}{OTHER}{ONE}"));
    assert_eq!(names(&record, "changed"), ["route"]);
    client.exchange(request("GET", "/x/7/", "second", "", "")).ok();
    take(&proxy, &config, &format!("{rest}{ONE}"));
    client.exchange(request("GET", "/x/8/", "third", "", "")).ok();
    proxy.completed("third");
    let of = |route| [("route", route), ("method", "GET"), ("status", "2xx"), ("outcome", "success")];
    let all = |samples: &Samples| samples.value("gatelog_requests_total", &of("one")) == 2.0;
    let samples = Samples::once(proxy.admin(), "both requests", all);
    assert_eq!(samples.value("gatelog_requests_total", &of("other")), 1.0);
    let log = proxy.stop();
    assert_eq!([view(&log, "first"), view(&log, "second"), view(&log, "third")], ["one", "other", "one"]);
    assert_eq!(log.completed("second").get("view_kwargs").unwrap()["name"], "7");
}

#[test]
fn a_request_that_runs_ends_as_it_began() {
    let (tell, told) = channel();
    let (release, released) = channel::<()>();
    let (tell, released) = (Mutex::new(tell), Mutex::new(released));
    let slow = Upstream::script(move |conn| {
        conn.head();
        tell.lock().unwrap().send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let other = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&slow));
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/x/7/", "running", "", ""));
    told.recv().unwrap();
    let moved = rest.replace(&slow.url(), &other.url());
    let record = take(&proxy, &config, &format!("{moved}{ONE}"));
    assert_eq!(names(&record, "changed"), ["upstream", "route"]);
    get(proxy.addr(), "/x/7/", "new").ok();
    release.send(()).unwrap();
    client.answer().ok();
    let log = proxy.stop();
    assert_eq!((view(&log, "running"), view(&log, "new")), ("unknown".to_owned(), "one".to_owned()));
    let server = |id: &str| log.completed(id).text("upstream_address").to_owned();
    assert_eq!((server("running"), server("new")), (slow.addr().to_string(), other.addr().to_string()));
}

#[test]
fn an_upstream_that_stays_keeps_its_connections() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream).top("workers", "1"));
    for id in ["a", "b"] {
        get(proxy.addr(), "/", id).ok();
        proxy.completed(id);
        take(&proxy, &config, &format!("{rest}{}", if id == "a" { ONE } else { OTHER }));
    }
    get(proxy.addr(), "/", "c").ok();
    let log = proxy.stop();
    assert_eq!(log.completed("c").get("reused_connection"), Some(&serde_json::json!(true)));
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn limits_and_identity_change_for_the_next_request() {
    let upstream = Upstream::ok();
    let nobody = "request_id = { accept = \"always\" }\ntrusted_proxies = []\n";
    let (proxy, config, rest) = start(Setup::before(&upstream).identity(nobody));
    let forwarded = "X-Forwarded-For: 203.0.113.9\r\n";
    let ask = |id: &str| {
        let mut client = Client::connect(proxy.addr());
        client.exchange(request("POST", "/", id, forwarded, "a body")).status()
    };
    assert_eq!(ask("before"), 200);
    let trusting = rest.replace("trusted_proxies = []", "trusted_proxies = [\"127.0.0.0/8\"]");
    let record = take(&proxy, &config, &format!("{trusting}[limits]\nbody_bytes = 3\n"));
    assert_eq!(names(&record, "changed"), ["limits", "identity"]);
    assert_eq!(ask("after"), 413);
    let log = proxy.stop();
    let client = |id: &str| log.completed(id).text("ip_address").to_owned();
    assert_eq!((client("before"), client("after")), ("127.0.0.1".to_owned(), "203.0.113.9".to_owned()));
}

#[test]
fn a_file_of_an_upstream_that_is_gone_refuses_the_whole() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let broken = rest.replace("http://", "https://").replace("name = \"app\"", "name = \"app\"\nca = \"gone.pem\"");
    std::fs::write(&config, format!("{broken}{ONE}")).unwrap();
    proxy.signal("HUP");
    proxy.wait_for("config_refused", |log| log.count("config_refused") == 1);
    get(proxy.addr(), "/x/7/", "still").ok();
    assert_eq!(view(&proxy.stop(), "still"), "unknown");
}

#[test]
fn an_upstream_that_is_gone_is_checked_no_more() {
    let (checked, other) = (Upstream::ok(), Upstream::ok());
    let health = "health = { path = \"/\", interval = \"20ms\" }";
    let (proxy, config, rest) = start(Setup::before(&checked).upstream(health));
    let gone = rest.replace(&checked.url(), &other.url()).replace(health, "");
    take(&proxy, &config, &gone);
    let before = checked.accepted();
    for id in 0..200 {
        get(proxy.addr(), "/", &format!("r-{id}")).ok();
    }
    // One check may have been under way.
    assert!(checked.accepted() <= before + 1, "{} checks more", checked.accepted() - before);
    let log = proxy.stop();
    assert_eq!(log.count("upstream_down"), 0);
}
