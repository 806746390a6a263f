//! Lists with aligned columns, and texts beside one another, cut where the terminal ends.

use crate::search::paint::{Colour, Screen, fit, padding, width};

/// What stands in one place.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    colour: Colour,
}

/// Rows under a heading.
#[derive(Debug)]
pub(super) struct Columns {
    names: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// Blanks between columns.
const GAP: &str = "  ";
/// Letters of a column that is not the last.
const WIDEST: usize = 32;

impl Cell {
    /// Text as it is.
    pub(super) fn plain(text: String) -> Cell {
        Cell::painted(text, Colour::Plain)
    }

    /// Text in a colour.
    pub(super) fn painted(text: String, colour: Colour) -> Cell {
        Cell { text, colour }
    }
}

impl Columns {
    /// With these headings; those that begin with `>` stand at the right of their columns.
    pub(super) fn new(names: &[&'static str]) -> Columns {
        Columns { names: names.to_vec(), rows: Vec::new() }
    }

    /// One more row, with a cell for each column.
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The heading, and so many of the rows.
    pub(super) fn lines(&self, rows: usize, screen: Screen, columns: usize) -> Vec<String> {
        let heading = self.names.iter().map(|name| Cell::painted(name.trim_start_matches('>').to_owned(), Colour::Dim));
        let shown: Vec<Vec<Cell>> =
            std::iter::once(heading.collect()).chain(self.rows.iter().take(rows).cloned()).collect();
        let needed = |column: usize| shown.iter().filter_map(|row| row.get(column)).map(|cell| width(&cell.text)).max();
        let widths: Vec<usize> = (0..self.names.len()).map(|column| needed(column).unwrap_or(0).min(WIDEST)).collect();
        shown.iter().map(|row| self.line(row, &widths, screen, columns)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], screen: Screen, columns: usize) -> String {
        let last = self.names.len() - 1;
        let aligned = row.iter().zip(&self.names).zip(widths).enumerate().map(|(at, ((cell, name), width))| {
            let is_cut = at < last || name.starts_with('>');
            let text = if is_cut { fit(&cell.text, *width) } else { cell.text.clone() };
            let blanks = padding(&text, *width);
            let text = if name.starts_with('>') {
                blanks + &text
            } else if at < last {
                text + &blanks
            } else {
                text
            };
            (text, cell.colour)
        });
        beside(&aligned.collect::<Vec<_>>(), screen, columns)
    }
}

/// Texts with a gap between them, the one cut that reaches over the edge; nothing of those behind it.
pub(super) fn beside(texts: &[(String, Colour)], screen: Screen, columns: usize) -> String {
    let (mut line, mut used) = (String::new(), 0);
    for (text, colour) in texts.iter().filter(|(text, _)| !text.is_empty()) {
        let gap = if used == 0 { "" } else { GAP };
        let left = columns.saturating_sub(used + gap.len());
        if left == 0 {
            break;
        }
        let text = fit(text, left);
        used += gap.len() + width(&text);
        line += gap;
        line += &screen.paint(*colour, &text);
    }
    if screen.colour { line } else { line.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cut_at_the_edge() {
        let mut list = Columns::new(&["ROUTE", ">REQ/S", "REQUEST"]);
        let cell = |text: &str| Cell::plain(text.to_owned());
        list.push(vec![cell("home"), cell("7"), cell("GET /a/long/path")]);
        list.push(vec![cell("product-detail"), cell("1204"), cell("")]);
        list.push(vec![cell("x"), cell("1"), cell("")]);
        let screen = Screen { colour: false, width: None };
        assert_eq!(
            list.lines(2, screen, 34),
            ["ROUTE           REQ/S  REQUEST", "home                7  GET /a/lon…", "product-detail   1204"]
        );
    }

    #[test]
    fn what_reaches_over_the_edge_is_cut_and_the_rest_left_out() {
        let texts = [("abc".to_owned(), Colour::Red), (String::new(), Colour::Red), ("def".to_owned(), Colour::Plain)];
        let screen = Screen { colour: true, width: None };
        assert_eq!(beside(&texts, screen, 9), "\x1b[31mabc\x1b[0m  def");
        assert_eq!(beside(&texts, screen, 7), "\x1b[31mabc\x1b[0m  d…");
        assert_eq!(beside(&texts, screen, 4), "\x1b[31mabc\x1b[0m");
    }
}
