//! A line of the log, read by a reader that takes nothing but what RECORD.md allows.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Every field that a record of a request, or of what is suspicious about one, may have, in its order, and its type: `s`tring, `i`nteger, `n`umber, `b`ool,
/// `a`rray, `o`bject.
const FIELDS: &str = "timestamp:s level:s event:s message:s logger:s schema:i seq:i instance:s service:s environment:s \
    request_id:s request_id_origin:s trace_id:s span_id:s parent_span_id:s method:s scheme:s host:s path:s query:s \
    http_version:s view_name:s view_args:a view_kwargs:o route:s user_id:s ip_address:s peer_address:s user_agent:s \
    referer:s content_type:s content_length:i request_size:i status_code:i response_size:i response_content_type:s \
    cache_hit:s duration:n timing:o server_timing:o outcome:s phase:s closed_by:s responder:s upstream:s upstream_address:s \
    attempts:i reused_connection:b exception_type:s exception_message:s response_excerpt:s slow:b in_flight:b \
    sample_rate:n tls:o grpc_status:i labels:o reason:s detail:s excerpt:s suppressed:i";

/// A JSON value without doubled keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number that is whole and not negative.
    Integer(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in its order.
    Object(Vec<(String, Json)>),
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Json::Null => "0",
            Json::Bool(_) => "b",
            Json::Integer(_) => "i",
            Json::Number(_) => "n",
            Json::Text(_) => "s",
            Json::Array(_) => "a",
            Json::Object(_) => "o",
        }
    }
}

/// Reads the lines of a log, each of which has to be a whole record of a request, or of what is suspicious about one,
/// which is checked and left out; panics where one is not.
pub fn requests(log: &[u8]) -> Vec<BTreeMap<String, Json>> {
    let log = std::str::from_utf8(log).expect("a log is UTF-8");
    assert!(log.is_empty() || log.ends_with('\n'), "the last line is cut off: {log:?}");
    let is_event = |record: &BTreeMap<String, Json>| record["event"] == Json::Text("security_event".to_owned());
    log.lines().map(request).filter(|record| !is_event(record)).collect()
}

fn request(line: &str) -> BTreeMap<String, Json> {
    assert!(!line.bytes().any(|byte| byte < 0x20 || byte == 0x7f), "a control character in {line:?}");
    let record: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let Json::Object(fields) = record else { panic!("no object: {line}") };
    let mut due = FIELDS.split_ascii_whitespace();
    for (name, value) in &fields {
        let kind = due.find_map(|field| field.strip_prefix(name.as_str())?.strip_prefix(':'));
        let kind = kind.unwrap_or_else(|| panic!("{name} is unknown or out of order: {line}"));
        let fits = value.kind() == kind || kind == "n" && value.kind() == "i";
        assert!(fits, "{name} is of another type: {line}");
        assert_ne!(value, &Json::Text(String::new()), "{name} is an empty string: {line}");
    }
    fields.into_iter().collect()
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without doubled keys")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = values.next_element()? {
            array.push(value);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = pairs.next_entry::<String, Json>()? {
            if object.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format!("the key {name:?} is there twice")));
            }
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}
