//! The order of the table, without trying every pattern.
//!
//! All patterns are laid into one tree: text by its bytes, runs by their kind, so that what many patterns begin with
//! is matched once. A walk visits each node at most once, knows of each the first route below it, and never enters one
//! that could only find a later route than it has. What cannot be walked (see [`super::steps`]) hangs as a tail where
//! its leading text ends, and is tried there from its own beginning.

use std::sync::Arc;

use smallvec::SmallVec;

use super::filter::Filter;
use super::matched::Values;
use super::pattern::{Matcher, Pattern, Span};
use super::route::Route;
use super::steps::{Run, Step};

/// Runs in a row that are laid into the tree; the rest of such a pattern becomes a tail. Bounds the recursion.
const MAX_RUNS: usize = 32;

/// The tree.
#[derive(Debug)]
pub(super) struct Index {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// The first route of all that end here or below.
    first: u32,
    /// Routes that can end here, in order.
    endings: Vec<Ending>,
    /// Which of many endings to try.
    filter: Option<Filter>,
    /// What may follow as text, sorted by its first byte; no two begin alike.
    texts: Vec<(Box<[u8]>, usize)>,
    /// What may follow as a run.
    runs: Vec<(Run, usize)>,
}

#[derive(Debug)]
pub(super) struct Ending {
    pub(super) route: u32,
    /// For each group matched on the way here, which of the runs it is.
    groups: Box<[usize]>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// If the text is over.
    AtEnd,
    /// Whatever follows.
    Anywhere,
    /// If this pattern of the chain, from so many bytes back, and those after it match.
    Tail { from: usize, back: usize },
}

impl Index {
    /// Lays in all routes, in order.
    pub(super) fn new(routes: &[Route]) -> Index {
        let mut index = Index { nodes: vec![Node::default()] };
        for (number, route) in (0_u32..).zip(routes) {
            index.insert(number, &route.chain);
        }
        for node in &mut index.nodes {
            node.filter = Filter::new(&node.endings, routes);
        }
        index
    }

    /// The first route that the path, without its leading slash, is of, and the values of its groups. `base`: what to
    /// add to their offsets.
    pub(super) fn find(&self, routes: &[Route], method: &str, text: &str, base: usize) -> Option<(u32, Values)> {
        let mut walk = Walk { index: self, routes, method, text, base, runs: SmallVec::new(), best: None };
        walk.visit(0, 0);
        walk.best
    }

    fn insert(&mut self, route: u32, chain: &[Arc<Pattern>]) {
        let mut node = self.enter(0, route);
        let mut groups = Vec::new();
        let mut runs = 0;
        for (from, pattern) in chain.iter().enumerate() {
            let last = from + 1 == chain.len();
            let Some(steps) = walkable(pattern, last, MAX_RUNS - runs) else {
                let text = pattern.leading_text();
                let node = self.text(node, text.as_bytes(), route);
                return self.end(node, route, groups, Kind::Tail { from, back: text.len() });
            };
            groups.extend(steps.groups.iter().map(|run| run + runs));
            for step in &steps.steps {
                node = match step {
                    Step::Text(text) => self.text(node, text.as_bytes(), route),
                    Step::Run(run) => self.run(node, run, route),
                };
                runs += usize::from(matches!(step, Step::Run(_)));
            }
            if last {
                self.end(
                    node,
                    route,
                    std::mem::take(&mut groups),
                    if steps.ends { Kind::AtEnd } else { Kind::Anywhere },
                );
            }
        }
    }

    fn end(&mut self, node: usize, route: u32, groups: Vec<usize>, kind: Kind) {
        self.nodes[node].endings.push(Ending { route, groups: groups.into(), kind });
    }

    /// Notes that the route is at or below the node.
    fn enter(&mut self, node: usize, route: u32) -> usize {
        self.nodes[node].first = self.nodes[node].first.min(route);
        node
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn run(&mut self, node: usize, run: &Run, route: u32) -> usize {
        if let Some(&(_, child)) = self.nodes[node].runs.iter().find(|(other, _)| other == run) {
            return self.enter(child, route);
        }
        let child = self.add(Node::default());
        self.nodes[node].runs.push((run.clone(), child));
        self.enter(child, route)
    }

    /// Where the text leads, splitting what is there where they part.
    fn text(&mut self, mut node: usize, mut text: &[u8], route: u32) -> usize {
        while let Some(&first) = text.first() {
            let edges = &self.nodes[node].texts;
            match edges.binary_search_by_key(&first, |(edge, _)| edge[0]) {
                Err(place) => {
                    let child = self.add(Node::default());
                    self.nodes[node].texts.insert(place, (text.into(), child));
                    return self.enter(child, route);
                }
                Ok(place) => {
                    let common = common(&edges[place].0, text);
                    node = self.split(node, place, common);
                    self.enter(node, route);
                    text = &text[common..];
                }
            }
        }
        node
    }

    /// Makes the edge end after so many bytes, and returns the node there.
    fn split(&mut self, node: usize, place: usize, length: usize) -> usize {
        let (edge, child) = &self.nodes[node].texts[place];
        let (child, rest) = (*child, Box::<[u8]>::from(&edge[length..]));
        if rest.is_empty() {
            return child;
        }
        let middle = Node { first: self.nodes[child].first, texts: vec![(rest, child)], ..Node::default() };
        let middle = self.add(middle);
        let edge = &mut self.nodes[node].texts[place];
        *edge = (edge.0[..length].into(), middle);
        middle
    }
}

impl Default for Node {
    fn default() -> Self {
        Node { first: u32::MAX, endings: Vec::new(), filter: None, texts: Vec::new(), runs: Vec::new() }
    }
}

/// One search.
struct Walk<'w> {
    index: &'w Index,
    routes: &'w [Route],
    method: &'w str,
    text: &'w str,
    base: usize,
    runs: SmallVec<[(usize, usize); 8]>,
    best: Option<(u32, Values)>,
}

