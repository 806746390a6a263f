//! Killed in the middle of writing and sealing, again and again, at moments that nobody chose: what was acknowledged is there,
//! nothing is there that was not written, every question is answered as a naive look would, and the store is clean.
//!
//! `GATELOG_KILLS` says how often; usually it is thirty times.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gatelog::store::{Settings, Writer};

use crate::records::NOW;
use crate::work::{Fate, found, is_clean, judge_places, lines, scratch, settings};

/// Names the folder, for the process that is killed, and the first line that it writes.
const FOLDER: &str = "GATELOG_KILL_FOLDER";
const FIRST: &str = "GATELOG_KILL_FIRST";
/// Whether it seals by itself, and not at its leisure in a thread that a busy machine may not let run before the kill.
const SEALS: &str = "GATELOG_KILL_SEALS";
/// Kills of one store, before another one is begun.
const OF_ONE: usize = 5;
/// Lines that are given at once.
const CHUNK: usize = 7;
/// Chunks that the writer may be ahead of what was heard of it.
const AHEAD: usize = 40;
/// The chunk after which that is: by then there is more than one segment.
const SEALED_AT: usize = 25;
/// Lines of one store: more than all its processes can write.
const LINES: usize = OF_ONE * (50 + AHEAD + 2) * CHUNK;

/// As many lines as are asked for, from a few hundred that come again, each with its own place.
fn all_lines() -> Vec<String> {
    let some = lines(120);
    let line =
        |at: usize| some[at % some.len()].replace(&format!(",\"n\":{}}}", at % some.len()), &format!(",\"n\":{at}}}"));
    (0..LINES).map(line).collect()
}

fn busy(folder: &Path) -> Settings {
    Settings { batch_lines: 40, seal_lines: 150, ..settings(folder) }
}

/// The process that is killed: by itself it does nothing. It writes a chunk for each line that it is sent, so that it is in the
/// middle of its work when it is killed, however slow the one who kills is.
#[test]
fn it_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let first: usize = std::env::var(FIRST).unwrap().parse().unwrap();
    let lines = all_lines();
    let mut writer = Writer::open(busy(&folder)).unwrap();
    let seals = std::env::var(SEALS).is_ok_and(|seals| seals == "true");
    if !seals {
        writer.start_upkeep().unwrap();
    }
    let (mut out, mut asked) = (std::io::stdout(), std::io::stdin().lines());
    for (at, some) in lines[first..].chunks(CHUNK).enumerate() {
        asked.next().unwrap().unwrap();
        let durable = writer.ingest(some.join("\n").as_bytes(), NOW).unwrap().durable;
        if seals && at == SEALED_AT {
            writer.take_care(NOW).unwrap();
        }
        writeln!(out, "durable {} sent {}", first + durable as usize, first + (at + 1) * CHUNK).unwrap();
    }
    asked.for_each(drop);
}

/// Lets a process write, and kills it; returns what it has acknowledged, and what it had been given, at most.
/// One that `seals` has done so by then.
fn killed(folder: &Path, first: usize, moment: &mut Moment, seals: bool) -> (usize, usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::it_writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .env(SEALS, seals.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let chunks = moment.next(if seals { 50 - SEALED_AT } else { 50 }) + if seals { SEALED_AT + 1 } else { 0 };
    let mut asks = child.stdin.take().unwrap();
    asks.write_all(&vec![b'\n'; chunks + AHEAD]).unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: &str, name: &str| line.split_once(name)?.1.split(' ').next()?.parse::<usize>().ok();
    let mut told = said.filter_map(|line| Some((number(&line, "durable ")?, number(&line, "sent ")?)));
    let heard = told.by_ref().take(chunks).last();
    // Not just where it has said something, but anywhere.
    for _ in 0..moment.next(4000) {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let last = told.last().or(heard);
    child.wait().unwrap();
    let (durable, sent) = last.unwrap_or((first, first));
    // One more may have been under way.
    (durable, sent + CHUNK)
}

/// Segments of the folder that are sealed.
fn sealed_in(folder: &Path) -> usize {
    let is_sealed = |entry: &std::fs::DirEntry| entry.path().extension() == Some("segment".as_ref());
    std::fs::read_dir(folder).map_or(0, |found| found.flatten().filter(is_sealed).count())
}

/// SplitMix64, begun anew each time: the moments are to be others each time.
struct Moment(u64);

impl Moment {
    fn next(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((x ^ x >> 27) % limit as u64) as usize
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let kills = std::env::var("GATELOG_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(30_usize);
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let (lines, mut moment) = (all_lines(), Moment(seed));
    let (mut acknowledged, mut sealed) = (0, 0);
    for begun in (0..kills).step_by(OF_ONE) {
        let root = scratch();
        let folder = root.path().join("store");
        let (mut fate, mut first) = (Fate::default(), 0);
        for round in begun..kills.min(begun + OF_ONE) {
            let when = format!("kill {round}, seed {seed}");
            // The last one of each store has sealed something, however slow the machine.
            let is_last = round + 1 == kills.min(begun + OF_ONE);
            let (durable, sent) = killed(&folder, first, &mut moment, is_last);
            fate.durable.extend(first..durable);
            fate.doubtful.extend(durable..sent);
            if !folder.is_dir() {
                continue;
            }
            let there = found(&folder, &lines, &when);
            judge_places(&there, &fate, &when);
            drop(Writer::open(busy(&folder)).unwrap());
            assert_eq!(found(&folder, &lines, &when), there, "{when}: opened again");
            is_clean(&folder, &there, &when);
            fate = Fate { durable: there, doubtful: BTreeSet::new() };
            first = sent;
        }
        acknowledged += fate.durable.len();
        sealed += sealed_in(&folder);
    }
    println!("{kills} kills, {acknowledged} records, {sealed} sealed segments");
    assert!(acknowledged > kills * 20 && sealed >= kills / OF_ONE, "too little was going on: {acknowledged}, {sealed}");
}
