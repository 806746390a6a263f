//! The admin listener: who may ask, what is refused, what runs now, and reloads.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};

use crate::support::metrics::{Samples, ask, eventually, json};
use crate::support::{Client, Ended, Setup, TestProxy, Upstream, get, request};

const TOKEN: &str = "token = \"0123456789abcdef\"";
const BEARER: &str = "Authorization: Bearer 0123456789abcdef\r\n";

fn start() -> (Upstream, TestProxy) {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().start();
    (upstream, proxy)
}

#[test]
fn health_is_a_word_and_head_has_no_body() {
    let (_upstream, proxy) = start();
    for (path, word) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = ask(proxy.admin(), "GET", path, "");
        assert_eq!((answer.status(), &json(&answer)["status"]), (200, &json!(word)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let head = ask(proxy.admin(), "HEAD", path, "");
        assert_eq!((head.status(), head.header("content-length")), (200, answer.header("content-length")));
    }
    proxy.stop();
}

#[test]
fn what_is_not_offered_is_a_problem_that_says_what_is() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin();
    for (method, target, status, allow) in [
        ("POST", "/metrics", 405, Some("GET, HEAD")),
        ("GET", "/api/reload", 405, Some("POST")),
        ("DELETE", "/healthz", 405, Some("GET, HEAD")),
        ("GET", "/nothing", 404, None),
        ("GET", "/healthz/", 404, None),
        ("GET", "/api/inflight?page=0", 400, None),
        ("GET", "/api/inflight?per_page=201", 400, None),
        ("GET", "/api/inflight?sort=age", 400, None),
        ("GET", "/api/upstreams?page=1&page=2", 400, None),
        ("POST", "/api/reload?now", 400, None),
    ] {
        let answer = ask(admin, method, target, "");
        assert_eq!((answer.status(), answer.header("allow")), (status, allow), "{method} {target}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = json(&answer);
        assert_eq!((&problem["status"], problem["detail"].is_string()), (&json!(status), true), "{problem}");
    }
    assert_eq!(proxy.stop().count("config_reloaded"), 0);
}

#[test]
fn bytes_that_are_no_request_are_refused_and_the_connection_ends() {
    let (_upstream, proxy) = start();
    let large = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    for (bytes, status) in [("GET / HTTP/1.1\nHost: localhost\n\n", 400), (large.as_str(), 431)] {
        let mut client = Client::connect(proxy.admin());
        client.send(bytes);
        let answer = client.answer();
        assert_eq!(answer.status(), status);
        assert_eq!(json(&answer.whole())["status"], status);
        assert!(matches!(client.rest().1, Ended::Closed | Ended::Cut));
    }
    assert_eq!(proxy.stop().count("request_rejected"), 0, "the log is about traffic");
}

#[test]
fn a_body_that_nobody_wants_is_bounded() {
    let (_upstream, proxy) = start();
    let mut client = Client::connect(proxy.admin());
    client.send(request("POST", "/healthz", "a", "", &"x".repeat(1000)).as_slice());
    assert_eq!(client.answer().status(), 403, "its host is none of ours");
    let head = "POST /healthz HTTP/1.1\r\nHost: localhost\r\n";
    client.send(format!("{head}Content-Length: 1000\r\n\r\n{}", "x".repeat(1000)));
    assert_eq!(client.answer().status(), 405);
    // The answer may come before all is sent, and the connection end with it.
    let _ = client.try_send(format!("{head}Content-Length: 1000000\r\n\r\n{}", "x".repeat(70_000)));
    assert_eq!(client.answer().status(), 413);
    proxy.stop();
}

#[test]
fn without_the_token_nothing_is_told_but_health() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().set("admin", TOKEN).start();
    let admin = proxy.admin();
    for path in ["/metrics", "/api/inflight", "/api/upstreams", "/no-such-page"] {
        let answer = ask(admin, "GET", path, "");
        assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some("Bearer realm=\"gatelog\"")));
        assert_eq!(ask(admin, "GET", path, "Authorization: Bearer 0123456789abcdeg\r\n").status(), 401, "{path}");
    }
    assert_eq!(ask(admin, "GET", "/metrics", BEARER).status(), 200);
    assert_eq!(ask(admin, "GET", "/no-such-page", BEARER).status(), 404);
    assert_eq!(ask(admin, "GET", "/healthz", "").status(), 200);
    let foreign = "GET /api/inflight HTTP/1.1\r\nHost: gatelog.example\r\n";
    assert_eq!(Client::connect(admin).exchange(format!("{foreign}{BEARER}\r\n")).status(), 200);
    proxy.stop();
}

