//! `[[event]]`: business events, and where the values of their fields come from.

use http::HeaderName;

use super::filter::filter;
use super::finding::{Complaint, quoted};
use super::reader::{Reader, Section};
use super::source::At;
use super::tree::{Entry, Node, Value};
use super::unknown::nearest;
use super::value::{boolean, level};
use crate::exchange::business::MOST_EVENTS;
use crate::exchange::business::member::{Member, NoMember};
use crate::exchange::{Constant, EventSettings, FieldSource, HeadPlace};
use crate::record::json::RESERVED;
use crate::record::{Level, RedactSettings};

/// Fields of one event.
const MOST_FIELDS: usize = 32;
const LONGEST_NAME: usize = 64;

/// Every `[[event]]`, in order.
pub(super) fn read(root: &mut Section<'_>) -> Vec<EventSettings> {
    let (at, reader) = (root.at("event"), root.reader);
    let mut events: Vec<(EventSettings, At)> = Vec::new();
    for table in root.tables("event") {
        let named = table.at("name");
        let Some(event) = event(table) else { continue };
        if let Some((_, first)) = events.iter().find(|(known, _)| known.name == event.name) {
            let message = format!("two events are called {}", quoted(&event.name));
            let complaint = Complaint::new(message, "one event can mean both: when = \"… OR …\"");
            reader.clash(Some(named), Some(*first), complaint);
        }
        events.push((event, named));
    }
    if events.len() > MOST_EVENTS {
        reader.error(at, format!("{} events are too many", events.len()), format!("{MOST_EVENTS} are the most"));
    }
    events.into_iter().map(|(event, _)| event).collect()
}

/// One `[[event]]`; `None` where it has no name or no filter that could be read.
fn event(mut section: Section<'_>) -> Option<EventSettings> {
    let (at, reader) = (section.at, section.reader);
    let name = section.require("name", "\"product_viewed\"", event_name);
    if !section.has("when") {
        let hint = "add when = \"route:product-detail status<400\"; \"*\" is every request";
        reader.error(at, "`event.when` is missing", hint);
    }
    let when = filter(&mut section, "when");
    let level = section.read("level", level).unwrap_or(Level::Info);
    let fields_at = section.at("fields");
    let fields: Vec<_> = section.table("fields").map(fields).unwrap_or_default();
    if fields.len() > MOST_FIELDS {
        reader.error(fields_at, format!("{} fields are too many", fields.len()), format!("{MOST_FIELDS} are the most"));
    }
    Some(EventSettings { name: name?, when: when?, level, fields })
}

/// A name that can stand in filters and labels, and is none of gatelog's own.
fn event_name(node: &Node) -> Result<String, Complaint> {
    let name = node.text()?;
    if !is_name(name) {
        return Err(Complaint::new(format!("{} is no name of an event", quoted(name)), NAME_HINT));
    }
    if OWN.iter().any(|own| name.starts_with(own)) || name == "diagnostic" {
        let message = format!("{} looks like an event of gatelog's own", quoted(name));
        return Err(Complaint::new(message, format!("no name begins with {}", OWN.join(", "))));
    }
    Ok(name.to_owned())
}

/// What names of gatelog's own events begin with.
const OWN: [&str; 7] = ["request_", "log_", "server_", "config_", "upstream_", "alert_", "gatelog"];

const NAME_HINT: &str = "1 to 64 letters, digits, \"_\" and \"-\"";

fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(sound)
}

/// `event.fields`, in the order they are written.
fn fields(mut section: Section<'_>) -> Vec<(String, FieldSource)> {
    let reader = section.reader;
    let read = |entry: Entry| {
        let (at, name) = (entry.at, entry.name);
        let value_at = entry.node.at;
        let source = source(reader, entry.node);
        warn_of_secrets(reader, value_at, source.as_ref());
        if let Err(complaint) = field_name(&name, source.as_ref()) {
            reader.error(at, complaint.message, complaint.hint);
            return None;
        }
        Some((name, source?))
    };
    section.take_rest().into_iter().filter_map(read).collect()
}

/// Whoever reads a session cookie has the session.
fn warn_of_secrets(reader: &Reader<'_>, at: At, source: Option<&FieldSource>) {
    let Some(FieldSource::Head { place: HeadPlace::Cookie(name), hash: false }) = source else { return };
    if RedactSettings::default().query.contains(&name.to_ascii_lowercase()) {
        let message = format!("the cookie {} is written as it is, and looks like a secret", quoted(name));
        reader.warning(at, message, format!("write {{ from = \"cookie.{name}\", hash = true }}"));
    }
}

