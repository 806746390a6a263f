//! The dashboard's pages: who is given them, how one logs in and out, and what a browser is told to allow.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::support::metrics::{ask, json};
use crate::support::wire::Message;
use crate::support::{Client, Setup, TestProxy, Upstream, get};

const TOKEN: &str = "0123456789abcdef";

fn start(has_token: bool) -> (Upstream, TestProxy) {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream).admin();
    let setup = if has_token { setup.set("admin", &format!("token = \"{TOKEN}\"")) } else { setup };
    let proxy = setup.start();
    (upstream, proxy)
}

/// Every file under a folder, as it is asked for.
fn files(folder: &Path, under: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let names = entries.map(|entry| (entry.path(), format!("{under}/{}", entry.file_name().to_str().expect("UTF-8"))));
    names.flat_map(|(path, name)| if path.is_dir() { files(&path, &name) } else { vec![name] }).collect()
}

fn assets() -> Vec<String> {
    let all = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/assets"), "/assets");
    let parts: Vec<String> = all.into_iter().filter(|name| !name.ends_with(".html")).collect();
    assert!(parts.len() > 10, "{parts:?}");
    parts
}

fn post(admin: SocketAddr, path: &str, more: &str, body: &str) -> Message {
    let mut client = Client::connect(admin);
    let length = body.len();
    client.send(format!("POST {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}\r\n{more}\r\n{body}"));
    client.answer_to("POST").whole()
}

fn log_in(admin: SocketAddr, token: &str) -> Message {
    post(admin, "/api/login", "", &json!({ "token": token }).to_string())
}

/// The field that shows the cookie that an answer gives.
fn cookie(answer: &Message) -> String {
    let given = answer.header("set-cookie").expect("a cookie");
    format!("Cookie: theme=dark; {}\r\n", given.split(';').next().expect("a pair"))
}

const PAGES: [&str; 5] = ["/", "/search?q=a", "/tail", "/alerts", "/requests/r-1"];

