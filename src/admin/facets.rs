//! `GET /api/hits`, `GET /api/facets`, `GET /api/values`, `GET /api/fields`: what stands beside a list of records: how many there
//! were when, which values they have in common, and what could be asked for.
//!
//! Hits are all records that are meant, counted for a bounded time; without a filter they were counted beforehand. Values are those
//! of the newest records that are meant, so many of them: that there are more is told.

use std::collections::HashMap;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::filter::{Expression, Field, Kind, fields};
use crate::record::Level;
use crate::store::statistics::{Chart, Series};
use crate::store::{Archive, AskError, Order, Page, Question, Stop, Total};

use super::answer::{Answer, json as json_answer, shaped};
use super::ask::{Lane, Library};
use super::asked::{Span, filter};
use super::query::Query;
use super::refused::Refused;

/// The parameters of all of them.
const COMMON: [&str; 8] = ["q", "level", "logger", "route", "user_id", "since", "until", "hours"];
/// Steps of hits where nobody says how many, and at most.
const USUAL_POINTS: usize = 60;
const MOST_POINTS: usize = 1000;
/// The newest records whose values are counted.
const LOOKED_AT: usize = 5000;
/// Fields and values of each at most.
const MOST_FIELDS: usize = 16;
const USUAL_VALUES: usize = 10;
const MOST_VALUES: usize = 100;
/// Characters of a value; longer ones are cut, and no value is offered that is not whole.
const LONGEST: usize = 512;
/// What is counted where nobody says which.
const USUAL_FIELDS: [&str; 7] = ["level", "view_name", "status_code", "method", "upstream", "user_id", "ip_address"];

#[derive(Serialize)]
struct Hits {
    since: String,
    until: String,
    partial: bool,
    troubles: Vec<String>,
    step: f64,
    total: u64,
    total_is_exact: bool,
    points: Vec<Value>,
}

/// How many there were when.
pub(super) async fn hits(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &[&COMMON[..], &["points"]].concat())?;
    let points = query.number("points", USUAL_POINTS, MOST_POINTS)?;
    let (filter, range) = (filter(&query)?, Span::of(&query, now)?.range(now));
    let lane = if filter.means_everything() { Lane::Glance } else { Lane::Search };
    let look = move |archive: &dyn Archive, stop: Stop<'_>| {
        let mut series = Series::over(range, points, None);
        archive.gather(&mut series, &filter, stop).map(|()| series.chart())
    };
    let (chart, place) = library.ask(lane, look).await?;
    shaped(&Hits::of(chart)).map(|answer| answer.holding(place))
}

impl Hits {
    fn of(chart: Chart) -> Hits {
        let total = chart.points.iter().map(|point| point.records).sum();
        let Chart { scope, step, points, .. } = chart;
        let point = |point: crate::store::statistics::Point| json!({ "timestamp": point.timestamp, "count": point.records, "by_level": point.by_level });
        Hits {
            total_is_exact: !scope.partial,
            since: scope.since,
            until: scope.until,
            partial: scope.partial,
            troubles: scope.troubles,
            step,
            total,
            points: points.into_iter().map(point).collect(),
        }
    }
}

/// Which values the newest of them have in common.
pub(super) async fn facets(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &[&COMMON[..], &["fields", "limit"]].concat())?;
    let limit = query.number("limit", USUAL_VALUES, MOST_VALUES)?;
    let wanted = wanted(query.get("fields"))?;
    let range = Span::of(&query, now)?.range(now);
    let (page, place) =
        newest(library, filter(&query)?, Span { since: Some(range.since), until: Some(range.until) }).await?;
    let records = read(&page);
    let told = json!({
        "since": crate::record::timestamp(range.since),
        "until": crate::record::timestamp(range.until),
        "partial": page.partial,
        "troubles": page.troubles,
        "looked_at": records.len(),
        "complete": is_complete(&page),
        "facets": wanted.iter().map(|field| facet(&records, field.name, limit)).collect::<Vec<_>>(),
    });
    Ok(json_answer(StatusCode::OK, &told).holding(place))
}

