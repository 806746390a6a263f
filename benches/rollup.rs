//! What it costs to count a record, and to tell what 24 hours were like: 120 routes, each used in every minute.

#![allow(missing_docs, reason = "the functions that criterion's macros make have no docs")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it looks at what it wrote, and prints it")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Mutex;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelog::record::{Level, Outcome};
use gatelog::store::rollup::{HOUR, MINUTE, Noted, Opened, Pending, Range, RollupFile, RollupReader};
use gatelog::store::statistics::{Series, Statistics};

/// 2026-11-21T10:37:00Z: a range that begins and ends within an hour.
const START: u64 = 1_795_257_420_000_000;
const ROUTES: u64 = 120;
const A_MINUTE: u64 = 6_000;

/// SplitMix64, so that each run counts the same.
fn dice(seed: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

fn names() -> Vec<String> {
    (0..ROUTES).map(|route| format!("shop:view-{route}")).collect()
}

/// Started and completed by turns; few routes have most of the requests, and durations lie as those of an application do.
fn record(names: &[String], at: u64, number: u64) -> Noted<'_> {
    let (chance, logger) = (dice(number), "gatelog.request");
    if number.is_multiple_of(2) {
        return Noted::new(at, Level::Info, logger, "request_started");
    }
    let skewed = (chance % ROUTES) * (chance / ROUTES % ROUTES) / ROUTES;
    let duration = (2_000 + chance % 5_000) << (chance >> 60).min(7);
    let (status, level) = if chance.is_multiple_of(200) { (502, Level::Error) } else { (200, Level::Info) };
    Noted {
        route: names.get(skewed as usize).map(String::as_str),
        status: Some(status),
        outcome: Some(Outcome::of_status(status)),
        duration: Some(duration),
        response_bytes: chance % 9_000,
        request_id: Some("01997f3e-0001-7000-8000-000000000001"),
        method: Some("GET"),
        path: Some("/shop/products/1048576/"),
        ..Noted::new(at, level, logger, "request_completed")
    }
}

/// A day of them in a file; prints how large it is.
fn day(folder: &Path) -> Mutex<Pending> {
    let Opened { mut file, pending, .. } = RollupFile::open(folder, START).expect("a file");
    let (names, pending) = (names(), Mutex::new(pending));
    for minute in 0..24 * 60 {
        for number in 0..A_MINUTE {
            let at = START + minute * MINUTE + number * (MINUTE / A_MINUTE);
            let noted = record(&names, at, minute * A_MINUTE + number);
            pending.lock().expect("no panic").note(minute * A_MINUTE + number + 1, &noted);
        }
        file.save(&pending).expect("saved");
    }
    drop(file);
    let bytes = std::fs::metadata(folder.join("rollup.db")).expect("a file").len();
    println!("24 hours, {ROUTES} routes, {A_MINUTE} records a minute: {:.1} MB", bytes as f64 / 1e6);
    pending
}

fn note(c: &mut Criterion) {
    let names = names();
    let records: Vec<_> = (0..4_096).map(|number| record(&names, START + number, number)).collect();
    let (mut pending, mut number) = (Pending::default(), 0);
    c.bench_function("note", |b| {
        b.iter(|| {
            let noted = &records[number as usize % records.len()];
            number += 1;
            pending.note(number, black_box(noted));
        })
    });
}

fn ask(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let pending = day(folder.path());
    let range = Range { since: START, until: START + 24 * HOUR };
    let reader = || RollupReader::open_with(folder.path(), &pending).expect("a reader");
    c.bench_function("statistics of 24 h", |b| {
        b.iter(|| {
            let statistics = Statistics::of(&reader(), range).expect("statistics");
            black_box((statistics.stats(), statistics.errors(), statistics.performance()));
        })
    });
    c.bench_function("chart of 24 h", |b| {
        b.iter(|| black_box(Series::of(&reader(), range, 300, None).expect("a series").chart()))
    });
    c.bench_function("chart of one route", |b| {
        b.iter(|| black_box(Series::of(&reader(), range, 300, Some("shop:view-7")).expect("a series").chart()))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = note, ask
}
criterion_main!(benches);
