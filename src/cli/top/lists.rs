//! The four lists of `gatelog top`: where requests go, which run, which were slow, which failed.

use serde_json::Value as Json;

use super::list::{Cell, List, Opens, Row};
use super::numbers::{micros, rate, sum};
use super::sample::Counts;
use super::view::View;
use crate::filter::Span;
use crate::search::paint::{Colour, duration, harmless};
use crate::search::zone::Zone;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    /// Routes, the busiest first.
    Routes,
    /// Requests that run, the oldest first.
    Running,
    /// The slowest of the last minutes.
    Slow,
    /// The newest errors.
    Errors,
}

impl Pane {
    /// In the order in which they are shown.
    pub(super) const ALL: [Pane; 4] = [Pane::Routes, Pane::Running, Pane::Slow, Pane::Errors];

    /// As people read it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Pane::Routes => "Routes",
            Pane::Running => "Running",
            Pane::Slow => "Slowest of the last 15 minutes",
            Pane::Errors => "Newest errors",
        }
    }

    /// What is in it now.
    pub(super) fn list(self, view: &View, zone: &Zone) -> List {
        match self {
            Pane::Routes => routes(view),
            Pane::Running => running(&view.inflight),
            Pane::Slow => mentions(&view.slow, zone),
            Pane::Errors => mentions(&view.errors, zone),
        }
    }
}

/// The busiest first; of those that rest, those that had most.
fn routes(view: &View) -> List {
    let mut list = List::new(&["ROUTE", ">REQ/S", ">SHARE", ">4XX", ">5XX", ">AVG", ">P50", ">P95", ">P99"]);
    let Some((newest, pace, oldest)) = view.moments() else { return list };
    let (now, seconds) = newest.since(pace);
    let (window, _) = newest.since(oldest);
    let all = sum(now.values()).requests().max(1) as f64;
    let total = |name: &str| newest.routes.get(name).map_or(0, Counts::requests);
    let mut routes: Vec<(&str, &Counts)> = now.iter().map(|(name, counts)| (*name, counts)).collect();
    routes.retain(|(name, _)| total(name) > 0);
    routes.sort_by_key(|(name, counts)| std::cmp::Reverse((counts.requests(), total(name))));
    for (name, counts) in routes {
        let requests = counts.requests() as f64;
        let mut cells = vec![
            Cell::painted(harmless(name), Colour::Cyan),
            Cell::number(rate(requests / seconds), requests),
            Cell::number(format!("{:.1} %", requests * 100.0 / all), requests),
        ];
        cells.extend(window.get(name).into_iter().flat_map(of_the_window));
        list.rows.push(Row { id: name.to_owned(), cells, opens: Opens::Route(name.to_owned()) });
    }
    list
}

/// How many failed, and how long they took.
fn of_the_window(counts: &Counts) -> Vec<Cell> {
    let failed = |class: usize, colour| {
        let failed = counts.classes[class];
        Cell::number(failed.to_string(), failed as f64).colour(if failed > 0 { colour } else { Colour::Dim })
    };
    let times = [counts.mean(), counts.quantile(0.5), counts.quantile(0.95), counts.quantile(0.99)];
    let failed = [failed(4, Colour::Yellow), failed(5, Colour::Red)];
    failed.into_iter().chain(times.map(time)).collect()
}

fn running(requests: &[Json]) -> List {
    let mut list = List::new(&[">AGE", "PHASE", "ROUTE", "CLIENT", "REQUEST"]);
    for request in requests {
        let is_slow = request["slow"] == true;
        let cells = vec![
            time(micros(&request["age"])).colour(if is_slow { Colour::Yellow } else { Colour::Plain }),
            Cell::plain(text(request, "phase")),
            Cell::painted(text(request, "view_name"), Colour::Cyan),
            Cell::plain(text(request, "ip_address")),
            Cell::plain(format!("{} {}", text(request, "method"), text(request, "path"))),
        ];
        // A client may use its id for several requests.
        let id = format!("{} {}", text(request, "request_id"), text(request, "started"));
        list.rows.push(Row { id, cells, opens: opens(request) });
    }
    list
}

/// Records that a page of the admin listener tells one by one.
pub(super) fn mentions(entries: &[Json], zone: &Zone) -> List {
    let mut list = List::new(&["TIME", ">DURATION", ">STATUS", "ROUTE", "REQUEST"]);
    for entry in entries {
        let at = entry["timestamp"].as_str().and_then(Span::parse).map_or(0, |span| span.from);
        let day = zone.time_of_day(at);
        let status = entry["status_code"].as_u64();
        let shown = status.map(|status| status.to_string()).unwrap_or_default();
        let colour = Colour::of_status(&shown);
        let route = [text(entry, "view_name"), text(entry, "route")].into_iter().find(|route| !route.is_empty());
        let cells = vec![
            Cell::number(day.get(..8).unwrap_or(&day).to_owned(), at as f64).colour(Colour::Dim),
            time(micros(&entry["duration"])),
            Cell::number(shown, status.unwrap_or(0) as f64).colour(colour),
            Cell::painted(route.unwrap_or_default(), Colour::Cyan),
            Cell::plain(said(entry)),
        ];
        let id = format!("{} {} {}", text(entry, "request_id"), at, text(entry, "message"));
        list.rows.push(Row { id, cells, opens: opens(entry) });
    }
    list
}

/// What was asked for, or what else is told; and what was wrong.
fn said(entry: &Json) -> String {
    let request = format!("{} {}", text(entry, "method"), text(entry, "path"));
    let request = if request == " " { text(entry, "message") } else { request };
    let kind = [text(entry, "error_kind"), text(entry, "exception_type")].into_iter().find(|kind| !kind.is_empty());
    format!("{request}  {}", kind.unwrap_or_default()).trim_end().to_owned()
}

fn opens(entry: &Json) -> Opens {
    entry["request_id"].as_str().map_or(Opens::Nothing, |id| Opens::Request(id.to_owned()))
}

fn time(micros: Option<u64>) -> Cell {
    micros.map_or(Cell::default(), |micros| Cell::number(duration(micros), micros as f64))
}

fn text(object: &Json, name: &str) -> String {
    object[name].as_str().map(harmless).unwrap_or_default()
}
