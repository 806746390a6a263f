//! The admin API on records of real traffic: lists and their pages, one request, statistics, who follows, and that all of
//! it is as it is described. From memory, and from a store.

mod described;

use serde_json::{Value, json};

use crate::support::metrics::{ask, eventually, json};
use crate::support::{Client, Setup, TestProxy, Upstream, request};

const ROUTES: &str = "[[route]]\nname = \"status\"\npath = \"status/<int:code>\"\n";

/// Answers `/status/503` with 503, and so on.
fn upstream() -> Upstream {
    Upstream::script(|conn| {
        while let Some(request) = conn.request() {
            let code = request.start[1].rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
            conn.send(format!("HTTP/1.1 {code} It\r\nContent-Length: 2\r\n\r\nok"));
        }
    })
}

/// Where records are kept.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Memory,
    Store,
}

const EITHER: [Kept; 2] = [Kept::Memory, Kept::Store];

fn start(kept: Kept) -> (Upstream, TestProxy) {
    let upstream = upstream();
    let setup = Setup::before(&upstream).admin().routes(ROUTES);
    let setup = match kept {
        Kept::Memory => setup,
        Kept::Store => setup.set("store", "path = \"data\""),
    };
    (upstream, setup.start())
}

/// Requests whose ids are `PREFIX-0` and so on, each ended.
fn traffic(proxy: &TestProxy, prefix: &str, codes: &[u16]) {
    for (index, code) in codes.iter().enumerate() {
        let id = format!("{prefix}-{index}");
        let request = request("GET", &format!("/status/{code}?a&b"), &id, "User-Agent: <script>\r\n", "");
        assert_eq!(Client::connect(proxy.addr()).exchange(request).status(), *code);
        proxy.completed(&id);
    }
}

fn api(proxy: &TestProxy, target: &str) -> Value {
    let answer = ask(proxy.admin(), "GET", target, "");
    assert_eq!(answer.status(), 200, "{target}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    json(&answer)
}

/// A list once it has so many: records are taken up a moment after they are written.
fn list_of(proxy: &TestProxy, target: &str, total: u64) -> Value {
    eventually(target, || Some(api(proxy, target)).filter(|list| list["total_count"] == total))
}

fn ids(list: &Value) -> Vec<&str> {
    list["logs"].as_array().unwrap().iter().map(|record| record["request_id"].as_str().unwrap()).collect()
}

#[test]
fn every_record_is_on_one_page_and_the_newest_on_the_first() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "a", &[200; 23]);
        let target = |page| format!("/api/logs?q=event:request_completed&per_page=10&page={page}");
        list_of(&proxy, &target(1), 23);
        let pages: Vec<Value> = (1..=3).map(|page| api(&proxy, &target(page))).collect();
        let found: Vec<&str> = pages.iter().flat_map(ids).collect();
        let expected: Vec<String> = (0..23).rev().map(|index| format!("a-{index}")).collect();
        assert_eq!(found, expected, "{kept:?}");
        for (page, (has_next, has_previous)) in pages.iter().zip([(true, false), (true, true), (false, true)]) {
            assert_eq!((&page["total_pages"], &page["total_is_exact"]), (&json!(3), &json!(true)));
            assert_eq!((&page["has_next"], &page["has_previous"]), (&json!(has_next), &json!(has_previous)));
        }
        assert_eq!(ids(&api(&proxy, &target(4))), Vec::<&str>::new());
        proxy.stop();
    }
}

#[test]
fn a_record_is_shown_as_it_was_written() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "a", &[404]);
        let list = list_of(&proxy, "/api/logs?q=event:request_completed", 1);
        let log = proxy.stop();
        let (written, shown) = (log.completed("a-0"), &list["logs"][0]);
        for field in
            ["timestamp", "level", "path", "query", "view_kwargs", "route", "status_code", "duration", "timing"]
        {
            assert_eq!(Some(&shown[field]), written.get(field), "{field} of {kept:?}");
        }
    }
}

