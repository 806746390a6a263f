//! Statistics of a store: what a naive count of all lines says, whoever asks, whatever was saved, lost or set aside.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::rollup::{FILE, MINUTE, Noted, Range};
use super::statistics::{Gather, Series, Spread, Statistics};
use super::tests::{NOW, cases, filter, lines, model, small};
use super::*;
use crate::filter::Expression;
use crate::record::timestamp;

type Model = Vec<(u64, Map<String, Json>)>;

fn whole() -> Range {
    Range { since: NOW - 10 * MINUTE, until: NOW + 10 * MINUTE }.widened(MINUTE)
}

fn told(statistics: &Statistics) -> String {
    serde_json::to_string(&(statistics.stats(), statistics.errors(), statistics.performance())).unwrap()
}

fn naive(model: &Model, range: Range, filter: &Expression) -> String {
    let mut statistics = Statistics::over(range);
    for (at, map) in model.iter().filter(|(_, map)| filter.matches(map)) {
        Noted::of_json(*at, map).iter().for_each(|noted| statistics.note(noted));
    }
    told(&statistics)
}

fn asked(reader: &Reader, range: Range, filter: &str) -> String {
    told(&reader.statistics(range, &Expression::parse(filter).unwrap(), &|| false).unwrap())
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Take(Vec<String>),
    Commit,
    Roll,
    Seal,
    Tick(u64),
    /// Killed: what is not committed is lost, and what is not saved too.
    Kill,
    /// Killed, and what was saved is lost as well.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => lines().prop_map(Step::Take),
        3 => Just(Step::Commit),
        1 => Just(Step::Roll),
        1 => Just(Step::Seal),
        2 => prop::sample::select(vec![1_000_u64, 70_000_000]).prop_map(Step::Tick),
        1 => Just(Step::Kill),
        1 => Just(Step::Forget),
    ]
}

/// A store, and the lines that it has acknowledged and that it has yet to.
struct Life {
    folder: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    acknowledged: Vec<String>,
    taken: Vec<String>,
    now: u64,
}

impl Life {
    fn new() -> Life {
        Life::in_folder(tempfile::tempdir().unwrap(), Vec::new(), NOW)
    }

    fn in_folder(folder: tempfile::TempDir, acknowledged: Vec<String>, now: u64) -> Life {
        let writer = Writer::open(small(folder.path())).unwrap();
        let reader = Reader::beside(&writer);
        Life { folder, writer, reader, acknowledged, taken: Vec::new(), now }
    }

    fn step(mut self, step: Step) -> Life {
        let before = self.writer.written().durable;
        match step {
            Step::Take(lines) => {
                self.writer.ingest(lines.join("\n").as_bytes(), self.now).unwrap();
                // What is refused is no record.
                self.taken.extend(lines.into_iter().filter(|line| model(std::slice::from_ref(line)).len() == 1));
            }
            Step::Commit => drop(self.writer.commit().unwrap()),
            Step::Roll => drop(self.writer.roll(self.now).unwrap()),
            Step::Seal => self.writer.take_care(self.now).unwrap(),
            Step::Tick(after) => {
                self.now += after;
                self.writer.tick(self.now).unwrap();
            }
            Step::Kill => return self.killed(|_| true),
            Step::Forget => return self.killed(|name| !name.starts_with(FILE)),
        }
        let durable = self.writer.written().durable - before;
        self.acknowledged.extend(self.taken.drain(..durable as usize));
        self
    }

    /// Goes on with a copy of the files as they are, without the rest of the process.
    fn killed(self, stays: impl Fn(&str) -> bool) -> Life {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.ends_with("-shm") && stays(&name) {
                std::fs::copy(self.folder.path().join(&name), copy.path().join(&name)).unwrap();
            }
        }
        Life::in_folder(copy, self.acknowledged, self.now)
    }
}

/// What is told of errors, and the slowest requests, without the routes.
fn overview(reader: &Reader, range: Range) -> Json {
    of_all(&reader.overview(range, &|| false).unwrap())
}

/// The same as statistics tell it, which have the routes, too.
fn beside_routes(reader: &Reader, range: Range) -> Json {
    of_all(&reader.statistics(range, &Expression::default(), &|| false).unwrap())
}

/// Routes and all records step by step, from what was counted.
fn in_steps(reader: &Reader, range: Range) -> Json {
    told_by(reader, range, &Expression::default())
}

/// The same from each record.
fn steps_of_each(reader: &Reader, range: Range) -> Json {
    // What is counted is counted by whole minutes.
    told_by(reader, range.widened(MINUTE), &Expression::parse("timestamp:*").unwrap())
}

fn told_by(reader: &Reader, range: Range, filter: &Expression) -> Json {
    let (mut spread, mut series) = (Spread::over(range, 20), Series::over(range, 50, None));
    reader.gather(&mut spread, filter, &|| false).unwrap();
    reader.gather(&mut series, filter, &|| false).unwrap();
    let points: Vec<_> =
        series.chart().points.into_iter().map(|point| (point.timestamp, point.records, point.heat)).collect();
    serde_json::json!([spread.routes().routes, points])
}

