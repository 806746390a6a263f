//! What is wrong with a configuration, and where: shown as compilers show it.

use std::fmt;

/// One thing that is wrong, or surely not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether gatelog can run with it.
    pub severity: Severity,
    /// Where it was written.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The other place that it contradicts, and what that one is.
    pub other: Option<(Place, String)>,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing can be served with it.
    Error,
    /// It works, but is surely not meant.
    Warning,
}

/// A span of characters in a line of a file, of a variable or of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path as it was given; a variable's name; `command line`.
    pub file: String,
    /// Counted from 1; `None` where a file could not be read, and for what is no file.
    pub line: Option<usize>,
    /// In characters, counted from 1.
    pub column: usize,
    /// The whole line, secrets masked; empty where there is none.
    pub text: String,
    /// How many characters are meant, at least one.
    pub length: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}:{}", Printable(&self.file), self.column),
            None => write!(formatter, "{}", Printable(&self.file)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(formatter, "{severity}: {}", Printable(&self.message))?;
        let gutter = self.gutter();
        snippet(formatter, "-->", gutter, &self.place, "")?;
        if let Some((place, label)) = &self.other {
            snippet(formatter, ":::", gutter, place, label)?;
        }
        writeln!(formatter, "{:gutter$} = hint: {}", "", Printable(&self.hint))
    }
}

impl Problem {
    /// Digits of the larger line number, so that both snippets share one margin.
    fn gutter(&self) -> usize {
        let lines = [self.place.line, self.other.as_ref().and_then(|(place, _)| place.line)];
        lines.iter().flatten().max().map_or(1, |line| line.to_string().len())
    }
}

/// A place, its line, and what is meant underlined.
fn snippet(formatter: &mut fmt::Formatter<'_>, arrow: &str, gutter: usize, place: &Place, label: &str) -> fmt::Result {
    writeln!(formatter, "{:gutter$}{arrow} {place}", "")?;
    if place.text.is_empty() {
        return Ok(());
    }
    let window = Window::around(place);
    let number = place.line.map(|line| line.to_string()).unwrap_or_default();
    writeln!(formatter, "{:gutter$} |", "")?;
    writeln!(formatter, "{number:>gutter$} | {}", window.text)?;
    let line = format!("{:gutter$} | {:indent$}{} {label}", "", "", "^".repeat(window.length), indent = window.indent);
    writeln!(formatter, "{}", line.trim_end())
}

/// The part of a line that is shown: long ones are cut around what is meant.
struct Window {
    text: String,
    indent: usize,
    length: usize,
}

impl Window {
    /// Cuts a line so that what is meant is on the screen.
    fn around(place: &Place) -> Window {
        let start = place.column.saturating_sub(1);
        let skipped = if start < WIDTH - MARGIN { 0 } else { start - MARGIN };
        let rest: String = place.text.chars().skip(skipped).map(printable).collect();
        let shown: String = rest.chars().take(WIDTH).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let after = if shown.len() < rest.len() { "…" } else { "" };
        let indent = start - skipped + before.chars().count();
        let room = (shown.chars().count() + before.chars().count()).saturating_sub(indent).max(1);
        Window { text: format!("{before}{shown}{after}"), indent, length: place.length.min(room) }
    }
}

/// Characters of a line that are shown at most, and how many of them stand before what is meant.
const WIDTH: usize = 120;
const MARGIN: usize = 20;

/// Text for a terminal: what came from a file cannot move the cursor or colour the screen.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| fmt::Write::write_char(formatter, printable(character)))
    }
}

/// One character for one, so that underlines stay below what they mean.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        // Marks that reorder text could make a line look like another one.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(column: usize, length: usize, text: &str) -> Problem {
        let place = Place { file: "a.toml".into(), line: Some(12), column, text: text.into(), length };
        Problem { severity: Severity::Error, place, message: "bad".into(), hint: "mend it".into(), other: None }
    }

    #[test]
    fn it_reads_like_a_compilers_message() {
        let shown = problem(5, 4, "a = true").to_string();
        assert_eq!(shown, "error: bad\n  --> a.toml:12:5\n   |\n12 | a = true\n   |     ^^^^\n   = hint: mend it\n");
    }

    #[test]
    fn the_contradicted_place_is_shown_too() {
        let mut problem = problem(1, 1, "a = 2");
        let place = Place { line: Some(3), text: "a = 1".into(), ..problem.place.clone() };
        problem.other = Some((place, "first here".into()));
        let shown = problem.to_string();
        assert!(shown.contains("\n  ::: a.toml:3:1\n   |\n 3 | a = 1\n   | ^ first here\n"), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_what_is_meant() {
        let text = format!("{}HERE{}", "x".repeat(500), "y".repeat(500));
        let shown = problem(501, 4, &text).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let carets = lines[4].find("^^^^").unwrap();
        let characters: Vec<char> = lines[3].chars().collect();
        assert_eq!(characters[carets..carets + 4].iter().collect::<String>(), "HERE");
        assert!(characters.len() < 140);
    }

    #[test]
    fn nothing_from_a_file_reaches_the_terminal_as_a_control() {
        let mut problem = problem(1, 1, "\u{1b}[31m\u{7}\u{202e}x");
        problem.message = "\u{1b}]0;title".into();
        assert!(!problem.to_string().contains(['\u{1b}', '\u{7}', '\u{202e}']));
    }
}
