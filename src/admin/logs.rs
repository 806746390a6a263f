//! `GET /api/logs` and `GET /api/logs/{request_id}`: records that were written, the newest first; and all of one request.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::json;

use crate::filter::Expression;
use crate::search::zone::Zone;
use crate::store::{Order, Page as Found, Question, Total};

use super::answer::Answer;
use super::ask::Library;
use super::query::{Page, Query};
use super::refused::Refused;

/// Records that can be paged through; what lies beyond is found with a narrower question.
const MOST: usize = 10_000;
/// Matches that are counted.
const COUNT_TO: u64 = 10_000;
/// Records of one request: a tunnel tells of itself every minute.
const MOST_OF_A_REQUEST: usize = 1000;
/// The parameters of a list.
const KNOWN: [&str; 10] =
    ["q", "level", "logger", "route", "user_id", "since", "until", "hours", "page", "per_page"];
/// Those that are a field's value.
const FIELDS: [&str; 4] = ["level", "logger", "route", "user_id"];

/// One page of records.
pub(super) async fn list(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &KNOWN)?;
    let page = query.page(MOST)?;
    let question = question(&query, page, now)?;
    let found = library.ask(move |records, stop| records.search(&question, stop)).await?;
    Ok(render(page, &found))
}

/// All records of one request.
pub(super) async fn request(library: &Library, request_id: &str) -> Result<Answer, Refused> {
    let wanted = request_id.to_owned();
    let found = library.ask(move |records, stop| records.request(&wanted, MOST_OF_A_REQUEST, stop)).await?;
    if found.lines.is_empty() && !found.partial {
        return Err(Refused::NotThere(format!("no record of the request {request_id:?} is there (any more)")));
    }
    Ok(render(Page { number: 1, size: MOST_OF_A_REQUEST, most: MOST_OF_A_REQUEST }, &found))
}

fn question(query: &Query<'_>, page: Page, now: u64) -> Result<Question, Refused> {
    let moment = |name| query.get(name).map(|text| self::moment(name, text, now)).transpose();
    let hours = query.get("hours").map(|text| self::hours(text, now)).transpose()?;
    Ok(Question {
        filter: filter(query)?,
        since: moment("since")?.max(hours),
        until: moment("until")?,
        order: Order::Newest,
        skip: (page.number - 1) * page.size,
        limit: page.size,
        count_to: COUNT_TO,
    })
}

/// What `q` says, and what the other parameters say of single fields.
fn filter(query: &Query<'_>) -> Result<Expression, Refused> {
    let read = |text: &str| Expression::parse(text).map_err(|error| error.to_string());
    let asked = read(query.get("q").unwrap_or_default()).map_err(|error| Refused::Query(format!("`q`: {error}")))?;
    let mut whole = format!("({asked})");
    for name in FIELDS {
        if let Some(value) = query.get(name).filter(|value| !value.is_empty()) {
            let term = format!("{name}:{}", quoted(value));
            read(&term).map_err(|error| Refused::Query(format!("`{name}`: {error}")))?;
            let _ = write!(whole, " {term}");
        }
    }
    read(&whole).map_err(|error| Refused::Query(format!("`q`: {error}")))
}

/// A value that says only itself.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Times without an offset are UTC: programs ask, from wherever they are.
fn moment(name: &str, text: &str, now: u64) -> Result<u64, Refused> {
    Zone::utc().moment(text, now).map_err(|error| Refused::Query(format!("`{name}`: {error}")))
}

/// So many hours ago.
pub(super) fn hours(text: &str, now: u64) -> Result<u64, Refused> {
    const HOUR: f64 = 3_600e6;
    let hours = text.parse().ok().filter(|hours: &f64| *hours > 0.0 && *hours <= 24.0 * 366.0);
    let hours = hours.ok_or_else(|| Refused::Query("`hours` is a number of hours, at most a year".to_owned()))?;
    Ok(now.saturating_sub((hours * HOUR) as u64))
}

