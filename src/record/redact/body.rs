//! The first bytes of a body, cut anywhere, without what stands under secret keys.
//!
//! A form is read as a query is. Anything else is read as JSON, token by token, so that it may end wherever it was cut;
//! and what is no JSON as a text, in which `key=value`, `key: value` and `<key>value` are looked for. Texts within JSON are
//! read in the same way once more: they may hold a URL, a line of a log, or JSON again.

use memchr::{memchr, memchr3};

use super::{Policy, REDACTED};

impl Policy {
    /// A body, or the beginning of one, of a media type such as `application/json`, with what is listed replaced. Keys are
    /// compared as those of a query are; the names of listed headers count too. What is left may be longer than it was.
    pub fn body(&self, media_type: &str, bytes: &[u8]) -> Vec<u8> {
        if media_type == "application/x-www-form-urlencoded" {
            return self.query(bytes).into_owned();
        }
        self.clean(bytes)
    }

    /// Each reading takes the quotes of the next one off, so that this ends.
    fn clean(&self, bytes: &[u8]) -> Vec<u8> {
        Json::new(self, bytes).clean().unwrap_or_else(|| Text::new(self, &self.clean_words(bytes)).clean())
    }

    /// URLs and the like: what stands between white space, as a query.
    fn clean_words(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for piece in text.split_inclusive(u8::is_ascii_whitespace) {
            let word = piece.trim_ascii_end();
            out.extend_from_slice(&self.query(word));
            out.extend_from_slice(&piece[word.len()..]);
        }
        out
    }

    fn hides(&self, key: &[u8]) -> bool {
        self.names.list(key) || self.headers.iter().any(|header| header.as_bytes().eq_ignore_ascii_case(key))
    }
}

/// JSON that may end anywhere. Its structure is not looked at beyond what tells keys and values apart.
struct Json<'a> {
    policy: &'a Policy,
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Json<'a> {
    fn new(policy: &'a Policy, bytes: &'a [u8]) -> Json<'a> {
        Json { policy, bytes, at: 0, out: Vec::with_capacity(bytes.len()) }
    }

    /// `None` where this is no JSON.
    fn clean(mut self) -> Option<Vec<u8>> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => self.string()?,
                b'{' | b'}' | b'[' | b']' | b':' | b',' => self.copy(self.at + 1),
                // RFC 7464 has a record separator before each text.
                0x1e => self.copy(self.at + 1),
                byte if byte.is_ascii_whitespace() => self.copy(self.at + 1),
                _ => self.copy(self.literal_end()?),
            }
        }
        Some(self.out)
    }

    /// A string, and if it is a secret key what stands under it.
    fn string(&mut self) -> Option<()> {
        let (end, is_closed) = string_end(self.bytes, self.at);
        let text = decoded(&self.bytes[self.at + 1..end - usize::from(is_closed)]);
        let rest = &self.bytes[end..];
        let blank = rest.len() - rest.trim_ascii_start().len();
        if rest.get(blank) == Some(&b':') && self.policy.hides(&text) {
            let behind = &rest[blank + 1..];
            self.copy(end + blank + 1 + (behind.len() - behind.trim_ascii_start().len()));
            return self.hide_value();
        }
        let clean = self.policy.clean(&text);
        if clean == text {
            self.copy(end);
            return Some(());
        }
        let mut encoded = serde_json::to_vec(&String::from_utf8_lossy(&clean)).unwrap_or_default();
        encoded.truncate(encoded.len() - usize::from(!is_closed && !encoded.is_empty()));
        self.out.extend_from_slice(&encoded);
        self.at = end;
        Some(())
    }

    fn hide_value(&mut self) -> Option<()> {
        let end = match self.bytes.get(self.at) {
            None => return Some(()),
            Some(b'"') => string_end(self.bytes, self.at).0,
            Some(b'{' | b'[') => self.nested_end(),
            Some(_) => self.literal_end()?,
        };
        self.out.push(b'"');
        self.out.extend_from_slice(REDACTED.as_bytes());
        self.out.push(b'"');
        self.at = end;
        Some(())
    }

    /// Where an object or array that begins here ends, or the bytes do.
    fn nested_end(&self) -> usize {
        let (mut at, mut depth) = (self.at, 0_usize);
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    at = string_end(self.bytes, at).0;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// Where a number or a word of JSON that begins here ends. One that is cut may be the beginning of one.
    fn literal_end(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let literal = &rest[..rest.iter().take_while(|byte| is_part(byte)).count()];
        let is_cut = literal.len() == rest.len();
        let is_word = |word: &[u8]| literal == word || is_cut && word.starts_with(literal);
        let is_number = || {
            literal.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                && matches!(literal[0], b'0'..=b'9' | b'-')
        };
        let known = !literal.is_empty() && (is_word(b"true") || is_word(b"false") || is_word(b"null") || is_number());
        known.then_some(self.at + literal.len())
    }

    fn copy(&mut self, end: usize) {
        self.out.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
    }
}

