//! A frame of `gatelog top` on a terminal of any size: how much at the top, the lists under it, and what keys do.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row as TableRow, Sparkline, Table, Wrap};

use super::browse::{Browse, Chosen, KEYS};
use super::head::{self, Texts};
use super::list::{List, Row};
use super::lists::{Pane, mentions};
use super::page::Content;
use super::view::View;
use crate::search::paint::{Colour, Screen, fit, painted, width};
use crate::search::zone::Zone;

/// Rows of a pane: its title, its heading, and one of its list.
const LEAST: u16 = 3;
/// Rows of a terminal on which the rates of the last minutes are drawn.
const TALL: u16 = 14;
/// Letters between columns.
const GAP: u16 = 2;

/// What a frame is drawn with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pens<'z> {
    /// Whether there are colours.
    pub(super) colour: bool,
    pub(super) zone: &'z Zone,
    /// Microseconds since the Unix epoch.
    pub(super) now: u64,
}

/// Draws it. What is on the screen is remembered in `browse`, so that keys are about that.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, browse: &mut Browse, pens: Pens<'_>) {
    let head: Vec<Line<'_>> = head::lines(view, pens.zone, pens.now).iter().map(|texts| pens.line(texts)).collect();
    let chart = u16::from(frame.area().height >= TALL && view.rates.len() > 1);
    let rows =
        [Constraint::Length(head.len() as u16), Constraint::Length(chart), Constraint::Min(0), Constraint::Length(1)];
    let [top, middle, body, bottom] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(head), top);
    pens.rates(frame, view, middle);
    match browse.pages.is_empty() {
        true => pens.panes(frame, view, browse, body),
        false => pens.page(frame, browse, body),
    }
    frame.render_widget(Paragraph::new(pens.foot(browse)), bottom);
    if browse.is_helped {
        pens.help(frame);
    }
}

/// Rows that each pane gets: where not all have room, the one that is looked at has all of it; else each what it needs or a
/// fair share, and what is left goes to the one that is looked at, then to the others.
fn heights(needed: [u16; 4], focus: usize, room: u16) -> [u16; 4] {
    let mut heights = [0; 4];
    if room < 4 * (LEAST + 1) {
        heights[focus] = room;
        return heights;
    }
    // A blank line under each.
    let wanted = needed.map(|rows| rows.saturating_add(LEAST).max(LEAST + 1));
    heights = wanted.map(|rows| rows.min(room / 4));
    for pane in std::iter::once(focus).chain(0..4) {
        let left = room - heights.iter().sum::<u16>();
        heights[pane] += left.min(wanted[pane].saturating_sub(heights[pane]));
    }
    heights[3] += room - heights.iter().sum::<u16>();
    heights
}

