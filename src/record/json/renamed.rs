//! JSON in the names of other schemas: [`super::super::schema`] says what a field is called and what becomes of its value.

use std::net::IpAddr;

use crate::record::fields::{Content, Name, Origin, walk};
use crate::record::schema::{ECS_VERSION, Form, PREFIX, Place, Target};
use crate::record::{Event, Level, Outcome, Record, Schema, Settings};

use super::Clock;
use super::number;
use super::writer::Writer;

/// The methods that OpenTelemetry's HTTP conventions know.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Encodes records in a schema that is not the native one, for one core: it remembers the text of the current second.
#[derive(Debug)]
pub struct Renamed {
    instance: String,
    settings: Settings,
    line: Line,
}

impl Renamed {
    /// Stamps every line with this process `instance`, and with the service and environment of `settings`, whose schema
    /// says how it is laid out; the native one has an encoder of its own, and is taken for OpenTelemetry's here.
    pub fn new(instance: &str, settings: &Settings) -> Renamed {
        Renamed { instance: instance.to_owned(), settings: settings.clone(), line: Line::default() }
    }

    /// Appends the line of a record: a JSON object but for its number, and a line feed. Returns where in `out` the digits
    /// of the number belong ([`super::splice`]).
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> usize {
        let Renamed { instance, settings, line } = self;
        let schema = if settings.schema == Schema::Ecs { Schema::Ecs } else { Schema::Otel };
        line.begin(settings.nulls);
        walk(record, Origin::new(instance, settings), &mut |name, content| line.field(schema, name, content));
        if schema == Schema::Ecs {
            line.categories(record.head.event);
        }
        line.end(schema, out)
    }
}

/// One line in the making, by the objects that its fields are members of. Reused from line to line.
#[derive(Debug, Default)]
struct Line {
    clock: Clock,
    nulls: bool,
    top: Vec<u8>,
    resource: Vec<u8>,
    attributes: Vec<u8>,
    /// Where in its object the number belongs.
    seq: usize,
}

impl Line {
    fn begin(&mut self, nulls: bool) {
        self.nulls = nulls;
        [&mut self.top, &mut self.resource, &mut self.attributes].into_iter().for_each(Vec::clear);
    }

