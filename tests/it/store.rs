//! The store beside the log: what is in it once the process has ended is what the log has, whatever happened meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use gatelog::filter::Expression;
use gatelog::store::{Order, Question, Reader, Records, Settings, Writer};

use crate::support::log::{Log, Record};
use crate::support::metrics::Samples;
use crate::support::{
    Client, DEADLINE, PARALLEL, Setup, SmallDisk, TestProxy, Upstream, get, in_parallel, request, until,
};

/// Answers as the path says.
fn app() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            match &*message.start[1] {
                "/fail" => conn.send(
                    "HTTP/1.1 500 Internal Server Error\r\nX-Exception-Type: KeyError\r\nX-Exception-Message: no \"such\" \
                     key\r\nContent-Length: 0\r\n\r\n",
                ),
                "/hang" => drop(conn.stall()),
                _ => conn.ok("fine"),
            }
        }
    })
}

/// With a store in a folder that stays when the proxy has gone.
fn setup(upstream: &Upstream, folder: &Path) -> Setup {
    Setup::before(upstream).set("store", &format!("path = {folder:?}"))
}

/// All records of a store, the oldest first.
fn stored(folder: &Path) -> Log {
    let filter = Expression::parse("").unwrap();
    let (since, until, order) = (None, None, Order::Oldest);
    let question = Question { filter, since, until, order, skip: 0, limit: 1 << 20, count_to: 0 };
    let page = Reader::new(folder).search(&question, &|| false).unwrap();
    assert!(page.troubles.is_empty(), "{:?}", page.troubles);
    Log(page.lines.iter().map(|line| Record::parse(&line.json)).collect())
}

/// What records are, and how many of each, whatever numbers an output gave them.
fn without_numbers(log: &Log) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in &log.0 {
        let mut fields = record.0.clone();
        fields.remove("seq");
        *counts.entry(serde_json::to_string(&fields).unwrap()).or_insert(0) += 1;
    }
    counts
}

/// Those of an instance's records, and from which to which are told to be lost.
type Numbers = (Vec<u64>, Vec<(u64, u64)>);

/// The numbers of each instance run on without a gap, but for those that a `log_loss` tells. Returns how many it tells.
fn told_as_lost(log: &Log) -> u64 {
    let mut streams: BTreeMap<&str, Numbers> = BTreeMap::new();
    for record in &log.0 {
        let (numbers, losses) = streams.entry(record.text("instance")).or_default();
        numbers.push(record.number("seq"));
        if record.event() == "log_loss" {
            losses.push((record.number("from_seq"), record.number("to_seq")));
        }
    }
    let mut lost = 0;
    for (numbers, losses) in streams.values_mut() {
        numbers.sort_unstable();
        let is_told = |number: &u64| losses.iter().any(|(from, to)| (from..=to).contains(&number));
        let missing: Vec<u64> =
            (1..=*numbers.last().unwrap()).filter(|number| numbers.binary_search(number).is_err()).collect();
        let untold: Vec<_> = missing.iter().filter(|number| !is_told(number)).collect();
        assert!(untold.is_empty(), "missing, and not told: {untold:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "a number twice");
        lost += missing.len() as u64;
    }
    lost
}

#[test]
fn every_kind_of_record_is_in_the_store_as_the_log_has_it() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let event = "[[event]]\nname = \"bought\"\nwhen = \"path:/buy\"\nfields = { method = \"method\" }\n";
    let setup = setup(&upstream, dir.path()).set("log", "slow = \"150ms\"").top("shutdown_grace", "\"300ms\"");
    let proxy = setup.routes(event).start();
    get(proxy.addr(), "/buy", "buy").ok();
    assert_eq!(get(proxy.addr(), "/fail", "fail").status(), 500);
    Client::connect(proxy.addr()).exchange(request("GET", "/a/../../etc/passwd", "suspicious", "", ""));
    Client::connect(proxy.addr()).exchange("nonsense\r\n\r\n");
    let mut left = Client::connect(proxy.addr());
    left.send(request("GET", "/hang", "left", "", ""));
    let mut cut_off = Client::connect(proxy.addr());
    cut_off.send(request("GET", "/hang", "cut-off", "", ""));
    proxy.wait_for("both are slow", |log| log.count("request_slow") == 2);
    left.reset();
    proxy.completed("left");
    let log = proxy.stop();
    let kept = stored(dir.path());
    assert_eq!(without_numbers(&kept), without_numbers(&log));
    assert_eq!(told_as_lost(&kept), 0);
    for event in [
        "server_started",
        "request_started",
        "request_slow",
        "request_failed",
        "request_completed",
        "bought",
        "security_event",
        "request_rejected",
        "server_stopping",
    ] {
        assert!(kept.count(event) > 0, "{event}: {:?}", kept.0);
    }
    assert_eq!(kept.completed("cut-off").text("outcome"), "shutdown");
}

