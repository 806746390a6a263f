//! Records as they may come, for tests.

use proptest::prelude::*;

use super::noted::Noted;
use crate::record::{Level, Outcome};

/// A record that owns what it is made of.
#[derive(Debug, Clone)]
pub(in crate::store) struct Sample {
    pub(in crate::store) at: u64,
    level: Level,
    event: &'static str,
    route: Option<String>,
    status: Option<u16>,
    outcome: Option<Outcome>,
    duration: u64,
    bytes: u64,
    path: String,
}

impl Sample {
    pub(in crate::store) fn noted(&self) -> Noted<'_> {
        Noted {
            route: self.route.as_deref(),
            status: self.status,
            outcome: self.outcome,
            duration: Some(self.duration),
            request_bytes: self.bytes,
            response_bytes: self.bytes / 2,
            slow: self.duration > 1_000_000,
            error_type: Some("refused").filter(|_| self.bytes.is_multiple_of(2)),
            path: Some(&self.path),
            request_id: Some(&self.path),
            ..Noted::new(self.at, self.level, if self.bytes.is_multiple_of(3) { "a" } else { "b" }, self.event)
        }
    }
}

/// One of them, in the first so many microseconds.
pub(in crate::store) fn sample(until: u64) -> impl Strategy<Value = Sample> {
    let event = prop::sample::select(vec!["request_completed", "request_started", "request_failed", "log_loss"]);
    let route = prop::option::of(prop::sample::select(vec!["home".to_owned(), "cart".to_owned(), "x".to_owned()]));
    let status = prop::option::of(100..700_u16);
    let duration = (0..40_u32, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1));
    let (level, outcome) = (prop::sample::select(Level::ALL.to_vec()), prop::sample::select(Outcome::ALL.to_vec()));
    (0..until, level, event, route, status, prop::option::of(outcome), duration, 0..9_000_u64, "/[a-z]{0,3}").prop_map(
        |(at, level, event, route, status, outcome, duration, bytes, path)| Sample {
            at,
            level,
            event,
            route,
            status,
            outcome,
            duration,
            bytes,
            path,
        },
    )
}

/// Some of them, within a few seconds, so that moments are often the same.
pub(in crate::store) fn samples() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(
        sample(5_000_000).prop_map(|sample| Sample { at: sample.at / 1_000 * 1_000, ..sample }),
        0..60,
    )
}
