//! Sampling: which of the ordinary requests are written, decided at their end.
//!
//! # What is never left out
//!
//! Only what went well is sampled. A request is written whatever the rules say when its outcome is neither `success` nor
//! `redirect` (errors of either side, aborts, refusals, tunnels), when it was slow or took [`LONGEST_HOLD`], when an
//! exception or a gRPC status other than 0 came with it, and when its level is above INFO.
//!
//! # The decision
//!
//! The first rule whose filter means the `request_completed` has the rate; no rule, no sampling. The request is written if
//! `draw(request_id) < rate`. The draw is a number from 0 to 1 that anybody can work out from the id alone, whoever minted
//! it: the 64-bit FNV-1a hash of the id's bytes, then the finalizer of MurmurHash3 (`fmix64`), of whose result the upper 53
//! bits are divided by 2^53. So every gatelog on the way of a request that knows it by the same id decides alike, and what is
//! written at a low rate is written at every higher one, too. The record says `sample_rate`, unless the rate is 1.
//!
//! # Whole or not at all
//!
//! A request is left out with all its records or with none, so that each `request_started` in a log still has its
//! `request_completed`. The started record of a request that may be left out is therefore held back, until it is sure that
//! the request will be written: when it becomes slow, after [`LONGEST_HOLD`], or at its end, before its last record and dated
//! when the head was read. What the head alone decides ([`Expression::foretell`](crate::filter::Expression::foretell)) is
//! not waited for: a rule for `path:/health*` holds back health checks and nothing else.
//!
//! # The account
//!
//! What is left out is counted ([`Tally`](super::Tally)), and told in the log itself: once a minute and at the end, a
//! `log_sampled` record says how many requests that were. It uses up no numbers, and is no loss.

use std::time::Duration;

use crate::record::{Event, Head, Level, Outcome, Progress, Record};
use crate::routes::SampleRule;

use super::LOGGER;

/// How long a started record is held back at the most. What takes longer is written.
pub const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// What sampling has to do with a request that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing, or nothing any more: it is written.
    Free,
    /// It is written, as one of many like it.
    Taken,
    /// It may be left out. Once it is this old, it would have had a started record; `None`: never.
    Held(Option<Duration>),
}

/// The number that stands for a request, from 0 to 1, evenly spread.
pub fn draw(request_id: &str) -> f64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = request_id.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let hash = hash ^ hash >> 33;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The head of the record that filters are asked about before it is written.
pub(super) fn last_head() -> Head<'static> {
    let event = Event::RequestCompleted;
    Head { timestamp: 0, level: Level::Info, event, message: event.message(), logger: LOGGER }
}

/// Whether a rule may still leave out the request whose [`last_head`] comes with its facts.
pub(super) fn may_leave_out(rules: &[SampleRule], draw: f64, started: &Record<'_>) -> bool {
    for rule in rules {
        match rule.filter.as_ref().map_or(Some(true), |filter| filter.foretell(started)) {
            Some(false) => {}
            Some(true) => return draw >= rule.rate,
            None if draw >= rule.rate => return true,
            None => {}
        }
    }
    false
}

/// The rate at which requests like this one are written, if a rule is about them.
pub(super) fn rate(rules: &[SampleRule], completed: &Record<'_>) -> Option<f64> {
    let meant = |rule: &&SampleRule| rule.filter.as_ref().is_none_or(|filter| filter.matches(completed));
    rules.iter().find(meant).map(|rule| rule.rate)
}

/// The age from which a request is written whatever the rules say.
pub(super) fn limit(slow: Option<Duration>) -> Duration {
    slow.map_or(LONGEST_HOLD, |slow| slow.min(LONGEST_HOLD))
}

/// Whether a request went as it should, so that the like of it may be left out.
pub(super) fn is_ordinary(level: Level, progress: &Progress<'_>, limit: Duration) -> bool {
    matches!(progress.outcome, Some(Outcome::Success | Outcome::Redirect))
        && level <= Level::Info
        && !progress.slow
        && u128::from(progress.duration) < limit.as_micros()
        && progress.exception_type.is_none()
        && progress.exception_message.is_none()
        && progress.grpc_status.is_none_or(|status| status == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worked out with another program from the description above.
    #[test]
    fn the_draw_is_what_the_description_says() {
        assert_eq!(draw("").to_bits(), reference(b"").to_bits());
        assert_eq!(draw("01997f3e-0001-7000-8000-000000000001"), DRAWN[0]);
        assert_eq!(draw("r-1"), DRAWN[1]);
    }

    const DRAWN: [f64; 2] = [0.2062162639615135, 0.24691820611219262];

    /// The same in plain arithmetic of 128 bits.
    fn reference(id: &[u8]) -> f64 {
        let modulus = 1_u128 << 64;
        let mut hash = 14_695_981_039_346_656_037_u128;
        for byte in id {
            hash = (hash ^ u128::from(*byte)) * 1_099_511_628_211 % modulus;
        }
        for factor in [18_397_679_294_719_823_053_u128, 14_181_476_777_654_086_739] {
            hash = (hash ^ (hash / (1 << 33))) * factor % modulus;
        }
        hash ^= hash / (1 << 33);
        (hash / 2048) as f64 / 9_007_199_254_740_992.0
    }

    proptest! {
        #[test]
        fn the_draw_is_a_number_below_one_and_agrees_with_plain_arithmetic(id in "[A-Za-z0-9._-]{1,128}") {
            let drawn = draw(&id);
            prop_assert!((0.0..1.0).contains(&drawn));
            prop_assert_eq!(drawn, reference(id.as_bytes()));
        }
    }

    #[test]
    fn numbered_ids_and_minted_ones_are_spread_evenly() {
        let numbered = (0..20_000).map(|number| format!("request-{number}"));
        let minted = (0..20_000).map(|_| uuid::Uuid::now_v7().to_string());
        for ids in [numbered.collect::<Vec<_>>(), minted.collect()] {
            for rate in [0.01, 0.1, 0.5, 0.9] {
                let taken = ids.iter().filter(|id| draw(id) < rate).count() as f64 / ids.len() as f64;
                // Six standard deviations.
                let tolerance = 6.0 * (rate * (1.0 - rate) / ids.len() as f64).sqrt();
                assert!((taken - rate).abs() < tolerance, "{taken} at {rate}");
            }
        }
    }
}
