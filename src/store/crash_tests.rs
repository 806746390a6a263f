//! Killed in the middle of writing and sealing, again and again: what was acknowledged is there, and nothing but what was
//! written, in its order.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::filter::Expression;
use crate::record::timestamp;

const NOW: u64 = 1_795_345_356_000_000;
/// Names the folder, for the process that is killed.
const FOLDER: &str = "GATELOG_CRASH_FOLDER";

fn line(number: u64) -> String {
    format!("{{\"timestamp\":\"{}\",\"path\":\"/{number}\",\"n\":{number}}}\n", timestamp(NOW + number))
}

/// What is in the store: the numbers from 0 to this one.
fn stored(folder: &Path) -> u64 {
    let filter = Expression::parse("").unwrap();
    let (since, until, order) = (None, None, Order::Oldest);
    let question = Question { filter, since, until, order, skip: 0, limit: 1 << 20, count_to: 1 << 20 };
    let page = Reader::new(folder).search(&question, &|| false).unwrap();
    assert_eq!(page.troubles, Vec::<String>::new());
    for (number, found) in page.lines.iter().enumerate() {
        assert_eq!(*found.json, *line(number as u64).trim_end());
    }
    page.lines.len() as u64
}

/// The process that is killed: by itself it does nothing.
#[test]
fn it_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let first = stored(&folder);
    let settings = Settings { batch_lines: 40, seal_lines: 300, age: None, ..Settings::new(folder) };
    let mut writer = Writer::open(settings).unwrap();
    writer.start_upkeep().unwrap();
    for number in first..first + 20_000 {
        let durable = writer.ingest(line(number).as_bytes(), NOW).unwrap().durable;
        println!("durable {}", first + durable);
    }
}

/// Reads what a writing process acknowledges, and kills it after so many times; returns the last of them.
fn killed_after(folder: &Path, acknowledged: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::crash_tests::it_writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told = lines.filter_map(|line| line.split_once("durable ")?.1.parse::<u64>().ok());
    let last = told.by_ref().take(acknowledged).last().unwrap_or_default();
    child.kill().unwrap();
    let last = told.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let rounds = std::env::var("GATELOG_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let acknowledged = killed_after(folder.path(), 100 + round * 7919 % 900);
        let before = stored(folder.path());
        assert!(acknowledged > 0 && before >= acknowledged, "round {round}: {before} of {acknowledged}");
        let settings =
            Settings { batch_lines: 40, seal_lines: 300, age: None, ..Settings::new(folder.path().to_owned()) };
        drop(Writer::open(settings).unwrap());
        assert_eq!(stored(folder.path()), before);
    }
}
