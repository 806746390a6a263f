//! The texts that configuration comes from, and how a span of bytes in one becomes a line and a column.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problem::Place;

/// A span of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) source: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl At {
    /// A source as a whole: a place without a line.
    pub(super) fn whole(source: usize) -> At {
        At { source, start: 0, end: 0 }
    }
}

/// Where a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines are counted, and relative paths start at its folder.
    File,
    /// `NAME=value`: one line, which needs no number.
    Variable,
    /// `--option value`: likewise.
    Argument,
}

/// Every text that was read, in order; an [`At`] names one by its index.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Text>);

/// One text and what was found in it.
#[derive(Debug)]
struct Text {
    kind: Kind,
    name: String,
    text: String,
    /// Found when the first problem is shown.
    secrets: OnceCell<Vec<Range<usize>>>,
    line_starts: OnceCell<Vec<usize>>,
}

impl Sources {
    /// Keeps a text; the index is what an [`At`] names it by.
    pub(super) fn add(&mut self, kind: Kind, name: impl Into<String>, text: impl Into<String>) -> usize {
        let (secrets, line_starts) = Default::default();
        self.0.push(Text { kind, name: name.into(), text: text.into(), secrets, line_starts });
        self.0.len() - 1
    }

    /// The source that was added last.
    pub(super) fn last(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// Whether a span ends on an earlier line of the same text than another one begins.
    pub(super) fn is_on_earlier_line(&self, at: At, later: At) -> bool {
        let text = self.0[at.source].text.get(at.end..later.start);
        at.source == later.source && text.is_some_and(|between| between.contains('\n'))
    }

    /// What the text is called that a span is in.
    pub(super) fn name(&self, at: At) -> &str {
        &self.0[at.source].name
    }

    /// What kind of text a span is in.
    pub(super) fn kind(&self, at: At) -> Kind {
        self.0[at.source].kind
    }

    /// A path as the text that names it means it: a file's are relative to the file's own folder.
    pub(super) fn path(&self, at: At, path: &str) -> PathBuf {
        let source = &self.0[at.source];
        match (source.kind, Path::new(&source.name).parent()) {
            (Kind::File, Some(folder)) => folder.join(path),
            _ => PathBuf::from(path),
        }
    }

    /// Where the characters of a string stand, if the span writes just this text, between quotes of one character or
    /// without any.
    pub(super) fn content(&self, at: At, text: &str) -> Option<At> {
        let written = self.0[at.source].text.get(at.start..at.end)?;
        let quotes = (written.len() - text.len().min(written.len())) / 2;
        let content = At { start: at.start + quotes, end: at.end - quotes, ..at };
        (quotes <= 1 && written.get(quotes..written.len() - quotes) == Some(text)).then_some(content)
    }

    /// What a person needs to find a span: name, line, column, the line itself.
    pub(super) fn place(&self, at: At) -> Place {
        let source = &self.0[at.source];
        let numbered = source.kind == Kind::File && !source.text.is_empty();
        let (name, text) = (source.name.clone(), source.text.as_str());
        let start = floor(text, at.start);
        let (line_start, line_end) = line_around(text, start);
        let end = floor(text, at.end).min(line_end).max(start);
        let line = numbered.then(|| source.line(start));
        Place {
            file: name,
            line,
            column: text[line_start..start].chars().count() + 1,
            text: source.masked(line_start, line_end),
            length: text[start..end].chars().count().max(1),
        }
    }
}

/// The nearest character boundary at or before a byte offset, which may lie past the end.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or(0)
}

/// The line that holds an offset, without its end.
fn line_around(text: &str, offset: usize) -> (usize, usize) {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |newline| offset + newline);
    let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
    (start, end.max(start))
}

impl Text {
    /// The number of the line that holds an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        let starts = self.line_starts.get_or_init(|| self.text.match_indices('\n').map(|(at, _)| at + 1).collect());
        starts.partition_point(|start| *start <= offset) + 1
    }

    /// A line with every character of a secret replaced, so that columns stay true.
    fn masked(&self, start: usize, end: usize) -> String {
        let all = self.secrets.get_or_init(|| secrets(&self.text));
        let here: Vec<_> = all.iter().filter(|range| range.start < end && range.end > start).collect();
        let hidden = |offset: usize| here.iter().any(|range| range.contains(&offset));
        let shown = |(offset, character): (usize, char)| if hidden(start + offset) { '*' } else { character };
        self.text[start..end].char_indices().map(shown).collect()
    }
}

