//! Outputs over a network, before collectors that misbehave: every record arrives, or the stream says which did not.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::support::collector::{Accepted, Misbehaved, body, lines, ndjson, place, told_as_lost};
use crate::support::log::{Log, Record};
use crate::support::tls::Authority;
use crate::support::{Client, Conn, PARALLEL, Setup, TestProxy, Upstream, in_parallel, request};

/// A proxy whose log goes to stdout and to a collector.
fn before(upstream: &Upstream, output: &str) -> TestProxy {
    setup(upstream, output).start()
}

fn setup(upstream: &Upstream, output: &str) -> Setup {
    Setup::before(upstream).routes(&format!("[[log.output]]\ntype = \"stdout\"\n[[log.output]]\n{output}\n"))
}

fn http(collector: &Upstream, more: &str) -> String {
    format!(
        "type = \"http\"\nendpoint = \"{}/ingest\"\nbody = \"ndjson\"\nretry_at_most = \"1s\"\n\
         batch = {{ records = 10, wait = \"50ms\" }}\n{more}",
        collector.url()
    )
}

fn exchange(proxy: &TestProxy, count: usize) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        for at in 0..count {
            client.exchange(request("GET", "/", &format!("r-{index}-{at}"), "", "")).ok();
        }
    });
}

/// Requests whose end has arrived. A collector that takes longer to say so than it is waited for gets it twice.
fn completed(records: &[Value]) -> usize {
    let ends = records.iter().filter(|record| record["event"] == "request_completed");
    ends.map(place).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_collector_gets_every_record_as_one_document_with_its_secret() {
    let upstream = Upstream::ok();
    let accepted = Accepted::default();
    let into = accepted.clone();
    let identity = Authority::shared().issue("localhost").server();
    let collector = Upstream::tls_script(identity, move |conn| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
            assert_eq!(request.header("content-type"), Some("application/json"));
            let document: Value = serde_json::from_str(&body(&request)).unwrap();
            into.take(document["logs"].as_array().unwrap().clone());
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        }
    });
    let output = format!(
        "type = \"http\"\nendpoint = \"{}/\"\ntoken = \"s3cret\"\ncompress = \"gzip\"\nca = \"ca.pem\"\n\
         batch = {{ wait = \"50ms\" }}",
        collector.url()
    );
    let setup = setup(&upstream, &output).set("log", "service = \"shop\"");
    Authority::shared().write_to(setup.dir());
    let proxy = setup.start();
    exchange(&proxy, 20);
    let log = proxy.stop();
    let entries = accepted.records();
    assert_eq!(entries.len(), log.0.len());
    let extra: Vec<Value> = entries.iter().map(|entry| entry["extra"].clone()).collect();
    assert_eq!(completed(&extra), 20 * PARALLEL);
    assert_eq!(told_as_lost(&extra), 0);
    assert!(entries.iter().all(|entry| entry["service"] == "shop" && entry["extra"].get("service").is_none()));
    assert_eq!(collector.accepted(), 1, "one connection is kept");
}

