//! Files of stores as each version of the format has left them, in `tests/formats/`: they open, answer, are clean, and are
//! gone on with. A change that they cannot be read after needs a new version, and a way to read the old one.
//!
//! `GATELOG_WRITE_FORMAT=FOLDER cargo test --test formats` leaves the files that this version writes there.

#![allow(clippy::unwrap_used, reason = "a test without its files has nothing to say")]
#![allow(clippy::disallowed_methods, reason = "it copies the files")]

use std::path::{Path, PathBuf};

use gatelog::filter::Expression;
use gatelog::record::timestamp;
use gatelog::store::care::{Fault, check};
use gatelog::store::rollup::{MINUTE, Range};
use gatelog::store::{Order, Question, Reader, Records, Settings, Summaries, Total, Writer};

/// 2026-11-22T11:02:36Z.
const NOW: u64 = 1_795_345_356_000_000;

/// Two lines of a request, with a value of each kind that has a form of its own.
fn request(number: u64) -> String {
    let at = NOW + number * 1_000_000;
    let status = [200, 302, 404, 503][number as usize % 4];
    let level = ["INFO", "INFO", "WARNING", "ERROR"][number as usize % 4];
    let head = |at: u64, level: &str, event: &str, message: &str| {
        format!(
            "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"event\":\"{event}\",\"message\":\"{message}\",\
             \"logger\":\"gatelog.request\",\"schema\":1,\"seq\":{},\"instance\":\"a1b2\",\
             \"request_id\":\"01997f3e-0001-7000-8000-{number:012x}\",\"trace_id\":\"4bf92f3577b34da6a3ce929d{number:08x}\",\
             \"method\":\"GET\",\"path\":\"/posts/{number}/\",\"view_name\":\"post-detail\",\"view_args\":[{number},\"é\"],\
             \"view_kwargs\":{{\"pk\":{number}}},\"user_id\":\"u{}\",\"user_agent\":\"curl/8.14.1\"",
            timestamp(at),
            number * 2,
            number % 5,
        )
    };
    let started = head(at, "INFO", "request_started", "Request started") + ",\"in_flight\":true}\n";
    let completed = head(at + 53_210, level, "request_completed", "Request completed")
        + &format!(
            ",\"status_code\":{status},\"response_size\":512,\"duration\":0.053210,\"timing\":{{\"wait\":0.052000}},\
             \"outcome\":\"success\",\"grpc_status\":null,\"exception_message\":\"row {number} \\\"is\\\" locked\",\"slow\":false,\
             \"ratio\":1.5e3}}\n"
        );
    started + &completed
}

fn lines() -> Vec<String> {
    (0..40).flat_map(|number| request(number).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A sealed segment, a hot one, and the statistics of both.
fn write(folder: &Path) {
    let mut writer = Writer::open(Settings { age: None, ..Settings::new(folder) }).unwrap();
    let (sealed, hot) = (0..20, 20..40);
    writer.ingest(sealed.map(request).collect::<String>().as_bytes(), NOW).unwrap();
    writer.roll(NOW).unwrap();
    writer.take_care(NOW).unwrap();
    writer.ingest(hot.map(request).collect::<String>().as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
}

/// The folders of `tests/formats/`: one for each version.
fn versions() -> Vec<PathBuf> {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    std::fs::read_dir(formats).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn copy(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn found(folder: &Path, filter: &str) -> Vec<String> {
    let filter = Expression::parse(filter).unwrap();
    let question =
        Question { filter, since: None, until: None, order: Order::Oldest, skip: 0, limit: 1000, count_to: 1000 };
    let page = Reader::new(folder).search(&question, &|| false).unwrap();
    assert_eq!((page.troubles.as_slice(), page.total), (&[][..], Total::Exact(page.lines.len() as u64)));
    page.lines.iter().map(|line| line.json.to_string()).collect()
}

fn requests(folder: &Path) -> u64 {
    let range = Range { since: NOW - MINUTE, until: NOW + 5 * MINUTE };
    let statistics = Reader::new(folder).statistics(range, &Expression::parse("").unwrap(), &|| false).unwrap();
    assert!(statistics.troubles().is_empty());
    statistics.total().requests.count()
}

fn answers(folder: &Path) {
    assert_eq!(found(folder, ""), lines());
    let expected =
        |matches: &dyn Fn(&str) -> bool| -> Vec<String> { lines().into_iter().filter(|line| matches(line)).collect() };
    for (filter, matches) in [
        ("user:u3", &(|line: &str| line.contains("\"user_id\":\"u3\"")) as &dyn Fn(&str) -> bool),
        ("status>=500", &|line| line.contains("\"status_code\":503")),
        ("/posts/1", &|line| line.contains("/posts/1")),
        ("\"is\\\" locked\"", &|line| line.contains("locked")),
        ("request_id:01997f3e-0001-7000-8000-000000000019", &|line| line.contains("000000000019\"")),
        ("duration>50ms", &|line| line.contains("duration")),
    ] {
        assert_eq!(found(folder, filter), expected(matches), "{filter}");
    }
    assert_eq!(requests(folder), 40);
    let findings = check(folder, &|| false).unwrap();
    assert_eq!((findings.records, findings.segments, findings.problems.as_slice()), (80, 2, &[][..]));
}

#[test]
fn files_of_every_version_answer_and_are_gone_on_with() {
    assert!(!versions().is_empty());
    for version in versions() {
        let folder = copy(&version);
        answers(folder.path());
        let mut writer = Writer::open(Settings { age: None, ..Settings::new(folder.path()) }).unwrap();
        writer.ingest(request(40).as_bytes(), NOW).unwrap();
        writer.roll(NOW).unwrap();
        writer.take_care(NOW).unwrap();
        assert_eq!(writer.troubles(), Vec::<String>::new());
        assert_eq!((found(folder.path(), "").len(), requests(folder.path())), (82, 41));
    }
}

#[test]
fn what_is_written_now_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    answers(folder.path());
    if let Some(target) = std::env::var_os("GATELOG_WRITE_FORMAT").map(PathBuf::from) {
        std::fs::create_dir_all(&target).unwrap();
        for name in ["00000001.segment", "00000002.hot", "rollup.db"] {
            std::fs::copy(folder.path().join(name), target.join(name)).unwrap();
        }
    }
}

#[test]
fn files_of_a_version_to_come_are_refused_by_name() {
    for name in ["00000001.segment", "00000002.hot", "rollup.db"] {
        let folder = copy(&versions()[0]);
        let file = rusqlite::Connection::open(folder.path().join(name)).unwrap();
        file.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(file);
        let findings = check(folder.path(), &|| false).unwrap();
        let told: Vec<_> = findings.problems.iter().map(|problem| (problem.file.as_str(), problem.fault)).collect();
        assert_eq!(told, [(name, Fault::Newer)]);
        assert!(findings.problems[0].why.contains("99"), "{:?}", findings.problems);
    }
}

#[test]
fn a_flipped_bit_is_found() {
    let folder = copy(&versions()[0]);
    let path = folder.path().join("00000001.segment");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|part| part == b"/posts/7/").unwrap();
    bytes[at + 7] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let findings = check(folder.path(), &|| false).unwrap();
    assert!(findings.problems.iter().any(|problem| problem.fault == Fault::Damaged), "{findings:?}");
}
