//! The spool against a model, with crashes at any byte and any byte flipped.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn settings(folder: &Path, max: u64) -> SpoolSettings {
    SpoolSettings { path: folder.join("spool"), max }
}

fn open(folder: &TempDir, max: u64) -> (Spool, Damage) {
    Spool::open(&settings(folder.path(), max)).unwrap()
}

fn append(spool: &mut Spool, lines: &[String]) -> Result<(), Refusal> {
    let mut appended = Lines::default();
    lines.iter().for_each(|line| appended.push(line.as_bytes()));
    spool.append(&appended)
}

fn take(spool: &mut Spool, records: usize) -> (Vec<String>, Position) {
    let mut lines = Lines::default();
    let position = spool.take(Limits { records, bytes: usize::MAX }, &mut lines);
    (lines.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()).collect(), position)
}

fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{{\"seq\":{number}}}\n")).collect()
}

/// The segment files, oldest first.
fn segments(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "seg")).collect();
    files.sort();
    files
}

#[test]
fn what_was_not_acknowledged_comes_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 1 << 20);
    append(&mut spool, &lines(0..10)).unwrap();
    let (first, position) = take(&mut spool, 4);
    assert_eq!(first, lines(0..4));
    spool.acknowledge(position).unwrap();
    assert_eq!(take(&mut spool, 4).0, lines(4..8));
    drop(spool);
    let (mut spool, torn) = open(&folder, 1 << 20);
    assert_eq!(torn, Damage::default());
    assert_eq!(spool.waiting(), 6);
    assert_eq!(take(&mut spool, 100).0, lines(4..10));
    assert_eq!(spool.waiting(), 0);
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_spool, _) = open(&folder, 1 << 20);
    let error = Spool::open(&settings(folder.path(), 1 << 20)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_full_spool_refuses_the_newest_and_takes_them_again_when_segments_are_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 16 * 1024);
    let mut taken = 0;
    let refusal = loop {
        match append(&mut spool, &lines(taken..taken + 10)) {
            Ok(()) => taken += 10,
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.reason(), Reason::SpoolFull);
    assert!(spool.bytes() <= 16 * 1024 && taken > 300);
    assert!(segments(&folder).len() >= 16);
    let (first, position) = take(&mut spool, 100);
    assert_eq!(first, lines(0..100));
    spool.acknowledge(position).unwrap();
    append(&mut spool, &lines(taken..taken + 10)).unwrap();
    assert_eq!(take(&mut spool, 10_000).0, lines(100..taken + 10));
}

#[test]
fn a_segment_that_is_gone_is_counted_and_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 16 * 1024);
    for start in (0..200).step_by(10) {
        append(&mut spool, &lines(start..start + 10)).unwrap();
    }
    drop(spool);
    let files = segments(&folder);
    fs::remove_file(&files[1]).unwrap();
    let index = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<usize>().unwrap() - 1;
    let (from, to) = (index(&files[1]), index(&files[2]));
    let (mut spool, _) = open(&folder, 16 * 1024);
    assert_eq!(take(&mut spool, 1000).0, [lines(0..from), lines(to..200)].concat());
    assert_eq!(spool.take_damage(), Damage { bytes: 0, records: (to - from) as u64 });
}

#[test]
fn a_folder_that_vanishes_refuses_lines_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 16 * 1024);
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    let refusal = (0..).find_map(|start| append(&mut spool, &lines(start * 10..start * 10 + 10)).err()).unwrap();
    assert_eq!(refusal.reason(), Reason::WriteFailed);
}

#[test]
fn a_parcel_keeps_to_its_bytes_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 1 << 20);
    append(&mut spool, &lines(10..20)).unwrap();
    let mut taken = Vec::new();
    for _ in 0..5 {
        let mut parcel = Lines::default();
        spool.take(Limits { records: 100, bytes: 25 }, &mut parcel);
        assert_eq!(parcel.len(), 2);
        taken.extend(parcel.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()));
    }
    assert_eq!(taken, lines(10..20));
}

#[test]
fn a_record_longer_than_a_read_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(&folder, 16 << 20);
    let long = ["x".repeat(READ * 3), "y".to_owned()];
    append(&mut spool, &long).unwrap();
    assert_eq!(take(&mut spool, 5).0, long);
    assert_eq!(append(&mut spool, &["x".repeat(MAX_RECORD + 1)]).unwrap_err().reason(), Reason::WriteFailed);
}

#[test]
fn what_is_set_aside_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = open(&folder, 1 << 20);
    let mut aside = Aside::beside(&spool).unwrap();
    let line = vec![b'x'; 5 << 20];
    assert_eq!(aside.keep([line.as_slice(); 4].into_iter()), 1);
    assert_eq!(fs::metadata(aside.path()).unwrap().len(), 15 << 20);
    assert_eq!(Aside::beside(&spool).unwrap().keep([line.as_slice()].into_iter()), 1);
}

/// What happens to a spool.
#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Take(usize),
    /// The oldest parcels that were taken have arrived.
    Acknowledge(usize),
    /// The process dies, and with it what was in flight; so much of the newest batch was not written.
    Crash(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..40).prop_map(Step::Append),
        3 => (1usize..50).prop_map(Step::Take),
        2 => (1usize..4).prop_map(Step::Acknowledge),
        1 => any::<prop::sample::Index>().prop_map(Step::Crash),
    ]
}

