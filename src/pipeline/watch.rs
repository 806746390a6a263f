//! What records mean to those who watch for something: told in a few bytes, as they are offered, and never waited for.
//!
//! ```text
//! core: Intake ── Watcher: which looks does a record meet? ──> Sightings ──┐
//! any thread: Announcer ── the same ───────────────────────────────────────┴──> Road (bounded) ──> who watches
//! ```
//!
//! A [`Look`] is asked of a record before it is written, whatever outputs take it. Which looks a record of an event and a level
//! can meet at all is settled beforehand, so that a record that nobody looks for costs one look into a table.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;

use crate::filter::{Expression, Name, Number, Source, Value};
use crate::record::{Event, Gist, Head, Level, Record};

/// Batches that may wait for who watches.
const MAX_BATCHES: usize = 256;
/// Sightings of a batch, after which it is handed over.
const FULL: usize = 1024;
/// Bytes of a name; longer ones are cut.
const LONGEST_NAME: usize = 128;

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What sightings are called by.
    pub id: u64,
    /// The records that are looked for.
    pub filter: Expression,
    /// Among which they are: each of these is a sighting; `None`: only those that are looked for.
    pub of: Option<Expression>,
    /// The field whose value is the name of a sighting.
    pub by: Option<Name>,
    /// The field whose value is that of a sighting.
    pub field: Option<Name>,
    /// Whether who watches is to know of a hit at once, and not within a second or so.
    pub urgent: bool,
}

/// A record that a look is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// [`Look::id`].
    pub look: u64,
    /// Whether it is one that is looked for.
    pub hit: bool,
    /// When it was written, in seconds since the Unix epoch.
    pub second: u64,
    /// Of [`Look::field`]: microseconds, bytes, a whole number; 0 where it has none.
    pub value: u64,
    /// Where [`Sightings::name`] finds its name.
    name: Range<u32>,
}

/// Sightings in the order of one thread.
#[derive(Debug, Default)]
pub struct Sightings {
    /// They.
    pub seen: Vec<Sighting>,
    names: String,
}

impl Sightings {
    /// The name of a sighting, empty where it has none.
    pub fn name(&self, sighting: &Sighting) -> &str {
        self.names.get(sighting.name.start as usize..sighting.name.end as usize).unwrap_or_default()
    }

    /// Notes of a record what this look says of it.
    pub fn look(&mut self, look: &Look, second: u64, record: &impl Source) {
        note(look, Candidate { at: 0, hit: None, among: None }, (second, record), self);
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.names.clear();
    }
}

/// The bounded way to who watches.
#[derive(Debug)]
pub struct Road {
    batches: ArrayQueue<Sightings>,
    spares: ArrayQueue<Sightings>,
    lost: AtomicU64,
    watcher: OnceLock<Thread>,
}

impl Default for Road {
    fn default() -> Road {
        let queue = || ArrayQueue::new(MAX_BATCHES);
        Road { batches: queue(), spares: queue(), lost: AtomicU64::new(0), watcher: OnceLock::new() }
    }
}

impl Road {
    /// Names the thread that takes batches out and is woken by them.
    pub fn attach(&self, watcher: Thread) {
        // There is one; the first stays.
        let _ = self.watcher.set(watcher);
    }

    /// Takes the oldest batch.
    pub fn pop(&self) -> Option<Sightings> {
        self.batches.pop()
    }

    /// Gives the memory of a batch back.
    pub fn recycle(&self, mut batch: Sightings) {
        batch.clear();
        // One spare too many is let go of.
        let _ = self.spares.push(batch);
    }

    /// How many sightings found no room since this was asked last.
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    fn push(&self, batch: Sightings) {
        match self.batches.push(batch) {
            Ok(()) => {
                if let Some(watcher) = self.watcher.get() {
                    watcher.unpark();
                }
            }
            Err(batch) => {
                self.lost.fetch_add(batch.seen.len() as u64, Ordering::Relaxed);
                self.recycle(batch);
            }
        }
    }
}

/// All that is looked for, and the way to who wants to know.
#[derive(Debug, Clone)]
pub struct Watch {
    looks: Arc<Looks>,
    road: Arc<Road>,
}

#[derive(Debug)]
struct Looks {
    all: Vec<Look>,
    /// For each of [`Gist::EVENTS`] and each level the looks that such a record may meet.
    candidates: [[Vec<Candidate>; Level::ALL.len()]; Gist::EVENTS.len()],
    /// For records of other events: all.
    others: Vec<Candidate>,
}

/// A look, by its place, and what is known beforehand of its filter and of what it is among.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: usize,
    hit: Option<bool>,
    among: Option<bool>,
}

impl Watch {
    /// Looks for all of these.
    pub fn new(looks: Vec<Look>, road: &Arc<Road>) -> Watch {
        let of = |event, level| candidates(&looks, |filter| filter.of_event(event, level));
        let candidates_of = Gist::EVENTS.map(|event| Level::ALL.map(|level| of(event, level)));
        let others = candidates(&looks, |_| None);
        Watch { looks: Arc::new(Looks { candidates: candidates_of, others, all: looks }), road: Arc::clone(road) }
    }
}

