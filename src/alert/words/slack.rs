//! Messages for Slack, Mattermost and Rocket.Chat, whose incoming webhooks all show `attachments` and Slack's alone `blocks`.
//!
//! Texts of requests could name people or link somewhere. Slack's marks are escaped as it asks
//! for; what the others read as Markdown is broken by a mark that is not seen; records stand in code, which they cannot end.

use serde_json::{Value, json};

use crate::alert::notice::{Kind, Notice};

use super::{Batch, chart, cut, dropped, headline, line, row, state, text, title};

/// Characters of one text of an attachment, as Slack shows it.
const TEXT: usize = 3000;
/// Attachments of one message.
const MOST: usize = 10;
/// Characters of a title and of a field.
const SHORT: usize = 300;
/// Records that are shown: a chat is no place for more.
const RECORDS: usize = 5;

/// A batch as one message.
pub(in crate::alert) fn batch(batch: &Batch) -> Value {
    let mut said = vec![escape(&headline(batch))];
    said.extend(dropped(batch));
    let more = batch.notices.len().saturating_sub(MOST);
    if more > 0 {
        said.push(format!("{more} of them are not shown."));
    }
    let attachments: Vec<Value> = batch.notices.iter().take(MOST).map(|notice| attachment(notice)).collect();
    json!({"text": said.join("\n"), "link_names": false, "attachments": attachments})
}

fn attachment(notice: &Notice) -> Value {
    let heading = format!("{} {}: {}", state(notice.kind), notice.severity, title(notice));
    let fields: Vec<Value> = text::facts(notice)
        .into_iter()
        .map(|(name, value)| json!({"title": name, "value": escape(&cut(&value, SHORT)), "short": value.len() < 40}))
        .collect();
    let mut attachment = json!({
        "color": colour(notice),
        "fallback": escape(&cut(&format!("{heading}, {}", line(&notice.summary, SHORT)), SHORT)),
        "title": escape(&cut(&heading, SHORT)),
        "text": body(notice),
        "fields": fields,
        "footer": "gatelog",
        "ts": notice.at / 1_000_000,
        "mrkdwn_in": ["text"],
    });
    if let Some(link) = &notice.link {
        attachment["title_link"] = json!(link);
    }
    attachment
}

fn colour(notice: &Notice) -> &'static str {
    match (notice.kind, notice.severity) {
        (Kind::Resolved, _) => "#15803d",
        (Kind::Fired | Kind::Repeated, "critical") => "#b91c1c",
        (Kind::Fired | Kind::Repeated, "warning") => "#b45309",
        _ => "#2563eb",
    }
}

/// The summary, and in code the course, the routes and the newest records, as far as there is room.
fn body(notice: &Notice) -> String {
    let mut code = Vec::new();
    code.extend(chart::sparkline(&notice.evidence.chart));
    code.extend(notice.evidence.routes.iter().map(|(route, count)| format!("{count:>6}  {}", line(route, SHORT))));
    code.extend(notice.evidence.records.iter().take(RECORDS).map(|record| entry(&row::read(record))));
    let mut out = escape(&line(&notice.summary, SHORT));
    let mut block = String::new();
    for text in code {
        let text = in_code(&text);
        if out.chars().count() + block.chars().count() + text.chars().count() + 10 > TEXT {
            break;
        }
        block.push('\n');
        block.push_str(&text);
    }
    if !block.is_empty() {
        out.push_str(&format!("\n```{block}\n```"));
    }
    out
}

fn entry(row: &row::Row) -> String {
    let time = row.time.get(11..19).unwrap_or(&row.time);
    let cells = [time, &row.status, &row.request, &row.duration, &row.request_id, &row.message];
    cells.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}

/// A text outside of code.
fn escape(text: &str) -> String {
    // `@all`, `[text](address)`: with a space of no width behind it, none of them is one.
    harmless(text, &['@', ']'])
}

/// A text in code.
fn in_code(text: &str) -> String {
    harmless(text, &['@'])
}

/// A text that ends no code, and of which these characters begin nothing.
fn harmless(text: &str, broken: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '`' => escaped.push('\''),
            other if broken.contains(&other) => escaped.extend([other, '\u{200b}']),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::samples;
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn a_message_says_it_in_both_places() {
        let message = batch(&Batch { notices: vec![samples::notice(Kind::Fired).into()], dropped: 2 });
        let text = message["text"].as_str().unwrap();
        assert!(text.starts_with("FIRING critical: error_rate route=checkout"), "{text}");
        assert!(text.ends_with("\n2 notices before these were dropped: too many waited."), "{text}");
        let attachment = &message["attachments"][0];
        assert_eq!(attachment["color"], "#b91c1c");
        assert_eq!(attachment["title_link"], "https://gatelog.example/?q=level%3E%3Derror&since=1h");
        let body = attachment["text"].as_str().unwrap();
        assert!(
            body.starts_with("12 records in 1m, above 10\n```\n▁▁▂▁▄█\n     9  checkout\n     3  &lt;cart&gt;\n"),
            "{body}"
        );
        assert!(body.contains("11:59:59  502  POST /checkout/?item=&lt;script&gt;"), "{body}");
        assert_eq!(attachment["fields"][0]["title"], "Description");
    }

    #[test]
    fn of_very_many_some_are_counted_only() {
        let notice = Arc::new(samples::notice(Kind::Fired));
        let message = batch(&Batch { notices: vec![notice; 14], dropped: 0 });
        assert_eq!(message["attachments"].as_array().map(Vec::len), Some(MOST));
        assert!(message["text"].as_str().unwrap().ends_with("\n4 of them are not shown."));
    }

    /// Every text in a document but addresses.
    fn texts(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
            Value::Object(members) => {
                members.iter().filter(|(name, _)| *name != "title_link").for_each(|(_, value)| texts(value, into));
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn nobody_is_called_and_nothing_is_linked(one in samples::any_notice()) {
            let mut all = Vec::new();
            texts(&batch(&Batch { notices: vec![one.into()], dropped: 0 }), &mut all);
            for text in all {
                prop_assert!(!text.contains(['<', '>']), "{text:?}");
                prop_assert!(!text.contains("@all") && !text.contains("@channel"), "{text:?}");
                prop_assert!(!text.split("```").step_by(2).any(|outside| outside.contains("](")), "{text:?}");
                prop_assert!(text.matches("```").count() % 2 == 0, "{text:?}");
                prop_assert!(text.chars().count() <= TEXT, "{}", text.chars().count());
            }
        }
    }
}