#[test]
fn parameters_narrow_a_list() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "a", &[200, 404, 503]);
        let completed = |more: &str| format!("/api/logs?q=event:request_completed{more}");
        let list = list_of(&proxy, &completed(""), 3);
        for (more, found) in [
            ("&level=ERROR", vec!["a-2"]),
            ("+status%3E%3D400", vec!["a-2", "a-1"]),
            ("&route=status", vec!["a-2", "a-1", "a-0"]),
            ("&route=other", vec![]),
            ("&logger=gatelog.request&level=WARNING", vec!["a-1"]),
            ("&user_id=7", vec![]),
            ("&hours=1", vec!["a-2", "a-1", "a-0"]),
            ("&until=1h", vec![]),
            ("&since=1h&until=now", vec!["a-2", "a-1", "a-0"]),
        ] {
            assert_eq!(ids(&api(&proxy, &completed(more))), found, "{more} of {kept:?}");
        }
        let middle = list["logs"][1]["timestamp"].as_str().unwrap();
        assert_eq!(ids(&api(&proxy, &completed(&format!("&since={middle}")))), ["a-2", "a-1"]);
        assert_eq!(ids(&api(&proxy, &completed(&format!("&until={middle}")))), ["a-0"]);
        proxy.stop();
    }
}

#[test]
fn the_story_of_one_request_is_told_from_its_beginning() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "a", &[200, 500]);
        let story = eventually("both records", || {
            let answer = ask(proxy.admin(), "GET", "/api/logs/a-1", "");
            Some(answer)
                .filter(|answer| answer.status() == 200)
                .map(|answer| json(&answer))
                .filter(|it| it["total_count"] == 2)
        });
        let events: Vec<_> = story["logs"].as_array().unwrap().iter().map(|record| &record["event"]).collect();
        assert_eq!(events, ["request_started", "request_completed"], "{kept:?}");
        let none = ask(proxy.admin(), "GET", "/api/logs/a-2", "");
        assert_eq!((none.status(), none.header("content-type")), (404, Some("application/problem+json")));
        proxy.stop();
    }
}

#[test]
fn statistics_count_what_the_log_has() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "a", &[200, 200, 200, 404, 503, 500]);
        let six = |stats: &Value| stats["total_requests"] == 6;
        let stats = eventually("six requests", || Some(api(&proxy, "/api/stats?hours=1")).filter(six));
        assert_eq!(stats["by_route"], json!({ "status": 6 }), "{kept:?}");
        assert_eq!(stats["by_status"], json!({ "200": 3, "404": 1, "500": 1, "503": 1 }), "{kept:?}");
        assert_eq!(stats["by_outcome"]["server_error"], 2);
        let errors = api(&proxy, "/api/errors?hours=1");
        assert_eq!((&errors["total_errors"], &errors["error_counts"]), (&json!(2), &json!({ "server_error": 2 })));
        let timeline = errors["error_timeline"].as_array().unwrap();
        assert_eq!((timeline.len(), &timeline[0]["request_id"]), (2, &json!("a-5")));
        let performance = api(&proxy, "/api/performance?hours=1");
        assert_eq!((&performance["total_requests"], &performance["routes"][0]["requests"]), (&json!(6), &json!(6)));
        let (median, longest) = (&performance["p50_response_time"], &performance["max_response_time"]);
        assert!(median.as_f64().unwrap() > 0.0 && longest.as_f64().unwrap() >= median.as_f64().unwrap());
        assert_eq!(performance["slow_requests"].as_array().unwrap().len(), 6);
        let some = api(&proxy, "/api/stats?hours=1&q=status%3E%3D500");
        assert_eq!((&some["total_requests"], &some["partial"]), (&json!(2), &json!(false)), "{kept:?}");
        assert_eq!(api(&proxy, "/api/stats?until=2h")["total_requests"], 0);
        proxy.stop();
    }
}

/// The live tail as a client of it sees it.
struct Tail {
    client: Client,
    text: String,
}

impl Tail {
    /// Follows from here on: what comes after this is told.
    fn begin(proxy: &TestProxy, query: &str, more: &str) -> Tail {
        let mut client = Client::connect(proxy.admin());
        client.send(format!("GET /api/logs/tail{query} HTTP/1.0\r\nHost: localhost\r\n{more}\r\n"));
        let head = client.head();
        assert_eq!((head.status(), head.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!((head.header("cache-control"), head.header("x-accel-buffering")), (Some("no-store"), Some("no")));
        let mut tail = Tail { client, text: String::new() };
        let opening = tail.event();
        assert!(opening.contains("retry: ") && opening.contains("id: "), "{opening}");
        tail
    }

    /// The next event, a comment or not; panics at the end.
    fn event(&mut self) -> String {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                return event;
            }
            let more = self.client.read_some();
            assert!(!more.is_empty(), "the stream has ended: {:?}", self.text);
            self.text += &String::from_utf8(more).unwrap();
        }
    }

