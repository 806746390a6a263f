//! The file of rollups: nothing is counted twice and nothing left out, whatever happens to it.

use std::path::Path;
use std::sync::Mutex;

use proptest::prelude::*;

use super::sample::{Sample, sample};
use super::*;

const DAY: u64 = 24 * HOUR;

/// All that a place holds of a range.
fn all(periods: &impl Periods, range: Range, grain: Grain) -> Period {
    total(periods, range, grain, Wanted::Everything).0
}

fn total(periods: &impl Periods, range: Range, grain: Grain, wanted: Wanted<'_>) -> (Period, Vec<String>) {
    let mut total = Period::default();
    let troubles = periods.visit(range, grain, wanted, &mut |piece| piece.add_to(&mut total, wanted)).unwrap();
    (total, troubles)
}

fn naive<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Period {
    let mut period = Period::default();
    samples.into_iter().for_each(|sample| period.note(&sample.noted()));
    period
}

fn ever() -> Range {
    Range { since: 0, until: 100 * DAY }
}

fn open(folder: &Path) -> (RollupFile, Mutex<Pending>) {
    let Opened { file, pending, trouble } = RollupFile::open(folder, 0).unwrap();
    assert_eq!(trouble, None);
    (file, Mutex::new(pending))
}

fn note<'a>(pending: &Mutex<Pending>, from: u64, samples: impl IntoIterator<Item = &'a Sample>) {
    let mut pending = pending.lock().unwrap();
    (from + 1..).zip(samples).for_each(|(number, sample)| pending.note(number, &sample.noted()));
}

fn samples(until: u64) -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(sample(until), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The writer saves now and then, dies now and then, and begins again behind what the file says it holds.
    #[test]
    fn whenever_the_writer_dies_every_record_is_counted_once(
        samples in samples(3 * HOUR),
        steps in prop::collection::vec((1..20_usize, any::<bool>(), any::<bool>()), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, mut pending) = open(folder.path());
        let mut committed = 0;
        for (more, save, die) in steps {
            let next = (committed + more).min(samples.len());
            note(&pending, committed as u64, &samples[committed..next]);
            committed = next;
            if save {
                prop_assert_eq!(file.save(&pending).unwrap(), Vec::<String>::new());
            }
            if die {
                drop(file);
                (file, pending) = open(folder.path());
                // What the segments hold is noted again, more of it than is needed.
                note(&pending, 0, &samples[..committed]);
            }
            let reader = RollupReader::open_with(folder.path(), &pending).unwrap();
            prop_assert_eq!(reader.through(), committed as u64);
            prop_assert_eq!(&all(&reader, ever(), Grain::Minutes), &naive(&samples[..committed]));
            prop_assert_eq!(&all(&reader, ever(), Grain::Hours), &naive(&samples[..committed]));
        }
    }

    /// By hours and by minutes, of all that is wanted, a range gives what lies in its whole minutes.
    #[test]
    fn a_range_is_what_lies_in_its_minutes(samples in samples(5 * HOUR), from in 0..300_u64, length in 0..300_u64) {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, pending) = open(folder.path());
        let half = samples.len() / 2;
        note(&pending, 0, &samples[..half]);
        file.save(&pending).unwrap();
        note(&pending, half as u64, &samples[half..]);
        let reader = RollupReader::open_with(folder.path(), &pending).unwrap();
        let range = Range { since: from * MINUTE, until: (from + length) * MINUTE };
        let expected = naive(samples.iter().filter(|sample| range.holds(sample.at)));
        for grain in [Grain::Minutes, Grain::Hours] {
            prop_assert_eq!(&all(&reader, range, grain), &expected);
            for wanted in [Wanted::Counts, Wanted::Route("home")] {
                let mut part = Period::default();
                part.merge_wanted(&expected, wanted);
                prop_assert_eq!(total(&reader, range, grain, wanted).0, part);
            }
        }
    }
}

fn sample_at(at: u64) -> Noted<'static> {
    let ended = Noted::new(at, crate::record::Level::Info, "gatelog.request", "request_completed");
    Noted { duration: Some(at % 1000), route: Some("home"), status: Some(200), ..ended }
}

/// One request each ten minutes of three days.
fn three_days(folder: &Path) -> (RollupFile, Mutex<Pending>) {
    let (mut file, pending) = open(folder);
    for number in 1..=3 * 144_u64 {
        pending.lock().unwrap().note(number, &sample_at(number * 10 * MINUTE));
        if pending.lock().unwrap().is_full() {
            file.save(&pending).unwrap();
        }
    }
    file.save(&pending).unwrap();
    assert_eq!(pending.lock().unwrap().left_out(), 0);
    (file, pending)
}

#[test]
fn old_minutes_go_and_their_hours_stay_and_then_they_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, pending) = three_days(folder.path());
    let count = |since, until, grain| {
        let reader = RollupReader::open(folder.path()).unwrap();
        all(&reader, Range { since, until }, grain).requests.count()
    };
    let keep = Keep { minutes: DAY, hours: 2 * DAY };
    assert_eq!(file.prune(keep, DAY).unwrap(), 0);
    // The first of three days is gone but for its hours: an end within an hour takes it whole.
    assert!(file.prune(keep, 2 * DAY).unwrap() > 0);
    assert_eq!(count(0, 4 * DAY, Grain::Minutes), 432);
    assert_eq!(count(HOUR + 30 * MINUTE, 2 * HOUR + 5 * MINUTE, Grain::Minutes), 12);
    assert_eq!(count(DAY + 30 * MINUTE, DAY + HOUR + 5 * MINUTE, Grain::Hours), 4);
    // What comes for a minute that is gone goes to its hour.
    pending.lock().unwrap().note(1000, &sample_at(HOUR + MINUTE));
    file.save(&pending).unwrap();
    assert_eq!(count(HOUR, 2 * HOUR, Grain::Minutes), 7);
    assert!(file.prune(keep, 3 * DAY).unwrap() > 0);
    assert_eq!(count(0, DAY, Grain::Hours), 0);
    assert_eq!(file.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_none_is_set_aside_by_name_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    foreign.execute_batch("CREATE TABLE customers(name)").unwrap();
    drop(foreign);
    let opened = RollupFile::open(folder.path(), 1_795_345_356_000_123).unwrap();
    let aside = folder.path().join("rollup.db-20261122T110236.000123Z.aside");
    let expected =
        format!("{}: it is no file of rollups; it is now {}", folder.path().join(FILE).display(), aside.display());
    assert_eq!(opened.trouble, Some(expected));
    assert!(aside.exists());
    drop(opened);
    let (_, pending) = open(folder.path());
    assert_eq!(pending.lock().unwrap().through(), 0);
}

