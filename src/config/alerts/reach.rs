//! Whether there can be a record that a filter means: a rule that waits for one which cannot be never fires.
//!
//! Every kind of record that there can be ([`World`]) is put before the expression, with every status that makes a
//! difference; what is not settled by that (paths, users, words) may be either way. Answers are joined as Kleene's logic has
//! them, so that "never" is certain, and whatever cannot be told is taken to be possible.

use super::world::{Barred, Body, Presence, Scene, World};
use crate::filter::{Condition, Expression, Name, Node, Number, Value};
use crate::record::{Event, Level};

/// What becomes of a filter, and of those among which its records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// There can be such records, or it cannot be told.
    Possible,
    /// There are none.
    Never(Never),
}

/// Why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Never {
    /// No record at all is so.
    Contradiction,
    /// Those that are so are not seen.
    Barred(Barred),
}

/// All records that there can be, put together once for all rules.
pub(super) struct Reaches<'c> {
    worlds: Vec<World<'c>>,
    events: Vec<&'c str>,
}

impl<'c> Reaches<'c> {
    pub(super) fn new(scene: &Scene<'c>) -> Reaches<'c> {
        Reaches { worlds: scene.worlds(), events: scene.events().into_iter().collect() }
    }

    /// The names of all events.
    pub(super) fn events(&self) -> &[&'c str] {
        &self.events
    }

    /// Whether there can be a record that all of these mean.
    pub(super) fn of(&self, filters: &[&Expression]) -> Reach {
        self.of_those(filters, |_| true)
    }

    /// The same, of a record that has this field.
    pub(super) fn with_field(&self, filters: &[&Expression], name: &Name) -> Reach {
        self.of_those(filters, |body| body.presence(name) == Presence::Maybe)
    }

    /// Whether every record that `all` means is one that `filter` means, too.
    pub(super) fn is_all(&self, filter: &Expression, all: &Expression) -> bool {
        let Some(statuses) = self.statuses(&[filter, all]) else { return false };
        let mut cases = self.worlds.iter().filter(|world| world.barred.is_none()).flat_map(|world| {
            let seen = move |status: &Status| Case { world, status: *status };
            statuses.iter().filter(|status| status.is_of(world.body)).map(seen)
        });
        cases.all(|case| case.judge(all.root()) == Some(false) || case.judge(filter.root()) == Some(true))
    }

    /// Whether levels leave out requests that a filter means and that ended well.
    pub(super) fn is_cut(&self, filter: &Expression) -> bool {
        let is_usual = |world: &&World<'_>| {
            let completed = Event::RequestCompleted.as_str();
            (world.event, world.level, world.barred) == (completed, Level::Info, Some(Barred::Level))
        };
        let Some(statuses) = self.statuses(&[filter]) else { return false };
        self.worlds.iter().filter(is_usual).any(|world| can_be(world, &statuses, &[filter]))
    }

