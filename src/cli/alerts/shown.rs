//! Alerts in lines for people.

use serde_json::Value as Json;

use crate::search::paint::harmless;

/// One alert a line: state, rule, which of them, what was measured, since when.
pub(super) fn table(answer: &Json, first: bool) -> String {
    let alerts = answer["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; 4]> = alerts.iter().map(row).collect();
    let widths = [0, 1, 2].map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default());
    let line = |[state, rule, group, rest]: &[String; 4]| {
        let [one, two, three] = widths;
        let text = format!("{state:one$}  {rule:two$}  {group:three$}  {rest}");
        format!("{}\n", text.trim_end())
    };
    let mut text: String = rows.iter().map(line).collect();
    if first {
        text.extend(answer["silences"].as_array().into_iter().flatten().map(silence));
    }
    if first && rows.is_empty() {
        text.push_str("there are no rules: nothing is configured in [alerts]\n");
    }
    text
}

fn row(alert: &Json) -> [String; 4] {
    let text = |name: &str| harmless(alert[name].as_str().unwrap_or_default());
    let group = match (alert["by"].as_str(), alert["group"].as_str()) {
        (None, _) => String::new(),
        (Some(by), Some(name)) => harmless(&format!("{by}={name}")),
        (Some(by), None) => format!("{by}: all others"),
    };
    let since = alert["since"].as_str().map(|since| format!("  since {since}")).unwrap_or_default();
    let silenced = if alert["silenced"] == true { "  (silenced)" } else { "" };
    [text("state"), text("rule"), group, format!("{}{since}{silenced}", text("summary"))]
}

/// A silence, or the end of one.
pub(super) fn silence(silence: &Json) -> String {
    let text = |name: &str| harmless(silence[name].as_str().unwrap_or_default());
    let comment = if silence["comment"].is_null() { String::new() } else { format!(": {}", text("comment")) };
    let rule = if silence["rule"] == "*" { "all rules".to_owned() } else { text("rule") };
    format!("nobody is told of {rule} until {}{comment}\n", text("until"))
}
