//! Where the members of a JSON object are, found in one pass over its text: nothing is copied, nothing is decoded.
//!
//! It takes what RFC 8259 takes, and objects within objects no deeper than [`MAX_DEPTH`], so that whoever reads the same
//! text again need not fear it.

use std::ops::Range;

/// Objects and arrays within one another: `serde_json` reads no deeper ones.
const MAX_DEPTH: usize = 120;

/// What a value is, told by its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text without escapes: what stands between its quotes is what it says.
    Plain,
    /// A text with escapes.
    Escaped,
    /// A number.
    Number,
    /// `true`, `false`, `null`.
    Name,
    /// `{…}`
    Object,
    /// `[…]`
    Array,
}

/// A member of an object: where its name stands, without the quotes, and its value, with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) escaped: bool,
    pub(super) value: Range<usize>,
    pub(super) kind: Kind,
}

/// Calls `each` for every member of the object that a text is; `None` where it is none, or is wrong.
pub(super) fn members(text: &str, each: impl FnMut(Span)) -> Option<()> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.space();
    scanner.object(0, each)?;
    scanner.space();
    (scanner.at == text.len()).then_some(())
}

/// What a value is that is known to be one.
pub(super) fn kind(value: &str) -> Option<Kind> {
    Some(match value.as_bytes().first()? {
        b'"' if value.contains('\\') => Kind::Escaped,
        b'"' => Kind::Plain,
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'-' | b'0'..=b'9' => Kind::Number,
        _ => Kind::Name,
    })
}

/// The text that a value in quotes says; `None` where its escapes make no text.
pub(super) fn unescape(quoted: &str) -> Option<String> {
    serde_json::from_str(quoted).ok()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found.then_some(())
    }

    fn object(&mut self, depth: usize, mut each: impl FnMut(Span)) -> Option<()> {
        self.expect(b'{')?;
        self.space();
        if self.expect(b'}').is_some() {
            return Some(());
        }
        loop {
            let start = self.at + 1;
            let escaped = self.string()? == Kind::Escaped;
            let name = start..self.at - 1;
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            let kind = self.value(depth)?;
            each(Span { name, escaped, value: start..self.at, kind });
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    /// Over a comma and the space around it, or over what closes.
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        self.space();
        if self.expect(close).is_some() {
            return Some(false);
        }
        self.expect(b',')?;
        self.space();
        Some(true)
    }

    fn value(&mut self, depth: usize) -> Option<Kind> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' if depth < MAX_DEPTH => self.object(depth + 1, |_| ()).map(|()| Kind::Object),
            b'[' if depth < MAX_DEPTH => self.array(depth + 1).map(|()| Kind::Array),
            b't' => self.name(b"true"),
            b'f' => self.name(b"false"),
            b'n' => self.name(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        self.space();
        if self.expect(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    fn name(&mut self, name: &[u8]) -> Option<Kind> {
        let found = self.bytes[self.at..].starts_with(name);
        self.at += name.len();
        found.then_some(Kind::Name)
    }

    fn string(&mut self) -> Option<Kind> {
        self.expect(b'"')?;
        let mut kind = Kind::Plain;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
            kind = Kind::Escaped;
        }
        self.at += 1;
        Some(kind)
    }

    fn escape(&mut self) -> Option<()> {
        let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        match self.bytes.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' if self.bytes.get(self.at + 2..self.at + 6).is_some_and(hex) => self.at += 6,
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<Kind> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        let whole = self.at;
        if self.expect(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
            return self.held(start);
        }
        if whole - start > 300 { self.held(start) } else { Some(Kind::Number) }
    }

    /// Some are too great for any reader.
    fn held(&self, start: usize) -> Option<Kind> {
        serde_json::from_slice::<f64>(&self.bytes[start..self.at]).ok().map(|_| Kind::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// How many bytes from the first are neither a quote, nor a backslash, nor a control character; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let is_zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let x = u64::from_le_bytes(*chunk);
        let quote = is_zero(x ^ (ONES * u64::from(b'"')));
        let backslash = is_zero(x ^ (ONES * u64::from(b'\\')));
        let control = x.wrapping_sub(ONES * 0x20) & !x;
        let found = (quote | backslash | control) & HIGH;
        if found != 0 {
            // What is marked behind the first one may be wrong; the first one never is.
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes[at..].iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
    at + rest.unwrap_or(bytes.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn read(text: &str) -> Option<Vec<(String, Value)>> {
        let mut found = Vec::new();
        members(text, |span| {
            let name = serde_json::from_str(&format!("\"{}\"", &text[span.name])).ok();
            found.push((name.unwrap_or_default(), serde_json::from_str(&text[span.value]).unwrap_or(Value::Null)));
        })?;
        Some(found)
    }

    #[test]
    fn members_are_found_where_they_are() {
        let text = " {\"a\" : 1 ,\"b\":\"x\\n\",\"c\":{\"d\":[1,{}]},\"e\":null}\r";
        let map: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(read(text).unwrap(), map.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "1",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":tru}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u00g0\"}",
            "{\"a\":1e999}",
            "{\"a\":[1,]}",
            "{\"a\":[1 2]}",
            "{a:1}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":nul",
            "{\"a\":\"",
        ] {
            assert_eq!(members(text, |_| ()), None, "{text}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(members(&deep, |_| ()), None);
    }

    proptest! {
        /// It takes and refuses what `serde_json` does.
        #[test]
        fn it_agrees_with_the_usual_reader(text in "[{}\\[\\]\",:\\\\ a0-2.eEtrufalsn\\-+\u{1}é]{0,24}") {
            for text in [text.clone(), format!("{{\"a\":{text}}}"), format!("{{\"{text}\":\"{text}\",\"b\":[{text}]}}")] {
                let usual = serde_json::from_str::<Map<String, Value>>(&text).is_ok();
                // What it does not look into are the halves of surrogates; there are none here.
                prop_assert_eq!(members(&text, |_| ()).is_some(), usual, "{}", text);
            }
        }

        #[test]
        fn eight_at_a_time_finds_what_one_at_a_time_does(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let slow = bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain(&bytes), slow.unwrap_or(bytes.len()));
        }
    }
}