impl Pens<'_> {
    fn style(self, colour: Colour) -> Style {
        let style = Style::new();
        if !self.colour {
            return style;
        }
        match colour {
            Colour::Plain => style,
            Colour::Dim => style.add_modifier(Modifier::DIM),
            Colour::Bold => style.add_modifier(Modifier::BOLD),
            Colour::Green => style.fg(Color::Green),
            Colour::Yellow => style.fg(Color::Yellow),
            Colour::Red => style.fg(Color::Red),
            Colour::Cyan => style.fg(Color::Cyan),
            Colour::Alarm => style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn span(self, (text, colour): &(String, Colour)) -> Span<'static> {
        Span::styled(text.clone(), self.style(*colour))
    }

    /// Texts with a gap between them.
    fn line(self, texts: &Texts) -> Line<'static> {
        let mut spans = Vec::new();
        for text in texts.iter().filter(|(text, _)| !text.is_empty()) {
            if !spans.is_empty() {
                spans.push(Span::raw("  "));
            }
            spans.push(self.span(text));
        }
        Line::from(spans)
    }

    /// Requests a second, look by look, the newest at the right.
    fn rates(self, frame: &mut Frame<'_>, view: &View, area: Rect) {
        let most = view.rates.iter().max().copied().unwrap_or(0);
        let told = format!(" at most {most}/s");
        let [chart, label] =
            Layout::horizontal([Constraint::Min(0), Constraint::Length(width(&told) as u16)]).areas(area);
        let shown = view.rates.iter().skip(view.rates.len().saturating_sub(usize::from(chart.width)));
        let blank = usize::from(chart.width).saturating_sub(view.rates.len());
        let bars: Vec<u64> = std::iter::repeat_n(0, blank).chain(shown.copied()).collect();
        frame.render_widget(Sparkline::default().data(bars).style(self.style(Colour::Cyan)), chart);
        frame.render_widget(Line::from(Span::styled(told, self.style(Colour::Dim))), label);
    }

    fn panes(self, frame: &mut Frame<'_>, view: &View, browse: &mut Browse, area: Rect) {
        let mut lists = Pane::ALL.map(|pane| pane.list(view, self.zone));
        let all = [0, 1, 2, 3].map(|at| lists[at].len());
        for (list, chosen) in lists.iter_mut().zip(&mut browse.panes) {
            chosen.take(list, &browse.filter);
        }
        let needed = [0, 1, 2, 3].map(|at: usize| u16::try_from(lists[at].len()).unwrap_or(u16::MAX));
        let areas: [Rect; 4] = Layout::vertical(heights(needed, browse.focus, area.height)).areas(area);
        for (at, pane) in Pane::ALL.into_iter().enumerate().filter(|(at, _)| areas[*at].height > 0) {
            let is_focused = at == browse.focus;
            let count = counted(lists[at].len(), all[at]);
            let title = vec![(format!("{} {}", at + 1, pane.title()), Colour::Bold), (count, Colour::Dim)];
            let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(areas[at]);
            frame.render_widget(marked(self.line(&title), is_focused), top);
            self.list(frame, &lists[at], &mut browse.panes[at], is_focused, rest);
        }
    }

    fn list(self, frame: &mut Frame<'_>, list: &List, chosen: &mut Chosen, is_focused: bool, area: Rect) {
        chosen.room = usize::from(area.height.saturating_sub(1));
        let widths = columns(list, area.width);
        let sorted = |column: usize| match chosen.sorting {
            Some(sorting) if sorting.column == column => {
                if sorting.is_descending {
                    "▼"
                } else {
                    "▲"
                }
            }
            _ => "",
        };
        let names = widths.iter().enumerate().map(|(column, width)| {
            let name = format!("{}{}", list.name(column), sorted(column));
            self.cell(&(name, Colour::Dim), list.is_right(column), *width)
        });
        let heading = TableRow::new(names.collect::<Vec<_>>());
        let rows = list.rows.iter().map(|row| self.row(row, list, &widths));
        let mut table =
            Table::new(rows, widths.iter().map(|width| Constraint::Length(*width))).header(heading).column_spacing(GAP);
        if is_focused {
            table = table.row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        }
        frame.render_stateful_widget(table, area, &mut chosen.state);
    }

    fn row(self, row: &Row, list: &List, widths: &[u16]) -> TableRow<'static> {
        let cells = row.cells.iter().zip(widths).enumerate();
        TableRow::new(
            cells.map(|(column, (cell, width))| {
                self.cell(&(cell.text.clone(), cell.colour), list.is_right(column), *width)
            }),
        )
    }

    fn cell(self, (text, colour): &(String, Colour), is_right: bool, width: u16) -> Line<'static> {
        let line = Line::from(self.span(&(fit(text, usize::from(width)), *colour)));
        line.alignment(if is_right { Alignment::Right } else { Alignment::Left })
    }

    fn page(self, frame: &mut Frame<'_>, browse: &mut Browse, area: Rect) {
        let Some(page) = browse.pages.last_mut() else { return };
        let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        let mut title = vec![(page.title(), Colour::Bold)];
        if let Content::Requests(found) = &page.content {
            let mut list = mentions(found, self.zone);
            let all = list.len();
            page.chosen.take(&mut list, &browse.filter);
            title.push((counted(list.len(), all), Colour::Dim));
            self.list(frame, &list, &mut page.chosen, true, rest);
        } else {
            let screen = Screen { colour: true, width: Some(usize::from(rest.width)) };
            let text = page.text(screen, self.zone);
            let lines: Vec<Line<'_>> =
                text.lines().map(|line| painted(line).iter().map(|part| self.span(part)).collect()).collect();
            let from = page.from(lines.len(), usize::from(rest.height));
            let shown: Vec<Line<'_>> = lines.into_iter().skip(from).take(usize::from(rest.height)).collect();
            // Only why there is nothing may be longer.
            frame.render_widget(Paragraph::new(shown).wrap(Wrap { trim: false }), rest);
        }
        frame.render_widget(marked(self.line(&title), true), top);
    }

    fn foot(self, browse: &Browse) -> Line<'static> {
        if browse.before.is_some() {
            return Line::from(format!("/{}█", browse.filter));
        }
        let mut texts = Texts::new();
        if browse.is_paused {
            texts.push(("paused, p goes on".to_owned(), Colour::Yellow));
        }
        if !browse.filter.is_empty() {
            texts.push((format!("filter: {}", browse.filter), Colour::Yellow));
        }
        let back = if browse.pages.is_empty() { "Tab list" } else { "Esc back" };
        let keys = [back, "↑↓ row", "←→ sort", "r reverse", "/ filter", "Enter open", "p pause", "? help", "q leave"];
        texts.extend(keys.map(|key| (key.to_owned(), Colour::Dim)));
        self.line(&texts)
    }

    fn help(self, frame: &mut Frame<'_>) {
        let widest = KEYS.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
        let line = |(keys, does): &(&str, &str)| {
            let blanks = " ".repeat(widest - width(keys));
            Line::from(vec![self.span(&((*keys).to_owned(), Colour::Cyan)), Span::raw(format!("{blanks}  {does}"))])
        };
        let lines: Vec<Line<'_>> = KEYS.iter().map(line).collect();
        let columns = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
        let area = frame.area().centered(Constraint::Length(columns), Constraint::Length(lines.len() as u16 + 2));
        frame.render_widget(Clear, area);
        let block = Block::bordered().title(" Keys ").padding(ratatui::widgets::Padding::horizontal(1));
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

/// The title of what keys are about.
fn marked(line: Line<'_>, is_focused: bool) -> Line<'_> {
    if is_focused { line.style(Style::new().add_modifier(Modifier::REVERSED)) } else { line }
}

fn counted(shown: usize, all: usize) -> String {
    if shown == all { all.to_string() } else { format!("{shown} of {all}") }
}

/// How wide the columns are that there is room for; the last one has what is left.
fn columns(list: &List, room: u16) -> Vec<u16> {
    // A heading has room for the mark of its order.
    let widths = list.widths(usize::MAX).into_iter().enumerate();
    let wanted = widths.map(|(column, wide)| wide.max(width(list.name(column)) + 1) as u16);
    let (mut left, mut columns) = (room, Vec::new());
    for (column, wanted) in wanted.enumerate() {
        let is_last = column + 1 == list.columns() && !list.is_right(column);
        let given = if is_last { left } else { wanted.min(left) };
        if given == 0 {
            break;
        }
        columns.push(given);
        left = left.saturating_sub(given + GAP);
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use serde_json::json;

    use super::*;
    use crate::cli::top::example::{NOW, view};
    use crate::cli::top::list::Opens;
    use crate::cli::top::page::Page;

    fn drawn(browse: &mut Browse, view: &View, columns: u16, rows: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let zone = Zone::utc();
        terminal.draw(|frame| draw(frame, view, browse, Pens { colour: true, zone: &zone, now: NOW })).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |row: &[ratatui::buffer::Cell]| {
            row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
        };
        buffer.content().chunks(usize::from(columns)).map(line).collect::<Vec<_>>().join("\n")
    }

    fn press(browse: &mut Browse, codes: &[KeyCode]) {
        drawn(browse, &view(), 80, 20);
        for code in codes {
            browse.key(KeyEvent::new(*code, KeyModifiers::NONE));
            drawn(browse, &view(), 80, 20);
        }
    }

    #[test]
    fn a_frame_has_four_lists() {
        assert_eq!(
            format!("\n{}\n", drawn(&mut Browse::default(), &view(), 100, 24)),
            "
gatelog top  127.0.0.1:9900  up 1h02m  11:02:36
100 requests/s  2 running  4xx 0.0 %  5xx 10.0 %  in 0 B/s  out 0 B/s  cpu 1 %  0 records dropped
avg 2.0 ms  p50 555 µs  p95 5.5 ms  p99 9.1 ms  of the last 4 s
                                                                                  ████ at most 100/s
1 Routes  2
ROUTE         REQ/S    SHARE   4XX   5XX     AVG     P50     P95     P99
post-detail     100  100.0 %     0    40  2.0 ms  555 µs  5.5 ms  9.1 ms
unmatched         0    0.0 %     0     0

2 Running  2
   AGE  PHASE    ROUTE         CLIENT       REQUEST
1.50 s  wait     sales-report  203.0.113.7  GET /reports/\\u{1b}[2J
300 µs  connect  home                       GET /

3 Slowest of the last 15 minutes  1
TIME       DURATION   STATUS  ROUTE     REQUEST
11:02:30     1.25 s      200  checkout  POST /checkout/

4 Newest errors  2
TIME       DURATION   STATUS  ROUTE   REQUEST
11:02:31    10.0 ms      502  home    GET /  connection_refused
11:02:32                              the disk is full  output_failed

Tab list  ↑↓ row  ←→ sort  r reverse  / filter  Enter open  p pause  ? help  q leave
"
        );
    }

    #[test]
    fn a_small_terminal_has_the_list_that_is_looked_at() {
        let mut browse = Browse::default();
        press(&mut browse, &[KeyCode::Char('4')]);
        let frame = drawn(&mut browse, &view(), 40, 10);
        assert!(frame.contains("4 Newest errors  2") && !frame.contains("Routes"), "{frame}");
        assert!(frame.contains("11:02:31    10.0 ms      502  home    G…"), "{frame}");
    }

    #[test]
    fn what_is_sorted_and_filtered_is_marked() {
        let mut browse = Browse::default();
        press(
            &mut browse,
            &[KeyCode::Right, KeyCode::Right, KeyCode::Char('/'), KeyCode::Char('D'), KeyCode::Char('e')],
        );
        let frame = drawn(&mut browse, &view(), 100, 24);
        assert!(frame.contains("REQ/S▼") && frame.contains("1 Routes  1 of 2") && frame.ends_with("/De█"), "{frame}");
        press(&mut browse, &[KeyCode::Enter, KeyCode::Char('p')]);
        let frame = drawn(&mut browse, &view(), 100, 24);
        assert!(frame.contains("paused, p goes on  filter: De  Tab list"), "{frame}");
        press(&mut browse, &[KeyCode::Char('?')]);
        assert!(drawn(&mut browse, &view(), 100, 24).contains("q, Ctrl-C               leave"));
    }

    #[test]
    fn pages_lie_over_the_lists() {
        let mut browse = Browse::default();
        press(&mut browse, &[KeyCode::Enter]);
        let opens = Opens::Route("post-detail".to_owned());
        assert!(drawn(&mut browse, &view(), 80, 20).contains("Newest requests of post-detail\n…"));
        let records: Vec<_> = (0..40).map(|at| json!({"timestamp": "2026-11-22T11:02:31.000000Z", "request_id": format!("r{at}"), "status_code": 200, "method": "GET", "path": format!("/posts/{at}/"), "view_name": "post-detail", "route": "/posts/{pk}/"})).collect();
        browse.opened(&opens, || Page::of(opens.clone(), Ok(Content::Requests(records))));
        press(&mut browse, &[KeyCode::End]);
        let frame = drawn(&mut browse, &view(), 80, 20);
        assert!(frame.contains("GET /posts/39/") && !frame.contains("GET /posts/9/"), "{frame}");
        press(&mut browse, &[KeyCode::Enter]);
        let opens = Opens::Request("r39".to_owned());
        let story = (0..60).map(|at| crate::store::Line {
            at,
            json: json!({"event": "note", "message": format!("note {at}")}).to_string().into(),
        });
        browse.opened(&opens, || Page::of(opens.clone(), Ok(Content::Story(story.collect()))));
        let top = drawn(&mut browse, &view(), 80, 20);
        press(&mut browse, &[KeyCode::End, KeyCode::Up]);
        let bottom = drawn(&mut browse, &view(), 80, 20);
        assert!(
            top.contains("Request r39")
                && !top.contains("note 58")
                && bottom.contains("note 58")
                && !bottom.contains('\x1b'),
            "{bottom}"
        );
        press(&mut browse, &[KeyCode::Esc, KeyCode::Esc]);
        assert!(drawn(&mut browse, &view(), 80, 20).contains("1 Routes"));
    }

    #[test]
    fn a_page_that_cannot_be_had_says_why() {
        let mut browse = Browse::default();
        press(&mut browse, &[KeyCode::Enter]);
        let opens = Opens::Route("post-detail".to_owned());
        let address = "127.0.0.1:9".parse().unwrap();
        let error = crate::cli::running::NoAnswer::Broken { address, why: "it stopped\x1b[2J".to_owned() };
        browse.opened(&opens, || Page::of(opens.clone(), Err(error)));
        assert!(drawn(&mut browse, &view(), 80, 20).contains("does not answer: it stopped\\u{1b}[2J"));
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
        let zone = Zone::utc();
        let pens = Pens { colour: false, zone: &zone, now: NOW };
        terminal.draw(|frame| draw(frame, &view(), &mut Browse::default(), pens)).unwrap();
        let cells = terminal.backend().buffer().content();
        assert!(cells.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        assert!(cells.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
    }

    proptest! {
        /// Any size, whatever was pressed: there is a frame.
        #[test]
        fn there_is_a_frame_for_every_size(columns in 1u16..200, rows in 1u16..60, keys in proptest::collection::vec("[1-4/?rp<>jk]", 0..12)) {
            let mut browse = Browse::default();
            for key in keys {
                browse.key(KeyEvent::new(KeyCode::Char(key.chars().next().unwrap()), KeyModifiers::NONE));
                drawn(&mut browse, &view(), columns, rows);
            }
        }

        #[test]
        fn panes_fill_the_room(needed: [u16; 4], focus in 0usize..4, room in 0u16..300) {
            let heights = heights(needed, focus, room);
            prop_assert_eq!(heights.iter().sum::<u16>(), room);
            prop_assert!(room < 16 || heights.iter().all(|rows| *rows >= LEAST));
            prop_assert!(room < 2 || heights[focus] >= 2);
        }
    }
}
