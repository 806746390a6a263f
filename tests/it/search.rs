//! `gatelog search` and `gatelog tail`: on the log of a real proxy, in a pipe.

use std::process::{Command, Output};

use crate::support::{Setup, Upstream, get};

fn gatelog(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatelog")).args(arguments).output().unwrap()
}

/// A real log of a few requests, and the path that it is under.
fn log() -> (tempfile::TempDir, String) {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    for index in 0..5 {
        let id = format!("search-{index}");
        get(proxy.addr(), "/", &id).ok();
        proxy.completed(&id);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.jsonl");
    std::fs::write(&path, proxy.stop_raw()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn records_come_in_a_pipe_as_they_were_written_newest_first() {
    let (_directory, path) = log();
    let output = gatelog(&["search", "event:request_completed", "--file", &path, "--limit", "2", "--page", "2"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = std::fs::read_to_string(&path).unwrap();
    let mut expected: Vec<&str> = log.lines().filter(|line| line.contains("\"request_completed\"")).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(text(&output).lines().collect::<Vec<_>>(), expected[2..4]);
}

#[test]
fn one_request_is_told_as_a_story_and_a_page_as_a_table() {
    let (_directory, path) = log();
    let story = gatelog(&["search", "--request-id", "search-3", "--file", &path, "--format", "table"]);
    assert!(text(&story).contains("request_started") && text(&story).contains("request search-3"), "{story:?}");
    let table = gatelog(&["search", "event:request_completed", "--file", &path, "--format", "table", "--utc"]);
    assert!(text(&table).starts_with("TIME") && text(&table).contains("5 records, page 1"), "{table:?}");
}

#[test]
fn a_wrong_filter_is_shown_with_its_place_and_a_hint() {
    let output = gatelog(&["search", "status>=500 rout:x", "--file", "-"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("\n  status>=500 rout:x\n              ^^^^") && said.contains("hint: did you mean"),
        "{said}"
    );
    for wrong in [&["search", "--since", "soon", "--file", "-"][..], &["search"], &["tail"]] {
        assert_eq!(gatelog(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_missing_log_is_said() {
    let output = gatelog(&["search", "--file", "no-such-file.jsonl"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-file.jsonl"), "{output:?}");
}

#[test]
fn the_last_records_are_shown_in_the_order_of_the_log() {
    let (_directory, path) = log();
    let output = gatelog(&["tail", "event:request_completed", "--file", &path, "-n", "2"]);
    let log = std::fs::read_to_string(&path).unwrap();
    let expected: Vec<&str> = log.lines().filter(|line| line.contains("\"request_completed\"")).collect();
    assert_eq!(text(&output).lines().collect::<Vec<_>>(), expected[3..]);
}