/// Where a text holds the values of secret keys: `hash_key = "…"` in a file, `…HASH_KEY=…` in a variable.
///
/// They are found by the look of the text and not by its meaning, because a file that does not parse is shown too.
/// `{ env = "NAME" }` tells no secret and stays readable.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let begins = |at: usize| lower[..at].chars().next_back().is_none_or(|before| BEFORE_KEYS.contains(&before));
    let keys = SECRET_KEYS.iter().flat_map(|name| lower.match_indices(name)).filter(|(at, _)| begins(*at));
    keys.filter_map(|(at, name)| value_after(text, at + name.len())).chain(passwords(text)).collect()
}

/// Where URLs hold a user and a password, which no URL of a configuration may have.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(scheme_end, separator)| {
        let start = scheme_end + separator.len();
        let end = text[start..].find(['"', '\'', '/', ' ', '\n']).unwrap_or(text.len() - start);
        text[start..start + end].rfind('@').map(|at| start..start + at)
    })
}

/// The value that an equals sign gives to the key that ends here.
fn value_after(text: &str, key_end: usize) -> Option<Range<usize>> {
    let rest = text[key_end..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
    let value = rest.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = text.len() - value.len();
    (!value.starts_with('{')).then(|| start..start + value_length(value))
}

/// Bytes of a value, to its closing quotes, or to the end of the line where it has none.
fn value_length(value: &str) -> usize {
    let quotes = ["\"\"\"", "\'\'\'", "\"", "\'"].into_iter().find(|quotes| value.starts_with(quotes));
    let line = value.find('\n').unwrap_or(value.len());
    match quotes {
        None => line,
        Some(quotes) => {
            let limit = if quotes.len() == 3 { value.len() } else { line };
            closing(&value[quotes.len()..limit], quotes).map_or(limit, |inner| inner + 2 * quotes.len())
        }
    }
}

/// Where the closing quotes stand; in basic strings a backslash hides the character after it.
fn closing(value: &str, quotes: &str) -> Option<usize> {
    let mut escaped = false;
    value.char_indices().find_map(|(offset, character)| {
        let closes = !escaped && value[offset..].starts_with(quotes);
        escaped = !escaped && character == '\\' && quotes.starts_with('"');
        closes.then_some(offset)
    })
}

/// What stands before a key; an underscore in variables, and in names such as `client_secret`.
const BEFORE_KEYS: [char; 9] = [' ', '\t', '\n', '{', ',', '"', '\'', '.', '_'];

/// Keys whose values are secrets, those of later versions too: a file is shown before it is understood.
const SECRET_KEYS: [&str; 5] = ["hash_key", "token", "password", "secret", "api_key"];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut sources = Sources::default();
        sources.add(Kind::File, "a.toml", text);
        sources.0[0].masked(0, text.len())
    }

    #[test]
    fn a_span_becomes_line_column_and_text() {
        let mut sources = Sources::default();
        let source = sources.add(Kind::File, "a.toml", "x = 1\r\nä = \"ö\"\n");
        let place = sources.place(At { source, start: 12, end: 16 });
        assert_eq!((place.line, place.column, place.length, place.text.as_str()), (Some(2), 5, 3, "ä = \"ö\""));
    }

    #[test]
    fn offsets_past_the_end_or_inside_a_character_still_have_a_place() {
        let mut sources = Sources::default();
        let source = sources.add(Kind::File, "a.toml", "ä");
        for (start, end) in [(1, 1), (9, 12), (2, 1)] {
            assert_eq!(sources.place(At { source, start, end }).line, Some(1));
        }
    }

    #[test]
    fn secrets_are_hidden_whatever_their_quotes() {
        assert_eq!(shown(r#"hash_key = "a\"b", x = "y""#), r#"hash_key = ******, x = "y""#);
        assert_eq!(shown("token='abc' # why"), "token=***** # why");
        assert_eq!(shown("password = \"never closed"), "password = *************");
        assert_eq!(shown("GATELOG_IDENTITY__HASH_KEY=abc def"), "GATELOG_IDENTITY__HASH_KEY=*******");
        assert_eq!(shown("\"api_key\" = \"\"\"a\nb\"\"\"\nx"), "\"api_key\" = *********\nx");
        assert_eq!(shown("a = \"http://u:p@h/x@y\""), "a = \"http://***@h/x@y\"");
        assert_eq!(shown("token = { env = \"NAME\" }"), "token = { env = \"NAME\" }");
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file_that_names_them() {
        let mut sources = Sources::default();
        let file = At::whole(sources.add(Kind::File, "etc/gatelog.toml", ""));
        let variable = At::whole(sources.add(Kind::Variable, "GATELOG_ROUTES", ""));
        assert_eq!(sources.path(file, "tls/key.pem"), Path::new("etc/tls/key.pem"));
        assert_eq!(sources.path(file, "/key.pem"), Path::new("/key.pem"));
        assert_eq!(sources.path(variable, "key.pem"), Path::new("key.pem"));
    }
}
