//! A line of the log whose fields are found at once and read when they are asked for: what searches evaluate on.
//!
//! Most filters ask for two or three of sixty fields. A tree of all of them costs several times as much as finding them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::field::{Field, Kind};
use super::json::each;
use super::source::Source;
use super::table::{Group, Read};
use super::value::Value;

/// The members of a JSON object, in its order. Of two with the same name the last one counts.
///
/// What is valid by JSON's grammar and yet no value (half a surrogate pair, a number past all bounds) is absent.
#[derive(Debug)]
pub struct Line<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Line<'a> {
    /// Finds the members of an object.
    ///
    /// # Errors
    /// When the text is no JSON, or no object.
    pub fn parse(text: &'a str) -> Result<Line<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The same of bytes; `None` where they are no object.
    pub fn read(bytes: &'a [u8]) -> Option<Line<'a>> {
        serde_json::from_slice(bytes).ok()
    }

    /// The members as they are written.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = (&str, &'a str)> {
        self.members.iter().map(|(name, value)| (&**name, value.get()))
    }

    /// A member as it is written.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// The members of a member that is an object.
    pub fn within(&self, name: &str) -> Option<Line<'a>> {
        Line::parse(self.raw(name)?).ok()
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        match plain(raw) {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_str(raw).ok().map(Cow::Owned),
        }
    }

    /// A member's value; absent when it is `null`.
    pub fn value(&self, name: &str) -> Option<Json> {
        serde_json::from_str(self.raw(name)?).ok().filter(|value: &Json| !value.is_null())
    }
}

/// An object in the native schema, with or without its nulls.
impl Source for Line<'_> {
    fn any(&self, field: &Field, part: Option<&str>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
        let mut named = |name: &str| self.raw(name).is_some_and(|raw| read(raw, field.kind, &mut test));
        match (field.read, part) {
            (Read::Group(Group::Own), Some(part)) => named(part),
            (_, Some(part)) => {
                let object = self.within(field.name);
                let member = object.as_ref().and_then(|object| object.raw(part));
                member.is_some_and(|raw| read(raw, field.kind, &mut test))
            }
            (Read::Group(Group::Route), None) => named("view_name") || named("route"),
            (_, None) => named(field.name),
        }
    }
}

fn read(raw: &str, kind: Kind, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    match plain(raw) {
        Some(text) => test(Value::text(text).typed(kind)),
        None => serde_json::from_str(raw).is_ok_and(|value: Json| each(&value, kind, test)),
    }
}

/// A text in which nothing is escaped.
fn plain(raw: &str) -> Option<&str> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Line<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut members = Vec::with_capacity(64);
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Line { members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_members_counts_and_what_is_no_value_is_absent() {
        let line = Line::parse(r#"{"a":1,"b":"\u0041","a":"x","c":null,"d":"\ud800","e":1e999}"#).unwrap();
        assert_eq!(line.raw("a"), Some("\"x\""));
        assert_eq!(line.text("b").as_deref(), Some("A"));
        assert_eq!(["c", "d", "e", "f"].map(|name| line.value(name)), [None, None, None, None]);
    }

    #[test]
    fn only_objects_are_lines() {
        for text in ["", "[]", "1", "{", "{}{}", "{\"a\":}", "{\"a\" 1}", "nul"] {
            assert!(Line::parse(text).is_err(), "{text}");
            assert!(Line::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Line::read(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn values_are_kept_as_they_are_written() {
        let line = Line::read(br#"{"duration":0.050000,"p\u00e4th":"a\"b","tls":{"sni":null}}"#).unwrap();
        assert_eq!(line.raw("duration"), Some("0.050000"));
        assert_eq!((line.raw("p\u{e4}th"), line.text("p\u{e4}th").as_deref()), (Some(r#""a\"b""#), Some("a\"b")));
        assert_eq!(line.within("tls").and_then(|tls| tls.raw("sni")), Some("null"));
        assert!(line.text("duration").is_none() && line.raw("none").is_none() && line.within("duration").is_none());
    }
}