/// The list of INTERFACE's shape. Lines are JSON as they are, and are not looked into.
fn render(page: Page, found: &Found) -> Answer {
    let (total, exact) = match found.total {
        Total::Exact(total) => (total, true),
        Total::AtLeast(total) => (total, false),
    };
    let total_pages = usize::try_from(total).unwrap_or(usize::MAX).min(page.most).div_ceil(page.size);
    let lines: Vec<&str> = found.lines.iter().map(|line| &*line.json).collect();
    let more = json!({
        "total_count": total,
        "total_is_exact": exact,
        "page": page.number,
        "total_pages": total_pages,
        "has_next": page.number < total_pages,
        "has_previous": page.number > 1,
        "partial": found.partial,
        "troubles": found.troubles,
    });
    // The object behind it goes on where this one was opened.
    let content = format!("{{\"logs\":[{}],{}\n", lines.join(","), &more.to_string()[1..]);
    Answer::new(StatusCode::OK, "application/json", content)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::store::Line;

    const NOW: u64 = 1_763_809_356_000_000;
    const HOUR: u64 = 3_600_000_000;

    fn asked(query: &str) -> Result<Question, Refused> {
        let query = Query::read(Some(query), &KNOWN)?;
        question(&query, query.page(MOST)?, NOW)
    }

    #[test]
    fn parameters_narrow_what_is_asked_for() {
        let asked = asked("q=status%3E%3D500+OR+slow%3Atrue&level=error&route=shop:cart&user_id=4%222&hours=2").expect("good");
        let expected = r#"(status_code>=500 OR slow:true) level:error route:shop:cart user_id:"4\"2""#;
        assert_eq!(asked.filter, Expression::parse(expected).expect("an expression"));
        assert_eq!((asked.since, asked.until), (Some(NOW - 2 * HOUR), None));
    }

    #[test]
    fn times_are_moments_or_so_long_ago() {
        let times = |query| asked(query).map(|asked| (asked.since, asked.until)).map_err(|refused| refused.to_string());
        assert_eq!(times("since=2h&until=1h"), Ok((Some(NOW - 2 * HOUR), Some(NOW - HOUR))));
        assert_eq!(times("since=2h&hours=1"), Ok((Some(NOW - HOUR), None)), "both hold");
        assert_eq!(times("since=2025-11-22T11:02:36Z"), Ok((Some(NOW), None)));
        for (query, name) in [("since=soon", "`since`"), ("hours=0", "`hours`"), ("hours=x", "`hours`")] {
            assert!(times(query).is_err_and(|why| why.contains(name)), "{query}");
        }
    }

    #[test]
    fn pages_are_passed_over() {
        let asked = asked("page=3&per_page=20").expect("good");
        assert_eq!((asked.skip, asked.limit), (40, 20));
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_told_with_its_place() {
        let wrong = |query| asked(query).expect_err("refused").to_string();
        assert!(wrong("q=statos%3A500").contains("column 1"), "{}", wrong("q=statos%3A500"));
        assert!(wrong("level=loud").starts_with("`level`"), "{}", wrong("level=loud"));
        assert!(wrong("q=a)").starts_with("`q`"));
    }

    #[test]
    fn a_page_is_one_json_object_whose_lines_are_as_they_were_written() {
        let line = |json: &str| Line { at: NOW, json: json.into() };
        let found = Found {
            lines: vec![line(r#"{"message":"a","n":1.50}"#), line(r#"{"message":"}"}"#)],
            total: Total::AtLeast(10_000),
            partial: true,
            troubles: vec!["a.db: torn".to_owned()],
        };
        let answer = render(Page { number: 2, size: 2, most: MOST }, &found);
        let list: Value = serde_json::from_slice(&answer.content).expect("JSON");
        assert_eq!(list["logs"][1]["message"], "}");
        assert!(answer.content.starts_with(br#"{"logs":[{"message":"a","n":1.50},"#));
        assert_eq!((&list["total_count"], &list["total_is_exact"]), (&json!(10_000), &json!(false)));
        assert_eq!((&list["total_pages"], &list["has_next"], &list["has_previous"]), (&json!(5000), &json!(true), &json!(true)));
        assert_eq!((&list["partial"], &list["troubles"][0]), (&json!(true), &json!("a.db: torn")));
        let none = render(Page { number: 1, size: 2, most: MOST }, &Found::default());
        assert!(none.content.starts_with(br#"{"logs":[],"#));
    }
}
