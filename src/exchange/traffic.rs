//! Requests counted as they end: by route, method, status class and outcome, with their durations and bytes.
//!
//! ```text
//! core: Meter ── Block of its own (relaxed stores) ──┐
//! core: Meter ── Block of its own ───────────────────┼── Traffic::collect, on the thread that is asked
//! ```
//!
//! How many series there are is bounded by the configuration: routes by name (those without a name by their pattern),
//! methods that are known and `other`, status classes, outcomes. What of that has not happened takes no memory but a
//! pointer: the counts of a route and method are made when the first such request ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use http::Method;

use crate::metrics::durations::Total;
use crate::metrics::exposition::Family;
use crate::metrics::{Collect, Counter, Durations, Exposition, Kind, Words};
use crate::record::Outcome;
use crate::routes::Table;
use crate::time::micros;

use super::Sign;
use super::ledger::Ledger;

/// The route of requests that matched none.
const UNMATCHED: &str = "unmatched";
/// Methods that are told apart, and what all others count as.
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "other"];
/// Status classes; `none` where nothing was sent, `other` above 599.
const CLASSES: [&str; 7] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "other"];
/// Counts of one route and method.
const CELLS: usize = CLASSES.len() * Outcome::ALL.len();

/// Names of routes that are told apart: a configuration that is read again and again must not fill the memory.
const MOST_NAMES: usize = 16 * 1024;
/// The route of all beyond.
const OTHER: &str = "other";

/// What all cores count.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Books>);

#[derive(Debug)]
struct Books {
    /// The names of routes of any table so far, each once; the first is [`UNMATCHED`].
    names: Vec<Arc<str>>,
    places: BTreeMap<Arc<str>, usize>,
    cores: Vec<Arc<Block>>,
    /// What those have counted that count no more.
    ended: Block,
}

/// The counters of one core, for the routes of one table.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Block {
    begun: Counter,
    ended: Counter,
    /// By the places of their names; those that became known later are missing.
    routes: Vec<RouteCounters>,
    suspicions: [Counter; Sign::ALL.len()],
    rejections: Words,
}

/// The counters of one route on one core.
#[derive(Debug, Default)]
struct RouteCounters {
    methods: [OnceLock<Box<Cells>>; METHODS.len()],
    durations: Durations,
    request_bytes: Counter,
    response_bytes: Counter,
}

/// One count for each status class and outcome.
#[derive(Debug)]
#[repr(align(128))]
struct Cells([Counter; CELLS]);

impl Default for Cells {
    fn default() -> Self {
        Cells(std::array::from_fn(|_| Counter::default()))
    }
}

/// A request that is over.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Its route's place in the table.
    pub route: Option<usize>,
    /// As sent.
    pub method: &'a Method,
    /// What the client was sent.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// Microseconds.
    pub duration: u64,
    /// Of its body.
    pub request_bytes: u64,
    /// Of the answer's body.
    pub response_bytes: u64,
}

/// One core's way to its counters, as long as one table of routes is in force.
#[derive(Debug)]
pub struct Meter {
    traffic: Arc<Traffic>,
    block: Arc<Block>,
    /// Which of the names each route of the table has.
    of_route: Vec<usize>,
}

impl Traffic {
    /// How many requests run.
    pub fn in_flight(&self) -> u64 {
        self.books().in_flight()
    }

    /// The name of routes that has this place: for as long as the process lives, whatever tables come.
    pub fn name(&self, place: u32) -> Option<Arc<str>> {
        self.books().names.get(place as usize).cloned()
    }

    /// Counters for one core, for the routes of this table. Names that were there before go on with their counts.
    pub fn enter(self: &Arc<Self>, table: &Table) -> Meter {
        let mut books = self.books();
        let of_route = table.routes().iter().map(|route| books.place(&route.name)).collect();
        let routes = books.names.iter().map(|_| RouteCounters::default()).collect();
        let block = Arc::new(Block { routes, ..Block::default() });
        books.cores.push(Arc::clone(&block));
        Meter { traffic: Arc::clone(self), block, of_route }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while it holds the lock, and nothing on a request's way takes it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Books {
    fn default() -> Self {
        let unmatched: Arc<str> = UNMATCHED.into();
        let places = BTreeMap::from([(Arc::clone(&unmatched), 0)]);
        Books { names: vec![unmatched], places, cores: Vec::new(), ended: Block::default() }
    }
}

impl Books {
    fn place(&mut self, name: &Arc<str>) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name = if self.names.len() < MOST_NAMES { Arc::clone(name) } else { OTHER.into() };
        let new = self.names.len();
        let place = *self.places.entry(Arc::clone(&name)).or_insert(new);
        if place == new {
            self.names.push(name);
        }
        place
    }

