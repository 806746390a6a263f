//! Lines of the other schemas, back in the native one: by the table that named them ([`crate::record::schema`]).

use serde_json::{Map, Value as Json};

use crate::filter::Line;
use crate::record::schema::{Field, Form, PREFIX, Place, Target};
use crate::record::{Schema, timestamp};

/// The line in the native schema, if it is in one of the others. Nulls are left out.
pub fn to_native(line: &Line<'_>) -> Option<String> {
    let schema = schema_of(line)?;
    let parts = Parts::new(line, schema);
    let mut native = Map::new();
    for field in Field::ALL {
        let target = schema.target(*field)?;
        if let Some(value) = parts.value(*field, target) {
            insert(&mut native, field.name(), value);
        }
    }
    for (name, value) in parts.free(schema) {
        native.entry(name).or_insert(value);
    }
    Some(Json::Object(native).to_string())
}

/// By what a record's time is called.
fn schema_of(line: &Line<'_>) -> Option<Schema> {
    let is_called = |schema: &Schema| {
        let target = schema.target(Field::Timestamp);
        target.is_some_and(|target| line.raw(target.name).is_some())
    };
    [Schema::Otel, Schema::Ecs].into_iter().find(is_called).filter(|_| line.raw(Field::Timestamp.name()).is_none())
}

/// The objects of a line whose members are fields.
struct Parts<'l, 'a> {
    top: &'l Line<'a>,
    resource: Option<Line<'a>>,
    attributes: Option<Line<'a>>,
    /// Where fields are that the schema does not know.
    free: Place,
}

impl<'l, 'a> Parts<'l, 'a> {
    fn new(top: &'l Line<'a>, schema: Schema) -> Parts<'l, 'a> {
        let part = |place: Place| top.within(place.object()?);
        let free = if schema == Schema::Otel { Place::Attributes } else { Place::Top };
        Parts { top, resource: part(Place::Resource), attributes: part(Place::Attributes), free }
    }

    fn at(&self, place: Place) -> Option<&Line<'a>> {
        match place {
            Place::Top => Some(self.top),
            Place::Resource => self.resource.as_ref(),
            Place::Attributes => self.attributes.as_ref(),
        }
    }

    fn value(&self, field: Field, target: &Target) -> Option<Json> {
        let member = |name: &str| self.at(target.place).and_then(|line| line.value(name));
        let value = member(target.name)?;
        match target.form {
            Form::Same | Form::Severity(_) | Form::Verdict(_) => Some(value),
            Form::Within(name) => value.get(name).cloned(),
            Form::Listed => listed(field, value.get(0)?),
            Form::Prefixed => Some(text(value.as_str()?.strip_prefix(PREFIX)?)),
            Form::EpochNanoseconds => Some(text(&timestamp(value.as_str()?.parse::<u64>().ok()? / 1_000))),
            Form::Nanoseconds => Some(Json::from((value.as_u64()? / 1_000) as f64 / 1e6)),
            Form::Method(original) => Some(member(original).unwrap_or(value)),
            Form::Address { port, .. } => Some(text(&address(value.as_str()?, port.and_then(member).as_ref()))),
            Form::TlsVersion(_) => Some(text(&format!("TLSv{}", value.as_str()?))),
        }
    }

    /// What stands there with our prefix and is no field of the table.
    fn free(&self, schema: Schema) -> impl Iterator<Item = (String, Json)> {
        let is_known = move |name: &str| {
            let mut targets = Field::ALL.iter().filter_map(|field| schema.target(*field));
            targets.any(|target| target.name == name)
        };
        let members = self.at(self.free).into_iter().flat_map(|line| line.members());
        members.filter_map(move |(name, raw)| {
            let own = name.strip_prefix(PREFIX).filter(|_| !is_known(name))?;
            let value = serde_json::from_str(raw).ok().filter(|value: &Json| !value.is_null())?;
            Some((own.to_owned(), value))
        })
    }
}

fn text(text: &str) -> Json {
    Json::String(text.to_owned())
}

/// The first of a list; a length is a number.
fn listed(field: Field, value: &Json) -> Option<Json> {
    match field {
        Field::ContentLength => value.as_str()?.parse::<u64>().ok().map(Json::from),
        _ => Some(value.clone()),
    }
}

