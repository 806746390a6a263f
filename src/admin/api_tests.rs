//! The pages on which people ask for records, as the router answers them: shapes, bounds, odd queries, followers, and what
//! becomes of a question that nobody waits for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::access::Access;
use super::answer::Answer;
use super::guard::Guard;
use super::outputs::{Condition, OutputStatus, ProcessStatus};
use super::router::Router;
use super::server::{Admin, Sources, start};
use super::settings::Settings;
use crate::filter::Expression;
use crate::listen::Stage;
use crate::net::Peer;
use crate::record::Level;
use crate::store::recent::{Limits, Recent};
use crate::store::statistics::Gather;
use crate::store::{Archive, AskError, Page, Question, Records, Stop, Summaries};
use crate::time::wall_now;
use crate::upstream::Clusters;

fn sources(archive: Arc<dyn Archive>, recent: Arc<Recent>) -> Sources {
    Sources {
        cores: Vec::new(),
        stages: watch::channel(Stage::Open).1,
        collectors: Vec::new(),
        upstreams: Clusters::new(&[]),
        reloads: mpsc::channel(1).0,
        archive,
        recent,
        alerts: Arc::default(),
        channels: Box::new(Vec::new),
        condition: Box::new(Calm),
    }
}

/// A process without outputs.
struct Calm;

impl Condition for Calm {
    fn outputs(&self) -> Vec<OutputStatus> {
        Vec::new()
    }

    fn process(&self) -> ProcessStatus {
        ProcessStatus {
            started: 0,
            instance: "i".to_owned(),
            service: None,
            environment: None,
            generation: 1,
            cores: 1,
            in_flight: 0,
            store: None,
        }
    }
}

fn access() -> Arc<Access> {
    Access::new(&Settings::default()).unwrap().into()
}

/// The pages without their listener.
struct Pages {
    router: Router,
    recent: Arc<Recent>,
    stage: watch::Sender<Stage>,
}

impl Pages {
    fn holding(lines: usize) -> Pages {
        let recent = Recent::new(Limits { lines, ..Limits::default() });
        let archive = Arc::clone(&recent) as Arc<dyn Archive>;
        let (stage, stages) = watch::channel(Stage::Open);
        let sources = sources(archive, Arc::clone(&recent));
        let guard = Guard::new(Box::new(|_| {})).into();
        Pages { router: Router::new(access(), guard, sources, stages), recent, stage }
    }

    async fn get_with(&self, target: &str, last_event_id: Option<&str>) -> Answer {
        let mut request = http::Request::get(target).header("host", "localhost");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let head: Parts = request.body(()).unwrap().into_parts().0;
        self.router.answer(&Peer::new(([127, 0, 0, 1], 1).into(), None), &head, b"").await
    }

    async fn get(&self, target: &str) -> Answer {
        self.get_with(target, None).await
    }

    async fn json(&self, target: &str) -> Value {
        let answer = self.get(target).await;
        serde_json::from_slice(&answer.content).unwrap()
    }

    fn append(&self, status: u16) {
        append(&self.recent, status);
    }
}

/// A request that ended just now.
fn append(recent: &Recent, status: u16) {
    let (at, level) = (wall_now(), if status >= 500 { Level::Error } else { Level::Info });
    let line = json!({
        "timestamp": crate::record::timestamp(at), "level": level.as_str(), "event": "request_completed",
        "logger": "gatelog.request", "message": "Request completed", "request_id": format!("r{status}"),
        "status_code": status, "path": "/<&>", "user_id": "7",
    });
    recent.keep(format!("{line}\n").as_bytes(), 1);
}

