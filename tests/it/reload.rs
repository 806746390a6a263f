//! SIGHUP with the real process: outputs are swapped between two records, and no request notices.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::collector::{Misbehaved, ndjson};
use crate::support::log::{Log, Record};
use crate::support::{Client, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request, until, verified};

/// Outputs over a network.
mod network;
/// Listeners: their addresses, and how who connects is spoken to.
mod listeners;
/// Routes, upstreams, limits, identity.
mod service;

/// A running proxy and the file that it reads again.
struct Reloading {
    proxy: TestProxy,
    config: PathBuf,
    /// The file without its outputs.
    rest: String,
}

/// Begins the part of the file that a test replaces.
const OUTPUTS: &str = "# outputs\n";

impl Reloading {
    /// Stdout is always an output, for what gatelog says about itself.
    fn start(upstream: &Upstream, outputs: &str) -> Reloading {
        let setup =
            Setup::before(upstream).set("log", "start = \"always\"").routes(&format!("{OUTPUTS}{STDOUT}{outputs}"));
        let config = setup.dir().join("gatelog.toml");
        let proxy = setup.start();
        let rest = std::fs::read_to_string(&config).unwrap();
        let rest = rest.split_once(OUTPUTS).unwrap().0.to_owned();
        Reloading { proxy, config, rest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.parent().unwrap().join(name)
    }

    fn write(&self, outputs: &str) {
        std::fs::write(&self.config, format!("{}{OUTPUTS}{STDOUT}{outputs}", self.rest)).unwrap();
    }

    /// Has these outputs taken beside stdout, and waits until they are.
    fn reload(&self, outputs: &str) -> Record {
        self.write(outputs);
        self.signal("config_reloaded")
    }

    /// Sends SIGHUP and waits for its answer.
    fn signal(&self, event: &str) -> Record {
        let before = self.proxy.log().count(event);
        self.proxy.signal("HUP");
        let log = self.proxy.wait_for(event, |log| log.count(event) > before);
        log.events(event)[before].clone()
    }
}

const STDOUT: &str = "[[log.output]]\ntype = \"stdout\"\nfilter = \"logger:gatelog.proxy\"\n";
/// The same, for every record.
const ALL: &str = "[[log.output]]\ntype = \"stdout\"\n";

/// One more `[[log.output]]` in a file of this name.
fn file(name: &str, keys: &str) -> String {
    format!("[[log.output]]\ntype = \"file\"\nname = \"{name}\"\npath = \"{name}.jsonl\"\n{keys}\n")
}

fn read(path: &Path) -> Vec<Record> {
    std::fs::read_to_string(path).unwrap().lines().map(Record::parse).collect()
}

/// The names in a list of a record.
fn names(record: &Record, field: &str) -> Vec<String> {
    let list = record.get(field).and_then(|list| list.as_array()).cloned().unwrap_or_default();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// What a record of a request is, whatever number an output gave it.
fn key(record: &Record) -> (String, String) {
    (record.text("request_id").to_owned(), record.text("event").to_owned())
}

fn of_requests(records: &[Record]) -> Vec<(String, String)> {
    records.iter().filter(|record| !record.text("request_id").is_empty()).map(key).collect()
}

/// What the load of the test below is bounded by, whichever comes first: each request makes ten lines on disk.
const MOST_REQUESTS: usize = 20_000;
const LONGEST_LOAD: Duration = Duration::from_secs(20);

/// The reloads of the test under load: one file is there in turns, one changes its settings and keeps its path, one
/// stays as it is, and two exchange their paths.
fn variant(at: usize) -> String {
    let even = at.is_multiple_of(2);
    let turn = if even { file("even", "") } else { file("odd", "") };
    let changing = file("changing", &format!("queue = \"{}MB\"", 8 + at));
    let (one, other) = if even { ("x", "y") } else { ("y", "x") };
    let exchanged = [("first", one), ("second", other)]
        .map(|(name, path)| format!("[[log.output]]\ntype = \"file\"\nname = \"{name}\"\npath = \"{path}.jsonl\"\n"));
    format!("{}{turn}{changing}{}", file("constant", ""), exchanged.concat())
}

#[test]
fn fifty_reloads_under_load_lose_and_double_no_record_and_fail_no_request() {
    let upstream = Upstream::ok();
    let reloading = Reloading::start(&upstream, &variant(0));
    let over = AtomicBool::new(false);
    let (addr, end) = (reloading.proxy.addr(), Instant::now() + LONGEST_LOAD);
    let counts = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            in_parallel(PARALLEL, |index| {
                let mut client = Client::connect(addr);
                let mut count = 0;
                while !over.load(Ordering::Relaxed) && count < MOST_REQUESTS / PARALLEL && Instant::now() < end {
                    client.exchange(request("GET", "/", &format!("r-{index}-{count}"), "", "")).ok();
                    count += 1;
                }
                count
            })
        });
        let reloads = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for at in 1..=50 {
                let record = reloading.reload(&variant(at));
                assert_eq!(record.number("generation"), at as u64 + 1);
                assert_eq!(names(&record, "outputs_changed"), ["changing", "first", "second"]);
            }
        }));
        over.store(true, Ordering::Relaxed);
        reloads.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        load.join().unwrap()
    });
    let asked: BTreeSet<_> = counts
        .iter()
        .enumerate()
        .flat_map(|(index, count)| (0..*count).map(move |at| format!("r-{index}-{at}")))
        .flat_map(|id| ["request_started", "request_completed"].map(|event| (id.clone(), event.to_owned())))
        .collect();
    assert!(asked.len() > 2 * 50, "hardly any load");
    let paths = ["constant", "changing", "even", "odd", "x", "y"].map(|name| reloading.path(&format!("{name}.jsonl")));
    let dir = tempfile::tempdir().unwrap();
    let kept = paths.map(|path| (dir.path().join(path.file_name().unwrap()), path));
    let proxy = reloading.proxy;
    proxy.signal("TERM");
    proxy.wait_keeping(|| {
        for (to, from) in &kept {
            std::fs::copy(from, to).unwrap();
        }
    });
    let [constant, changing, even, odd, x, y] = kept.map(|(path, _)| {
        let said = verified(std::slice::from_ref(&path), &[]);
        let losses: Vec<_> = read(&path).into_iter().filter(|record| record.event() == "log_loss").collect();
        assert!(losses.is_empty(), "{}: {said}{losses:#?}", path.display());
        of_requests(&read(&path))
    });
    for whole in [constant, changing, x, y, [even, odd].concat()] {
        assert_eq!(whole.len(), asked.len(), "each record once");
        assert_eq!(whole.into_iter().collect::<BTreeSet<_>>(), asked);
    }
}