/// Host and port together, the host in brackets where it has colons of its own.
fn address(host: &str, port: Option<&Json>) -> String {
    match port {
        Some(port) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Puts a field in its place: `timing.wait` is a member of an object.
fn insert(native: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        None => drop(native.insert(name.to_owned(), value)),
        Some((object, member)) => {
            let object = native.entry(object).or_insert_with(|| Json::Object(Map::new()));
            if let Some(object) = object.as_object_mut() {
                object.insert(member.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::{Encoder, Renamed, splice};
    use crate::record::{
        Arg, Body, Event, Facts, Head, Level, Loss, Outcome, Phase, Progress, Record, Settings, Timing, Tls, Value,
    };

    fn line(record: &Record<'_>, schema: Schema, nulls: bool) -> String {
        let settings = Settings { schema, nulls, service: Some("shop".into()), ..Settings::default() };
        let (mut out, mut line) = (Vec::new(), Vec::new());
        let hole = match schema {
            Schema::Native => Encoder::new("i1", &settings).record(record, &mut out),
            _ => Renamed::new("i1", &settings).record(record, &mut out),
        };
        splice(&out, hole, 0, 7, &mut line);
        String::from_utf8(line).unwrap()
    }

    fn facts() -> Facts<'static> {
        Facts {
            request_id: "r1",
            request_id_origin: "client",
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
            method: "PURGE",
            scheme: "https",
            host: Some(b"[::1]:8443"),
            path: b"/posts/42/\"",
            http_version: "2",
            view_name: "post",
            view_args: &[Value::Digits("42")],
            view_kwargs: &[Arg { name: "pk", value: Value::Digits("42") }],
            route: Some("/posts/{pk}/"),
            ip_address: Some("2001:db8::1"),
            peer_address: Some("[2001:db8::1]:51234"),
            referer: Some(b"https://shop.example/"),
            content_type: Some(b"text/plain"),
            content_length: Some(12),
            tls: Some(Tls { version: "TLSv1.3", cipher: "c", sni: None, alpn: Some("h2"), client_subject: None }),
            labels: &[("X-Tenant", b"a")],
            ..Facts::default()
        }
    }

    fn progress() -> Progress<'static> {
        Progress {
            status_code: Some(502),
            duration: 53_211,
            timing: Timing { queue: Some(10), wait: Some(52_000), ..Timing::default() },
            server_timing: &[("db", 53_000)],
            outcome: Some(Outcome::UpstreamRefused),
            phase: Phase::Connect,
            upstream_address: Some("127.0.0.1:8000"),
            sample_rate: Some(0.1),
            ..Progress::default()
        }
    }

    fn head(event: Event) -> Head<'static> {
        let timestamp = 1_795_345_356_000_123;
        Head { timestamp, level: Level::Critical, event, message: "m", logger: "gatelog.request" }
    }

    #[test]
    fn each_schema_reads_back_as_the_native_line() {
        let (facts, progress) = (facts(), progress());
        let loss = Loss { output: "file", count: 3, from_seq: 1, to_seq: 3, reason: "queue_full" };
        let fields = [("listen", Value::Text(b":80")), ("seq", Value::Unsigned(1)), ("status_code", Value::Bool(true))];
        for body in [
            Body::Request { facts: &facts, progress: Some(&progress) },
            Body::Request { facts: &facts, progress: None },
            Body::Loss(&loss),
            Body::Fields(&fields),
        ] {
            let record = Record { head: head(Event::RequestCompleted), body };
            let native: Json = serde_json::from_str(&line(&record, Schema::Native, false)).unwrap();
            for (schema, nulls) in
                [(Schema::Otel, false), (Schema::Otel, true), (Schema::Ecs, false), (Schema::Ecs, true)]
            {
                let renamed = line(&record, schema, nulls);
                let back = to_native(&Line::parse(&renamed).unwrap()).unwrap();
                let back: Json = serde_json::from_str(&back).unwrap();
                assert_eq!(without_empty_objects(&back), without_empty_objects(&native), "{schema:?}: {renamed}");
            }
        }
    }

    /// Of an object of which no member is there, the other schemas keep nothing.
    fn without_empty_objects(line: &Json) -> Json {
        let members = line.as_object().unwrap().iter().filter(|(_, value)| **value != Json::Object(Map::new()));
        Json::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    #[test]
    fn native_lines_and_those_of_others_stay_as_they_are() {
        for text in ["{}", r#"{"timestamp":"x","@timestamp":"y"}"#, r#"{"time":1}"#] {
            assert_eq!(to_native(&Line::parse(text).unwrap()), None);
        }
    }
}
