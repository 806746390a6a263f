//! Outputs over a network change under load: their addresses, filters and formats, and one comes as another one goes. What
//! their receivers got, and what the streams say was lost, is every record once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use super::{LONGEST_LOAD, Reloading, names};
use crate::support::collector::{Accepted, Misbehaved, lines, ndjson, told_as_lost};
use crate::support::{Client, PARALLEL, Upstream, in_parallel, otlp, request, syslog, until, verified};

const RELOADS: usize = 12;
/// What the load is bounded by: each request makes ten records on the way to receivers.
const MOST_REQUESTS: usize = 4_000;

/// What an output sends to, and what has come.
struct Receiver {
    at: String,
    got: Accepted,
    /// Runs until it is dropped.
    _upstream: Option<Upstream>,
}

/// Everybody who gets something.
struct Receivers {
    /// Two by turns get what started and what completed.
    halves: [Receiver; 2],
    /// One output goes to each of these by turns.
    moving: [Receiver; 2],
    /// One output stays there, and is another one each time.
    whole: Receiver,
    /// An output is there by turns for each of these.
    turns: [Receiver; 2],
    /// One output goes to each of these by turns, in another format each time.
    syslog: [Receiver; 2],
    /// Where the socket of one of them lies.
    _folder: tempfile::TempDir,
}

fn at((upstream, got): (Upstream, Accepted)) -> Receiver {
    Receiver { at: upstream.url(), got, _upstream: Some(upstream) }
}

/// A collector that refuses every fifth batch for good, but none that tells of a loss, or that a stream ends or begins.
fn choosy() -> (Upstream, Accepted) {
    let accepted = Accepted::default();
    let (into, count) = (accepted.clone(), AtomicUsize::new(1));
    let upstream = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            let lines = lines(&request);
            let tells = lines.iter().any(|line| line["event"] == "log_loss" || line["logger"] == "gatelog.proxy");
            if !tells && count.fetch_add(1, Ordering::Relaxed).is_multiple_of(5) {
                conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            into.take(lines);
            conn.send("HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    (upstream, accepted)
}

impl Receivers {
    fn new() -> Receivers {
        let folder = tempfile::tempdir().unwrap();
        let (addr, on_tcp) = syslog::tcp();
        let (path, on_unix) = syslog::datagrams(folder.path());
        let tcp = Receiver { at: format!("tcp://{addr}"), got: on_tcp, _upstream: None };
        let unix = Receiver { at: format!("unix:{}", path.display()), got: on_unix, _upstream: None };
        Receivers {
            halves: [(); 2].map(|()| at(ndjson(|_, _| Misbehaved::No))),
            moving: [(); 2].map(|()| at(choosy())),
            whole: at(choosy()),
            turns: [(); 2].map(|()| at(otlp::collector())),
            syslog: [tcp, unix],
            _folder: folder,
        }
    }

    /// The outputs after so many reloads.
    fn variant(&self, round: usize) -> String {
        let (now, then) = (round % 2, (round + 1) % 2);
        let http = "batch = { records = 40, wait = \"20ms\" }\nretry_at_most = \"1s\"";
        let half = |at: usize, event: &str| {
            let url = &self.halves[at].at;
            output(
                "http",
                &format!("half-{at}"),
                &format!("endpoint = \"{url}/\"\nbody = \"ndjson\"\n{http}\nfilter = \"event:{event}\""),
            )
        };
        let gzip = if now == 0 { "compress = \"gzip\"\n" } else { "" };
        let moving = format!(
            "endpoint = \"{}/\"\nbody = \"ndjson\"\n{http}\nfilter = \"logger:gatelog.request\"",
            self.moving[now].at
        );
        let whole = format!("endpoint = \"{}/\"\nbody = \"ndjson\"\n{gzip}{http}", self.whole.at);
        let turn = format!("endpoint = \"{}/v1/logs\"\n{http}", self.turns[now].at);
        let format = ["json", "logfmt"][now];
        let syslog = format!("address = \"{}\"\nformat = \"{format}\"", self.syslog[now].at);
        [
            half(now, "request_started"),
            half(then, "request_completed"),
            output("http", "moving", &moving),
            output("http", "whole", &whole),
            output("otlp", ["even", "odd"][now], &turn),
            output("syslog", "syslog", &syslog),
        ]
        .concat()
    }

    fn pairs(&self) -> [(&'static str, &[Receiver; 2]); 4] {
        [("halves", &self.halves), ("moving", &self.moving), ("turns", &self.turns), ("syslog", &self.syslog)]
    }
}

fn output(kind: &str, name: &str, keys: &str) -> String {
    format!("[[log.output]]\ntype = \"{kind}\"\nname = \"{name}\"\n{keys}\n")
}

/// Which record of which request it is.
type Key = (String, String);

/// Requests between two reloads, at least.
const BETWEEN: usize = 40;

/// Requests until it is over, and the records that each of them has.
fn load(addr: std::net::SocketAddr, over: &AtomicBool, answered: &AtomicUsize) -> BTreeSet<Key> {
    let end = Instant::now() + LONGEST_LOAD;
    let counts = in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(addr);
        let mut count = 0;
        while !over.load(Ordering::Relaxed) && count < MOST_REQUESTS / PARALLEL && Instant::now() < end {
            client.exchange(request("GET", "/", &format!("n-{index}-{count}"), "", "")).ok();
            count += 1;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        count
    });
    let ids = counts.iter().enumerate().flat_map(|(index, count)| (0..*count).map(move |at| format!("n-{index}-{at}")));
    ids.flat_map(|id| ["request_started", "request_completed"].map(|event| (id.clone(), event.to_owned()))).collect()
}

/// The records about requests.
fn keys(records: &[Value]) -> Vec<Key> {
    let text = |record: &Value, name: &str| record[name].as_str().map(str::to_owned);
    records.iter().filter_map(|record| Some((text(record, "request_id")?, text(record, "event")?))).collect()
}

/// What has come, in the order of its numbers.
fn stream(receiver: &Receiver) -> Vec<Value> {
    let mut records = receiver.got.records();
    records.sort_by_key(|record| record["seq"].as_u64());
    records
}

/// Whether the last record of a process that ends has come to one of both: from then on no more does.
fn has_ended(pair: &[Receiver; 2]) -> bool {
    let is_last = |record: &Value| {
        record["event"] == "server_stopping" && record["text"].as_str().is_some_and(|text| text.contains("stopped"))
    };
    pair.iter().any(|receiver| receiver.got.records().iter().any(is_last))
}

#[test]
fn outputs_over_a_network_change_under_load_and_each_record_arrives_once_or_is_told_as_lost() {
    let (upstream, receivers) = (Upstream::ok(), Receivers::new());
    let reloading = Reloading::start(&upstream, &receivers.variant(0));
    let (addr, over, answered) = (reloading.proxy.addr(), AtomicBool::new(false), AtomicUsize::new(0));
    let asked = std::thread::scope(|scope| {
        let load = scope.spawn(|| load(addr, &over, &answered));
        let reloads = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 1..=RELOADS {
                until("the load", || answered.load(Ordering::Relaxed) >= round * BETWEEN);
                let record = reloading.reload(&receivers.variant(round));
                assert_eq!(names(&record, "outputs_changed"), changed(round), "{record:?}");
                assert_eq!(names(&record, "outputs_added"), [["even", "odd"][round % 2]]);
                assert_eq!(names(&record, "outputs_removed"), [["odd", "even"][round % 2]]);
            }
        }));
        over.store(true, Ordering::Relaxed);
        reloads.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        load.join().unwrap()
    });
    reloading.proxy.stop();
    for (name, pair) in receivers.pairs() {
        // What a syslog receiver has not read yet lies in its socket.
        until("the end of the stream", || name != "syslog" || has_ended(pair));
        check(name, pair, &asked);
    }
    check_whole(&receivers.whole, &asked);
}