async fn within(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn lists_are_paged_and_nothing_in_them_could_be_markup() {
    let pages = Pages::holding(1000);
    (0..25).for_each(|n| pages.append(if n < 5 { 500 } else { 200 }));
    let list = pages.json("/api/logs?q=status%3E%3D200&per_page=10&page=3").await;
    assert_eq!(list["logs"].as_array().map(Vec::len), Some(5));
    assert_eq!((&list["total_count"], &list["total_pages"]), (&json!(25), &json!(3)));
    assert_eq!((&list["has_next"], &list["has_previous"]), (&json!(false), &json!(true)));
    assert_eq!(list["logs"][4]["path"], "/<&>");
    let answer = pages.get("/api/logs?level=ERROR").await;
    assert!(!answer.content.contains(&b'<') && !answer.content.contains(&b'&'));
    let list: Value = serde_json::from_slice(&answer.content).unwrap();
    assert_eq!((&list["total_count"], &list["has_next"]), (&json!(5), &json!(false)));
    assert_eq!(pages.json("/api/logs?until=1h").await["total_count"], 0);
    assert_eq!(pages.json("/api/logs?hours=1&user_id=7").await["total_count"], 25);
}

#[tokio::test]
async fn all_of_a_request_is_found_by_its_id_and_nothing_is_a_problem() {
    let pages = Pages::holding(1000);
    [200, 503, 503].into_iter().for_each(|status| pages.append(status));
    let list = pages.json("/api/logs/r503").await;
    assert_eq!((&list["total_count"], list["logs"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    let none = pages.get("/api/logs/r404").await;
    assert_eq!(none.status.as_u16(), 404);
    assert!(String::from_utf8_lossy(&none.content).contains("`r404`"));
}

#[tokio::test]
async fn statistics_are_of_the_time_and_the_records_that_are_asked_for() {
    let pages = Pages::holding(1000);
    [200, 200, 503].into_iter().for_each(|status| pages.append(status));
    let stats = pages.json("/api/stats?hours=1").await;
    assert_eq!((&stats["total_requests"], &stats["by_level"]["ERROR"]), (&json!(3), &json!(1)));
    let some = pages.json("/api/stats?hours=1&q=status%3A503").await;
    assert_eq!((&some["total_requests"], &some["partial"]), (&json!(1), &json!(false)));
    assert_eq!(pages.json("/api/stats?until=2h").await["total_requests"], 0);
    assert_eq!(pages.json("/api/errors").await["total_errors"], 1);
    assert_eq!(pages.json("/api/performance").await["total_requests"], 3);
    let sum = |chart: &Value, name: &str| -> u64 {
        chart["points"].as_array().unwrap().iter().map(|point| point[name].as_u64().unwrap()).sum()
    };
    for (asked, step, requests, errors) in [
        ("/api/series?hours=1&points=30", 300.0, 3, 1),
        ("/api/series?since=5m&points=1000", 5.0, 3, 1),
        ("/api/series?hours=1&q=status%3E%3D500&points=100", 60.0, 1, 1),
        ("/api/series?hours=1&route=cart&points=100", 60.0, 0, 0),
    ] {
        let chart = pages.json(asked).await;
        assert_eq!(chart["step"], step, "{asked}");
        assert_eq!((sum(&chart, "requests"), sum(&chart, "errors")), (requests, errors), "{asked}");
    }
    let routes = pages.json("/api/routes?hours=1&points=12").await;
    assert_eq!(
        (&routes["routes"][0]["route"], &routes["routes"][0]["server_errors"]),
        (&json!("unmatched"), &json!(1))
    );
    assert!(routes["routes"][0]["series"]["requests"].as_array().unwrap().len() <= 12);
    let hits = pages.json("/api/hits?hours=1&q=status%3A503&points=30").await;
    assert_eq!((&hits["total"], &hits["total_is_exact"]), (&json!(1), &json!(true)));
    let facets = pages.json("/api/facets?hours=1&fields=status,level,user").await;
    assert_eq!((&facets["looked_at"], &facets["complete"]), (&json!(3), &json!(true)));
    assert_eq!(facets["facets"][0]["values"], json!([{"value": 200, "count": 2}, {"value": 503, "count": 1}]));
    assert_eq!(facets["facets"][2]["values"], json!([{"value": "7", "count": 3}]));
    let values = pages.json("/api/values?field=level&prefix=e").await;
    assert_eq!(values["values"], json!([{"value": "ERROR", "count": 1}]));
    let csv = pages.get("/api/export?format=csv&q=level%3Aerror").await;
    assert_eq!(String::from_utf8_lossy(&csv.content).lines().count(), 2);
    let refused = pages.get("/api/facets?fields=levle").await;
    assert_eq!(refused.status.as_u16(), 400);
    let refused = pages.get("/api/series?points=0").await;
    assert_eq!(refused.status.as_u16(), 400);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_what_was_meant() {
    let pages = Pages::holding(1);
    for (target, part) in [
        ("/api/logs?q=statsu%3A500", "did you mean `status`?"),
        ("/api/logs?pages=2", "did you mean `page`?"),
        ("/api/logs?per_page=201", "`per_page` is a number from 1 to 200"),
        ("/api/logs?page=300&per_page=50", "only the first 10000 entries"),
        ("/api/logs?q=a&q=b", "`q` is there twice"),
        ("/api/logs?since=soon", "`soon` is no moment"),
        ("/api/stats?page=1", "`page` is no parameter"),
        ("/api/stats?hour=1", "did you mean `hours`?"),
        ("/api/errors?hours=x", "`hours`"),
        ("/api/logs/tail?hours=1", "`hours` is no parameter"),
        ("/api/logs/a?page=1", "there are none"),
        ("/api/openapi.json?x", "there are none"),
    ] {
        let answer = pages.get(target).await;
        let problem: Value = serde_json::from_slice(&answer.content).unwrap();
        assert_eq!((answer.status.as_u16(), &problem["status"]), (400, &json!(400)), "{target}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    let problem = pages.json("/api/performance?q=a+statsu%3A500").await;
    assert_eq!((&problem["parameter"], &problem["column"], &problem["length"]), (&json!("q"), &json!(3), &json!(6)));
    assert_eq!(problem["hint"], "did you mean `status`?");
}

/// Percent-encoded bytes of any kind, parts of other languages, and what is nearly right.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12)
            .prop_map(|bytes| { bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>() }),
        "[ -~]{0,20}".prop_map(
            |text| percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string()
        ),
        any::<String>().prop_map(|text| percent_encoding::utf8_percent_encode(
            &text,
            percent_encoding::NON_ALPHANUMERIC
        )
        .to_string()),
        prop::sample::select(vec![
            "%",
            "%0",
            "%zz",
            "%00",
            "&",
            "&&",
            "=",
            "q=",
            "q=status%3A",
            "%27%20OR%201=1--",
            "%22;DROP%20TABLE%20line;--",
            "UNION+SELECT",
            "page=",
            "99999999999999999999",
            "-1",
            "1e400",
            "NaN",
            "hours=",
            "since=",
            "until=",
            "level=",
            "%F0%9F%92%A9",
            "%ED%A0%80",
            "%E2%80%A8",
            "((((",
            "NOT+",
            "OR",
            "*",
            "path:*%00*",
            "<script>",
            "request_id:",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is asked, the answer is JSON: what was found, or a problem that says why not; never an error of ours.
    #[test]
    fn no_query_is_too_odd_to_be_answered(
        page in prop::sample::select(vec!["logs", "stats", "errors", "performance", "inflight", "logs/r1", "logs/tail"]),
        key in prop::sample::select(vec!["", "q=", "level=", "route=", "user_id=", "since=", "hours=", "page=", "per_page="]),
        query in hostile(),
    ) {
        let target = format!("/api/{page}?{key}{query}");
        prop_assume!(target.parse::<http::Uri>().is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = LocalSet::new().block_on(&runtime, async {
            let pages = Pages::holding(10);
            pages.append(200);
            pages.get(&target).await
        });
        let status = answer.status.as_u16();
        prop_assert!([200, 400, 404].contains(&status), "{status} {target}");
        if answer.live.is_none() {
            let told: Value = serde_json::from_slice(&answer.content).unwrap();
            prop_assert_eq!(told["detail"].is_string(), status != 200, "{}", told);
            prop_assert!(answer.content.len() < 10_000);
        }
    }
}

/// What a follower is sent, event by event.
struct Events {
    live: mpsc::Receiver<Bytes>,
    text: String,
}

impl Events {
    fn of(answer: Answer) -> Events {
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        Events { text: String::from_utf8(answer.content.into()).unwrap(), live: answer.live.unwrap() }
    }

    /// The lines of the next event; `None` at the end.
    async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines = event.lines().map(str::to_owned).collect();
                self.text = rest.to_owned();
                return Some(lines);
            }
            self.text += std::str::from_utf8(&self.live.recv().await?).unwrap();
        }
    }

    /// The id and the record of the next event.
    async fn record(&mut self) -> (String, Value) {
        let lines = self.next().await.unwrap();
        let [id, data] = &lines[..] else { panic!("{lines:?}") };
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (id.strip_prefix("id: ").unwrap().to_owned(), data)
    }
}

#[tokio::test]
async fn a_follower_gets_what_matches_from_now_on() {
    within(async {
        let pages = Pages::holding(1000);
        pages.append(500);
        let mut events = Events::of(pages.get("/api/logs/tail?q=status%3E%3D500").await);
        let opening = events.next().await.unwrap();
        assert!(opening[0] == "retry: 1000" && opening[1].starts_with("id: "), "{opening:?}");
        [200, 503, 200].into_iter().for_each(|status| pages.append(status));
        assert_eq!(events.record().await.1["status_code"], 503);
        pages.append(504);
        let (_, record) = events.record().await;
        assert_eq!((&record["status_code"], &record["path"]), (&json!(504), &json!("/<&>")));
        pages.stage.send(Stage::Draining).unwrap();
        assert_eq!(events.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn whoever_comes_back_goes_on_where_he_was() {
    within(async {
        let pages = Pages::holding(32);
        let mut events = Events::of(pages.get("/api/logs/tail").await);
        events.next().await.unwrap();
        pages.append(200);
        let id = events.record().await.0;
        drop(events);
        [201, 202].into_iter().for_each(|status| pages.append(status));
        let mut events = Events::of(pages.get_with("/api/logs/tail", Some(&id)).await);
        events.next().await.unwrap();
        assert_eq!(events.record().await.1["status_code"], 201);
        assert_eq!(events.record().await.1["status_code"], 202);
        for other in ["0-1", "", "x", "-", &format!("{id}0-1")] {
            let mut events = Events::of(pages.get_with("/api/logs/tail", Some(other)).await);
            let opening = events.next().await.unwrap();
            assert_eq!(opening[2..], ["event: missed", "data: {\"count\":null}"], "{other}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_is_too_slow_is_told_how_much_he_missed_and_nothing_grows_for_him() {
    within(async {
        let pages = Pages::holding(32);
        let mut events = Events::of(pages.get("/api/logs/tail").await);
        events.next().await.unwrap();
        let (mut told, mut missed) = (0, 0);
        for _ in 0..50 {
            (0..20).for_each(|_| pages.append(200));
            // The follower's task does what it can while nobody reads.
            tokio::task::yield_now().await;
        }
        pages.append(599);
        loop {
            let event = events.next().await.unwrap();
            match event[0].as_str() {
                "event: missed" => {
                    let count: Value = serde_json::from_str(event[1].strip_prefix("data: ").unwrap()).unwrap();
                    missed += count["count"].as_u64().unwrap();
                }
                _ if event[1].contains("\"status_code\":599") => break,
                _ => told += 1,
            }
        }
        assert_eq!(told + missed, 1000);
        assert!(missed >= 900, "at most two pieces and the ring were held: {missed}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_now_and_then_even_while_records_come_that_do_not_match() {
    within(async {
        let pages = Pages::holding(32);
        let mut events = Events::of(pages.get("/api/logs/tail?q=status%3A500").await);
        let opening = events.next().await.unwrap();
        let begun = tokio::time::Instant::now();
        let recent = Arc::clone(&pages.recent);
        let traffic = tokio::task::spawn_local(async move {
            loop {
                append(&recent, 200);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let beat = events.next().await.unwrap();
        assert_eq!((beat[0].as_str(), begun.elapsed().as_secs()), (":", 15));
        assert_ne!(beat[1], opening[1], "he need not look at those again");
        traffic.abort();
    })
    .await;
}

#[tokio::test]
async fn followers_are_limited_and_make_room_when_they_leave() {
    within(async {
        let pages = Pages::holding(32);
        let mut followers = Vec::new();
        let refused = loop {
            let answer = pages.get("/api/logs/tail").await;
            if answer.status.as_u16() != 200 {
                break answer;
            }
            followers.push(answer);
        };
        assert_eq!((refused.status.as_u16(), followers.len()), (503, 32));
        assert_eq!(refused.headers["retry-after"], "5");
        followers.pop();
        // Its task ends beside this.
        while pages.get("/api/logs/tail").await.status.as_u16() != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Looks for records until it is told to stop, and tells of both.
struct Endless {
    begun: SyncSender<()>,
    stopped: SyncSender<()>,
}

impl Records for Endless {
    fn search(&self, _: &Question, stop: Stop<'_>) -> Result<Page, AskError> {
        self.begun.send(()).unwrap();
        while !stop() {
            std::thread::yield_now();
        }
        self.stopped.send(()).unwrap();
        Ok(Page { partial: true, ..Page::default() })
    }

    fn request(&self, _: &str, _: usize, _: Stop<'_>) -> Result<Page, AskError> {
        Ok(Page::default())
    }
}

impl Summaries for Endless {
    fn gather(&self, _: &mut dyn Gather, _: &Expression, _: Stop<'_>) -> Result<(), AskError> {
        Ok(())
    }
}

/// The listener before records that are endless.
struct Served {
    admin: Admin,
    begun: Receiver<()>,
    stopped: Receiver<()>,
    recent: Arc<Recent>,
}

fn served() -> Served {
    let ((begin, begun), (stop, stopped)) = (sync_channel(64), sync_channel(64));
    let recent = Recent::new(Limits::default());
    let sources = sources(Arc::new(Endless { begun: begin, stopped: stop }), Arc::clone(&recent));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = start(socket, access(), sources, Box::new(|_| {})).unwrap();
    Served { admin, begun, stopped, recent }
}

const DEADLINE: Duration = Duration::from_secs(30);

fn send(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

#[test]
fn the_search_of_a_client_that_leaves_is_stopped() {
    let served = served();
    let client = send(served.admin.address(), "/api/logs?q=a");
    served.begun.recv_timeout(DEADLINE).unwrap();
    drop(client);
    served.stopped.recv_timeout(DEADLINE).unwrap();
    served.admin.stop();
}

#[test]
fn the_listener_ends_beside_a_search_and_a_follower() {
    let served = served();
    let address = served.admin.address();
    let mut follower = BufReader::new(send(address, "/api/logs/tail"));
    let mut line = String::new();
    while !line.starts_with("id: ") {
        line.clear();
        assert_ne!(follower.read_line(&mut line).unwrap(), 0);
    }
    append(&served.recent, 200);
    while !line.starts_with("data: ") {
        line.clear();
        assert_ne!(follower.read_line(&mut line).unwrap(), 0);
    }
    let _searching = send(address, "/api/logs");
    served.begun.recv_timeout(DEADLINE).unwrap();
    served.admin.stop();
    served.stopped.recv_timeout(DEADLINE).unwrap();
    let mut rest = String::new();
    follower.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream is whole: {rest:?}");
}

#[test]
fn more_searches_than_may_wait_are_refused_while_a_glance_is_not() {
    let served = served();
    let address = served.admin.address();
    let waiting: Vec<TcpStream> = (0..34).map(|_| send(address, "/api/logs")).collect();
    (0..2).for_each(|_| served.begun.recv_timeout(DEADLINE).unwrap());
    let answer = |target: &str| {
        let mut text = String::new();
        send(address, target).read_to_string(&mut text).unwrap();
        text
    };
    // Each of those is taken note of before these are answered.
    let text = answer("/api/stats");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let text = answer("/api/logs?q=(");
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    let refused = answer("/api/logs");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
    drop(waiting);
    (0..2).for_each(|_| served.stopped.recv_timeout(DEADLINE).unwrap());
    served.admin.stop();
}
