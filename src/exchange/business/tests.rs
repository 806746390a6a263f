//! Business events without sockets: what is taken of heads, what is counted, how records are joined in every schema.

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde_json::Value as Json;

use super::member::Member;
use super::*;
use crate::exchange::tests::Core;
use crate::exchange::{Exchange, HeadPlace, Settings};
use crate::record::json::{Encoder, Renamed};
use crate::record::{Schema, Settings as RecordSettings};

fn event(name: &str, when: &str, fields: Vec<(&str, FieldSource)>) -> EventSettings {
    let when = Expression::parse(when).expect("a filter");
    let fields = fields.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
    EventSettings { name: name.into(), when, level: Level::Info, fields }
}

fn header(place: fn(HeaderName) -> HeadPlace, hash: bool) -> FieldSource {
    FieldSource::Head { place: place(HeaderName::from_static("x-kind")), hash }
}

fn core(events: Vec<EventSettings>) -> Core {
    Core::new(Settings { events, ..Settings::default() })
}

fn begin(core: &Core, path: &str, kinds: &[&'static str]) -> Exchange {
    let request = Request::builder().uri(path);
    core.begin_with(kinds.iter().fold(request, |request, kind| request.header("x-kind", *kind)))
}

fn deliver(exchange: Exchange, kind: &'static str) {
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-kind"), HeaderValue::from_static(kind))]);
    exchange.responded(StatusCode::OK, &headers);
    exchange.delivered();
}

fn business(core: &Core) -> Vec<Json> {
    let mut records = core.records();
    records.retain(|record| record["logger"] == LOGGER);
    records
}

#[test]
fn of_several_values_the_first_counts_and_long_ones_are_cut() {
    let fields = vec![
        ("asked", header(HeadPlace::RequestHeader, false)),
        ("answered", header(HeadPlace::ResponseHeader, false)),
        ("hash", header(HeadPlace::ResponseHeader, true)),
    ];
    let core = core(vec![event("seen", "path:/a", fields)]);
    let long: &'static str = "x".repeat(2 * LONGEST_VALUE).leak();
    deliver(begin(&core, "/a", &["one", "two"]), long);
    let records = business(&core);
    assert_eq!((&records[0]["event"], &records[0]["asked"]), (&"seen".into(), &"one".into()));
    assert_eq!(records[0]["answered"].as_str().map(str::len), Some(LONGEST_VALUE));
    assert_eq!(records[0]["hash"].as_str().map(str::len), Some(16));
}

#[test]
fn an_empty_value_is_none_and_what_is_missing_is_counted() {
    let fields = vec![("asked", header(HeadPlace::RequestHeader, false)), ("mobile", FieldSource::IsMobile)];
    let events = vec![event("seen", "path:/a", fields)];
    let tally = Tally::new(&events);
    let core = core(events.clone());
    let compiled = Events::new(&events, ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key"));
    assert!(compiled.are_wanted(&core.intake));
    let exchange = begin(&core, "/a", &[" "]);
    let notes = Notes { wanted: 1, seen: vec![None].into() };
    exchange.0.facts.show(|facts| {
        let body = Body::Request { facts, progress: None };
        let completed = Record { head: crate::exchange::sample::last_head(), body };
        compiled.write(&completed, &notes, &core.intake, &tally);
    });
    drop(exchange);
    let records = business(&core);
    assert!(records.iter().all(|record| record.get("asked").is_none() && record["mobile"] == false), "{records:#?}");
    assert_eq!((records.len(), tally.events()[0].written()), (2, 1));
    assert_eq!(tally.events()[0].missing().collect::<Vec<_>>(), [("asked", 1), ("mobile", 0)]);
}

#[test]
fn of_a_request_that_no_event_can_mean_nothing_is_kept() {
    let fields = || vec![("asked", header(HeadPlace::RequestHeader, false))];
    let core = core(vec![event("first", "path:/a status:200", fields()), event("second", "path:/b", fields())]);
    let other = begin(&core, "/c", &["one"]);
    assert!(other.0.notes.is_none());
    deliver(other, "x");
    let both = begin(&core, "/a", &["one"]);
    assert!(both.0.notes.as_ref().is_some_and(|notes| notes.wanted == 1 && notes.seen.borrow().len() == 1));
    deliver(both, "x");
    assert_eq!(business(&core).iter().map(|record| &record["event"]).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn every_schema_has_the_ids_that_join_an_event_to_its_request_where_the_request_has_them() {
    let fields = [("request_id", "a-1"), ("trace_id", "0af7651916cd43dd8448eb211c80319c"), ("view_name", "detail")];
    let fields = fields.map(|(name, value)| (name, Value::Text(value.as_bytes())));
    let event = Event::business("seen");
    let head = Head { timestamp: 0, level: Level::Info, event, message: event.message(), logger: LOGGER };
    let record = Record { head, body: Body::Fields(&fields) };
    for (schema, ids) in [
        (Schema::Native, ["\"request_id\":\"a-1\"", "\"trace_id\":\"0af7"]),
        (Schema::Otel, ["\"gatelog.request_id\":\"a-1\"", "\"TraceId\":\"0af7"]),
        (Schema::Ecs, ["\"http.request.id\":\"a-1\"", "\"trace.id\":\"0af7"]),
    ] {
        let settings = RecordSettings { schema, ..RecordSettings::default() };
        let mut line = Vec::new();
        match schema {
            Schema::Native => Encoder::new("i", &settings).record(&record, &mut line),
            _ => Renamed::new("i", &settings).record(&record, &mut line),
        };
        let line = String::from_utf8_lossy(&line);
        assert!(ids.iter().all(|id| line.contains(id)), "{line}");
    }
}

#[test]
fn a_hash_of_a_field_is_the_same_whatever_its_type() {
    let member = |name| FieldSource::Record { member: Member::parse(name).expect("a field"), hash: true };
    let core = core(vec![event("seen", "*", vec![("status", member("status")), ("path", member("path"))])]);
    [(); 2].into_iter().for_each(|()| deliver(begin(&core, "/a", &[]), "x"));
    let records = business(&core);
    assert_eq!((&records[0]["status"], &records[0]["path"]), (&records[1]["status"], &records[1]["path"]));
    assert!(records[0]["status"].as_str().is_some_and(|hash| hash.len() == 16));
}
