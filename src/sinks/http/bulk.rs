//! `_bulk` of Elasticsearch and OpenSearch: a line that says what to do before each record, and an answer for each.
//!
//! Records are created and never overwritten (data streams take nothing else), with `instance-seq` as their id: one that
//! is sent again is answered with 409, which means that it is there. `@timestamp`, without which a data stream takes
//! nothing, is the record's own moment, whatever its schema calls it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::filter::Line;
use crate::net::post::Answer;
use crate::record::json;
use crate::sinks::delivery::Verdict;
use crate::sinks::lines::Lines;

use super::{excerpt, moment};

/// Bytes of the longest answer that is read: a batch of the most records, each with a reason of a few hundred bytes.
pub(super) const LONGEST_ANSWER: usize = 16 << 20;

/// Lines as the body of a request.
pub(super) fn body(index: &str, lines: &Lines) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.bytes().len() + 160 * lines.len());
    let mut create = b"{\"create\":{\"_index\":".to_vec();
    json::string(index.as_bytes(), &mut create);
    for line in lines.iter() {
        let members = Line::read(line);
        out.extend_from_slice(&create);
        if let Some(id) = members.as_ref().and_then(id) {
            out.extend_from_slice(b",\"_id\":");
            json::string(id.as_bytes(), &mut out);
        }
        out.extend_from_slice(b"}}\n");
        document(line, members.as_ref(), &mut out);
        out.push(b'\n');
    }
    out
}

/// Where each schema has the process and the number of a record.
fn id(members: &Line<'_>) -> Option<String> {
    let instance = members.text("instance").or_else(|| members.text("service.ephemeral_id"));
    let instance = instance.or_else(|| members.within("Resource")?.text("service.instance.id"))?;
    let seq = members.raw("seq").or_else(|| members.raw("event.sequence"));
    Some(format!("{instance}-{}", seq.or_else(|| members.within("Attributes")?.raw("gatelog.seq"))?))
}

fn document(line: &[u8], members: Option<&Line<'_>>, out: &mut Vec<u8>) {
    let line = line.trim_ascii_end();
    let Some(members) = members else {
        out.extend_from_slice(b"{\"message\":");
        json::string(line, out);
        return out.push(b'}');
    };
    out.push(b'{');
    if let Some(timestamp) = moment::of(members).filter(|_| members.raw("@timestamp").is_none()) {
        out.extend_from_slice(b"\"@timestamp\":");
        out.extend_from_slice(timestamp.as_bytes());
        out.extend_from_slice(if members.members().next().is_none() { b"" } else { b"," });
    }
    out.extend_from_slice(&line[1..]);
}

/// What the answer to a batch of `count` records says of each.
pub(super) fn verdict(answer: &Answer, count: usize) -> Verdict {
    let again = |said: &str| Verdict::Again { said: format!("{said}{}", excerpt(&answer.body)), after: None };
    let parsed = answer.whole.then(|| serde_json::from_slice::<BulkAnswer<'_>>(&answer.body).ok()).flatten();
    match parsed {
        None => again("200, but no answer of _bulk"),
        Some(BulkAnswer { errors: false, .. }) => Verdict::Accepted,
        Some(BulkAnswer { items, .. }) if items.len() != count => again("200, but not an answer for each record"),
        Some(BulkAnswer { items, .. }) => sort(&items),
    }
}

fn sort(items: &[HashMap<&str, Item<'_>>]) -> Verdict {
    let (mut rejected, mut again, mut said) = (Vec::new(), Vec::new(), String::new());
    for (place, item) in items.iter().enumerate() {
        let Some(item) = item.values().next() else { continue };
        match item.status {
            // 409: it is there already.
            200..300 | 409 => continue,
            408 | 429 | 500.. => again.push(place),
            _ => rejected.push(place),
        }
        if said.is_empty() {
            said = format!(
                "{} for a record{}",
                item.status,
                item.error.map_or_else(String::new, |it| excerpt(it.get().as_bytes()))
            );
        }
    }
    if rejected.is_empty() && again.is_empty() { Verdict::Accepted } else { Verdict::Partly { rejected, again, said } }
}

#[derive(Deserialize)]
struct BulkAnswer<'a> {
    errors: bool,
    #[serde(borrow, default)]
    items: Vec<HashMap<&'a str, Item<'a>>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use serde_json::{Value, json};

    fn judged(body: &str, count: usize) -> Verdict {
        let answer = Answer {
            status: StatusCode::OK,
            retry_after: None,
            location: None,
            body: body.as_bytes().to_vec(),
            whole: true,
        };
        verdict(&answer, count)
    }

    #[test]
    fn every_record_is_created_once_under_its_own_id() {
        let mut lines = Lines::default();
        lines.push(b"{\"timestamp\":\"t\",\"seq\":7,\"instance\":\"i\"}\n");
        lines.push(b"plain\n");
        let body = String::from_utf8(body("logs-\"x", &lines)).unwrap();
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["create"], json!({"_index": "logs-\"x", "_id": "i-7"}));
        assert_eq!(lines[1], json!({"@timestamp": "t", "timestamp": "t", "seq": 7, "instance": "i"}));
        assert_eq!(lines[2]["create"], json!({"_index": "logs-\"x"}));
        assert_eq!(lines[3], json!({"message": "plain"}));
        assert!(body.ends_with('\n'));
    }

    #[test]
    fn a_record_of_opentelemetry_has_its_id_and_its_moment_too() {
        let mut lines = Lines::default();
        let record = json!({
            "Timestamp": "1785585600123456789", "Resource": {"service.instance.id": "i"}, "Attributes": {"gatelog.seq": 7},
        });
        lines.push(format!("{record}\n").as_bytes());
        let body = String::from_utf8(body("logs", &lines)).unwrap();
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["create"]["_id"], "i-7");
        assert_eq!(lines[1]["@timestamp"], "2026-08-01T12:00:00.123456Z");
    }

    #[test]
    fn each_record_has_its_own_fate() {
        let items: Vec<String> = [201, 409, 429, 400, 503]
            .map(|status| format!(r#"{{"create":{{"status":{status},"error":{{"reason":"r{status}"}}}}}}"#))
            .into();
        let verdict = judged(&format!(r#"{{"took":3,"errors":true,"items":[{}]}}"#, items.join(",")), 5);
        let Verdict::Partly { rejected, again, said } = verdict else { panic!("{verdict:?}") };
        assert_eq!((rejected, again), (vec![3], vec![2, 4]));
        assert_eq!(said, "429 for a record: {\"reason\":\"r429\"}");
        assert_eq!(judged(r#"{"errors":false,"items":[]}"#, 5), Verdict::Accepted);
        let there = r#"{"errors":true,"items":[{"create":{"status":409}}]}"#;
        assert_eq!(judged(there, 1), Verdict::Accepted);
    }

    #[test]
    fn an_answer_that_is_none_means_another_attempt() {
        for body in ["", "<html>", "{}", r#"{"errors":true}"#, r#"{"errors":true,"items":[{"create":{"status":201}}]}"#]
        {
            assert!(matches!(judged(body, 2), Verdict::Again { .. }), "{body}");
        }
    }
}