/// Outputs over a network that go to this collector by one spool, by turns under two names.
fn spooling(collector: &Upstream, at: usize) -> String {
    let name = if at.is_multiple_of(2) { "even" } else { "odd" };
    format!(
        "[[log.output]]\ntype = \"http\"\nname = \"{name}\"\nendpoint = \"{}/\"\nbody = \"ndjson\"\n\
         batch = {{ records = 50, wait = \"{}ms\" }}\nspool = {{ path = \"spool\", max = \"64MB\" }}\n",
        collector.url(),
        at + 1
    )
}

#[test]
fn a_spool_goes_from_one_output_to_the_next_and_loses_and_doubles_no_record() {
    const RELOADS: usize = 5;
    let upstream = Upstream::ok();
    let (collector, accepted) = ndjson(|_, _| Misbehaved::No);
    let reloading = Reloading::start(&upstream, &spooling(&collector, 0));
    let mut client = Client::connect(reloading.proxy.addr());
    let mut asked = BTreeSet::new();
    for at in 0..=RELOADS {
        if at > 0 {
            let record = reloading.reload(&spooling(&collector, at));
            assert_eq!(names(&record, "outputs_added").len(), 1, "{record:?}");
        }
        for shot in 0..20 {
            let id = format!("s-{at}-{shot}");
            client.exchange(request("GET", "/", &id, "", "")).ok();
            asked.insert(id);
        }
    }
    let is_end = |record: &&Value| record["event"] == "request_completed";
    let records = accepted.wait_for("every record", |records| records.iter().filter(is_end).count() >= asked.len());
    let ends: Vec<_> = records.iter().filter(is_end).map(|record| record["request_id"].as_str().unwrap()).collect();
    assert_eq!(ends.len(), asked.len(), "each record once");
    assert!(ends.iter().all(|id| asked.contains(*id)));
    let numbers: Vec<u64> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "one stream");
    reloading.proxy.stop();
}

#[test]
fn an_output_whose_collector_is_dead_is_taken_out_at_once_and_its_losses_are_told() {
    let upstream = Upstream::ok();
    let dead = "[[log.output]]\ntype = \"http\"\nendpoint = \"http://127.0.0.1:9/\"\nretry_at_most = \"1s\"\n";
    let reloading = Reloading::start(&upstream, dead);
    get(reloading.proxy.addr(), "/", "lost").ok();
    let record = reloading.reload("");
    assert_eq!(names(&record, "outputs_removed"), ["http"]);
    let told = |record: &Record| record.text("error").contains("records are lost") && record.text("output") == "http";
    reloading.proxy.wait_for("what is lost", |log| log.events("diagnostic").into_iter().any(told));
    reloading.proxy.stop();
}

