//! Where a notice leads: to the search of what its rule means, in the window that it is about; else to the dashboard as such.

use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::notice::Group;
use super::settings::{Rule, Subject};
use crate::record::timestamp;

/// The page, below where the dashboard is. `since` is when it began and `at` when it is told, in microseconds since the Unix
/// epoch.
pub(super) fn to(dashboard: &Uri, rule: &Rule, group: Option<&Group>, (since, at): (u64, u64)) -> String {
    let base = dashboard.to_string();
    let base = base.trim_end_matches('/');
    let Subject::Records(records) = &rule.subject else { return format!("{base}/alerts") };
    let mut terms = vec![format!("({})", records.filter)];
    terms.extend(records.of.as_ref().map(|of| format!("({of})")));
    terms.extend(group.and_then(|group| Some(format!("{}:{}", group.by, quoted(group.name.as_deref()?)))));
    let window = records.measure.window() * 1_000_000;
    let (from, to) = (timestamp(since.saturating_sub(window)), timestamp(at));
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("{base}/search?q={}&since={}&until={}", encode(&terms.join(" ")), encode(&from), encode(&to))
}

/// A value that says only itself.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::settings::{Bound, Records, Severity};
    use crate::analyze::Measure;
    use crate::filter::Expression;
    use percent_encoding::percent_decode_str;
    use std::time::Duration;

    fn rule(filter: &str) -> Rule {
        let filter = Expression::parse(filter).expect("a filter");
        let measure = Measure::Count { per: 60 };
        Rule {
            name: "failures".to_owned(),
            severity: Severity::Warning,
            description: None,
            subject: Subject::Records(Records { filter, of: None, by: None, field: None, measure }),
            bound: Bound::Above(1.0),
            clear: 1.0,
            hold: Duration::ZERO,
            cooldown: Duration::ZERO,
            repeat: None,
            channels: Vec::new(),
        }
    }

    #[test]
    fn it_leads_to_the_search_of_what_the_rule_means() {
        let group = Group { by: "route".to_owned(), name: Some("a\"b".to_owned()) };
        let dashboard = "https://gatelog.example/".parse().expect("a URL");
        let link = to(&dashboard, &rule("status>=500"), Some(&group), (1_795_345_140_000_000, 1_795_345_150_000_000));
        let query = link.strip_prefix("https://gatelog.example/search?").expect("the search");
        let decoded = percent_decode_str(query).decode_utf8().expect("UTF-8");
        let (q, time) = decoded.strip_prefix("q=").and_then(|rest| rest.split_once("&since=")).expect("both");
        let expected = Expression::parse("status>=500 route:\"a\\\"b\"").expect("a filter");
        assert_eq!(Expression::parse(q).expect("a filter").to_string(), expected.to_string(), "{q}");
        assert_eq!(time, "2026-11-22T10:58:00.000000Z&until=2026-11-22T10:59:10.000000Z");
    }
}