    /// Puts the objects together; returns where in `out` the number belongs.
    fn end(&mut self, schema: Schema, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&self.top);
        let mut members = start;
        if schema == Schema::Otel {
            object(Place::Resource, &self.resource, out);
            members = object(Place::Attributes, &self.attributes, out);
        }
        Writer::new(out, false).enclose(start, *b"{}");
        out.push(b'\n');
        members + self.seq
    }

    fn field(&mut self, schema: Schema, name: Name<'_>, content: Content<'_>) {
        match name {
            Name::Known(field) => {
                if let Some(target) = schema.target(field) {
                    self.known(target, content);
                }
            }
            name => self.free(schema, name, content),
        }
    }

    fn known(&mut self, target: &Target, content: Content<'_>) {
        if content == Content::Absent {
            if self.nulls {
                target.names().for_each(|name| self.member(target.place, name, Content::Absent));
            }
            return;
        }
        match (target.form, content) {
            (Form::Within(name), Content::Text(text)) => self.within(target, name, text),
            (Form::Listed, Content::Text(text)) => self.listed(target, text),
            (Form::Listed, Content::Whole(number)) => {
                self.listed(target, itoa::Buffer::new().format(number).as_bytes());
            }
            (Form::Prefixed, Content::Text(text)) => self.prefixed(target, text),
            (Form::EpochNanoseconds, Content::Moment(micros)) => self.epoch(target, micros),
            (Form::Nanoseconds, Content::Seconds(micros)) => {
                self.member(target.place, target.name, Content::Whole(micros.saturating_mul(1000)));
            }
            (form, content) => self.with_companions(target, form, content),
        }
    }

    /// The forms that say something beside the field itself.
    fn with_companions(&mut self, target: &Target, form: Form, content: Content<'_>) {
        let Target { place, name, .. } = *target;
        match (form, content) {
            (Form::Severity(number), Content::Level(level)) => {
                self.member(place, name, content);
                self.member(place, number, Content::Whole(severity(level)));
            }
            (Form::Method(original), Content::Text(method)) => {
                let known = METHODS.iter().any(|known| known.as_bytes() == method);
                self.member(place, name, if known { content } else { Content::Text(b"_OTHER") });
                self.member_or_null(place, original, (!known).then_some(content));
            }
            (Form::Address { brackets, ip, port }, Content::Text(address)) => {
                self.address(target, brackets, ip, port, address);
            }
            (Form::TlsVersion(protocol), Content::Text(version)) => {
                let number = version.strip_prefix(b"TLSv").unwrap_or(version);
                self.member(place, name, Content::Text(number));
                self.member(place, protocol, Content::Text(b"tls"));
            }
            (Form::Verdict(verdict), Content::Outcome(outcome)) => {
                self.member(place, name, content);
                self.member(place, verdict, Content::Text(self::verdict(outcome)));
            }
            (_, content) => self.member(place, name, content),
        }
    }

    fn address(
        &mut self,
        target: &Target,
        brackets: bool,
        ip: Option<&'static str>,
        port: Option<&'static str>,
        address: &[u8],
    ) {
        let (host, number) = if port.is_some() { split_port(address) } else { (address, None) };
        let inner = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
        self.member(target.place, target.name, Content::Text(if brackets { host } else { inner }));
        if let Some(name) = ip {
            let is_ip = std::str::from_utf8(inner).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
            self.member_or_null(target.place, name, is_ip.then_some(Content::Text(inner)));
        }
        if let Some(name) = port {
            self.member_or_null(target.place, name, number.map(|port| Content::Whole(u64::from(port))));
        }
    }

    fn within(&mut self, target: &Target, name: &str, text: &[u8]) {
        let line = self.key(target.place, target.name);
        line.extend_from_slice(b":{");
        key(name, line);
        Writer::new(line, false).text(":", text);
        line.push(b'}');
    }

    fn prefixed(&mut self, target: &Target, text: &[u8]) {
        let line = self.key(target.place, target.name);
        line.extend_from_slice(b":\"");
        line.extend_from_slice(PREFIX.as_bytes());
        super::escape::text(text, line);
        line.push(b'"');
    }

    fn listed(&mut self, target: &Target, text: &[u8]) {
        let line = self.key(target.place, target.name);
        Writer::new(line, false).text(":[", text);
        line.push(b']');
    }

    fn epoch(&mut self, target: &Target, micros: u64) {
        let line = self.key(target.place, target.name);
        line.extend_from_slice(b":\"");
        number::whole(micros, line);
        // A zero is one digit.
        line.extend_from_slice(if micros == 0 { b"\"" } else { b"000\"" });
    }

    fn member_or_null(&mut self, place: Place, name: &str, content: Option<Content<'_>>) {
        if self.nulls || content.is_some() {
            self.member(place, name, content.unwrap_or(Content::Absent));
        }
    }

    fn member(&mut self, place: Place, name: &str, content: Content<'_>) {
        self.key(place, name);
        self.content(place, content);
    }

    fn free(&mut self, schema: Schema, name: Name<'_>, content: Content<'_>) {
        if content == Content::Absent && !self.nulls {
            return;
        }
        let place = if schema == Schema::Otel { Place::Attributes } else { Place::Top };
        let [name, guard] = name.parts();
        let line = self.object(place);
        line.extend_from_slice(b",\"");
        line.extend_from_slice(PREFIX.as_bytes());
        super::escape::text(name.as_bytes(), line);
        line.extend_from_slice(guard.as_bytes());
        line.push(b'"');
        self.content(place, content);
    }

    /// The colon, and the value.
    fn content(&mut self, place: Place, content: Content<'_>) {
        let Line { clock, nulls, top, resource, attributes, seq } = self;
        let out = choose(place, top, resource, attributes);
        if let Content::Moment(micros) = content {
            out.extend_from_slice(b":\"");
            clock.write(micros, out);
            return out.push(b'"');
        }
        let mut line = Writer::new(out, *nulls);
        match content {
            Content::Absent | Content::Moment(_) => line.raw(b":null"),
            Content::Seq => {
                line.raw(b":");
                *seq = line.len();
            }
            Content::Level(level) => line.token(":", level.as_str()),
            Content::Outcome(outcome) => line.token(":", outcome.as_str()),
            Content::Text(text) => line.text(":", text),
            Content::Visible(bytes) => line.visible_or_null(":", Some(bytes)),
            Content::Whole(number) => line.whole(":", number),
            Content::Fraction(fraction) => line.float_or_null(":", Some(fraction)),
            Content::Truth(truth) => line.truth_or_null(":", Some(truth)),
            Content::Seconds(micros) => line.seconds(":", micros),
            Content::Values(values) => line.array(":", values),
            Content::Arguments(arguments) => line.arguments(":", arguments),
            Content::Texts(texts) => line.texts(":", texts),
            Content::Durations(durations) => line.durations(":", durations),
            Content::Value(value) => {
                line.raw(b":");
                line.value(value);
            }
        }
    }

    /// Opens a member: comma and name.
    fn key(&mut self, place: Place, name: &str) -> &mut Vec<u8> {
        let line = self.object(place);
        line.push(b',');
        key(name, line);
        line
    }

    fn object(&mut self, place: Place) -> &mut Vec<u8> {
        choose(place, &mut self.top, &mut self.resource, &mut self.attributes)
    }

    /// What every ECS line says of itself.
    fn categories(&mut self, event: Event) {
        let line = &mut self.top;
        line.extend_from_slice(b",\"event.kind\":\"event\"");
        match event {
            Event::SecurityEvent => line
                .extend_from_slice(b",\"event.category\":[\"intrusion_detection\",\"web\"],\"event.type\":[\"info\"]"),
            event if event.as_str().starts_with("request_") => {
                line.extend_from_slice(b",\"event.category\":[\"web\"],\"event.type\":[\"access\"]");
            }
            _ => {}
        }
        Writer::new(line, false).token(",\"ecs.version\":", ECS_VERSION);
    }
}

