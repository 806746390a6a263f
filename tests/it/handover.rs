//! SIGUSR2 with the real process: another one serves the same sockets, and no client notices.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::log::{Log, Record};
use crate::support::{Client, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request, until};

/// A process that serves in the place of one that a test has started.
struct Heir {
    pid: u64,
    record: Record,
}

impl Heir {
    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid);
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        // Of a test that has failed; it has ended otherwise.
        if std::thread::panicking() {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {}", self.pid)]).status();
        }
    }
}

/// The last process that has started.
fn latest(log: &Log) -> Heir {
    let started = log.events("server_started");
    let record = (*started.last().unwrap()).clone();
    Heir { pid: record.number("pid"), record }
}

/// Waits until another process has said that it serves, and the one before that it does not any more.
fn taken_over(proxy: &TestProxy, before: &Log) -> Heir {
    let (started, left) = (before.count("server_started"), left(before));
    let log = proxy.wait_for("a hand-over", |log| log.count("server_started") > started && self::left(log) > left);
    latest(&log)
}

/// How many processes have handed over: each says later that it has stopped, too.
fn left(log: &Log) -> usize {
    log.events("server_stopping").iter().filter(|record| record.text("stage") == "draining").count()
}

fn hand_over(proxy: &TestProxy) -> Heir {
    let before = proxy.log();
    proxy.signal("USR2");
    taken_over(proxy, &before)
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn both_processes_say_who_the_other_one_is_and_the_new_one_serves() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let heir = hand_over(&proxy);
    // The threads of the old process hear of it a moment after it has said so.
    let is_answered_by_heir = |id: &String| {
        get(proxy.addr(), "/", id).ok();
        proxy.completed(id).text("instance") == heir.record.text("instance")
    };
    (0..1000).map(|index| format!("after-{index}")).find(is_answered_by_heir).expect("an answer of the new process");
    let log = proxy.log();
    let (first, stopping) = (log.events("server_started")[0].clone(), log.events("server_stopping")[0].clone());
    assert_eq!(heir.record.number("predecessor"), first.number("pid"));
    assert_eq!(heir.record.get("listen"), first.get("listen"));
    assert_eq!((stopping.text("reason"), stopping.number("successor")), ("handover", heir.pid));
    heir.signal("TERM");
    proxy.wait();
}

#[test]
fn handovers_under_load_fail_no_request() {
    let upstream = Upstream::ok();
    // Who reads the log here is slow.
    let stdout = "[[log.output]]\ntype = \"stdout\"\nwhen_full = \"block\"\nblock_at_most = \"20s\"\n";
    let proxy = Setup::before(&upstream).routes(stdout).start();
    let (over, addr) = (AtomicBool::new(false), proxy.addr());
    let load = |index: usize| {
        let (mut client, mut count) = (Client::connect(addr), 0);
        while !over.load(Ordering::Relaxed) {
            let answer = client.exchange(request("GET", "/", &format!("r-{index}-{count}"), "", "")).ok();
            // Half of them begin anew each time.
            if index.is_multiple_of(2) || answer.header("connection") == Some("close") {
                client = Client::connect(addr);
            }
            count += 1;
        }
        count
    };
    let (counts, heir) = std::thread::scope(|scope| {
        let load = scope.spawn(|| in_parallel(PARALLEL, load));
        let handovers = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut heir = hand_over(&proxy);
            for _ in 1..3 {
                let before = proxy.log();
                heir.signal("USR2");
                heir = taken_over(&proxy, &before);
            }
            heir
        }));
        over.store(true, Ordering::Relaxed);
        (load.join().unwrap(), handovers.unwrap())
    });
    heir.signal("TERM");
    let log = proxy.wait();
    assert_eq!(log.count("request_completed"), counts.iter().sum::<usize>());
    assert!(log.events("request_completed").iter().all(|record| record.text("outcome") == "success"));
}

#[test]
fn an_idle_connection_ends_with_an_answer_that_says_so() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    let mut client = Client::connect(proxy.addr());
    client.exchange(request("GET", "/", "idle-1", "", "")).ok();
    let heir = hand_over(&proxy);
    // The old process hears of it a moment after the new one has said that it serves.
    let mut is_last =
        |id: &String| client.exchange(request("GET", "/", id, "", "")).ok().header("connection") == Some("close");
    let last = (0..10_000).map(|index| format!("last-{index}")).find(&mut is_last).expect("an answer that says so");
    assert_ne!(proxy.completed(&last).text("instance"), heir.record.text("instance"), "the old one has answered");
    heir.signal("TERM");
    proxy.wait();
}

#[test]
fn a_configuration_that_is_refused_leaves_the_old_process_serving() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let path = setup.dir().join("gatelog.toml");
    let proxy = setup.start();
    replace(&path, "workers = 2", "workers = \"many\"");
    proxy.signal("USR2");
    let is_refusal = |record: &&Record| record.text("message").starts_with("the sockets are not handed over");
    let log = proxy.wait_for("a refusal", |log| log.0.iter().any(|record| is_refusal(&record)));
    let told = log.0.iter().find(is_refusal).unwrap();
    assert!(told.text("level") == "ERROR" && told.text("error").contains("exit status: 2"), "{told:?}");
    get(proxy.addr(), "/", "still").ok();
    proxy.stop();
}

#[test]
fn all_kinds_of_sockets_go_over_whatever_the_number_of_threads() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream).admin();
    let (unix, path) = (setup.dir().join("gatelog.sock"), setup.dir().join("gatelog.toml"));
    let proxy = setup.listen(&format!("address = \"unix:{}\"", unix.display())).start();
    let mut heir = latest(&proxy.log());
    for (round, workers) in [1, 3].into_iter().enumerate() {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("workers = {workers}\n{}", text.split_once('\n').unwrap().1)).unwrap();
        let before = proxy.log();
        heir.signal("USR2");
        let next = taken_over(&proxy, &before);
        assert_eq!(next.record.get("listen"), heir.record.get("listen"));
        assert_eq!((next.record.text("admin"), next.record.number("workers")), (heir.record.text("admin"), workers));
        heir = next;
        in_parallel(2 * PARALLEL, |index| get(proxy.addr(), "/", &format!("tcp-{round}-{index}")).ok());
        Client::connect_unix(&unix).exchange(request("GET", "/", &format!("unix-{round}"), "", "")).ok();
    }
    heir.signal("TERM");
    proxy.wait_keeping(|| assert!(!unix.exists(), "the last one takes its file away"));
}

#[test]
fn what_lies_under_the_programs_name_is_started_and_ended_with_the_attempt() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let (program, next, pid) = (setup.dir().join("program"), setup.dir().join("next"), setup.dir().join("pid"));
    symlink(env!("CARGO_BIN_EXE_gatelog"), &program).unwrap();
    let proxy = setup.binary(program.clone()).start();
    let pid_text = pid.display();
    let hanging = format!("#!/bin/sh\necho $$ >{pid_text}.new; mv {pid_text}.new {pid_text}; exec sleep 600\n");
    std::fs::write(&next, hanging).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(next, program).unwrap();
    proxy.signal("USR2");
    until("the new version", || pid.exists());
    let heir: u64 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    proxy.signal("USR2");
    proxy.wait_for("another request for it", |log| {
        log.0.iter().any(|record| record.text("message").contains("being handed over already"))
    });
    get(proxy.addr(), "/", "meanwhile").ok();
    proxy.signal("TERM");
    proxy.wait();
    assert!(!Path::new(&format!("/proc/{heir}")).exists(), "what had not taken over still runs");
}
