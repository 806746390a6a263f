//! A stretch of time in steps, for charts: rates, classes of status, percentiles, and a heat map of durations.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Counts;
use super::answers::{Named, Scope, Times, seconds, to_the_second};
use super::gather::{Gather, Wish, fill};
use crate::record::Level;
use crate::store::rollup::{
    Corrupt, Grain, HOUR, MINUTE, Noted, Period, Periods, Piece, Range, Requests, RollupError, Wanted,
};

/// How many minutes a step can be: what people divide time by.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 7 * 1440];

/// How many seconds a step of a [fine](Series::fine) series can be.
const SECONDS: [u64; 4] = [5, 10, 15, 30];

/// Steps of a series at most, whatever is asked for.
const MOST_STEPS: usize = 1_000;

/// Upper bounds of a heat map's bands, in microseconds; one more band is for what is longer.
const BANDS: [u64; 15] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// What happened in each step of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    range: Range,
    step: u64,
    route: Option<Arc<str>>,
    steps: BTreeMap<u64, Period>,
    partial: bool,
    troubles: Vec<String>,
}

/// A series as it is told over HTTP.
#[derive(Debug, Serialize)]
pub struct Chart {
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Seconds of a step.
    pub step: f64,
    /// The route that it is of; of all together where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Each step, the oldest first, also those in which nothing happened.
    pub points: Vec<Point>,
    /// Bounds of the bands of [`Point::heat`], in seconds; each belongs to its band.
    pub heat_bounds: Vec<f64>,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct Point {
    /// Its first moment.
    pub timestamp: String,
    /// Records of any kind; 0 in the series of a route, of which only requests are known.
    pub records: u64,
    /// Requests that ended.
    pub requests: u64,
    /// Errors; in the series of a route, requests answered with 5xx.
    pub errors: u64,
    /// Requests that crossed their threshold.
    pub slow: u64,
    /// Requests a second.
    pub rate: f64,
    /// Records of each level, all five, the least first; empty in the series of a route.
    pub by_level: Named,
    /// Requests of each class of status.
    pub by_status_class: Named,
    /// How long they took.
    #[serde(flatten)]
    pub times: Times,
    /// How many took as long as each band is; bounds are as exact as percentiles.
    pub heat: Vec<u64>,
}

impl Series {
    /// Of a range in which nothing has happened yet, in at most so many steps of a length that divides hours and days;
    /// of one route or of all.
    pub fn over(range: Range, most_steps: usize, route: Option<&str>) -> Series {
        let step = step(range, most_steps.clamp(2, MOST_STEPS) as u64);
        Series::of_steps(range, step, route)
    }

    /// The same in steps of seconds, which only the records themselves can tell; `None` where the range is too long for them.
    pub fn fine(range: Range, most_steps: usize, route: Option<&str>) -> Option<Series> {
        let fits = |step: &u64| range.length().div_ceil(*step) < most_steps.min(MOST_STEPS) as u64;
        let step = SECONDS.map(|seconds| seconds * 1_000_000).into_iter().find(fits)?;
        Some(Series::of_steps(range, step, route))
    }

    fn of_steps(range: Range, step: u64, route: Option<&str>) -> Series {
        let route = route.map(Arc::from);
        Series { range, step, route, steps: BTreeMap::new(), partial: false, troubles: Vec::new() }
    }

    /// From what is kept of a range. What is kept only by hours is in the step in which its hour begins.
    ///
    /// # Errors
    /// When nothing of it can be read. Periods that cannot be read are troubles.
    pub fn of(
        periods: &impl Periods,
        range: Range,
        most_steps: usize,
        route: Option<&str>,
    ) -> Result<Series, RollupError> {
        let mut series = Series::over(range, most_steps, route);
        fill(&mut series, periods)?;
        Ok(series)
    }

    /// As it is told over HTTP.
    pub fn chart(&self) -> Chart {
        let (nothing, steps) = (Period::default(), self.range.widened(self.step));
        let points = (steps.since / self.step..steps.until / self.step)
            .map(|at| self.point(at * self.step, self.steps.get(&at).unwrap_or(&nothing)));
        Chart {
            scope: Scope::of(self.range, self.partial, &self.troubles),
            step: seconds(self.step),
            route: self.route.as_deref().map(str::to_owned),
            points: points.collect(),
            heat_bounds: BANDS.map(seconds).to_vec(),
        }
    }

