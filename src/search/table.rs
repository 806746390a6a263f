//! A page of records as a table: one line each, columns as wide as they need to be, the last one cut at the screen's edge.

use crate::filter::Line;
use crate::record::schema::Field;
use crate::store::Line as Found;

use super::paint::{Colour, Screen, duration, fit, harmless, padding, width};
use super::zone::Zone;

/// Columns that a cell may take, but for the last.
const WIDEST: usize = 32;

/// What is left for the last column; for less, others are left out.
const LAST: usize = 36;

/// The columns, in order.
const COLUMNS: [&str; 8] = ["TIME", "LEVEL", "EVENT", "STATUS", "DURATION", "ROUTE", "CLIENT", "WHAT"];
/// From the first that is left out where there is no room.
const FIRST_TO_GO: [usize; 4] = [6, 5, 1, 4];
const WHAT: usize = COLUMNS.len() - 1;
const NUMBERS: [usize; 2] = [3, 4];

/// The table with its heading, or nothing where there are no records.
pub fn table(records: &[Found], screen: Screen, zone: &Zone) -> String {
    let Some(first) = records.first() else { return String::new() };
    let is_one_day = records.iter().all(|record| zone.date(record.at) == zone.date(first.at));
    let rows: Vec<Row> = records.iter().map(|record| Row::of(record, zone, is_one_day)).collect();
    let layout = Layout::of(&rows, screen);
    let heading = layout.line(&COLUMNS.map(|name| (name.to_owned(), Colour::Dim)));
    rows.iter().fold(heading, |table, row| table + &layout.line(&row.cells))
}

/// One record as a line without a heading, as they come one by one.
pub fn single(record: &Found, screen: Screen, zone: &Zone) -> String {
    let row = Row::of(record, zone, true);
    let cells = row.cells.iter().filter(|(text, _)| !text.is_empty());
    let texts: Vec<String> = cells.map(|(text, colour)| screen.paint(*colour, text)).collect();
    texts.join("  ") + "\n"
}

/// What is shown of one record, a text and its colour for each column.
struct Row {
    cells: [(String, Colour); COLUMNS.len()],
}

impl Row {
    fn of(record: &Found, zone: &Zone, is_one_day: bool) -> Row {
        let time = if is_one_day { zone.time_of_day(record.at) } else { zone.date_and_time(record.at) };
        let Ok(line) = Line::parse(&record.json) else {
            return Row { cells: COLUMNS.map(|_| (String::new(), Colour::Plain)) };
        };
        let text = |name: &str| line.text(name).map(|text| harmless(&text)).unwrap_or_default();
        let (level, event) = (text("level"), text("event"));
        let status = line.value("status_code").map(|status| harmless(&status.to_string())).unwrap_or_default();
        let taken = line.value("duration").and_then(|seconds| seconds.as_f64());
        let taken = taken.map(|seconds| duration((seconds * 1e6).round() as u64)).unwrap_or_default();
        let (level_colour, status_colour) = (Colour::of_level(&level), Colour::of_status(&status));
        let what = (what(&line, &event), Colour::Plain);
        let short = event.strip_prefix("request_").unwrap_or(&event).to_owned();
        Row {
            cells: [
                (time, Colour::Dim),
                (level, level_colour),
                (short, Colour::Plain),
                (status, status_colour),
                (taken, Colour::Plain),
                (text("view_name"), Colour::Cyan),
                (text("ip_address"), Colour::Plain),
                what,
            ],
        }
    }
}

/// What a record says beside the other columns: the request and what went wrong with it, or its own fields.
pub(super) fn what(line: &Line<'_>, event: &str) -> String {
    let text = |name: &str| line.text(name).map(|text| harmless(&text));
    let Some(method) = text("method").filter(|_| event.starts_with("request_")) else { return own(line, event) };
    let query = text("query").map(|query| format!("?{query}")).unwrap_or_default();
    let mut what = format!("{method} {}{query}", text("path").unwrap_or_default());
    what += &ending(line).map(|ending| format!("  {ending}")).unwrap_or_default();
    what
}

/// What went wrong with a request, or where it is while it runs.
pub(super) fn ending(line: &Line<'_>) -> Option<String> {
    let text = |name: &str| line.text(name).map(|text| harmless(&text));
    let outcome = text("outcome").filter(|outcome| !matches!(&**outcome, "success" | "redirect"));
    let phase = text("phase").filter(|_| line.raw("in_flight") == Some("true")).map(|phase| format!("in {phase}"));
    let exception = match (text("exception_type"), text("exception_message")) {
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (kind, message) => kind.or(message),
    };
    let parts: Vec<String> = [outcome, phase, exception].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("  "))
}

/// The sentence of a record that is not about how a request goes, and the fields that only it has.
fn own(line: &Line<'_>, event: &str) -> String {
    let message = line.text("message").map(|text| harmless(&text)).filter(|message| message != event);
    let fields = line.members().filter(|(name, raw)| !is_everywhere(name) && *raw != "null");
    let fields = fields.map(|(name, raw)| match line.text(name) {
        Some(text) if !text.is_empty() && !text.contains(' ') => format!("{}={}", harmless(name), harmless(&text)),
        _ => format!("{}={}", harmless(name), harmless(raw)),
    });
    message.into_iter().chain(fields).collect::<Vec<_>>().join("  ")
}

/// In every record, or in the other columns already.
fn is_everywhere(name: &str) -> bool {
    const SHOWN: [&str; 6] = ["request_id", "trace_id", "span_id", "ip_address", "status_code", "view_name"];
    Field::is_common(name) || SHOWN.contains(&name)
}

/// Which columns there are, and how wide.
struct Layout {
    screen: Screen,
    widths: [Option<usize>; COLUMNS.len()],
}

