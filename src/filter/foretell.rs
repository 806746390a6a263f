//! What an expression will say of a request once it is over, told from its head; and what it can say of a record of which no
//! more is known than its event and its level.
//!
//! Whoever has to act while a request still runs (hold a record back, capture a header) asks here whether the end can
//! still bring what is asked for. Three answers, joined as Kleene's logic has them: a path that does not match rules out
//! everything it is joined to, whatever the status will be.

use super::expression::{Expression, Node};
use super::field::Field;
use super::source::Source;
use super::table::{Read, SEARCHED};
use super::value::Value;
use crate::record::{Body, Event, Gist, Head, Level, Record};

impl Expression {
    /// What [`Expression::matches`] will say of the request's `request_completed`; `None` where only the end can tell.
    ///
    /// `started` has the facts of the request and no progress, and the event, the message and the logger of that last
    /// record; its level and its time are not looked at.
    pub fn foretell(&self, started: &impl Source) -> Option<bool> {
        self.root().foretell(started, &|field| field.known.is_settled_by_request())
    }

    /// What [`Expression::matches`] says of every record about a request that has this event and this level; `None` where
    /// it depends on the rest of it.
    pub fn of_event(&self, event: Event, level: Level) -> Option<bool> {
        let head = Head { timestamp: 0, level, event, message: event.message(), logger: Gist::LOGGER };
        let is_known = |field: &Field| matches!(field.read, Read::Head(_)) && field.name != "timestamp";
        self.root().foretell(&Record { head, body: Body::Fields(&[]) }, &is_known)
    }
}

impl Node {
    fn foretell(&self, source: &impl Source, is_known: &impl Fn(&Field) -> bool) -> Option<bool> {
        match self {
            Node::All(nodes) => join(nodes, source, is_known, false),
            Node::Any(nodes) => join(nodes, source, is_known, true),
            Node::Not(node) => node.foretell(source, is_known).map(|holds| !holds),
            Node::Words(pattern) => {
                let found = |value: Value<'_>| matches!(value, Value::Text(text) if pattern.matches(text));
                // An exception may still say the words.
                let mut known = SEARCHED.iter().filter(|field| is_known(field));
                known.any(|field| source.any(field, None, found)).then_some(true)
            }
            Node::Field(name, _) => is_known(name.field).then(|| self.matches(source)),
        }
    }
}

/// One member that is `decisive` settles it; otherwise each of them must be known.
fn join(nodes: &[Node], source: &impl Source, is_known: &impl Fn(&Field) -> bool, decisive: bool) -> Option<bool> {
    let mut verdict = Some(!decisive);
    for node in nodes {
        match node.foretell(source, is_known) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => verdict = None,
        }
    }
    verdict
}
