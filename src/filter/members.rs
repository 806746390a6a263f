//! Filters on lines that are kept in a form of their own: whoever holds one shows its members by their names.

use serde_json::Value as Json;

use super::field::{Field, Kind};
use super::json;
use super::source::Source;
use super::table::{Group, Read};
use super::value::Value;

/// A line of the native schema, in whatever form it is kept.
pub trait Members {
    /// Shows `show` the values of the member of this name, or of its part of that name, until it says yes; `false` when it
    /// never does, and when there is none.
    fn member(&self, name: &str, part: Option<&str>, show: &mut dyn FnMut(Member<'_>) -> bool) -> bool;
}

/// A value of a line.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// As JSON; what is within an array or an object counts.
    Json(&'a Json),
    /// Read already.
    Value(Value<'a>),
}

/// Evaluates as the line itself does, once it is read as JSON.
#[derive(Debug)]
pub struct ByName<'m, M>(pub &'m M);

impl<M: Members> Source for ByName<'_, M> {
    fn any(&self, field: &Field, part: Option<&str>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
        let mut named = |name: &str, part: Option<&str>| {
            self.0.member(name, part, &mut |value| shown(value, field.kind, &mut test))
        };
        match (field.read, part) {
            (Read::Group(Group::Own), Some(part)) => named(part, None),
            (Read::Group(Group::Route), None) => named("view_name", None) || named("route", None),
            (_, part) => named(field.name, part),
        }
    }
}

fn shown(value: Member<'_>, kind: Kind, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    match value {
        Member::Json(value) => json::each(value, kind, test),
        Member::Value(value) => test(value.typed(kind)),
    }
}