#[test]
fn a_bad_file_is_refused_whole_with_all_its_problems() {
    let upstream = Upstream::ok();
    let reloading = Reloading::start(&upstream, &file("a", ""));
    reloading.write(&format!(
        "{}{}[[log.output]]\ntype = \"file\"\nname = \"c\"\npath = \"missing/c.jsonl\"\n",
        file("b", ""),
        file("a", "level = \"loud\"\nformt = \"json\"")
    ));
    let refused = reloading.signal("config_refused");
    assert_eq!((refused.number("errors"), refused.text("level")), (3, "ERROR"), "{refused:?}");
    let log = reloading.proxy.log();
    for told in ["loud", "formt", "the folder"] {
        let of_it: Vec<_> = log.0.iter().filter(|record| record.text("message").contains(told)).collect();
        assert_eq!(of_it.len(), 1, "{told} in {log:?}");
        assert!(of_it[0].text("place").contains("gatelog.toml:"), "{of_it:?}");
    }
    assert!(!reloading.path("b.jsonl").exists(), "nothing of it was taken");
    get(reloading.proxy.addr(), "/", "after").ok();
    let path = reloading.path("a.jsonl");
    until("the record in the file", || std::fs::read_to_string(&path).unwrap().contains("request_completed"));
    assert!(read(&path).iter().any(|record| record.event() == "config_refused"));
    assert_eq!(reloading.proxy.stop().count("config_reloaded"), 0);
}

#[test]
fn an_output_that_hangs_holds_neither_the_reload_that_takes_it_out_nor_requests() {
    let upstream = Upstream::ok();
    let seen = file("seen", "");
    let setup = Setup::before(&upstream).set("log", "start = \"always\"").routes(&format!("{OUTPUTS}{ALL}{seen}"));
    let (config, seen_path) = (setup.dir().join("gatelog.toml"), setup.dir().join("seen.jsonl"));
    let mut child = setup.command().spawn().unwrap();
    // Nobody reads any more of it before the end: its pipe and then its queue are full.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut raw = String::new();
    stdout.read_line(&mut raw).unwrap();
    let url = Record::parse(raw.trim_end()).get("listen").unwrap()[0].as_str().unwrap().to_owned();
    let addr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let load = |name: &str| {
        in_parallel(PARALLEL, |index| {
            let mut client = Client::connect(addr);
            for at in 0..100 {
                client.exchange(request("GET", "/", &format!("{name}-{index}-{at}"), "", "")).ok();
            }
        });
    };
    load("before");
    let text = std::fs::read_to_string(&config).unwrap();
    let kill = |name: &str| {
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    let count = |event: &str| std::fs::read_to_string(&seen_path).unwrap().matches(event).count();
    // Taken out, put in again (it waits for its turn), and taken out once more.
    for (at, outputs) in [seen.clone(), format!("{ALL}{seen}"), seen.clone()].iter().enumerate() {
        std::fs::write(&config, text.split_once(OUTPUTS).unwrap().0.to_owned() + outputs).unwrap();
        kill("HUP");
        until("the reload", || count("\"config_reloaded\"") > at);
        load(&format!("after-{at}"));
    }
    kill("TERM");
    stdout.read_to_string(&mut raw).unwrap();
    assert!(child.wait().unwrap().success());
    verified(std::slice::from_ref(&seen_path), &[]);
    let seen = Log(read(&seen_path));
    assert_eq!((seen.count("request_completed"), seen.count("log_loss")), (4 * 100 * PARALLEL, 0));
    let stdout_path = setup.dir().join("stdout.jsonl");
    std::fs::write(&stdout_path, &raw).unwrap();
    verified(&[stdout_path], &[]);
    let stdout: Vec<_> = raw.lines().map(Record::parse).collect();
    let of = |name: &str| stdout.iter().filter(|record| record.text("request_id").starts_with(name)).count();
    assert_eq!((of("before-"), of("after-0-"), of("after-1-"), of("after-2-")), (1600, 0, 1600, 0));
}

#[test]
fn an_output_that_is_the_same_keeps_its_numbers_and_one_that_comes_back_goes_on() {
    let upstream = Upstream::ok();
    let (a, b) = (file("a", ""), file("b", ""));
    let reloading = Reloading::start(&upstream, &format!("{a}{b}"));
    let shot = |name: &str| drop(get(reloading.proxy.addr(), "/", name).ok());
    shot("one");
    // Only lines have moved.
    let record = reloading.reload(&format!("\n# moved\n{a}{b}"));
    assert!(record.get("outputs_changed").is_none() && record.get("at_next_start").is_none(), "{record:?}");
    let record = reloading.reload(&a);
    assert_eq!(names(&record, "outputs_removed"), ["b"]);
    shot("two");
    let record = reloading.reload(&format!("{b}{a}"));
    assert_eq!(names(&record, "outputs_added"), ["b"]);
    shot("three");
    let (a, b) = (reloading.path("a.jsonl"), reloading.path("b.jsonl"));
    let mut texts = BTreeMap::new();
    reloading.proxy.signal("TERM");
    reloading.proxy.wait_keeping(|| {
        for path in [&a, &b] {
            verified(std::slice::from_ref(path), &[]);
            texts.insert(path.clone(), read(path));
        }
    });
    for (path, records) in texts {
        let numbers: Vec<u64> = records.iter().map(|record| record.number("seq")).collect();
        assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>(), "{}", path.display());
        let is_b = path.ends_with("b.jsonl");
        assert_eq!(records.iter().any(|record| record.text("request_id") == "two"), !is_b);
        let streams: Vec<_> = records.iter().map(|record| record.text("stream")).filter(|it| !it.is_empty()).collect();
        assert_eq!(streams, if is_b { vec!["ends", "begins"] } else { vec![] });
    }
}

