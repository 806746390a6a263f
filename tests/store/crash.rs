//! The machine stops at the n-th call to the disk, for every n: killed, or without power, so that what was not yet synced is
//! gone, or there in part.
//!
//! A day is recorded once, call by call (`disk.c`); from the calls before the n-th the files are made as a crash there leaves
//! them, and judged. `GATELOG_POWER_CUTS` says how many of the last kind there are at each call; usually it is one at each
//! fourth. What the writer acknowledged stands in the same record, in a file beside the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::disk::{Call, behind, read_log, run_behind};
use crate::work::{Fate, Feeder, judge, lines, scratch};

/// Lines of the day; the last ones are for the judge.
const LINES: usize = 160;
const FED: usize = LINES - 20;

/// The process that is recorded: by itself it does nothing.
#[test]
fn a_day_that_is_recorded() {
    let Some(root) = behind() else { return };
    let mut acknowledged = std::fs::File::create(root.join("acknowledged")).unwrap();
    let mut told = |place: usize| {
        use std::io::Write;
        acknowledged.write_all(format!("{place}\n").as_bytes()).unwrap();
    };
    Feeder::new(&root.join("store"), &mut told).day(&lines(LINES)[..FED]);
}

/// What a crash leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    /// All that was done.
    Kill,
    /// What was synced, and nothing else.
    PowerCut,
    /// And some of the rest: sectors of files, and the first of the changes to folders.
    PowerCutInPart(u64),
}

/// Bytes that a disk writes at once.
const SECTOR: usize = 512;

/// A file, whatever its names are.
#[derive(Debug, Clone, Default)]
struct File {
    /// As it was synced last.
    synced: Vec<u8>,
    /// What was done since.
    since: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// A change to the names.
#[derive(Debug, Clone)]
enum Naming {
    Put(PathBuf, usize),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// What a disk holds, and what it has not yet made sure of.
#[derive(Debug, Default, Clone)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    synced: BTreeMap<PathBuf, usize>,
    since: Vec<Naming>,
}

impl Disk {
    fn call(&mut self, call: &Call) {
        match call {
            Call::Make(path) => {
                self.files.push(File::default());
                self.name(Naming::Put(path.clone(), self.files.len() - 1));
            }
            Call::Write(path, at, bytes) => self.file(path).since.push(Change::Write(*at, bytes.clone())),
            Call::Cut(path, length) => self.file(path).since.push(Change::Cut(*length)),
            Call::Sync(path) => match self.names.get(path) {
                Some(file) => self.files[*file].sync(),
                // A folder.
                None => {
                    self.since.clear();
                    self.synced = self.names.clone();
                }
            },
            Call::Rename(one, other) => self.name(Naming::Move(one.clone(), other.clone())),
            Call::Unlink(path) => self.name(Naming::Remove(path.clone())),
            // Whoever has lost the store's own folder has acknowledged nothing in it, or has lost the disk.
            Call::Folder => {}
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        &mut self.files[self.names[path]]
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.since.push(naming);
    }

    /// What is there after a crash.
    fn after(&self, crash: Crash) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut dice = Dice(match crash {
            Crash::PowerCutInPart(seed) => seed,
            _ => 0,
        });
        let names = match crash {
            Crash::Kill => self.names.clone(),
            Crash::PowerCut => self.synced.clone(),
            Crash::PowerCutInPart(_) => {
                let mut names = self.synced.clone();
                let some = dice.below(self.since.len() as u64 + 1) as usize;
                self.since[..some].iter().for_each(|naming| naming.apply(&mut names));
                names
            }
        };
        names.into_iter().map(|(path, file)| (path, self.files[file].after(crash, &mut dice))).collect()
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Naming::Put(path, file) => drop(names.insert(path.clone(), *file)),
            Naming::Move(one, other) => {
                let file = names.remove(one).unwrap();
                names.insert(other.clone(), file);
            }
            Naming::Remove(path) => drop(names.remove(path)),
        }
    }
}

