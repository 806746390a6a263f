//! A collector of OTLP/HTTP: reads of each record what tells it from others. The protocol as a whole is checked against the
//! official definitions in `tests/real/otlp`.

use std::io::Read;

use prost::{Message, Oneof};
use serde_json::{Map, Value};

use super::Upstream;
use super::collector::Accepted;

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Attributes>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 3")]
    value: Option<Any>,
}

/// The kinds that are looked at.
#[derive(Clone, PartialEq, Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Whole(i64),
}

/// A collector that takes everything; its records have the native names of what they carry.
pub(crate) fn collector() -> (Upstream, Accepted) {
    let accepted = Accepted::default();
    let into = accepted.clone();
    let upstream = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            let mut body = request.body.clone();
            if request.header("content-encoding") == Some("gzip") {
                body.clear();
                flate2::read::GzDecoder::new(request.body.as_slice()).read_to_end(&mut body).unwrap();
            }
            into.take(records(&Export::decode(body.as_slice()).unwrap()));
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (upstream, accepted)
}

fn records(export: &Export) -> Vec<Value> {
    let mut all = Vec::new();
    for logs in &export.resource_logs {
        let resource = logs.resource.clone().unwrap_or_default();
        for record in logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            let mut fields: Map<String, Value> =
                fields(&record.attributes).chain(fields(&resource.attributes)).collect();
            fields.insert("event".into(), record.event_name.trim_start_matches("gatelog.").into());
            all.push(Value::Object(fields));
        }
    }
    all
}

fn fields(attributes: &[KeyValue]) -> impl Iterator<Item = (String, Value)> {
    attributes.iter().filter_map(|attribute| {
        let name = attribute.key.strip_prefix("gatelog.").unwrap_or(&attribute.key);
        let name = if name == "service.instance.id" { "instance" } else { name };
        let value = match attribute.value.as_ref()?.value.as_ref()? {
            Any::Text(text) => text.as_str().into(),
            Any::Whole(number) => (*number).into(),
        };
        Some((name.to_owned(), value))
    })
}