#[test]
fn noise_a_torn_file_and_one_of_a_later_version_are_set_aside() {
    let later = "PRAGMA user_version = 9";
    for (spoil, said) in [
        (
            Box::new(|path: &Path| std::fs::write(path, b"no database at all, but long enough to look at").unwrap())
                as Box<dyn Fn(&Path)>,
            "not a database",
        ),
        (Box::new(|path| std::fs::write(path, &std::fs::read(path).unwrap()[..4096]).unwrap()), "malformed"),
        (Box::new(|path| rusqlite::Connection::open(path).unwrap().execute_batch(later).unwrap()), "version 9"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(three_days(folder.path()));
        spoil(&folder.path().join(FILE));
        let trouble = RollupFile::open(folder.path(), 7).unwrap().trouble.unwrap();
        assert!(trouble.contains(said) && trouble.contains(".aside"), "{trouble}");
        let (_, pending) = open(folder.path());
        assert_eq!(pending.lock().unwrap().through(), 0);
    }
}

#[test]
fn a_row_that_is_damaged_is_told_and_the_rest_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, pending) = three_days(folder.path());
    let other = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    other.execute("UPDATE minute SET routes = zeroblob(40) WHERE at = 20", []).unwrap();
    let reader = RollupReader::open(folder.path()).unwrap();
    let hour = Range { since: 0, until: HOUR };
    let (period, troubles) = total(&reader, hour, Grain::Minutes, Wanted::Everything);
    let expected = format!("{}: minute 20: it is not what was written", folder.path().join(FILE).display());
    assert_eq!((period.requests.count(), &troubles), (4, &vec![expected.clone()]));
    assert_eq!(file.check().unwrap(), std::slice::from_ref(&expected));
    // Counted further, it begins anew.
    drop(reader);
    pending.lock().unwrap().note(1000, &sample_at(20 * MINUTE));
    assert_eq!(file.save(&pending).unwrap(), [expected]);
    assert_eq!(file.check().unwrap(), Vec::<String>::new());
    assert_eq!(all(&RollupReader::open(folder.path()).unwrap(), hour, Grain::Minutes).requests.count(), 5);
}

#[test]
fn what_cannot_be_saved_stays_pending_and_is_saved_later() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, pending) = three_days(folder.path());
    let other = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let pages: i64 = other.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    file.limit_pages(pages);
    (433..=490).for_each(|number| pending.lock().unwrap().note(number, &sample_at(number * 10 * MINUTE)));
    let error = file.save(&pending).unwrap_err();
    assert!(!error.is_of_the_file() && error.to_string().contains("full"), "{error}");
    let count = |pending: &Mutex<Pending>| {
        all(&RollupReader::open_with(folder.path(), pending).unwrap(), ever(), Grain::Hours).requests.count()
    };
    assert_eq!(count(&pending), 490);
    file.limit_pages(1 << 30);
    file.save(&pending).unwrap();
    assert_eq!((count(&pending), pending.lock().unwrap().is_changed()), (490, false));
}

#[test]
fn a_reader_sees_one_moment_while_the_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, pending) = three_days(folder.path());
    let mut reader = RollupReader::open(folder.path()).unwrap();
    pending.lock().unwrap().note(433, &sample_at(433 * 10 * MINUTE));
    file.save(&pending).unwrap();
    let count = |reader: &RollupReader| all(reader, ever(), Grain::Hours).requests.count();
    assert_eq!(count(&reader), 432);
    let mut tally = Tally::default();
    tally.note(&sample_at(433 * 10 * MINUTE));
    reader.add(tally, 433);
    assert_eq!((count(&reader), reader.through()), (433, 433));
    assert_eq!(count(&RollupReader::open(folder.path()).unwrap()), 433);
}

#[test]
fn too_many_minutes_at_once_are_left_out_and_counted() {
    let mut pending = Pending::default();
    (1..=70).for_each(|number| pending.note(number, &sample_at(number * MINUTE)));
    assert!(pending.is_full());
    assert_eq!((pending.left_out(), pending.through()), (6, 70));
    assert_eq!(all(&pending, ever(), Grain::Hours).requests.count(), 64);
}

#[test]
fn where_there_are_none_a_reader_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = RollupReader::open(folder.path()).unwrap_err();
    assert!(!error.is_of_the_file(), "{error}");
    assert!(!folder.path().join(FILE).exists());
}

/// What a crash has left of a file that was being made is in nobody's way.
#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(schema::PART), "half of it").unwrap();
    assert!(!RollupReader::exists(folder.path()));
    let (mut file, pending) = open(folder.path());
    note(&pending, 0, &[]);
    file.save(&pending).unwrap();
    assert_eq!(check(folder.path()).unwrap(), Some(Vec::new()));
    assert!(!folder.path().join(schema::PART).exists());
}
