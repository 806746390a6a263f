//! What requests leave behind beside their records: counters of all cores, read by whoever shows them.
//!
//! There is one for each configuration, since events are counted by their place in it. What is counted under a name goes on
//! in the next one, whatever is still counted there by requests that began before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::business::settings::EventSettings;

/// The counters of this process.
#[derive(Debug, Default)]
pub struct Tally {
    left_out: Arc<Counter>,
    events: Vec<EventTally>,
}

/// A number that is told in parts.
#[derive(Debug, Default)]
struct Counter {
    all: AtomicU64,
    told: AtomicU64,
}

impl Counter {
    fn add(&self) {
        self.all.fetch_add(1, Ordering::Relaxed);
    }

    fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// What has come since this was last asked.
    fn take(&self) -> u64 {
        let now = self.all();
        now - self.told.swap(now, Ordering::Relaxed)
    }
}

/// The counters of one business event.
#[derive(Debug)]
pub struct EventTally {
    /// The event's name.
    pub name: String,
    written: Arc<Counter>,
    /// Of each field how many records lacked it.
    fields: Vec<(String, Arc<Counter>)>,
}

/// A field that records of a business event lacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The event.
    pub event: &'a str,
    /// The field.
    pub field: &'a str,
    /// How many of its records lacked the field since this was last asked.
    pub count: u64,
}

impl Tally {
    /// Nothing counted yet, for these business events.
    pub fn new(events: &[EventSettings]) -> Tally {
        Tally::default().follow(events)
    }

    /// The one after this, for these business events.
    pub fn follow(&self, events: &[EventSettings]) -> Tally {
        let event = |event: &EventSettings| {
            let known = self.events.iter().find(|known| known.name == event.name);
            let field = |name: &String| (name.clone(), known.and_then(|known| known.field(name)).unwrap_or_default());
            EventTally {
                name: event.name.clone(),
                written: known.map(|known| Arc::clone(&known.written)).unwrap_or_default(),
                fields: event.fields.iter().map(|(name, _)| field(name)).collect(),
            }
        };
        Tally { left_out: Arc::clone(&self.left_out), events: events.iter().map(event).collect() }
    }

    /// Requests that sampling left out, since the process began.
    pub fn left_out(&self) -> u64 {
        self.left_out.all()
    }

    /// The business events, in the order of the configuration.
    pub fn events(&self) -> &[EventTally] {
        &self.events
    }

    /// Requests that sampling left out since this was last asked. One asks at a time.
    pub fn take_left_out(&self) -> u64 {
        self.left_out.take()
    }

    /// Fields that records lacked since this was last asked. One asks at a time.
    pub fn take_missing(&self) -> impl Iterator<Item = Missing<'_>> {
        let fields = self.events.iter().flat_map(|event| event.fields.iter().map(move |field| (event, field)));
        let missing =
            fields.map(|(event, (field, missing))| Missing { event: &event.name, field, count: missing.take() });
        missing.filter(|missing| missing.count > 0)
    }

    pub(super) fn leave_out(&self) {
        self.left_out.add();
    }

    pub(super) fn event(&self, index: usize) -> Option<&EventTally> {
        self.events.get(index)
    }
}

impl EventTally {
    /// Its records that were offered to the outputs, since the process began.
    pub fn written(&self) -> u64 {
        self.written.all()
    }

    /// Each of its fields, with how many of its records lacked the field since the process began.
    pub fn missing(&self) -> impl Iterator<Item = (&str, u64)> {
        self.fields.iter().map(|(name, missing)| (name.as_str(), missing.all()))
    }

    pub(super) fn write(&self) {
        self.written.add();
    }

    pub(super) fn miss(&self, field: usize) {
        if let Some((_, missing)) = self.fields.get(field) {
            missing.add();
        }
    }

    fn field(&self, name: &str) -> Option<Arc<Counter>> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, missing)| Arc::clone(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::FieldSource;
    use crate::filter::Expression;
    use crate::record::Level;

    fn event(name: &str, fields: &[&str]) -> EventSettings {
        let fields = fields.iter().map(|name| ((*name).to_owned(), FieldSource::IsMobile)).collect();
        let when = Expression::parse("*").expect("a filter");
        EventSettings { name: name.into(), when, level: Level::Info, fields }
    }

    #[test]
    fn what_has_a_name_goes_on_under_it() {
        let before = Tally::new(&[event("bought", &["price", "user"]), event("viewed", &[])]);
        before.leave_out();
        before.events()[0].miss(1);
        before.events()[0].write();
        let after = before.follow(&[event("sold", &["user"]), event("bought", &["user", "shop"])]);
        before.events()[0].write();
        assert_eq!(after.left_out(), 1);
        assert_eq!([0, 1].map(|at| after.events()[at].written()), [0, 2]);
        assert_eq!(after.events()[1].missing().collect::<Vec<_>>(), [("user", 1), ("shop", 0)]);
        assert_eq!(after.events()[0].missing().next(), Some(("user", 0)));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let tally = Tally::new(&[event("bought", &["price", "user"])]);
        tally.leave_out();
        tally.leave_out();
        tally.events()[0].miss(1);
        assert_eq!((tally.take_left_out(), tally.take_left_out()), (2, 0));
        let missing = Missing { event: "bought", field: "user", count: 1 };
        assert_eq!(tally.take_missing().collect::<Vec<_>>(), [missing]);
        assert_eq!(tally.take_missing().count(), 0);
        assert_eq!((tally.left_out(), tally.events()[0].missing().last()), (2, Some(("user", 1))));
    }
}
