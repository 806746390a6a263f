//! The file over its life: rotated, moved, truncated, torn.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::pipeline::{OutputSettings, Rotate};

const NOON: u64 = 1_785_585_600_000_000;
const HOUR: u64 = 3_600_000_000;

/// A log file in a folder of its own, with a clock that is held.
struct Bed {
    folder: tempfile::TempDir,
    now: Arc<AtomicU64>,
    reopen: Arc<AtomicBool>,
    neighbour: Neighbour,
    settings: FileSettings,
}

impl Bed {
    fn new(rotate: Option<Rotate>) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let settings = FileSettings { rotate, ..FileSettings::new(folder.path().join("a.log")) };
        Bed {
            folder,
            now: Arc::new(AtomicU64::new(NOON)),
            reopen: Arc::default(),
            neighbour: Neighbour::default(),
            settings,
        }
    }

    fn open(&self) -> LogFile {
        let port = Port::new(&OutputSettings::default(), Format::Json);
        let mut file =
            LogFile::open(&self.settings, &port, Arc::clone(&self.reopen), None, self.neighbour.clone()).unwrap();
        let now = Arc::clone(&self.now);
        file.now = Box::new(move || now.load(Ordering::Relaxed));
        // What was opened by the clock of the machine belongs to the held one's period.
        if let Some(open) = &mut file.open {
            open.period = file.schedule.period(NOON);
        }
        file
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pass(&self, micros: u64) {
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    /// Closed files in their order, the open one last.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = paths::names(self.folder.path()).unwrap();
        names.sort_by_key(|name| (name == "a.log", name.clone()));
        names.iter().map(|name| std::fs::read_to_string(self.path(name)).unwrap()).collect()
    }
}

fn write(file: &mut LogFile, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = file.write(bytes).unwrap();
        assert!(written > 0);
        bytes = &bytes[written..];
    }
}

fn by_size(size: u64) -> Option<Rotate> {
    Some(Rotate { size: Some(size), every: None, keep: 100, compress: None })
}

fn by_hour(keep: usize) -> Option<Rotate> {
    Some(Rotate { size: None, every: Some(Duration::from_secs(3600)), keep, compress: None })
}

#[test]
fn a_file_is_closed_before_the_line_that_would_be_too_much() {
    let bed = Bed::new(by_size(8));
    write(&mut bed.open(), b"aa\nbb\ncc\na long line\nd\n");
    assert_eq!(bed.files(), ["aa\nbb\n", "cc\n", "a long line\n", "d\n"]);
}

#[test]
fn a_file_that_is_there_is_continued_and_its_size_counts() {
    let bed = Bed::new(by_size(8));
    std::fs::write(bed.path("a.log"), b"aa\nbb\n").unwrap();
    write(&mut bed.open(), b"c\nd\n");
    assert_eq!(bed.files(), ["aa\nbb\nc\n", "d\n"]);
}

#[test]
fn a_file_is_closed_when_its_period_is_over_even_if_nothing_is_written() {
    let bed = Bed::new(by_hour(10));
    let mut file = bed.open();
    write(&mut file, b"a\n");
    bed.pass(HOUR - 1);
    write(&mut file, b"b\n");
    bed.pass(1);
    assert!(file.tend());
    assert_eq!(bed.files(), ["a\nb\n", ""]);
    bed.pass(HOUR);
    file.tend();
    assert_eq!(bed.files().len(), 2, "an empty file is not closed");
    bed.pass(HOUR);
    write(&mut file, b"c\n");
    bed.pass(HOUR);
    write(&mut file, b"d\n");
    assert_eq!(bed.files(), ["a\nb\n", "c\n", "d\n"]);
}

#[test]
fn so_many_closed_files_stay() {
    let bed = Bed::new(by_hour(2));
    let mut file = bed.open();
    for line in 0..5 {
        write(&mut file, format!("{line}\n").as_bytes());
        bed.pass(HOUR);
    }
    assert_eq!(bed.files(), ["2\n", "3\n", "4\n"]);
}

#[test]
fn a_file_that_others_renamed_or_removed_is_made_anew() {
    let bed = Bed::new(None);
    let mut file = bed.open();
    write(&mut file, b"a\n");
    std::fs::rename(bed.path("a.log"), bed.path("a.log.1")).unwrap();
    bed.pass(LOOK);
    assert!(!file.tend());
    write(&mut file, b"b\n");
    std::fs::remove_file(bed.path("a.log")).unwrap();
    bed.pass(LOOK);
    assert!(!file.tend());
    write(&mut file, b"c\n");
    assert!(file.tend());
    assert_eq!(bed.files(), ["a\n", "c\n"]);
}

#[test]
fn it_is_opened_again_at_once_when_asked_for() {
    let bed = Bed::new(None);
    let mut file = bed.open();
    file.tend();
    write(&mut file, b"a\n");
    bed.reopen.store(true, Ordering::Release);
    assert!(file.tend(), "it is still the same file");
    std::fs::rename(bed.path("a.log"), bed.path("a.log.1")).unwrap();
    bed.reopen.store(true, Ordering::Release);
    assert!(!file.tend());
    write(&mut file, b"b\n");
    assert_eq!(bed.files(), ["a\n", "b\n"]);
}