/// Requests on several connections at once, until `during` is over. Returns how many were answered.
fn under_load<T>(addr: std::net::SocketAddr, during: impl FnOnce() -> T) -> (T, usize) {
    let over = std::sync::atomic::AtomicBool::new(false);
    let load = |index: usize| {
        let (mut client, mut count) = (Client::connect(addr), 0);
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            let answer = client.exchange(request("GET", "/page", &format!("load-{index}-{count}"), "", "")).ok();
            if answer.header("connection") == Some("close") {
                client = Client::connect(addr);
            }
            count += 1;
        }
        count
    };
    std::thread::scope(|scope| {
        let load = scope.spawn(|| in_parallel(PARALLEL, load));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        let counts = load.join().unwrap();
        (done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), counts.iter().sum())
    })
}

/// The process that serves in the place of the first one, once it does.
fn hand_over(proxy: &TestProxy) -> u64 {
    proxy.signal("USR2");
    let draining = |log: &Log| log.events("server_stopping").iter().any(|stop| stop.text("stage") == "draining");
    let log = proxy.wait_for("a hand-over", |log| log.count("server_started") == 2 && draining(log));
    log.events("server_started")[1].number("pid")
}

#[test]
fn both_processes_of_a_handover_have_their_records_in_one_store() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let stdout = "[[log.output]]\ntype = \"stdout\"\nwhen_full = \"block\"\nblock_at_most = \"20s\"\n";
    let setup = setup(&upstream, dir.path()).top("shutdown_grace", "\"2s\"").routes(stdout);
    let proxy = setup.start();
    let (heir, count) = under_load(proxy.addr(), || {
        let heir = hand_over(&proxy);
        let stopped = |log: &Log| log.events("server_stopping").iter().any(|stop| stop.text("stage") == "stopped");
        proxy.wait_for("the end of the process before", stopped);
        heir
    });
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {heir}")]).status().unwrap().success());
    let log = proxy.wait();
    let kept = stored(dir.path());
    assert_eq!(kept.count("request_completed"), count);
    assert_eq!(without_numbers(&kept), without_numbers(&log));
    assert_eq!(told_as_lost(&kept), 0);
}

/// What `gatelog run` says when it does not start.
fn refused(setup: &Setup) -> (Option<i32>, String) {
    let output = setup.command().output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_store_that_another_process_writes_to_is_refused() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let other = Writer::open(Settings::new(dir.path())).unwrap();
    let (code, said) = refused(&setup(&upstream, dir.path()));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the store cannot be opened") && said.contains("another process writes to this store"),
        "{said}"
    );
    drop(other);
    setup(&upstream, dir.path()).start().stop();
    assert_eq!(stored(dir.path()).count("server_started"), 1);
}

#[test]
fn a_folder_that_cannot_be_one_is_said_with_its_place_in_the_configuration() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (path, told) in [(file.clone(), "is no folder"), (file.join("below"), "cannot be looked at")] {
        let (code, said) = refused(&setup(&upstream, &path));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(told) && said.contains("gatelog.toml:"), "{said}");
    }
}

/// Tries until it is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not come");
    }
}

/// The files of a store that end so.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
}

#[test]
fn a_damaged_file_is_set_aside_and_told() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    setup(&upstream, dir.path()).start().stop();
    let hot = files(dir.path(), ".hot");
    assert_eq!(hot.len(), 1, "{hot:?}");
    std::fs::write(&hot[0], "no database at all, but some text that is longer than a header".repeat(100)).unwrap();
    let proxy = setup(&upstream, dir.path()).start();
    let is_told = |record: &Record| record.text("level") == "WARNING" && record.text("error").contains(".hot.broken");
    proxy.wait_for("a word about it", |log| log.0.iter().any(is_told));
    get(proxy.addr(), "/page", "after").ok();
    proxy.stop();
    assert_eq!(stored(dir.path()).of("after").0.len(), 2);
    assert_eq!(files(dir.path(), ".broken").len(), 1);
}

#[test]
fn a_store_that_cannot_be_written_loses_records_and_tells_it_while_the_log_has_them_all() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let proxy = setup(&upstream, dir.path()).start();
    get(proxy.addr(), "/page", "before").ok();
    until("the first records", || stored(dir.path()).count("request_completed") == 1);
    // Somebody else has begun a transaction, and does not end it.
    let other = rusqlite::Connection::open(&files(dir.path(), ".hot")[0]).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    get(proxy.addr(), "/page", "during").ok();
    proxy.wait_for("the failure", |log| log.0.iter().any(|record| record.text("output") == "store"));
    other.execute_batch("ROLLBACK").unwrap();
    let mut after = (0..).map(|number| format!("after-{number}"));
    let mut id = || after.next().unwrap();
    eventually("a record after it", || {
        get(proxy.addr(), "/page", &id()).ok();
        stored(dir.path()).0.iter().any(|record| record.text("request_id").starts_with("after-"))
    });
    let log = proxy.stop();
    let kept = stored(dir.path());
    let lost = told_as_lost(&kept);
    assert!(lost > 0, "nothing was lost: {:?}", kept.0);
    assert_eq!(kept.0.len() as u64 + lost - kept.count("log_loss") as u64, log.0.len() as u64);
    assert_eq!(kept.events("log_loss")[0].text("reason"), "write_failed");
    assert_eq!(log.count("log_loss"), 0, "the log has them all");
}

