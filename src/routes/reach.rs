//! Routes that can never be reached, because an earlier one takes every path that they match.
//!
//! Only what can be proved is told: of the shapes that [`super::steps`] walks, by laying the later one beside the
//! earlier one, character by character and run by run; of the others, when both are written alike. What is left open:
//! a route whose paths are taken by several earlier ones together.

use super::converter::Conversion;
use super::pattern::Matcher;
use super::problem::Problem;
use super::route::Route;
use super::steps::{Run, Step};
use super::syntax::Set;

/// Tells of every route that an earlier one makes unreachable.
pub(super) fn check(routes: &[Route], problems: &mut Vec<Problem>) {
    let shapes: Vec<Shape> = routes.iter().map(Shape::of).collect();
    for (index, (route, shape)) in routes.iter().zip(&shapes).enumerate() {
        let cover =
            |(earlier, other): (&Route, &Shape)| covers(earlier, other, route, shape).map(|gap| (earlier.origin, gap));
        if let Some((other, gap)) = routes[..index].iter().zip(&shapes).find_map(cover) {
            let message = match gap {
                Gap::None => format!("nothing reaches `{}`: an earlier route takes all of its paths", route.pattern),
                Gap::Newlines => {
                    let only = "only paths that hold an encoded newline (`%0A`) reach";
                    format!("{only} `{}`: an earlier route takes all others", route.pattern)
                }
                Gap::HugeNumbers => {
                    let only = "only numbers of more than 4300 digits reach";
                    format!("{only} `{}`: an earlier route takes all other paths", route.pattern)
                }
            };
            let problem = Problem::warning(route.origin, route.field, message).against(other);
            problems.push(problem.hint("move it before that route: the first match wins"));
        }
    }
}

/// What an earlier route leaves to a later one, in theory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    /// Python's `.` does not match them, and so Django's `path` converter does not.
    Newlines,
    /// Python refuses to convert them.
    HugeNumbers,
}

fn covers(earlier: &Route, cover: &Shape, later: &Route, covered: &Shape) -> Option<Gap> {
    let methods = match (&earlier.methods, &later.methods) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => later.iter().all(|method| earlier.contains(method)),
    };
    if !methods {
        return None;
    }
    let same_values = earlier.arguments.conversions == later.arguments.conversions;
    let alike = same_values && (earlier.written_like(later) || (cover.walked && covered.walked && cover == covered));
    if alike {
        return Some(Gap::None);
    }
    if !cover.walked || earlier.arguments.conversions.contains(&Conversion::Uuid) {
        return None;
    }
    let gap =
        takes_all(&cover.tokens, cover.open, &covered.tokens, covered.open).then_some(Gap::None).or_else(|| {
            let without: Vec<Token> = covered.tokens.iter().map(Token::without_newline).collect();
            takes_all(&cover.tokens, cover.open, &without, covered.open).then_some(Gap::Newlines)
        })?;
    match (cover.numbers, gap) {
        (Numbers::None, gap) => Some(gap),
        (Numbers::Plain, Gap::None) => Some(Gap::HugeNumbers),
        _ => None,
    }
}

/// What the paths of a route look like.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    tokens: Vec<Token>,
    /// Anything may follow.
    open: bool,
    /// The tokens are exactly what the route matches. Otherwise it matches some of what they do.
    walked: bool,
    /// How many runs there are, and for each group which of them it is.
    runs: usize,
    groups: Vec<usize>,
    numbers: Numbers,
}

/// Whether converting can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    None,
    /// Digits 0 to 9 alone: fails beyond Python's limit.
    Plain,
    /// Other texts: fails for some of them.
    Odd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    One(char),
    Run { set: Set, min: u32, max: Option<u32> },
}

impl Default for Shape {
    fn default() -> Self {
        Shape { tokens: Vec::new(), open: true, walked: true, runs: 0, groups: Vec::new(), numbers: Numbers::None }
    }
}

