//! Random filters over random records: a store, however its segments lie, log files, plain and compressed, and the newest
//! records in memory give the rows of a naive look, in its order, with its totals, page by page.
//!
//! `GATELOG_CASES` says how many questions are asked; each goes to every place.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use gatelog::filter::Expression;
use gatelog::search::files::LogFiles;
use gatelog::store::recent::{Limits, Recent};
use gatelog::store::{Question, Reader, Records, Settings, Writer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::naive::{Naive, Record, everything};
use crate::questions::question;
use crate::records::{IDS, NOW, lines};

/// Questions to each set of records.
const BATCH: usize = 50;

/// What happens between two pieces of the lines.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Go,
    Commit,
    Roll,
    Seal,
    Reopen,
}

/// Where to cut, and what to do there.
fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop::sample::select(vec![Step::Go, Step::Commit, Step::Roll, Step::Seal, Step::Reopen]);
    prop_oneof![1 => Just(Vec::new()), 4 => vec((1usize..60, step), 1..6)]
}

fn small(path: &Path) -> Settings {
    Settings { batch_lines: 50, seal_lines: 90, age: None, size: None, ..Settings::new(path) }
}

/// A store that took these lines in steps.
fn store(folder: &Path, lines: &[String], steps: &[(usize, Step)]) -> Writer {
    let mut writer = Writer::open(small(folder)).unwrap();
    let mut rest = lines;
    for (length, step) in steps.iter().chain([&(usize::MAX, Step::Commit)]) {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        rest = behind;
        let written = writer.ingest(piece.join("\n").as_bytes(), NOW).unwrap();
        assert_eq!(written.lost, 0);
        match step {
            Step::Go => {}
            Step::Commit => drop(writer.commit().unwrap()),
            Step::Roll => drop(writer.roll(NOW).unwrap()),
            Step::Seal => {
                writer.roll(NOW).unwrap();
                writer.take_care(NOW).unwrap();
            }
            Step::Reopen => {
                writer.commit().unwrap();
                drop(writer);
                writer = Writer::open(small(folder)).unwrap();
            }
        }
    }
    writer
}

/// The lines that may stand in a log of a proxy: there is much else in files, so that there a record must say what it is.
fn of_a_log(lines: &[String]) -> Vec<String> {
    let says_what_it_is = |line: &&String| {
        Record::read(line).is_some_and(|record| record.map.get("event").is_some_and(|event| event.is_string()))
    };
    lines.iter().filter(says_what_it_is).cloned().collect()
}

/// The same lines as logs of a proxy: three, one after the other, plain, gzip and zstd, in blocks of some lines that two
/// threads look through.
fn log_files(folder: &Path, lines: &[String]) -> LogFiles {
    let third = lines.len().div_ceil(3).max(1);
    let mut paths = Vec::new();
    for (number, some) in lines.chunks(third).enumerate() {
        let text: String = some.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let (name, bytes) = match number {
            0 => ("app.log.1", text.into_bytes()),
            1 => ("app.log.2.gz", gzip(text.as_bytes())),
            _ => ("app.log.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        };
        paths.push(folder.join(name));
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    LogFiles::open(&paths).unwrap().paced(2, 700)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The lines in memory, as the store's thread hands them on.
fn recent(naive: &Naive) -> Arc<Recent> {
    let recent = Recent::new(Limits::default());
    for record in naive.records() {
        recent.keep(format!("{}\n", record.text).as_bytes(), 1);
    }
    recent
}

/// Asks one place everything, and one request's story.
fn ask(place: &dyn Records, name: &str, naive: &Naive, questions: &[Question]) -> Result<(), TestCaseError> {
    for question in questions.iter().chain([&everything()]) {
        let page = place.search(question, &|| false).unwrap();
        prop_assert_eq!(&page.troubles, &Vec::<String>::new());
        naive.judge(question, &page).map_err(|why| TestCaseError::fail(format!("{name}: {why}")))?;
    }
    for id in IDS {
        let page = place.request(id, 7, &|| false).unwrap();
        let filter = Expression::parse(&format!("request_id=\"{id}\"")).unwrap();
        let question = Question { filter, limit: 7, ..everything() };
        let story = naive.answer(&question);
        prop_assert_eq!(page.lines.len(), story.len().min(7), "{} of {}", name, id);
        prop_assert!(page.lines.iter().zip(story).all(|(line, record)| line.at == record.at), "{} of {}", name, id);
    }
    Ok(())
}

#[test]
fn every_place_gives_the_rows_of_a_naive_look() {
    let cases = std::env::var("GATELOG_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000_usize);
    let config = Config {
        cases: cases.div_ceil(BATCH) as u32,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let parts = (lines(160), steps(), vec(question(), BATCH));
    let telling = AtomicUsize::new(0);
    let outcome = TestRunner::new(config).run(&parts, |(lines, steps, questions)| {
        let folder = tempfile::tempdir().unwrap();
        let naive = Naive::of(&lines);
        telling.fetch_add(questions.iter().filter(|question| tells(&naive, question)).count(), Ordering::Relaxed);
        let mut writer = store(folder.path(), &lines, &steps);
        let reader = Reader::new(folder.path());
        ask(&reader, "store", &naive, &questions)?;
        writer.roll(NOW).unwrap();
        writer.take_care(NOW).unwrap();
        drop(writer);
        ask(&reader, "sealed store", &naive, &questions)?;
        ask(&*recent(&naive), "memory", &naive, &questions)?;
        let (logs, lines) = (tempfile::tempdir().unwrap(), of_a_log(&lines));
        ask(&log_files(logs.path(), &lines), "log files", &Naive::of(&lines), &questions)?;
        Ok(())
    });
    outcome.unwrap();
    let telling = telling.into_inner();
    assert!(telling * 4 > cases, "only {telling} of {cases} questions mean some records and not all");
}

fn tells(naive: &Naive, question: &Question) -> bool {
    (1..naive.records().len()).contains(&naive.answer(question).len())
}
