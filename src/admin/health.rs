//! `/healthz`: is the process alive? `/readyz`: should it be sent traffic?
//!
//! Both are for supervisors and load balancers, which have no token: without one they say in a word how it is, and no more
//! about the inside than which core or upstream it is.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;

use crate::listen::Stage;

use super::answer::{Answer, json, problem_with};
use super::cores::CoreLine;
use super::server::Sources;

/// A core shows once a second that it is alive; one that has not for this long is held up.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// 200 as long as every core does its work.
pub(super) fn health(sources: &Sources, now: Instant) -> Answer {
    let silent = silent(&sources.cores, now);
    if silent.is_empty() {
        return json(StatusCode::OK, &json!({ "status": "ok", "cores": sources.cores.len() }));
    }
    let detail = format!("cores that have done nothing for {} seconds", LONGEST_SILENCE.as_secs());
    problem_with(StatusCode::SERVICE_UNAVAILABLE, &detail, json!({ "cores": silent }))
}

/// 200 as long as requests are welcome, and each upstream has a server for them.
pub(super) fn readiness(sources: &Sources) -> Answer {
    if *sources.stages.borrow() >= Stage::Draining {
        return problem_with(StatusCode::SERVICE_UNAVAILABLE, "draining", json!({}));
    }
    let dead = sources.upstreams.dead();
    if dead.is_empty() {
        return json(StatusCode::OK, &json!({ "status": "ready" }));
    }
    let detail = "upstreams of which every server is down";
    problem_with(StatusCode::SERVICE_UNAVAILABLE, detail, json!({ "upstreams": dead }))
}

/// Cores that have not shown for too long that they are alive.
fn silent(cores: &[CoreLine], now: Instant) -> Vec<usize> {
    let is_silent = |core: &CoreLine| core.pulse().age(now) > LONGEST_SILENCE;
    cores.iter().enumerate().filter(|(_, core)| is_silent(core)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::cores::line;
    use crate::time::monotonic;

    #[test]
    fn a_core_that_is_silent_for_too_long_is_named() {
        let (lines, ends): (Vec<_>, Vec<_>) = (0..3).map(|_| line()).unzip();
        let start = monotonic();
        assert!(silent(&lines, start + LONGEST_SILENCE / 2).is_empty());
        let later = start + 2 * LONGEST_SILENCE;
        ends[0].pulse.beat(later);
        ends[2].pulse.beat(later);
        assert_eq!(silent(&lines, later + Duration::from_secs(1)), [1]);
    }
}
