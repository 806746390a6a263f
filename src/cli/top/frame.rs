//! One frame of `gatelog top`, as lines of text: how much at the top, then where it is, then which.

use serde_json::Value as Json;

use super::columns::{Cell, Columns};
use super::sample::{Counts, Sample};
use super::view::View;
use crate::filter::Span;
use crate::search::paint::{Colour, Screen, duration, harmless};
use crate::search::zone::Zone;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Letters of a line.
    pub(super) columns: usize,
    /// Lines.
    pub(super) rows: usize,
}

/// Rows of each list that are shown, however much room there is.
const MOST: usize = 20;

/// The frame as it is at `now`, microseconds since the Unix epoch: no line is longer than there are columns, and there are
/// no more than rows.
pub(super) fn draw(view: &View, screen: Screen, size: Size, zone: &Zone, now: u64) -> Vec<String> {
    let frame = Frame { view, screen, columns: size.columns, zone };
    let mut lines = frame.head(now);
    let lists = [
        ("Routes", frame.routes()),
        ("Running", frame.running()),
        ("Slowest of the last 15 minutes", frame.mentions(&view.slow)),
        ("Newest errors", frame.mentions(&view.errors)),
    ];
    let lists: Vec<_> = lists.into_iter().filter(|(_, list)| list.len() > 0).collect();
    let needed: Vec<usize> = lists.iter().map(|(_, list)| list.len()).collect();
    for ((name, list), rows) in lists.iter().zip(shares(&needed, size.rows.saturating_sub(lines.len()))) {
        let more = if rows < list.len() { format!("and {} more", list.len() - rows) } else { String::new() };
        if rows > 0 {
            lines.push(String::new());
            lines.push(frame.line(&[((*name).to_owned(), Colour::Bold), (more, Colour::Dim)]));
            lines.extend(list.lines(rows, screen, size.columns));
        }
    }
    lines.truncate(size.rows);
    lines
}

/// How many rows each list gets: what it needs, or half of the room where others come behind it.
fn shares(needed: &[usize], rows: usize) -> Vec<usize> {
    // A blank line, the list's name, its heading.
    const FRAME: usize = 3;
    let mut left = rows;
    let share = |(at, wanted): (usize, &usize)| {
        let room = left.saturating_sub(FRAME);
        let fair = if at + 1 < needed.len() { room / 2 } else { room };
        let share = (*wanted).min(fair.max(FRAME)).min(room).min(MOST);
        left = left.saturating_sub(share + FRAME);
        share
    };
    needed.iter().enumerate().map(share).collect()
}

struct Frame<'v> {
    view: &'v View,
    screen: Screen,
    columns: usize,
    zone: &'v Zone,
}