#[test]
fn a_full_disk_stops_the_storing_and_once_there_is_room_the_store_goes_on_and_tells_what_it_lacks() {
    // Without the right to mount, the tests behind a disk of their own in `tests/store` have to do.
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let (upstream, folder, ballast) = (app(), disk.path().join("store"), disk.path().join("ballast"));
    let proxy = setup(&upstream, &folder).start();
    get(proxy.addr(), "/page", "before").ok();
    until("the first records", || stored(&folder).count("request_completed") == 1);
    // All the room that is left.
    assert!(std::fs::write(&ballast, vec![0; 4 << 20]).is_err());
    let fails = |log: &Log| log.0.iter().any(|record| record.text("output") == "store");
    let mut during = 0;
    eventually("the failure", || {
        get(proxy.addr(), "/page", &format!("during-{during}")).ok();
        during += 1;
        fails(&proxy.log())
    });
    std::fs::remove_file(&ballast).unwrap();
    let mut after = 0;
    eventually("a record after it", || {
        get(proxy.addr(), "/page", &format!("after-{after}")).ok();
        after += 1;
        stored(&folder).0.iter().any(|record| record.text("request_id").starts_with("after-"))
    });
    let (log, kept) = (proxy.stop(), stored(&folder));
    let lost = told_as_lost(&kept);
    assert_eq!(kept.0.len() as u64 + lost - kept.count("log_loss") as u64, log.0.len() as u64);
    assert_eq!(log.count("log_loss"), 0, "the log has them all");
    assert_eq!(log.count("request_completed"), 1 + during + after, "no request was touched");
    let reasons = kept.events("log_loss").into_iter().map(|record| record.text("reason").to_owned());
    assert!(reasons.collect::<Vec<_>>().iter().all(|reason| reason == "disk_full"));
    assert!(lost > 0, "what was on its way when the disk was full is lost");
}

/// Two of its records are 30 KB, so that a few thousand requests are more than may wait.
const LONG: usize = 15_000;
const MUCH: usize = 5_000;

#[test]
fn what_a_store_cannot_take_in_time_is_dropped_counted_and_told_and_no_request_waits() {
    let (upstream, dir) = (app(), tempfile::tempdir().unwrap());
    let quiet = "[[log.output]]\ntype = \"stdout\"\nfilter = \"logger:gatelog.proxy\"\n";
    let setup = setup(&upstream, dir.path()).top("shutdown_grace", "\"60s\"").routes(quiet).admin();
    let proxy = setup.start();
    // A process that has a request left keeps the store, and what the next one has to store waits.
    let mut hanging = Client::connect(proxy.addr());
    hanging.send(request("GET", "/hang", "hanging", "", ""));
    until("a request that runs", || upstream.accepted() == 1);
    let heir = hand_over(&proxy);
    let path = format!("/page?q={}", "x".repeat(LONG));
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        for at in 0..MUCH / PARALLEL {
            let answer = client.exchange(request("GET", &path, &format!("{index}-{at}"), "", "")).ok();
            if answer.header("connection") == Some("close") {
                client = Client::connect(proxy.addr());
            }
        }
    });
    let dropped = [("output", "store"), ("reason", "queue_full")];
    let counted = || Samples::of(proxy.admin()).value("gatelog_log_records_dropped_total", &dropped) as u64;
    assert!(counted() > 0);
    hanging.reset();
    // From then on what comes is stored.
    let is_stored =
        |samples: &Samples| samples.value("gatelog_log_records_written_total", &[("output", "store")]) > 0.0;
    Samples::once(proxy.admin(), "the store in the hands of the next process", is_stored);
    let counted = counted();
    let held =
        Samples::once(proxy.admin(), "what it holds", |samples| samples.value("gatelog_store_records", &[]) > 0.0);
    assert!(held.value("gatelog_store_segments", &[]) >= 1.0 && held.value("gatelog_store_bytes", &[]) > 0.0);
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {heir}")]).status().unwrap().success());
    proxy.wait();
    let kept = stored(dir.path());
    let losses = kept.events("log_loss");
    assert!(losses.iter().all(|loss| loss.text("reason") == "queue_full"), "{losses:?}");
    assert_eq!(losses.iter().map(|loss| loss.number("count")).sum::<u64>(), counted);
    assert_eq!(told_as_lost(&kept), counted);
}
