//! Events of PagerDuty's Events API v2: one for each notice, by which its incident is opened, kept or resolved.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::alert::notice::{Kind, Notice};
use crate::record::json::timestamp;

use super::{Batch, LONGEST, cut, group_value, headline, line, place, row};

/// What the API takes at most: characters of a summary, and of the key of an incident.
const SUMMARY: usize = 1024;
const KEY: usize = 255;
/// Bytes of all records of an event; the whole event may have 512 KB.
const RECORDS: usize = 256 * 1024;

/// The events of a batch, in order. A test opens an incident and resolves it.
pub(in crate::alert) fn events(batch: &Batch, routing_key: &str) -> Vec<Value> {
    let of = |notice: &Notice| match notice.kind {
        Kind::Fired | Kind::Repeated => vec![trigger(notice, routing_key)],
        Kind::Resolved => vec![resolve(notice, routing_key)],
        Kind::Test => vec![trigger(notice, routing_key), resolve(notice, routing_key)],
    };
    batch.notices.iter().flat_map(|notice| of(notice)).collect()
}

fn trigger(notice: &Notice, routing_key: &str) -> Value {
    let alone = Batch { notices: vec![notice.clone().into()], dropped: 0 };
    let source = Some(place(notice)).filter(|place| !place.is_empty()).unwrap_or_else(|| "gatelog".to_owned());
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key(&notice.key),
        "client": "gatelog",
        "payload": {
            "summary": cut(&headline(&alone), SUMMARY),
            "source": cut(&source, LONGEST),
            "severity": severity(notice.severity),
            "timestamp": timestamp(notice.since),
            "component": line(&notice.service, LONGEST),
            "group": line(&notice.environment, LONGEST),
            "class": line(&notice.rule, LONGEST),
            "custom_details": details(notice),
        },
    });
    if let Some(link) = &notice.link {
        event["client_url"] = json!(link);
        event["links"] = json!([{"href": link, "text": "Dashboard"}]);
    }
    event
}

fn resolve(notice: &Notice, routing_key: &str) -> Value {
    json!({"routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key(&notice.key)})
}

/// The key itself, or, where that is too long, one that is as good at telling apart.
fn dedup_key(key: &str) -> String {
    if key.chars().count() <= KEY {
        return key.to_owned();
    }
    digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// PagerDuty has one more, which is between ours.
fn severity(severity: &str) -> &'static str {
    match severity {
        "critical" => "critical",
        "warning" => "warning",
        _ => "info",
    }
}

fn details(notice: &Notice) -> Value {
    let routes: serde_json::Map<String, Value> =
        notice.evidence.routes.iter().map(|(route, count)| (line(route, LONGEST), json!(count))).collect();
    json!({
        "summary": line(&notice.summary, LONGEST),
        "description": notice.description.as_deref().map(|text| line(text, LONGEST)),
        "group": notice.group.as_ref().map(|group| json!({"by": line(&group.by, LONGEST), "name": group_value(group)})),
        "value": notice.value,
        "bound": notice.bound,
        "routes": routes,
        "chart": notice.evidence.chart,
        "records": records(&notice.evidence.records),
    })
}

/// As objects, for as long as there is room.
fn records(records: &[String]) -> Vec<Value> {
    let mut room = RECORDS;
    let fits = |record: &&String| {
        let left = room.checked_sub(record.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    let read = |record: &String| serde_json::from_str(record).unwrap_or_else(|_| json!(line(record, LONGEST)));
    records.iter().take(row::MOST).filter(fits).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::samples;
    use proptest::prelude::*;

    fn of(notice: Notice) -> Vec<Value> {
        events(&Batch { notices: vec![notice.into()], dropped: 0 }, "R0UT1NG")
    }

    #[test]
    fn an_incident_is_opened_and_resolved_by_one_key() {
        let events = [Kind::Fired, Kind::Repeated, Kind::Resolved].map(|kind| of(samples::notice(kind)).remove(0));
        let actions = events.each_ref().map(|event| event["event_action"].as_str().unwrap().to_owned());
        assert_eq!(actions, ["trigger", "trigger", "resolve"]);
        assert!(events.iter().all(|event| event["dedup_key"] == "error_rate/route=checkout"));
        let payload = &events[0]["payload"];
        assert_eq!((&payload["severity"], &payload["source"]), (&json!("critical"), &json!("shop (production)")));
        assert_eq!(payload["timestamp"], "2026-08-01T11:59:00.000000Z");
        assert_eq!(payload["custom_details"]["records"][0]["status_code"], 502);
        assert_eq!(payload["custom_details"]["routes"]["checkout"], 9);
    }

    #[test]
    fn a_test_leaves_nothing_open() {
        let actions: Vec<Value> =
            of(samples::notice(Kind::Test)).into_iter().map(|event| event["event_action"].clone()).collect();
        assert_eq!(actions, ["trigger", "resolve"]);
    }

    #[test]
    fn a_long_key_still_tells_apart() {
        let keys = [dedup_key(&"x".repeat(300)), dedup_key(&"x".repeat(301))];
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys.map(|key| key.len()), [64, 64]);
    }

    #[test]
    fn records_stop_where_the_room_ends() {
        let mut notice = samples::notice(Kind::Fired);
        notice.evidence.records = vec![format!("\"{}\"", "x".repeat(100_000)); 10];
        let event = of(notice).remove(0);
        assert_eq!(event["payload"]["custom_details"]["records"].as_array().map(Vec::len), Some(2));
        assert!(serde_json::to_vec(&event).unwrap().len() < 512_000);
    }

    proptest! {
        #[test]
        fn the_limits_of_the_api_are_kept(one in samples::any_notice()) {
            for event in of(one) {
                prop_assert!(event["dedup_key"].as_str().unwrap().chars().count() <= KEY);
                prop_assert!(serde_json::to_vec(&event).unwrap().len() < 512_000);
                if event["event_action"] == "trigger" {
                    prop_assert!(event["payload"]["summary"].as_str().unwrap().chars().count() <= SUMMARY);
                    prop_assert!(!event["payload"]["source"].as_str().unwrap().is_empty());
                }
            }
        }
    }
}
