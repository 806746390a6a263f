//! Notices for the other half of a mail: tables and inline styles, which is what mail programs agree on.

use std::fmt::Write as _;

use crate::alert::notice::{Kind, Notice};

use super::{Batch, DETAILED, LONGEST, chart, dropped, line, row, state, text, title};

/// Pixels of the highest bar.
const HIGHEST: usize = 40;
const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const CELL: &str = "padding:3px 10px 3px 0;text-align:left;vertical-align:top";

/// A batch as a whole page.
pub(in crate::alert) fn batch(batch: &Batch) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"margin:0;padding:16px;{FONT};font-size:14px;color:#1f2430;background:#ffffff\">\n",
        escape(&super::headline(batch))
    );
    if let Some(dropped) = dropped(batch) {
        let _ = writeln!(out, "<p>{}</p>", escape(&dropped));
    }
    batch.notices.iter().enumerate().for_each(|(place, one)| notice(one, place < DETAILED, &mut out));
    out.push_str("</body></html>\n");
    out
}

/// A text that means nothing in a page, neither as content nor in an attribute.
pub(in crate::alert) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn notice(notice: &Notice, in_detail: bool, out: &mut String) {
    let colour = colour(notice);
    let _ = writeln!(
        out,
        "<div style=\"border-left:4px solid {colour};padding:0 0 4px 12px;margin:0 0 28px 0\">\n\
         <h2 style=\"margin:0 0 4px 0;font-size:18px\"><span style=\"color:{colour}\">{} {}</span> {}</h2>\n\
         <p style=\"margin:0 0 10px 0;font-size:15px\">{}</p>",
        state(notice.kind),
        escape(notice.severity),
        escape(&title(notice)),
        escape(&line(&notice.summary, LONGEST))
    );
    if in_detail {
        details(notice, colour, out);
    }
    out.push_str("</div>\n");
}

fn details(notice: &Notice, colour: &str, out: &mut String) {
    out.push_str("<table style=\"border-collapse:collapse\">\n");
    for (name, value) in text::facts(notice) {
        let _ = writeln!(
            out,
            "<tr><th style=\"{CELL};color:#6b7280;font-weight:normal\">{name}</th><td style=\"{CELL}\">{}</td></tr>",
            escape(&value)
        );
    }
    out.push_str("</table>\n");
    evidence(notice, colour, out);
}

/// What the eye catches first.
fn colour(notice: &Notice) -> &'static str {
    match (notice.kind, notice.severity) {
        (Kind::Resolved, _) => "#15803d",
        (Kind::Test, _) => "#2563eb",
        (_, "critical") => "#b91c1c",
        (_, "warning") => "#b45309",
        _ => "#2563eb",
    }
}

fn evidence(notice: &Notice, colour: &str, out: &mut String) {
    bars(&notice.evidence.chart, colour, out);
    routes(&notice.evidence.routes, out);
    records(&notice.evidence.records, out);
    if let Some(link) = notice.link.as_deref().filter(|link| is_web(link)) {
        let link = escape(&line(link, 4 * LONGEST));
        let _ = writeln!(out, "<p style=\"margin:12px 0 0 0\"><a href=\"{link}\">See more in the dashboard</a></p>");
    }
}

