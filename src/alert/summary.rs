//! What was measured, in a sentence: `12 records in 1m, above 10`.

use super::notice::Kind;
use super::settings::{Bound, Records, Rule, State, Subject};
use crate::analyze::{Burn, Measure};
use crate::filter::Kind as FieldKind;

/// What a rule's value is, and what it is beyond or no longer beyond.
pub fn summary(rule: &Rule, kind: Kind, value: f64, sample: u64) -> String {
    let still = if kind == Kind::Resolved { "no longer " } else { "" };
    match &rule.subject {
        Subject::Records(Records { measure: Measure::Burn(slo), .. }) => burnt(slo, value, still.is_empty()),
        subject => {
            format!("{}, {still}{}", measured(subject, value, sample), bound(rule))
        }
    }
}

/// What a rule's value is while nothing fires: `2 records in 1m, fires above 10`.
pub fn reading(rule: &Rule, value: f64, sample: u64) -> String {
    match &rule.subject {
        Subject::Records(Records { measure: Measure::Burn(slo), .. }) => burnt(slo, value, false),
        subject => {
            format!("{}, fires {}", measured(subject, value, sample), bound(rule))
        }
    }
}

/// `above 10`.
fn bound(rule: &Rule) -> String {
    let side = match rule.bound {
        Bound::Above(_) => "above",
        Bound::Below(_) => "below",
    };
    format!("{side} {}", quantity(&rule.subject, rule.bound.value()))
}

/// Value and bound as notices have them: shares from 0 to 1, seconds.
pub fn plain(rule: &Rule, value: f64) -> f64 {
    if is_duration(&rule.subject) { value / 1e6 } else { value }
}

fn measured(subject: &Subject, value: f64, sample: u64) -> String {
    let amount = quantity(subject, value);
    match subject {
        Subject::Records(Records { measure, field, .. }) => match measure {
            Measure::Count { per } => format!("{amount} {} in {}", records(value), span(*per)),
            Measure::Ratio { per, .. } => format!("{amount} of {sample} {} in {}", records(sample as f64), span(*per)),
            Measure::Quantile { q, per, .. } => {
                let field = field.as_ref().map(ToString::to_string).unwrap_or_default();
                let part = number(q * 100.0);
                format!("p{part} of {field} {amount} over {sample} {} in {}", records(sample as f64), span(*per))
            }
            Measure::Burn(_) => String::new(),
        },
        Subject::State(State::UpstreamDown) => format!("{amount} {} down", plural(value, "server", "servers")),
        Subject::State(State::LogLoss { per }) => {
            format!("{amount} {} lost in {}", records(value), span(per.as_secs()))
        }
        Subject::State(State::CertificateExpiring) => format!("the certificate is valid for {amount} days"),
        Subject::State(State::RequestsStuck { after }) => {
            format!("{amount} {} running for over {}", plural(value, "request", "requests"), span(after.as_secs()))
        }
    }
}

fn burnt(slo: &Burn, value: f64, fires: bool) -> String {
    let allowed = format!("{} % allowed over {}", number(slo.allowed * 100.0), span(slo.window));
    let how = if fires { "too fast" } else { "of what is too fast" };
    format!("the {allowed} are used up {} times {how}", number(value))
}

fn records(count: f64) -> &'static str {
    plural(count, "record", "records")
}

fn plural(count: f64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1.0 { one } else { many }
}

/// A value in its unit.
fn quantity(subject: &Subject, value: f64) -> String {
    match subject {
        Subject::Records(Records { measure: Measure::Ratio { .. }, .. }) => format!("{} %", number(value * 100.0)),
        subject if is_duration(subject) => micros(value),
        _ => number(value),
    }
}

fn is_duration(subject: &Subject) -> bool {
    let Subject::Records(Records { measure: Measure::Quantile { .. }, field: Some(field), .. }) = subject else {
        return false;
    };
    field.field.kind == FieldKind::Duration
}

/// With three digits at least, and no more than it takes.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        value if value >= 100.0 || value.fract() == 0.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn micros(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} s", number(value / 1e6)),
        value if value >= 1e3 => format!("{} ms", number(value / 1e3)),
        value => format!("{} us", number(value)),
    }
}

/// Seconds as the configuration has them: `90s` is `1m30s`.
pub fn span(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let (mut rest, mut text) = (seconds, String::new());
    for (unit, size) in units {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::settings::Severity;
    use crate::filter::{Expression, Node};

    fn rule(subject: Subject, bound: Bound) -> Rule {
        Rule {
            name: "r".into(),
            severity: Severity::Warning,
            description: None,
            subject,
            bound,
            clear: bound.value(),
            hold: Duration::ZERO,
            cooldown: Duration::ZERO,
            repeat: None,
            channels: Vec::new(),
        }
    }

    fn said(measure: Measure, bound: Bound, value: f64, sample: u64) -> String {
        let filter = Expression::parse("duration:*").expect("a filter");
        let Node::Field(name, _) = filter.root() else { panic!("a field") };
        let field = Some(name.clone());
        let records = Records { filter: filter.clone(), of: None, by: None, field, measure };
        summary(&rule(Subject::Records(records), bound), Kind::Fired, value, sample)
    }

    #[test]
    fn what_was_measured_is_said_with_its_unit() {
        let said = [
            said(Measure::Count { per: 60 }, Bound::Above(10.0), 12.0, 12),
            said(Measure::Count { per: 300 }, Bound::Below(1.0), 0.0, 0),
            said(Measure::Ratio { per: 300, at_least: 50 }, Bound::Above(0.05), 0.075, 200),
            said(Measure::Quantile { q: 0.95, per: 90, at_least: 1 }, Bound::Above(800_000.0), 1_204_000.0, 85),
            said(Measure::Burn(Burn { allowed: 0.001, window: 30 * 86_400 }), Bound::Above(1.0), 2.31, 7),
        ];
        let expected = [
            "12 records in 1m, above 10",
            "0 records in 5m, below 1",
            "7.5 % of 200 records in 5m, above 5 %",
            "p95 of duration 1.2 s over 85 records in 1m30s, above 800 ms",
            "the 0.1 % allowed over 30d are used up 2.31 times too fast",
        ];
        assert_eq!(said, expected);
        let quiet = reading(&rule(Subject::State(State::UpstreamDown), Bound::Above(0.0)), 0.0, 0);
        assert_eq!(quiet, "0 servers down, fires above 0");
    }

    #[test]
    fn states_are_said_too_and_what_is_over_is_said_to_be() {
        let state = |state, bound, value| summary(&rule(Subject::State(state), bound), Kind::Resolved, value, 0);
        let minute = Duration::from_secs(60);
        let said = [
            state(State::UpstreamDown, Bound::Above(0.0), 1.0),
            state(State::LogLoss { per: minute }, Bound::Above(0.0), 153.0),
            state(State::CertificateExpiring, Bound::Below(14.0), 3.21),
            state(State::RequestsStuck { after: minute }, Bound::Above(0.0), 3.0),
        ];
        let expected = [
            "1 server down, no longer above 0",
            "153 records lost in 1m, no longer above 0",
            "the certificate is valid for 3.21 days, no longer below 14",
            "3 requests running for over 1m, no longer above 0",
        ];
        assert_eq!(said, expected);
    }
}
