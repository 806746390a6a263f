//! `gatelog search` and `gatelog stats`: on log files and stores, in a pipe and in a terminal, to the end and interrupted.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::command::{InTerminal, Kept, LOG, Started, command, gatelog, said};
use crate::support::{Setup, Upstream, get};

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
    for wrong in [
        &["search", "--since", "soon", "--file", "-"][..],
        &["search", "--file", "-", "--store", "data"],
        &["stats", "--since", "1h", "--until", "2h"],
        &["tail", "rout:x"],
        &["tail", "--store", "data", "--follow"],
        &["top", "--every", "1ms"],
        // What looks like an option is no filter.
        &["search", "--detial"],
    ] {
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
fn where_nothing_says_where_to_look_it_is_said_what_to_name() {
    let empty = tempfile::tempdir().unwrap();
    for asked in ["search", "stats"] {
        let output = command(&[asked]).current_dir(empty.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--store DIR") && said.contains("--file LOG"), "{said}");
    }
    std::fs::write(
        empty.path().join("gatelog.toml"),
        "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n",
    )
    .unwrap();
    let output = command(&["search"]).current_dir(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("gatelog.toml has no [store]"), "{output:?}");
    let output = gatelog(&["search", "--store", "no-such-store"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// Whatever is asked, and however it is shown.
#[test]
fn a_store_answers_as_its_log_does() {
    let kept = Kept::new().stored();
    for asked in [
        &["search"][..],
        &["search", "status>=500"],
        &["search", "-request_id:r2"],
        &["search", "--oldest", "--limit", "2", "--page", "2"],
        &["search", "--since", "2026-11-22T11:02:37Z", "--until", "2026-11-22T11:02:38Z"],
        &["search", "--format", "table"],
        &["search", "--format", "logfmt", "order_failed"],
        &["search", "--detail", "--format", "table", "request_id:r2"],
        &["search", "--request-id", "r2"],
        &["search", "--request-id", "r2", "--format", "table"],
        &["search", "--request-id", "none", "--format", "table"],
    ] {
        let of = |place: &[&str]| said(&[asked, place].concat());
        assert_eq!(of(&["--store", &kept.store()]), of(&["--file", &kept.log()]), "{asked:?}");
    }
}

#[test]
fn the_store_of_a_configuration_is_found_from_anywhere() {
    let kept = Kept::new().stored();
    let config = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n[store]\npath = \"data\"\n";
    std::fs::write(kept.path("gatelog.toml"), config).unwrap();
    let path = kept.path("gatelog.toml");
    assert_eq!(said(&["search", "request_id:r3", "--config", path.to_str().unwrap()]), format!("{}\n", LOG[5]));
    let here = command(&["search", "request_id:r3"]).current_dir(path.parent().unwrap()).output().unwrap();
    assert_eq!(here.stdout, format!("{}\n", LOG[5]).into_bytes(), "{here:?}");
}

#[test]
fn what_is_shown_as_json_is_what_was_written() {
    let kept = Kept::new().stored();
    let all: String = LOG.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(said(&["search", "--oldest", "--store", &kept.store()]), all);
    assert_eq!(said(&["search", "--oldest", "--file", &kept.log()]), all);
    let again = Kept::of(all.trim_end());
    assert_eq!(said(&["search", "--oldest", "--file", &again.log()]), all);
}

#[test]
fn a_page_is_a_table_and_a_request_a_waterfall() {
    let kept = Kept::new().stored();
    let table = said(&["search", "--store", &kept.store(), "--format", "table", "--utc", "--limit", "3"]);
    assert_eq!(
        format!("\n{table}"),
        "
TIME          LEVEL  EVENT         STATUS  DURATION  ROUTE     CLIENT       WHAT
12:30:00.000  INFO   started                         home                   GET /
11:02:38.000  INFO   order_failed                                           order=7
11:02:37.000  ERROR  completed        502    1.50 s  checkout  203.0.113.8  POST /checkout/  upstream_refused  connection_refused: 127.0.0.1:8000 refused
6 records, page 1 of 3 each, times UTC
"
    );
    let story = said(&["search", "--store", &kept.store(), "--format", "table", "--utc", "--request-id", "r1"]);
    assert_eq!(
        format!("\n{story}"),
        "
GET shop.example/posts/7/ → 200  success  53.2 ms
2026-11-22 11:02:36.000 UTC · request r1 · route post-detail · client 203.0.113.7

  queue    ▏                                                                50 µs
  wait     ███████████████████████████████████████████████████████████    53.0 ms
  receive                                                             █    160 µs

     +0 µs  INFO  request_started
  +53.2 ms  INFO  request_completed  200
"
    );
}

#[test]
fn a_terminal_has_a_table_in_its_colours_as_wide_as_it_is() {
    let kept = Kept::new();
    let (code, shown) = InTerminal::start(&["search", "--file", &kept.log()], "true").ended();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\x1b[2mTIME\x1b[0m") && shown.contains("\x1b[31mERROR\x1b[0m"), "{shown:?}");
    assert!(!shown.contains("127.0.0.1:8000 refused"), "cut at 100 columns: {shown:?}");
    let (_, plain) = InTerminal::start(&["search", "--file", &kept.log(), "--format", "json"], "true").ended();
    assert_eq!(plain.replace('\r', "").lines().filter(|line| line.starts_with('{')).count(), LOG.len());
}

/// A pipe that nobody fills up is a scan that never ends.
#[test]
fn a_long_scan_shows_how_far_it_is_and_ctrl_c_leaves_it() {
    let kept = Kept::new();
    let pipe = kept.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut terminal = InTerminal::start(&["search", "--file", pipe.to_str().unwrap()], "echo left");
    let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    writer.write_all(format!("{}\n", LOG[0]).as_bytes()).unwrap();
    // The first stops the scan at its next block, which does not come; the second does not wait for it.
    terminal.until(" MB").press("\x03").until("once more").press("\x03").until("left\r\n");
    let (code, shown) = terminal.ended();
    assert_eq!(code, Some(130), "{shown:?}");
}

#[test]
fn what_was_found_until_ctrl_c_is_shown_in_whole_lines() {
    let mut asked = command(&["search", "--file", "-", "--limit", "1000000"]);
    asked.stdin(Stdio::piped());
    let mut search = Started::new(asked);
    let mut stdin = search.stdin();
    // More than a pipe holds: once it is written, it is being read, and Ctrl-C is noticed.
    let lines = format!("{}\n", LOG[1]).repeat(4_000);
    stdin.write_all(lines.as_bytes()).unwrap();
    search.interrupt();
    // The block that is read now is the last one; whether the other end is still there is the writer's to find out.
    let _ = stdin.write_all(lines.as_bytes());
    drop(stdin);
    let (code, found, errors) = search.ended();
    assert_eq!(code, Some(130), "{errors:?}");
    assert!(found.iter().all(|line| line == LOG[1]));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let kept = Kept::of(&[LOG[1]; 2_000].join("\n")).stored();
    for asked in [
        &["search", "--limit", "2000", "--file", &kept.log()][..],
        &["search", "--limit", "2000", "--store", &kept.store()],
        &["store", "export", "--store", &kept.store()],
    ] {
        let mut child = command(asked).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{asked:?} {output:?}");
    }
}

#[test]
fn statistics_are_the_same_of_a_store_and_of_its_log() {
    let kept = Kept::new().stored();
    let since = ["--since", "2026-11-22T11:00:00Z", "--until", "2026-11-22T13:00:00Z"];
    for asked in [&["stats"][..], &["stats", "status>=500"], &["stats", "--format", "table"]] {
        let of = |place: &[&str]| said(&[asked, &since, place].concat());
        assert_eq!(of(&["--store", &kept.store()]), of(&["--file", &kept.log()]), "{asked:?}");
    }
    let told: Value = serde_json::from_str(&said(&["stats", "--file", &kept.log()])).unwrap();
    assert_eq!(
        (&told["total_records"], &told["total_requests"], &told["total_errors"]),
        (&6.into(), &2.into(), &1.into())
    );
    assert_eq!(told["by_status_class"]["5xx"], 1);
    assert_eq!(told["by_outcome"]["upstream_refused"], 1);
    assert_eq!(told["max_response_time"], 1.5001);
    assert_eq!(
        (&told["since"], &told["by_hour"]["2026-11-22T12:00:00Z"]),
        (&"2026-11-22T11:00:00.000000Z".into(), &1.into())
    );
    assert_eq!(told["error_timeline"][0]["request_id"], "r2");
    let filtered: Value = serde_json::from_str(&said(&["stats", "route:checkout", "--file", &kept.log()])).unwrap();
    assert_eq!((&filtered["total_records"], &filtered["total_requests"]), (&2.into(), &1.into()));
}

#[test]
fn statistics_are_tables_for_people() {
    let kept = Kept::new();
    let shown = said(&["stats", "--file", &kept.log(), "--format", "table"]);
    assert_eq!(
        format!("\n{shown}"),
        "
2026-11-22 11:00:00 to 2026-11-22 13:00:00 UTC
  requests  records  errors     5xx  slow  received   sent
         2        6       1  50.0 %     1      20 B  512 B

By hour
  hour              records  errors
  2026-11-22 11:00        5       1  ██████████████████████████████
  2026-11-22 12:00        1       0  ██████

Routes
  route        requests    share  4xx  5xx      avg      p50      p95      p99      max
  checkout            1   50.0 %    0    1   1.50 s   1.50 s   1.50 s   1.50 s   1.50 s
  post-detail         1   50.0 %    0    0  53.2 ms  53.2 ms  53.2 ms  53.2 ms  53.2 ms
  all                 2  100.0 %    0    1   777 ms  53.2 ms   1.50 s   1.50 s   1.50 s

Statuses
  status  count   share
  200         1  50.0 %  ██████████████████████████████
  502         1  50.0 %  ██████████████████████████████

Outcomes
  outcome           count   share
  success               1  50.0 %  ██████████████████████████████
  upstream_refused      1  50.0 %  ██████████████████████████████

Levels
  level     count   share
  INFO          4  66.7 %  ██████████████████████████████
  ERROR         1  16.7 %  ███████▌
  CRITICAL      1  16.7 %  ███████▌

Loggers
  logger            count   share
  gatelog.request       5  83.3 %  ██████████████████████████████
  gatelog.business      1  16.7 %  ██████

Errors
  kind                count    share
  connection_refused      1  100.0 %  ██████████████████████████████

Newest errors
  time                 duration  status  what             message
  2026-11-22 11:02:37    1.50 s     502  POST /checkout/  127.0.0.1:8000 refused

Slowest requests
  time                 duration  status  what             request
  2026-11-22 11:02:37    1.50 s     502  POST /checkout/  r2
  2026-11-22 11:02:36   53.2 ms     200  GET /posts/7/    r1
"
    );
}

#[test]
fn what_could_not_be_read_is_told_beside_the_answer() {
    let kept = Kept::of(&format!("{}\nnonsense\n{}", LOG[1], LOG[3]));
    for asked in [&["search", "--file", &kept.log()][..], &["stats", "--file", &kept.log()]] {
        let output = gatelog(asked);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("log.jsonl:2: no JSON object"), "{errors}");
    }
}