fn choose<'l>(
    place: Place,
    top: &'l mut Vec<u8>,
    resource: &'l mut Vec<u8>,
    attributes: &'l mut Vec<u8>,
) -> &'l mut Vec<u8> {
    match place {
        Place::Top => top,
        Place::Resource => resource,
        Place::Attributes => attributes,
    }
}

/// A name of the table, which needs no escapes.
fn key(name: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    line.extend_from_slice(name.as_bytes());
    line.push(b'"');
}

/// Appends an object of members that each begin with a comma; returns where the members begin.
fn object(place: Place, members: &[u8], out: &mut Vec<u8>) -> usize {
    out.push(b',');
    key(place.object().unwrap_or_default(), out);
    out.push(b':');
    let open = out.len();
    out.extend_from_slice(members);
    Writer::new(out, false).enclose(open, *b"{}");
    open
}

/// The Logs Data Model's numbers.
fn severity(level: Level) -> u64 {
    match level {
        Level::Debug => 5,
        Level::Info => 9,
        Level::Warning => 13,
        Level::Error => 17,
        // Of the same range as errors, and worse: gatelog goes on.
        Level::Critical => 18,
    }
}

/// One of the three words of `event.outcome`.
fn verdict(outcome: Outcome) -> &'static [u8] {
    match outcome {
        Outcome::Success | Outcome::Redirect | Outcome::Upgraded => b"success",
        _ => b"failure",
    }
}

/// `host:port` apart, where there is a port; an IPv6 address without brackets has none.
fn split_port(address: &[u8]) -> (&[u8], Option<u16>) {
    let Some(at) = address.iter().rposition(|byte| *byte == b':') else { return (address, None) };
    let (host, port) = (&address[..at], &address[at + 1..]);
    let bare = host.contains(&b':') && !host.ends_with(b"]");
    let digits = port.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(port).ok().filter(|_| digits && !bare).and_then(|port| port.parse().ok());
    if number.is_some() { (host, number) } else { (address, None) }
}

#[cfg(test)]
mod tests;