impl Frame<'_> {
    fn head(&self, now: u64) -> Vec<String> {
        let mut lines = vec![self.title(now)];
        let Some((newest, pace, oldest)) = self.view.moments() else { return lines };
        lines.push(self.rates(newest, pace));
        lines.push(self.times(newest, oldest));
        if let Some(trouble) = &self.view.trouble {
            lines.push(self.line(&[(harmless(trouble), Colour::Red)]));
        }
        lines
    }

    fn title(&self, now: u64) -> String {
        let up = self.view.newest().map(|newest| uptime((now as f64 / 1e6 - newest.started).max(0.0) as u64));
        let up = up.map(|up| format!("up {up}")).unwrap_or_default();
        let time = self.zone.time_of_day(now);
        let time = time.get(..8).unwrap_or(&time);
        self.line(&[
            ("gatelog top".to_owned(), Colour::Bold),
            (self.view.name(), Colour::Cyan),
            (up, Colour::Plain),
            (time.to_owned(), Colour::Dim),
        ])
    }

    fn rates(&self, newest: &Sample, pace: &Sample) -> String {
        let (routes, seconds) = newest.since(pace);
        let all = sum(routes.values());
        let requests = all.requests();
        let share = |class: usize| all.classes[class] as f64 * 100.0 / requests.max(1) as f64;
        let bytes = |at: usize| newest.bytes[at].saturating_sub(pace.bytes[at]) as f64 / seconds;
        let cpu = (newest.cpu - pace.cpu).max(0.0) * 100.0 / seconds;
        let alarm = |is_wrong: bool, colour| if is_wrong { colour } else { Colour::Dim };
        self.line(&[
            (format!("{} requests/s", rate(requests as f64 / seconds)), Colour::Bold),
            (format!("{} running", newest.in_flight), Colour::Plain),
            (format!("4xx {:.1} %", share(4)), alarm(all.classes[4] > 0, Colour::Yellow)),
            (format!("5xx {:.1} %", share(5)), alarm(all.classes[5] > 0, Colour::Red)),
            (format!("in {}/s", size(bytes(0))), Colour::Plain),
            (format!("out {}/s", size(bytes(1))), Colour::Plain),
            (format!("cpu {cpu:.0} %"), Colour::Plain),
            (format!("{} records dropped", newest.dropped), alarm(newest.dropped > 0, Colour::Red)),
        ])
    }

    fn times(&self, newest: &Sample, oldest: &Sample) -> String {
        let (routes, seconds) = newest.since(oldest);
        let all = sum(routes.values());
        let time = |micros: Option<u64>| micros.map_or("-".to_owned(), duration);
        self.line(&[
            (format!("avg {}", time(all.mean())), Colour::Plain),
            (format!("p50 {}", time(all.quantile(0.5))), Colour::Plain),
            (format!("p95 {}", time(all.quantile(0.95))), Colour::Plain),
            (format!("p99 {}", time(all.quantile(0.99))), Colour::Plain),
            (format!("of the last {seconds:.0} s"), Colour::Dim),
        ])
    }

    /// The busiest first; of those that rest, those that had most.
    fn routes(&self) -> Columns {
        let mut list = Columns::new(&["ROUTE", ">REQ/S", ">SHARE", ">4XX", ">5XX", ">AVG", ">P50", ">P95", ">P99"]);
        let Some((newest, pace, oldest)) = self.view.moments() else { return list };
        let (now, seconds) = newest.since(pace);
        let (window, _) = newest.since(oldest);
        let all = sum(now.values()).requests().max(1) as f64;
        let mut routes: Vec<(&str, &Counts)> = now.iter().map(|(name, counts)| (*name, counts)).collect();
        let total = |name: &str| newest.routes.get(name).map_or(0, Counts::requests);
        routes.retain(|(name, _)| total(name) > 0);
        routes.sort_by_key(|(name, counts)| std::cmp::Reverse((counts.requests(), total(name))));
        for (name, counts) in routes {
            let time = |micros: Option<u64>| Cell::plain(micros.map(duration).unwrap_or_default());
            let slow = window.get(name).cloned().unwrap_or_default();
            let failed = |class: usize, colour| {
                let failed = slow.classes[class];
                Cell::painted(failed.to_string(), if failed > 0 { colour } else { Colour::Dim })
            };
            list.push(vec![
                Cell::painted(harmless(name), Colour::Cyan),
                Cell::plain(rate(counts.requests() as f64 / seconds)),
                Cell::plain(format!("{:.1} %", counts.requests() as f64 * 100.0 / all)),
                failed(4, Colour::Yellow),
                failed(5, Colour::Red),
                time(slow.mean()),
                time(slow.quantile(0.5)),
                time(slow.quantile(0.95)),
                time(slow.quantile(0.99)),
            ]);
        }
        list
    }

    fn running(&self) -> Columns {
        let mut list = Columns::new(&[">AGE", "PHASE", "ROUTE", "CLIENT", "REQUEST"]);
        for request in &self.view.inflight {
            let age = micros(&request["age"]).map(duration).unwrap_or_default();
            let colour = if request["slow"] == true { Colour::Yellow } else { Colour::Plain };
            list.push(vec![
                Cell::painted(age, colour),
                Cell::plain(text(request, "phase")),
                Cell::painted(text(request, "view_name"), Colour::Cyan),
                Cell::plain(text(request, "ip_address")),
                Cell::plain(format!("{} {}", text(request, "method"), text(request, "path"))),
            ]);
        }
        list
    }

    /// Records that a page of the admin listener tells one by one.
    fn mentions(&self, entries: &[Json]) -> Columns {
        let mut list = Columns::new(&["TIME", ">DURATION", ">STATUS", "ROUTE", "REQUEST"]);
        for entry in entries {
            let at = entry["timestamp"].as_str().and_then(Span::parse).map_or(0, |span| span.from);
            let time = self.zone.time_of_day(at);
            let status = entry["status_code"].as_u64().map(|status| status.to_string()).unwrap_or_default();
            let request = format!("{} {}", text(entry, "method"), text(entry, "path"));
            let kind = text(entry, "error_kind");
            let request = if request == " " { text(entry, "message") } else { request };
            list.push(vec![
                Cell::painted(time.get(..8).unwrap_or(&time).to_owned(), Colour::Dim),
                Cell::plain(micros(&entry["duration"]).map(duration).unwrap_or_default()),
                Cell::painted(status.clone(), Colour::of_status(&status)),
                Cell::painted(text(entry, "route"), Colour::Cyan),
                Cell::plain(format!("{request}  {kind}").trim_end().to_owned()),
            ]);
        }
        list
    }

    /// Texts beside one another, as many as there is room for.
    fn line(&self, texts: &[(String, Colour)]) -> String {
        super::columns::beside(texts, self.screen, self.columns)
    }
}