/// Values of a field that begin so, the most frequent first.
pub(super) async fn values(library: &Library, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &["field", "prefix", "since", "until", "hours", "limit"])?;
    let limit = query.number("limit", 20, MOST_VALUES)?;
    let name = query.get("field").unwrap_or_default().to_owned();
    named(name.split('.').next().unwrap_or_default())?;
    let prefix = query.get("prefix").unwrap_or_default().to_lowercase();
    let (page, place) = newest(library, Expression::default(), Span::of(&query, now)?).await?;
    let mut counts = Counts::of(&read(&page), &name);
    counts.values.retain(|(value, _)| text(value).to_lowercase().starts_with(&prefix));
    let told = json!({ "values": counts.most(limit), "complete": is_complete(&page) });
    Ok(json_answer(StatusCode::OK, &told).holding(place))
}

/// What can be asked for.
pub(super) fn vocabulary(query: Option<&str>) -> Result<Answer, Refused> {
    Query::read(query, &[])?;
    let told: Vec<Value> = fields().iter().map(described).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "fields": told, "operators": [":", "=", "!=", ">", ">=", "<", "<="] })))
}

fn described(field: &Field) -> Value {
    let (kind, values): (&str, Vec<&str>) = match field.kind {
        Kind::Choice(values) => ("choice", values.to_vec()),
        Kind::Level => ("level", Level::ALL.iter().map(|level| level.as_str()).collect()),
        Kind::Bool => ("bool", vec!["true", "false"]),
        Kind::Flag => ("flag", vec!["true"]),
        kind => (word(kind), Vec::new()),
    };
    let mut told = json!({ "name": field.name, "kind": kind });
    if let Some(short) = field.short {
        told["short"] = short.into();
    }
    if !values.is_empty() {
        told["values"] = values.into();
    }
    told
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Word | Kind::Choice(_) => "word",
        Kind::Exact => "exact",
        Kind::Address => "address",
        Kind::Peer => "peer",
        Kind::Number => "number",
        Kind::Status => "status",
        Kind::Size => "size",
        Kind::Duration => "duration",
        Kind::Level => "level",
        Kind::Moment => "moment",
        Kind::Bool | Kind::Flag => "bool",
        Kind::Any => "any",
    }
}

/// The fields by their names, which stand between commas.
fn wanted(names: Option<&str>) -> Result<Vec<&'static Field>, Refused> {
    let names: Vec<&str> = match names.filter(|names| !names.is_empty()) {
        Some(names) => names.split(',').collect(),
        None => USUAL_FIELDS.to_vec(),
    };
    if names.len() > MOST_FIELDS {
        return Err(Refused::Query(format!("`fields` names more than {MOST_FIELDS}")));
    }
    names.into_iter().map(named).collect()
}

fn named(name: &str) -> Result<&'static Field, Refused> {
    let found = fields().iter().find(|field| field.name == name || field.short == Some(name));
    found.ok_or_else(|| Refused::Query(format!("`{}` is no field: see /api/fields", super::query::shown(name))))
}

async fn newest(
    library: &Library,
    filter: Expression,
    Span { since, until }: Span,
) -> Result<(Page, tokio::sync::OwnedSemaphorePermit), Refused> {
    let (order, limit) = (Order::Newest, LOOKED_AT);
    let question = Question { filter, since, until, order, skip: 0, limit, count_to: LOOKED_AT as u64 };
    let look =
        move |archive: &dyn Archive, stop: Stop<'_>| -> Result<Page, AskError> { archive.search(&question, stop) };
    library.ask(Lane::Search, look).await
}

fn read(page: &Page) -> Vec<Map<String, Value>> {
    page.lines.iter().filter_map(|line| serde_json::from_str(&line.json).ok()).collect()
}

/// Whether all that are meant were looked at.
fn is_complete(page: &Page) -> bool {
    !page.partial && matches!(page.total, Total::Exact(total) if total as usize <= page.lines.len())
}

