//! Which of many expressions can match a path at all, found in one pass over it.
//!
//! Nearly every expression holds a text that its matches cannot do without. Where many expressions hang at one node of
//! the tree, an Aho-Corasick automaton finds which of those texts the path holds; only their expressions are tried.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use smallvec::SmallVec;

use super::index::{Ending, Kind};
use super::route::Route;

/// Fewer are tried one after the other in less time.
const WORTH_IT: usize = 8;

/// The filter of one node.
#[derive(Debug)]
pub(super) struct Filter {
    automaton: AhoCorasick,
    /// For each text, the endings that need it.
    needing: Vec<Vec<usize>>,
    /// Endings that need none.
    always: Vec<usize>,
}

impl Filter {
    /// For the endings of a node, by their places; `None` when they are few.
    pub(super) fn new(endings: &[Ending], routes: &[Route]) -> Option<Filter> {
        let mut texts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut always = Vec::new();
        for (place, ending) in endings.iter().enumerate() {
            match required_text(ending, routes) {
                Some(text) => texts.entry(text).or_default().push(place),
                None => always.push(place),
            }
        }
        if texts.len() < WORTH_IT {
            return None;
        }
        // Too many states for the automaton: all are tried.
        let automaton = AhoCorasick::new(texts.keys()).ok()?;
        Some(Filter { automaton, needing: texts.into_values().collect(), always })
    }

    /// The endings to be tried, in order.
    pub(super) fn candidates(&self, text: &str) -> SmallVec<[usize; 16]> {
        let mut candidates: SmallVec<[usize; 16]> = SmallVec::from_slice(&self.always);
        for found in self.automaton.find_overlapping_iter(text) {
            candidates.extend_from_slice(&self.needing[found.pattern().as_usize()]);
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

/// The longest text that the chain cannot do without from here on.
fn required_text(ending: &Ending, routes: &[Route]) -> Option<String> {
    let Kind::Tail { from, .. } = ending.kind else { return None };
    let chain = &routes.get(ending.route as usize)?.chain;
    let texts = chain.get(from..)?.iter().map(|pattern| pattern.required_text());
    texts.max_by_key(String::len).filter(|text| !text.is_empty())
}