#[test]
fn format_filter_level_and_loggers_change_and_the_rest_waits_for_the_next_start() {
    let upstream = Upstream::ok();
    let mut reloading = Reloading::start(&upstream, &file("a", ""));
    get(reloading.proxy.addr(), "/", "json").ok();
    let changed = file("a", "format = \"logfmt\"\nfilter = \"event:request_completed\"");
    let record = reloading.reload(&changed);
    assert_eq!(names(&record, "outputs_changed"), ["a"]);
    get(reloading.proxy.addr(), "/", "logfmt").ok();
    reloading.rest =
        reloading.rest.replace("start = \"always\"", "service = \"shop\"\nslow = \"7s\"\nlevel = \"debug\"");
    reloading.rest = reloading.rest.replace("workers = 2", "workers = 3\nshutdown_grace = \"29s\"");
    let record = reloading.reload(&changed);
    assert_eq!(names(&record, "changed"), ["log.level", "log.service", "shutdown_grace", "log.slow"]);
    assert_eq!(names(&record, "at_next_start"), ["workers"]);
    assert_eq!(record.text("service"), "shop");
    let path = reloading.path("a.jsonl");
    let mut text = String::new();
    reloading.proxy.signal("TERM");
    reloading.proxy.wait_keeping(|| text = std::fs::read_to_string(&path).unwrap());
    let logfmt: Vec<_> = text.lines().filter(|line| line.starts_with("timestamp=")).collect();
    assert_eq!(logfmt.len(), 1, "{text}");
    assert!(logfmt[0].contains("request_id=logfmt") && logfmt[0].contains("event=request_completed"), "{text}");
    assert!(text.lines().filter(|line| line.starts_with('{')).all(|line| !line.contains("\"logfmt\"")), "{text}");
}

#[test]
fn a_reload_during_the_shutdown_changes_nothing() {
    let (tell, told) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (tell, released) = (std::sync::Mutex::new(tell), std::sync::Mutex::new(released));
    let upstream = Upstream::script(move |conn| {
        while conn.request().is_some() {
            tell.lock().unwrap().send(()).unwrap();
            if released.lock().unwrap().recv().is_ok() {
                conn.ok("at last");
            }
        }
    });
    let reloading = Reloading::start(&upstream, "");
    let mut client = Client::connect(reloading.proxy.addr());
    client.send(request("GET", "/", "held", "", ""));
    told.recv().unwrap();
    reloading.proxy.signal("TERM");
    reloading.proxy.wait_for("server_stopping", |log| log.count("server_stopping") > 0);
    reloading.write("nonsense");
    reloading.proxy.signal("HUP");
    reloading.proxy.signal("HUP");
    release.send(()).unwrap();
    client.answer().ok();
    let log = reloading.proxy.wait();
    assert_eq!((log.count("config_reloaded"), log.count("config_refused")), (0, 0));
}
