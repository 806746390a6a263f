//! One frame as lines of text, for a pipe: how much at the top, then where it is, then which.

use super::head::{self, Texts};
use super::list::{List, Row};
use super::lists::Pane;
use super::view::View;
use crate::search::paint::{Colour, Screen, fit, padding, width};
use crate::search::zone::Zone;

/// Rows of each list that are shown.
const MOST: usize = 20;
/// Blanks between columns.
const GAP: &str = "  ";

/// The frame as it is at `now`, microseconds since the Unix epoch.
pub(super) fn draw(view: &View, screen: Screen, zone: &Zone, now: u64) -> Vec<String> {
    let mut lines: Vec<String> = head::lines(view, zone, now).iter().map(|texts| beside(texts, screen)).collect();
    for pane in Pane::ALL {
        let list = pane.list(view, zone);
        if list.len() == 0 {
            continue;
        }
        let more = list.len().saturating_sub(MOST);
        let more = if more > 0 { format!("and {more} more") } else { String::new() };
        lines.push(String::new());
        lines.push(beside(&vec![(pane.title().to_owned(), Colour::Bold), (more, Colour::Dim)], screen));
        lines.extend(rows(&list, screen));
    }
    lines
}

/// The heading, and the rows.
fn rows(list: &List, screen: Screen) -> Vec<String> {
    let widths = list.widths(MOST);
    let heading: Texts = (0..list.columns()).map(|column| (list.name(column).to_owned(), Colour::Dim)).collect();
    let told = |row: &Row| row.cells.iter().map(|cell| (cell.text.clone(), cell.colour)).collect();
    let shown = std::iter::once(heading).chain(list.rows.iter().take(MOST).map(told));
    shown.map(|texts| aligned(list, texts, &widths, screen)).collect()
}

fn aligned(list: &List, texts: Texts, widths: &[usize], screen: Screen) -> String {
    let last = list.columns() - 1;
    let place = |(column, (text, colour)): (usize, (String, Colour))| {
        let columns = widths.get(column).copied().unwrap_or(0);
        // Nothing comes behind the last one.
        let text = if column < last || list.is_right(column) { fit(&text, columns) } else { text };
        let blanks = padding(&text, columns);
        let text = match (list.is_right(column), column < last) {
            (true, _) => blanks + &text,
            (false, true) => text + &blanks,
            (false, false) => text,
        };
        (text, colour)
    };
    beside(&texts.into_iter().enumerate().map(place).collect(), screen)
}

/// Texts with a gap between them.
fn beside(texts: &Texts, screen: Screen) -> String {
    let texts = texts.iter().filter(|(text, _)| width(text) > 0);
    let painted: Vec<String> = texts.map(|(text, colour)| screen.paint(*colour, text)).collect();
    let line = painted.join(GAP);
    if screen.colour { line } else { line.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::example::{NOW, view};

    const SCREEN: Screen = Screen { colour: false, width: None };

    #[test]
    fn a_frame_shows_how_much_where_and_which() {
        assert_eq!(
            format!("\n{}\n", draw(&view(), SCREEN, &Zone::utc(), NOW).join("\n")),
            "
gatelog top  127.0.0.1:9900  up 1h02m  11:02:36
100 requests/s  2 running  4xx 0.0 %  5xx 10.0 %  in 0 B/s  out 0 B/s  cpu 1 %  0 records dropped
avg 2.0 ms  p50 555 µs  p95 5.5 ms  p99 9.1 ms  of the last 4 s

Routes
ROUTE        REQ/S    SHARE  4XX  5XX     AVG     P50     P95     P99
post-detail    100  100.0 %    0   40  2.0 ms  555 µs  5.5 ms  9.1 ms
unmatched        0    0.0 %    0    0

Running
   AGE  PHASE    ROUTE         CLIENT       REQUEST
1.50 s  wait     sales-report  203.0.113.7  GET /reports/\\u{1b}[2J
300 µs  connect  home                       GET /

Slowest of the last 15 minutes
TIME      DURATION  STATUS  ROUTE     REQUEST
11:02:30    1.25 s     200  checkout  POST /checkout/

Newest errors
TIME      DURATION  STATUS  ROUTE  REQUEST
11:02:31   10.0 ms     502  home   GET /  connection_refused
11:02:32                           the disk is full  output_failed
"
        );
    }

    #[test]
    fn a_proxy_that_is_gone_is_told_beside_what_was_known() {
        let mut view = view();
        view.trouble = Some("no proxy answers".to_owned());
        view.alarms = vec![("firing: errors".to_owned(), Colour::Red)];
        let lines = draw(&view, SCREEN, &Zone::utc(), NOW);
        assert_eq!(lines[3..5], ["no proxy answers", "firing: errors"]);
        let empty = View::of("127.0.0.1:9900".parse().unwrap());
        assert_eq!(draw(&empty, SCREEN, &Zone::utc(), NOW), ["gatelog top  127.0.0.1:9900  11:02:36"]);
    }

    #[test]
    fn colours_stand_around_texts_and_long_lists_are_cut() {
        let mut view = view();
        view.errors = vec![view.errors[0].clone(); 22];
        let lines = draw(&view, Screen { colour: true, width: None }, &Zone::utc(), NOW);
        assert!(lines.contains(&"\x1b[1mNewest errors\x1b[0m  \x1b[2mand 2 more\x1b[0m".to_owned()), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("connection_refused")).count(), 20);
    }
}