    fn in_flight(&self) -> u64 {
        // In this order what ends meanwhile counts as still running.
        let ended: u64 = self.blocks().map(|block| block.ended.get()).sum();
        self.blocks().map(|block| block.begun.get()).sum::<u64>().saturating_sub(ended)
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.cores.iter().map(|core| &**core).chain([&self.ended])
    }
}

impl Block {
    /// Takes over the counts of a block that nobody writes to any more.
    fn absorb(&mut self, ended: &Block) {
        self.begun.add(ended.begun.get());
        self.ended.add(ended.ended.get());
        let known = self.routes.len().max(ended.routes.len());
        self.routes.resize_with(known, RouteCounters::default);
        self.routes.iter().zip(&ended.routes).for_each(|(route, more)| route.absorb(more));
        self.suspicions.iter().zip(&ended.suspicions).for_each(|(count, more)| count.add(more.get()));
        self.rejections.absorb(&ended.rejections);
    }
}

impl RouteCounters {
    fn absorb(&self, ended: &RouteCounters) {
        for (cells, more) in self.methods.iter().zip(&ended.methods) {
            let Some(more) = more.get() else { continue };
            let cells = cells.get_or_init(Box::default);
            cells.0.iter().zip(&more.0).for_each(|(cell, more)| cell.add(more.get()));
        }
        self.durations.absorb(&ended.durations);
        self.request_bytes.add(ended.request_bytes.get());
        self.response_bytes.add(ended.response_bytes.get());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let mut books = self.traffic.books();
        books.cores.retain(|core| !Arc::ptr_eq(core, &self.block));
        books.ended.absorb(&self.block);
    }
}

impl Meter {
    /// A request begins.
    pub fn begin(&self) {
        self.block.begun.add(1);
    }

    /// A request is over.
    pub fn end(&self, ended: &Ended<'_>) {
        self.block.ended.add(1);
        // There is one for each name, and the first is for whatever else.
        let Some(route) = self.block.routes.get(self.place(ended.route) as usize) else { return };
        let cells = route.methods[method(ended.method)].get_or_init(Box::default);
        cells.0[cell(ended.status, ended.outcome)].add(1);
        route.durations.observe(ended.duration);
        route.request_bytes.add(ended.request_bytes);
        route.response_bytes.add(ended.response_bytes);
    }

    /// The place of the name ([`Traffic::name`]) of the route that has this place in the table.
    pub(super) fn place(&self, route: Option<usize>) -> u32 {
        route.and_then(|route| self.of_route.get(route)).copied().unwrap_or_default() as u32
    }

    /// Something was no request, for this reason.
    pub(super) fn reject(&self, reason: &str) {
        self.block.rejections.count(reason);
    }

    /// Something about a request is suspicious.
    pub(super) fn suspect(&self, sign: Sign) {
        self.block.suspicions[sign as usize].add(1);
    }
}

fn method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => METHODS.len() - 1,
    }
}

fn cell(status: Option<u16>, outcome: Outcome) -> usize {
    let class = usize::from(status.unwrap_or_default() / 100).min(CLASSES.len() - 1);
    class * Outcome::ALL.len() + outcome as usize
}

impl Ledger {
    /// Counts how it ended, whether or not there is a record of it.
    pub(super) fn count(&self, now: Instant) {
        let Some(outcome) = self.outcome.get() else { return };
        self.core.meter.end(&Ended {
            route: self.facts.route().map(|route| route.index),
            method: &self.facts.method,
            status: self.status.get(),
            outcome,
            duration: micros(self.age(now)),
            request_bytes: self.request_size.get(),
            response_bytes: self.response_size.get(),
        });
    }
}

/// The counters of one route on all cores, added up.
struct RouteTotals {
    methods: [Option<Box<[u64; CELLS]>>; METHODS.len()],
    durations: Total,
    request_bytes: u64,
    response_bytes: u64,
}

