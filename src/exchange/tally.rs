//! What requests leave behind beside their records: counters of all cores, read by whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::business::settings::EventSettings;

/// The counters of this process.
#[derive(Debug, Default)]
pub struct Tally {
    left_out: AtomicU64,
    told: AtomicU64,
    events: Vec<EventTally>,
}

/// The counters of one business event.
#[derive(Debug)]
pub struct EventTally {
    /// The event's name.
    pub name: String,
    written: AtomicU64,
    fields: Vec<FieldTally>,
}

/// The counters of one field of a business event.
#[derive(Debug)]
struct FieldTally {
    name: String,
    missing: AtomicU64,
    told: AtomicU64,
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
        let field = |name: &str| FieldTally { name: name.into(), missing: AtomicU64::new(0), told: AtomicU64::new(0) };
        let event = |event: &EventSettings| EventTally {
            name: event.name.clone(),
            written: AtomicU64::new(0),
            fields: event.fields.iter().map(|(name, _)| field(name)).collect(),
        };
        Tally { events: events.iter().map(event).collect(), ..Tally::default() }
    }

    /// Requests that sampling left out, since the process began.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// The business events, in the order of the configuration.
    pub fn events(&self) -> &[EventTally] {
        &self.events
    }

    /// Requests that sampling left out since this was last asked. One asks at a time.
    pub fn take_left_out(&self) -> u64 {
        let now = self.left_out();
        now - self.told.swap(now, Ordering::Relaxed)
    }

    /// Fields that records lacked since this was last asked. One asks at a time.
    pub fn take_missing(&self) -> impl Iterator<Item = Missing<'_>> {
        let fields = self.events.iter().flat_map(|event| event.fields.iter().map(move |field| (event, field)));
        let missing = fields.map(|(event, field)| {
            let now = field.missing.load(Ordering::Relaxed);
            Missing { event: &event.name, field: &field.name, count: now - field.told.swap(now, Ordering::Relaxed) }
        });
        missing.filter(|missing| missing.count > 0)
    }

    pub(super) fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn event(&self, index: usize) -> Option<&EventTally> {
        self.events.get(index)
    }
}

impl EventTally {
    /// Its records that were offered to the outputs, since the process began.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Each of its fields, with how many of its records lacked the field since the process began.
    pub fn missing(&self) -> impl Iterator<Item = (&str, u64)> {
        self.fields.iter().map(|field| (field.name.as_str(), field.missing.load(Ordering::Relaxed)))
    }

    pub(super) fn write(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self, field: usize) {
        if let Some(field) = self.fields.get(field) {
            field.missing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::FieldSource;
    use crate::filter::Expression;
    use crate::record::Level;

    #[test]
    fn what_was_told_is_not_told_again() {
        let fields = ["price", "user"].map(|name| (name.to_owned(), FieldSource::IsMobile)).into();
        let when = Expression::parse("*").expect("a filter");
        let tally = Tally::new(&[EventSettings { name: "bought".into(), when, level: Level::Info, fields }]);
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