fn facet(records: &[Map<String, Value>], name: &str, limit: usize) -> Value {
    let counts = Counts::of(records, name);
    let shown = counts.most(limit);
    let of_shown: u64 = shown.iter().filter_map(|value| value["count"].as_u64()).sum();
    let all: u64 = counts.values.iter().map(|(_, count)| count).sum();
    json!({ "field": name, "values": shown, "others": all - of_shown, "absent": counts.absent })
}

/// How often a field has each of its values.
struct Counts {
    /// The most frequent first; of as many, in the order of their texts.
    values: Vec<(Value, u64)>,
    absent: u64,
}

impl Counts {
    fn of(records: &[Map<String, Value>], name: &str) -> Counts {
        let (mut counted, mut absent) = (HashMap::<String, (Value, u64)>::new(), 0);
        for record in records {
            match part(record, name) {
                Some(value) => {
                    counted.entry(value.to_string()).or_insert_with(|| (value.clone(), 0)).1 += 1;
                }
                None => absent += 1,
            }
        }
        let mut values: Vec<(Value, u64)> = counted.into_values().collect();
        values.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| text(a).cmp(&text(b))));
        Counts { values, absent }
    }

    fn most(&self, limit: usize) -> Vec<Value> {
        let fits = |(value, _): &&(Value, u64)| value.as_str().is_none_or(|text| text.len() <= LONGEST);
        let shown = self.values.iter().filter(fits).take(limit);
        shown.map(|(value, count)| json!({ "value": value, "count": count })).collect()
    }
}

/// A value that is one: behind a dot, a part of an object.
fn part<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let (head, rest) = name.split_once('.').map_or((name, None), |(head, rest)| (head, Some(rest)));
    let value = record.get(head)?;
    let value = match rest {
        Some(rest) => value.get(rest)?,
        None => value,
    };
    (!value.is_null() && !value.is_object() && !value.is_array()).then_some(value)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(lines: &[Value]) -> Vec<Map<String, Value>> {
        lines.iter().filter_map(|line| line.as_object().cloned()).collect()
    }

    #[test]
    fn values_are_counted_the_most_frequent_first_and_all_records_are_somewhere() {
        let lines = [
            json!({"a": "x"}),
            json!({"a": "y"}),
            json!({"a": "y"}),
            json!({"a": null}),
            json!({}),
            json!({"a": {"b": 1}}),
        ];
        let told = facet(&records(&lines), "a", 1);
        assert_eq!(told, json!({"field": "a", "values": [{"value": "y", "count": 2}], "others": 1, "absent": 3}));
        assert_eq!(facet(&records(&lines), "a.b", 5)["values"], json!([{"value": 1, "count": 1}]));
    }

    #[test]
    fn every_field_is_described_and_its_kind_is_a_word() {
        let told = vocabulary(None).expect("no parameters");
        let told: Value = serde_json::from_slice(&told.content).expect("JSON");
        let fields = told["fields"].as_array().expect("a list");
        assert_eq!(fields.len(), super::fields().len());
        let level = fields.iter().find(|field| field["name"] == "level").expect("it is there");
        assert_eq!((&level["kind"], level["values"].as_array().map(Vec::len)), (&json!("level"), Some(5)));
        assert!(wanted(Some("level,route,ip")).is_ok() && wanted(Some("levle")).is_err());
    }

    proptest! {
        #[test]
        fn counts_agree_with_a_naive_count(values in prop::collection::vec(prop::option::of("[a-c]{0,2}"), 0..60), limit in 1..5_usize) {
            let lines: Vec<Value> = values.iter().map(|value| json!({ "a": value })).collect();
            let told = facet(&records(&lines), "a", limit);
            let shown = told["values"].as_array().expect("a list");
            for value in shown {
                let naive = values.iter().filter(|one| one.as_deref() == value["value"].as_str()).count();
                prop_assert_eq!(value["count"].as_u64(), Some(naive as u64));
            }
            let of_shown: u64 = shown.iter().filter_map(|value| value["count"].as_u64()).sum();
            let rest = told["others"].as_u64().expect("a number") + told["absent"].as_u64().expect("a number");
            prop_assert_eq!(of_shown + rest, values.len() as u64);
            prop_assert!(shown.len() <= limit);
        }
    }
}