/// What a spool must hold.
#[derive(Default)]
struct Model {
    /// All lines that were appended and not torn, in order.
    lines: Vec<String>,
    /// How many were acknowledged, taken.
    acknowledged: usize,
    taken: usize,
    /// Parcels in flight: how many lines were taken with it, and the position after it.
    flight: VecDeque<(usize, Position)>,
    /// Bytes of the newest segment before the last append, and lines before it.
    before_last: Option<(u64, usize)>,
    made: usize,
}

impl Model {
    fn step(&mut self, step: Step, spool: &mut Option<Spool>, folder: &TempDir) {
        let live = spool.as_mut().unwrap();
        match step {
            Step::Append(count) => self.append(live, count),
            Step::Take(count) => {
                let (got, position) = take(live, count);
                let to = (self.taken + count).min(self.lines.len());
                assert_eq!(got, self.lines[self.taken..to]);
                self.taken = to;
                self.flight.push_back((to, position));
            }
            Step::Acknowledge(parcels) => {
                let last = self.flight.drain(..parcels.min(self.flight.len())).next_back();
                if let Some((to, position)) = last {
                    live.acknowledge(position).unwrap();
                    self.acknowledged = to;
                }
            }
            Step::Crash(cut) => {
                *spool = None;
                self.tear(folder, cut);
                let (opened, _) = open(folder, MAX);
                assert_eq!(opened.waiting() as usize, self.lines.len() - self.acknowledged);
                *spool = Some(opened);
                self.taken = self.acknowledged;
                self.flight.clear();
            }
        }
    }

    fn append(&mut self, spool: &mut Spool, count: usize) {
        let new = lines(self.made..self.made + count);
        let (bytes, segments) = (spool.newest().unwrap().bytes, spool.segments.len());
        if append(spool, &new).is_ok() {
            self.made += count;
            let before = if spool.segments.len() > segments { 0 } else { bytes };
            self.before_last = Some((before, self.lines.len()));
            self.lines.extend(new);
        }
    }

    /// Cuts the newest segment anywhere within the last append, unless that was delivered.
    fn tear(&mut self, folder: &TempDir, cut: prop::sample::Index) {
        let Some((before, lines)) = self.before_last.take() else { return };
        if self.acknowledged > lines {
            return;
        }
        let newest = segments(folder).pop().unwrap();
        let length = fs::metadata(&newest).unwrap().len();
        let left = before + cut.index((length - before) as usize + 1) as u64;
        fs::OpenOptions::new().write(true).open(newest).unwrap().set_len(left).unwrap();
        let (mut at, mut whole) = (before, lines);
        for line in &self.lines[lines..] {
            at += (frame::HEADER + line.len()) as u64;
            whole += usize::from(at <= left);
        }
        self.lines.truncate(whole);
    }
}

const MAX: u64 = 32 * 1024;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_behaves_as_its_model_through_crashes_at_any_byte(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Some(open(&folder, MAX).0);
        let mut model = Model::default();
        for step in steps {
            model.step(step, &mut spool, &folder);
            prop_assert!(spool.as_ref().unwrap().bytes() <= MAX);
        }
        let mut spool = spool.unwrap();
        prop_assert_eq!(take(&mut spool, usize::MAX).0, &model.lines[model.taken..]);
        prop_assert_eq!(spool.take_damage(), Damage::default());
    }

    #[test]
    fn a_flipped_byte_costs_at_most_its_record_and_is_reported(
        count in 1usize..200, place in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(&folder, 16 * 1024);
        for line in lines(0..count) {
            append(&mut spool, &[line]).unwrap();
        }
        drop(spool);
        let files = segments(&folder);
        let file = &files[place.index(files.len())];
        let mut bytes = fs::read(file).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= change;
        fs::write(file, bytes).unwrap();

        let (mut spool, torn) = open(&folder, 16 * 1024);
        let got = take(&mut spool, usize::MAX).0;
        let damage = spool.take_damage();
        let all = lines(0..count);
        prop_assert_eq!(got.len(), count - 1);
        prop_assert!(got.iter().all(|line| all.contains(line)) && got.is_sorted_by_key(|line| all.iter().position(|it| it == line)));
        prop_assert!(torn.bytes + damage.bytes > 0);
        // The last record of all is taken for one that a crash has torn.
        prop_assert_eq!(damage.records, u64::from(torn.bytes == 0));
    }

    #[test]
    fn a_mark_that_is_damaged_repeats_records_and_loses_none(
        acknowledged in prop::collection::vec(1usize..30, 0..6), place in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(&folder, 1 << 20);
        append(&mut spool, &lines(0..200)).unwrap();
        let mut sum = 0;
        for count in acknowledged {
            let (_, position) = take(&mut spool, count);
            spool.acknowledge(position).unwrap();
            sum += count;
        }
        drop(spool);
        let path = folder.path().join("spool").join(MARK);
        let mut bytes = fs::read(&path).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= change;
        fs::write(&path, bytes).unwrap();
        let (mut spool, _) = open(&folder, 1 << 20);
        let got = take(&mut spool, usize::MAX).0;
        prop_assert!(got.ends_with(&lines(sum..200)), "{} of {sum}", got.len());
    }
}