impl Shape {
    fn of(route: &Route) -> Shape {
        let mut shape = Shape::default();
        for (level, pattern) in route.chain.iter().enumerate() {
            let last = level + 1 == route.chain.len();
            match &pattern.matcher {
                Matcher::Steps(steps) if last || !steps.ends => {
                    shape.groups.extend(steps.groups.iter().map(|run| run + shape.runs));
                    shape.runs += steps.steps.iter().filter_map(Step::run).count();
                    steps.steps.iter().for_each(|step| shape.push(step));
                    shape.open = !steps.ends;
                }
                // From here on anything may come, and need not.
                _ => {
                    shape.tokens.extend(pattern.leading_text().chars().map(Token::One));
                    return Shape { open: true, walked: false, ..shape };
                }
            }
            let ints = pattern.captures.iter().zip(steps_of(&pattern.matcher));
            for (_, run) in ints.filter(|(capture, _)| capture.conversion == Conversion::Int) {
                shape.numbers = match run {
                    Some(Run::Of(members, ..)) if members.set.within(&Set::of(&[('0', '9')])) => {
                        shape.numbers.or_plain()
                    }
                    _ => Numbers::Odd,
                };
            }
        }
        shape
    }

    fn push(&mut self, step: &Step) {
        match step {
            Step::Text(text) => self.tokens.extend(text.chars().map(Token::One)),
            Step::Run(Run::Of(members, min, max)) => {
                self.tokens.push(Token::Run { set: members.set.clone(), min: *min, max: *max });
            }
            Step::Run(Run::Uuid) => self.push_uuid(),
        }
    }

    fn push_uuid(&mut self) {
        for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            self.tokens.extend((index > 0).then_some(Token::One('-')));
            let set = Set::of(&[('0', '9'), ('a', 'f')]);
            self.tokens.push(Token::Run { set, min: length, max: Some(length) });
        }
    }
}

impl Numbers {
    fn or_plain(self) -> Numbers {
        if self == Numbers::Odd { Numbers::Odd } else { Numbers::Plain }
    }
}

/// The run of each group.
fn steps_of(matcher: &Matcher) -> Vec<Option<&Run>> {
    let Matcher::Steps(steps) = matcher else { return Vec::new() };
    let runs: Vec<&Run> = steps.steps.iter().filter_map(Step::run).collect();
    steps.groups.iter().map(|&group| runs.get(group).copied()).collect()
}

impl Token {
    fn without_newline(&self) -> Token {
        match self {
            Token::Run { set, min, max } => Token::Run { set: set.without('\n'), min: *min, max: *max },
            one => one.clone(),
        }
    }
}

/// Whether every text of the second shape is one of the first, however the runs of the second fall.
fn takes_all(cover: &[Token], cover_open: bool, covered: &[Token], covered_open: bool) -> bool {
    let mut rest = covered;
    for (index, token) in cover.iter().enumerate() {
        if cover[index..] == *rest && cover_open == covered_open {
            return true;
        }
        match token {
            Token::One(character) => match rest.split_first() {
                Some((Token::One(other), after)) if other == character => rest = after,
                _ => return false,
            },
            Token::Run { set, min, max } => {
                let Some(taken) = Taken::by(set, rest) else { return false };
                // A run that meets the open end of the other may take more, or less, than is known.
                let unsure = taken.rest.is_empty() && covered_open && !(cover_open && index + 1 == cover.len());
                if unsure || taken.min < *min || max.is_some_and(|max| taken.max.is_none_or(|most| most > max)) {
                    return false;
                }
                rest = taken.rest;
            }
        }
    }
    cover_open || (rest.is_empty() && !covered_open)
}

/// What a run takes of the tokens of another shape.
struct Taken<'t> {
    min: u32,
    max: Option<u32>,
    rest: &'t [Token],
}

impl Taken<'_> {
    /// `None` when that is not the same for all texts.
    fn by<'t>(set: &Set, tokens: &'t [Token]) -> Option<Taken<'t>> {
        let mut taken = Taken { min: 0, max: Some(0), rest: tokens };
        while let Some((token, after)) = taken.rest.split_first() {
            match token {
                Token::One(character) if set.contains(*character) => taken.add(1, Some(1)),
                Token::One(_) => break,
                Token::Run { set: other, min, max } if other.within(set) => taken.add(*min, *max),
                Token::Run { set: other, min, .. } if *min > 0 && other.apart(set) => break,
                Token::Run { .. } => return None,
            }
            taken.rest = after;
        }
        Some(taken)
    }

    fn add(&mut self, min: u32, max: Option<u32>) {
        self.min = self.min.saturating_add(min);
        self.max = self.max.zip(max).map(|(sum, max)| sum.saturating_add(max));
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