#[test]
fn a_name_that_a_page_of_the_web_gave_this_address_is_refused() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().set("admin", "hosts = [\"gatelog.internal\"]").start();
    let status = |host: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Client::connect(proxy.admin()).exchange(request).status()
    };
    assert_eq!((status("evil.example"), status("localhost:9900"), status("gatelog.internal:1")), (403, 200, 200));
    proxy.stop();
}

/// Tells of each request that it has, and goes on once it is let.
fn holding(first: &'static [u8], rest: &'static [u8]) -> (Upstream, Receiver<()>, Sender<()>) {
    let ((tell, told), (release, released)) = (channel(), channel::<()>());
    let (tell, released) = (Mutex::new(tell), Mutex::new(released));
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() {
            conn.send(first);
            tell.lock().unwrap().send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            conn.send(rest);
        }
    });
    (upstream, told, release)
}

const ROUTE: &str = "[[route]]\nname = \"post-detail\"\npath = \"posts/<int:pk>/\"\n";

#[test]
fn a_request_that_waits_for_its_answer_is_shown_where_it_is() {
    let (upstream, told, release) = holding(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Setup::before(&upstream).admin().routes(ROUTE).start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("POST", "/posts/7/?token=secret", "held", "", "four"));
    told.recv().unwrap();
    let answer = ask(proxy.admin(), "GET", "/api/inflight", "");
    let list = json(&answer);
    assert_eq!((answer.status(), &list["total_count"], &list["page"]), (200, &json!(1), &json!(1)), "{list}");
    let running = &list["requests"][0];
    for (field, value) in [
        ("request_id", json!("held")),
        ("phase", json!("wait")),
        ("method", json!("POST")),
        ("path", json!("/posts/7/")),
        ("view_name", json!("post-detail")),
        ("route", json!("/posts/{pk}/")),
        ("upstream", json!("app")),
        ("request_size", json!(4)),
        ("slow", json!(false)),
    ] {
        assert_eq!(running[field], value, "{field} in {running}");
    }
    assert!(running["age"].as_f64().unwrap() > 0.0 && !list.to_string().contains("secret"), "{list}");
    assert!(upstream.url().ends_with(running["upstream_address"].as_str().unwrap()), "{running}");
    release.send(()).unwrap();
    client.answer().ok();
    proxy.completed("held");
    let none = |list: &Value| list["requests"] == json!([]);
    eventually("its end", || Some(json(&ask(proxy.admin(), "GET", "/api/inflight", ""))).filter(none));
    proxy.stop();
}

