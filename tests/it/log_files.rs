//! Log files of the real process: rotated under load, moved by others, torn by `kill -9`, on a disk that is full.

use std::path::{Path, PathBuf};

use crate::support::{
    Client, PARALLEL, Setup, SmallDisk, TestProxy, Upstream, get, in_parallel, request, until, verified,
};

/// A proxy whose log goes to stdout and, with these keys more, to a file.
fn proxy(upstream: &Upstream, path: &Path, keys: &str) -> TestProxy {
    let file = format!("[[log.output]]\ntype = \"file\"\npath = {path:?}\n{keys}");
    Setup::before(upstream).set("log", &format!("[[log.output]]\ntype = \"stdout\"\n{file}")).start()
}

fn load(proxy: &TestProxy, name: &str, each: usize) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(proxy.addr());
        for at in 0..each {
            client.exchange(request("GET", "/", &format!("{name}-{index}-{at}"), "", "")).ok();
        }
    });
}

/// Closed files in their order, then the open one.
fn files(path: &Path) -> Vec<PathBuf> {
    let base = path.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let of_log = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(&format!("{base}-"));
    let mut files: Vec<PathBuf> = entries.filter(of_log).collect();
    files.sort();
    files.push(path.to_owned());
    files
}

#[test]
fn a_thousand_rotations_under_load_lose_tear_and_double_nothing() {
    let upstream = Upstream::ok();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.jsonl");
    let proxy = proxy(&upstream, &path, "rotate = { size = \"4KB\", keep = 10000 }");
    load(&proxy, "r", 500);
    let stdout = proxy.stop();
    let files = files(&path);
    assert!(files.len() > 1000, "only {} files", files.len());
    let said = verified(&files, &[]);
    assert!(
        said.starts_with(&format!("{} records of 1 instances, {} requests", stdout.0.len(), 500 * PARALLEL)),
        "{said}"
    );
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.len() <= 4096 && (text.is_empty() || text.ends_with('\n')), "{}", file.display());
    }
}

#[test]
fn closed_files_are_compressed_under_load_and_only_so_many_stay() {
    let upstream = Upstream::ok();
    let dir = tempfile::tempdir().unwrap();
    for (compression, ending) in [("gzip", "gz"), ("zstd", "zst")] {
        let path = dir.path().join(format!("{compression}.jsonl"));
        let keys = format!("rotate = {{ size = \"64KB\", keep = 5, compress = \"{compression}\" }}");
        let proxy = proxy(&upstream, &path, &keys);
        load(&proxy, compression, 100);
        let compressed = |file: &PathBuf| file.extension().is_some_and(|extension| extension == ending);
        until("compression", || files(&path).iter().filter(|file| !compressed(file)).count() == 1);
        proxy.stop();
        let files = files(&path);
        assert_eq!(files.len(), 6, "{files:?}");
        // The last lines may have closed further files, whose compression the end has then broken off.
        let whole = |file: &PathBuf| compressed(file) || file.to_string_lossy().ends_with('Z');
        assert!(files[..5].iter().all(whole), "{files:?}");
        let said = verified(&files[1..], &["--partial", "--open-ok"]);
        assert!(!said.contains("lost"), "{said}");
    }
}

#[test]
fn a_file_that_others_moved_is_left_at_the_signal_and_no_line_with_it() {
    let upstream = Upstream::ok();
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("all.jsonl"), dir.path().join("all.jsonl.1"));
    let proxy = proxy(&upstream, &path, "");
    load(&proxy, "before", 5);
    std::fs::rename(&path, &moved).unwrap();
    proxy.signal("USR1");
    until("the new file", || path.exists());
    load(&proxy, "after", 5);
    let stdout = proxy.stop();
    let said = verified(&[moved, path.clone()], &[]);
    assert!(said.starts_with(&format!("{} records", stdout.0.len())), "{said}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("after-0-4"));
}

#[test]
fn a_line_that_a_kill_left_torn_is_ended_and_what_follows_is_whole() {
    let upstream = Upstream::ok();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.jsonl");
    let killed = proxy(&upstream, &path, "");
    get(killed.addr(), "/", "first").ok();
    until("the record", || std::fs::read_to_string(&path).is_ok_and(|text| text.contains("request_completed")));
    killed.signal("KILL");
    drop(killed);
    // What a kill in the middle of a write leaves.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.trim_end().rfind("\"request_completed\"").unwrap() + 100]).unwrap();
    let second = proxy(&upstream, &path, "");
    get(second.addr(), "/", "second").ok();
    second.stop();
    let said = verified(std::slice::from_ref(&path), &["--open-ok"]);
    assert!(said.contains("1 lines torn"), "{said}");
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(record["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn a_full_disk_is_told_of_and_once_there_is_room_the_loss_is_in_the_log_and_no_line_is_torn() {
    // Without the right to mount, `/dev/full` in the test of several outputs has to do.
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let upstream = Upstream::ok();
    let ballast = disk.path().join("ballast");
    // Without it there is room for all lines: those that wait in the queue are written then.
    std::fs::write(&ballast, vec![0; (4 << 20) - (124 << 10)]).unwrap();
    let path = disk.path().join("all.jsonl");
    let proxy = proxy(&upstream, &path, "");
    load(&proxy, "full", 100);
    let log = proxy.wait_for("the failure", |log| log.0.iter().any(|record| !record.text("output").is_empty()));
    let failure = log.0.iter().find(|record| !record.text("output").is_empty()).unwrap();
    assert!(failure.text("message").contains("an output fails: cannot write"), "{failure:?}");
    std::fs::remove_file(&ballast).unwrap();
    load(&proxy, "room", 5);
    let recovered = "an output works again";
    proxy.wait_for("the recovery", |log| log.0.iter().any(|record| record.text("message").contains(recovered)));
    let stdout = proxy.stop();
    assert_eq!(stdout.count("log_loss"), 0, "stdout has lost nothing");
    let text = std::fs::read_to_string(&path).unwrap();
    let said = verified(std::slice::from_ref(&path), &["--open-ok"]);
    assert!(said.contains("records lost and told"), "{said}");
    assert!(text.contains("\"reason\":\"disk_full\"") && text.contains("room-0-4"));
}
