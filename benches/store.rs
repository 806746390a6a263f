//! What a record costs the store, and how long questions take.
//!
//! - `cargo bench --bench store -- [RECORDS]`: a store of so many records of one day (`traffic`; half a million unless said
//!   otherwise) in a temporary folder, and all questions to it.
//!   Then the statistics of the day again, while the store is open to be written to.
//! - `… -- make FOLDER RECORDS`: the store, and beside it the same lines as `log.json`.
//! - `… -- ask FOLDER [NUMBER]`: all questions to that store, or one of them: a line each, with tabs: number, name,
//!   milliseconds of the first time and the median of nine, how many were found, and what was asked.
//!
//! `benches/compare/questions.py` runs these, and asks jq, lnav and Python the same.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]

mod traffic;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use gatelog::filter::Expression;
use gatelog::store::rollup::Range;
use gatelog::store::{Order, Question, Reader, Records, Settings, Summaries, Total, Writer};
use traffic::{DAY, START, Traffic};

/// The one of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder, records] => fill(Path::new(folder), records.parse().unwrap(), true),
        ["ask", folder] => ask(Path::new(folder), None),
        ["ask", folder, number] => ask(Path::new(folder), number.parse().ok()),
        _ => {
            let records = arguments.first().and_then(|records| records.parse().ok()).unwrap_or(500_000);
            let folder = tempfile::tempdir().unwrap();
            fill(folder.path(), records, false);
            ask(folder.path(), None);
            summarise(&folder.path().join("store"));
        }
    }
}

/// The same day as a dashboard asks for it: of a store that is written to, from within its process and from another one.
fn summarise(store: &Path) {
    let writer = Writer::open(Settings::new(store)).unwrap();
    let day = Ask::Day(Expression::parse("").unwrap());
    for (name, reader) in [("within the process", Reader::beside(&writer)), ("from another", Reader::new(store))] {
        let (times, found) = measured(&reader, &day);
        println!("-\t{name:34}\t{:9.2}\t{:9.2}\t{found}", times.0, times.1);
    }
}

/// CPU time of this process so far, all threads: microseconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000.0
}

/// Microseconds of the day between two looks for what is to be sealed or removed.
const LOOK_AFTER: u64 = 600_000_000;

/// Ingest in real batches; what it costs to make the lines is measured apart and left out.
fn fill(folder: &Path, records: u64, logged: bool) {
    std::fs::create_dir_all(folder).unwrap();
    let store = folder.join("store");
    let mut log = logged.then(|| File::create(folder.join("log.json")).unwrap());
    let mut writer = Writer::open(Settings::new(store.clone())).unwrap();
    let mut traffic = Traffic::new(records);
    let (mut made, mut stored, mut sealed, mut bytes, mut durable, mut looked) = (0.0, 0.0, 0.0, 0, 0, 0);
    let mut lines = String::new();
    loop {
        let before = cpu();
        lines.clear();
        let Some(now) = traffic.next(500, &mut lines) else { break };
        bytes += lines.len() as u64;
        log.iter_mut().for_each(|log| log.write_all(lines.as_bytes()).unwrap());
        let generated = cpu();
        durable = writer.ingest(lines.as_bytes(), now).unwrap().durable;
        let ingested = cpu();
        // As the thread for it does while records come.
        if now >= looked + LOOK_AFTER {
            looked = now;
            writer.take_care(now).unwrap();
        }
        made += generated - before;
        stored += ingested - generated;
        sealed += cpu() - ingested;
    }
    let before = cpu();
    durable = durable.max(writer.commit().unwrap().durable);
    drop(writer);
    stored += cpu() - before;
    let per = |micros: f64| micros / durable as f64;
    println!("{durable} records in 24 hours");
    println!(
        "CPU us a record: {:.2} in all, {:.2} to store and count, {:.2} to seal (and {:.2} to make)",
        per(stored + sealed),
        per(stored),
        per(sealed),
        per(made)
    );
    let size: u64 = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    println!("bytes a record: {} as a line, {} stored", bytes / durable, size / durable);
}

/// What is asked: a page of records, or what a day was like.
enum Ask {
    Page(Question),
    /// Without a filter from what was counted beforehand, under one by looking at each record.
    Day(Expression),
    /// The slowest requests of a day.
    Slowest,
}