#[test]
fn what_runs_is_listed_by_age_page_by_page_with_bytes_so_far() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc";
    let (upstream, told, release) = holding(head, b"de");
    let proxy = Setup::before(&upstream).admin().start();
    let clients: Vec<Client> = ["a", "b", "c"]
        .map(|id| {
            let mut client = Client::connect(proxy.addr());
            client.send(request("GET", "/", id, "", ""));
            told.recv().unwrap();
            assert_eq!(client.head().status(), 200);
            assert_eq!(client.read_some(), b"abc");
            client
        })
        .into();
    let page = |number: usize| json(&ask(proxy.admin(), "GET", &format!("/api/inflight?page={number}&per_page=2"), ""));
    let (first, second) = (page(1), page(2));
    let ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["requests"].as_array().unwrap())
        .map(|running| {
            assert_eq!((&running["phase"], &running["response_size"]), (&json!("receive"), &json!(3)), "{running}");
            running["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(
        (&first["total_pages"], &first["has_next"], &second["has_next"]),
        (&json!(2), &json!(true), &json!(false))
    );
    (0..3).for_each(|_| release.send(()).unwrap());
    drop(clients);
    proxy.stop();
}

#[test]
fn a_draining_proxy_is_alive_and_not_ready() {
    let (upstream, told, release) = holding(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Setup::before(&upstream).admin().start();
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", "held", "", ""));
    told.recv().unwrap();
    proxy.signal("TERM");
    proxy.wait_for("server_stopping", |log| log.count("server_stopping") > 0);
    let ready = || Some(ask(proxy.admin(), "GET", "/readyz", "")).filter(|ready| ready.status() == 503);
    assert_eq!(json(&eventually("the drain", ready))["detail"], "draining");
    assert_eq!(ask(proxy.admin(), "GET", "/healthz", "").status(), 200);
    let reload = ask(proxy.admin(), "POST", "/api/reload", "");
    assert_eq!((reload.status(), &json(&reload)["detail"]), (409, &json!("the process is about to end")));
    release.send(()).unwrap();
    client.answer().ok();
    proxy.wait();
}

#[test]
fn a_reload_says_what_came_of_it() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream).admin().set("admin", TOKEN).set("log", "level = \"info\"");
    let config = setup.dir().join("gatelog.toml");
    let proxy = setup.start();
    let admin = proxy.admin();
    let text = std::fs::read_to_string(&config).unwrap();
    assert_eq!(ask(admin, "POST", "/api/reload", "").status(), 401);
    let foreign = format!("{BEARER}Origin: http://evil.example\r\n");
    assert_eq!(ask(admin, "POST", "/api/reload", &foreign).status(), 403);
    std::fs::write(&config, text.replace("level = \"info\"", "level = \"loud\"\nservice = 7")).unwrap();
    let answer = ask(admin, "POST", "/api/reload", BEARER);
    let refused = json(&answer);
    assert_eq!((answer.status(), &refused["generation"]), (422, &json!(1)), "{refused}");
    let problems = refused["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{refused}");
    assert!(problems.iter().all(|problem| problem["place"].as_str().unwrap().contains("gatelog.toml:")), "{refused}");
    let changed =
        text.replace("level = \"info\"", "level = \"debug\"").replace("0123456789abcdef", "another-token-now");
    std::fs::write(&config, changed).unwrap();
    let taken = ask(admin, "POST", "/api/reload", BEARER);
    assert_eq!((taken.status(), &json(&taken)["generation"]), (200, &json!(2)), "{taken:?}");
    let log = proxy.wait_for("the reload", |log| log.count("config_reloaded") > 0);
    assert_eq!(log.only("config_reloaded").get("changed"), Some(&json!(["log.level", "admin.token"])));
    assert_eq!(ask(admin, "GET", "/metrics", BEARER).status(), 401, "the old token is worth nothing");
    assert_eq!(ask(admin, "GET", "/metrics", "Authorization: Bearer another-token-now\r\n").status(), 200);
    assert_eq!(proxy.stop().count("config_refused"), 1);
}

#[test]
fn upstreams_are_listed_with_what_their_servers_did() {
    let (upstream, proxy) = start();
    let mut client = Client::connect(proxy.addr());
    for id in ["a", "b", "c"] {
        client.exchange(request("GET", "/", id, "", "")).ok();
        proxy.completed(id);
    }
    let list = json(&ask(proxy.admin(), "GET", "/api/upstreams", ""));
    let app = &list["upstreams"][0];
    assert_eq!((&list["total_count"], &app["name"], &app["servers_up"]), (&json!(1), &json!("app"), &json!(1)));
    let server = &app["servers"][0];
    assert!(upstream.url().ends_with(server["address"].as_str().unwrap()), "{server}");
    for (field, count) in [("requests", 3), ("connects", 1), ("reuses", 2), ("in_flight", 0), ("failures", 0)] {
        assert_eq!(server[field], count, "{field} in {server}");
    }
    proxy.stop();
}

