//! Lines of the OpenTelemetry schema as its protobuf messages.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::sinks::lines::Lines;

use super::proto::{
    Any, AnyValue, Array, KeyValue, LogRecord, Object, Request, Resource, ResourceLogs, Scope, ScopeLogs,
};

/// Lines as one request. Neighbours of the same process share a resource, those of the same logger a scope.
pub(super) fn request(lines: &Lines) -> Request {
    let mut request = Request::default();
    let mut resource = None;
    for line in lines.iter() {
        let line = Line::read(line);
        if resource.as_ref() != Some(&line.resource) || request.resource_logs.is_empty() {
            let attributes = attributes(line.resource.clone());
            request
                .resource_logs
                .push(ResourceLogs { resource: Some(Resource { attributes }), scope_logs: Vec::new() });
            resource = Some(line.resource.clone());
        }
        if let Some(logs) = request.resource_logs.last_mut() {
            add(line, &mut logs.scope_logs);
        }
    }
    request
}

/// Adds a record to the scope of its logger.
fn add(line: Line, scopes: &mut Vec<ScopeLogs>) {
    let name = line.scope.name.clone();
    let known = scopes.last().and_then(|last| last.scope.as_ref()).is_some_and(|scope| scope.name == name);
    if !known {
        let scope = Scope { name, version: env!("CARGO_PKG_VERSION").to_owned() };
        scopes.push(ScopeLogs { scope: Some(scope), log_records: Vec::new() });
    }
    if let Some(last) = scopes.last_mut() {
        last.log_records.push(line.into_record());
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Line {
    timestamp: String,
    severity_text: String,
    severity_number: i32,
    event_name: String,
    body: Value,
    #[serde(rename = "InstrumentationScope")]
    scope: LineScope,
    trace_id: Option<String>,
    span_id: Option<String>,
    resource: Map<String, Value>,
    attributes: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LineScope {
    name: String,
}

impl Line {
    /// Whatever lay in the spool is sent: what is no record is a body.
    fn read(line: &[u8]) -> Line {
        serde_json::from_slice(line).unwrap_or_else(|_| Line {
            body: Value::String(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
            ..Line::default()
        })
    }

    fn into_record(self) -> LogRecord {
        let nanoseconds = self.timestamp.parse().unwrap_or(0);
        LogRecord {
            time_unix_nano: nanoseconds,
            // gatelog sees what it records as it happens.
            observed_time_unix_nano: nanoseconds,
            severity_number: self.severity_number,
            severity_text: self.severity_text,
            body: any(self.body),
            attributes: attributes(self.attributes),
            trace_id: self.trace_id.as_deref().and_then(bytes).unwrap_or_default(),
            span_id: self.span_id.as_deref().and_then(bytes).unwrap_or_default(),
            event_name: self.event_name,
        }
    }
}

fn attributes(members: Map<String, Value>) -> Vec<KeyValue> {
    let member = |(key, value)| any(value).map(|value| KeyValue { key, value: Some(value) });
    members.into_iter().filter_map(member).collect()
}

/// A value with its type; `None` for null, since an attribute without a value is none.
fn any(value: Value) -> Option<AnyValue> {
    let value = match value {
        Value::Null => return None,
        Value::Bool(truth) => Any::Truth(truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Any::Whole(whole),
            (None, Some(float)) if !number.is_u64() => Any::Float(float),
            // Above what the protocol's integers hold: to the digit, as text.
            _ => Any::Text(number.to_string()),
        },
        Value::String(text) => Any::Text(text),
        Value::Array(values) => Any::Array(Array { values: values.into_iter().filter_map(any).collect() }),
        Value::Object(members) => Any::Object(Object { values: attributes(members) }),
    };
    Some(AnyValue { value: Some(value) })
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Lines {
        let mut all = Lines::default();
        lines.iter().for_each(|line| all.push(format!("{line}\n").as_bytes()));
        all
    }

    const LINE: &str = r#"{"Timestamp":"1795345356000123000","SeverityText":"ERROR","SeverityNumber":17,"EventName":"gatelog.x","Body":"b","InstrumentationScope":{"Name":"gatelog.request"},"TraceId":"4bf92f3577b34da6a3ce929d0e0e4736","SpanId":"00f067aa0ba902b7","Resource":{"service.instance.id":"i1"},"Attributes":{"whole":42,"float":0.05,"truth":true,"text":"a b","list":["x"],"object":{"pk":1},"big":18446744073709551615,"null":null}}"#;

    #[test]
    fn a_line_is_a_record_with_typed_attributes() {
        let request = request(&lines(&[LINE]));
        let record = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!((record.time_unix_nano, record.severity_number), (1_795_345_356_000_123_000, 17));
        assert_eq!((record.trace_id.len(), record.trace_id[0], record.span_id.len()), (16, 0x4b, 8));
        let value = |key: &str| {
            let attribute = record.attributes.iter().find(|attribute| attribute.key == key)?;
            attribute.value.clone()?.value
        };
        assert_eq!(value("whole"), Some(Any::Whole(42)));
        assert_eq!(value("float"), Some(Any::Float(0.05)));
        assert_eq!(value("truth"), Some(Any::Truth(true)));
        assert_eq!(value("text"), Some(Any::Text("a b".into())));
        assert_eq!(value("big"), Some(Any::Text("18446744073709551615".into())));
        assert_eq!(value("null"), None);
        assert!(matches!(value("list"), Some(Any::Array(array)) if array.values.len() == 1));
        assert!(matches!(value("object"), Some(Any::Object(object)) if object.values[0].key == "pk"));
    }

    #[test]
    fn neighbours_share_what_they_have_in_common() {
        let other_logger = LINE.replace("gatelog.request", "gatelog.proxy");
        let other_process = LINE.replace("i1", "i2");
        let request = request(&lines(&[LINE, LINE, &other_logger, &other_process, "no json"]));
        let scopes = |logs: &ResourceLogs| logs.scope_logs.iter().map(|scope| scope.log_records.len()).collect();
        let sizes: Vec<Vec<usize>> = request.resource_logs.iter().map(scopes).collect();
        assert_eq!(sizes, [vec![2, 1], vec![1], vec![1]]);
    }

    #[test]
    fn ids_that_are_none_are_left_out() {
        assert_eq!(bytes("0a"), Some(vec![10]));
        assert_eq!(bytes("0ä0a"), None);
        let record = Line::read(br#"{"TraceId":"xyz"}"#).into_record();
        assert!(record.trace_id.is_empty());
    }
}