#[test]
fn a_truncated_file_is_counted_anew() {
    let bed = Bed::new(by_size(8));
    let mut file = bed.open();
    write(&mut file, b"aa\nbb\n");
    std::fs::write(bed.path("a.log"), b"").unwrap();
    bed.pass(LOOK);
    assert!(file.tend());
    write(&mut file, b"cc\ndd\n");
    assert_eq!(bed.files(), ["cc\ndd\n"]);
}

#[test]
fn a_folder_that_is_gone_is_an_error_until_it_is_back() {
    let bed = Bed::new(None);
    let mut file = bed.open();
    write(&mut file, b"a\n");
    let aside = tempfile::tempdir().unwrap();
    std::fs::rename(bed.folder.path(), aside.path().join("x")).unwrap();
    bed.pass(LOOK);
    assert!(!file.tend());
    assert!(file.write(b"b\n").is_err());
    std::fs::create_dir(bed.folder.path()).unwrap();
    bed.pass(LOOK);
    file.tend();
    write(&mut file, b"c\n");
    assert_eq!(bed.files(), ["c\n"]);
}

#[test]
fn a_rotation_that_is_not_possible_loses_nothing_and_is_tried_again() {
    let bed = Bed::new(by_size(4));
    let mut file = bed.open();
    write(&mut file, b"a\nb\n");
    // Where the next file would be made is a folder.
    std::fs::create_dir(bed.path("a.log.new")).unwrap();
    write(&mut file, b"c\nd\n");
    std::fs::remove_dir(bed.path("a.log.new")).unwrap();
    write(&mut file, b"e\n");
    assert_eq!(bed.files(), ["a\nb\nc\nd\ne\n"]);
    bed.pass(AGAIN);
    write(&mut file, b"f\n");
    assert_eq!(bed.files(), ["a\nb\nc\nd\ne\n", "f\n"]);
}

#[test]
fn what_a_killed_process_left_torn_is_ended_before_the_next_line() {
    let bed = Bed::new(None);
    std::fs::write(bed.path("a.log"), b"{\"a\":1}\n{\"a\":2,\"b\":\"x").unwrap();
    write(&mut bed.open(), b"{\"a\":3}\n");
    assert_eq!(bed.files(), ["{\"a\":1}\n{\"a\":2,\"b\":\"x\",\"torn\":true}\n{\"a\":3}\n"]);
}

#[test]
fn files_are_made_as_they_are_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let mut bed = Bed::new(by_size(4));
    bed.settings.mode = Some(0o606);
    bed.settings.path = bed.path("x/y/a.log");
    bed.settings.create_directories = true;
    write(&mut bed.open(), b"a\nb\nc\n");
    let names = paths::names(&bed.path("x/y")).unwrap();
    assert_eq!(names.len(), 2);
    for name in names {
        let mode = std::fs::metadata(bed.path("x/y").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o606);
    }
}

#[test]
fn beside_another_process_a_file_grows_and_no_line_of_it_counts_as_torn() {
    let bed = Bed::new(by_size(4));
    bed.neighbour.comes();
    std::fs::write(bed.path("a.log"), b"half of a line").unwrap();
    let mut file = bed.open();
    write(&mut file, b" and its end\nb\nc\n");
    bed.pass(LOOK);
    assert!(file.tend());
    assert_eq!(bed.files(), ["half of a line and its end\nb\nc\n"]);
    bed.neighbour.goes();
    write(&mut file, b"d\n");
    assert_eq!(bed.files(), ["half of a line and its end\nb\nc\n", "d\n"]);
}

#[test]
fn a_device_is_written_to_and_its_failure_is_the_systems() {
    let mut bed = Bed::new(None);
    bed.settings.path = "/dev/full".into();
    let mut file = bed.open();
    assert_eq!(file.write(b"a\n").unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(file.tend());
    file.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_files_in_order_are_what_was_written(
        lines in prop::collection::vec("[a-z]{0,30}", 1..60),
        pieces in prop::collection::vec(1usize..80, 1..10),
        size in 1u64..100,
        restart in 0usize..60,
    ) {
        let bed = Bed::new(Some(Rotate { size: Some(size), every: Some(Duration::from_secs(3600)), keep: 1000, compress: None }));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut file = bed.open();
        let (mut rest, mut turn) = (text.as_bytes(), 0);
        while !rest.is_empty() {
            // Any piece, but whole lines: as the writer gives them.
            let wanted = pieces[turn % pieces.len()].min(rest.len());
            let end = rest[wanted - 1..].iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| wanted + at);
            write(&mut file, &rest[..end]);
            rest = &rest[end..];
            turn += 1;
            bed.pass(HOUR / 7);
            if turn == restart {
                file = bed.open();
            }
        }
        let files = bed.files();
        prop_assert_eq!(files.concat(), text);
        for file in &files {
            prop_assert!(file.is_empty() || file.ends_with('\n'));
            prop_assert!(file.len() as u64 <= size || file.lines().count() == 1, "{file:?} of {size}");
        }
    }
}