/// Answers that mean "not now", and what a broken collector does.
const MISBEHAVIOURS: [(&str, Misbehave); 11] = [
    ("500", |conn| refuse(conn, "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops")),
    ("408", |conn| refuse(conn, "HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n")),
    ("429", |conn| refuse(conn, "HTTP/1.1 429 Many\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")),
    ("a redirect", |conn| {
        refuse(conn, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    }),
    ("garbage", |conn| leave(conn, "\x16\x03\x01 no HTTP at all\r\n\r\n")),
    ("half a head", |conn| leave(conn, "HTTP/1.1 200 OK\r\nContent-Le")),
    ("nothing", |conn| leave(conn, "")),
    ("a reset", |conn| {
        conn.reset();
        Misbehaved::Left
    }),
    ("a slow drip", |conn| {
        conn.send("HTTP/1.1 200 OK\r\nX-Drip: ");
        while !conn.is_left_within(Duration::from_millis(100)) && conn.try_send("x").is_ok() {}
        Misbehaved::Left
    }),
    ("an endless 503", |conn| {
        conn.send("HTTP/1.1 503 Never\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conn.try_send("400\r\n".to_owned() + &"x".repeat(1024) + "\r\n").is_ok() {}
        Misbehaved::Left
    }),
    ("an endless 200", |conn| {
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conn.try_send("400\r\n".to_owned() + &"x".repeat(1024) + "\r\n").is_ok() {}
        Misbehaved::ButAccepted
    }),
];

type Misbehave = fn(&mut Conn) -> Misbehaved;

fn refuse(conn: &mut Conn, answer: &str) -> Misbehaved {
    conn.send(answer);
    Misbehaved::Refused
}

fn leave(conn: &mut Conn, answer: &str) -> Misbehaved {
    conn.send(answer);
    conn.finish_sending();
    Misbehaved::Left
}

#[test]
fn every_record_arrives_whatever_the_collector_does_at_first() {
    in_parallel(MISBEHAVIOURS.len(), |case| {
        let (name, misbehave) = MISBEHAVIOURS[case];
        let upstream = Upstream::ok();
        let (collector, accepted) =
            ndjson(move |conn, number| if number < 2 { misbehave(conn) } else { Misbehaved::No });
        let proxy = before(&upstream, &http(&collector, "timeout = \"1s\""));
        exchange(&proxy, 3);
        accepted.wait_for(name, |records| completed(records) == 3 * PARALLEL);
        let log = proxy.stop();
        assert_eq!(told_as_lost(&accepted.records()), 0, "{name}");
        let told = log.events("diagnostic").iter().filter(|record| record.text("output") == "http").count();
        let expected = if name == "an endless 200" { 0..=0 } else { 1..=2 };
        assert!(expected.contains(&told), "{name}: told {told} times");
    });
}

#[test]
fn what_is_refused_for_good_is_named_in_the_stream_and_never_sent_again() {
    let upstream = Upstream::ok();
    let (collector, accepted) = ndjson(|conn, number| match number {
        1 => refuse(conn, "HTTP/1.1 400 Bad\r\nContent-Length: 11\r\n\r\nno \x1b[31mway"),
        _ => Misbehaved::No,
    });
    let proxy = before(&upstream, &http(&collector, ""));
    exchange(&proxy, 5);
    let refused =
        |log: &Log| log.events("diagnostic").iter().any(|it| it.text("error").contains("400 Bad Request: no [31mway"));
    proxy.wait_for("what the collector said", refused);
    proxy.stop();
    let records = accepted.records();
    let lost = told_as_lost(&records);
    assert!((1..=10).contains(&lost), "{lost}");
    assert!(records.iter().any(|record| record["event"] == "log_loss" && record["reason"] == "rejected"));
}

/// What this collector takes at once; a record of an ordinary request has less than a thousand bytes.
const LARGEST_BODY: usize = 6000;

#[test]
fn a_batch_that_the_collector_finds_too_large_arrives_but_for_the_record_that_is_so_by_itself() {
    let upstream = Upstream::ok();
    let accepted = Accepted::default();
    let into = accepted.clone();
    let collector = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            if request.body.len() > LARGEST_BODY {
                conn.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\n6000 bytes");
                continue;
            }
            into.take(lines(&request));
            conn.send("HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let proxy = before(&upstream, &http(&collector, ""));
    let giant = format!("/{}", "x".repeat(2 * LARGEST_BODY));
    Client::connect(proxy.addr()).exchange(request("GET", &giant, "giant", "", "")).ok();
    exchange(&proxy, 10);
    let is_told = |record: &Record| record.text("error").contains("413 Payload Too Large: 6000 bytes");
    proxy.wait_for("what the collector said", |log| log.events("diagnostic").into_iter().any(is_told));
    proxy.stop();
    let records = accepted.records();
    assert_eq!(told_as_lost(&records), 2, "both records of one request");
    let losses: Vec<_> = records.iter().filter(|record| record["event"] == "log_loss").collect();
    assert!(losses.iter().all(|loss| loss["reason"] == "rejected"), "{losses:?}");
    let of_requests = records.iter().filter(|record| record["request_id"].is_string());
    assert_eq!(of_requests.count(), 2 * 10 * PARALLEL, "all others have arrived, once");
    assert!(records.iter().all(|record| record["request_id"] != "giant"));
    assert_eq!(completed(&records), 10 * PARALLEL);
}

#[test]
fn a_dead_collector_holds_up_nothing_and_costs_what_the_other_output_says() {
    let upstream = Upstream::ok();
    let dead =
        "type = \"http\"\nendpoint = \"http://127.0.0.1:9/\"\nretry_at_most = \"1s\"\nbatch = { wait = \"10ms\" }";
    let proxy = before(&upstream, dead);
    exchange(&proxy, 50);
    proxy.wait_for("what is wrong", |log| log.events("diagnostic").iter().any(|it| it.text("output") == "http"));
    let log = proxy.stop();
    assert_eq!(log.count("request_completed"), 50 * PARALLEL);
    let told: Vec<&Record> = log.events("diagnostic").into_iter().filter(|it| it.text("output") == "http").collect();
    assert!((1..=2).contains(&told.len()), "{told:?}");
}

/// A spooling proxy as a process, so that it can be killed.
fn spooling(setup: &Setup) -> (Child, std::net::SocketAddr) {
    let mut child = setup.command().spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let record = Record::parse(first.trim_end());
    std::thread::spawn(move || stdout.lines().for_each(drop));
    let url = record.get("listen").unwrap()[0].as_str().unwrap().to_owned();
    (child, url.strip_prefix("http://").unwrap().parse().unwrap())
}

/// Every line that lies in the segments of a spool, by its number.
fn spooled(folder: &Path) -> BTreeSet<(String, u64)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|it| it == "seg"));
    let records = segments.flat_map(|path| gatelog::sinks::spool::records(&std::fs::read(path).unwrap()).0);
    records.map(|line| place(&serde_json::from_slice(&line).unwrap())).collect()
}