fn questions(reader: &Reader) -> Vec<(&'static str, String, Ask)> {
    let end = START + DAY;
    let id = reader.search(&question("event:request_completed", None, 3000), &|| false).unwrap().lines.pop().unwrap();
    let id: serde_json::Value = serde_json::from_str(&id.json).unwrap();
    let id = format!("request_id:{}", id["request_id"].as_str().unwrap());
    let hour = Some(end - 3_600_000_000);
    let asked: [(&str, &str, Option<u64>, usize); 12] = [
        ("route + 5xx, last hour", "route:\"section1:detail\" status>=500", hour, 50),
        ("one request id", &id, None, 50),
        ("one user, newest 50", "user:u1234", None, 50),
        ("rare text", "\"section7/19999\"", None, 50),
        ("common text, total to 10 000", "section", None, 50),
        ("a frequent user, newest 50", "user:u1", None, 50),
        ("route + 5xx, 24 hours", "route:\"section1:detail\" status>=500", None, 50),
        ("text in errors", "deadlock", None, 50),
        ("no text at all", "nowhere-to-be-found", None, 50),
        ("slower than 4.9 s", "duration>4.9s", None, 20),
        ("newest 50", "", None, 50),
        ("errors since noon, newest 50", "level>=error", Some(START + DAY / 2), 50),
    ];
    let pages =
        asked.map(|(name, filter, since, limit)| (name, filter.to_owned(), Ask::Page(question(filter, since, limit))));
    let mut all = Vec::from(pages);
    let day = |filter: &str| Ask::Day(Expression::parse(filter).unwrap());
    all.insert(5, ("24 h of statistics", String::new(), day("")));
    all.insert(6, ("slowest 20", String::new(), Ask::Slowest));
    let failed = "status>=500";
    all.push(("24 h of statistics of all 5xx", failed.to_owned(), day(failed)));
    all
}

/// Asks each question nine times, or one of them.
fn ask(folder: &Path, one: Option<usize>) {
    let folder = if folder.join("store").is_dir() { folder.join("store") } else { folder.to_owned() };
    let asked = questions(&Reader::new(&folder));
    for (number, (name, filter, ask)) in
        asked.iter().enumerate().filter(|(number, _)| one.is_none_or(|one| one == *number))
    {
        // What was opened before is no help to the first time.
        let reader = Reader::new(&folder);
        let (times, found) = measured(&reader, ask);
        println!("{number}\t{name:34}\t{:9.2}\t{:9.2}\t{found}\t{filter}", times.0, times.1);
    }
}

/// Milliseconds of the first time and the median of nine, and what was found.
fn measured(reader: &Reader, ask: &Ask) -> ((f64, f64), String) {
    let mut found = String::new();
    let mut times = [0.0; 9].map(|_: f64| {
        let before = Instant::now();
        found = answer(reader, ask);
        before.elapsed().as_secs_f64() * 1e3
    });
    let first = times[0];
    times.sort_by(f64::total_cmp);
    ((first, times[4]), found)
}

fn answer(reader: &Reader, ask: &Ask) -> String {
    match ask {
        Ask::Page(question) => {
            let page = reader.search(question, &|| false).unwrap();
            assert!(page.troubles.is_empty() && !page.partial, "{:?}", page.troubles);
            match page.total {
                Total::Exact(total) => total.to_string(),
                Total::AtLeast(total) => format!("{total}+"),
            }
        }
        Ask::Day(filter) => {
            let range = Range::last(DAY, START + DAY);
            let statistics = reader.statistics(range, filter, &|| false).unwrap();
            let (performance, stats) = (statistics.performance(), statistics.stats());
            assert!(statistics.troubles().is_empty() && !performance.slow_requests.is_empty());
            stats.total_records.to_string()
        }
        Ask::Slowest => {
            let statistics = reader.overview(Range::last(DAY, START + DAY), &|| false).unwrap();
            let slowest: Vec<_> = statistics.total().notable.slowest().filter_map(|mention| mention.duration).collect();
            assert!(statistics.troubles().is_empty() && slowest.len() == 20);
            slowest.len().to_string()
        }
    }
}

fn question(filter: &str, since: Option<u64>, limit: usize) -> Question {
    let filter = Expression::parse(filter).unwrap();
    Question { filter, since, until: None, order: Order::Newest, skip: 0, limit, count_to: 10_000 }
}
