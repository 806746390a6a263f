//! A day of a shop's traffic as lines of the log, made from a seed: few routes and few users have most of it, noon is four
//! times as busy as midnight, one answer in a hundred is a 5xx, one in fifty takes more than a second.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use gatelog::record::timestamp;

/// Microseconds.
pub(crate) const DAY: u64 = 86_400_000_000;
/// 2026-11-22T00:00:00Z.
pub(crate) const START: u64 = 1_795_305_600_000_000;

/// Makes the records of a day, two for each request.
pub(crate) struct Traffic {
    dice: Dice,
    requests: u64,
    done: u64,
}

impl Traffic {
    /// Of so many records.
    pub(crate) fn new(records: u64) -> Traffic {
        Traffic { dice: Dice(7), requests: records / 2, done: 0 }
    }

    /// Appends the lines of the next requests, at most so many; returns when the last one began, `None` where the day is over.
    pub(crate) fn next(&mut self, most: u64, out: &mut String) -> Option<u64> {
        let until = self.requests.min(self.done + most);
        let mut last = None;
        for number in self.done..until {
            let at = moment(number as f64 / self.requests as f64);
            request(&mut self.dice, at, number * 2, out);
            last = Some(at);
        }
        self.done = until;
        last
    }
}

/// When such a part of the day's requests has come.
fn moment(part: f64) -> u64 {
    START + (DAY as f64 * (part + 0.6 * (TAU * part).sin() / TAU)) as u64
}

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

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
