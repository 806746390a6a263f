//! Patterns that can be matched from left to right without ever going back: nearly all of them.
//!
//! `posts/<int:pk>/` and `^articles/(?P<year>[0-9]{4})/$` are text and runs of a set in turn, each run followed by
//! something that the run itself cannot take. Then the longest run is the only one that can lead to a match, and what
//! a backtracking engine would find is found by walking. Patterns of any other form are left to a real one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::converter::is_uuid;
use super::pattern::Span;
use super::syntax::{Count, Node, Set, Syntax};

/// A pattern as a walk over the text.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// For each group, which of the runs it is.
    pub(super) groups: Vec<usize>,
    /// The text must end where the pattern does; otherwise what follows is left.
    pub(super) ends: bool,
}

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Exactly this.
    Text(Box<str>),
    /// As many characters as there are.
    Run(Run),
}

/// Characters of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Run {
    /// Of a set, at least and at most so many.
    Of(Arc<Members>, u32, Option<u32>),
    /// A UUID in canonical form, lower case.
    Uuid,
}

/// A set, with its ASCII part at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) set: Set,
    ascii: [bool; 128],
}

impl Steps {
    /// The walk for a pattern; `None` when it would have to go back. `whole`: as Python's `fullmatch()`.
    pub(super) fn new(syntax: &Syntax, whole: bool) -> Option<Steps> {
        Steps::any(syntax, whole).filter(|steps| never_goes_back(&steps.steps))
    }

    /// The texts and runs of a pattern, which may have to go back; `None` when there is more to it.
    pub(super) fn any(syntax: &Syntax, whole: bool) -> Option<Steps> {
        let mut parts = syntax.root.parts();
        let anchored = matches!(parts.first(), Some(Node::Start));
        if !anchored && !whole {
            return None;
        }
        parts = &parts[usize::from(anchored)..];
        let ends = match parts.last() {
            Some(Node::End) => true,
            Some(Node::Dollar) => whole.then_some(true)?,
            _ => whole,
        };
        parts = &parts[..parts.len() - usize::from(matches!(parts.last(), Some(Node::End | Node::Dollar)))];
        let mut builder = Builder { steps: Vec::new(), groups: vec![None; syntax.groups.len()], runs: 0 };
        parts.iter().try_for_each(|part| builder.part(part))?;
        let groups = builder.groups.into_iter().collect::<Option<Vec<usize>>>()?;
        Some(Steps { steps: builder.steps, groups, ends })
    }

    /// Matches at the start of the text: where it ends, and its groups.
    pub(super) fn find(&self, text: &str, groups: &mut impl Extend<Span>) -> Option<usize> {
        let mut at = 0;
        let mut runs: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        for step in &self.steps {
            match step {
                Step::Text(wanted) if text.as_bytes()[at..].starts_with(wanted.as_bytes()) => at += wanted.len(),
                Step::Text(_) => return None,
                Step::Run(run) => {
                    let end = at + run.take(&text[at..])?;
                    runs.push((at, end));
                    at = end;
                }
            }
        }
        if self.ends && at < text.len() {
            return None;
        }
        groups.extend(self.groups.iter().map(|&run| runs.get(run).copied()));
        Some(at)
    }
}

impl Step {
    /// The run that it is, if it is one.
    pub(super) fn run(&self) -> Option<&Run> {
        match self {
            Step::Run(run) => Some(run),
            Step::Text(_) => None,
        }
    }
}

impl Run {
    /// How many bytes at the start of the text it takes; `None` when there are too few.
    pub(super) fn take(&self, text: &str) -> Option<usize> {
        match self {
            Run::Of(members, 0 | 1, None) => {
                let length = members.longest(text);
                (length > 0 || self.min() == 0).then_some(length)
            }
            Run::Of(members, min, max) => members.counted(text, *min, *max),
            Run::Uuid => is_canonical_uuid(text.as_bytes()).then_some(36),
        }
    }

    /// How many characters of what it took it could do without.
    pub(super) fn spare(&self, taken: &str) -> usize {
        match self {
            Run::Of(_, min, _) => taken.chars().count().saturating_sub(*min as usize),
            Run::Uuid => 0,
        }
    }

    fn min(&self) -> u32 {
        match self {
            Run::Of(_, min, _) => *min,
            Run::Uuid => 36,
        }
    }
}

impl Members {
    /// Of a set.
    pub(super) fn new(set: Set) -> Members {
        let mut ascii = [false; 128];
        for (code, member) in (0_u8..).zip(&mut ascii) {
            *member = set.contains(char::from(code));
        }
        Members { set, ascii }
    }

    fn has(&self, byte: u8) -> bool {
        self.ascii.get(usize::from(byte)).copied().unwrap_or(false)
    }

    fn longest(&self, text: &str) -> usize {
        let mut at = 0;
        loop {
            let bytes = &text.as_bytes()[at..];
            at += bytes.iter().position(|&byte| !self.has(byte)).unwrap_or(bytes.len());
            match text[at..].chars().next() {
                Some(character) if !character.is_ascii() && self.set.contains(character) => at += character.len_utf8(),
                _ => return at,
            }
        }
    }