/// Kill -9 at moments that nothing chooses, before a collector that fails every other request.
#[test]
fn what_was_spooled_arrives_after_kill_9_and_twice_only_from_the_batch_in_flight() {
    const BATCH: usize = 10;
    let upstream = Upstream::ok();
    let (collector, accepted) = ndjson(|conn, number| match number % 4 {
        0 => refuse(conn, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        2 => Misbehaved::ButAccepted,
        _ => Misbehaved::No,
    });
    let setup = setup(&upstream, &http(&collector, "spool = { path = \"spool\", max = \"64MB\" }"));
    let folder = setup.dir().join("spool");
    let mut expected = BTreeSet::new();
    for round in 0..12 {
        let (mut child, addr) = spooling(&setup);
        let mut client = Client::connect(addr);
        for at in 0..(round * 7) % 40 + 5 {
            client.exchange(request("GET", "/", &format!("k-{round}-{at}"), "", "")).ok();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        expected.extend(spooled(&folder));
    }
    let (mut child, _) = spooling(&setup);
    let arrived = |records: &[Value]| {
        let places: BTreeSet<_> = records.iter().map(place).collect();
        expected.is_subset(&places)
    };
    let records = accepted.wait_for("all that was spooled", arrived);
    child.kill().unwrap();
    child.wait().unwrap();
    let twice = records.len() - records.iter().map(place).collect::<BTreeSet<_>>().len();
    // A quarter of the requests break off behind an acceptance, and each kill may cut one off: a batch each.
    let breaks = collector.accepted();
    assert!(twice <= breaks * BATCH, "{twice} of {} records came twice, {breaks} connections", records.len());
}

#[test]
fn a_syslog_receiver_that_hangs_holds_up_nobody_and_gets_its_messages_in_order() {
    let upstream = Upstream::ok();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let output = format!("type = \"syslog\"\naddress = \"unix:{}\"\nfacility = \"local3\"", path.display());
    let proxy = before(&upstream, &output);
    // Nobody reads: the socket holds only a few datagrams.
    exchange(&proxy, 50);
    proxy.wait_for("all requests", |log| log.count("request_completed") == 50 * PARALLEL);
    let mut last = 0;
    let mut message = [0; 9000];
    receiver.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    for _ in 0..100 * PARALLEL {
        let length = receiver.recv(&mut message).unwrap();
        let text = std::str::from_utf8(&message[..length]).unwrap();
        let (head, line) = text.split_once("\"] ").unwrap();
        assert!(
            head.starts_with("<158>1 20") || head.starts_with("<156>1 20") || head.starts_with("<155>1 20"),
            "{head}"
        );
        let record = Record::parse(line);
        assert!(record.number("seq") > last && head.ends_with(&format!("seq=\"{}", record.number("seq"))), "{text}");
        last = record.number("seq");
        assert!(head.contains(&format!(" {} [gatelog@", record.event())), "{head}");
    }
    proxy.stop();
}
