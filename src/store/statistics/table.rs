//! Aligned columns of text, bars, and numbers as people read them.

use std::fmt::Write;

/// Which edge the cells of a column stand at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// How a cell is coloured, on a terminal that has colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tint {
    #[default]
    Plain,
    Heading,
    Faint,
    Bar,
    Warning,
    Error,
}

/// What stands in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
}

/// Rows of cells under a heading.
#[derive(Debug)]
pub(super) struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<Cell>>,
}

/// Blanks between columns, and before the first.
const GAP: &str = "  ";

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Cell {
        Cell::tinted(text, Tint::Plain)
    }

    pub(super) fn tinted(text: impl Into<String>, tint: Tint) -> Cell {
        Cell { text: harmless(&text.into()), tint }
    }

    /// A number that is only worth a colour where it is not 0.
    pub(super) fn alarming(number: u64, tint: Tint) -> Cell {
        Cell::tinted(grouped(number), if number == 0 { Tint::Faint } else { tint })
    }
}

impl Tint {
    /// SGR parameters (ECMA-48 §8.3.117).
    fn code(self) -> &'static str {
        match self {
            Tint::Plain => "",
            Tint::Heading => "1",
            Tint::Faint => "2",
            Tint::Bar => "36",
            Tint::Warning => "33",
            Tint::Error => "31",
        }
    }

    /// Text in this colour, if there are any.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            code if colour && !code.is_empty() && !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

impl Table {
    /// Each column with its heading.
    pub(super) fn new(columns: &[(&str, Side)]) -> Table {
        let heading = columns.iter().map(|(name, _)| Cell::tinted(*name, Tint::Faint)).collect();
        Table { sides: columns.iter().map(|(_, side)| *side).collect(), rows: vec![heading] }
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Lines no wider than `width`: what does not fit is cut from the last column, and of a narrower terminal from the
    /// end of the line.
    pub(super) fn write(&self, width: usize, colour: bool, out: &mut String) {
        let widths: Vec<usize> = (0..self.sides.len()).map(|column| self.width_of(column)).collect();
        for row in &self.rows {
            let mut left = width;
            let mut blanks = String::new();
            for ((cell, side), width) in row.iter().zip(&self.sides).zip(&widths) {
                let pad = " ".repeat(width.saturating_sub(length(&cell.text)));
                let (before, after) = if *side == Side::Left { ("", &*pad) } else { (&*pad, "") };
                let text = cut(&cell.text, left.saturating_sub(blanks.len() + GAP.len() + before.len()));
                if !text.is_empty() {
                    let _fits = write!(out, "{blanks}{GAP}{before}{}", cell.tint.paint(&text, colour));
                    left = left.saturating_sub(blanks.len() + GAP.len() + before.len() + length(&text));
                    blanks.clear();
                    blanks.push_str(after);
                } else {
                    blanks.push_str(GAP);
                    blanks.push_str(&pad);
                }
            }
            out.push('\n');
        }
    }

    fn width_of(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| length(&cell.text)).max().unwrap_or(0)
    }
}

/// A bar that is as long, of `most`, as `width` letters are; in eighths of a letter.
pub(super) fn bar(value: u64, most: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (value as f64 / most.max(1) as f64 * (width * 8) as f64).round() as usize;
    let eighths = if value > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// A number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds in the unit that fits.
pub(super) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => scaled(micros as f64 / 1e3, "ms"),
        1_000_000..120_000_000 => scaled(micros as f64 / 1e6, "s"),
        _ => format!("{}m{:02}s", micros / 60_000_000, micros / 1_000_000 % 60),
    }
}

/// Bytes in the unit that fits, in steps of 1024.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KB", "MB", "GB", "TB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { scaled(value, unit) };
        }
        value /= 1024.0;
    }
    scaled(value, "PB")
}

/// How much of a whole.
pub(super) fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    if part > 0 && percent < 0.1 { "<0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

/// Three digits that count.
fn scaled(value: f64, unit: &str) -> String {
    match value {
        ..9.995 => format!("{value:.2} {unit}"),
        ..99.95 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// What a record holds came from anywhere: nothing of it may command the terminal, or write backwards.
fn harmless(text: &str) -> String {
    let commands = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if commands(c) { '\u{fffd}' } else { c }).collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// So many letters of a text, the last being `…` where there are more.
fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let durations =
            [0, 999, 1_000, 12_345, 753_210, 1_234_567, 59_960_000, 61_000_000, 3_723_000_000].map(duration);
        assert_eq!(
            durations,
            ["0 µs", "999 µs", "1.00 ms", "12.3 ms", "753 ms", "1.23 s", "60.0 s", "61.0 s", "62m03s"]
        );
        assert_eq!([0, 1023, 1024, 1_500_000, 1 << 40].map(bytes), ["0 B", "1023 B", "1.00 KB", "1.43 MB", "1.00 TB"]);
        assert_eq!(
            [(1, 3), (0, 0), (1, 9_999), (3, 3)].map(|(a, b)| share(a, b)),
            ["33.3 %", "0.0 %", "<0.1 %", "100.0 %"]
        );
    }

    #[test]
    fn a_bar_is_as_long_as_its_value_and_never_nothing_for_something() {
        assert_eq!([0, 1, 50, 100, 1000].map(|value| bar(value, 1000, 4)), ["", "▏", "▎", "▍", "████"]);
        assert_eq!(bar(7, 0, 1), "█".repeat(7));
    }

    #[test]
    fn columns_are_aligned_and_lines_cut_where_the_terminal_ends() {
        let mut table = Table::new(&[("route", Side::Left), ("n", Side::Right), ("path", Side::Left)]);
        table.push(vec![Cell::plain("home"), Cell::plain("7"), Cell::plain("/a/very/long/path")]);
        table.push(vec![Cell::plain("product-detail"), Cell::plain("1234"), Cell::default()]);
        let mut out = String::new();
        table.write(34, false, &mut out);
        assert_eq!(out, "  route              n  path\n  home               7  /a/very/l…\n  product-detail  1234\n");
    }

    #[test]
    fn nothing_from_a_record_commands_the_terminal() {
        let mut table = Table::new(&[("path", Side::Left)]);
        table.push(vec![Cell::plain("/\x1b[2J\n\u{202e}x")]);
        let mut out = String::new();
        table.write(80, false, &mut out);
        assert_eq!(out, "  path\n  /\u{fffd}[2J\u{fffd}\u{fffd}x\n");
    }
}