    fn of_those(&self, filters: &[&Expression], wanted: impl Fn(Body<'c>) -> bool) -> Reach {
        let Some(statuses) = self.statuses(filters) else { return Reach::Possible };
        let mut why = Never::Contradiction;
        for world in self.worlds.iter().filter(|world| wanted(world.body)) {
            let possible = can_be(world, &statuses, filters);
            match world.barred {
                None if possible => return Reach::Possible,
                Some(barred) if possible && why == Never::Contradiction => why = Never::Barred(barred),
                _ => {}
            }
        }
        Reach::Never(why)
    }

    /// The statuses that make a difference; `None` where there would be more to try than is worth it.
    fn statuses(&self, filters: &[&Expression]) -> Option<Vec<Status>> {
        let (mut numbers, mut nodes) = (vec![100.0, 999.0, f64::MIN, f64::MAX], 0);
        filters.iter().for_each(|filter| collect(filter.root(), &mut numbers, &mut nodes));
        numbers.sort_unstable_by(f64::total_cmp);
        numbers.dedup();
        let tries = nodes * (numbers.len() + 2) * self.worlds.len();
        let known = numbers.into_iter().filter_map(Number::fraction).map(Status::Is);
        (tries <= MOST_TRIES).then(|| known.chain([Status::Absent, Status::Text]).collect())
    }
}

/// Whether there can be a record of this kind that all of the filters mean.
fn can_be(world: &World<'_>, statuses: &[Status], filters: &[&Expression]) -> bool {
    statuses.iter().filter(|status| status.is_of(world.body)).any(|status| {
        let case = Case { world, status: *status };
        filters.iter().all(|filter| case.judge(filter.root()) != Some(false))
    })
}

/// A fraction of a second for one rule.
const MOST_TRIES: usize = 5_000_000;

/// The status of a record.
#[derive(Debug, Clone, Copy)]
enum Status {
    Absent,
    Is(Number),
    /// Of records whose fields are free.
    Text,
}

impl Status {
    /// Whether a record of this kind can have it.
    fn is_of(self, body: Body<'_>) -> bool {
        match (body, self) {
            (Body::Started, status) => matches!(status, Status::Absent),
            (Body::Progress | Body::Rejected, Status::Is(Number::Whole(code))) => (100..=999).contains(&code),
            (Body::Progress | Body::Rejected, status) => matches!(status, Status::Absent),
            (Body::Business(event), Status::Is(_) | Status::Text) => {
                event.fields.iter().any(|(name, _)| name == STATUS)
            }
            (Body::Business(_) | Body::Free, _) => true,
        }
    }
}

/// The statuses at, around and between those that an expression compares with: between them nothing changes.
fn collect(node: &Node, numbers: &mut Vec<f64>, nodes: &mut usize) {
    *nodes += 1;
    let mut around = |number: f64| {
        let whole = number.floor();
        numbers.extend([whole - 1.0, whole - 0.5, whole, number, whole + 0.5, whole + 1.0]);
    };
    match node {
        Node::All(inner) | Node::Any(inner) => inner.iter().for_each(|node| collect(node, numbers, nodes)),
        Node::Not(inner) => collect(inner, numbers, nodes),
        Node::Words(_) => {}
        Node::Field(_, Condition::StatusClass(class)) => {
            around(f64::from(*class) * 100.0);
            around(f64::from(*class) * 100.0 + 99.0);
        }
        Node::Field(name, Condition::Number(_, number)) if name.field.name == STATUS => match number {
            Number::Whole(number) => around(*number as f64),
            Number::Fraction(number) => around(*number),
        },
        Node::Field(..) => {}
    }
}

const STATUS: &str = "status_code";

/// Records of one kind and one status.
struct Case<'w> {
    world: &'w World<'w>,
    status: Status,
}

impl Case<'_> {
    /// What an expression says of all of them; `None` where that is not settled.
    fn judge(&self, node: &Node) -> Option<bool> {
        match node {
            Node::All(nodes) => self.join(nodes, false),
            Node::Any(nodes) => self.join(nodes, true),
            Node::Not(node) => self.judge(node).map(|holds| !holds),
            Node::Words(_) => None,
            Node::Field(name, condition) => self.ask(name, condition),
        }
    }

    /// One member that is `decisive` settles it; otherwise each of them must be settled.
    fn join(&self, nodes: &[Node], decisive: bool) -> Option<bool> {
        let mut verdict = Some(!decisive);
        for node in nodes {
            match self.judge(node) {
                Some(holds) if holds == decisive => return Some(decisive),
                Some(_) => {}
                None => verdict = None,
            }
        }
        verdict
    }

    fn ask(&self, name: &Name, condition: &Condition) -> Option<bool> {
        let World { event, level, logger, body, .. } = self.world;
        match (name.field.name, self.status) {
            ("event", _) => Some(condition.holds(Value::text(event))),
            ("level", _) => Some(condition.holds(Value::Level(*level))),
            ("logger", _) => logger.map(|logger| condition.holds(Value::text(logger))),
            (STATUS, Status::Absent) => Some(false),
            (STATUS, Status::Is(status)) => Some(condition.holds(Value::Number(status))),
            (STATUS, Status::Text) => Some(condition.holds(Value::text("status"))),
            _ => (body.presence(name) == Presence::Never).then_some(false),
        }
    }
}

/// The first event that an expression names and that there is not, as it was written.
pub(super) fn unknown_event(filter: &Expression, events: &[&str]) -> Option<String> {
    fn in_node(node: &Node, events: &[&str]) -> Option<String> {
        match node {
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().find_map(|node| in_node(node, events)),
            Node::Not(node) => in_node(node, events),
            Node::Field(name, condition @ Condition::Text(pattern)) if name.field.name == "event" => {
                let is_known = events.iter().any(|event| condition.holds(Value::text(event)));
                (!is_known).then(|| pattern.pieces().join("*"))
            }
            Node::Words(_) | Node::Field(..) => None,
        }
    }
    in_node(filter.root(), events)
}

/// Whether an expression asks for this field anywhere.
pub(super) fn names(node: &Node, field: &str) -> bool {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(|node| names(node, field)),
        Node::Not(node) => names(node, field),
        Node::Words(_) => false,
        Node::Field(name, _) => name.field.name == field,
    }
}
