//! One line as a record: its fields, the types they must have, and those that must not be missing.
//!
//! A line is not made into a tree. Each field is its name and a scalar; arrays and objects are walked and forgotten.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::{Demand, Field, Kind, WORDS, is_instance, is_request_id};
use super::problem::Problem;
use super::renamed;
use crate::record::SCHEMA;

/// A record, as far as it is looked at.
#[derive(Debug)]
pub(super) struct Line<'a> {
    fields: Vec<(Cow<'a, str>, Scalar<'a>)>,
}

/// What a `log_loss` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) count: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl<'a> Line<'a> {
    /// Reads a JSON object; tells why these bytes are none.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Line<'a>, String> {
        serde_json::from_slice(bytes).map_err(|error| cut(&error.to_string()))
    }

    /// Whether it is the beginning of a line that was never finished.
    pub(super) fn is_torn(&self) -> bool {
        matches!(self.get("torn"), Some(Scalar::Boolean))
    }

    /// The text of a field, if it is there and is one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The process that wrote it, if it says so in its proper form.
    pub(super) fn instance(&self) -> Option<&str> {
        self.text("instance").filter(|name| is_instance(name))
    }

    /// The request it speaks of, if it does so in its proper form.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.text("request_id").filter(|id| is_request_id(id))
    }

    /// The value of a field, if it is there and is a whole number.
    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Scalar::Whole(value)) => Some(*value),
            _ => None,
        }
    }

    /// What it says, if it is a `log_loss`.
    pub(super) fn loss(&self) -> Option<Loss> {
        self.text("event").filter(|event| *event == "log_loss")?;
        Some(Loss { count: self.whole("count")?, from: self.whole("from_seq")?, to: self.whole("to_seq")? })
    }

    /// Everything that is wrong with the line by itself.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.repeated().into_iter().map(|name| Problem::Twice(cut(name))).collect();
        let event = self.text("event").unwrap_or_default();
        let demand = Demand::of(event);
        problems.extend(demand.must().filter_map(|field| self.required(field)));
        problems.extend(demand.may().filter_map(|field| self.typed(field)));
        problems.extend(self.words(event));
        problems
    }

    fn get(&self, name: &str) -> Option<&Scalar<'a>> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    fn repeated(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
    }

    fn required(&self, field: Field) -> Option<Problem> {
        match self.get(field.name) {
            None | Some(Scalar::Null) => Some(Problem::Missing(field.name)),
            Some(_) => self.typed(field),
        }
    }

    fn typed(&self, Field { name, kind }: Field) -> Option<Problem> {
        let value = self.get(name)?;
        let problem = || Problem::IllTyped { name, found: value.describe(), expected: kind.describe() };
        (!value.is(kind)).then(problem)
    }

    /// Fields whose values are of a closed vocabulary or form.
    fn words(&self, event: &str) -> impl Iterator<Item = Problem> {
        let schema = self.whole("schema").filter(|schema| *schema != u64::from(SCHEMA));
        let schema = schema.map(|found| unknown("schema", "1", &found.to_string()));
        let about_request = event.starts_with("request_");
        let words = WORDS.iter().filter_map(move |word| {
            let found = self.text(word.field).filter(|_| about_request || word.everywhere)?;
            (!(word.holds)(found)).then(|| unknown(word.field, word.expected, found))
        });
        schema.into_iter().chain(words)
    }
}

fn unknown(name: &'static str, expected: &'static str, found: &str) -> Problem {
    Problem::Unknown { name, expected, found: cut(found) }
}

/// So much of a text of the log as belongs into a message.
fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

/// A value, as far as it is looked at.
#[derive(Debug)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean,
    Whole(u64),
    Fraction,
    Text(Cow<'a, str>),
    Array,
    Object,
}

impl Scalar<'_> {
    /// Whether it is of this kind; an absent one (`null`) is of each.
    fn is(&self, kind: Kind) -> bool {
        match self {
            Scalar::Null => true,
            Scalar::Boolean => kind == Kind::Boolean,
            Scalar::Whole(_) => matches!(kind, Kind::Whole | Kind::Number),
            Scalar::Fraction => kind == Kind::Number,
            Scalar::Text(_) => kind == Kind::Text,
            Scalar::Array => kind == Kind::Array,
            Scalar::Object => kind == Kind::Object,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Boolean => Kind::Boolean.describe(),
            Scalar::Whole(_) => Kind::Whole.describe(),
            Scalar::Fraction => "a fraction",
            Scalar::Text(_) => Kind::Text.describe(),
            Scalar::Array => Kind::Array.describe(),
            Scalar::Object => Kind::Object.describe(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Line<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut fields = Vec::with_capacity(64);
        while let Some(name) = map.next_key::<Scalar<'de>>()? {
            let Scalar::Text(name) = name else { return Err(A::Error::custom("a name that is no text")) };
            if renamed::OBJECTS.contains(&&*name) {
                map.next_value_seed(Members(&mut fields))?;
            } else {
                fields.push((name, map.next_value()?));
            }
        }
        renamed::to_native(&mut fields);
        Ok(Line { fields })
    }
}

/// An object whose members are fields of the line.
struct Members<'f, 'a>(&'f mut Vec<(Cow<'a, str>, Scalar<'a>)>);

impl<'de> DeserializeSeed<'de> for Members<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<Scalar<'de>, Scalar<'de>>()? {
            let Scalar::Text(name) = name else { return Err(A::Error::custom("a name that is no text")) };
            self.0.push((name, value));
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Boolean)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Whole(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Fraction)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Fraction)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}