/// Where the string whose quote is at `at` ends: behind its other quote, or, without one, with the bytes.
fn string_end(bytes: &[u8], at: usize) -> (usize, bool) {
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => return (end + 1, true),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    (bytes.len(), false)
}

/// What the content of a string stands for. What is wrong with it or cut off is read as leniently as anybody might.
fn decoded(content: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        rest = escaped(&rest[at + 1..], &mut text);
    }
    text.extend_from_slice(rest);
    text
}

/// Appends what an escape stands for, and returns what follows it.
fn escaped<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let Some((&mark, rest)) = rest.split_first() else { return rest };
    match mark {
        b'n' => text.push(b'\n'),
        b'r' => text.push(b'\r'),
        b't' => text.push(b'\t'),
        b'b' => text.push(8),
        b'f' => text.push(12),
        b'u' => {
            let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
            let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else { return rest };
            let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            return &rest[4..];
        }
        other => text.push(other),
    }
    rest
}

/// A text in which keys may stand before values.
struct Text<'a> {
    policy: &'a Policy,
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Text<'a> {
    fn new(policy: &'a Policy, text: &'a [u8]) -> Text<'a> {
        Text { policy, text, at: 0, out: Vec::with_capacity(text.len()) }
    }

    fn clean(mut self) -> Vec<u8> {
        let mut previous = None;
        while self.at < self.text.len() {
            let start = self.at;
            let end = start + self.text[start..].iter().take_while(|byte| is_word(**byte)).count();
            if end == start {
                // `api key` is `api_key`: so a word is looked at together with the one before it.
                previous = previous.filter(|_| self.text[start] == b' ' && self.text[..start].last() != Some(&b' '));
                self.copy(start + 1);
                continue;
            }
            let hides = |start: usize| self.policy.hides(&self.text[start..end]);
            let secret = hides(start) || previous.is_some_and(hides);
            previous = Some(start);
            self.copy(end);
            if let Some((separator, length)) = separator(&self.text[end..]).filter(|_| secret) {
                self.copy(end + length);
                self.hide(separator);
            }
        }
        self.out
    }

    /// Replaces the value that begins here.
    fn hide(&mut self, separator: u8) {
        let rest = &self.text[self.at..];
        let length = value_length(rest, separator);
        if length > 0 {
            self.out.extend_from_slice(REDACTED.as_bytes());
            self.at += length;
        }
    }

    fn copy(&mut self, end: usize) {
        self.out.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }
}

/// Bytes of keys.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'+' | b'[' | b']' | b'$' | 0x80..)
}

/// What stands between a key and its value, and its length: `=`, `:` or `>`, white space and the key's closing quote.
fn separator(rest: &[u8]) -> Option<(u8, usize)> {
    let around = |byte: &&u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\');
    let before = rest.iter().take_while(around).count();
    let marks = rest[before..].iter().take_while(|byte| matches!(byte, b'=' | b':' | b'>')).count();
    let after = rest[before + marks..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    (marks > 0).then(|| (rest[before], before + marks + after))
}

/// How long a value in a text is. Where it is not plain where it ends, the longer reading wins.
fn value_length(rest: &[u8], separator: u8) -> usize {
    let backslashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    match rest.get(backslashes) {
        Some(b'{' | b'[') => rest.len(),
        Some(quote @ (b'"' | b'\'' | b'`')) => quoted_length(rest, &rest[..backslashes], *quote),
        _ => line_length(rest, separator),
    }
}

/// A value between quotes, each behind the same backslashes. A quote with more text behind it does not end it for sure.
fn quoted_length(rest: &[u8], backslashes: &[u8], quote: u8) -> usize {
    let mut at = backslashes.len() + 1;
    while at < rest.len() {
        let escapes = rest[at..].iter().take_while(|byte| **byte == b'\\').count();
        match rest.get(at + escapes) {
            Some(byte) if *byte == quote && escapes == backslashes.len() => {
                let end = at + escapes + 1;
                let ends = rest.get(end).is_none_or(|next| b" \t\r\n,;&)}]<>\\\"'".contains(next));
                return if ends { end } else { end + line_length(&rest[end..], b':') };
            }
            _ => at += escapes + 1,
        }
    }
    rest.len()
}

/// A value without quotes: to the end of the line, or of a pair of a query.
fn line_length(rest: &[u8], separator: u8) -> usize {
    let also = if separator == b'=' { b'&' } else { b'\n' };
    memchr3(b'\r', b'\n', also, rest).unwrap_or(rest.len())
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
