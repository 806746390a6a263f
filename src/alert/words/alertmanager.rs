//! Alerts of Alertmanager's API v2: who is told of them, and how often, is then its to say.
//!
//! An alert is known by its labels, which are the same in all of its notices. It goes on until it is resolved, or for
//! [`KEPT`] after the last notice of it, so that one whose gatelog is gone does not stay for ever; a rule that is to fire
//! for longer than that needs a `repeat` below it.

use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::alert::notice::{Kind, Notice};
use crate::record::json::timestamp;
use crate::time;

use super::{Batch, LONGEST, cut, group_value, line, row};

/// How long an alert is kept that nobody speaks of any more.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The same of a test: long enough for Alertmanager to tell people of it.
const TEST: Duration = Duration::from_secs(5 * 60);
/// Characters of a label.
const LABEL: usize = 200;

/// The alerts of a batch. Of several notices of one alert the last one counts.
pub(in crate::alert) fn alerts(batch: &Batch) -> Value {
    let is_last = |place: usize| !batch.notices[place + 1..].iter().any(|later| later.key == batch.notices[place].key);
    let last = batch.notices.iter().enumerate().filter(|(place, _)| is_last(*place));
    last.map(|(_, notice)| alert(notice)).collect()
}

fn alert(notice: &Notice) -> Value {
    let since = notice.since.min(notice.at);
    let mut alert = json!({
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": timestamp(since),
        "endsAt": timestamp(ends(notice)),
    });
    if let Some(link) = &notice.link {
        alert["generatorURL"] = json!(link);
    }
    alert
}

fn ends(notice: &Notice) -> u64 {
    notice.at.saturating_add(match notice.kind {
        Kind::Fired | Kind::Repeated => time::micros(KEPT),
        Kind::Test => time::micros(TEST),
        Kind::Resolved => 0,
    })
}

/// Those that are empty are left out, as Alertmanager does.
fn labels(notice: &Notice) -> Map<String, Value> {
    let group = notice.group.as_ref().map(|group| group_value(group).into_owned());
    let labels = [
        ("alertname", notice.rule.as_str()),
        ("severity", notice.severity),
        ("service", &notice.service),
        ("environment", &notice.environment),
        ("group", group.as_deref().unwrap_or_default()),
    ];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    labels.map(|(name, value)| (name.to_owned(), json!(label(value)))).collect()
}

/// One line; what is too long ends with what tells it from any other that begins so.
fn label(text: &str) -> String {
    if text.chars().count() <= LABEL {
        return line(text, LABEL);
    }
    let digest = digest(&SHA256, text.as_bytes());
    let mark: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}{mark}", line(text, LABEL))
}

fn annotations(notice: &Notice) -> Map<String, Value> {
    let group = notice.group.as_ref().map(|group| line(&group.by, LONGEST));
    let routes: Vec<String> =
        notice.evidence.routes.iter().map(|(route, count)| format!("{} ({count})", line(route, LONGEST))).collect();
    let newest = notice.evidence.records.first().map(|record| newest(&row::read(record)));
    let annotations = [
        ("summary", Some(line(&notice.summary, LONGEST))),
        ("description", notice.description.as_deref().map(|text| line(text, LONGEST))),
        ("group_by", group),
        ("routes", Some(routes.join(", "))),
        ("newest_record", newest),
    ];
    let said = annotations.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)));
    said.map(|(name, text)| (name.to_owned(), json!(cut(&text, 4 * LONGEST)))).collect()
}

fn newest(row: &row::Row) -> String {
    let cells = [&row.time, &row.status, &row.request, &row.request_id, &row.message];
    cells.into_iter().filter(|cell| !cell.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::samples;
    use proptest::prelude::*;

    fn of(kinds: &[Kind]) -> Value {
        alerts(&Batch { notices: kinds.iter().map(|kind| samples::notice(*kind).into()).collect(), dropped: 0 })
    }

    #[test]
    fn an_alert_is_known_by_its_labels_and_kept_until_it_is_over() {
        let [fired, repeated, resolved] =
            [Kind::Fired, Kind::Repeated, Kind::Resolved].map(|kind| of(&[kind])[0].take());
        let labels = json!({
            "alertname": "error_rate", "severity": "critical", "service": "shop", "environment": "production",
            "group": "checkout",
        });
        for alert in [&fired, &repeated, &resolved] {
            assert_eq!((&alert["labels"], &alert["startsAt"]), (&labels, &json!("2026-08-01T11:59:00.000000Z")));
        }
        assert_eq!(fired["endsAt"], "2026-08-02T12:00:00.000000Z");
        assert_eq!(resolved["endsAt"], "2026-08-01T12:00:00.000000Z");
        assert_eq!(fired["annotations"]["summary"], "12 records in 1m, above 10");
        assert_eq!(fired["annotations"]["group_by"], "route");
        assert_eq!(fired["annotations"]["routes"], "checkout (9), <cart> (3)");
        assert_eq!(fired["generatorURL"], "https://gatelog.example/?q=level%3E%3Derror&since=1h");
    }

    #[test]
    fn the_last_word_on_an_alert_counts() {
        let alerts = of(&[Kind::Fired, Kind::Repeated, Kind::Resolved]);
        assert_eq!(alerts.as_array().map(Vec::len), Some(1));
        assert_eq!(alerts[0]["endsAt"], "2026-08-01T12:00:00.000000Z");
    }

    #[test]
    fn long_values_stay_apart() {
        let (one, other) = (label(&"x".repeat(300)), label(&format!("{}y", "x".repeat(299))));
        assert_ne!(one, other);
        assert!(one.len() < 300);
    }

    proptest! {
        #[test]
        fn an_alert_ends_after_it_begins_and_has_no_empty_label(one in samples::any_notice()) {
            let alert = alerts(&Batch { notices: vec![one.into()], dropped: 0 })[0].take();
            prop_assert!(alert["startsAt"].as_str() <= alert["endsAt"].as_str());
            let labels = alert["labels"].as_object().unwrap();
            prop_assert!(labels.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())));
        }
    }
}
