//! What a record costs the store, and how long questions take: `cargo bench --bench store -- [RECORDS]`.
//!
//! Records of 24 hours, made from a seed: few routes have most of the traffic, few users too, one answer in a hundred is a
//! 5xx, one in fifty slow. Half a million of them unless the first argument says otherwise.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]

use std::fmt::Write as _;
use std::time::Instant;

use gatelog::filter::Expression;
use gatelog::record::timestamp;
use gatelog::store::rollup::Range;
use gatelog::store::{Order, Question, Reader, Records, Settings, Summaries, Writer};

const DAY: u64 = 86_400_000_000;
/// 2026-11-22T00:00:00Z.
const START: u64 = 1_795_305_600_000_000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// The lesser, the likelier.
    fn skewed(&mut self, limit: u64) -> u64 {
        let unit = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (limit as f64 * unit.powi(4)) as u64
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "curl/8.14.1",
    "ShopApp/4.2 (Android 15)",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
];

/// The two lines of a request.
fn request(dice: &mut Dice, at: u64, seq: u64, out: &mut String) {
    let route = dice.skewed(120);
    let (high, low, key) = (dice.next(), dice.next(), dice.skewed(200_000));
    let status = match dice.below(1000) {
        0..10 => [500, 502, 503][dice.below(3) as usize],
        10..50 => 404,
        50..100 => 302,
        _ => 200,
    };
    let micros = if dice.below(50) == 0 { 1_000_000 + dice.below(4_000_000) } else { 2_000 + dice.skewed(400_000) };
    let (level, outcome) = match status {
        500.. => ("ERROR", "server_error"),
        400.. => ("WARNING", "client_error"),
        300.. => ("INFO", "redirect"),
        _ => ("INFO", "success"),
    };
    let user = dice.skewed(50_000);
    let head = |at: u64, level: &str, event: &str, message: &str, seq: u64| {
        format!(
            "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"event\":\"{event}\",\"message\":\"{message}\",\
             \"logger\":\"gatelog.request\",\"schema\":1,\"seq\":{seq},\"instance\":\"a1b2\",\"service\":\"shop\"",
            timestamp(at)
        )
    };
    let mut shared = format!(
        ",\"request_id\":\"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\",\"request_id_origin\":\"generated\",\"method\":\"{}\",\
         \"scheme\":\"https\",\"host\":\"shop.example\",\"path\":\"/section{route}/{key}/\",\"http_version\":\"2\",\
         \"view_name\":\"section{route}:detail\",\"view_kwargs\":{{\"pk\":{key}}},\"route\":\"/section{route}/{{pk}}/\"",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff,
        if route % 7 == 3 { "POST" } else { "GET" },
    );
    if !user.is_multiple_of(3) {
        write!(shared, ",\"user_id\":\"u{user}\"").unwrap();
    }
    write!(
        shared,
        ",\"ip_address\":\"203.0.{}.{}\",\"peer_address\":\"10.0.0.9:{}\",\"user_agent\":\"{}\"",
        user >> 8 & 255,
        user & 255,
        1024 + dice.below(60_000),
        AGENTS[dice.skewed(6) as usize],
    )
    .unwrap();
    let started = head(at, "INFO", "request_started", "Request started", seq);
    writeln!(out, "{started}{shared},\"in_flight\":true}}").unwrap();
    let completed = head(at + micros, level, "request_completed", "Request completed", seq + 1);
    let seconds = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let exception = match status {
        500.. => format!(
            ",\"exception_type\":\"{}\",\"exception_message\":\"order {key}: {}\"",
            if status == 500 { "DatabaseError" } else { "connection_refused" },
            if status == 500 { "deadlock detected" } else { "connection reset by peer" }
        ),
        _ => String::new(),
    };
    writeln!(
        out,
        "{completed}{shared},\"request_size\":0,\"status_code\":{status},\"response_size\":{},\
         \"response_content_type\":\"text/html\",\"cache_hit\":\"unknown\",\"duration\":{},\
         \"timing\":{{\"queue\":0.000010,\"send\":0.000031,\"wait\":{},\"receive\":0.000120}},\"outcome\":\"{outcome}\",\
         \"phase\":\"done\",\"responder\":\"upstream\",\"upstream\":\"app\",\"upstream_address\":\"127.0.0.1:8000\",\
         \"attempts\":1,\"reused_connection\":true{exception},\"slow\":{}}}",
        200 + dice.skewed(90_000),
        seconds(micros),
        seconds(micros - 161),
        micros > 1_000_000,
    )
    .unwrap();
}

/// CPU time of this process so far, all threads: microseconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000.0
}

