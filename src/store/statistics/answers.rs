//! The shapes in which statistics are told over HTTP: `/api/stats`, `/api/errors`, `/api/performance`.
//!
//! Moments are RFC 3339 in UTC, durations seconds, as in the record. Names that have nothing are left out, and what there
//! is none of, such as the median of no requests, is null.

use std::cmp::Reverse;

use serde::ser::{Serialize, Serializer};

use super::{Counts, Statistics};
use crate::record::{self, Level};
use crate::store::rollup::{Mention, Range, Requests};

/// `/api/stats`: how much of everything there was.
#[derive(Debug, serde::Serialize)]
pub struct Stats {
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Records of any kind.
    pub total_records: u64,
    /// Requests that ended.
    pub total_requests: u64,
    /// Errors, each once.
    pub total_errors: u64,
    /// Bytes of requests' bodies.
    pub request_bytes: u64,
    /// Bytes of answers' bodies.
    pub response_bytes: u64,
    /// Records of each level, all five, the least first.
    pub by_level: Named,
    /// Records of each logger, the most first.
    pub by_logger: Named,
    /// Records of each event, the most first.
    pub by_event: Named,
    /// Records of each hour that has any, by its first moment, the oldest first.
    pub by_hour: Named,
    /// Requests of each route, the most first.
    pub by_route: Named,
    /// Requests of each status, the least first; `none` where none was sent.
    pub by_status: Named,
    /// Requests of each class of status.
    pub by_status_class: Named,
    /// Requests of each outcome, the most first.
    pub by_outcome: Named,
}

/// `/api/errors`: what went wrong.
#[derive(Debug, serde::Serialize)]
pub struct Errors {
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Errors of each kind, the most first: the exception's type, else the outcome, else the event.
    pub error_counts: Named,
    /// The newest hundred, the newest first.
    pub error_timeline: Vec<Entry>,
    /// All of them.
    pub total_errors: u64,
}

/// `/api/performance`: how long requests took.
#[derive(Debug, serde::Serialize)]
pub struct Performance {
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Requests that ended.
    pub total_requests: u64,
    /// Of all of them.
    #[serde(flatten)]
    pub times: Times,
    /// How many crossed their threshold.
    pub slow_requests_count: u64,
    /// The slowest twenty, the slowest first, whether or not they crossed a threshold.
    pub slow_requests: Vec<Entry>,
    /// Each route, that with the most requests first.
    pub routes: Vec<Route>,
}

/// What an answer is about, and what it lacks.
#[derive(Debug, serde::Serialize)]
pub struct Scope {
    /// Its first moment.
    pub since: String,
    /// The first moment after it.
    pub until: String,
    /// Whether there may be more than was counted: the question took too long, or records of the time are gone.
    pub partial: bool,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

/// Response times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Times {
    /// The arithmetic mean.
    pub avg_response_time: Option<f64>,
    /// Half of all took no longer; at most 0.8 % more than exact, as those below.
    pub p50_response_time: Option<f64>,
    /// 95 of 100 took no longer.
    pub p95_response_time: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_response_time: Option<f64>,
    /// The longest.
    pub max_response_time: Option<f64>,
}

/// One route.
#[derive(Debug, serde::Serialize)]
pub struct Route {
    /// Its name; `unmatched` for what matched none.
    pub route: String,
    /// Requests that ended.
    pub requests: u64,
    /// Of them answered with 4xx.
    pub client_errors: u64,
    /// Of them answered with 5xx.
    pub server_errors: u64,
    /// Of them over their threshold.
    pub slow: u64,
    /// How long they took.
    #[serde(flatten)]
    pub times: Times,
    /// Bytes of requests' bodies.
    pub request_bytes: u64,
    /// Bytes of answers' bodies.
    pub response_bytes: u64,
}

/// A record that is shown by itself: what is there of these fields of the record.
#[derive(Debug, serde::Serialize)]
pub struct Entry {
    timestamp: String,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_kind: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
}

/// Numbers by their names, as an object whose members are in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named(pub Vec<(String, u64)>);

