//! A line of the log taken apart: which of the contract's fields it has, in which order, and where their values stand.

use std::ops::Range;

use super::json::{self, Kind};
use crate::record::schema::Field;

/// Bytes of a line; a longer one is refused.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A line that is an object, with its members in their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) members: &'a [Member],
}

/// A member of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    name: (u32, u32),
    value: (u32, u32),
    pub(super) kind: Kind,
    pub(super) code: Code,
}

/// Which of the contract's fields it is, by its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Code(pub(super) u8);

impl Code {
    /// No field of the contract.
    pub(super) const OTHER: Code = Code(u8::MAX);
}

/// Takes lines apart, one after the other, in memory that it keeps.
#[derive(Debug, Default)]
pub(super) struct Reader {
    names: Names,
    members: Vec<Member>,
    normal: String,
}

impl Reader {
    /// Takes a line apart; `None` where it is no object, or one too long.
    pub(super) fn read<'r>(&'r mut self, text: &'r str) -> Option<Line<'r>> {
        if text.len() > MAX_LINE {
            return None;
        }
        if self.scan(text)? {
            return Some(Line { text, members: &self.members });
        }
        // Names twice, or written in another way: as whoever reads JSON into a map has it.
        let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        self.normal = serde_json::to_string(&map).ok()?;
        let normal = std::mem::take(&mut self.normal);
        self.scan(&normal)?;
        self.normal = normal;
        Some(Line { text: &self.normal, members: &self.members })
    }

    /// The place of a field in the contract.
    pub(super) fn code(&self, name: &str) -> Code {
        let at = self.names.all.iter().position(|known| *known == name);
        at.and_then(|at| u8::try_from(at).ok()).map_or(Code::OTHER, Code)
    }

    /// Finds the members; says whether their names are there once and as they are.
    fn scan(&mut self, text: &str) -> Option<bool> {
        let Reader { names, members, .. } = self;
        members.clear();
        let (mut last, mut plain) = (Code::OTHER, true);
        let mut seen = 0_u128;
        json::members(text, |span| {
            let code = names.find(&mut last, &text[span.name.clone()]);
            plain &= !span.escaped;
            if code == Code::OTHER {
                plain &= members
                    .iter()
                    .all(|other: &Member| other.code != code || other.name_in(text) != &text[span.name.clone()]);
                plain &= members.len() < MAX_MEMBERS;
            } else {
                plain &= seen >> code.0 & 1 == 0;
                seen |= 1 << code.0;
            }
            let narrow = |range: Range<usize>| (range.start as u32, range.end as u32);
            members.push(Member { name: narrow(span.name), value: narrow(span.value), kind: span.kind, code });
        })?;
        Some(plain)
    }
}

/// Beyond it, looking for names that are there twice is left to a map.
const MAX_MEMBERS: usize = 200;

/// The names of the contract, and which came behind which the last time.
#[derive(Debug)]
struct Names {
    all: Vec<&'static str>,
    next: [u8; 256],
}

impl Default for Names {
    fn default() -> Names {
        Names { all: names(), next: [u8::MAX; 256] }
    }
}

impl Names {
    /// Fields mostly stand as in the line before, else in the order of the contract. `last` is the one before this in its line.
    fn find(&mut self, last: &mut Code, name: &str) -> Code {
        let guess = self.next[usize::from(last.0)];
        if self.all.get(usize::from(guess)).is_some_and(|known| *known == name) {
            *last = Code(guess);
            return *last;
        }
        let expected = self.all.get(usize::from(last.0)).map_or(0, |_| usize::from(last.0) + 1);
        let ahead = self.all.iter().enumerate().skip(expected);
        let found = ahead.chain(self.all.iter().enumerate().take(expected)).find(|(_, known)| **known == name);
        // There are no more than 128.
        let Some(code) = found.map(|(at, _)| Code(at as u8)) else { return Code::OTHER };
        self.next[usize::from(last.0)] = code.0;
        *last = code;
        code
    }
}

/// The members that lines of the contract have, in its order: what is written with a dot is a part of one.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for field in Field::ALL {
        let name = field.name().split('.').next().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(usize::from(u8::MAX).min(128));
    names
}

impl<'a> Line<'a> {
    /// The members with their names and values, as they stand.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'a Member, &'a str, &'a str)> {
        let Line { text, members } = *self;
        members.iter().map(|member| (member, member.name_in(text), member.value_in(text)))
    }

    /// The value of a field of the contract.
    pub(super) fn value(&self, code: Code) -> Option<(&'a Member, &'a str)> {
        let member = self.members.iter().find(|member| member.code == code)?;
        Some((member, member.value_in(self.text)))
    }

    /// The text of a field, if it is one without escapes.
    pub(super) fn plain(&self, code: Code) -> Option<&'a str> {
        let (member, value) = self.value(code)?;
        (member.kind == Kind::Plain).then(|| unquoted(value))
    }
}

impl Member {
    pub(super) fn name_in<'a>(&self, text: &'a str) -> &'a str {
        &text[self.name.0 as usize..self.name.1 as usize]
    }

    pub(super) fn value_in<'a>(&self, text: &'a str) -> &'a str {
        &text[self.value.0 as usize..self.value.1 as usize]
    }
}

/// What stands between quotes.
pub(super) fn unquoted(value: &str) -> &str {
    &value[1..value.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_order_and_unknown_ones_too() {
        let mut reader = Reader::default();
        let text = "{\"level\":\"INFO\",\"timestamp\":\"t\",\"mine\":1,\"v\":2,\"tls\":{}}";
        let codes = ["level", "timestamp", "mine", "v", "tls"].map(|name| reader.code(name));
        assert!(codes[2] == Code::OTHER && codes[0] != Code::OTHER);
        let line = reader.read(text).unwrap();
        assert_eq!(line.members.iter().map(|member| member.code).collect::<Vec<_>>(), codes);
        assert_eq!(line.plain(codes[0]), Some("INFO"));
        assert_eq!(line.each().nth(2).map(|(_, name, value)| (name, value)), Some(("mine", "1")));
    }

    #[test]
    fn names_that_are_there_twice_are_read_as_a_map_has_them() {
        let mut reader = Reader::default();
        for text in
            ["{\"path\":1,\"a\":0,\"path\":2}", "{\"x\":1,\"a\":0,\"x\":2}", "{\"p\\u0061th\":1,\"a\":0,\"path\":2}"]
        {
            let map: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(reader.read(text).unwrap().text, map.to_string());
        }
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused() {
        let mut reader = Reader::default();
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_LINE));
        assert!(["", "x", "[1]", "{\"a\":\"\\ud800\",\"a\":1}", &long].iter().all(|text| reader.read(text).is_none()));
    }
}
