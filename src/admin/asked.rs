//! What parameters ask for: which records, and of which time.

use std::fmt::Write as _;

use crate::filter::Expression;
use crate::search::zone::Zone;
use crate::store::rollup::{HOUR, Range};

use super::query::{Query, shown};
use super::refused::Refused;

/// Parameters that are a field's value.
const FIELDS: [&str; 4] = ["level", "logger", "route", "user_id"];
/// Hours of statistics where nobody says which.
const USUAL_HOURS: u64 = 24;
/// The most that `hours` may be: a leap year.
const MOST_HOURS: f64 = 24.0 * 366.0;

/// What `q` says, and what the other parameters say of single fields.
pub(super) fn filter(query: &Query<'_>) -> Result<Expression, Refused> {
    let text = query.get("q").unwrap_or_default();
    let asked = Expression::parse(text).map_err(|error| Refused::Filter { parameter: "q", error: Box::new(error) })?;
    let mut whole = format!("({asked})");
    for name in FIELDS {
        if let Some(value) = query.get(name).filter(|value| !value.is_empty()) {
            let term = format!("{name}:{}", quoted(value));
            read(name, &term)?;
            let _ = write!(whole, " {term}");
        }
    }
    read("q", &whole)
}

/// An expression of ours, in which columns would be of no use to whoever gave a part of it.
fn read(name: &str, text: &str) -> Result<Expression, Refused> {
    Expression::parse(text).map_err(|error| {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        Refused::Query(format!("`{name}`: {}{hint}", error.message()))
    })
}

/// A value that says only itself.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `since`, `until` and `hours`, each perhaps: hours are counted back from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: Option<u64>,
    pub(super) until: Option<u64>,
}

impl Span {
    pub(super) fn of(query: &Query<'_>, now: u64) -> Result<Span, Refused> {
        let moment = |name| query.get(name).map(|text| moment(name, text, now)).transpose();
        let until = moment("until")?;
        let hours = query.get("hours").map(|text| hours(text, until.unwrap_or(now))).transpose()?;
        let since = moment("since")?.max(hours);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(Refused::Query("`since` is not before `until`".to_owned()));
        }
        Ok(Span { since, until })
    }

    /// With an end and a beginning in any case.
    pub(super) fn range(self, now: u64) -> Range {
        // The records of this very moment are of it.
        let until = self.until.unwrap_or(now.saturating_add(1));
        let since = self.since.unwrap_or_else(|| until.saturating_sub(USUAL_HOURS * HOUR));
        Range { since: since.min(until), until }
    }
}

/// Times without an offset are UTC: programs ask, from wherever they are.
fn moment(name: &str, text: &str, now: u64) -> Result<u64, Refused> {
    Zone::utc().moment(&shown(text), now).map_err(|error| Refused::Query(format!("`{name}`: {error}")))
}