fn candidates(looks: &[Look], known: impl Fn(&Expression) -> Option<bool>) -> Vec<Candidate> {
    let candidate = |(at, look): (usize, &Look)| {
        let hit = known(&look.filter);
        let among = look.of.as_ref().map_or(hit, &known);
        // What is no share of anything is only seen where it is looked for.
        (among != Some(false)).then_some(Candidate { at, hit, among })
    };
    looks.iter().enumerate().filter_map(candidate).collect()
}

/// One thread's way to who watches.
#[derive(Debug)]
pub(super) struct Watcher {
    watch: Watch,
    batch: Sightings,
    /// Somebody is to know at once.
    urgent: bool,
}

impl Watcher {
    pub(super) fn new(watch: Watch) -> Watcher {
        Watcher { watch, batch: Sightings::default(), urgent: false }
    }

    /// Whether a record with this head may be looked for.
    #[inline]
    pub(super) fn cares(&self, head: &Head<'_>) -> bool {
        !self.watch.looks.of(head).is_empty()
    }

    /// Looks at a record. Returns whether somebody is to know of it at once.
    pub(super) fn see(&mut self, record: &Record<'_>) -> bool {
        let Watcher { watch, batch, urgent } = self;
        let (mut is_urgent, second) = (false, record.head.timestamp / 1_000_000);
        for candidate in watch.looks.of(&record.head) {
            let look = &watch.looks.all[candidate.at];
            is_urgent |= note(look, *candidate, (second, record), batch) && look.urgent;
        }
        *urgent |= is_urgent;
        if batch.seen.len() >= FULL {
            self.hand_over();
        }
        is_urgent
    }

    /// Hands over what somebody is to know at once.
    pub(super) fn hand_over_urgent(&mut self) {
        if self.urgent {
            self.hand_over();
        }
    }

    /// Hands over what was noted.
    pub(super) fn hand_over(&mut self) {
        self.urgent = false;
        if !self.batch.seen.is_empty() {
            let road = &self.watch.road;
            road.push(std::mem::replace(&mut self.batch, road.spares.pop().unwrap_or_default()));
        }
    }
}

impl Looks {
    #[inline]
    fn of(&self, head: &Head<'_>) -> &[Candidate] {
        match Gist::place(head.event) {
            Some(event) => &self.candidates[usize::from(event)][head.level as usize],
            // Who is told that there is something would else see it again.
            None if matches!(head.event, Event::AlertFired | Event::AlertResolved) => &[],
            None => &self.others,
        }
    }
}

/// Returns whether it is one that is looked for.
fn note(look: &Look, candidate: Candidate, (second, record): (u64, &impl Source), batch: &mut Sightings) -> bool {
    let hit = || candidate.hit.unwrap_or_else(|| look.filter.matches(record));
    let hit = match &look.of {
        None => match hit() {
            true => true,
            false => return false,
        },
        Some(of) => match candidate.among.unwrap_or_else(|| of.matches(record)) {
            true => hit(),
            false => return false,
        },
    };
    let value = look.field.as_ref().filter(|_| hit).map_or(0, |field| number(field, record));
    let start = batch.names.len();
    if let Some(by) = &look.by {
        name(by, record, &mut batch.names);
    }
    // A batch has too few names of too few bytes for more.
    let name = start as u32..batch.names.len() as u32;
    batch.seen.push(Sighting { look: look.id, hit, second, value, name });
    hit
}

/// The first number that the field has.
fn number(field: &Name, record: &impl Source) -> u64 {
    let mut found = 0;
    record.any(field.field, field.part.as_deref(), |value| {
        found = match value {
            Value::Duration(micros) | Value::Moment(micros) => micros,
            Value::Number(Number::Whole(number)) => u64::try_from(number).unwrap_or_default(),
            Value::Number(Number::Fraction(number)) => number as u64,
            _ => return false,
        };
        true
    });
    found
}

/// The first value that the field has, as a name.
fn name(field: &Name, record: &impl Source, names: &mut String) {
    let start = names.len();
    record.any(field.field, field.part.as_deref(), |value| {
        append(value, names);
        true
    });
    let fits = |end: &usize| names.is_char_boundary(*end);
    let end = (0..=names.len().min(start + LONGEST_NAME)).rev().find(fits);
    names.truncate(end.unwrap_or(start));
}

fn append(value: Value<'_>, names: &mut String) {
    let written = match value {
        Value::Text(bytes) => {
            bytes.utf8_chunks().for_each(|chunk| {
                names.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    names.push(char::REPLACEMENT_CHARACTER);
                }
            });
            Ok(())
        }
        Value::Bool(yes) => write!(names, "{yes}"),
        Value::Level(level) => write!(names, "{}", level.as_str()),
        Value::Duration(micros) | Value::Moment(micros) => write!(names, "{micros}"),
        Value::Number(Number::Whole(number)) => write!(names, "{number}"),
        Value::Number(Number::Fraction(number)) => write!(names, "{number}"),
    };
    // A string takes whatever is written.
    let _ = written;
}
