//! Text for a terminal: colours, widths, and nothing in it that a terminal would obey.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::record::text::visible;

/// How a text stands out (ECMA-48).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// As it is.
    #[default]
    Plain,
    /// What frames the rest.
    Dim,
    /// What the eye begins with.
    Bold,
    /// As it should be.
    Green,
    /// The client's fault, or slow.
    Yellow,
    /// The upstream's fault.
    Red,
    /// A name.
    Cyan,
    /// gatelog's own fault.
    Alarm,
}

impl Colour {
    /// That of a level, by its name in the record.
    pub fn of_level(level: &str) -> Colour {
        match level {
            "DEBUG" => Colour::Dim,
            "INFO" => Colour::Green,
            "WARNING" => Colour::Yellow,
            "ERROR" => Colour::Red,
            "CRITICAL" => Colour::Alarm,
            _ => Colour::Plain,
        }
    }

    /// That of a status code.
    pub fn of_status(status: &str) -> Colour {
        match status.as_bytes().first() {
            Some(b'1' | b'2') => Colour::Green,
            Some(b'3') => Colour::Cyan,
            Some(b'4') => Colour::Yellow,
            Some(b'5') => Colour::Red,
            _ => Colour::Plain,
        }
    }

    const ALL: [Colour; 8] = [
        Colour::Plain,
        Colour::Dim,
        Colour::Bold,
        Colour::Green,
        Colour::Yellow,
        Colour::Red,
        Colour::Cyan,
        Colour::Alarm,
    ];

    /// Which one has this code, of which neither the escape nor the `m` is there.
    fn of_code(code: &str) -> Colour {
        let own =
            |colour: &Colour| colour.code().strip_prefix('\x1b').and_then(|own| own.strip_suffix('m')) == Some(code);
        Colour::ALL.into_iter().find(own).unwrap_or_default()
    }

    fn code(self) -> &'static str {
        match self {
            Colour::Plain => "",
            Colour::Dim => "\x1b[2m",
            Colour::Bold => "\x1b[1m",
            Colour::Green => "\x1b[32m",
            Colour::Yellow => "\x1b[33m",
            Colour::Red => "\x1b[31m",
            Colour::Cyan => "\x1b[36m",
            Colour::Alarm => "\x1b[1;37;41m",
        }
    }
}

/// What the answer is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Whether colours are wanted.
    pub colour: bool,
    /// Columns; `None` where lines may be as long as they are.
    pub width: Option<usize>,
}

impl Screen {
    /// The text in its colour, if there are colours.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if self.colour && colour != Colour::Plain && !text.is_empty() {
            return format!("{}{text}\x1b[0m", colour.code());
        }
        text.to_owned()
    }
}

/// Takes apart what [`Screen::paint`] has put together: texts, each in its colour.
pub fn painted(line: &str) -> Vec<(String, Colour)> {
    let mut parts = line.split('\x1b');
    let first = parts.next().map(|text| (text.to_owned(), Colour::Plain));
    let coloured = parts.map(|part| {
        let (code, text) = part.split_once('m').unwrap_or(("", part));
        (text.to_owned(), Colour::of_code(code))
    });
    first.into_iter().chain(coloured).filter(|(text, _)| !text.is_empty()).collect()
}

/// Anybody's text on one line, made harmless: what moves the cursor, hides or turns the direction shows as its number.
pub fn harmless(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    visible(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in so many columns, cut where it is longer; an ellipsis tells that it was.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let needed = c.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    });
    let kept: String = kept.collect();
    if columns == 0 { String::new() } else { format!("{kept}…") }
}

/// Blanks behind a text up to a column.
pub fn padding(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// To three digits or so: what the eye takes in.
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        1_000_000..100_000_000 => format!("{:.2} s", micros as f64 / 1e6),
        _ => format!("{} s", micros / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_columns_not_characters() {
        assert_eq!(["abc", "abcd", "日本語", "é"].map(|text| fit(text, 3)), ["abc", "ab…", "日…", "é"]);
        assert_eq!((fit("ab", 0), fit("ab", 1)), (String::new(), "…".to_owned()));
        assert_eq!(format!("日{}|", padding("日", 4)), "日  |");
    }

    #[test]
    fn nothing_reaches_a_terminal_as_a_command() {
        assert_eq!(harmless("a\x1b[2Jb\u{202e}\n"), "a\\u{1b}[2Jb\\u{202e}\\u{a}");
    }

    #[test]
    fn what_was_painted_is_taken_apart() {
        let screen = Screen { colour: true, width: None };
        for colour in Colour::ALL {
            let line = format!("a {}, {}b", screen.paint(colour, "x;1m"), screen.paint(Colour::Dim, "y"));
            let parts: Vec<_> = painted(&line).into_iter().filter(|(_, found)| *found == colour).collect();
            assert!(parts.iter().any(|(text, _)| text.contains("x;1m")), "{parts:?}");
            assert_eq!(painted(&line).iter().map(|(text, _)| text.as_str()).collect::<String>(), "a x;1m, yb");
        }
        assert_eq!(painted("plain"), [("plain".to_owned(), Colour::Plain)]);
    }

    #[test]
    fn colours_are_there_only_where_they_are_wanted() {
        let screen = Screen { colour: true, width: None };
        assert_eq!(screen.paint(Colour::Red, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(screen.paint(Colour::Red, ""), "");
        assert_eq!(Screen { colour: false, ..screen }.paint(Colour::Red, "x"), "x");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let shown = [7, 53_210, 1_500_000, 99_994_000, 100_000_000].map(duration);
        assert_eq!(shown, ["7 µs", "53.2 ms", "1.50 s", "99.99 s", "100 s"]);
    }
}
