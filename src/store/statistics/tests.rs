//! Statistics from rollups are those of a naive count, and are told in the shapes of the interface.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::{Level, Outcome};
use crate::store::rollup::sample::sample;
use crate::store::rollup::{MINUTE, Pending};

/// 2026-11-22T10:59:00Z.
const START: u64 = 1_795_345_140_000_000;

fn ended(at: u64, status: u16, duration: u64) -> Noted<'static> {
    let level = if status >= 500 { Level::Error } else { Level::Info };
    Noted {
        message: "Request completed",
        route: Some("home"),
        status: Some(status),
        outcome: Some(Outcome::of_status(status)),
        duration: Some(duration),
        request_bytes: 10,
        response_bytes: 2048,
        slow: duration > 1_000_000,
        request_id: Some("r1"),
        method: Some("GET"),
        path: Some("/"),
        ..Noted::new(at, level, "gatelog.request", "request_completed")
    }
}

/// Two minutes over the turn of an hour: four requests, of which one fails and one is slow, and two other records.
fn sample_statistics() -> Statistics {
    let mut statistics = Statistics::over(Range { since: START, until: START + 2 * MINUTE });
    statistics.note(&Noted::new(START, Level::Info, "gatelog.request", "request_started"));
    statistics.note(&ended(START + 1, 200, 100));
    statistics.note(&ended(START + MINUTE, 200, 200));
    statistics.note(&Noted { route: Some("cart"), ..ended(START + MINUTE + 1, 200, 2_000_000) });
    let failed = Noted {
        error_type: Some("refused"),
        error_message: Some("no one is there"),
        ..ended(START + MINUTE + 2, 502, 90)
    };
    statistics.note(&Noted { event: "request_failed", ..failed });
    statistics.note(&failed);
    statistics.note(&ended(START + 2 * MINUTE, 200, 100));
    statistics
}

#[test]
fn stats_have_the_shape_of_the_interface() {
    let expected = json!({
        "since": "2026-11-22T10:59:00.000000Z", "until": "2026-11-22T11:01:00.000000Z", "partial": false,
        "total_records": 6, "total_requests": 4, "total_errors": 1, "request_bytes": 40, "response_bytes": 8192,
        "by_level": {"DEBUG": 0, "INFO": 4, "WARNING": 0, "ERROR": 2, "CRITICAL": 0},
        "by_logger": {"gatelog.request": 6},
        "by_event": {"request_completed": 4, "request_failed": 1, "request_started": 1},
        "by_hour": {"2026-11-22T10:00:00Z": 2, "2026-11-22T11:00:00Z": 4},
        "by_route": {"home": 3, "cart": 1},
        "by_status": {"200": 3, "502": 1}, "by_status_class": {"2xx": 3, "5xx": 1},
        "by_outcome": {"success": 3, "server_error": 1},
    });
    let told = serde_json::to_string(&sample_statistics().stats()).unwrap();
    assert_eq!(told, expected.to_string(), "order of members included");
}

#[test]
fn errors_have_the_shape_of_the_interface() {
    let expected = json!({
        "since": "2026-11-22T10:59:00.000000Z", "until": "2026-11-22T11:01:00.000000Z", "partial": true,
        "troubles": ["x.db: torn"],
        "error_counts": {"refused": 1},
        "error_timeline": [{
            "timestamp": "2026-11-22T11:00:00.000002Z", "level": "ERROR", "error_kind": "refused",
            "message": "no one is there", "request_id": "r1", "method": "GET", "path": "/", "route": "home",
            "status_code": 502, "duration": 0.00009,
        }],
        "total_errors": 1,
    });
    let mut statistics = sample_statistics();
    statistics.set_partial();
    statistics.add_trouble("x.db: torn".to_owned());
    assert_eq!(serde_json::to_string(&statistics.errors()).unwrap(), expected.to_string());
}

