//! A field of a request's record, or a part of one, by the name that filters have for it.

use std::borrow::Cow;

use crate::record::Value;
use crate::record::fields::Content;
use crate::record::schema::Field;

/// What a name of a field means: `user_id`, `timing.wait`, `view_kwargs.pk`, `view_args.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    field: Field,
    part: Option<String>,
}

/// Why a name means no value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMember {
    /// No record of a request has such a field.
    Unknown,
    /// The field of this name holds several values: its part has to be named.
    NeedsPart(&'static str),
}

/// Fields that hold values by names of the application's own, or by their position.
const GROUPS: [Field; 4] = [Field::ViewArgs, Field::ViewKwargs, Field::ServerTiming, Field::Labels];

/// Short names, as filters have them.
const SHORT: [(&str, &str); 3] = [("status", "status_code"), ("user", "user_id"), ("ip", "ip_address")];

impl Member {
    /// What this name means.
    ///
    /// # Errors
    /// Where it means nothing that could be a value.
    pub fn parse(name: &str) -> Result<Member, NoMember> {
        let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        if let Some(field) = of_requests().find(|field| field.name() == name) {
            let whole = Member { field, part: None };
            return if GROUPS.contains(&field) { Err(NoMember::NeedsPart(field.name())) } else { Ok(whole) };
        }
        let (group, part) = name.split_once('.').ok_or(NoMember::Unknown)?;
        let field = GROUPS.into_iter().find(|field| field.name() == group).ok_or(NoMember::Unknown)?;
        let is_part = if field == Field::ViewArgs { part.parse::<u8>().is_ok() } else { !part.is_empty() };
        let member = Member { field, part: Some(part.to_owned()) };
        is_part.then_some(member).ok_or(NoMember::NeedsPart(field.name()))
    }

    /// Every name without a part.
    pub fn names() -> impl Iterator<Item = &'static str> {
        of_requests().filter(|field| !GROUPS.contains(field)).map(Field::name)
    }

    /// Whether it is all of the field of that name.
    pub fn is(&self, name: &str) -> bool {
        self.part.is_none() && self.field.name() == name
    }

    pub(super) fn field(&self) -> Field {
        self.field
    }

    /// Its value in the content of its field; `Null` where there is none.
    pub(super) fn value<'a>(&self, content: Content<'a>) -> Value<'a> {
        let part = self.part.as_deref().unwrap_or_default();
        let found = match content {
            Content::Text(text) | Content::Visible(text) => Some(Value::Text(text)),
            Content::Whole(number) => Some(Value::Unsigned(number)),
            Content::Fraction(number) => Some(Value::Float(number)),
            Content::Truth(yes) => Some(Value::Bool(yes)),
            Content::Seconds(micros) => Some(seconds(micros)),
            Content::Level(level) => Some(Value::Text(level.as_str().as_bytes())),
            Content::Outcome(outcome) => Some(Value::Text(outcome.as_str().as_bytes())),
            Content::Value(value) => Some(*value),
            Content::Values(values) => part.parse().ok().and_then(|at: usize| values.get(at)).copied(),
            Content::Arguments(arguments) => arguments.iter().find(|one| one.name == part).map(|one| one.value),
            Content::Texts(texts) => texts.iter().find(|(name, _)| *name == part).map(|(_, text)| Value::Text(text)),
            Content::Durations(times) => times.iter().find(|(name, _)| *name == part).map(|(_, time)| seconds(*time)),
            Content::Absent | Content::Moment(_) | Content::Seq => None,
        };
        found.unwrap_or(Value::Null)
    }
}

/// The fields of requests, without those that every record has.
fn of_requests() -> impl Iterator<Item = Field> {
    Field::ALL[Field::RequestId as usize..=Field::Labels as usize].iter().copied()
}

fn seconds(micros: u64) -> Value<'static> {
    Value::Float(micros as f64 / 1e6)
}

/// A value as text, for its hash; `None` where there is none.
pub(super) fn text<'a>(value: &Value<'a>) -> Option<Cow<'a, [u8]>> {
    Some(match *value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Digits(digits) => Cow::Borrowed(digits.as_bytes()),
        Value::Unsigned(number) => Cow::Owned(number.to_string().into_bytes()),
        Value::Float(number) => Cow::Owned(number.to_string().into_bytes()),
        Value::Bool(yes) => Cow::Owned(yes.to_string().into_bytes()),
        Value::List(texts) => Cow::Owned(texts.join(",").into_bytes()),
        Value::Null => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_fields_and_parts_of_them() {
        for (name, field, part) in [
            ("user_id", Field::UserId, None),
            ("status", Field::StatusCode, None),
            ("timing.wait", Field::TimingWait, None),
            ("tls.version", Field::TlsVersion, None),
            ("view_kwargs.pk", Field::ViewKwargs, Some("pk")),
            ("view_args.0", Field::ViewArgs, Some("0")),
            ("labels.X-Tenant", Field::Labels, Some("X-Tenant")),
            ("server_timing.db", Field::ServerTiming, Some("db")),
        ] {
            assert_eq!(Member::parse(name), Ok(Member { field, part: part.map(str::to_owned) }), "{name}");
        }
    }

    #[test]
    fn what_is_no_single_value_is_told() {
        for name in ["labels", "labels.", "view_args", "view_args.x", "view_kwargs", "server_timing"] {
            assert!(matches!(Member::parse(name), Err(NoMember::NeedsPart(_))), "{name}");
        }
        for name in ["", "usr", "seq", "timestamp", "level", "service", "count", "excerpt", "timing.lunch", "user_id.x"]
        {
            assert_eq!(Member::parse(name), Err(NoMember::Unknown), "{name}");
        }
    }
}
