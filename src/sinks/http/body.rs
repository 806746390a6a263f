//! `{"logs":[{timestamp, level, message, extra:{…}, service, environment}]}`.

use std::borrow::Cow;

use crate::filter::Line;
use crate::record::json;
use crate::sinks::lines::Lines;

use super::moment;

/// What stands beside `extra`; everything else stands in it.
const OUTSIDE: [&str; 5] = ["timestamp", "level", "message", "service", "environment"];
/// The same, as the other schemas call it.
const ECS: [&str; 5] = ["@timestamp", "log.level", "message", "service.name", "service.environment"];
const OTEL: [&str; 5] = ["Timestamp", "SeverityText", "Body", "service.name", "deployment.environment.name"];

/// Lines as one JSON document.
pub(super) fn logs(lines: &Lines) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.bytes().len() + 64 * lines.len() + 16);
    out.extend_from_slice(b"{\"logs\":[");
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match Line::read(line) {
            Some(members) => entry(&members, &mut out),
            // Whatever lay in the spool is sent, and as what it is.
            None => {
                out.extend_from_slice(b"{\"message\":");
                json::string(line.trim_ascii_end(), &mut out);
                out.extend_from_slice(b",\"extra\":{}}");
            }
        }
    }
    out.extend_from_slice(b"]}");
    out
}

fn entry(members: &Line<'_>, out: &mut Vec<u8>) {
    let names = names(members);
    let outside = |places: std::ops::Range<usize>, out: &mut Vec<u8>| {
        for place in places {
            if let Some(value) = value(members, names[place]) {
                member(OUTSIDE[place], &value, out);
            }
        }
    };
    out.push(b'{');
    outside(0..3, out);
    out.extend_from_slice(if out.ends_with(b"{") { b"\"extra\":{" } else { b",\"extra\":{" });
    for (name, value) in members.members().filter(|(name, _)| !names.contains(name)) {
        member(name, value, out);
    }
    out.push(b'}');
    outside(3..5, out);
    out.push(b'}');
}

/// The names of the schema that a record is in: each has its own for the moment.
fn names(members: &Line<'_>) -> &'static [&'static str; 5] {
    [&OUTSIDE, &ECS, &OTEL].into_iter().find(|names| members.raw(names[0]).is_some()).unwrap_or(&OUTSIDE)
}

/// A value as JSON; of OpenTelemetry, what the resource says of all its records as well.
fn value<'a>(members: &Line<'a>, name: &str) -> Option<Cow<'a, str>> {
    match name == OTEL[0] {
        true => moment::of(members).map(Cow::Owned),
        false => members.raw(name).or_else(|| members.within("Resource")?.raw(name)).map(Cow::Borrowed),
    }
}

/// Appends a member, with a comma where it is not the first.
fn member(name: &str, value: &str, out: &mut Vec<u8>) {
    if !out.ends_with(b"{") {
        out.push(b',');
    }
    json::string(name.as_bytes(), out);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document(lines: &[&str]) -> Value {
        let mut all = Lines::default();
        lines.iter().for_each(|line| all.push(format!("{line}\n").as_bytes()));
        serde_json::from_slice(&logs(&all)).unwrap()
    }

    #[test]
    fn a_record_is_its_head_and_the_rest_is_extra() {
        let line = r#"{"timestamp":"t","level":"INFO","event":"e","message":"m","seq":18446744073709551615,"service":"s","environment":"p","tls":{"sni":"a"},"path":"/\"\u0000"}"#;
        let extra = json!({"event": "e", "seq": u64::MAX, "tls": {"sni": "a"}, "path": "/\"\0"});
        let entry = json!({"timestamp": "t", "level": "INFO", "message": "m", "extra": extra, "service": "s", "environment": "p"});
        assert_eq!(document(&[line, line]), json!({"logs": [entry, entry]}));
    }

    #[test]
    fn a_record_of_another_schema_has_the_same_head() {
        let ecs = r#"{"@timestamp":"t","log.level":"INFO","message":"m","event.sequence":7,"service.name":"s","service.environment":"p"}"#;
        let head = |extra: Value| json!({"timestamp": "t", "level": "INFO", "message": "m", "extra": extra, "service": "s", "environment": "p"});
        assert_eq!(document(&[ecs]), json!({"logs": [head(json!({"event.sequence": 7}))]}));
        let resource = json!({"service.name": "s", "deployment.environment.name": "p"});
        let otel =
            json!({"Timestamp": "1785585600123456789", "SeverityText": "INFO", "Body": "m", "Resource": resource});
        let mut expected = head(json!({"Resource": resource}));
        expected["timestamp"] = "2026-08-01T12:00:00.123456Z".into();
        assert_eq!(document(&[&otel.to_string()]), json!({"logs": [expected]}));
    }

    #[test]
    fn odd_lines_are_sent_as_well() {
        let odd = document(&["{}", "no \"json\"", r#"{"event":"e"}"#, r#"{"level":"INFO"}"#]);
        let expected = json!({"logs": [
            {"extra": {}}, {"message": "no \"json\"", "extra": {}}, {"extra": {"event": "e"}}, {"level": "INFO", "extra": {}},
        ]});
        assert_eq!(odd, expected);
    }
}