impl RouteTotals {
    fn of<'a>(cores: impl Iterator<Item = &'a RouteCounters>) -> RouteTotals {
        let methods = std::array::from_fn(|_| None);
        let mut totals = RouteTotals { methods, durations: Total::default(), request_bytes: 0, response_bytes: 0 };
        for core in cores {
            for (total, cells) in totals.methods.iter_mut().zip(&core.methods) {
                let Some(cells) = cells.get() else { continue };
                let total = total.get_or_insert_with(|| Box::new([0; CELLS]));
                total.iter_mut().zip(&cells.0).for_each(|(total, cell)| *total += cell.get());
            }
            totals.durations.add(&core.durations);
            totals.request_bytes += core.request_bytes.get();
            totals.response_bytes += core.response_bytes.get();
        }
        totals
    }

    /// A sample for each combination that has occurred.
    fn show_requests(&self, route: &str, family: &mut Family<'_>) {
        for (method, cells) in METHODS.iter().zip(&self.methods) {
            let counted = cells.iter().flat_map(|cells| cells.iter().enumerate()).filter(|(_, count)| **count > 0);
            for (cell, count) in counted {
                let status = CLASSES[cell / Outcome::ALL.len()];
                let outcome = Outcome::ALL[cell % Outcome::ALL.len()].as_str();
                let labels = [("route", route), ("method", *method), ("status", status), ("outcome", outcome)];
                family.sample(&labels, *count);
            }
        }
    }
}

impl Collect for Traffic {
    fn collect(&self, exposition: &mut Exposition) {
        let books = self.books();
        books.collect_routes(exposition);
        let help = "Requests that run now.";
        exposition.single("gatelog_requests_in_flight", Kind::Gauge, help, books.in_flight());
        books.collect_refused(exposition);
    }
}

impl Books {
    fn collect_routes(&self, exposition: &mut Exposition) {
        let totals = |(at, name): (usize, &Arc<str>)| {
            (Arc::clone(name), RouteTotals::of(self.blocks().filter_map(|block| block.routes.get(at))))
        };
        let routes: Vec<(Arc<str>, RouteTotals)> = self.names.iter().enumerate().map(totals).collect();
        let help = "Requests that are over, by what their completed records say.";
        let mut family = exposition.family("gatelog_requests", Kind::Counter, help);
        routes.iter().for_each(|(name, totals)| totals.show_requests(name, &mut family));
        let help = "From a request's head to the last byte of its answer.";
        let mut family = exposition.family("gatelog_request_duration_seconds", Kind::Histogram, help);
        for (name, totals) in routes.iter().filter(|(_, totals)| totals.durations.count() > 0) {
            family.histogram(&[("route", name)], &totals.durations);
        }
        let help = "Bytes of request bodies.";
        let mut family = exposition.family("gatelog_request_body_bytes", Kind::Counter, help);
        routes.iter().for_each(|(name, totals)| family.sample(&[("route", name)], totals.request_bytes));
        let help = "Bytes of response bodies.";
        let mut family = exposition.family("gatelog_response_body_bytes", Kind::Counter, help);
        routes.iter().for_each(|(name, totals)| family.sample(&[("route", name)], totals.response_bytes));
    }

