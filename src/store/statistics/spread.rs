//! Each route of a stretch of time: what its requests were like, and how many there were, step by step.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::answers::{Route, Scope, seconds};
use super::gather::{Gather, Wish};
use super::series::step;
use crate::store::rollup::{Corrupt, Grain, HOUR, Noted, Period, Piece, Range, Requests, UNMATCHED};

/// Steps at most, whatever is asked for: what is drawn of them is as wide as a word.
const MOST_STEPS: usize = 60;
/// Routes whose steps are told apart: far more than there is ever a summary of.
const MOST_ROUTES: usize = 4096;

/// The routes of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    range: Range,
    step: u64,
    total: Period,
    /// Of each route the counts of its steps that have any.
    steps: BTreeMap<Box<str>, BTreeMap<u64, Count>>,
    partial: bool,
    troubles: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Count {
    requests: u64,
    errors: u64,
}

/// Routes as they are told over HTTP.
#[derive(Debug, Serialize)]
pub struct Routes {
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Seconds of a step.
    pub step: f64,
    /// That with the most requests first.
    pub routes: Vec<RouteOverTime>,
}

/// One route.
#[derive(Debug, Serialize)]
pub struct RouteOverTime {
    /// Its requests.
    #[serde(flatten)]
    pub route: Route,
    /// Requests a second.
    pub rate: f64,
    /// Step by step.
    pub series: Steps,
}

/// Numbers of each step, the oldest first, also of those in which nothing happened.
#[derive(Debug, Serialize)]
pub struct Steps {
    /// Requests that ended.
    pub requests: Vec<u64>,
    /// Of them answered with 5xx.
    pub errors: Vec<u64>,
}

impl Spread {
    /// Of a range in which nothing has happened yet, in at most so many steps.
    pub fn over(range: Range, most_steps: usize) -> Spread {
        let step = step(range, most_steps.clamp(2, MOST_STEPS) as u64);
        let (total, steps) = (Period::default(), BTreeMap::new());
        Spread { range, step, total, steps, partial: false, troubles: Vec::new() }
    }

    /// As it is told over HTTP.
    pub fn routes(&self) -> Routes {
        let mut routes: Vec<RouteOverTime> =
            self.total.routes.iter().map(|(name, requests)| self.route(name, requests)).collect();
        routes.sort_by_key(|route| Reverse(route.route.requests));
        let scope = Scope::of(self.range, self.partial, &self.troubles);
        Routes { scope, step: seconds(self.step), routes }
    }

    fn route(&self, name: &str, requests: &Requests) -> RouteOverTime {
        let length = seconds(self.range.length()).max(1.0);
        let steps = self.range.widened(self.step);
        let known = self.steps.get(name);
        let count = |at: u64| known.and_then(|steps| steps.get(&at)).copied().unwrap_or_default();
        let counts: Vec<Count> = (steps.since / self.step..steps.until / self.step).map(count).collect();
        RouteOverTime {
            route: Route::of(name, requests),
            rate: requests.count() as f64 / length,
            series: Steps {
                requests: counts.iter().map(|count| count.requests).collect(),
                errors: counts.iter().map(|count| count.errors).collect(),
            },
        }
    }

    fn count(&mut self, name: &str, at: u64, more: Count) {
        if !self.steps.contains_key(name) {
            if self.steps.len() >= MOST_ROUTES {
                return;
            }
            self.steps.insert(name.into(), BTreeMap::new());
        }
        let count = self.steps.get_mut(name).map(|steps| steps.entry(at / self.step).or_default());
        count.into_iter().for_each(|count| count.add(more));
    }
}

impl Count {
    fn add(&mut self, more: Count) {
        self.requests += more.requests;
        self.errors += more.errors;
    }
}

impl Gather for Spread {
    fn range(&self) -> Range {
        self.range
    }

    fn wish(&self) -> Option<(Grain, Wish)> {
        let grain = if self.step.is_multiple_of(HOUR) { Grain::Hours } else { Grain::Minutes };
        Some((grain, Wish::Everything))
    }

    fn add(&mut self, piece: Piece<'_>) -> Result<(), Corrupt> {
        let mut period = Period::default();
        let added = piece.add_to(&mut period, Wish::Everything.wanted());
        // An hour that is all that is kept may begin before the range.
        let at = piece.at.max(self.range.since);
        for (name, requests) in period.routes.iter() {
            self.count(name, at, Count { requests: requests.count(), errors: requests.of_class(5) });
        }
        self.total.merge(&period);
        added
    }

    fn note(&mut self, noted: &Noted<'_>) {
        if self.range.holds(noted.at) {
            self.total.note(noted);
            if noted.is_request() {
                let failed = noted.status.is_some_and(|status| status / 100 == 5);
                let count = Count { requests: 1, errors: failed.into() };
                self.count(noted.route.unwrap_or(UNMATCHED), noted.at, count);
            }
        }
    }

    fn set_partial(&mut self) {
        self.partial = true;
    }

    fn add_trouble(&mut self, trouble: String) {
        self.troubles.push(trouble);
    }

    fn clear(&mut self) {
        *self = Spread { step: self.step, ..Spread::over(self.range, MOST_STEPS) };
    }
}
