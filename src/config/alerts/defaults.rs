//! The rules that are there without any `[[alerts.rule]]`: what hardly anybody wants to sleep through.

use std::time::Duration;

use super::rule::Common;
use super::subject::known;
use crate::alert::{Bound, Records, Rule, Severity, State, Subject};
use crate::analyze::Measure;

/// All of them, told on every channel.
pub(super) fn rules(common: &Common) -> Vec<Rule> {
    let counted = [
        // What failed has a record of its own beside the one of its end, both of them errors: it counts once.
        ("errors", "level>=error -event:request_failed", 10.0, "More errors than usual."),
        ("slow_requests", "event:request_slow", 50.0, "Many requests take longer than log.slow."),
    ];
    let critical = count("level:critical", 0.0).map(|(subject, bound)| Rule {
        severity: Severity::Critical,
        cooldown: Duration::ZERO,
        ..rule("critical", "gatelog itself has failed.", subject, bound, common)
    });
    let counted = counted.into_iter().filter_map(|(name, filter, above, description)| {
        let (subject, bound) = count(filter, above)?;
        Some(rule(name, description, subject, bound, common))
    });
    let asked = [
        ("upstream_down", State::UpstreamDown, Bound::Above(0.0), "Servers are given no requests."),
        ("log_loss", State::LogLoss { per: MINUTE }, Bound::Above(0.0), "Outputs have lost records."),
        ("certificate_expiring", State::CertificateExpiring, Bound::Below(14.0), "A certificate expires soon."),
        ("requests_stuck", State::RequestsStuck { after: 5 * MINUTE }, Bound::Above(0.0), "Requests do not end."),
    ];
    let asked =
        asked.map(|(name, state, bound, description)| rule(name, description, Subject::State(state), bound, common));
    counted.chain(critical).chain(asked).collect()
}

const MINUTE: Duration = Duration::from_secs(60);

fn count(filter: &str, above: f64) -> Option<(Subject, Bound)> {
    let measure = Measure::Count { per: MINUTE.as_secs() };
    let records = Records { filter: known(filter)?, of: None, by: None, field: None, measure };
    Some((Subject::Records(records), Bound::Above(above)))
}

fn rule(name: &str, description: &str, subject: Subject, bound: Bound, common: &Common) -> Rule {
    Rule {
        name: name.to_owned(),
        severity: Severity::Warning,
        description: Some(description.to_owned()),
        subject,
        bound,
        clear: bound.value(),
        hold: Duration::ZERO,
        cooldown: common.cooldown,
        repeat: common.repeat,
        channels: common.all_channels(),
    }
}