    fn collect_refused(&self, exposition: &mut Exposition) {
        let mut reasons = BTreeMap::new();
        self.blocks().for_each(|block| block.rejections.add_to(&mut reasons));
        let help = "What came and was no request, by the reason of its request_rejected.";
        let mut family = exposition.family("gatelog_rejected", Kind::Counter, help);
        reasons.iter().for_each(|(reason, count)| family.sample(&[("reason", reason)], *count));
        let help = "Requests with something suspicious, by the reason of their security_event, written or not.";
        let mut family = exposition.family("gatelog_suspicious_requests", Kind::Counter, help);
        for sign in Sign::ALL {
            let count = self.blocks().map(|block| block.suspicions[sign as usize].get()).sum();
            family.sample(&[("reason", sign.as_str())], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;
    use crate::routes::{Pattern, RouteSettings};
    use proptest::prelude::*;

    fn table(names: &[&str]) -> Table {
        let route = |name: &&str| RouteSettings {
            name: Some((*name).to_owned()),
            ..RouteSettings::new(0, Pattern::Path(format!("{}/", name.len())))
        };
        let settings = crate::routes::Settings { converters: Vec::new(), routes: names.iter().map(route).collect() };
        Table::compile(&settings).0.expect("a table")
    }

    fn ended(route: Option<usize>, method: &Method, status: Option<u16>, outcome: Outcome) -> Ended<'_> {
        Ended { route, method, status, outcome, duration: 1, request_bytes: 2, response_bytes: 3 }
    }

    fn shown(traffic: &Traffic) -> String {
        let mut exposition = Exposition::new(Format::Text);
        traffic.collect(&mut exposition);
        exposition.finish()
    }

    #[test]
    fn routes_of_one_name_are_one_series_and_what_matches_nothing_is_unmatched() {
        let (traffic, table) = (Arc::new(Traffic::default()), table(&["home", "a", "home"]));
        for core in [traffic.enter(&table), traffic.enter(&table)] {
            for route in [Some(0), Some(2), None, Some(77)] {
                core.begin();
                core.end(&ended(route, &Method::GET, Some(200), Outcome::Success));
            }
        }
        let text = shown(&traffic);
        let labels = "method=\"GET\",status=\"2xx\",outcome=\"success\"} 4";
        for route in ["home", "unmatched"] {
            assert!(text.contains(&format!("gatelog_requests_total{{route=\"{route}\",{labels}\n")), "{text}");
            assert!(text.contains(&format!("gatelog_response_body_bytes_total{{route=\"{route}\"}} 12\n")), "{text}");
        }
        assert!(!text.contains("gatelog_requests_total{route=\"a\""), "{text}");
    }

    #[test]
    fn another_table_goes_on_with_the_counts_of_the_names_it_shares() {
        let traffic = Arc::new(Traffic::default());
        let core = traffic.enter(&table(&["home", "a"]));
        let get = Method::GET;
        (0..3).for_each(|_| core.begin());
        core.end(&ended(Some(0), &get, Some(200), Outcome::Success));
        core.reject("bare_lf");
        let next = traffic.enter(&table(&["b", "home"]));
        next.begin();
        next.end(&ended(Some(1), &get, Some(200), Outcome::Success));
        core.end(&ended(Some(1), &get, Some(200), Outcome::Success));
        assert_eq!(traffic.in_flight(), 1);
        drop(core);
        next.reject("bare_lf");
        next.end(&ended(Some(0), &get, None, Outcome::ClientAbort));
        let text = shown(&traffic);
        for (route, count) in [("home", 2), ("a", 1)] {
            let labels = "method=\"GET\",status=\"2xx\",outcome=\"success\"}";
            assert!(text.contains(&format!("gatelog_requests_total{{route=\"{route}\",{labels} {count}\n")), "{text}");
        }
        assert!(text.contains("gatelog_request_duration_seconds_count{route=\"b\"} 1\n"), "{text}");
        assert!(text.contains("gatelog_rejected_total{reason=\"bare_lf\"} 2\n"), "{text}");
        assert_eq!((traffic.in_flight(), traffic.books().cores.len()), (0, 1));
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let mut books = Books::default();
        let places = (0..MOST_NAMES + 9).map(|name| books.place(&name.to_string().into()));
        assert_eq!(places.last(), Some(MOST_NAMES));
        assert_eq!((books.names.len(), &*books.names[MOST_NAMES]), (MOST_NAMES + 1, OTHER));
        assert_eq!(books.place(&"7".into()), 8);
    }

    #[test]
    fn every_outcome_status_and_method_has_a_cell_of_its_own() {
        let get = Method::GET;
        let mut cells: Vec<usize> = Vec::new();
        for status in [None, Some(101), Some(204), Some(302), Some(499), Some(502), Some(999)] {
            cells.extend(Outcome::ALL.map(|outcome| cell(status, outcome)));
        }
        cells.sort_unstable();
        assert_eq!(cells, (0..CELLS).collect::<Vec<_>>());
        assert_eq!(METHODS[method(&get)], "GET");
        for (name, expected) in [("get", "other"), ("PROPFIND", "other"), ("TRACE", "TRACE"), ("PATCH", "PATCH")] {
            assert_eq!(METHODS[method(&Method::from_bytes(name.as_bytes()).expect("a token"))], expected);
        }
    }

    proptest! {
        /// Whatever ends on whatever core, the sums are the counts.
        #[test]
        fn sums_are_the_counts(requests in proptest::collection::vec((0usize..3, 0usize..19, 100u16..600), 0..80)) {
            let (traffic, table) = (Arc::new(Traffic::default()), table(&["a"]));
            let cores = [traffic.enter(&table), traffic.enter(&table), traffic.enter(&table)];
            for (core, outcome, status) in &requests {
                cores[*core].begin();
                cores[*core].end(&ended(Some(0), &Method::POST, Some(*status), Outcome::ALL[*outcome]));
            }
            let text = shown(&traffic);
            let samples = text.lines().filter(|line| line.starts_with("gatelog_requests_total{"));
            let sum: usize = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum();
            prop_assert_eq!(sum, requests.len());
            prop_assert_eq!(traffic.in_flight(), 0);
        }
    }
}
