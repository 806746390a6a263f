//! The end of a line that a killed process or a dying disk left unfinished.
//!
//! Nothing is taken away from a log. A torn line is ended with a line feed; where it is the beginning of a JSON object, it
//! is first made a whole one: what is open is closed, and a last field `"torn":true` tells every reader what it has
//! before it. A name that was torn gets a `~`, so that it is no other field's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::de::IgnoredAny;

/// How far from the end of a file the beginning of its last line is looked for. No record is as long.
const LONGEST: u64 = 1 << 20;

/// What must be appended to a file of this length so that the next line begins on its own.
///
/// # Errors
/// Those of reading it.
pub(super) fn ending_of(file: &File, len: u64, json: bool) -> io::Result<Vec<u8>> {
    let mut last = [b'\n'];
    if len == 0 || file.read_exact_at(&mut last, len - 1).map(|()| last == [b'\n'])? {
        return Ok(Vec::new());
    }
    let from = len.saturating_sub(LONGEST);
    let mut tail = vec![0; (len - from) as usize];
    file.read_exact_at(&mut tail, from)?;
    let start = memchr::memrchr(b'\n', &tail).map_or(0, |at| at + 1);
    Ok(if json { json_ending(&tail[start..]) } else { vec![b'\n'] })
}

/// What makes a torn line one line, and a JSON object where it began as one.
fn json_ending(line: &[u8]) -> Vec<u8> {
    let is_json = |ending: &[u8]| serde_json::from_slice::<IgnoredAny>(&[line, ending].concat()).is_ok();
    if !line.starts_with(b"{") || is_json(b"") {
        return b"\n".to_vec();
    }
    let mut ending = closed(line);
    // Whatever is no line of ours keeps its bytes, and gets its line feed.
    if !is_json(&ending) {
        ending.clear();
    }
    ending.push(b'\n');
    ending
}

/// Where a scan of the beginning of an object stands.
#[derive(Clone, Copy, PartialEq)]
enum Expects {
    /// After `{`.
    FirstName,
    /// After `,` in an object.
    Name,
    Colon,
    /// After `:`, and after `,` in an array.
    Value,
    /// After `[`.
    FirstValue,
    /// After a value.
    Comma,
}

/// Closes all that is open in the beginning of an object, and adds the field that says so.
fn closed(line: &[u8]) -> Vec<u8> {
    let mut scan = Scan { open: Vec::new(), expects: Expects::Value, out: Vec::new() };
    let mut at = 0;
    while at < line.len() {
        at = scan.step(line, at);
    }
    scan.close()
}

struct Scan {
    /// The brackets that would close what is open, the outermost first.
    open: Vec<u8>,
    expects: Expects,
    /// What completes the token in which the line ends.
    out: Vec<u8>,
}

impl Scan {
    /// Takes one token; returns where the next one begins.
    fn step(&mut self, line: &[u8], at: usize) -> usize {
        match line[at] {
            b'{' => self.begin(b'}', Expects::FirstName),
            b'[' => self.begin(b']', Expects::FirstValue),
            b'}' | b']' => {
                self.open.pop();
                self.expects = Expects::Comma;
            }
            b':' => self.expects = Expects::Value,
            b',' => self.expects = if self.open.last() == Some(&b'}') { Expects::Name } else { Expects::Value },
            b'"' => return self.string(line, at + 1),
            _ => return self.literal(line, at),
        }
        at + 1
    }

    fn begin(&mut self, closer: u8, expects: Expects) {
        self.open.push(closer);
        self.expects = expects;
    }