impl Layout {
    fn of(rows: &[Row], screen: Screen) -> Layout {
        let needed = |column: usize| rows.iter().map(|row| width(&row.cells[column].0)).max().unwrap_or(0);
        let mut widths: [Option<usize>; COLUMNS.len()] = std::array::from_fn(|column| {
            let needed = needed(column);
            (needed > 0 || column == WHAT).then(|| needed.max(COLUMNS[column].len()).min(WIDEST))
        });
        let Some(columns) = screen.width else { return Layout { screen, widths } };
        let used = |widths: &[Option<usize>]| widths[..WHAT].iter().flatten().map(|width| width + 2).sum::<usize>();
        for column in FIRST_TO_GO {
            if used(&widths) + LAST > columns {
                widths[column] = None;
            }
        }
        widths[WHAT] = Some(columns.saturating_sub(used(&widths)).max(1));
        Layout { screen, widths }
    }

    fn line(&self, cells: &[(String, Colour); COLUMNS.len()]) -> String {
        let columns = self.widths.iter().zip(cells).enumerate();
        let texts = columns.filter_map(|(column, (width, (text, colour)))| {
            let width = (*width)?;
            if column == WHAT {
                return Some(self.screen.paint(*colour, &self.last(text, width)));
            }
            let text = fit(text, width);
            let (pad, painted) = (padding(&text, width), self.screen.paint(*colour, &text));
            Some(if NUMBERS.contains(&column) { pad + &painted } else { painted + &pad })
        });
        texts.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    }

    fn last(&self, text: &str, width: usize) -> String {
        if self.screen.width.is_some() { fit(text, width) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Found> {
        let lines = [
            r#"{"timestamp":"x","level":"INFO","event":"request_completed","message":"Request completed","request_id":"r1","method":"GET","path":"/posts/42/","query":"page=2","view_name":"post-detail","ip_address":"203.0.113.7","status_code":200,"duration":0.053210,"outcome":"success"}"#,
            r#"{"timestamp":"x","level":"CRITICAL","event":"request_failed","message":"Request failed with exception","request_id":"r2","method":"POST","path":"/checkout/\u001b[2J","view_name":"shop:checkout","ip_address":"2001:db8::1","status_code":502,"duration":1.5,"outcome":"upstream_refused","exception_type":"connection_refused","exception_message":"127.0.0.1:8000 refused the connection"}"#,
            r#"{"timestamp":"x","level":"WARNING","event":"request_slow","message":"Slow request detected","method":"GET","path":"/r","view_name":"r","duration":1.000769,"phase":"wait","in_flight":true}"#,
            r#"{"timestamp":"x","level":"INFO","event":"product_viewed","message":"product_viewed","logger":"gatelog.business","schema":1,"seq":9,"instance":"i","request_id":"r1","product_id":42,"category":"green tea","is_mobile":null}"#,
        ];
        let at = |second: u64| 1_795_345_356_000_123 + second * 1_500_000;
        lines.iter().zip(0..).map(|(line, second)| Found { at: at(second), json: (*line).into() }).collect()
    }

    fn screen(width: Option<usize>) -> Screen {
        Screen { colour: false, width }
    }

    #[test]
    fn columns_are_aligned_and_nothing_is_cut_without_a_screen() {
        assert_eq!(
            format!("\n{}", table(&records(), screen(None), &Zone::utc())),
            "
TIME          LEVEL     EVENT           STATUS  DURATION  ROUTE          CLIENT       WHAT
11:02:36.000  INFO      completed          200   53.2 ms  post-detail    203.0.113.7  GET /posts/42/?page=2
11:02:37.500  CRITICAL  failed             502    1.50 s  shop:checkout  2001:db8::1  POST /checkout/\\u{1b}[2J  upstream_refused  connection_refused: 127.0.0.1:8000 refused the connection
11:02:39.000  WARNING   slow                      1.00 s  r                           GET /r  in wait
11:02:40.500  INFO      product_viewed                                                product_id=42  category=\"green tea\"
"
        );
    }

    #[test]
    fn a_narrow_screen_has_fewer_columns_and_cut_lines() {
        assert_eq!(
            format!("\n{}", table(&records()[..2], screen(Some(80)), &Zone::utc())),
            "
TIME          EVENT      STATUS  DURATION  WHAT
11:02:36.000  completed     200   53.2 ms  GET /posts/42/?page=2
11:02:37.500  failed        502    1.50 s  POST /checkout/\\u{1b}[2J  upstream_r…
"
        );
        for columns in 60..200 {
            let table = table(&records(), screen(Some(columns)), &Zone::utc());
            assert!(table.lines().all(|line| width(line) <= columns), "{columns}:\n{table}");
        }
    }

    #[test]
    fn records_of_several_days_have_their_dates() {
        let mut records = records();
        records[0].at -= 86_400_000_000;
        let table = table(&records[..2], screen(None), &Zone::utc());
        assert!(table.contains("\n2026-11-21 11:02:36.000  INFO"), "{table}");
        assert!(table.contains("\n2026-11-22 11:02:37.500"), "{table}");
    }

    #[test]
    fn one_record_alone_has_no_columns() {
        let line = single(&records()[0], Screen { colour: true, width: None }, &Zone::utc());
        assert_eq!(
            line,
            "\x1b[2m11:02:36.000\x1b[0m  \x1b[32mINFO\x1b[0m  completed  \x1b[32m200\x1b[0m  53.2 ms  \
             \x1b[36mpost-detail\x1b[0m  203.0.113.7  GET /posts/42/?page=2\n"
        );
    }

    #[test]
    fn no_records_are_no_table() {
        assert_eq!(table(&[], screen(None), &Zone::utc()), "");
    }
}
