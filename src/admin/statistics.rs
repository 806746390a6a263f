//! `GET /api/stats`, `/api/errors`, `/api/performance`: what a stretch of time was like, the last day unless it is said.
//!
//! Without `q` they come from what was counted beforehand; with it each record is looked at, for a bounded time.

use crate::store::statistics::Statistics;
use crate::store::{Archive, Stop};

use super::answer::{Answer, shaped};
use super::ask::{Lane, Library};
use super::asked::{Span, filter};
use super::query::Query;
use super::refused::Refused;

/// The parameters.
const KNOWN: [&str; 4] = ["q", "since", "until", "hours"];

/// Which side of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Counts,
    Errors,
    Performance,
}

/// One side of the time that is asked for.
pub(super) async fn show(library: &Library, side: Side, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &KNOWN)?;
    let (filter, range) = (filter(&query)?, Span::of(&query, now)?.range(now));
    let lane = if filter.means_everything() { Lane::Glance } else { Lane::Search };
    let needs_routes = side != Side::Errors || lane == Lane::Search;
    let ask = move |archive: &dyn Archive, stop: Stop<'_>| match needs_routes {
        true => archive.statistics(range, &filter, stop),
        false => archive.overview(range, stop),
    };
    let asked = library.ask(lane, ask).await;
    let (statistics, place) = asked?;
    render(side, &statistics).map(|answer| answer.holding(place))
}

fn render(side: Side, statistics: &Statistics) -> Result<Answer, Refused> {
    match side {
        Side::Counts => shaped(&statistics.stats()),
        Side::Errors => shaped(&statistics.errors()),
        Side::Performance => shaped(&statistics.performance()),
    }
}
