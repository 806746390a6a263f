//! A proxy that was looked at, for tests.

use std::time::{Duration, Instant};

use serde_json::json;

use super::sample::Sample;
use super::view::View;

pub(super) const NOW: u64 = 1_795_345_356_000_123;

pub(super) fn counters(fast: u64, failed: u64) -> String {
    let all = fast + failed;
    format!(
        "gatelog_requests_total{{route=\"post-detail\",method=\"GET\",status=\"2xx\",outcome=\"success\"}} {fast}\n\
         gatelog_requests_total{{route=\"post-detail\",method=\"GET\",status=\"5xx\",outcome=\"server_error\"}} {failed}\n\
         gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"0.001\"}} {fast}\n\
         gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"0.01\"}} {all}\n\
         gatelog_request_duration_seconds_bucket{{route=\"post-detail\",le=\"+Inf\"}} {all}\n\
         gatelog_request_duration_seconds_sum{{route=\"post-detail\"}} {}\n\
         gatelog_requests_total{{route=\"unmatched\",method=\"GET\",status=\"4xx\",outcome=\"client_error\"}} 1\n\
         gatelog_requests_in_flight 2\nprocess_start_time_seconds 1795341600\nprocess_cpu_seconds_total {}\n",
        all as f64 * 0.002,
        all as f64 * 0.0001
    )
}

/// 100 requests a second of which ten fail, two that run, one that was slow, two errors.
pub(super) fn view() -> View {
    let start = Instant::now();
    let mut view = View::of("127.0.0.1:9900".parse().unwrap());
    for second in 0..5_u64 {
        view.add(Sample::read(&counters(1_000 + 90 * second, 10 * second), start + Duration::from_secs(second)));
    }
    view.inflight = vec![
        json!({"request_id": "r-1", "age": 1.5, "phase": "wait", "view_name": "sales-report", "ip_address": "203.0.113.7", "method": "GET", "path": "/reports/\u{1b}[2J", "slow": true}),
        json!({"request_id": "r-2", "age": 0.0003, "phase": "connect", "view_name": "home", "method": "GET", "path": "/"}),
    ];
    view.slow = vec![
        json!({"request_id": "r-3", "timestamp": "2026-11-22T11:02:30.000000Z", "duration": 1.25, "status_code": 200, "route": "checkout", "method": "POST", "path": "/checkout/"}),
    ];
    view.errors = vec![
        json!({"request_id": "r-4", "timestamp": "2026-11-22T11:02:31.000000Z", "status_code": 502, "duration": 0.01, "route": "home", "method": "GET", "path": "/", "error_kind": "connection_refused"}),
        json!({"timestamp": "2026-11-22T11:02:32.000000Z", "message": "the disk is full", "error_kind": "output_failed"}),
    ];
    view
}