    /// The id and the record of the next event.
    fn record(&mut self) -> (String, Value) {
        let event = self.event();
        let (id, data) = event.split_once('\n').unwrap_or_else(|| panic!("{event}"));
        let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("{event}"));
        assert!(!data.contains(['<', '>', '&']), "{data}");
        (id.strip_prefix("id: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    }
}

#[test]
fn a_tail_tells_of_requests_made_after_it_began_and_only_of_those_that_match() {
    for kept in EITHER {
        let (_upstream, proxy) = start(kept);
        traffic(&proxy, "before", &[500, 500]);
        list_of(&proxy, "/api/logs?q=event:request_completed", 2);
        let mut tail = Tail::begin(&proxy, "?q=event:request_completed+status%3E%3D500", "");
        traffic(&proxy, "after", &[200, 503, 404, 500]);
        let told: Vec<Value> = (0..2).map(|_| tail.record().1["request_id"].clone()).collect();
        assert_eq!(told, ["after-1", "after-3"], "{kept:?}");
        proxy.stop();
    }
}

#[test]
fn whoever_comes_back_gets_what_he_missed() {
    let (_upstream, proxy) = start(Kept::Memory);
    let query = "?q=event:request_completed";
    let mut tail = Tail::begin(&proxy, query, "");
    traffic(&proxy, "a", &[200]);
    let (id, record) = tail.record();
    assert_eq!(record["request_id"], "a-0");
    drop(tail);
    traffic(&proxy, "b", &[200, 200]);
    list_of(&proxy, "/api/logs?q=event:request_completed", 3);
    let mut tail = Tail::begin(&proxy, query, &format!("Last-Event-ID: {id}\r\n"));
    let told: Vec<Value> = (0..2).map(|_| tail.record().1["request_id"].clone()).collect();
    assert_eq!(told, ["b-0", "b-1"]);
    proxy.stop();
}

#[test]
fn whoever_asks_for_few_records_is_told_how_many_there_were() {
    let (_upstream, proxy) = start(Kept::Memory);
    let mut tail = Tail::begin(&proxy, "?per_second=2", "");
    traffic(&proxy, "a", &[200; 20]);
    let (mut seqs, mut missed) = (Vec::new(), 0);
    let mut last = Value::Null;
    while last["request_id"] != "a-19" || last["event"] != "request_completed" {
        let event = tail.event();
        if let Some(told) = event.strip_prefix("event: missed\ndata: ") {
            missed += serde_json::from_str::<Value>(told).unwrap()["count"].as_u64().unwrap();
        } else if let Some((_, data)) = event.split_once("\ndata: ") {
            last = serde_json::from_str(data).unwrap();
            seqs.push(last["seq"].as_u64().unwrap());
        }
    }
    assert!(missed > 0 && seqs.is_sorted(), "{seqs:?}");
    assert_eq!(seqs.len() as u64 + missed, seqs[seqs.len() - 1] - seqs[0] + 1, "{seqs:?}, {missed} missed");
    proxy.stop();
}

#[test]
fn a_tail_sees_the_end_of_the_proxy_and_ends() {
    let (_upstream, proxy) = start(Kept::Memory);
    let mut tail = Tail::begin(&proxy, "?q=event:server_stopping", "");
    proxy.stop();
    let (rest, _) = tail.client.rest();
    let rest = tail.text + &String::from_utf8(rest).unwrap();
    assert!(rest.is_empty() || rest.contains("server_stopping") && rest.ends_with("\n\n"), "{rest}");
}

#[test]
fn nothing_of_it_is_for_strangers() {
    let upstream = upstream();
    let token = "token = \"0123456789abcdef\"";
    let proxy = Setup::before(&upstream).admin().set("admin", token).start();
    for path in ["logs", "logs/a", "logs/tail", "stats", "errors", "performance", "openapi.json"] {
        let path = format!("/api/{path}");
        assert_eq!(ask(proxy.admin(), "GET", &path, "").status(), 401, "{path}");
        let known = ask(proxy.admin(), "HEAD", &path, "Authorization: Bearer 0123456789abcdef\r\n").status();
        assert!(known == 200 || known == 404, "{path}: {known}");
    }
    proxy.stop();
    let proxy = Setup::before(&upstream).admin().start();
    let foreign = |path: &str| {
        let asked = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        Client::connect(proxy.admin()).exchange(asked).status()
    };
    for path in ["/api/logs", "/api/logs/tail", "/api/stats", "/api/openapi.json"] {
        assert_eq!(foreign(path), 403, "{path}");
    }
    proxy.stop();
}