#[test]
fn on_this_machine_and_without_a_token_every_page_and_part_is_there() {
    let (_upstream, proxy) = start(false);
    for page in PAGES {
        let answer = ask(proxy.admin(), "GET", page, "");
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{page}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for part in assets() {
        let answer = ask(proxy.admin(), "GET", &part, "Accept-Encoding: gzip\r\n");
        assert_eq!((answer.status(), answer.header("cache-control")), (200, Some("no-cache")), "{part}");
        let known = format!("If-None-Match: {}\r\nAccept-Encoding: gzip\r\n", answer.header("etag").expect("a tag"));
        assert_eq!((ask(proxy.admin(), "GET", &part, &known).status()), 304, "{part}");
        let head = ask(proxy.admin(), "HEAD", &part, "");
        assert_eq!((head.status(), head.body.len()), (200, 0), "{part}");
    }
    let refused = ask(proxy.admin(), "DELETE", "/", "");
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(log_in(proxy.admin(), TOKEN).status(), 404, "there is nothing to log in to");
    assert_eq!(
        json(&ask(proxy.admin(), "GET", "/api/session", "")),
        json!({"login_required": false, "logged_in": false})
    );
    proxy.stop();
}

#[test]
fn a_name_of_somebody_else_gets_no_page() {
    let (_upstream, proxy) = start(false);
    for path in ["/", "/login", "/assets/js/app.js", "/api/session"] {
        let mut client = Client::connect(proxy.admin());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: rebound.example\r\n\r\n"));
        assert_eq!(client.answer().status(), 403, "{path}");
    }
    proxy.stop();
}

#[test]
fn without_the_token_there_is_the_page_where_one_logs_in_and_nothing_else() {
    let (_upstream, proxy) = start(true);
    let admin = proxy.admin();
    for page in PAGES {
        let answer = ask(admin, "GET", page, "");
        let to = answer.header("location").unwrap_or_default();
        assert!(answer.status() == 303 && to.starts_with("/login?next=%2F"), "{page}: {to}");
        assert!(to[1..].chars().all(|c| c.is_ascii_alphanumeric() || "?=/%-._~".contains(c)), "{to}");
    }
    for open in [
        "/login",
        "/assets/css/base.css",
        "/assets/css/login.css",
        "/assets/js/login.js",
        "/assets/icon.svg",
        "/api/session",
    ] {
        assert_eq!(ask(admin, "GET", open, "").status(), 200, "{open}");
    }
    assert_eq!(json(&ask(admin, "GET", "/api/session", "")), json!({"login_required": true, "logged_in": false}));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(json(&ask(admin, "GET", "/api/session", &bearer))["logged_in"], false, "nothing is said of tokens");
    let log = proxy.stop();
    assert_eq!(log.count("security_event"), 0, "nobody has tried anything");
}

#[test]
fn no_part_is_given_to_a_stranger() {
    let open = ["css/base.css", "css/login.css", "js/login.js", "icon.svg"];
    let closed: Vec<String> =
        assets().into_iter().filter(|name| !open.iter().any(|open| name.ends_with(open))).collect();
    // A client has ten tries in a minute, so that each part of the list meets a proxy of its own.
    for parts in closed.chunks(8) {
        let (_upstream, proxy) = start(true);
        parts.iter().for_each(|part| assert_eq!(ask(proxy.admin(), "GET", part, "").status(), 401, "{part}"));
        proxy.stop();
    }
}

#[test]
fn whoever_shows_the_token_has_a_cookie_until_he_gives_it_back() {
    let (_upstream, proxy) = start(true);
    let admin = proxy.admin();
    let entered = log_in(admin, TOKEN);
    assert_eq!((entered.status(), entered.body.len()), (204, 0));
    let given = entered.header("set-cookie").expect("a cookie");
    for flag in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=43200"] {
        assert!(given.contains(flag), "{given}");
    }
    assert!(!given.contains("Secure") && !given.contains(TOKEN), "{given}");
    let cookie = cookie(&entered);
    for path in ["/", "/api/logs", "/metrics", "/assets/js/app.js", "/api/inflight"] {
        assert_eq!(ask(admin, "GET", path, &cookie).status(), 200, "{path}");
    }
    assert_eq!(json(&ask(admin, "GET", "/api/session", &cookie))["logged_in"], true);
    assert_eq!(
        post(admin, "/api/alerts/silences?rule=a&for=1h", &format!("{cookie}Origin: http://evil.example\r\n"), "")
            .status(),
        403
    );
    let left = post(admin, "/api/logout", &cookie, "");
    assert!(left.status() == 204 && left.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
    assert_eq!(ask(admin, "GET", "/api/logs", &cookie).status(), 401, "nor has whoever took a copy");
    assert_eq!(ask(admin, "GET", "/", &cookie).status(), 303);
    assert_eq!(proxy.stop().count("security_event"), 1, "the page of another site");
}

#[test]
fn behind_tls_the_cookie_stays_there() {
    let (_upstream, proxy) = start(true);
    let body = json!({ "token": TOKEN }).to_string();
    let entered = post(proxy.admin(), "/api/login", "X-Forwarded-Proto: https\r\n", &body);
    assert!(entered.header("set-cookie").expect("a cookie").ends_with("; Secure"));
    proxy.stop();
}

#[test]
fn who_guesses_has_to_wait_and_a_session_that_is_over_is_no_guess() {
    let (_upstream, proxy) = start(true);
    let admin = proxy.admin();
    let entered = log_in(admin, TOKEN);
    post(admin, "/api/logout", &cookie(&entered), "");
    (0..20).for_each(|_| assert_eq!(ask(admin, "GET", "/api/logs", &cookie(&entered)).status(), 401));
    for (body, status) in [("", 400), ("{}", 400), ("{\"token\":7}", 400), ("{\"token\":\"a\",\"b\":1}", 400)] {
        assert_eq!(post(admin, "/api/login", "", body).status(), status, "{body}");
    }
    assert_eq!(post(admin, "/api/login", "", &"x".repeat(5000)).status(), 413);
    assert_eq!(
        post(admin, &format!("/api/login?token={TOKEN}"), "", "").status(),
        400,
        "never where a history keeps it"
    );
    (0..10).for_each(|at| assert_eq!(log_in(admin, &format!("guess-{at}")).status(), 401));
    let held = log_in(admin, TOKEN);
    assert_eq!((held.status(), held.header("retry-after").is_some()), (429, true));
    let log = proxy.stop();
    assert_eq!(log.count("security_event"), 11, "each guess, and how often was held off");
    assert!(!format!("{log:?}").contains("guess-"), "nothing of it is in the log");
}

#[test]
fn a_cookie_that_nobody_was_given_is_a_wrong_token() {
    let (_upstream, proxy) = start(true);
    let admin = proxy.admin();
    for forged in ["", "x", "AAAA", &"A".repeat(75), &format!("{TOKEN}; gatelog_session={TOKEN}")] {
        assert_eq!(
            ask(admin, "GET", "/api/logs", &format!("Cookie: gatelog_session={forged}\r\n")).status(),
            401,
            "{forged}"
        );
    }
    // Another process with the same token gives one that is as good here; one with another token does not.
    let (_other_upstream, same) = start(true);
    assert_eq!(ask(admin, "GET", "/api/logs", &cookie(&log_in(same.admin(), TOKEN))).status(), 200);
    same.stop();
    assert_eq!(get(proxy.addr(), "/", "a").status(), 200, "traffic has nothing to do with it");
    proxy.stop();
}
