//! Business events: what the traffic means to the business, told by its own records.
//!
//! When a request is over, each `[[event]]` is asked whether it means the request's `request_completed`. For each that does,
//! a record of the event's name is written by the logger `gatelog.business`: `request_id`, `trace_id` and `view_name`, by
//! which it is joined to the request's own records, then the event's fields in the order of the configuration. A field that
//! has no value is left out (`null` with `log.nulls`) and counted ([`Tally`]). Sampling does not touch business events: they
//! are written for requests that it leaves out, too. Of a route with `log = false` there are none.
//!
//! What only the heads of request and response hold (headers, cookies, parameters of the query) is taken as it is seen, only
//! what events name, and only for requests that an event may still mean ([`Expression::foretell`]): it is redacted there, or
//! replaced by its keyed hash, and cut to [`LONGEST_VALUE`] bytes. Of several values the first counts; one that is empty is
//! none. Without any event a request pays one comparison at its beginning and one at its end.

pub mod member;
mod mobile;
mod seen;
pub mod settings;
#[cfg(test)]
mod tests;

use http::HeaderMap;
use http::request::Parts;
use ring::hmac;
use smallvec::SmallVec;

use crate::filter::Expression;
use crate::pipeline::Intake;
use crate::record::fields::{Name, Origin, walk};
use crate::record::redact::{Policy, keyed_hash};
use crate::record::{Body, Event, Facts, Head, Level, Record, Value};

use super::tally::{EventTally, Tally};
use member::Member;
pub(super) use seen::Notes;
use seen::Seen;
use settings::{Constant, EventSettings, FieldSource};

/// The logger of business events.
pub const LOGGER: &str = "gatelog.business";
/// Bytes of a value from a head that are kept.
pub const LONGEST_VALUE: usize = 256;
/// Events that there can be: requests remember in one word which of them may still mean them.
pub const MOST_EVENTS: usize = u64::BITS as usize;

/// The configured events, as a core asks them.
#[derive(Debug)]
pub(super) struct Events {
    events: Vec<BusinessEvent>,
    seen: Seen,
    /// Above it no event is.
    highest: Level,
}

#[derive(Debug)]
struct BusinessEvent {
    event: Event,
    when: Expression,
    level: Level,
    fields: Vec<(String, Source)>,
}

/// Where a field's value comes from, when the request is over.
#[derive(Debug)]
enum Source {
    Record { member: Member, hash: bool },
    Seen(usize),
    IsMobile,
    Constant(Constant),
}

impl Events {
    /// These events, the first [`MOST_EVENTS`] of them; values are hashed with `key`.
    pub(super) fn new(settings: &[EventSettings], key: hmac::Key) -> Events {
        let mut seen = Seen::new(key);
        let mut source = |source: &FieldSource| match source {
            FieldSource::Record { member, hash } => Source::Record { member: member.clone(), hash: *hash },
            FieldSource::Head { place, hash } => Source::Seen(seen.slot(place, *hash)),
            FieldSource::IsMobile => Source::IsMobile,
            FieldSource::Constant(constant) => Source::Constant(constant.clone()),
        };
        let event = |settings: &EventSettings| BusinessEvent {
            event: Event::business(&settings.name),
            when: settings.when.clone(),
            level: settings.level,
            fields: settings.fields.iter().map(|(name, from)| (name.clone(), source(from))).collect(),
        };
        let events: Vec<BusinessEvent> = settings.iter().take(MOST_EVENTS).map(event).collect();
        let highest = events.iter().map(|event| event.level).max().unwrap_or(Level::Debug);
        Events { events, seen, highest }
    }

    /// Whether there are any, and any that would be written.
    pub(super) fn are_wanted(&self, intake: &Intake) -> bool {
        !self.events.is_empty() && intake.allows(LOGGER, self.highest)
    }

    /// What is to be kept of the heads of a request for the events that may still mean it; `started` has its facts.
    pub(super) fn begin(&self, started: &Record<'_>, head: &Parts, policy: &Policy) -> Option<Notes> {
        let mut wanted = 0;
        for (index, event) in self.events.iter().enumerate() {
            if event.when.foretell(started) != Some(false) {
                wanted |= 1 << index;
            }
        }
        (wanted != 0).then(|| self.seen.request(wanted, head, policy))
    }

