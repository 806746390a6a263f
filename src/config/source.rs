//! The texts that configuration comes from, and how a span of bytes in one becomes a line and a column.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::mask::secrets;
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn paths_start_at_the_folder_of_the_file_that_names_them() {
        let mut sources = Sources::default();
        let file = At::whole(sources.add(Kind::File, "etc/gatelog.toml", ""));
        let variable = At::whole(sources.add(Kind::Variable, "GATELOG_ROUTES", ""));
        assert_eq!(sources.path(file, "tls/key.pem"), Path::new("etc/tls/key.pem"));
        assert_eq!(sources.path(file, "/key.pem"), Path::new("/key.pem"));
        assert_eq!(sources.path(variable, "key.pem"), Path::new("key.pem"));
    }
}
