//! All there is to say, for programs: what the webhook of format `json` posts, and what a command has on its standard input.
//!
//! ```json
//! {"version": 1, "dropped": 0, "notices": [{
//!   "kind": "fired",                      // repeated, resolved, test
//!   "rule": "error_rate", "severity": "critical", "description": null,
//!   "group": {"by": "route", "name": "checkout"},   // null where the rule does not tell apart; "name" null: all others
//!   "summary": "12 records in 1m, above 10", "value": 12.0, "bound": 10.0,
//!   "since": 1785585540000000, "at": 1785585600000000,          // microseconds since the Unix epoch
//!   "key": "…",                           // the same in all notices of one alert
//!   "service": "shop", "environment": "production", "link": "https://…",
//!   "records": ["{\"timestamp\":…}"],     // JSON lines as they are in the log, the newest first, at most ten
//!   "routes": [["checkout", 9]], "chart": [0, 3, 12]
//! }]}
//! ```
//!
//! `dropped` is how many notices before these were dropped because too many waited. A text that is longer than 16384
//! characters is cut and ends with `…`; of a record that is longer, what is left is no JSON any more.

use serde_json::{Value, json};

use super::{Batch, cut};

/// Characters of any text.
const TEXT: usize = 16 * 1024;

/// A batch as one document.
pub(in crate::alert) fn batch(batch: &Batch) -> Value {
    let mut notices: Vec<Value> =
        batch.notices.iter().filter_map(|notice| serde_json::to_value(notice.as_ref()).ok()).collect();
    notices.iter_mut().for_each(bound);
    json!({"version": 1, "dropped": batch.dropped, "notices": notices})
}

/// Cuts every text in it.
fn bound(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > TEXT => *text = cut(text, TEXT).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(bound),
        Value::Object(members) => members.values_mut().for_each(bound),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::notice::Kind;
    use crate::alert::words::samples;
    use proptest::prelude::*;

    #[test]
    fn everything_of_a_notice_is_there() {
        let notice = samples::notice(Kind::Fired);
        let document = batch(&Batch { notices: vec![notice.clone().into()], dropped: 4 });
        let records = notice.evidence.records;
        let expected = json!({"version": 1, "dropped": 4, "notices": [{
            "kind": "fired", "rule": "error_rate", "severity": "critical",
            "description": "Customers cannot pay & <leave>.",
            "group": {"by": "route", "name": "checkout"},
            "summary": "12 records in 1m, above 10", "value": 12.0, "bound": 10.0,
            "since": 1_785_585_540_000_000u64, "at": 1_785_585_600_000_000u64,
            "key": "error_rate/route=checkout", "service": "shop", "environment": "production",
            "link": "https://gatelog.example/?q=level%3E%3Derror&since=1h",
            "records": records, "routes": [["checkout", 9], ["<cart>", 3]], "chart": [0, 1, 2, 0, 5, 12],
        }]});
        assert_eq!(document, expected);
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let mut notice = samples::notice(Kind::Fired);
        notice.evidence.records = vec!["ä".repeat(TEXT + 1)];
        let document = batch(&Batch { notices: vec![notice.into()], dropped: 0 });
        let record = document["notices"][0]["records"][0].as_str().unwrap();
        assert_eq!((record.chars().count(), record.ends_with('…')), (TEXT, true));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(one in samples::any_notice()) {
            let document = batch(&Batch { notices: vec![one.clone().into()], dropped: 0 });
            let read: Value = serde_json::from_slice(&serde_json::to_vec(&document).unwrap()).unwrap();
            prop_assert_eq!(&read, &document);
            let notice = &read["notices"][0];
            prop_assert_eq!(notice["summary"].as_str(), Some(one.summary.as_str()));
            prop_assert_eq!(notice["value"].as_f64(), Some(one.value).filter(|value| value.is_finite()));
            let records: Vec<&str> = notice["records"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            prop_assert_eq!(records, one.evidence.records.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
