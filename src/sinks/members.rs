//! A line taken apart into its members, each value as it is written: what is sent on is what was logged, to the digit.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object, in order.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads a line; `None` where it is no JSON object.
    pub fn read(line: &'a [u8]) -> Option<Members<'a>> {
        serde_json::from_slice(line).ok()
    }

    /// A value by its name, as it is written.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// The members of an object by its name.
    pub fn within(&self, name: &str) -> Option<Members<'a>> {
        Members::read(self.get(name)?.as_bytes())
    }

    /// A string by its name.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }
}

/// The text of a JSON string.
pub fn text(value: &str) -> Option<Cow<'_, str>> {
    struct Text<'a>(Cow<'a, str>);
    impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
            deserializer.deserialize_str(Name).map(Text)
        }
    }
    serde_json::from_str::<Text<'_>>(value).ok().map(|Text(text)| text)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// A name, borrowed where nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'a>, D::Error> {
        deserializer.deserialize_str(Name).map(Key)
    }
}

struct Name;

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_as_they_are_written() {
        let members = Members::read(br#"{"duration":0.050000,"p\u00e4th":"a\"b","tls":{"sni":null}}"#).unwrap();
        assert_eq!(members.get("duration"), Some("0.050000"));
        assert_eq!(members.get("p\u{e4}th"), Some(r#""a\"b""#));
        assert_eq!(members.text("p\u{e4}th").as_deref(), Some("a\"b"));
        assert_eq!(members.get("tls"), Some(r#"{"sni":null}"#));
        assert!(members.text("duration").is_none() && members.get("none").is_none());
        assert!(Members::read(b"plain text\n").is_none() && Members::read(b"[1]").is_none());
    }
}
