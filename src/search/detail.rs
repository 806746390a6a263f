//! Records with all their fields, one below the other.

use serde_json::Value as Json;

use crate::filter::Line;
use crate::store::Line as Found;

use super::paint::{Colour, Screen, harmless, padding, width};
use super::zone::Zone;

/// What stands in the heading already.
const HEADING: [&str; 4] = ["timestamp", "level", "event", "message"];

/// A record: its heading, and a line for each field; members of objects by their names with dots.
pub fn detail(record: &Found, screen: Screen, zone: &Zone) -> String {
    let Ok(line) = Line::parse(&record.json) else { return String::new() };
    let text = |name: &str| line.text(name).map(|text| harmless(&text)).unwrap_or_default();
    let level = text("level");
    let parts = [
        screen.paint(Colour::Bold, &zone.date_and_time(record.at)),
        screen.paint(Colour::Dim, &zone.offset(record.at)),
        screen.paint(Colour::of_level(&level), &level),
        screen.paint(Colour::Bold, &text("event")),
        text("message"),
    ];
    let fields = fields(&line);
    let columns = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let heading = parts.join("  ") + "\n";
    fields.iter().fold(heading, |detail, (name, value)| {
        let name = screen.paint(Colour::Dim, name) + &padding(name, columns);
        detail + &format!("  {name}  {value}\n")
    })
}

fn fields(line: &Line<'_>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, raw) in line.members().filter(|(name, _)| !HEADING.contains(name)) {
        match Line::parse(raw) {
            Ok(object) => {
                let members = object.members().map(|(member, raw)| (format!("{name}.{member}"), raw));
                fields.extend(members.filter_map(|(name, raw)| Some((harmless(&name), value(raw)?))));
            }
            Err(_) => fields.extend(value(raw).map(|value| (harmless(name), value))),
        }
    }
    fields
}

/// A text without its quotes, anything else as it is written; none for a null.
fn value(raw: &str) -> Option<String> {
    match serde_json::from_str(raw) {
        Ok(Json::String(text)) => Some(harmless(&text)),
        Ok(Json::Null) => None,
        _ => Some(harmless(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_line() {
        let json = r#"{"timestamp":"2026-11-22T11:02:36.000123Z","level":"INFO","event":"request_completed","message":"Request completed","request_id":"r1","path":"/a\nb","view_args":[],"view_kwargs":{"pk":42,"slug":"null"},"user_id":null,"timing":{"queue":0.000050,"wait":0.052},"labels":{}}"#;
        let record = Found { at: 1_795_345_356_000_123, json: json.into() };
        assert_eq!(
            format!("\n{}", detail(&record, Screen { colour: false, width: None }, &Zone::utc())),
            "
2026-11-22 11:02:36.000  UTC  INFO  request_completed  Request completed
  request_id        r1
  path              /a\\u{a}b
  view_args         []
  view_kwargs.pk    42
  view_kwargs.slug  null
  timing.queue      0.000050
  timing.wait       0.052
"
        );
    }
}
