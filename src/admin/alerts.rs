//! `GET /api/alerts`: the rules, and what each has come to. `POST /api/alerts/silences`: quiet for one of them, for a while.

use http::StatusCode;
use serde_json::{Value, json};

use crate::alert::lifecycle::Phase;
use crate::alert::service::{AlertStatus, RuleStatus};
use crate::alert::silence::{self, Silence};
use crate::alert::{Alerts, Group, Status, channel};
use crate::filter;
use crate::record;

use super::answer::{Answer, json as answer};
use super::query::{Query, bad, shown};
use super::refused::Refused;
use super::server::Sources;

/// Alerts that can be seen: those that are not quiet come first.
const MOST: usize = 10_000;
/// The longest silence, in microseconds: 30 days.
const LONGEST: u64 = 30 * 86_400_000_000;

/// One page of the alerts.
pub(super) fn list(sources: &Sources, query: Option<&str>) -> Result<Answer, Refused> {
    let page = Query::read(query, &["page", "per_page"])?.page(MOST)?;
    let (status, channels) = (sources.alerts.status(), (sources.channels)());
    let mut all: Vec<(u8, Value)> = status.rules.iter().flat_map(of_rule).collect();
    all.sort_by_key(|(rank, _)| *rank);
    let total = all.len();
    let more = json!({
        "silences": status.silences.iter().map(told).collect::<Vec<_>>(),
        "channels": channels.iter().map(of_channel).collect::<Vec<_>>(),
        "unseen_records": status.lost,
    });
    Ok(page.of("alerts", all.into_iter().map(|(_, alert)| alert), total, more))
}

fn of_channel(channel: &channel::Status) -> Value {
    json!({
        "name": channel.name,
        "type": channel.kind,
        "delivered": channel.delivered,
        "failed": channel.failed,
        "dropped": channel.dropped,
        "waiting": channel.waiting,
        "failing": channel.failing,
        "last_error": channel.last_error,
        "last_delivered": channel.last_delivered_at.map(record::timestamp),
    })
}

/// Each alert of a rule; a rule that tells apart and has none that is not quiet is shown once.
fn of_rule(rule: &RuleStatus) -> Vec<(u8, Value)> {
    if rule.alerts.is_empty() {
        return vec![(2, of_alert(rule, None))];
    }
    let rank = |alert: &AlertStatus| match alert.phase {
        Phase::Firing(_) => 0,
        Phase::Pending(_) => 1,
        Phase::Quiet => 2,
    };
    rule.alerts.iter().map(|alert| (rank(alert), of_alert(rule, Some(alert)))).collect()
}

fn of_alert(rule: &RuleStatus, alert: Option<&AlertStatus>) -> Value {
    let (state, since) = match alert.map(|alert| alert.phase) {
        None | Some(Phase::Quiet) => ("quiet", None),
        Some(Phase::Pending(since)) => ("pending", Some(since)),
        Some(Phase::Firing(since)) => ("firing", Some(since)),
    };
    let moment = |second: u64| record::timestamp(second * 1_000_000);
    let group = alert.and_then(|alert| alert.group.as_ref());
    let mut shown = json!({
        "rule": rule.name,
        "severity": rule.severity.as_str(),
        "description": rule.description,
        "state": state,
        "since": since.map(moment),
        "by": group.map(|Group { by, .. }| by),
        "group": group.and_then(|Group { name, .. }| name.as_ref()),
        "value": alert.and_then(|alert| alert.value),
        "summary": alert.and_then(|alert| alert.summary.as_ref()),
        "notified": alert.and_then(|alert| alert.told_at).map(moment),
        "silenced": rule.silenced,
    });
    if let Some(members) = shown.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    shown
}

/// Keeps a rule quiet. Returns at once; the rule is quiet within a second.
pub(super) fn silence(alerts: &Alerts, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    let query = Query::read(query, &["rule", "for", "comment"])?;
    let rule = query.get("rule").ok_or_else(|| bad("say which `rule`, or * for all"))?;
    let status = alerts.status();
    if rule != "*" && !status.rules.iter().any(|known| known.name == rule) {
        return Err(unknown(rule, &status));
    }
    let span = query.get("for").ok_or_else(|| bad("say for how long: `for`=1h; 0 ends a silence"))?;
    let span = filter::duration(span).filter(|micros| *micros <= LONGEST);
    let span = span.ok_or_else(|| bad("`for` is no duration of up to 30d such as 1h or 30m"))?;
    let comment = query.get("comment").map(|comment| comment.chars().take(silence::LONGEST).collect());
    let silence = Silence { rule: rule.to_owned(), until: now.saturating_add(span), comment };
    let said = told(&silence);
    alerts.silence(silence);
    Ok(answer(StatusCode::OK, &said))
}

fn unknown(rule: &str, status: &Status) -> Refused {
    let names = status.rules.iter().map(|rule| rule.name.as_str());
    let nearest =
        filter::nearest(rule, names.clone()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let known = names.collect::<Vec<_>>().join(", ");
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are {known}") };
    Refused::NotThere(format!("`{}` is no rule: {nearest}{known}", shown(rule)))
}

fn told(silence: &Silence) -> Value {
    json!({ "rule": silence.rule, "until": record::timestamp(silence.until), "comment": silence.comment })
}
