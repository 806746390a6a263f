//! How answers are shown: for people on a terminal, for programs elsewhere, and never half a line.

use std::io::{self, IsTerminal, Write};

use super::arguments::Format;
use super::asking::Interrupts;
use crate::filter::{Error, Expression, Line};
use crate::search::logfmt;
use crate::search::paint::Screen;

/// The filter, or what is wrong with it and where.
///
/// # Errors
/// As the user is to read it.
pub fn filter(text: &str) -> Result<Expression, String> {
    Expression::parse(text).map_err(|error| pointed(text, &error))
}

/// The expression with a caret under what is wrong.
fn pointed(text: &str, error: &Error) -> String {
    // One column for each character, whatever it is.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let carets = " ".repeat(error.column.saturating_sub(1)) + &"^".repeat(error.length.max(1));
    let hint = error.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("gatelog: {}\n  {line}\n  {carets}{hint}", error.message())
}

/// One record, line feed included.
pub fn line(json: &str, format: Format) -> String {
    let mut out = Vec::new();
    match Line::parse(json) {
        Ok(line) if format == Format::Logfmt => logfmt::write(&line, &mut out),
        _ => out.extend([json.as_bytes(), b"\n"].concat()),
    }
    String::from_utf8(out).unwrap_or_default()
}

/// That which was asked for; else tables for people, and JSON for programs.
pub fn format(asked: Option<Format>) -> Format {
    asked.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json })
}

/// The terminal, if it is one, as wide as it is; colours as the environment wants them (no-color.org, bixense.com/clicolors).
#[expect(clippy::disallowed_methods, reason = "colours are the environment's to choose, at the edge")]
pub fn screen() -> Screen {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let says_no = |name: &str, no: &str| std::env::var_os(name).is_some_and(|value| value == no);
    let is_terminal = io::stdout().is_terminal();
    let is_forced = is_set("CLICOLOR_FORCE") && !says_no("CLICOLOR_FORCE", "0");
    let may = is_terminal && !says_no("CLICOLOR", "0") && !says_no("TERM", "dumb");
    let width = terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| usize::from(width.0));
    Screen { colour: !is_set("NO_COLOR") && (is_forced || may), width }
}

/// Writes text line by line: whoever leaves while a slow reader takes it has whole lines.
///
/// # Errors
/// Those of writing.
pub fn write_lines(text: &str, interrupts: &Interrupts, out: &mut impl Write) -> io::Result<()> {
    for line in text.split_inclusive('\n') {
        if interrupts.is_any() {
            break;
        }
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}