#[test]
fn performance_has_the_shape_of_the_interface() {
    let told = serde_json::to_value(sample_statistics().performance()).unwrap();
    assert_eq!(told["avg_response_time"], 0.500098);
    assert_eq!(told["p50_response_time"], 0.0001);
    assert_eq!([&told["p95_response_time"], &told["p99_response_time"], &told["max_response_time"]], [2.0, 2.0, 2.0]);
    assert_eq!(told["slow_requests_count"], 1);
    let durations: Vec<_> = told["slow_requests"].as_array().unwrap().iter().map(|entry| &entry["duration"]).collect();
    assert_eq!(durations, [2.0, 0.0002, 0.0001, 0.00009]);
    let expected = json!({
        "route": "cart", "requests": 1, "client_errors": 0, "server_errors": 0, "slow": 1, "avg_response_time": 2.0,
        "p50_response_time": 2.0, "p95_response_time": 2.0, "p99_response_time": 2.0, "max_response_time": 2.0,
        "request_bytes": 10, "response_bytes": 2048,
    });
    assert_eq!(told["routes"][1], expected);
    let nothing = serde_json::to_value(Statistics::over(Range { since: 0, until: 1 }).performance()).unwrap();
    assert_eq!((&nothing["p95_response_time"], &nothing["slow_requests"]), (&json!(null), &json!([])));
}

