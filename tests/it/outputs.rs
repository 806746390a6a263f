//! Several outputs at once: each gets what is meant for it, and none that fails touches another one or a request.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;

use crate::support::log::{Log, Record};
use crate::support::{Client, PARALLEL, Setup, Upstream, in_parallel, request, verified};

/// Answers 500 where the path says so.
fn app() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            match message.start[1] == "/fail" {
                true => conn.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
                false => conn.ok("fine"),
            }
        }
    })
}

/// Every fourth request is for a page that fails.
fn load(addr: std::net::SocketAddr, each: usize) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(addr);
        for at in 0..each {
            let path = if at % 4 == 0 { "/fail" } else { "/page" };
            let more = format!("User-Agent: {}\r\n", "x".repeat(1000));
            let answer = client.exchange(request("GET", path, &format!("r-{index}-{at}"), &more, ""));
            assert_eq!(answer.status(), if at % 4 == 0 { 500 } else { 200 });
        }
    });
}

fn read(path: &Path) -> Log {
    Log(std::fs::read_to_string(path).unwrap().lines().map(Record::parse).collect())
}

/// What a record is, whatever number an output gave it.
fn key(record: &Record) -> (String, String, String) {
    let text = |name| record.text(name).to_owned();
    (text("timestamp"), text("event"), text("request_id"))
}

#[test]
fn a_stuck_output_and_a_full_one_touch_neither_requests_nor_healthy_outputs() {
    let upstream = app();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let outputs = format!(
        "[[log.output]]\ntype = \"stdout\"\nqueue = \"256KB\"\n\
         [[log.output]]\ntype = \"file\"\nname = \"full\"\npath = \"/dev/full\"\n\
         [[log.output]]\ntype = \"file\"\nname = \"all\"\npath = {:?}\nqueue = \"64MB\"\n\
         [[log.output]]\ntype = \"file\"\nname = \"errors\"\npath = {:?}\nlevel = \"error\"\n\
         [[log.output]]\ntype = \"file\"\nname = \"ends\"\npath = {:?}\nfilter = \"event:request_completed path:/page\"\n",
        path("all.jsonl"),
        path("errors.jsonl"),
        path("ends.jsonl"),
    );
    let setup = Setup::before(&upstream).set("log", &outputs);
    let mut child = setup.command().spawn().unwrap();
    // Nobody reads any more of it before the end.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let url = Record::parse(first.trim_end()).get("listen").unwrap()[0].as_str().unwrap().to_owned();
    load(url.strip_prefix("http://").unwrap().parse().unwrap(), 300);
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut unread = String::new();
    stdout.read_to_string(&mut unread).unwrap();
    assert!(child.wait().unwrap().success());

    let all = read(&path("all.jsonl"));
    verified(&[path("all.jsonl")], &[]);
    assert_eq!(all.count("request_completed"), 300 * PARALLEL);
    assert_eq!(all.count("log_loss"), 0);
    let unread = Log(unread.lines().map(Record::parse).collect());
    assert!(unread.count("log_loss") > 0, "nothing was lost on stdout: the load is too small for this test");

    let failures: Vec<_> = all.0.iter().filter(|record| record.text("message").contains("an output fails")).collect();
    assert_eq!(failures.len(), 1, "told once: {failures:?}");
    assert_eq!(failures[0].text("output"), "full");

    let is_error = |record: &Record| matches!(record.text("level"), "ERROR" | "CRITICAL");
    assert_is_the_part(&path("errors.jsonl"), &all, &is_error);
    let is_page = |record: &Record| record.event() == "request_completed" && record.text("path") == "/page";
    assert_is_the_part(&path("ends.jsonl"), &all, &is_page);
}

/// A file holds exactly the records of the whole log that are meant for it, with numbers of its own.
fn assert_is_the_part(path: &Path, all: &Log, is_meant: &dyn Fn(&Record) -> bool) {
    let part = read(path);
    let meant: BTreeSet<_> = all.0.iter().filter(|record| is_meant(record)).map(key).collect();
    assert!(!meant.is_empty());
    assert_eq!(part.0.iter().map(key).collect::<BTreeSet<_>>(), meant);
    let numbers: Vec<u64> = part.0.iter().map(|record| record.number("seq")).collect();
    assert_eq!(numbers, (1..=meant.len() as u64).collect::<Vec<_>>());
    verified(&[path.to_owned()], &[]);
}

#[test]
fn an_output_in_another_format_has_the_same_records() {
    let upstream = app();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let outputs = format!(
        "[[log.output]]\ntype = \"stdout\"\n\
         [[log.output]]\ntype = \"file\"\npath = {:?}\nformat = \"logfmt\"\n\
         [[log.output]]\ntype = \"file\"\npath = {:?}\nformat = \"combined\"\n",
        path("all.log"),
        path("access.log"),
    );
    let proxy = Setup::before(&upstream).set("log", &outputs).start();
    load(proxy.addr(), 5);
    let log = proxy.stop();
    let lines = |name| std::fs::read_to_string(path(name)).unwrap().lines().count();
    assert_eq!(lines("all.log"), log.0.len());
    assert_eq!(lines("access.log"), 5 * PARALLEL);
}

#[test]
fn a_file_that_cannot_be_written_is_said_before_anything_is_served() {
    let upstream = app();
    for (keys, told) in [
        ("path = \"missing/a.log\"", "the folder"),
        ("path = \".\"", "is a folder"),
        ("path = \"a.log\"\nowner = \"no-such-user\"", "no-such-user"),
        ("path = \"/dev/null\"\nrotate = { size = \"1MB\" }", "cannot be rotated"),
        ("path = \"one.log\"\n[[log.output]]\ntype = \"file\"\npath = \"other.log\"", "the file of another output"),
    ] {
        let setup = Setup::before(&upstream).set("log", &format!("[[log.output]]\ntype = \"file\"\n{keys}"));
        std::fs::write(setup.dir().join("one.log"), "").unwrap();
        std::os::unix::fs::symlink("one.log", setup.dir().join("other.log")).unwrap();
        let output = setup.command().output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(told) && stderr.contains("gatelog.toml:"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}
