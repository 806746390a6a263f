//! A reader of stdout that is too slow: requests do not wait for it, what is lost is counted in the log itself.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command};

use crate::support::log::{Log, Record};
use crate::support::{Client, PARALLEL, Setup, Upstream, in_parallel, request};

/// A proxy whose stdout nobody reads after its first line.
fn unread(upstream: &Upstream) -> (Child, BufReader<ChildStdout>, SocketAddr, String) {
    let setup = Setup::before(upstream).set("log", "[[log.output]]\ntype = \"stdout\"\nqueue = \"256KB\"");
    let mut child = setup.command().spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let record = Record::parse(first.trim_end());
    assert_eq!(record.event(), "server_started");
    let url = record.get("listen").unwrap()[0].as_str().unwrap().to_owned();
    let addr = url.strip_prefix("http://").unwrap().parse().unwrap();
    (child, stdout, addr, first)
}

/// Enough requests to fill the pipe and the queue several times over; all have to be answered.
fn flood(addr: SocketAddr) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(addr);
        for at in 0..400 {
            let more = format!("User-Agent: {}\r\n", "x".repeat(1000));
            client.exchange(request("GET", "/", &format!("flood-{index}-{at}"), &more, "")).ok();
        }
    });
}

/// `seq` runs on without a gap, but for those that a `log_loss` tells; returns how many it tells.
fn told_as_lost(log: &Log) -> u64 {
    let losses = log.events("log_loss");
    let lost: Vec<_> = losses.iter().map(|loss| (loss.number("from_seq"), loss.number("to_seq"))).collect();
    for loss in &losses {
        assert_eq!(loss.number("count"), loss.number("to_seq") - loss.number("from_seq") + 1, "{loss:?}");
        assert_eq!((loss.text("reason"), loss.text("level")), ("queue_full", "WARNING"), "{loss:?}");
    }
    let mut due = log.0[0].number("seq");
    for record in &log.0 {
        let seq = record.number("seq");
        while let Some((_, to)) = lost.iter().find(|(from, to)| (*from..=*to).contains(&due) && due < seq) {
            due = to + 1;
        }
        assert_eq!(due, seq, "a gap that nobody tells: {record:?}");
        due = seq + 1;
    }
    losses.iter().map(|loss| loss.number("count")).sum()
}

fn verify(dir: &std::path::Path, log: &str) -> Option<i32> {
    let path = dir.join("log.jsonl");
    std::fs::write(&path, log).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gatelog")).arg("verify").arg(path).output().unwrap();
    output.status.code()
}

#[test]
fn requests_go_on_and_the_loss_is_counted() {
    let upstream = Upstream::ok();
    let (mut child, mut stdout, addr, mut raw) = unread(&upstream);
    flood(addr);
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    stdout.read_to_string(&mut raw).unwrap();
    assert!(child.wait().unwrap().success());
    let log = Log(raw.lines().map(Record::parse).collect());
    let lost = told_as_lost(&log);
    assert!(lost > 0, "nothing was lost: the flood is too small for this test");
    let requests = 2 * 400 * PARALLEL as u64;
    let about_requests = (log.count("request_started") + log.count("request_completed")) as u64;
    assert!(about_requests + lost >= requests, "{about_requests} and {lost} of {requests}");
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(verify(dir.path(), &raw), Some(0));
    let silent: String =
        raw.lines().filter(|line| !line.contains("\"log_loss\"")).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(verify(dir.path(), &silent), Some(1), "a gap that no log_loss tells");
}