#[test]
fn an_upstream_without_a_server_makes_the_process_not_ready() {
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            conn.send("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let health = "health = { path = \"/\", interval = \"30ms\", unhealthy_after = 1 }";
    let proxy = Setup::before(&upstream).upstream(health).admin().start();
    proxy.wait_for("a sick server", |log| log.count("upstream_down") == 1);
    let ready = ask(proxy.admin(), "GET", "/readyz", "");
    assert_eq!((ready.status(), &json(&ready)["upstreams"]), (503, &json!(["app"])));
    let list = json(&ask(proxy.admin(), "GET", "/api/upstreams", ""));
    let server = &list["upstreams"][0]["servers"][0];
    assert_eq!((&server["up"], &server["state"]), (&json!(false), &json!("health_check")), "{server}");
    assert!(server["last_error"].as_str().is_some_and(|error| error.contains("500")), "{server}");
    let address = upstream.addr().to_string();
    let labels = [("upstream", "app"), ("server", address.as_str())];
    let samples = Samples::once(proxy.admin(), "the server's state", |_| true);
    assert_eq!(samples.value("gatelog_upstream_up", &labels), 0.0);
    proxy.stop();
}

#[test]
fn a_port_that_is_taken_is_only_a_warning() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin_at(&address.to_string()).start();
    get(proxy.addr(), "/", "a").ok();
    let log = proxy.stop();
    assert!(log.only("server_started").get("admin").is_none());
    let warning = log.only("diagnostic");
    assert_eq!((warning.text("level"), warning.text("address")), ("WARNING", address.to_string().as_str()));
}

#[test]
fn a_listener_that_is_off_is_not_there() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    get(proxy.addr(), "/", "a").ok();
    let log = proxy.stop();
    assert!(log.only("server_started").get("admin").is_none());
    assert_eq!(log.count("diagnostic"), 0);
}

#[test]
fn a_head_that_never_ends_and_connections_that_say_nothing_are_bounded() {
    let (_upstream, proxy) = start();
    let mut slow = Client::connect(proxy.admin());
    slow.send("GET /healthz HTTP/1.1\r\nHost: loc");
    // As many as there may be, the slow one among them: the next one is told so, and closed.
    let mut idle: Vec<Client> = (1..64).map(|_| Client::connect(proxy.admin())).collect();
    let closed = |client: &mut Client| matches!(client.rest(), (bytes, Ended::Closed | Ended::Cut) if bytes.is_empty());
    assert_eq!(Client::connect(proxy.admin()).answer().status(), 503);
    get(proxy.addr(), "/", "traffic").ok();
    let answer = slow.answer();
    assert_eq!(answer.status(), 408);
    assert!(closed(&mut idle[0]), "who says nothing is not waited for either");
    assert_eq!(ask(proxy.admin(), "GET", "/healthz", "").status(), 200);
    proxy.stop();
}

#[test]
fn wrong_tokens_are_told_counted_and_made_to_wait() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().set("admin", TOKEN).start();
    let admin = proxy.admin();
    let secret = "Authorization: Bearer guess-no-7-of-many\r\n";
    for _ in 0..9 {
        assert_eq!(ask(admin, "GET", "/metrics", secret).status(), 401);
    }
    let counted = Samples::read(&ask(admin, "GET", "/metrics", BEARER).text());
    assert_eq!(counted.value("gatelog_admin_refused_total", &[("reason", "admin_token")]), 9.0);
    (0..3)
        .for_each(|_| assert_eq!(ask(admin, "GET", "/metrics", "").status(), 401, "who shows nothing does not guess"));
    assert_eq!(ask(admin, "GET", "/metrics", secret).status(), 401);
    let answer = ask(admin, "GET", "/metrics", BEARER);
    assert_eq!(answer.status(), 429, "the right one does not help either: else it would be found all the same");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(json(&answer)["status"], 429);
    assert_eq!(ask(admin, "GET", "/healthz", "").status(), 200, "supervisors are not held off");
    let log = proxy.stop();
    let events = log.events("security_event");
    let (told, last) = (&events[..13], events[13]);
    for event in told {
        let seen = (event.text("reason"), event.number("status_code"), event.text("ip_address"), event.text("logger"));
        assert_eq!(seen, ("admin_token", 401, "127.0.0.1", "gatelog.security"), "{event:?}");
    }
    assert!(told[12].text("detail").contains("wait"), "{:?}", told[12]);
    assert_eq!((events.len(), last.number("suppressed")), (14, 1), "the one that was held off");
    assert!(!format!("{log:?}").contains("guess-no-7"), "what was shown is not in the log");
}

#[test]
fn who_asks_by_a_foreign_name_or_from_another_site_is_told() {
    let (_upstream, proxy) = start();
    let foreign = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(Client::connect(proxy.admin()).exchange(foreign).status(), 403);
    assert_eq!(ask(proxy.admin(), "POST", "/api/reload", "Origin: http://evil.example\r\n").status(), 403);
    let log = proxy.stop();
    let reasons: Vec<&str> = log.events("security_event").iter().map(|event| event.text("reason")).collect();
    assert_eq!(reasons, ["admin_host", "admin_cross_site"]);
}
