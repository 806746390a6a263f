//! `GET /api/logs` and `GET /api/logs/{request_id}`: records that were written, the newest first; and all of one request.

use http::StatusCode;
use serde_json::json;

use crate::store::{Order, Page as Found, Question, Total};

use super::answer::{Answer, raw_json};
use super::ask::{Lane, Library};
use super::asked::{Span, filter};
use super::query::{Page, Query};
use super::refused::Refused;

/// Records that can be paged through; what lies beyond is found with a narrower question.
const MOST: usize = 10_000;
/// Matches that are counted.
const COUNT_TO: u64 = 10_000;
/// Records of one request: a tunnel tells of itself every minute.
const MOST_OF_A_REQUEST: usize = 1000;
/// The parameters of a list.
const KNOWN: [&str; 10] = ["q", "level", "logger", "route", "user_id", "since", "until", "hours", "page", "per_page"];

/// One page of records.
pub(super) async fn list(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &KNOWN)?;
    let page = query.page(MOST)?;
    let question = question(&query, page, now)?;
    let (found, place) = library.ask(Lane::Search, move |archive, stop| archive.search(&question, stop)).await?;
    Ok(render(page, &found).holding(place))
}

/// All records of one request, the oldest first.
pub(super) async fn request(library: &Library, id: &str, query: Option<&str>) -> Result<Answer, Refused> {
    Query::read(query, &[])?;
    let wanted = id.to_owned();
    let look = move |archive: &dyn crate::store::Archive, stop: crate::store::Stop<'_>| {
        archive.request(&wanted, MOST_OF_A_REQUEST, stop)
    };
    let (found, place) = library.ask(Lane::Glance, look).await?;
    if found.lines.is_empty() && !found.partial {
        return Err(Refused::NotThere(format!("no record of the request `{id}` is there (any more)")));
    }
    let page = Page { number: 1, size: MOST_OF_A_REQUEST, most: MOST_OF_A_REQUEST };
    Ok(render(page, &found).holding(place))
}

fn question(query: &Query<'_>, page: Page, now: u64) -> Result<Question, Refused> {
    let Span { since, until } = Span::of(query, now)?;
    Ok(Question {
        filter: filter(query)?,
        since,
        until,
        order: Order::Newest,
        skip: (page.number - 1) * page.size,
        limit: page.size,
        count_to: COUNT_TO,
    })
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
    let content = format!("{{\"logs\":[{}],{}", lines.join(","), &more.to_string()[1..]);
    raw_json(StatusCode::OK, &content)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::store::Line;

    const NOW: u64 = 1_763_809_356_000_000;

    #[test]
    fn pages_are_passed_over() {
        let query = Query::read(Some("page=3&per_page=20"), &KNOWN).expect("good");
        let asked = question(&query, query.page(MOST).expect("good"), NOW).expect("good");
        assert_eq!((asked.skip, asked.limit, asked.count_to), (40, 20, COUNT_TO));
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
        assert_eq!(
            (&list["total_pages"], &list["has_next"], &list["has_previous"]),
            (&json!(5000), &json!(true), &json!(true))
        );
        assert_eq!((&list["partial"], &list["troubles"][0]), (&json!(true), &json!("a.db: torn")));
        let none = render(Page { number: 1, size: 2, most: MOST }, &Found::default());
        assert!(none.content.starts_with(br#"{"logs":[],"#));
    }
}
