//! A writer's day in small: lines in batches, segments begun and sealed, the store closed and opened again. And the judgement
//! of whatever is left of it after a disaster.

use std::collections::BTreeSet;
use std::path::Path;

use gatelog::filter::Expression;
use gatelog::store::care::check;
use gatelog::store::rollup::{HOUR, Noted, Range};
use gatelog::store::statistics::{Gather, Statistics};
use gatelog::store::{Lost, Order, Question, Reader, Records, Settings, Summaries, Writer, Written};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::naive::{Naive, Record, everything};
use crate::records::{self, NOW};

/// Lines of all kinds, the same ones each time; each says its own place, `"n":0` and so on.
pub(crate) fn lines(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let mut lines = Vec::new();
    while lines.len() < count {
        let some = records::lines(100).new_tree(&mut runner).unwrap().current();
        for mut record in some.iter().filter_map(|line| Record::read(line)) {
            record.map.insert("n".to_owned(), lines.len().into());
            lines.push(serde_json::to_string(&record.map).unwrap());
        }
    }
    lines.truncate(count);
    lines
}

/// A folder for a store that no real disk has to be waited for, where the system has memory for such.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings { batch_lines: 30, seal_lines: 70, age: None, size: None, ..Settings::new(folder) }
}

/// What became of the lines, by their places.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    /// They were acknowledged.
    pub(crate) durable: BTreeSet<usize>,
    /// They may be there or not: given up with an error, or under way when the end came.
    pub(crate) doubtful: BTreeSet<usize>,
}

/// Feeds lines to a writer and keeps account of what it says.
pub(crate) struct Feeder<'a> {
    folder: &'a Path,
    writer: Option<Writer>,
    /// Of this writer, so far.
    written: Written,
    waiting: Vec<usize>,
    pub(crate) fate: Fate,
    /// Called with each line that is acknowledged.
    told: &'a mut dyn FnMut(usize),
}

impl<'a> Feeder<'a> {
    pub(crate) fn new(folder: &'a Path, told: &'a mut dyn FnMut(usize)) -> Feeder<'a> {
        let (written, waiting, fate) = (Written::default(), Vec::new(), Fate::default());
        Feeder { folder, writer: None, written, waiting, fate, told }
    }

    /// The whole day: eleven batches of seventeen lines; now and then they are committed, a segment is begun or sealed, or
    /// the store is closed.
    pub(crate) fn day(&mut self, lines: &[String]) {
        for (at, batch) in lines.chunks(17).enumerate() {
            self.feed(at * 17, batch);
            match at % 11 {
                1 | 4 | 8 => self.act(|writer| writer.commit()),
                3 | 7 => self.act(|writer| writer.roll(NOW)),
                5 | 10 => self.take_care(),
                6 => self.close(),
                _ => {}
            }
        }
        self.close();
    }

    /// Hands lines over, the first of which has this place.
    pub(crate) fn feed(&mut self, first: usize, lines: &[String]) {
        self.waiting.extend(first..first + lines.len());
        self.act(|writer| writer.ingest(lines.join("\n").as_bytes(), NOW));
    }

    fn act(&mut self, act: impl FnOnce(&mut Writer) -> Result<Written, Lost>) {
        if self.writer.is_none() {
            self.written = Written::default();
            self.writer = Writer::open(settings(self.folder)).ok();
        }
        match self.writer.as_mut().map(act) {
            Some(Ok(written)) => {
                let durable = (written.durable - self.written.durable) as usize;
                self.acknowledge(durable);
                self.written = written;
                assert_eq!(written.refused, 0, "all of them are records");
            }
            Some(Err(lost)) => {
                // Those before were committed on the way.
                let before = self.waiting.len() - lost.lines as usize;
                self.acknowledge(before);
                self.written.durable += before as u64;
                self.written.lost += lost.lines;
                self.fate.doubtful.extend(self.waiting.drain(..));
            }
            // The store could not be opened: they were handed to nobody.
            None => self.waiting.clear(),
        }
    }

    fn acknowledge(&mut self, count: usize) {
        for place in self.waiting.drain(..count) {
            (self.told)(place);
            self.fate.durable.insert(place);
        }
    }

    pub(crate) fn take_care(&mut self) {
        // What failed is tried again another time.
        let _ = self.writer.as_mut().map(|writer| writer.take_care(NOW));
    }

    /// Commits and closes.
    pub(crate) fn close(&mut self) {
        self.act(|writer| writer.commit());
        self.writer = None;
    }
}

