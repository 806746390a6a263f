//! The end of an ordinary request, as several benches measure it.

use gatelog::record::{Outcome, Phase, Progress, Timing};

/// A page that was found, by a user who is known.
pub(crate) fn progress() -> Progress<'static> {
    Progress {
        user_id: Some(b"184467"),
        status_code: Some(200),
        response_size: Some(18_234),
        response_content_type: Some(b"text/html; charset=utf-8"),
        cache_hit: Some(b"unknown"),
        duration: 53_210,
        timing: Timing {
            queue: Some(12),
            send: Some(31),
            wait: Some(52_000),
            receive: Some(1_167),
            ..Timing::default()
        },
        outcome: Some(Outcome::Success),
        phase: Phase::Done,
        responder: Some("upstream"),
        upstream: Some("app"),
        upstream_address: Some("127.0.0.1:8000"),
        attempts: Some(1),
        reused_connection: Some(true),
        ..Progress::default()
    }
}
