//! A disk on which the n-th call fails, for every n until a day needs no more of them: with an error, without room, with half
//! a write; once, or for a while. And one that cannot be read at the n-th call.
//!
//! The test runs again in a process behind the disk (`disk.c`), which does the days and judges each. `GATELOG_FAULTS` says at
//! each how many-th call: usually it is one in five, another one for each kind.

use std::collections::BTreeSet;
use std::path::Path;

use gatelog::store::{AskError, Page, Reader, Records};

use crate::disk::{behind, run_behind, set};
use crate::naive::{Naive, everything};
use crate::work::{Fate, Feeder, judge, judge_places, lines, scratch};

const LINES: usize = 160;
const FED: usize = LINES - 20;

/// Kinds of failures, and for how many calls each lasts.
const FAULTS: [(&str, u64); 5] = [("eio", 1), ("eio", 9), ("enospc", 1), ("enospc", 60), ("short", 1)];

#[test]
fn whatever_call_fails_what_was_acknowledged_is_there() {
    let root = scratch();
    let said = run_behind("faults::days_on_a_bad_disk", root.path(), None);
    let told = said.lines().find(|line| line.contains("days with a fault")).unwrap();
    println!("{told}");
}

/// The process behind the disk: by itself it does nothing.
#[test]
fn days_on_a_bad_disk() {
    let Some(root) = behind() else { return };
    let stride = std::env::var("GATELOG_FAULTS").ok().and_then(|stride| stride.parse().ok()).unwrap_or(5_usize);
    let lines = lines(LINES);
    let (mut days, mut with_doubt, mut most) = (0, 0, 0);
    for (at, (kind, lasts)) in FAULTS.into_iter().enumerate() {
        for first in (at as u64 % stride as u64..).step_by(stride) {
            let folder = root.join("store");
            set(&root, kind, first, lasts);
            let mut told = |_| {};
            let mut feeder = Feeder::new(&folder, &mut told);
            feeder.day(&lines[..FED]);
            let fate = std::mem::take(&mut feeder.fate);
            let calls = set(&root, "none", 0, 0);
            judge(&folder, &lines, &fate, &format!("{kind} at call {first} for {lasts}"));
            std::fs::remove_dir_all(&folder).unwrap();
            days += 1;
            with_doubt += usize::from(!fate.doubtful.is_empty());
            most = most.max(calls);
            if calls < first {
                break;
            }
        }
    }
    println!("{days} days with a fault, of up to {most} calls; records were given up in {with_doubt}");
    assert!(with_doubt * 20 > days, "faults do hardly any harm: {with_doubt} of {days}");
}

#[test]
fn whatever_read_fails_it_is_told_and_nothing_panics() {
    let root = scratch();
    let said = run_behind("faults::questions_on_a_bad_disk", root.path(), None);
    println!("{}", said.lines().find(|line| line.contains("questions with a fault")).unwrap());
}

/// The process behind the disk: by itself it does nothing.
#[test]
fn questions_on_a_bad_disk() {
    let Some(root) = behind() else { return };
    let (lines, folder) = (lines(LINES), root.join("store"));
    let mut told = |_| {};
    let mut feeder = Feeder::new(&folder, &mut told);
    feeder.day(&lines[..FED]);
    let naive = Naive::of(&lines[..FED]);
    let (mut asked, mut incomplete) = (0, 0);
    for first in 0.. {
        set(&root, "eioread", first, 1);
        let page = Reader::new(&folder).search(&everything(), &|| false);
        let reads = set(&root, "none", 0, 0);
        asked += 1;
        incomplete += usize::from(!is_told(&naive, &page));
        if reads < first {
            break;
        }
    }
    println!("{asked} questions with a fault, {incomplete} of them without an answer or a part of it");
    assert!(incomplete * 2 > asked, "faults do hardly any harm: {incomplete} of {asked}");
    reopened_after_a_failed_read(&root, &folder, &lines, feeder.fate.clone());
}

/// Whether an answer is whole; where it is not, it says so.
fn is_told(naive: &Naive, page: &Result<Page, AskError>) -> bool {
    let Ok(page) = page else { return false };
    let whole = naive.judge(&everything(), page);
    assert!(
        whole.is_ok() || page.troubles.iter().any(|trouble| trouble.contains("/0000000")),
        "{whole:?} {:?}",
        page.troubles
    );
    whole.is_ok()
}

/// A writer that cannot read a file at the moment does not give it up.
fn reopened_after_a_failed_read(root: &Path, folder: &Path, lines: &[String], mut fate: Fate) {
    for first in 0.. {
        set(root, "eioread", first, 1);
        let mut told = |_| {};
        let mut feeder = Feeder::new(folder, &mut told);
        feeder.feed(0, &[]);
        feeder.close();
        let reads = set(root, "none", 0, 0);
        let there: BTreeSet<usize> = crate::work::found(folder, lines, &format!("opened with read {first} failing"));
        judge_places(&there, &fate, &format!("opened with read {first} failing"));
        if reads < first {
            break;
        }
    }
    fate.doubtful.clear();
    judge(folder, lines, &fate, "after all reads had failed");
}
