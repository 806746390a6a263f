//! Rows under a heading: sorted by a column, those left that have a text; of which somebody may open one.

use std::cmp::Ordering;

use crate::search::paint::{Colour, width};

/// What stands in one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) colour: Colour,
    /// What it is sorted by; where there is none, it is the text.
    number: Option<f64>,
}

/// What a row leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Opens {
    /// Nothing more is known of it.
    #[default]
    Nothing,
    /// The newest requests of a route, by its name.
    Route(String),
    /// All records of a request, by its id.
    Request(String),
}

/// One thing.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Which one it is, however it moves.
    pub(super) id: String,
    /// One for each column.
    pub(super) cells: Vec<Cell>,
    pub(super) opens: Opens,
}

/// Things of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    names: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// By which column a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sorting {
    pub(super) column: usize,
    pub(super) is_descending: bool,
}

/// Letters of a column that is not the last.
const WIDEST: usize = 32;

impl Cell {
    /// Text as it is.
    pub(super) fn plain(text: String) -> Cell {
        Cell::painted(text, Colour::Plain)
    }

    /// Text in a colour.
    pub(super) fn painted(text: String, colour: Colour) -> Cell {
        Cell { text, colour, number: None }
    }

    /// Text that says a number.
    pub(super) fn number(text: String, number: f64) -> Cell {
        Cell { text, colour: Colour::Plain, number: Some(number) }
    }

    /// The same in a colour.
    pub(super) fn colour(self, colour: Colour) -> Cell {
        Cell { colour, ..self }
    }

    /// What is nothing comes before everything.
    fn order(&self, other: &Cell) -> Ordering {
        let number = |cell: &Cell| cell.number.unwrap_or(f64::NEG_INFINITY);
        number(self).total_cmp(&number(other)).then_with(|| self.text.to_lowercase().cmp(&other.text.to_lowercase()))
    }
}

impl List {
    /// With these headings; those that begin with `>` stand at the right of their columns.
    pub(super) fn new(names: &[&'static str]) -> List {
        List { names: names.to_vec(), rows: Vec::new() }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.names.len()
    }

    /// The heading of a column.
    pub(super) fn name(&self, column: usize) -> &'static str {
        self.names.get(column).map_or("", |name| name.trim_start_matches('>'))
    }

    /// Whether a column stands at the right.
    pub(super) fn is_right(&self, column: usize) -> bool {
        self.names.get(column).is_some_and(|name| name.starts_with('>'))
    }

    /// Sorts it; rows of which a column says the same stay as they were.
    pub(super) fn sort(&mut self, by: Sorting) {
        let cell = |row: &Row| row.cells.get(by.column).cloned().unwrap_or_default();
        self.rows.sort_by(|one, other| {
            let order = cell(one).order(&cell(other));
            if by.is_descending { order.reverse() } else { order }
        });
    }

    /// Leaves the rows that have all words of a text somewhere, whatever the case of their letters.
    pub(super) fn keep(&mut self, text: &str) {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        self.rows.retain(|row| {
            let all = row.cells.iter().map(|cell| cell.text.to_lowercase()).collect::<Vec<_>>().join(" ");
            words.iter().all(|word| all.contains(word))
        });
    }

    /// Letters that each column takes, with its heading and of so many rows.
    pub(super) fn widths(&self, rows: usize) -> Vec<usize> {
        let needed = |column: usize| {
            let cells = self.rows.iter().take(rows).filter_map(|row| row.cells.get(column));
            let widest = cells.map(|cell| width(&cell.text)).max().unwrap_or(0);
            widest.max(width(self.name(column))).min(WIDEST)
        };
        (0..self.names.len()).map(needed).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(rows: &[(&str, Option<f64>)]) -> List {
        let mut list = List::new(&["ROUTE", ">AVG"]);
        for (name, number) in rows {
            let second = number.map_or(Cell::default(), |number| Cell::number(format!("{number} ms"), number));
            let cells = vec![Cell::plain((*name).to_owned()), second];
            list.rows.push(Row { id: (*name).to_owned(), cells, opens: Opens::Nothing });
        }
        list
    }

    fn ids(list: &List) -> Vec<&str> {
        list.rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn numbers_are_sorted_as_numbers_and_texts_as_texts() {
        let mut all = list(&[("b", Some(9.0)), ("a", Some(10.0)), ("C", None), ("d", Some(9.0))]);
        all.sort(Sorting { column: 1, is_descending: true });
        assert_eq!(ids(&all), ["a", "b", "d", "C"]);
        all.sort(Sorting { column: 0, is_descending: false });
        assert_eq!(ids(&all), ["a", "b", "C", "d"]);
        // There is no such column.
        all.sort(Sorting { column: 7, is_descending: false });
        assert_eq!(ids(&all), ["a", "b", "C", "d"]);
    }

    #[test]
    fn rows_stay_that_have_every_word() {
        let mut all = list(&[("Checkout", Some(9.0)), ("home", Some(9.5)), ("check", None)]);
        all.keep("  CHECK ms ");
        assert_eq!(ids(&all), ["Checkout"]);
        all.keep("");
        assert_eq!(ids(&all), ["Checkout"]);
        all.keep("none");
        assert_eq!(all.len(), 0);
    }

    proptest! {
        #[test]
        fn sorting_loses_nothing(rows in proptest::collection::vec(("[a-c]{1,2}", proptest::option::of(-9.0..9.0)), 0..20),
            column in 0usize..3, is_descending: bool) {
            let rows: Vec<(&str, Option<f64>)> = rows.iter().map(|(name, number)| (name.as_str(), *number)).collect();
            let mut all = list(&rows);
            all.sort(Sorting { column, is_descending });
            let [mut before, mut after] = [ids(&list(&rows)).join(" "), ids(&all).join(" ")];
            for text in [&mut before, &mut after] {
                let mut words: Vec<&str> = text.split(' ').collect();
                words.sort_unstable();
                *text = words.join(" ");
            }
            prop_assert_eq!(before, after);
        }
    }
}