fn sum<'c>(counts: impl Iterator<Item = &'c Counts>) -> Counts {
    counts.fold(Counts::default(), |mut sum, counts| {
        sum.add(counts);
        sum
    })
}

fn text(object: &Json, name: &str) -> String {
    object[name].as_str().map(harmless).unwrap_or_default()
}

/// Microseconds of seconds.
fn micros(seconds: &Json) -> Option<u64> {
    seconds.as_f64().map(|seconds| (seconds * 1e6).round() as u64)
}

/// To two or three digits.
fn rate(each_second: f64) -> String {
    if each_second > 0.0 && each_second < 9.95 { format!("{each_second:.1}") } else { format!("{each_second:.0}") }
}

/// Bytes in steps of 1024.
fn size(bytes: f64) -> String {
    match bytes {
        ..1024.0 => format!("{bytes:.0} B"),
        ..1_048_576.0 => format!("{:.1} KB", bytes / 1024.0),
        ..1_073_741_824.0 => format!("{:.1} MB", bytes / 1_048_576.0),
        _ => format!("{:.1} GB", bytes / 1_073_741_824.0),
    }
}

fn uptime(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::search::paint::width;

    const NOW: u64 = 1_795_345_356_000_123;

    fn counters(fast: u64, failed: u64) -> String {
        let all = fast + failed;
        format!(
            "gatelog_requests_total{{route=\"post-detail\",method=\"GET\",status=\"2xx\",outcome=\"success\"}} {fast}\n\
             gatelog_requests_total{{route=\"post-detail\",method=\"GET\",status=\"5xx\",outcome=\"server_error\"}} {failed}\n\
             gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"0.001\"}} {fast}\n\
             gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"0.01\"}} {all}\n\
             gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"+Inf\"}} {all}\n\
             gatelog_request_duration_seconds_sum{{route=\"post-detail\"}} {}\n\
             gatelog_requests_total{{route=\"unmatched\",method=\"GET\",status=\"4xx\",outcome=\"client_error\"}} 1\n\
             gatelog_requests_in_flight 2\nprocess_start_time_seconds 1795341600\nprocess_cpu_seconds_total {}\n",
            all as f64 * 0.002,
            all as f64 * 0.0001
        )
    }

    fn view() -> View {
        let start = Instant::now();
        let mut view = View::of("127.0.0.1:9900".parse().unwrap());
        for second in 0..5_u64 {
            view.add(Sample::read(&counters(1_000 + 90 * second, 10 * second), start + Duration::from_secs(second)));
        }
        view.inflight = vec![
            json!({"age": 1.5, "phase": "wait", "view_name": "sales-report", "ip_address": "203.0.113.7", "method": "GET", "path": "/reports/\u{1b}[2J", "slow": true}),
            json!({"age": 0.0003, "phase": "connect", "view_name": "home", "method": "GET", "path": "/"}),
        ];
        view.slow = vec![
            json!({"timestamp": "2026-11-22T11:02:30.000000Z", "duration": 1.25, "status_code": 200, "route": "checkout", "method": "POST", "path": "/checkout/"}),
        ];
        view.errors = vec![
            json!({"timestamp": "2026-11-22T11:02:31.000000Z", "status_code": 502, "duration": 0.01, "route": "home", "method": "GET", "path": "/", "error_kind": "connection_refused"}),
            json!({"timestamp": "2026-11-22T11:02:32.000000Z", "message": "the disk is full", "error_kind": "output_failed"}),
        ];
        view
    }

    fn frame(view: &View, columns: usize, rows: usize) -> Vec<String> {
        let screen = Screen { colour: false, width: Some(columns) };
        draw(view, screen, Size { columns, rows }, &Zone::utc(), NOW)
    }

    #[test]
    fn a_frame_shows_how_much_where_and_which() {
        assert_eq!(
            format!("\n{}\n", frame(&view(), 110, 100).join("\n")),
            "
gatelog top  127.0.0.1:9900  up 1h02m  11:02:36
100 requests/s  2 running  4xx 0.0 %  5xx 10.0 %  in 0 B/s  out 0 B/s  cpu 1 %  0 records dropped
avg 2.0 ms  p50 555 µs  p95 5.5 ms  p99 9.1 ms  of the last 4 s

Routes
ROUTE        REQ/S    SHARE  4XX  5XX     AVG     P50     P95     P99
post-detail    100  100.0 %    0   40  2.0 ms  555 µs  5.5 ms  9.1 ms
unmatched        0    0.0 %    0    0

Running
   AGE  PHASE    ROUTE         CLIENT       REQUEST
1.50 s  wait     sales-report  203.0.113.7  GET /reports/\\u{1b}[2J
300 µs  connect  home                       GET /

Slowest of the last 15 minutes
TIME      DURATION  STATUS  ROUTE     REQUEST
11:02:30    1.25 s     200  checkout  POST /checkout/

Newest errors
TIME      DURATION  STATUS  ROUTE  REQUEST
11:02:31   10.0 ms     502  home   GET /  connection_refused
11:02:32                           the disk is full  output_failed
"
        );
    }

    #[test]
    fn a_proxy_that_is_gone_is_told_beside_what_was_known() {
        let mut view = view();
        view.trouble = Some("no proxy answers".to_owned());
        assert_eq!(frame(&view, 80, 100)[3], "no proxy answers");
        let empty = View::of("127.0.0.1:9900".parse().unwrap());
        assert_eq!(frame(&empty, 80, 100), ["gatelog top  127.0.0.1:9900  11:02:36"]);
    }

    proptest! {
        /// A terminal that is scrolled by its last line, or wraps one, shows a broken frame.
        #[test]
        fn a_frame_is_never_larger_than_the_terminal(columns in 1usize..200, rows in 1usize..60) {
            let lines = frame(&view(), columns, rows);
            prop_assert!(lines.len() <= rows);
            prop_assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:?}");
        }

        #[test]
        fn lists_share_the_rows_there_are(needed in proptest::collection::vec(1usize..40, 1..5), rows in 0usize..100) {
            let shares = shares(&needed, rows);
            let used: usize = shares.iter().filter(|share| **share > 0).map(|share| share + 3).sum();
            prop_assert!(used <= rows);
            prop_assert!(shares.iter().zip(&needed).all(|(share, needed)| share <= needed));
            prop_assert!(rows < 4 || shares[0] > 0);
        }
    }
}