/// Anything else would be an address that a click runs.
fn is_web(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

fn heading(text: &str, out: &mut String) {
    let _ = writeln!(out, "<h3 style=\"margin:14px 0 4px 0;font-size:14px\">{}</h3>", escape(text));
}

fn bars(counts: &[u64], colour: &str, out: &mut String) {
    let heights = chart::heights(counts, HIGHEST);
    if heights.is_empty() {
        return;
    }
    heading(&format!("Course, up to {}", chart::most(counts)), out);
    let _ = writeln!(
        out,
        "<table style=\"border-collapse:collapse;border-bottom:1px solid #d1d5db\"><tr style=\"height:{HIGHEST}px\">"
    );
    for height in heights {
        let _ = write!(
            out,
            "<td style=\"padding:0 1px 0 0;vertical-align:bottom\"><div style=\"width:6px;height:{height}px;\
             background:{colour};font-size:0;line-height:0\"></div></td>"
        );
    }
    out.push_str("\n</tr></table>\n");
}

fn routes(routes: &[(String, u64)], out: &mut String) {
    if routes.is_empty() {
        return;
    }
    heading("Routes", out);
    out.push_str("<table style=\"border-collapse:collapse\">\n");
    for (route, count) in routes {
        let _ = writeln!(
            out,
            "<tr><td style=\"{CELL};text-align:right\">{count}</td><td style=\"{CELL}\">{}</td></tr>",
            escape(&line(route, LONGEST))
        );
    }
    out.push_str("</table>\n");
}

fn records(records: &[String], out: &mut String) {
    if records.is_empty() {
        return;
    }
    heading("Newest records", out);
    out.push_str("<table style=\"border-collapse:collapse;font-size:12px\">\n<tr>");
    for name in ["Time", "Level", "Status", "Request", "Route", "Duration", "Request id", "What"] {
        let _ = write!(out, "<th style=\"{CELL};color:#6b7280;border-bottom:1px solid #d1d5db\">{name}</th>");
    }
    out.push_str("</tr>\n");
    records.iter().take(row::MOST).for_each(|record| entry(row::read(record), out));
    out.push_str("</table>\n");
}

fn entry(row: row::Row, out: &mut String) {
    out.push_str("<tr>");
    let cells = [row.time, row.level, row.status, row.request, row.route, row.duration, row.request_id, row.message];
    for cell in cells {
        let _ = write!(out, "<td style=\"{CELL};border-bottom:1px solid #f3f4f6\">{}</td>", escape(&cell));
    }
    out.push_str("</tr>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::samples;
    use proptest::prelude::*;

    fn page(one: Notice) -> String {
        batch(&Batch { notices: vec![one.into()], dropped: 2 })
    }

    #[test]
    fn a_notice_is_a_page() {
        let one = Batch { notices: vec![samples::notice(Kind::Fired).into()], dropped: 0 };
        assert_eq!(batch(&one), include_str!("samples/fired.html"));
    }

    #[test]
    fn links_lead_to_the_web_and_nowhere_else() {
        let mut one = samples::notice(Kind::Test);
        one.link = Some("javascript:alert(1)".to_owned());
        assert!(!page(one).contains("href"));
    }

    /// The same notice, where nothing means anything anywhere.
    fn harmless(notice: &Notice) -> Notice {
        let clean = |text: &str| -> String {
            text.chars().map(|character| if "&<>\"'".contains(character) { 'x' } else { character }).collect()
        };
        let mut harmless = notice.clone();
        for text in [&mut harmless.rule, &mut harmless.summary, &mut harmless.service, &mut harmless.environment] {
            *text = clean(text);
        }
        harmless.description = harmless.description.as_deref().map(clean);
        harmless.link = harmless.link.as_deref().map(clean);
        if let Some(group) = &mut harmless.group {
            (group.by, group.name) = (clean(&group.by), group.name.as_deref().map(clean));
        }
        harmless.evidence.routes.iter_mut().for_each(|(route, _)| *route = clean(route));
        for record in &mut harmless.evidence.records {
            *record = match serde_json::from_str::<serde_json::Value>(record) {
                Ok(serde_json::Value::Object(mut members)) => {
                    members.values_mut().for_each(|value| {
                        if let serde_json::Value::String(text) = value {
                            *text = clean(text);
                        }
                    });
                    serde_json::Value::Object(members).to_string()
                }
                _ => clean(record),
            };
        }
        harmless
    }

    proptest! {
        /// Whatever is in its texts, the page has the same marks as with harmless ones.
        #[test]
        fn texts_stay_texts(one in samples::any_notice()) {
            let marks = |page: &str| page.chars().filter(|character| "<>\"'".contains(*character)).collect::<String>();
            prop_assert_eq!(marks(&page(one.clone())), marks(&page(harmless(&one))));
            let page = page(one);
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
            let alone = page.match_indices('&').find(|(at, _)| !entities.iter().any(|entity| page[*at..].starts_with(entity)));
            prop_assert_eq!(alone, None);
            prop_assert!(!page.chars().any(|character| character.is_control() && character != '\n'));
        }
    }
}