    fn counted(&self, text: &str, min: u32, max: Option<u32>) -> Option<usize> {
        let max = max.unwrap_or(u32::MAX) as usize;
        let mut count = 0;
        let mut length = 0;
        for character in text.chars().take(max).take_while(|&character| self.set.contains(character)) {
            count += 1;
            length += character.len_utf8();
        }
        (count >= min).then_some(length)
    }
}

struct Builder {
    steps: Vec<Step>,
    groups: Vec<Option<usize>>,
    runs: usize,
}

impl Builder {
    /// `None` for what is neither text nor a run.
    fn part(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Literal(character) => {
                self.text(*character);
                Some(())
            }
            Node::Capture(number, inner) => {
                *self.groups.get_mut(*number)? = Some(self.runs);
                let run = if is_uuid(inner) { Run::Uuid } else { run(inner)? };
                self.run(run);
                Some(())
            }
            other => {
                self.run(run(other)?);
                Some(())
            }
        }
    }

    fn text(&mut self, character: char) {
        if let Some(Step::Text(text)) = self.steps.last_mut() {
            *text = format!("{text}{character}").into();
        } else {
            self.steps.push(Step::Text(character.to_string().into()));
        }
    }

    fn run(&mut self, run: Run) {
        self.runs += 1;
        self.steps.push(Step::Run(run));
    }
}

fn run(node: &Node) -> Option<Run> {
    let of = |node: &Node| match node {
        Node::Set(set) => Some(set.clone()),
        Node::Literal(character) => Some(Set::of(&[(*character, *character)])),
        _ => None,
    };
    let (set, min, max) = match node {
        Node::Repeat(inner, Count { min, max, greedy: true }) => (of(inner)?, *min, *max),
        Node::Set(set) => (set.clone(), 1, Some(1)),
        _ => return None,
    };
    Some(Run::Of(Arc::new(Members::new(set)), min, max))
}

fn never_goes_back(steps: &[Step]) -> bool {
    steps.iter().enumerate().all(|(index, step)| match step {
        Step::Run(Run::Of(_, min, max)) if *max == Some(*min) => true,
        Step::Run(Run::Of(members, ..)) => stops(&members.set, &steps[index + 1..]),
        Step::Run(Run::Uuid) | Step::Text(_) => true,
    })
}

/// Whether whatever comes next begins with a character outside of the set.
fn stops(set: &Set, next: &[Step]) -> bool {
    match next.first() {
        None => true,
        Some(Step::Text(text)) => !text.chars().next().is_some_and(|first| set.contains(first)),
        Some(Step::Run(Run::Uuid)) => set.apart(&Set::of(&[('0', '9'), ('a', 'f')])),
        Some(Step::Run(Run::Of(members, min, _))) => set.apart(&members.set) && (*min > 0 || stops(set, &next[1..])),
    }
}

fn is_canonical_uuid(text: &[u8]) -> bool {
    text.len() >= 36
        && text[..36].iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::super::backtrack::{self, Outcome};
    use super::super::syntax::{Program, parse};
    use super::*;

    fn steps(source: &str) -> Option<Steps> {
        Steps::new(&parse(source).unwrap(), source.ends_with('$'))
    }

    #[test]
    fn patterns_that_go_back_are_left_to_the_engine() {
        for source in
            ["^([^/]+)-([0-9]+)/$", "^(a|b)/$", "^a+?b$", "a", "^(?:a/)?b$", "^(.+)/edit/$", "^a{1,2}ab$", "^(ab)$"]
        {
            assert!(steps(source).is_none(), "{source}");
        }
        for source in
            ["^([^/]+)/([0-9]+)/$", r"^x\.(?P<format>[a-z0-9]+)/?$", "^a{2}a$", "a$", "^(?P<url>.*)$", "^", "$"]
        {
            assert!(steps(source).is_some(), "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn walking_finds_what_the_engine_finds(
            source in r"\^?(a|/|é|\\w\+|\(\[\^/\]\+\)|\[0-9\]\{1,3\}|\(\.\*\)|b\?|/\?|\(\[a-c\]\*\)|\(\\d\{2\}\)){0,5}(\$|\\Z)?",
            text in r"[a-c/é0-9٣\n_-]{0,8}",
        ) {
            let syntax = parse(&source).unwrap();
            let whole = source.ends_with('$');
            if let Some(steps) = Steps::any(&syntax, whole) {
                let mut tried = Vec::new();
                let outcome = backtrack::find(&steps, &text, &mut tried);
                let found = Program::new(&syntax, whole).unwrap().find(&text);
                proptest::prop_assert_eq!(outcome, found.as_ref().map_or(Outcome::No, |found| Outcome::Found(found.end)));
                proptest::prop_assert_eq!(tried, found.map(|found| found.groups).unwrap_or_default());
            }
            if let Some(steps) = Steps::new(&syntax, whole) {
                let mut walked = Vec::new();
                let end = steps.find(&text, &mut walked);
                let found = Program::new(&syntax, whole).unwrap().find(&text);
                proptest::prop_assert_eq!(end, found.as_ref().map(|found| found.end));
                proptest::prop_assert_eq!(walked, found.map(|found| found.groups).unwrap_or_default());
            }
        }
    }
}
