//! Files that are not as they were left: bytes changed, pages mixed up, ends cut off, other files in their places. Nothing
//! panics, what is wrong is told by the file's name, and the other files answer as before.
//!
//! `GATELOG_DAMAGES` says how many damages there are.

use std::collections::BTreeSet;
use std::path::Path;

use gatelog::filter::Expression;
use gatelog::store::care::check;
use gatelog::store::rollup::Range;
use gatelog::store::{Question, Reader, Records, Summaries, Writer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::naive::{Record, everything};
use crate::records::NOW;
use crate::work::{lines, scratch, settings};

/// Lines of a segment; there are two sealed ones and a hot one.
const OF_ONE: usize = 60;

/// What happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    Bytes(Vec<(Index, u8)>),
    /// Not just anywhere: in the header of a page.
    Header(Index, u8, u8),
    Cut(Index),
    /// One page over another one.
    Page(Index, Index),
    Zeros(Index),
    Foreign(Vec<u8>),
    Version(u8),
}

const PAGE: usize = 4096;

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => vec((any::<Index>(), any::<u8>()), 1..20).prop_map(Damage::Bytes),
        3 => (any::<Index>(), 0u8..24, any::<u8>()).prop_map(|(page, at, byte)| Damage::Header(page, at, byte)),
        2 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Damage::Page(one, other)),
        1 => any::<Index>().prop_map(Damage::Zeros),
        // Not to nothing: an empty file is a segment that was just begun.
        1 => vec(any::<u8>(), 1..200).prop_map(Damage::Foreign),
        1 => any::<u8>().prop_map(Damage::Version),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let pages = (bytes.len() / PAGE).max(1);
        match self {
            Damage::Bytes(changes) => changes.iter().for_each(|(at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }),
            Damage::Header(page, at, byte) => bytes[page.index(pages) * PAGE + usize::from(*at)] = *byte,
            Damage::Cut(at) => bytes.truncate(1 + at.index(bytes.len() - 1)),
            Damage::Page(one, other) => {
                let from = one.index(pages) * PAGE;
                bytes.copy_within(from..from + PAGE, other.index(pages) * PAGE);
            }
            Damage::Zeros(page) => bytes[page.index(pages) * PAGE..][..PAGE].fill(0),
            Damage::Foreign(other) => *bytes = other.clone(),
            // Where SQLite keeps `user_version`.
            Damage::Version(version) => bytes[63] = *version,
        }
    }
}

/// A store of two sealed segments, a hot one, and rollups.
fn make(folder: &Path, lines: &[String]) {
    let mut writer = Writer::open(settings(folder)).unwrap();
    for (at, some) in lines.chunks(OF_ONE).enumerate() {
        writer.ingest(some.join("\n").as_bytes(), NOW).unwrap();
        if at < 2 {
            writer.roll(NOW).unwrap();
            writer.take_care(NOW).unwrap();
        }
    }
    writer.commit().unwrap();
}

const FILES: [&str; 4] = ["00000001.segment", "00000002.segment", "00000003.hot", "rollup.db"];

#[test]
fn a_damaged_file_is_named_and_the_others_answer() {
    let cases = std::env::var("GATELOG_DAMAGES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400_u32);
    let lines = lines(3 * OF_ONE + 20);
    let (lines, more) = lines.split_at(3 * OF_ONE);
    let whole = scratch();
    make(whole.path(), lines);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 50, ..Config::default() };
    let outcome = TestRunner::new(config).run(&(0..FILES.len(), damage()), |(at, damage)| {
        let folder = scratch();
        for entry in std::fs::read_dir(whole.path()).unwrap().map(|entry| entry.unwrap().path()) {
            std::fs::copy(&entry, folder.path().join(entry.file_name().unwrap())).unwrap();
        }
        let path = folder.path().join(FILES[at]);
        let before = std::fs::read(&path).unwrap();
        let mut bytes = before.clone();
        damage.apply(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let of_others: BTreeSet<usize> = (0..lines.len()).filter(|place| place / OF_ONE != at).collect();
        look(&path, lines, &of_others)?;
        go_on(folder.path(), more, &of_others)
    });
    outcome.unwrap();
}

/// Places of lines that are as they were written.
fn intact(folder: &Path, lines: &[String], named: &Path) -> Result<BTreeSet<usize>, TestCaseError> {
    let page = Reader::new(folder).search(&everything(), &|| false).unwrap();
    let name = named.file_name().unwrap().to_str().unwrap();
    prop_assert!(page.troubles.iter().all(|trouble| trouble.contains(name)), "{:?}", page.troubles);
    let place = |json: &str| Some(Record::read(json)?.map.get("n")?.as_u64()? as usize);
    let found: Vec<usize> = page
        .lines
        .iter()
        .filter_map(|line| place(&line.json).filter(|at| lines.get(*at).is_some_and(|own| **own == *line.json)))
        .collect();
    let checked = check(folder, &|| false).unwrap();
    prop_assert!(checked.problems.iter().all(|problem| problem.file.starts_with(name)), "{:?}", checked.problems);
    // What a question does not come across, a check does.
    let told = !page.troubles.is_empty() || !checked.problems.is_empty();
    prop_assert!(told || page.lines.len() >= lines.len(), "{} lines, and nothing is told", page.lines.len());
    Ok(found.into_iter().collect())
}

fn look(path: &Path, lines: &[String], of_others: &BTreeSet<usize>) -> Result<(), TestCaseError> {
    let folder = path.parent().unwrap();
    let found = intact(folder, lines, path)?;
    prop_assert!(found.is_superset(of_others), "gone with it: {:?}", of_others.difference(&found));
    let reader = Reader::new(folder);
    for filter in ["status>=500", "user:42", "request_id:7", "connection", "route:shop"] {
        let question = Question { filter: Expression::parse(filter).unwrap(), limit: 10, ..everything() };
        reader.search(&question, &|| false).unwrap();
    }
    let range = Range::last(7_200_000_000, NOW + 3_600_000_000);
    // Whatever is counted, it is an answer.
    let _ = reader.statistics(range, &Expression::parse("").unwrap(), &|| false);
    Ok(())
}

/// The writer opens it all the same, and takes more.
fn go_on(folder: &Path, more: &[String], of_others: &BTreeSet<usize>) -> Result<(), TestCaseError> {
    let mut writer = Writer::open(settings(folder)).unwrap();
    let mut store = |lines: &[String]| writer.ingest(lines.join("\n").as_bytes(), NOW).and_then(|_| writer.commit());
    // Some may be lost to finding out, once.
    let lost: Vec<u64> = more.chunks(5).filter_map(|some| store(some).err()).map(|lost| lost.lines).collect();
    prop_assert!(lost.len() <= 1, "{:?} are lost", lost);
    let stored = more.len() as u64 - lost.iter().sum::<u64>();
    writer.roll(NOW).unwrap();
    // A segment that makes no sense cannot be sealed.
    let _ = writer.take_care(NOW);
    drop(writer);
    let page = Reader::new(folder).search(&everything(), &|| false).unwrap();
    let there = page.lines.len() as u64;
    let others = of_others.len().min(2 * OF_ONE) as u64;
    prop_assert!(there >= others, "{} {:?}", there, page.troubles);
    // What was put into a file that is damaged further up may be as unreadable, and that is told: by the question, or where
    // the engine does not come across it, by a check.
    let told = || !page.troubles.is_empty() || !check(folder, &|| false).unwrap().problems.is_empty();
    prop_assert!(there >= others + stored || told(), "{} of {} more, and nothing is told", there - others, stored);
    Ok(())
}
