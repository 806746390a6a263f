//! `GET /api/export`: records to take away, the newest first: JSON lines as they were written, or a table for a spreadsheet.

use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::store::{Archive, Order, Page, Question, Stop};

use super::answer::{Answer, harmless};
use super::ask::{Lane, Library};
use super::asked::{Span, filter};
use super::query::Query;
use super::refused::Refused;

/// The parameters.
const KNOWN: [&str; 10] = ["q", "level", "logger", "route", "user_id", "since", "until", "hours", "format", "limit"];
/// Records at most: what is taken away is held in memory until it is read.
const MOST: usize = 10_000;
const USUAL: usize = 1000;
/// The columns of a table.
const COLUMNS: [&str; 24] = [
    "timestamp",
    "level",
    "event",
    "message",
    "logger",
    "request_id",
    "method",
    "host",
    "path",
    "query",
    "view_name",
    "route",
    "user_id",
    "ip_address",
    "user_agent",
    "status_code",
    "duration",
    "request_size",
    "response_size",
    "outcome",
    "phase",
    "upstream_address",
    "exception_type",
    "exception_message",
];

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

/// Records as a file.
pub(super) async fn take(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &KNOWN)?;
    let format = match query.get("format").unwrap_or("ndjson") {
        "ndjson" => Format::Ndjson,
        "csv" => Format::Csv,
        _ => return Err(Refused::Query("`format` is ndjson or csv".to_owned())),
    };
    let Span { since, until } = Span::of(&query, now)?;
    let limit = query.number("limit", USUAL, MOST)?;
    let (filter, order) = (filter(&query)?, Order::Newest);
    let question = Question { filter, since, until, order, skip: 0, limit, count_to: 0 };
    let look = move |archive: &dyn Archive, stop: Stop<'_>| archive.search(&question, stop);
    let (page, place) = library.ask(Lane::Search, look).await?;
    Ok(file(&page, format).holding(place))
}

fn file(page: &Page, format: Format) -> Answer {
    let (content_type, name, content) = match format {
        Format::Ndjson => ("application/x-ndjson", "gatelog.ndjson", lines(page)),
        Format::Csv => ("text/csv; charset=utf-8; header=present", "gatelog.csv", table(page)),
    };
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let answer = Answer::new(StatusCode::OK, content_type, content);
    match disposition {
        Ok(disposition) => answer.with(CONTENT_DISPOSITION, disposition),
        Err(_) => answer,
    }
}

fn lines(page: &Page) -> String {
    page.lines.iter().flat_map(|line| [harmless(&line.json).replace(['\n', '\r'], " "), "\n".to_owned()]).collect()
}

/// RFC 4180.
fn table(page: &Page) -> String {
    let mut table = COLUMNS.join(",") + "\r\n";
    for line in &page.lines {
        let record: Map<String, Value> = serde_json::from_str(&line.json).unwrap_or_default();
        let cells: Vec<String> = COLUMNS.iter().map(|name| record.get(*name).map(cell).unwrap_or_default()).collect();
        table += &cells.join(",");
        table += "\r\n";
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => quoted(&inert(text)),
        number @ Value::Number(_) => number.to_string(),
        other => quoted(&inert(&other.to_string())),
    }
}

/// A text that no spreadsheet takes for a formula: whoever sends a request chooses its path
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn inert(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Line;
    use proptest::prelude::*;
    use serde_json::json;

    fn page(records: &[Value]) -> Page {
        let lines = records.iter().map(|record| Line { at: 0, json: record.to_string().into() });
        Page { lines: lines.collect(), ..Page::default() }
    }

    /// Read as RFC 4180 has it.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut within) = (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, within) {
                ('"', true) if chars.peek() == Some(&'"') => cell.extend(chars.next()),
                ('"', _) => within = !within,
                (',', false) => row.push(std::mem::take(&mut cell)),
                ('\r', false) if chars.peek() == Some(&'\n') => {
                    chars.next();
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                (c, _) => cell.push(c),
            }
        }
        rows
    }

    #[test]
    fn a_table_has_a_head_and_a_row_for_each_record() {
        let told = table(&page(&[
            json!({"path": "/a,\"b\"", "status_code": 404, "duration": -0.5}),
            json!({"message": "=1+1"}),
        ]));
        let rows = read(&told);
        assert_eq!((rows.len(), rows[0].len()), (3, COLUMNS.len()));
        let column = |name: &str| COLUMNS.iter().position(|known| *known == name).expect("a column");
        assert_eq!((&rows[1][column("path")][..], &rows[1][column("status_code")][..]), ("/a,\"b\"", "404"));
        assert_eq!(rows[2][column("message")], "'=1+1");
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_is_one_cell_and_no_formula(path in any::<String>(), agent in "[=+@\t\r\n,\"-]{0,4}[a-z]{0,3}") {
            let rows = read(&table(&page(&[json!({"path": path, "user_agent": agent, "event": "e"})])));
            prop_assert_eq!((rows.len(), rows[1].len()), (2, COLUMNS.len()));
            prop_assert!(rows[1].iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])));
            let shown = &rows[1][COLUMNS.iter().position(|name| *name == "path").expect("a column")];
            prop_assert_eq!(shown.strip_prefix('\'').filter(|_| !path.starts_with('\'')).unwrap_or(shown), &path);
        }

        #[test]
        fn lines_are_the_records(paths in prop::collection::vec(any::<String>(), 0..5)) {
            let records: Vec<Value> = paths.iter().map(|path| json!({ "path": path })).collect();
            let told = lines(&page(&records));
            let read: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            prop_assert_eq!(read, records);
        }
    }
}