/// What is in a store, as places of lines; whatever is wrong with it ends the test.
pub(crate) fn found(folder: &Path, lines: &[String], when: &str) -> BTreeSet<usize> {
    let reader = Reader::new(folder);
    let page = reader.search(&everything(), &|| false).unwrap();
    assert_eq!(page.troubles, Vec::<String>::new(), "{when}");
    let place = |line: &gatelog::store::Line| Record::read(&line.json).unwrap().map["n"].as_u64().unwrap() as usize;
    let places: BTreeSet<usize> = page.lines.iter().map(place).collect();
    let naive = Naive::of(places.iter().map(|place| &lines[*place]));
    naive.judge(&everything(), &page).unwrap_or_else(|why| panic!("{when}: {why}"));
    judge_statistics(&reader, &naive, when);
    for question in questions() {
        let page = reader.search(&question, &|| false).unwrap();
        naive.judge(&question, &page).unwrap_or_else(|why| panic!("{when}: {why}"));
    }
    places
}

/// What is counted is what is there.
fn judge_statistics(reader: &Reader, naive: &Naive, when: &str) {
    let range = Range::last(2 * HOUR, NOW / HOUR * HOUR + HOUR);
    let counted = reader.statistics(range, &Expression::parse("").unwrap(), &|| false).unwrap();
    let mut expected = Statistics::over(range);
    naive
        .records()
        .iter()
        .filter_map(|record| Noted::of_json(record.at, &record.map))
        .for_each(|noted| expected.note(&noted));
    assert_eq!(counted.troubles(), Vec::<String>::new(), "{when}");
    assert_eq!(counted.hours(), expected.hours(), "{when}");
    let level = |statistics: &Statistics| serde_json::to_value(statistics.stats().by_level).unwrap();
    assert_eq!(level(&counted), level(&expected), "{when}");
}

/// One for each way in which rows are found.
fn questions() -> impl Iterator<Item = Question> {
    let filters = [
        "status>=500",
        "user:42",
        "request_id:7",
        "connection",
        "level>=warning",
        "duration>1s",
        "route:shop path:/posts/*",
    ];
    filters.into_iter().map(|filter| {
        let filter = Expression::parse(filter).unwrap();
        Question { filter, order: Order::Newest, limit: 20, ..everything() }
    })
}

/// Everything acknowledged is there, nothing is there that was not written, the store is clean, and it goes on: more lines are
/// taken, all of it is sealed, and says the same.
pub(crate) fn judge(folder: &Path, lines: &[String], fate: &Fate, when: &str) {
    let there = if folder.is_dir() { found(folder, lines, when) } else { BTreeSet::new() };
    judge_places(&there, fate, when);
    let mut told = |_| {};
    let mut feeder = Feeder::new(folder, &mut told);
    let more = lines.len() - 20;
    assert!(there.range(more..).next().is_none() && fate.durable.range(more..).next().is_none());
    feeder.feed(more, &lines[more..]);
    feeder.close();
    assert_eq!(feeder.fate.durable.len(), 20, "{when}: it does not go on");
    let expected: BTreeSet<usize> = there.iter().copied().chain(more..lines.len()).collect();
    assert_eq!(found(folder, lines, when), expected, "{when}: after it went on");
    is_clean(folder, &expected, when);
    let mut writer = Writer::open(settings(folder)).unwrap();
    writer.roll(NOW).unwrap();
    writer.take_care(NOW).unwrap();
    drop(writer);
    assert_eq!(found(folder, lines, when), expected, "{when}: after all was sealed");
    is_clean(folder, &expected, when);
}

pub(crate) fn is_clean(folder: &Path, expected: &BTreeSet<usize>, when: &str) {
    let findings = check(folder, &|| false).unwrap();
    assert_eq!(findings.problems, [], "{when}");
    assert_eq!(findings.records, expected.len() as u64, "{when}");
}

/// Of what is there, and what was said of it.
pub(crate) fn judge_places(there: &BTreeSet<usize>, fate: &Fate, when: &str) {
    let gone: Vec<usize> = fate.durable.difference(there).copied().collect();
    assert!(gone.is_empty(), "{when}: acknowledged and gone: {gone:?}");
    let strange = there.iter().find(|place| !fate.durable.contains(place) && !fate.doubtful.contains(place));
    assert_eq!(strange, None, "{when}: nobody wrote it");
}