    fn point(&self, at: u64, period: &Period) -> Point {
        let nothing = Requests::default();
        let levels = Level::ALL.iter().zip(period.levels).map(|(level, count)| (level.as_str(), count));
        let by_level = if self.route.is_none() { Named::of(levels) } else { Named::default() };
        let (counts, requests) = match &self.route {
            None => (Counts::of(period), &period.requests),
            Some(route) => {
                let requests = period.routes.get(route).unwrap_or(&nothing);
                (Counts { records: 0, requests: requests.count(), errors: requests.of_class(5) }, requests)
            }
        };
        Point {
            timestamp: to_the_second(at),
            records: counts.records,
            requests: counts.requests,
            errors: counts.errors,
            slow: requests.slow,
            by_level,
            rate: counts.requests as f64 / seconds(self.lasted(at)),
            by_status_class: Named::of(requests.classes()),
            times: Times::of(requests),
            heat: heat(requests),
        }
    }

    /// How much of a step lies in the range, as far as that is known by minutes: the first and the last may be short.
    fn lasted(&self, at: u64) -> u64 {
        let known = self.step.min(MINUTE);
        let since = self.range.since / known * known;
        let until = (at + self.step).min(self.range.until);
        until.saturating_sub(at.max(since)).max(1_000_000)
    }
}

impl Gather for Series {
    fn range(&self) -> Range {
        self.range
    }

    fn wish(&self) -> Option<(Grain, Wish)> {
        let grain = if self.step.is_multiple_of(HOUR) { Grain::Hours } else { Grain::Minutes };
        let wish = self.route.as_ref().map_or(Wish::Counts, |route| Wish::Route(Arc::clone(route)));
        self.step.is_multiple_of(MINUTE).then_some((grain, wish))
    }

    fn add(&mut self, piece: Piece<'_>) -> Result<(), Corrupt> {
        // An hour that is all that is kept may begin before the range.
        let at = piece.at.max(self.range.since);
        let wanted = self.route.as_deref().map_or(Wanted::Counts, Wanted::Route);
        piece.add_to(self.steps.entry(at / self.step).or_default(), wanted)
    }

    fn note(&mut self, noted: &Noted<'_>) {
        if self.range.holds(noted.at) {
            let period = self.steps.entry(noted.at / self.step).or_default();
            period.note_wanted(noted, self.route.as_deref().map_or(Wanted::Counts, Wanted::Route));
        }
    }

    fn set_partial(&mut self) {
        self.partial = true;
    }

    fn add_trouble(&mut self, trouble: String) {
        self.troubles.push(trouble);
    }

    fn clear(&mut self) {
        *self = Series::of_steps(self.range, self.step, self.route.as_deref());
    }
}

/// The shortest step of which there are no more than so many in a range, wherever it begins.
pub(super) fn step(range: Range, most: u64) -> u64 {
    let fits = |step: &u64| range.length().div_ceil(*step) < most;
    let longest = STEPS[STEPS.len() - 1] * MINUTE;
    let multiple = range.length().div_ceil(longest).div_ceil(most - 1).max(1);
    STEPS.into_iter().map(|minutes| minutes * MINUTE).find(fits).unwrap_or(longest.saturating_mul(multiple))
}

fn heat(requests: &Requests) -> Vec<u64> {
    let mut bands = vec![0; BANDS.len() + 1];
    for (upper, count) in requests.durations.buckets() {
        bands[BANDS.partition_point(|bound| *bound < upper)] += count;
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * HOUR;

    #[test]
    fn steps_are_round_and_no_more_than_asked_for() {
        for (length, most, expected) in [
            (HOUR, 100, MINUTE),
            (DAY, 300, 5 * MINUTE),
            (DAY, 100, 15 * MINUTE),
            (DAY, 25, HOUR),
            (90 * DAY, 100, DAY),
            (90 * DAY, 2, 13 * 7 * DAY),
        ] {
            assert_eq!(step(Range { since: 7, until: 7 + length }, most), expected, "{length} {most}");
        }
    }

    #[test]
    fn whatever_the_range_there_are_no_more_points_than_asked_for() {
        for length in [0, 1, MINUTE, HOUR + 1, 40 * DAY, 50 * 365 * DAY] {
            for (since, most) in [(0, 2), (MINUTE - 1, 7), (DAY + 12_345, 200), (3 * HOUR, 100_000)] {
                let series = Series::over(Range { since, until: since + length }, most, None);
                assert!(series.chart().points.len() <= most.min(MOST_STEPS), "{length} {since} {most}");
            }
        }
    }
}