    /// The head of its response.
    pub(super) fn respond(&self, notes: &Notes, headers: &HeaderMap, policy: &Policy) {
        self.seen.response(notes, headers, policy);
    }

    /// Writes the events that mean a request that is over.
    pub(super) fn write(&self, completed: &Record<'_>, notes: &Notes, intake: &Intake, tally: &Tally) {
        let Body::Request { facts, .. } = completed.body else { return };
        for (index, event) in self.events.iter().enumerate() {
            let may = notes.wanted >> index & 1 == 1 && intake.allows(LOGGER, event.level);
            if may && event.when.matches(completed) {
                self.write_one(event, completed, facts, notes, intake, tally.event(index));
            }
        }
    }

    fn write_one(
        &self,
        event: &BusinessEvent,
        completed: &Record<'_>,
        facts: &Facts<'_>,
        notes: &Notes,
        intake: &Intake,
        tally: Option<&EventTally>,
    ) {
        let seen = notes.seen.borrow();
        let values = event.values(completed, facts, &seen);
        let hashed = event.hashed(&values, self.seen.key());
        let shown = |at: usize| match hashed.iter().find(|(hashed, _)| *hashed == at) {
            Some((_, hash)) => Value::Text(hash.as_bytes()),
            None => values[at],
        };
        let mut fields: SmallVec<[(&str, Value<'_>); 20]> = SmallVec::new();
        fields.push(("request_id", Value::Text(facts.request_id.as_bytes())));
        fields.push(("trace_id", facts.trace_id.map_or(Value::Null, |id| Value::Text(id.as_bytes()))));
        fields.push(("view_name", Value::Text(facts.view_name.as_bytes())));
        fields.extend(event.fields.iter().enumerate().map(|(at, (name, _))| (name.as_str(), shown(at))));
        let timestamp = completed.head.timestamp;
        let head =
            Head { timestamp, level: event.level, event: event.event, message: event.event.message(), logger: LOGGER };
        intake.record(&Record { head, body: Body::Fields(&fields) });
        if let Some(tally) = tally {
            tally.write();
            let missing = values.iter().enumerate().filter(|(_, value)| **value == Value::Null);
            missing.for_each(|(field, _)| tally.miss(field));
        }
    }
}

/// Values of an event's fields, in their order; `Null` where there is none.
type Values<'a> = SmallVec<[Value<'a>; 16]>;

impl BusinessEvent {
    fn values<'a>(&'a self, completed: &Record<'a>, facts: &Facts<'a>, seen: &'a [Option<Vec<u8>>]) -> Values<'a> {
        let value = |(_, source): &'a (String, Source)| match source {
            Source::Record { .. } => Value::Null,
            Source::Seen(slot) => seen.get(*slot).and_then(Option::as_deref).map_or(Value::Null, Value::Text),
            Source::IsMobile => Value::Bool(mobile::is_mobile(facts.user_agent.unwrap_or_default())),
            Source::Constant(constant) => constant.value(),
        };
        let mut values: Values<'a> = self.fields.iter().map(value).collect();
        walk(completed, NOWHERE, &mut |name, content| {
            let Name::Known(field) = name else { return };
            for (value, (_, source)) in values.iter_mut().zip(&self.fields) {
                if let Source::Record { member, .. } = source
                    && member.field() == field
                {
                    *value = member.value(content);
                }
            }
        });
        values
    }

    /// The hashes that stand in place of values of the record.
    fn hashed(&self, values: &[Value<'_>], key: &hmac::Key) -> Vec<(usize, String)> {
        let asked = self.fields.iter().zip(values).enumerate();
        let asked = asked.filter(|(_, ((_, source), _))| matches!(source, Source::Record { hash: true, .. }));
        asked.filter_map(|(at, (_, value))| Some((at, keyed_hash(key, &member::text(value)?)))).collect()
    }
}

/// The head's own fields are no values of events.
const NOWHERE: Origin<'static> = Origin { instance: "", service: None, environment: None };
