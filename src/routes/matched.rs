//! What a path resolved to: small, owned, and read together with the table and the path.

use smallvec::SmallVec;

use super::converter::Conversion;
use super::pattern::Span;
use super::route::{Named, Route, Source};
use super::table::Table;
use crate::record::{Arg, Value};

/// A route and its parameters. Holds offsets, not text: for an ordinary path nothing is allocated.
///
/// Read it with the table that made it and the path it was made from; with others its values are meaningless, though
/// never a panic.
#[derive(Debug, Clone)]
pub struct Match {
    pub(super) route: u32,
    /// The path, where it held escapes.
    pub(super) decoded: Option<Box<str>>,
    pub(super) values: Values,
}

/// The values of a route's groups, converted.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// Where in the decoded path; a length of `u32::MAX` marks a group that took no part.
    spans: SmallVec<[(u32, u32); 4]>,
    /// Groups whose value is no piece of the path.
    rewritten: Vec<(usize, Box<str>)>,
}

const ABSENT: (u32, u32) = (0, u32::MAX);

impl Match {
    /// The route.
    ///
    /// # Panics
    /// When the table is a smaller one than the match was made by.
    pub fn route<'t>(&self, table: &'t Table) -> &'t Route {
        &table.routes()[self.route as usize]
    }

    /// Django's `args`: the groups without a name, where no named argument took their place.
    pub fn args<'a>(&'a self, table: &'a Table, path: &'a str) -> impl Iterator<Item = Value<'a>> {
        let route = self.route(table);
        let arguments = &route.arguments;
        // Named arguments at or below a prefix displace what is positional in it; the endpoint's own stay.
        let deepest = arguments.named.iter().filter(|named| self.present(named)).map(|named| named.level).max();
        let endpoint = route.chain.len().saturating_sub(1);
        let kept = move |level: usize| level == endpoint || deepest.is_none_or(|deepest| level > deepest);
        let text = self.text(path);
        let value = move |&(_, group): &(usize, usize)| self.group(route, group, text).unwrap_or(Value::Null);
        arguments.positional.iter().filter(move |&&(level, _)| kept(level)).map(value)
    }

    /// Django's `kwargs`, in the order of its dict. A named group that took no part is left out.
    pub fn kwargs<'a>(&'a self, table: &'a Table, path: &'a str) -> impl Iterator<Item = Arg<'a>> {
        let route = self.route(table);
        let named = route.arguments.named.as_slice();
        let text = self.text(path);
        named.iter().enumerate().filter_map(move |(index, first)| {
            let same = |other: &&Named| other.name == first.name && self.present(other);
            if !self.present(first) || named[..index].iter().any(|other| same(&other)) {
                return None;
            }
            let last = named[index..].iter().rfind(same)?;
            let value = match &last.source {
                Source::Group(group) => self.group(route, *group, text)?,
                Source::Constant(constant) => constant.value(),
            };
            Some(Arg { name: &first.name, value })
        })
    }

    fn present(&self, named: &Named) -> bool {
        match named.source {
            Source::Group(group) => self.values.spans.get(group).is_some_and(|span| *span != ABSENT),
            Source::Constant(_) => true,
        }
    }

    fn text<'a>(&'a self, path: &'a str) -> &'a str {
        self.decoded.as_deref().unwrap_or(path)
    }

    fn group<'a>(&'a self, route: &Route, group: usize, text: &'a str) -> Option<Value<'a>> {
        let value = self.values.get(group, text)?;
        Some(match route.arguments.conversions.get(group)? {
            Conversion::Int => Value::Digits(value),
            Conversion::Text | Conversion::Uuid => Value::Text(value.as_bytes()),
        })
    }
}

impl Values {
    /// Converts the groups, whose offsets are into `text`; `base` is added to them. `None` when a converter fails.
    pub(super) fn convert(
        groups: impl Iterator<Item = Span>,
        conversions: &[Conversion],
        text: &str,
        base: usize,
    ) -> Option<Values> {
        let mut values = Values::default();
        for (group, span) in groups.enumerate() {
            let Some((start, end)) = span else {
                values.spans.push(ABSENT);
                continue;
            };
            let conversion = conversions.get(group).copied().unwrap_or(Conversion::Text);
            let mut start = start;
            match conversion.apply(text.get(start..end)?)? {
                std::borrow::Cow::Borrowed(value) => start = end - value.len(),
                std::borrow::Cow::Owned(value) => values.rewritten.push((group, value.into())),
            }
            values.spans.push((u32::try_from(start + base).ok()?, u32::try_from(end - start).ok()?));
        }
        Some(values)
    }

    fn get<'a>(&'a self, group: usize, text: &'a str) -> Option<&'a str> {
        let (start, length) = *self.spans.get(group).filter(|span| **span != ABSENT)?;
        if let Some((_, value)) = self.rewritten.iter().find(|(other, _)| *other == group) {
            return Some(value);
        }
        text.get(start as usize..start as usize + length as usize)
    }
}
