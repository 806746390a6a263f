//! Texts and runs that do have to go back, such as `<slug:name>-<int:number>`: done by hand while that is cheap.
//!
//! An engine needs microseconds to set out. Most paths are decided in a few tries, so those are made first; whatever
//! takes more than a bounded number of them is left to the engine, whose time is linear.

use smallvec::SmallVec;

use super::pattern::Span;
use super::steps::{Run, Step, Steps};

/// Tries before the engine is asked.
const MAX_TRIES: usize = 500;
/// Steps of a pattern: bounds the recursion.
const MAX_STEPS: usize = 64;

/// What the tries came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It matches up to there.
    Found(usize),
    No,
    /// Not to be said in so few tries.
    Unknown,
}

/// Matches at the start of the text, longest runs first, as Python does.
pub(super) fn find(steps: &Steps, text: &str, groups: &mut impl Extend<Span>) -> Outcome {
    if steps.steps.len() > MAX_STEPS {
        return Outcome::Unknown;
    }
    let mut search = Search { text, ends: steps.ends, tries: MAX_TRIES, runs: SmallVec::new() };
    let outcome = search.go(&steps.steps, 0);
    if let Outcome::Found(_) = outcome {
        groups.extend(steps.groups.iter().map(|&run| search.runs.get(run).copied()));
    }
    outcome
}

struct Search<'t> {
    text: &'t str,
    ends: bool,
    tries: usize,
    runs: SmallVec<[(usize, usize); 8]>,
}

impl Search<'_> {
    fn go(&mut self, steps: &[Step], at: usize) -> Outcome {
        let Some(left) = self.tries.checked_sub(1) else { return Outcome::Unknown };
        self.tries = left;
        match steps.split_first() {
            None if self.ends && at < self.text.len() => Outcome::No,
            None => Outcome::Found(at),
            Some((Step::Text(wanted), rest)) => match self.text[at..].starts_with(&**wanted) {
                true => self.go(rest, at + wanted.len()),
                false => Outcome::No,
            },
            Some((Step::Run(run), rest)) => self.run(run, rest, at),
        }
    }

    fn run(&mut self, run: &Run, rest: &[Step], at: usize) -> Outcome {
        let Some(mut length) = run.take(&self.text[at..]) else { return Outcome::No };
        let mut spare = run.spare(&self.text[at..at + length]);
        loop {
            self.runs.push((at, at + length));
            match self.go(rest, at + length) {
                Outcome::No if spare > 0 => self.runs.pop(),
                Outcome::No => {
                    self.runs.pop();
                    return Outcome::No;
                }
                decided => return decided,
            };
            spare -= 1;
            length -= self.text[..at + length].chars().next_back().map_or(0, char::len_utf8);
        }
    }
}