/// A name that every record has, or whose type another source would change, cannot be a field's.
fn field_name(name: &str, source: Option<&FieldSource>) -> Result<(), Complaint> {
    if !is_name(name) {
        return Err(Complaint::new(format!("{} is no name of a field", quoted(name)), NAME_HINT));
    }
    if RESERVED.contains(&name) || JOINING.contains(&name) {
        let message = format!("every business event has a field {} already", quoted(name));
        return Err(Complaint::new(message, "take it out, or find another name"));
    }
    let own = matches!(source, Some(FieldSource::Record { member, hash: false }) if member.is(name));
    if TYPED.contains(&name) && !own {
        let message = format!("{} is a field of the record, and no text", quoted(name));
        return Err(Complaint::new(message, format!("find another name, or write {name} = \"{name}\"")));
    }
    Ok(())
}

/// By these a business event is joined to the records of its request.
const JOINING: [&str; 3] = ["request_id", "trace_id", "view_name"];

/// Fields of the record that are no texts: whoever stores records by their names relies on it.
const TYPED: [&str; 20] = [
    "view_args",
    "view_kwargs",
    "content_length",
    "request_size",
    "status_code",
    "response_size",
    "duration",
    "timing",
    "server_timing",
    "attempts",
    "reused_connection",
    "slow",
    "in_flight",
    "sample_rate",
    "tls",
    "grpc_status",
    "labels",
    "count",
    "from_seq",
    "to_seq",
];

/// `"user_id"`, `{ from = "cookie.sessionid", hash = true }` or `{ value = "shop" }`.
fn source(reader: &Reader<'_>, node: Node) -> Option<FieldSource> {
    if !matches!(node.value, Value::Table(_)) {
        return reader.judge("event.fields", node, |node| named(node.text()?, false));
    }
    let mut section = reader.table("event.fields".to_owned(), node)?;
    let (at, hash_at) = (section.at, section.at("hash"));
    let (has_from, has_value) = (section.has("from"), section.has("value"));
    let hash = section.read("hash", boolean).unwrap_or(false);
    let from = section.read("from", |node| named(node.text()?, hash));
    let value = section.read("value", constant).map(FieldSource::Constant);
    if has_from == has_value {
        let hint = "write { from = \"cookie.sessionid\", hash = true } or { value = \"shop\" }";
        reader.error(at, "a field has either `from` or `value`", hint);
        return None;
    }
    if hash && (has_value || from == Some(FieldSource::IsMobile)) {
        let message = "`event.fields.hash` means nothing here: there is nothing to hide";
        reader.error(hash_at, message, "take it out");
    }
    from.or(value)
}

/// A value that stands in the configuration.
fn constant(node: &Node) -> Result<Constant, Complaint> {
    match &node.value {
        Value::Integer(number) => Ok(Constant::Whole(number.to_string())),
        Value::Float(number) if number.is_finite() => Ok(Constant::Fraction(*number)),
        Value::Boolean(yes) => Ok(Constant::Truth(*yes)),
        _ => match node.text()? {
            "" => Err(Complaint::new("it is empty", "a field without a value is left out")),
            text => Ok(Constant::Text(text.to_owned())),
        },
    }
}

/// What a name of a source means.
fn named(text: &str, hash: bool) -> Result<FieldSource, Complaint> {
    if text == "is_mobile" {
        return Ok(FieldSource::IsMobile);
    }
    let place = |place| FieldSource::Head { place, hash };
    let header = |name: &str| {
        let hint = "write request.header.X-Tenant, with the header's name";
        let name = HeaderName::from_bytes(name.as_bytes());
        name.map_err(|_| Complaint::new(format!("{} names no header", quoted(text)), hint))
    };
    if let Some(name) = text.strip_prefix("request.header.") {
        return header(name).map(HeadPlace::RequestHeader).map(place);
    }
    if let Some(name) = text.strip_prefix("response.header.") {
        return header(name).map(HeadPlace::ResponseHeader).map(place);
    }
    match text.split_once('.') {
        Some(("cookie" | "query", "")) => Err(Complaint::new(format!("{} names nothing", quoted(text)), SOURCES)),
        Some(("cookie", name)) => Ok(place(HeadPlace::Cookie(name.to_owned()))),
        Some(("query", name)) => Ok(place(HeadPlace::Query(name.to_owned()))),
        _ => Member::parse(text).map(|member| FieldSource::Record { member, hash }).map_err(|why| unknown(text, why)),
    }
}

fn unknown(text: &str, why: NoMember) -> Complaint {
    match why {
        NoMember::NeedsPart(group) => {
            let part = if group == "view_args" { "0" } else { "NAME" };
            Complaint::new(format!("{} holds several values", quoted(group)), format!("write {group}.{part}"))
        }
        NoMember::Unknown => {
            let names: Vec<&str> = Member::names().chain(["is_mobile"]).collect();
            let near = nearest(text, &names).map(|name| format!("did you mean \"{name}\"?"));
            Complaint::new(format!("nothing is called {}", quoted(text)), near.unwrap_or_else(|| SOURCES.to_owned()))
        }
    }
}

const SOURCES: &str = "a field of the record, view_kwargs.NAME, query.NAME, cookie.NAME, request.header.NAME, \
                       response.header.NAME or is_mobile";