/// In the order of the configuration.
fn changed(round: usize) -> [&'static str; 5] {
    match round.is_multiple_of(2) {
        true => ["half-0", "half-1", "moving", "whole", "syslog"],
        false => ["half-1", "half-0", "moving", "whole", "syslog"],
    }
}

/// Every record came to one of both, once, but for those that the streams tell as lost.
fn check(name: &str, pair: &[Receiver; 2], asked: &BTreeSet<Key>) {
    let streams = pair.each_ref().map(stream);
    let lost: u64 = streams.iter().filter(|stream| !stream.is_empty()).map(|stream| told_as_lost(stream)).sum();
    let came: Vec<Key> = streams.iter().flat_map(|stream| keys(stream)).collect();
    let once: BTreeSet<Key> = came.iter().cloned().collect();
    assert_eq!(came.len(), once.len(), "{name}: a record came twice");
    assert!(once.is_subset(asked), "{name}");
    let missing = (asked.len() - once.len()) as u64;
    assert_eq!(missing, lost, "{name}");
    assert_eq!(lost > 0, name == "moving", "{name}: only one collector refuses anything");
}

/// One stream through all reloads, without a fault but for what it says was lost.
fn check_whole(receiver: &Receiver, asked: &BTreeSet<Key>) {
    let stream = stream(receiver);
    let came = keys(&stream);
    let once: BTreeSet<Key> = came.iter().cloned().collect();
    assert!(came.len() == once.len() && once.len() < asked.len() && once.is_subset(asked));
    assert!(told_as_lost(&stream) >= (asked.len() - once.len()) as u64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.jsonl");
    std::fs::write(&path, stream.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    let said = verified(&[path], &[]);
    assert!(said.contains("lost and told"), "{said}");
}
