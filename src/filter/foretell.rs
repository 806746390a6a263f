//! What an expression will say of a request once it is over, told from its head.
//!
//! Whoever has to act while a request still runs (hold a record back, capture a header) asks here whether the end can
//! still bring what is asked for. Three answers, joined as Kleene's logic has them: a path that does not match rules out
//! everything it is joined to, whatever the status will be.

use super::expression::{Expression, Node};
use super::source::Source;
use super::table::SEARCHED;
use super::value::Value;

impl Expression {
    /// What [`Expression::matches`] will say of the request's `request_completed`; `None` where only the end can tell.
    ///
    /// `started` has the facts of the request and no progress, and the event, the message and the logger of that last
    /// record; its level and its time are not looked at.
    pub fn foretell(&self, started: &impl Source) -> Option<bool> {
        self.root().foretell(started)
    }
}

impl Node {
    fn foretell(&self, started: &impl Source) -> Option<bool> {
        match self {
            Node::All(nodes) => join(nodes, started, false),
            Node::Any(nodes) => join(nodes, started, true),
            Node::Not(node) => node.foretell(started).map(|holds| !holds),
            Node::Words(pattern) => {
                let found = |value: Value<'_>| matches!(value, Value::Text(text) if pattern.matches(text));
                // An exception may still say the words.
                SEARCHED
                    .iter()
                    .any(|field| field.known.is_settled_by_request() && started.any(field, None, found))
                    .then_some(true)
            }
            Node::Field(name, _) => name.field.known.is_settled_by_request().then(|| self.matches(started)),
        }
    }
}

/// One member that is `decisive` settles it; otherwise each of them must be known.
fn join(nodes: &[Node], started: &impl Source, decisive: bool) -> Option<bool> {
    let mut verdict = Some(!decisive);
    for node in nodes {
        match node.foretell(started) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => verdict = None,
        }
    }
    verdict
}