    fn string(&mut self, line: &[u8], start: usize) -> usize {
        let is_name = matches!(self.expects, Expects::FirstName | Expects::Name);
        self.expects = if is_name { Expects::Colon } else { Expects::Comma };
        let mut at = start;
        while at < line.len() {
            match line[at] {
                b'"' => return at + 1,
                b'\\' if line.get(at + 1) == Some(&b'u') => at += 6,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.complete_string(line, at - line.len(), is_name);
        line.len()
    }

    /// The line ends in a string, `missing` bytes before its last escape does.
    fn complete_string(&mut self, line: &[u8], missing: usize, is_name: bool) {
        match missing {
            0 => self.out.extend(rest_of_character(line)),
            1 if line.ends_with(b"\\") => self.out.push(b'\\'),
            _ => self.out.resize(missing, b'0'),
        }
        if is_name {
            self.out.push(b'~');
        }
        self.out.push(b'"');
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self, line: &[u8], start: usize) -> usize {
        self.expects = Expects::Comma;
        let length = line[start..].iter().position(|byte| b",]}".contains(byte));
        let token = &line[start..length.map_or(line.len(), |length| start + length)];
        if length.is_none() {
            let word = ["true", "false", "null"].into_iter().find(|word| word.as_bytes().starts_with(token));
            match word {
                Some(word) => self.out.extend_from_slice(&word.as_bytes()[token.len()..]),
                None if token.last().is_some_and(u8::is_ascii_digit) => {}
                None => self.out.push(b'0'),
            }
        }
        start + token.len()
    }

    fn close(mut self) -> Vec<u8> {
        while self.open.len() > 1 {
            self.complete_value();
            self.out.extend(self.open.pop());
            self.expects = Expects::Comma;
        }
        self.complete_value();
        if self.expects == Expects::Comma {
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"\"torn\":true}");
        self.out
    }

    /// Gives the innermost object or array what it still needs before it can be closed.
    fn complete_value(&mut self) {
        match self.expects {
            Expects::Colon => self.out.extend_from_slice(b":null"),
            Expects::Value => self.out.extend_from_slice(b"null"),
            Expects::Name if self.open.len() > 1 => self.out.extend_from_slice(b"\"~\":null"),
            Expects::Name | Expects::FirstName | Expects::FirstValue | Expects::Comma => return,
        }
        self.expects = Expects::Comma;
    }
}

/// The bytes that make a character of the beginning of one, at the end of a text.
fn rest_of_character(text: &[u8]) -> impl Iterator<Item = u8> {
    let back = text.iter().rev().take(3).position(|byte| *byte >= 0xC0).unwrap_or(0);
    let lead = text[text.len() - 1 - back];
    let length = match lead {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    };
    // Of the second bytes after these, the lower ones would be another spelling of a shorter character.
    let second = match lead {
        0xE0 => 0xA0,
        0xF0 => 0x90,
        _ => 0x80,
    };
    (back + 1..length).map(move |at| if at == 1 { second } else { 0x80 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn parsed(piece: &[u8]) -> Value {
        let line = [piece, &json_ending(piece)].concat();
        let text = String::from_utf8(line).expect("UTF-8");
        assert_eq!(text.find('\n'), Some(text.len() - 1), "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn what_is_open_is_closed_and_marked() {
        let ending = |piece: &str| String::from_utf8(json_ending(piece.as_bytes())).expect("UTF-8");
        assert_eq!(ending(r#"{"a":1,"path":"/fo"#), "\",\"torn\":true}\n");
        assert_eq!(ending(r#"{"a":12"#), ",\"torn\":true}\n");
        assert_eq!(ending(r#"{"a":1,"upstream"#), "~\":null,\"torn\":true}\n");
        assert_eq!(ending(r#"{"a":{"b":[1,"#), "null]},\"torn\":true}\n");
        assert_eq!(ending("{"), "\"torn\":true}\n");
        assert_eq!(ending(r#"{"a":1}"#), "\n");
        assert_eq!(ending("127.0.0.1 - - ["), "\n");
        assert_eq!(ending(r#"{"a" 5 }, "#), "\n");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(\\PC|[\"\\\\\u{1}\n𐀀\u{800}ö]){0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z\"\\\\ö]{0,4}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_object_that_is_cut_anywhere_becomes_one_again(inner in value(), cut in any::<prop::sample::Index>()) {
            let text = json!({ "first": 1, "field": inner, "last": "x" }).to_string();
            let cut = 1 + cut.index(text.len());
            let value = parsed(&text.as_bytes()[..cut]);
            prop_assert_eq!(value.get("torn").is_some(), cut < text.len());
        }

        #[test]
        fn any_bytes_become_whole_lines(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let piece: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'\n').collect();
            let ending = json_ending(&[b"{", piece.as_slice()].concat());
            prop_assert_eq!(ending.iter().position(|byte| *byte == b'\n'), Some(ending.len() - 1));
        }
    }
}