impl Statistics {
    /// As `/api/stats` tells it.
    pub fn stats(&self) -> Stats {
        let (total, requests) = (&self.total, &self.total.requests);
        let Counts { records, requests: ended, errors } = Counts::of(total);
        let levels = Level::ALL.iter().zip(total.levels).map(|(level, count)| (level.as_str(), count));
        Stats {
            scope: self.scope(),
            total_records: records,
            total_requests: ended,
            total_errors: errors,
            request_bytes: requests.request_bytes,
            response_bytes: requests.response_bytes,
            by_level: Named::of(levels),
            by_logger: Named::most_first(total.loggers.iter().map(|(name, count)| (name, *count))),
            by_event: Named::most_first(total.events.iter().map(|(name, count)| (name, *count))),
            by_hour: Named::of(self.hours.iter().map(|(hour, counts)| (to_the_second(*hour), counts.records))),
            by_route: Named::most_first(total.routes.iter().map(|(name, requests)| (name, requests.count()))),
            by_status: Named::of(requests.statuses.iter().map(|(status, count)| (status_name(status), count))),
            by_status_class: Named::of(requests.classes()),
            by_outcome: Named::most_first(requests.outcomes().map(|(outcome, count)| (outcome.as_str(), count))),
        }
    }

    /// As `/api/errors` tells it.
    pub fn errors(&self) -> Errors {
        Errors {
            scope: self.scope(),
            error_counts: Named::most_first(self.total.errors.iter().map(|(kind, count)| (kind, *count))),
            error_timeline: self.total.notable.errors().map(Entry::of).collect(),
            total_errors: self.total.error_count(),
        }
    }

    /// As `/api/performance` tells it.
    pub fn performance(&self) -> Performance {
        let requests = &self.total.requests;
        let mut routes: Vec<Route> =
            self.total.routes.iter().map(|(name, requests)| Route::of(name, requests)).collect();
        routes.sort_by_key(|route| Reverse(route.requests));
        Performance {
            scope: self.scope(),
            total_requests: requests.count(),
            times: Times::of(requests),
            slow_requests_count: requests.slow,
            slow_requests: self.total.notable.slowest().map(Entry::of).collect(),
            routes,
        }
    }

    fn scope(&self) -> Scope {
        Scope::of(self.range, self.partial, &self.troubles)
    }
}

impl Scope {
    pub(super) fn of(range: Range, partial: bool, troubles: &[String]) -> Scope {
        let (since, until) = (record::timestamp(range.since), record::timestamp(range.until));
        Scope { since, until, partial, troubles: troubles.to_vec() }
    }
}

impl Times {
    /// Of these requests.
    pub fn of(requests: &Requests) -> Times {
        let durations = &requests.durations;
        let [p50, p95, p99] = durations.quantiles([0.5, 0.95, 0.99]).map(|micros| micros.map(seconds));
        Times {
            // Rounded to microseconds, the unit of what it was made of.
            avg_response_time: durations.mean().map(|mean| seconds(mean.round() as u64)),
            p50_response_time: p50,
            p95_response_time: p95,
            p99_response_time: p99,
            max_response_time: durations.quantile(1.0).map(seconds),
        }
    }
}

impl Route {
    pub(super) fn of(name: &str, requests: &Requests) -> Route {
        Route {
            route: name.to_owned(),
            requests: requests.count(),
            client_errors: requests.of_class(4),
            server_errors: requests.of_class(5),
            slow: requests.slow,
            times: Times::of(requests),
            request_bytes: requests.request_bytes,
            response_bytes: requests.response_bytes,
        }
    }
}

impl Entry {
    fn of(mention: &Mention) -> Entry {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Entry {
            timestamp: record::timestamp(mention.at),
            level: mention.level.as_str(),
            error_kind: owned(&mention.kind),
            message: mention.message.to_string(),
            request_id: owned(&mention.request_id),
            method: owned(&mention.method),
            path: owned(&mention.path),
            route: owned(&mention.route),
            status_code: mention.status,
            duration: mention.duration.map(seconds),
        }
    }
}

impl Named {
    /// In the order in which they come.
    pub fn of<N: Into<String>>(named: impl Iterator<Item = (N, u64)>) -> Named {
        Named(named.map(|(name, count)| (name.into(), count)).collect())
    }

    /// Those with the most first; of equal ones, by the alphabet.
    pub fn most_first<N: Into<String>>(named: impl Iterator<Item = (N, u64)>) -> Named {
        let mut named = Named::of(named);
        named.0.sort_by(|(one, few), (other, many)| many.cmp(few).then_with(|| one.cmp(other)));
        named
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, count)| (name, count)))
    }
}

/// Microseconds as seconds.
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// A moment without its microseconds.
pub(super) fn to_the_second(micros: u64) -> String {
    let mut text = record::timestamp(micros);
    text.truncate("2026-11-22T11:02:36".len());
    text + "Z"
}

pub(super) fn status_name(status: u16) -> String {
    if status == 0 { "none".to_owned() } else { status.to_string() }
}
