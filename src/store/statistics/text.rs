//! Statistics as `gatelog stats` shows them: what is wrong first catches the eye, then where it is, then which.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::table::{Cell, Side, Table, Tint, bar, bytes, duration, grouped, share};
use super::{Counts, Statistics};
use crate::record::{self, Level};
use crate::store::rollup::{HOUR, Mention, Requests};

/// How it is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Letters of a line.
    pub width: usize,
    /// Whether the terminal has colours; never in a pipe.
    pub colour: bool,
    /// Routes, and names of any other kind, that are shown of each; how many more there are is told.
    pub most: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { width: 100, colour: false, most: 20 }
    }
}

/// Letters of the longest bar.
const BAR: usize = 30;
/// Hours that are shown one by one; of a longer time, days are.
const MOST_HOURS: u64 = 48;
/// Errors that are shown one by one.
const MOST_ERRORS: usize = 10;

impl Statistics {
    /// All of it as text; what there is none of is left out.
    pub fn show(&self, shape: Shape) -> String {
        let mut page = Page { shape, out: String::new() };
        page.summary(self);
        page.hours(&self.hours);
        page.routes(self);
        page.requests(&self.total.requests);
        page.records(self);
        page.errors(self);
        page.slowest(self);
        self.troubles.iter().for_each(|trouble| page.line(Tint::Warning, &format!("not read: {trouble}")));
        page.out
    }
}

struct Page {
    shape: Shape,
    out: String,
}

impl Page {
    fn summary(&mut self, statistics: &Statistics) {
        let (total, range) = (&statistics.total, statistics.range);
        let (requests, errors) = (&total.requests, total.error_count());
        let moments = [range.since, range.until].map(|at| moment(at, 0..19));
        self.line(Tint::Heading, &format!("{} to {} UTC", moments[0], moments[1]));
        if statistics.partial {
            self.line(Tint::Warning, "The time was up: there may be more than is counted here.");
        }
        let mut table = Table::new(&[
            ("requests", Side::Right),
            ("records", Side::Right),
            ("errors", Side::Right),
            ("5xx", Side::Right),
            ("slow", Side::Right),
            ("received", Side::Right),
            ("sent", Side::Right),
        ]);
        table.push(vec![
            Cell::plain(grouped(requests.count())),
            Cell::plain(grouped(total.records())),
            Cell::alarming(errors, Tint::Error),
            Cell::plain(share(requests.of_class(5), requests.count())),
            Cell::alarming(requests.slow, Tint::Warning),
            Cell::plain(bytes(requests.request_bytes)),
            Cell::plain(bytes(requests.response_bytes)),
        ]);
        self.table(&table);
    }

    fn hours(&mut self, hours: &BTreeMap<u64, Counts>) {
        let span = match (hours.first_key_value(), hours.last_key_value()) {
            (Some((first, _)), Some((last, _))) => (last - first) / HOUR,
            _ => return,
        };
        let (name, step, letters) = if span < MOST_HOURS { ("hour", HOUR, 0..16) } else { ("day", 24 * HOUR, 0..10) };
        let mut steps = BTreeMap::<u64, Counts>::new();
        hours.iter().for_each(|(hour, counts)| steps.entry(hour / step * step).or_default().add(*counts));
        let most = steps.values().map(|counts| counts.records).max().unwrap_or_default();
        self.heading(&format!("By {name}"));
        let mut table =
            Table::new(&[(name, Side::Left), ("records", Side::Right), ("errors", Side::Right), ("", Side::Left)]);
        for (at, counts) in steps {
            table.push(vec![
                Cell::plain(moment(at, letters.clone())),
                Cell::plain(grouped(counts.records)),
                Cell::alarming(counts.errors, Tint::Error),
                Cell::tinted(bar(counts.records, most, BAR), Tint::Bar),
            ]);
        }
        self.table(&table);
    }

    fn routes(&mut self, statistics: &Statistics) {
        let mut routes: Vec<_> = statistics.total.routes.iter().collect();
        routes.sort_by_key(|(_, requests)| Reverse(requests.count()));
        if routes.is_empty() {
            return;
        }
        self.heading("Routes");
        let numbers = ["requests", "share", "4xx", "5xx", "avg", "p50", "p95", "p99", "max"];
        let mut columns = vec![("route", Side::Left)];
        columns.extend(numbers.map(|name| (name, Side::Right)));
        let (mut table, all) = (Table::new(&columns), statistics.total.requests.count());
        for (name, requests) in routes.iter().take(self.shape.most) {
            table.push(route_row(name, requests, all));
        }
        if routes.len() > 1 {
            table.push(route_row("all", &statistics.total.requests, all));
        }
        self.table(&table);
        self.more(routes.len());
    }

    fn requests(&mut self, requests: &Requests) {
        let statuses = requests.statuses.iter().map(|(status, count)| {
            let tint = match status / 100 {
                4 => Tint::Warning,
                5 => Tint::Error,
                _ => Tint::Plain,
            };
            (super::answers::status_name(status), count, tint)
        });
        self.counted("Statuses", "status", statuses.collect());
        let outcomes = requests.outcomes().map(|(outcome, count)| (outcome.as_str().to_owned(), count, Tint::Plain));
        self.counted("Outcomes", "outcome", most_first(outcomes.collect()));
    }