/// So many hours before a moment.
fn hours(text: &str, until: u64) -> Result<u64, Refused> {
    let hours = text.parse().ok().filter(|hours: &f64| *hours > 0.0 && *hours <= MOST_HOURS);
    let hours =
        hours.ok_or_else(|| Refused::Query("`hours` is a number of hours, at most those of a year".to_owned()))?;
    Ok(until.saturating_sub((hours * HOUR as f64) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_763_809_356_000_000;
    const KNOWN: [&str; 8] = ["q", "level", "logger", "route", "user_id", "since", "until", "hours"];

    fn span(query: &str) -> Result<(Option<u64>, Option<u64>), String> {
        let read = Query::read(Some(query), &KNOWN).and_then(|query| Span::of(&query, NOW));
        read.map(|span| (span.since, span.until)).map_err(|refused| refused.to_string())
    }

    fn filter_of(query: &str) -> Result<Expression, Refused> {
        Query::read(Some(query), &KNOWN).and_then(|query| filter(&query))
    }

    #[test]
    fn parameters_narrow_what_is_asked_for() {
        let asked =
            filter_of("q=status%3E%3D500+OR+slow%3Atrue&level=error&route=shop:cart&user_id=4%222").expect("good");
        let expected = r#"(status_code>=500 OR slow:true) level:error route:shop:cart user_id:"4\"2""#;
        assert_eq!(asked, Expression::parse(expected).expect("an expression"));
    }

    #[test]
    fn values_of_fields_say_only_themselves() {
        for value in ["a*", "a OR b", "\") OR (\"", "\\", "*", "-x"] {
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            let asked = filter_of(&format!("user_id={encoded}")).expect("good");
            let record = |id: &str| serde_json::json!({ "user_id": id }).as_object().cloned().expect("an object");
            assert!(asked.matches(&record(value)), "{value}");
            assert!(!asked.matches(&record("a")), "{value}");
        }
    }

    #[test]
    fn times_are_moments_or_so_long_ago() {
        assert_eq!(span("since=2h&until=1h"), Ok((Some(NOW - 2 * HOUR), Some(NOW - HOUR))));
        assert_eq!(span("since=2h&hours=1"), Ok((Some(NOW - HOUR), None)), "both hold");
        assert_eq!(span("until=2h&hours=1"), Ok((Some(NOW - 3 * HOUR), Some(NOW - 2 * HOUR))), "hours end there");
        assert_eq!(span("since=2025-11-22T11:02:36Z"), Ok((Some(NOW), None)));
        for (query, name) in [
            ("since=soon", "`since`"),
            ("until=", "`until`"),
            ("hours=0", "`hours`"),
            ("hours=-1", "`hours`"),
            ("hours=nan", "`hours`"),
            ("hours=inf", "`hours`"),
            ("hours=1e9", "`hours`"),
            ("since=1h&until=2h", "not before"),
        ] {
            assert!(span(query).is_err_and(|why| why.contains(name)), "{query}");
        }
        let long = span(&format!("since={}", "9".repeat(5000))).expect_err("refused");
        assert!(long.len() < 500, "{long}");
    }

    #[test]
    fn statistics_are_of_a_day_where_nobody_says_which() {
        let range = |query| {
            let query = Query::read(Some(query), &KNOWN).expect("good");
            Span::of(&query, NOW).expect("good").range(NOW)
        };
        assert_eq!(range(""), Range { since: NOW + 1 - 24 * HOUR, until: NOW + 1 });
        assert_eq!(range("until=2h"), Range { since: NOW - 26 * HOUR, until: NOW - 2 * HOUR });
        assert_eq!(range("hours=1"), Range { since: NOW - HOUR, until: NOW + 1 });
        assert_eq!(range("since=2999-01-01").length(), 0);
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_told_with_its_place() {
        let wrong = |query| filter_of(query).expect_err("refused");
        let Refused::Filter { parameter, error } = wrong("q=a+statsu%3A500") else { panic!("it is the filter's") };
        assert_eq!((parameter, error.column, error.length), ("q", 3, 6));
        assert_eq!(error.hint().as_deref(), Some("did you mean `status`?"));
        assert!(wrong("level=loud").to_string().starts_with("`level`: "), "{}", wrong("level=loud"));
        assert!(!wrong("level=loud").to_string().contains("column"));
        assert!(wrong("q=a)").to_string().starts_with("`q`: column 2"), "{}", wrong("q=a)"));
    }

    #[test]
    fn what_would_be_too_dear_is_refused_with_the_bound() {
        for (query, bound) in [
            (format!("q={}", "a+".repeat(600)), "512 terms"),
            (format!("q={}a{}", "(".repeat(40), ")".repeat(40)), "32 deep"),
            (format!("q={}", "a".repeat(9000)), "8192 characters"),
            (format!("q={}&level=error", "a+".repeat(512)), "512 terms"),
        ] {
            let why = filter_of(&query).expect_err("refused").to_string();
            assert!(why.starts_with("`q`: ") && why.contains(bound), "{why}");
        }
    }
}