fn of_all(statistics: &Statistics) -> Json {
    let slowest = statistics.performance().slow_requests;
    serde_json::json!([statistics.errors(), slowest, statistics.stats().total_requests])
}

#[test]
fn statistics_say_what_a_look_at_all_lines_says() {
    let ranges = vec(
        (0u64..4, 0u64..4).prop_map(|(from, length)| {
            let since = (NOW / MINUTE + from) * MINUTE;
            Range { since, until: since + length * MINUTE }
        }),
        2,
    );
    cases(60)
        .run(&(vec(step(), 1..12), ranges, filter()), |(steps, ranges, filter)| {
            let mut life = Life::new();
            for step in steps {
                life = life.step(step);
                let model = model(&life.acknowledged);
                let outside = Reader::new(life.folder.path());
                for range in ranges.iter().copied().chain([whole()]) {
                    prop_assert_eq!(overview(&outside, range), beside_routes(&outside, range));
                    prop_assert_eq!(overview(&life.reader, range), beside_routes(&life.reader, range));
                    prop_assert_eq!(in_steps(&outside, range), in_steps(&life.reader, range));
                    prop_assert_eq!(&in_steps(&life.reader, range), &steps_of_each(&life.reader, range));
                    for filter in ["", &filter] {
                        let expected = naive(&model, range, &Expression::parse(filter).unwrap());
                        prop_assert_eq!(&asked(&outside, range, filter), &expected);
                        prop_assert_eq!(&asked(&life.reader, range, filter), &expected);
                    }
                }
            }
            prop_assert_eq!(life.writer.troubles(), Vec::<String>::new());
            Ok(())
        })
        .unwrap();
}

fn request(at: u64, path: &str) -> String {
    format!(
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"event\":\"request_completed\",\"path\":\"{path}\",\"duration\":0.5}}\n",
        timestamp(at)
    )
}

fn requests(reader: &Reader) -> u64 {
    let statistics = reader.statistics(whole(), &Expression::parse("").unwrap(), &|| false).unwrap();
    assert_eq!((statistics.is_partial(), statistics.troubles()), (false, &[][..]));
    statistics.total().requests.count()
}

#[test]
fn numbers_are_not_given_again_when_records_are_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let write = |lines: u64| {
        let mut writer = Writer::open(small(folder.path())).unwrap();
        writer.ingest((0..lines).map(|at| request(NOW + at, "/")).collect::<String>().as_bytes(), NOW).unwrap();
        writer.commit().unwrap();
    };
    write(30);
    for name in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if name.to_str().unwrap().contains(".hot") {
            std::fs::remove_file(name).unwrap();
        }
    }
    write(20);
    // The records are gone, but not what was counted.
    assert_eq!(requests(&Reader::new(folder.path())), 50);
    write(5);
    assert_eq!(requests(&Reader::new(folder.path())), 55);
}

#[test]
fn rollups_that_are_damaged_are_begun_anew_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(folder.path())).unwrap();
    writer.ingest((0..300).map(|at| request(NOW + at, "/")).collect::<String>().as_bytes(), NOW).unwrap();
    writer.roll(NOW).unwrap();
    writer.take_care(NOW).unwrap();
    drop(writer);
    std::fs::write(folder.path().join(FILE), "no rollups".repeat(1000)).unwrap();
    let statistics =
        Reader::new(folder.path()).statistics(whole(), &Expression::parse("").unwrap(), &|| false).unwrap();
    assert_eq!((statistics.total().requests.count(), statistics.troubles().len()), (300, 1));
    let mut writer = Writer::open(small(folder.path())).unwrap();
    let troubles = writer.troubles();
    assert!(troubles.len() == 1 && troubles[0].contains(".aside"), "{troubles:?}");
    for tick in 1..4 {
        writer.tick(NOW + tick).unwrap();
    }
    drop(writer);
    assert_eq!(rollup::RollupReader::open(folder.path()).unwrap().through() & 0xffff_ffff, 300);
    assert_eq!(requests(&Reader::new(folder.path())), 300);
}

#[test]
fn a_scan_that_is_stopped_is_partial() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Settings::new(folder.path())).unwrap();
    writer.ingest((0..2000).map(|at| request(NOW + at, "/")).collect::<String>().as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    let filter = Expression::parse("path:/*").unwrap();
    let statistics = Reader::new(folder.path()).statistics(whole(), &filter, &|| true).unwrap();
    assert!(statistics.is_partial() && statistics.total().requests.count() < 2000);
}

#[test]
fn records_of_many_minutes_at_once_are_all_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Settings::new(folder.path())).unwrap();
    let lines: String = (0..2000).map(|at| request(NOW - at * MINUTE, "/")).collect();
    writer.ingest(lines.as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    let range = Range { since: NOW - 3000 * MINUTE, until: NOW + MINUTE };
    for reader in [Reader::new(folder.path()), Reader::beside(&writer)] {
        let statistics = reader.statistics(range, &Expression::parse("").unwrap(), &|| false).unwrap();
        assert_eq!(statistics.total().requests.count(), 2000);
    }
    assert_eq!(writer.troubles(), Vec::<String>::new());
}