fn main() {
    let records: u64 = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(500_000);
    let folder = tempfile::tempdir().unwrap();
    let writer = fill(folder.path(), records);
    println!("{} records in 24 hours", writer.written().durable);
    ask(folder.path());
    summarise(&writer);
}

/// Ingest in real batches; what it costs to make the lines is measured apart and left out.
fn fill(folder: &std::path::Path, records: u64) -> Writer {
    let mut writer = Writer::open(Settings::new(folder.to_owned())).unwrap();
    let (mut dice, mut made, mut stored, mut sealed, mut bytes) = (Dice(7), 0.0, 0.0, 0.0, 0);
    let (step, mut lines, mut durable) = (DAY / (records / 2), String::new(), 0);
    for batch in 0..(records / 2).div_ceil(500) {
        let before = cpu();
        lines.clear();
        for at in batch * 500..(records / 2).min(batch * 500 + 500) {
            request(&mut dice, START + at * step, at * 2, &mut lines);
        }
        bytes += lines.len();
        let generated = cpu();
        let now = START + batch * 500 * step;
        durable = writer.ingest(lines.as_bytes(), now).unwrap().durable;
        let ingested = cpu();
        writer.take_care(now).unwrap();
        let cared = cpu();
        made += generated - before;
        stored += ingested - generated;
        sealed += cared - ingested;
    }
    let before = cpu();
    durable = durable.max(writer.commit().unwrap().durable);
    stored += cpu() - before;
    let per = |micros: f64| micros / durable as f64;
    println!("CPU us a record: {:.2} to store, {:.2} to seal (and {:.2} to make)", per(stored), per(sealed), per(made));
    let size: u64 = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    println!("bytes a record: {} as a line, {} stored", bytes as u64 / durable, size / durable);
    writer
}

fn ask(folder: &std::path::Path) {
    let reader = Reader::new(folder);
    let end = START + DAY;
    let newest = |limit| question("", None, limit);
    let id = reader.search(&newest(4000), &|| false).unwrap().lines.pop().unwrap();
    let id: serde_json::Value = serde_json::from_str(&id.json).unwrap();
    let id = id["request_id"].as_str().unwrap().to_owned();
    let questions = [
        ("newest 50", newest(50)),
        ("route + 5xx, last hour", question("route:\"section1:detail\" status>=500", Some(end - 3_600_000_000), 50)),
        ("route + 5xx, 24 hours", question("route:\"section1:detail\" status>=500", None, 50)),
        ("one request id", question(&format!("request_id:{id}"), None, 50)),
        ("one user, newest 50", question("user:u1234", None, 50)),
        ("a frequent user, newest 50", question("user:u1", None, 50)),
        ("rare text", question("\"section7/19999\"", None, 50)),
        ("common text", question("section", None, 50)),
        ("text in errors", question("deadlock", None, 50)),
        ("no text at all", question("nowhere-to-be-found", None, 50)),
        ("slow ones", question("duration>4.9s", None, 20)),
    ];
    for (name, question) in questions {
        let mut times = Vec::new();
        let mut page = gatelog::store::Page::default();
        for _ in 0..5 {
            let before = Instant::now();
            page = reader.search(&question, &|| false).unwrap();
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        println!("{name:28} {:8.2} ms (first {first:8.2}), {:2} lines of {:?}", times[2], page.lines.len(), page.total);
    }
}

/// What a dashboard asks, also of a store that another process writes to.
fn summarise(writer: &Writer) {
    let day = Range { since: START, until: START + DAY };
    let questions = [
        ("statistics of 24 hours", Reader::beside(writer), ""),
        ("the same, from outside", Reader::new(writer.path()), ""),
        ("statistics of all 5xx", Reader::beside(writer), "status>=500"),
    ];
    for (name, reader, filter) in questions {
        let filter = Expression::parse(filter).unwrap();
        let mut times = Vec::new();
        let mut told = (0, 0);
        for _ in 0..5 {
            let before = Instant::now();
            let statistics = reader.statistics(day, &filter, &|| false).unwrap();
            let performance = statistics.performance();
            times.push(before.elapsed().as_secs_f64() * 1e3);
            told = (statistics.total().records(), performance.slow_requests.len());
        }
        times.sort_by(f64::total_cmp);
        println!("{name:28} {:8.2} ms, {} records, the slowest {}", times[2], told.0, told.1);
    }
}

fn question(filter: &str, since: Option<u64>, limit: usize) -> Question {
    let filter = Expression::parse(filter).unwrap();
    Question { filter, since, until: None, order: Order::Newest, skip: 0, limit, count_to: 10_000 }
}
