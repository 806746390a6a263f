//! `GET /api/series` and `GET /api/routes`: a stretch of time step by step, of all records, of one route, or of what a filter means;
//! and each route with its own steps.
//!
//! Without a filter they come from what was counted beforehand, by whole minutes; of a short and quiet time, steps of seconds come
//! from the records themselves. With a filter each record is looked at, for a bounded time.

use crate::filter::Expression;
use crate::store::rollup::Range;
use crate::store::statistics::{Chart, Series, Spread};
use crate::store::{Archive, AskError, Stop};

use super::answer::{Answer, shaped};
use super::ask::{Lane, Library};
use super::asked::{Span, filter};
use super::query::Query;
use super::refused::Refused;

/// The parameters of a series, the last four of which are filters.
const OF_SERIES: [&str; 9] = ["since", "until", "hours", "points", "route", "q", "level", "logger", "user_id"];
const FILTERS: [&str; 4] = ["q", "level", "logger", "user_id"];
/// The parameters of routes.
const OF_ROUTES: [&str; 4] = ["since", "until", "hours", "points"];

/// Points of a series where nobody says how many, and at most.
const USUAL_POINTS: usize = 120;
const MOST_POINTS: usize = 1000;
/// Points of each route.
const USUAL_POINTS_OF_A_ROUTE: usize = 30;
const MOST_POINTS_OF_A_ROUTE: usize = 60;

/// Times of which steps of seconds are told: this long at most (15 minutes), and of no more records than are soon looked at.
const SHORT: u64 = 15 * 60 * 1_000_000;
const QUIET: u64 = 20_000;

/// A stretch of time, step by step.
pub(super) async fn series(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &OF_SERIES)?;
    let points = query.number("points", USUAL_POINTS, MOST_POINTS)?;
    let range = Span::of(&query, now)?.range(now);
    let is_filtered = FILTERS.iter().any(|name| query.get(name).is_some_and(|value| !value.is_empty()));
    let chart = if is_filtered {
        let filter = filter(&query)?;
        library.ask(Lane::Search, move |archive, stop| of_records(archive, (range, points), &filter, stop)).await
    } else {
        let route = query.get("route").filter(|route| !route.is_empty()).map(str::to_owned);
        library.ask(Lane::Glance, move |archive, stop| counted(archive, (range, points), route.as_deref(), stop)).await
    };
    let (chart, place) = chart?;
    shaped(&chart).map(|answer| answer.holding(place))
}

/// Each route of it.
pub(super) async fn routes(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &OF_ROUTES)?;
    let points = query.number("points", USUAL_POINTS_OF_A_ROUTE, MOST_POINTS_OF_A_ROUTE)?;
    let range = Span::of(&query, now)?.range(now);
    let look = move |archive: &dyn Archive, stop: Stop<'_>| {
        let mut spread = Spread::over(range, points);
        archive.gather(&mut spread, &Expression::default(), stop).map(|()| spread.routes())
    };
    let (routes, place) = library.ask(Lane::Glance, look).await?;
    shaped(&routes).map(|answer| answer.holding(place))
}

fn of_records(
    archive: &dyn Archive,
    (range, points): (Range, usize),
    filter: &Expression,
    stop: Stop<'_>,
) -> Result<Chart, AskError> {
    let fine = Series::fine(range, points, None).filter(|_| range.length() <= SHORT);
    let mut series = fine.unwrap_or_else(|| Series::over(range, points, None));
    archive.gather(&mut series, filter, stop).map(|()| series.chart())
}

fn counted(
    archive: &dyn Archive,
    (range, points): (Range, usize),
    route: Option<&str>,
    stop: Stop<'_>,
) -> Result<Chart, AskError> {
    let fine = Series::fine(range, points, route).filter(|_| range.length() <= SHORT);
    let mut series = match fine {
        Some(fine) if archive.overview(range, stop)?.total().records() <= QUIET => fine,
        _ => Series::over(range, points, route),
    };
    archive.gather(&mut series, &Expression::default(), stop).map(|()| series.chart())
}
