//! The fields of a line of the log, read back as JSON: what `search --file` and `tail` evaluate on.

use serde_json::{Map, Value as Json};

use super::field::{Field, Kind};
use super::source::Source;
use super::table::{Group, Read};
use super::value::{Number, Value};

/// The object of a line in the native schema, with or without its nulls.
impl Source for Map<String, Json> {
    fn any(&self, field: &Field, part: Option<&str>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
        let mut named = |name: &str| self.get(name).is_some_and(|value| each(value, field.kind, &mut test));
        match (field.read, part) {
            (Read::Group(Group::Own), Some(part)) => named(part),
            (_, Some(part)) => {
                let member = self.get(field.name).and_then(Json::as_object).and_then(|members| members.get(part));
                member.is_some_and(|value| each(value, field.kind, &mut test))
            }
            (Read::Group(Group::Route), None) => named("view_name") || named("route"),
            (_, None) => named(field.name),
        }
    }
}

/// What is no object has no fields.
impl Source for Json {
    fn any(&self, field: &Field, part: Option<&str>, test: impl FnMut(Value<'_>) -> bool) -> bool {
        self.as_object().is_some_and(|fields| fields.any(field, part, test))
    }
}

/// The values that a member stands for: itself, its elements, or its members. The reader of JSON bounds how deep they lie.
pub(super) fn each(value: &Json, kind: Kind, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    let value = match value {
        Json::Null => return false,
        Json::Array(values) => return values.iter().any(|value| each(value, kind, test)),
        Json::Object(members) => return members.values().any(|value| each(value, kind, test)),
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text),
        Json::Number(value) => match number(value) {
            Some(number) => Value::Number(number),
            None => return false,
        },
    };
    test(value.typed(kind))
}

fn number(value: &serde_json::Number) -> Option<Number> {
    let whole = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from));
    whole.map(Number::Whole).or_else(|| Number::fraction(value.as_f64()?))
}