impl Walk<'_> {
    fn limit(&self) -> u32 {
        self.best.as_ref().map_or(u32::MAX, |(route, _)| *route)
    }

    fn visit(&mut self, node: usize, at: usize) {
        let index = self.index;
        let (mut node, mut at) = (&index.nodes[node], at);
        while node.first < self.limit() {
            self.endings(node, at);
            self.runs(node, at);
            let Some(edge) = self.edge(node, at) else { return };
            at += edge.0.len();
            node = &index.nodes[edge.1];
        }
    }

    fn endings(&mut self, node: &Node, at: usize) {
        match &node.filter {
            Some(filter) => {
                let candidates = filter.candidates(self.text);
                self.first_of(candidates.iter().filter_map(|&candidate| node.endings.get(candidate)), at);
            }
            None => self.first_of(node.endings.iter(), at),
        }
    }

    fn first_of<'n>(&mut self, mut endings: impl Iterator<Item = &'n Ending>, at: usize) {
        let limit = self.limit();
        let found = endings.find_map(|ending| {
            let before = ending.route < limit;
            // The endings are in order: the first one beyond the limit ends the search, like a match.
            if before { self.values(ending, at).map(|values| Some((ending.route, values))) } else { Some(None) }
        });
        if let Some(Some(found)) = found {
            self.best = Some(found);
        }
    }

    fn runs(&mut self, node: &Node, at: usize) {
        for (run, child) in &node.runs {
            if self.index.nodes[*child].first < self.limit()
                && let Some(length) = self.text.get(at..).and_then(|rest| run.take(rest))
            {
                self.runs.push((at, at + length));
                self.visit(*child, at + length);
                self.runs.pop();
            }
        }
    }

    fn edge<'n>(&self, node: &'n Node, at: usize) -> Option<&'n (Box<[u8]>, usize)> {
        let rest = self.text.as_bytes().get(at..)?;
        let first = rest.first()?;
        let place = node.texts.binary_search_by_key(first, |(edge, _)| edge[0]).ok()?;
        node.texts.get(place).filter(|(edge, _)| rest.starts_with(edge))
    }

    /// The values of the groups, if the route does end here.
    fn values(&self, ending: &Ending, at: usize) -> Option<Values> {
        let route = &self.routes[ending.route as usize];
        if !route.answers(self.method) || (matches!(ending.kind, Kind::AtEnd) && at < self.text.len()) {
            return None;
        }
        let walked = ending.groups.iter().map(|&run| self.runs.get(run).copied());
        let conversions = &route.arguments.conversions;
        let Kind::Tail { from, back } = ending.kind else {
            return Values::convert(walked, conversions, self.text, self.base);
        };
        let groups: SmallVec<[Span; 8]> = tail(&route.chain[from..], self.text, at - back, walked.collect())?;
        Values::convert(groups.into_iter(), conversions, self.text, self.base)
    }
}

/// Matches pattern by pattern, each on what the one before left.
fn tail(
    chain: &[Arc<Pattern>],
    text: &str,
    mut at: usize,
    mut all: SmallVec<[Span; 8]>,
) -> Option<SmallVec<[Span; 8]>> {
    for pattern in chain {
        let mut groups: SmallVec<[Span; 8]> = SmallVec::new();
        let end = pattern.find(text.get(at..)?, &mut groups)?;
        all.extend(groups.into_iter().map(|span| span.map(|(from, to)| (from + at, to + at))));
        at += end;
    }
    Some(all)
}

fn walkable(pattern: &Pattern, last: bool, runs_left: usize) -> Option<&super::steps::Steps> {
    let Matcher::Steps(steps) = &pattern.matcher else { return None };
    let runs = steps.steps.iter().filter(|step| matches!(step, Step::Run(_))).count();
    (runs <= runs_left && (last || !steps.ends)).then_some(steps)
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
