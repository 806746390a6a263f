//! Notices for a terminal and for the plain half of a mail.

use std::fmt::Write as _;

use crate::alert::notice::{Group, Kind, Notice};

use super::{Batch, DETAILED, LONGEST, chart, dropped, group_value, line, moment, place, row, state, title};

/// A batch, one notice below the other.
pub(in crate::alert) fn batch(batch: &Batch) -> String {
    let mut out = String::new();
    if let Some(dropped) = dropped(batch) {
        let _ = writeln!(out, "{dropped}\n");
    }
    for (place, one) in batch.notices.iter().enumerate() {
        if place > 0 {
            let _ = writeln!(out, "\n{}\n", "-".repeat(72));
        }
        heading(one, &mut out);
        if place < DETAILED {
            details(one, &mut out);
        }
    }
    out
}

fn heading(notice: &Notice, out: &mut String) {
    let _ = writeln!(out, "{}  {}  {}", state(notice.kind), notice.severity, title(notice));
    let _ = writeln!(out, "{}", line(&notice.summary, LONGEST));
}

fn details(notice: &Notice, out: &mut String) {
    out.push('\n');
    facts(notice).into_iter().for_each(|(name, value)| out.push_str(&format!("  {name:<12} {value}\n")));
    evidence(notice, out);
}

/// What there is to say of a notice beside its heading, by name.
pub(super) fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut say =
        |name, value: Option<String>| facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    say("Description", notice.description.as_deref().map(|text| line(text, LONGEST)));
    let group = |group: &Group| format!("{} = {}", line(&group.by, LONGEST), line(&group_value(group), LONGEST));
    say("Of", notice.group.as_ref().map(group));
    say("Service", Some(place(notice)));
    say("Since", (notice.kind != Kind::Test).then(|| moment(notice.since)));
    say("Time", Some(moment(notice.at)));
    facts
}

fn evidence(notice: &Notice, out: &mut String) {
    if let Some(bars) = chart::sparkline(&notice.evidence.chart) {
        let _ = writeln!(out, "\nCourse, up to {}:\n  {bars}", chart::most(&notice.evidence.chart));
    }
    if !notice.evidence.routes.is_empty() {
        let _ = writeln!(out, "\nRoutes:");
        for (route, count) in &notice.evidence.routes {
            let _ = writeln!(out, "  {count:>8}  {}", line(route, LONGEST));
        }
    }
    if !notice.evidence.records.is_empty() {
        let _ = writeln!(out, "\nNewest records:");
        notice.evidence.records.iter().take(row::MOST).for_each(|record| entry(&row::read(record), out));
    }
    if let Some(link) = &notice.link {
        let _ = writeln!(out, "\nMore: {}", line(link, 4 * LONGEST));
    }
}

fn entry(row: &row::Row, out: &mut String) {
    let cells = [&row.time, &row.level, &row.status, &row.request, &row.route, &row.duration, &row.request_id];
    let cells: Vec<&str> = cells.into_iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
    if !cells.is_empty() {
        let _ = writeln!(out, "  {}", cells.join("  "));
    }
    if !row.message.is_empty() {
        let _ = writeln!(out, "    {}", row.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::samples;
    use proptest::prelude::*;

    #[test]
    fn a_notice_is_read_from_the_top() {
        let one = Batch { notices: vec![samples::notice(Kind::Fired).into()], dropped: 0 };
        assert_eq!(batch(&one), include_str!("samples/fired.txt"));
    }

    proptest! {
        #[test]
        fn nothing_in_it_does_anything_to_a_terminal(one in samples::any_notice()) {
            let shown = batch(&Batch { notices: vec![one.into()], dropped: 1 });
            prop_assert!(!shown.chars().any(|character| character.is_control() && character != '\n'));
        }
    }
}