#[test]
fn a_chart_has_every_step_and_the_rates_of_what_it_saw() {
    let mut series = Series::over(Range { since: START, until: START + 2 * MINUTE + 30_000_000 }, 10, None);
    series.note(&ended(START + 1, 200, 100));
    for number in 0..60 {
        series.note(&ended(START + 2 * MINUTE + number, if number < 15 { 503 } else { 200 }, 30_000));
    }
    let chart = serde_json::to_value(series.chart()).unwrap();
    let points = chart["points"].as_array().unwrap();
    assert_eq!((points.len(), &chart["step"]), (3, &json!(60.0)));
    assert_eq!(points[1]["timestamp"], "2026-11-22T11:00:00Z");
    assert_eq!((&points[1]["requests"], &points[1]["p50_response_time"]), (&json!(0), &json!(null)));
    assert_eq!((&points[2]["rate"], &points[2]["errors"]), (&json!(2.0), &json!(15)));
    assert_eq!(points[2]["by_status_class"], json!({"2xx": 45, "5xx": 15}));
    let heat: Vec<_> = points[2]["heat"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    assert_eq!((heat.len(), heat[5]), (chart["heat_bounds"].as_array().unwrap().len() + 1, 60));
}

/// Steps are all of what they are steps of, and routes are all requests.
fn adds_up(spread: &Spread, series: &Series, whole: &Statistics) -> Result<(), TestCaseError> {
    let (stats, points) = (whole.stats(), series.chart().points);
    let sum = |of: fn(&series::Point) -> u64| points.iter().map(of).sum::<u64>();
    prop_assert_eq!(sum(|point| point.records), stats.total_records);
    prop_assert_eq!(sum(|point| point.requests), stats.total_requests);
    prop_assert_eq!(sum(|point| point.errors), stats.total_errors);
    prop_assert_eq!(sum(|point| point.slow), whole.performance().slow_requests_count);
    prop_assert_eq!(sum(|point| point.heat.iter().sum()), stats.total_requests);
    prop_assert_eq!(sum(|point| point.by_level.0.iter().map(|(_, count)| count).sum()), stats.total_records);
    for route in &spread.routes().routes {
        prop_assert_eq!(route.series.requests.iter().sum::<u64>(), route.route.requests);
        prop_assert_eq!(route.series.errors.iter().sum::<u64>(), route.route.server_errors);
    }
    let requests: u64 = spread.routes().routes.iter().map(|route| route.route.requests).sum();
    prop_assert_eq!(requests, stats.total_requests);
    Ok(())
}

#[test]
fn steps_of_seconds_come_from_the_records_alone() {
    let range = Range { since: START + 500_000, until: START + 5 * MINUTE };
    let mut series = Series::fine(range, 120, None).unwrap();
    series.note(&ended(START + 1_000_000, 200, 100));
    series.note(&ended(START + 6_000_000, 503, 100));
    fill(&mut series, &Pending::default()).unwrap();
    let chart = serde_json::to_value(series.chart()).unwrap();
    assert_eq!((&chart["step"], chart["points"].as_array().unwrap().len()), (&json!(5.0), 60));
    assert_eq!((&chart["points"][0]["requests"], &chart["points"][1]["errors"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&chart["points"][1]["rate"], &chart["points"][1]["timestamp"]),
        (&json!(0.2), &json!("2026-11-22T10:59:05Z"))
    );
    assert!(Series::fine(Range { since: 0, until: HOUR }, 100, None).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whole or in two parts.
    #[test]
    fn rollups_tell_what_a_naive_count_tells(
        samples in prop::collection::vec(sample(3 * HOUR), 1..60),
        from in 0..180_u64,
        length in 1..180_u64,
    ) {
        let range = Range { since: from * MINUTE, until: (from + length) * MINUTE };
        let (mut naive, mut halves) = (Statistics::over(range), [Statistics::over(range), Statistics::over(range)]);
        let mut pending = Pending::default();
        let [mut spread, mut kept] = [Spread::over(range, 20), Spread::over(range, 20)];
        let [mut all, mut home] = [None, Some("home")].map(|route| Series::over(range, 50, route));
        for (number, sample) in (1..).zip(&samples) {
            let noted = sample.noted();
            naive.note(&noted);
            halves[number as usize % 2].note(&noted);
            pending.note(number, &noted);
            all.note(&noted);
            home.note(&noted);
            spread.note(&noted);
        }
        fill(&mut kept, &pending).unwrap();
        let routes = |spread: &Spread| serde_json::to_value(spread.routes()).unwrap();
        prop_assert_eq!(routes(&kept), routes(&spread));
        adds_up(&spread, &all, &naive)?;
        let [mut one, two] = halves;
        one.merge(&two);
        prop_assert_eq!(&one, &naive);
        for (route, series) in [(None, all), (Some("home"), home)] {
            let chart = |series: &Series| serde_json::to_string(&series.chart()).unwrap();
            prop_assert_eq!(chart(&Series::of(&pending, range, 50, route).unwrap()), chart(&series));
        }
        let told = |statistics: &Statistics| serde_json::to_string(
            &(statistics.stats(), statistics.errors(), statistics.performance())
        ).unwrap();
        prop_assert_eq!(told(&Statistics::of(&pending, range).unwrap()), told(&naive));
    }

    #[test]
    fn nothing_shown_is_wider_than_the_terminal(samples in prop::collection::vec(sample(80 * HOUR), 0..40), width in 20..200_usize) {
        let mut statistics = Statistics::over(Range { since: 0, until: 100 * HOUR });
        samples.iter().for_each(|sample| statistics.note(&sample.noted()));
        let shown = statistics.show(text::Shape { width, ..text::Shape::default() });
        let wide = shown.lines().find(|line| line.chars().count() > width.max(50));
        prop_assert_eq!(wide, None);
    }
}

#[test]
fn what_is_shown_is_aligned() {
    let shown = sample_statistics().show(text::Shape { width: 110, ..text::Shape::default() });
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    assert_eq!(lines[..12], SHOWN, "{shown}");
    let plain = |text: &str| !text.contains('\x1b');
    assert!(plain(&shown));
    assert!(!plain(&sample_statistics().show(text::Shape { colour: true, ..text::Shape::default() })));
}

const SHOWN: [&str; 12] = [
    "2026-11-22 10:59:00 to 2026-11-22 11:01:00 UTC",
    "  requests  records  errors     5xx  slow  received     sent",
    "         4        6       1  25.0 %     1      40 B  8.00 KB",
    "",
    "By hour",
    "  hour              records  errors",
    "  2026-11-22 10:00        2       0  ███████████████",
    "  2026-11-22 11:00        4       1  ██████████████████████████████",
    "",
    "Routes",
    "  route  requests    share  4xx  5xx     avg     p50     p95     p99     max",
    "  home          3   75.0 %    0    1  130 µs  100 µs  200 µs  200 µs  200 µs",
];