    fn records(&mut self, statistics: &Statistics) {
        let levels = Level::ALL.into_iter().zip(statistics.total.levels).filter(|(_, count)| *count > 0);
        let levels = levels.map(|(level, count)| (level.as_str().to_owned(), count, tint(level)));
        self.counted("Levels", "level", levels.collect());
        let plain = |(name, count): (&str, &u64)| (name.to_owned(), *count, Tint::Plain);
        self.counted("Loggers", "logger", most_first(statistics.total.loggers.iter().map(plain).collect()));
    }

    fn errors(&mut self, statistics: &Statistics) {
        let kinds = statistics.total.errors.iter().map(|(kind, count)| (kind.to_owned(), *count, Tint::Error));
        self.counted("Errors", "kind", most_first(kinds.collect()));
        let newest: Vec<_> = statistics.total.notable.errors().take(MOST_ERRORS).collect();
        self.mentions("Newest errors", &newest, "message", |mention| mention.message.to_string());
    }

    fn slowest(&mut self, statistics: &Statistics) {
        let slowest: Vec<_> = statistics.total.notable.slowest().take(self.shape.most).collect();
        self.mentions("Slowest requests", &slowest, "request", |mention| {
            mention.request_id.as_deref().unwrap_or_default().to_owned()
        });
    }

    /// Numbers by their names, with bars.
    fn counted(&mut self, heading: &str, column: &str, named: Vec<(String, u64, Tint)>) {
        if named.is_empty() {
            return;
        }
        self.heading(heading);
        let most = named.iter().map(|(_, count, _)| *count).max().unwrap_or_default();
        let whole = named.iter().map(|(_, count, _)| *count).sum();
        let mut table =
            Table::new(&[(column, Side::Left), ("count", Side::Right), ("share", Side::Right), ("", Side::Left)]);
        for (name, count, tint) in named.iter().take(self.shape.most) {
            table.push(vec![
                Cell::tinted(name, *tint),
                Cell::plain(grouped(*count)),
                Cell::plain(share(*count, whole)),
                Cell::tinted(bar(*count, most, BAR), Tint::Bar),
            ]);
        }
        self.table(&table);
        self.more(named.len());
    }

    /// Records one by one.
    fn mentions(&mut self, heading: &str, mentions: &[&Mention], last: &str, text: impl Fn(&Mention) -> String) {
        if mentions.is_empty() {
            return;
        }
        self.heading(heading);
        let mut table = Table::new(&[
            ("time", Side::Left),
            ("duration", Side::Right),
            ("status", Side::Right),
            ("what", Side::Left),
            (last, Side::Left),
        ]);
        for mention in mentions {
            let status = mention.status.map(super::answers::status_name).unwrap_or_default();
            table.push(vec![
                Cell::plain(moment(mention.at, 0..19)),
                Cell::plain(mention.duration.map(duration).unwrap_or_default()),
                Cell::tinted(status, tint(mention.level)),
                Cell::plain(what(mention)),
                Cell::tinted(text(mention), Tint::Faint),
            ]);
        }
        self.table(&table);
    }

    fn heading(&mut self, text: &str) {
        self.out.push('\n');
        self.line(Tint::Heading, text);
    }

    fn line(&mut self, tint: Tint, text: &str) {
        self.out.push_str(&tint.paint(text, self.shape.colour));
        self.out.push('\n');
    }

    fn table(&mut self, table: &Table) {
        table.write(self.shape.width, self.shape.colour, &mut self.out);
    }

    fn more(&mut self, all: usize) {
        if all > self.shape.most {
            self.line(Tint::Faint, &format!("  and {} more", all - self.shape.most));
        }
    }
}

fn route_row(name: &str, requests: &Requests, all: u64) -> Vec<Cell> {
    let durations = &requests.durations;
    let time = |micros: Option<u64>| Cell::plain(micros.map(duration).unwrap_or_default());
    vec![
        Cell::plain(name),
        Cell::plain(grouped(requests.count())),
        Cell::plain(share(requests.count(), all)),
        Cell::alarming(requests.of_class(4), Tint::Warning),
        Cell::alarming(requests.of_class(5), Tint::Error),
        time(durations.mean().map(|mean| mean.round() as u64)),
        time(durations.quantile(0.5)),
        time(durations.quantile(0.95)),
        time(durations.quantile(0.99)),
        time(durations.quantile(1.0)),
    ]
}

fn most_first(mut named: Vec<(String, u64, Tint)>) -> Vec<(String, u64, Tint)> {
    named.sort_by(|(one, few, _), (other, many, _)| many.cmp(few).then_with(|| one.cmp(other)));
    named
}

fn tint(level: Level) -> Tint {
    match level {
        Level::Debug | Level::Info => Tint::Plain,
        Level::Warning => Tint::Warning,
        Level::Error | Level::Critical => Tint::Error,
    }
}

/// The request, or the kind of error where there was none.
fn what(mention: &Mention) -> String {
    match (&mention.method, &mention.path) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        (Some(only), None) | (None, Some(only)) => only.to_string(),
        (None, None) => mention.kind.as_deref().unwrap_or_default().to_owned(),
    }
}

/// So much of a moment, for people.
fn moment(micros: u64, letters: std::ops::Range<usize>) -> String {
    record::timestamp(micros)[letters].replace('T', " ")
}