impl File {
    fn sync(&mut self) {
        let since = std::mem::take(&mut self.since);
        since.iter().for_each(|change| change.apply(&mut self.synced, &mut |_| true));
    }

    fn after(&self, crash: Crash, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let lasts = |dice: &mut Dice| match crash {
            Crash::Kill => true,
            Crash::PowerCut => false,
            Crash::PowerCutInPart(_) => dice.below(2) == 0,
        };
        for change in &self.since {
            match change {
                Change::Cut(_) if !lasts(dice) => {}
                change => change.apply(&mut bytes, &mut |_| lasts(dice)),
            }
        }
        bytes
    }
}

impl Change {
    /// Applies it, of what is written those sectors that last.
    fn apply(&self, bytes: &mut Vec<u8>, lasts: &mut dyn FnMut(usize) -> bool) {
        match self {
            Change::Cut(length) => bytes.resize(*length, 0),
            Change::Write(at, written) => {
                for (sector, piece) in written.chunks(SECTOR).enumerate().filter(|(sector, _)| lasts(*sector)) {
                    let from = at + sector * SECTOR;
                    if bytes.len() < from + piece.len() {
                        bytes.resize(from + piece.len(), 0);
                    }
                    bytes[from..from + piece.len()].copy_from_slice(piece);
                }
            }
        }
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % limit
    }
}

/// Puts the files of a store where they can be opened. Shared memory does not outlive its machine.
fn lay_out(files: &BTreeMap<PathBuf, Vec<u8>>, from: &Path, to: &Path) {
    for (path, bytes) in files {
        if let Ok(name) = path.strip_prefix(from)
            && !name.to_string_lossy().ends_with("-shm")
        {
            std::fs::create_dir_all(to).unwrap();
            std::fs::write(to.join(name), bytes).unwrap();
        }
    }
}

/// The day, call by call, and where its store was.
fn record() -> (Vec<Call>, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    run_behind("crash::a_day_that_is_recorded", root.path(), Some(log.path()));
    (read_log(log.path()), root.path().join("store"))
}

#[test]
fn a_machine_that_stops_at_any_call_has_lost_nothing_acknowledged() {
    let seeds = std::env::var("GATELOG_POWER_CUTS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_u64);
    let (calls, store) = record();
    let lines = lines(LINES);
    let mut disk = Disk::default();
    let mut fate = Fate { doubtful: (0..FED).collect(), ..Fate::default() };
    let (mut last, mut judged, mut of_store) = (BTreeMap::new(), 0, 0);
    for (at, call) in calls.iter().enumerate() {
        if let Some(place) = acknowledged(call) {
            fate.durable.insert(place);
            continue;
        }
        of_store += 1;
        let in_part =
            (0..seeds).filter(|_| seeds > 1 || at % 4 == 0).map(|seed| Crash::PowerCutInPart(at as u64 * 64 + seed));
        for (kind, crash) in [Crash::Kill, Crash::PowerCut].into_iter().chain(in_part).enumerate() {
            let state = (disk.after(crash), fate.durable.len());
            // What was found well is well.
            if last.get(&kind) != Some(&state) {
                let root = scratch();
                let folder = root.path().join("store");
                lay_out(&state.0, &store, &folder);
                judge(&folder, &lines, &fate, &format!("{crash:?} before call {at}, {}", short(call)));
                last.insert(kind, state);
                judged += 1;
            }
        }
        disk.call(call);
    }
    println!("{judged} crashes at {of_store} calls");
    assert_eq!(fate.durable.len(), FED);
    assert!(of_store > 300, "the day has few calls: {of_store}");
}

/// The place of a line that was acknowledged with this call.
fn acknowledged(call: &Call) -> Option<usize> {
    match call {
        Call::Write(path, _, bytes) if path.ends_with("acknowledged") => {
            std::str::from_utf8(bytes).unwrap().trim().parse().ok()
        }
        _ => None,
    }
}

fn short(call: &Call) -> String {
    format!("{call:?}").chars().take(120).collect()
}
