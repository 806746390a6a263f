//! Lines of the other schemas under the names and in the types of the native one, by the table that wrote them.
//!
//! What a schema keeps in a form of its own that nothing here asks for (addresses taken apart, headers as arrays) stays
//! under its own name, and is not looked at.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::line::Scalar;
use crate::record::Schema;
use crate::record::json::timestamp;
use crate::record::schema::{Field, Form, PREFIX};

/// The objects of a line whose members are fields.
pub(super) const OBJECTS: [&str; 3] = ["Resource", "InstrumentationScope", "Attributes"];

/// Names in a schema, and the field of each with the form that it has there.
type Names = HashMap<&'static str, (Field, Form)>;

static OTEL: LazyLock<Names> = LazyLock::new(|| names(Schema::Otel));
static ECS: LazyLock<Names> = LazyLock::new(|| names(Schema::Ecs));

/// Gives the fields their native names and values, if their names are those of another schema.
pub(super) fn to_native(fields: &mut [(Cow<'_, str>, Scalar<'_>)]) {
    let Some(names) = fields.iter().find_map(|(name, _)| schema_of(name)).flatten() else { return };
    for (name, value) in fields {
        if let Some((field, form)) = names.get(&**name) {
            *name = Cow::Borrowed(field.name());
            restore(*form, value);
        }
    }
}

/// The names of the schema in which a record's time is called so.
fn schema_of(name: &str) -> Option<Option<&'static Names>> {
    let called = |schema: Schema| schema.target(Field::Timestamp).is_some_and(|target| target.name == name);
    match name {
        "timestamp" => Some(None),
        _ if called(Schema::Otel) => Some(Some(&OTEL)),
        _ if called(Schema::Ecs) => Some(Some(&ECS)),
        _ => None,
    }
}

fn names(schema: Schema) -> Names {
    let name = |field: &Field| {
        let target = schema.target(*field)?;
        let name = match target.form {
            Form::Within(member) => member,
            // Their types are not the native ones.
            Form::Listed => return None,
            _ => target.name,
        };
        Some((name, (*field, target.form)))
    };
    Field::ALL.iter().filter_map(name).collect()
}

fn restore(form: Form, value: &mut Scalar<'_>) {
    let Scalar::Text(text) = value else { return };
    match form {
        Form::Prefixed => {
            if let Some(rest) = text.strip_prefix(PREFIX) {
                *text = Cow::Owned(rest.to_owned());
            }
        }
        Form::EpochNanoseconds => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if let Some(nanos) = text.parse::<u64>().ok().filter(|_| digits) {
                *text = Cow::Owned(timestamp(nanos / 1000));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::Place;

    #[test]
    fn the_objects_are_those_of_the_table() {
        let mut objects: Vec<&str> = Vec::new();
        for field in Field::ALL {
            let Some(target) = Schema::Otel.target(*field) else { continue };
            match (target.place, target.form) {
                (Place::Top, Form::Within(_)) => objects.push(target.name),
                (Place::Top, _) => {}
                (place, _) => objects.extend(place.object()),
            }
        }
        assert!(objects.iter().all(|object| OBJECTS.contains(object)));
        assert!(OBJECTS.iter().all(|object| objects.contains(object)));
    }
}
