//! `gatelog verify`: clean on a log as it was written, not on one that was tampered with.

use std::process::{Command, Output};

use crate::support::{Setup, Upstream, get};

fn verify(lines: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
    std::fs::write(&path, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_gatelog")).arg("verify").arg(path).output().unwrap()
}

/// A real log of a few requests.
fn log() -> String {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).start();
    for index in 0..5 {
        let id = format!("verify-{index}");
        get(proxy.addr(), "/", &id).ok();
        proxy.completed(&id);
    }
    proxy.stop_raw()
}

#[test]
fn a_whole_log_is_clean() {
    let log = log();
    let output = verify(&log.lines().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_log_without_any_one_line_is_not_clean() {
    let log = log();
    let all: Vec<_> = log.lines().collect();
    // Without its first or last line a log may have been rotated: inside, nothing can be missing unnoticed.
    for missing in 1..all.len() - 1 {
        let mut lines = all.clone();
        let line = lines.remove(missing);
        let output = verify(&lines);
        assert_eq!(output.status.code(), Some(1), "not missed: {line}\n{output:?}");
    }
}

#[test]
fn a_log_with_a_line_twice_is_not_clean() {
    let log = log();
    let mut lines: Vec<_> = log.lines().collect();
    lines.insert(2, lines[2]);
    assert_eq!(verify(&lines).status.code(), Some(1));
}

#[test]
fn a_log_with_a_broken_line_is_not_clean() {
    let log = log();
    let mut lines: Vec<_> = log.lines().collect();
    lines[2] = &lines[2][..lines[2].len() / 2];
    assert_eq!(verify(&lines).status.code(), Some(1));
}

#[test]
fn a_log_with_a_completed_record_of_another_request_is_not_clean() {
    let log = log();
    let changed: Vec<_> =
        log.lines()
            .map(|line| {
                if line.contains("request_completed") { line.replace("verify-3", "verify-2") } else { line.to_owned() }
            })
            .collect();
    assert_eq!(verify(&changed.iter().map(String::as_str).collect::<Vec<_>>()).status.code(), Some(1));
}

#[test]
fn a_missing_file_is_said() {
    let output = Command::new(env!("CARGO_BIN_EXE_gatelog")).args(["verify", "no-such-file.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-file.jsonl"), "{output:?}");
}
