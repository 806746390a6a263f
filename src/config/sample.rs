//! `log.sample` and a route's `sample`: rules of sampling.

use super::filter::filter;
use super::finding::Complaint;
use super::reader::Section;
use super::tree::{Node, Value};
use crate::routes::SampleRule;

/// Rules of a list; each is asked of every request that goes well.
const MOST_RULES: usize = 64;

/// `sample` of `[log]`: a list of rules.
pub(super) fn rules(section: &mut Section<'_>) -> Vec<SampleRule> {
    let (at, reader) = (section.at("sample"), section.reader);
    let mut rules: Vec<SampleRule> = Vec::new();
    for table in section.tables("sample") {
        let at = table.at;
        if rules.last().is_some_and(|rule| rule.filter.is_none()) {
            let message = "this rule never decides: the one before it has no filter and means every request";
            reader.warning(at, message, "put the one without a filter last");
        }
        rules.extend(rule(table));
    }
    if rules.len() > MOST_RULES {
        reader.error(
            at,
            format!("{} rules of sampling are too many", rules.len()),
            format!("{MOST_RULES} are the most"),
        );
    }
    rules
}

/// `sample` of a route: one rate for all its requests, or rules in place of those of `[log]`; none are no sampling.
pub(super) fn of_route(section: &mut Section<'_>) -> Option<Vec<SampleRule>> {
    match section.value("sample") {
        Some(Value::Array(_)) => Some(rules(section)),
        Some(_) => section.read("sample", rate).map(|rate| vec![SampleRule { filter: None, rate }]),
        None => {
            rules(section);
            None
        }
    }
}

/// One rule; `None` where it cannot be read.
fn rule(mut section: Section<'_>) -> Option<SampleRule> {
    let wants_filter = section.has("filter");
    let filter = filter(&mut section, "filter");
    let rate = section.require("rate", "0.1", rate)?;
    (filter.is_some() || !wants_filter).then_some(SampleRule { filter, rate })
}

/// A share: 0 to 1.
fn rate(node: &Node) -> Result<f64, Complaint> {
    let hint = "write a share from 0 to 1: 0.1 keeps one request in ten, 0 none";
    let rate = node.number().map_err(|complaint| Complaint::new(complaint.message, hint))?;
    if (0.0..=1.0).contains(&rate) { Ok(rate) } else { Err(Complaint::new(format!("{rate} is no share"), hint)) }
}
