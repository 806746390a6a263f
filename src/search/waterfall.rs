//! One request's whole story: who asked for what and how it ended, where the time went as bars on one scale, and every
//! record about it at the moment it was written.

use serde_json::Value as Json;

use crate::filter::Line;
use crate::store::Line as Found;

use super::paint::{Colour, Screen, duration, fit, harmless, padding, width};
use super::table::{ending, what};
use super::zone::Zone;

/// The phases of a request, in the order in which it goes through them.
const PHASES: [&str; 6] = ["queue", "connect", "tls", "send", "wait", "receive"];

/// Columns of the bars, where there is room, and at least.
const BARS: (usize, usize) = (60, 10);

/// The story that the records of one request id tell, in whatever order they are given. A client may use its id for
/// several requests: each has its own story, by its span.
pub fn waterfall(records: &[Found], screen: Screen, zone: &Zone) -> String {
    let told: Vec<String> = stories(records).iter().map(|story| story.tell(screen, zone)).collect();
    told.join("\n")
}

/// What happened at one moment.
struct Scene<'a> {
    at: u64,
    line: Line<'a>,
    event: String,
}

/// The records of one request, oldest first; at least one.
struct Story<'a> {
    scenes: Vec<Scene<'a>>,
    span: Option<String>,
}

fn stories(records: &[Found]) -> Vec<Story<'_>> {
    let mut scenes: Vec<Scene<'_>> = records.iter().filter_map(Scene::of).collect();
    scenes.sort_by_key(|scene| scene.at);
    let mut stories: Vec<Story<'_>> = Vec::new();
    for scene in scenes {
        let span = scene.line.text("span_id").map(|span| span.into_owned());
        // What has no span, as a diagnostic, belongs to the request that began last before it.
        let own = |story: &&mut Story<'_>| span.is_none() || story.span.is_none() || story.span == span;
        match stories.iter_mut().rev().find(own) {
            Some(story) => {
                story.span = story.span.take().or(span);
                story.scenes.push(scene);
            }
            None => stories.push(Story { scenes: vec![scene], span }),
        }
    }
    stories
}

impl<'a> Scene<'a> {
    fn of(record: &'a Found) -> Option<Scene<'a>> {
        let line = Line::parse(&record.json).ok()?;
        let event = line.text("event").map(|event| harmless(&event)).unwrap_or_default();
        Some(Scene { at: record.at, line, event })
    }

    fn text(&self, name: &str) -> Option<String> {
        self.line.text(name).map(|text| harmless(&text))
    }

    /// Microseconds of a field in seconds.
    fn micros(&self, name: &str) -> Option<u64> {
        self.line.value(name).as_ref().and_then(micros)
    }

    /// Whether it tells how the request goes.
    fn is_about_progress(&self) -> bool {
        self.event.starts_with("request_") && self.line.raw("method").is_some()
    }

    /// Its distance from the beginning, level, event, and what it says.
    fn row(&self, begin: u64) -> [String; 4] {
        let offset = match self.at.checked_sub(begin) {
            Some(after) => format!("+{}", duration(after)),
            None => format!("-{}", duration(begin - self.at)),
        };
        let what = if self.is_about_progress() {
            let status = self.line.value("status_code").map(|status| format!("{status}  ")).unwrap_or_default();
            status + &ending(&self.line).unwrap_or_default()
        } else {
            what(&self.line, &self.event)
        };
        [offset, self.text("level").unwrap_or_default(), self.event.clone(), what]
    }
}

fn micros(seconds: &Json) -> Option<u64> {
    seconds.as_f64().map(|seconds| (seconds * 1e6).round() as u64)
}

impl Story<'_> {
    fn tell(&self, screen: Screen, zone: &Zone) -> String {
        let known = self.scenes.iter().filter(|scene| scene.is_about_progress());
        // The terminal record knows everything, whatever a slow writer brought behind it.
        let last = known.max_by_key(|scene| (scene.event == "request_completed", scene.at));
        let begin = self.begin(last);
        let top = match last {
            Some(last) => heading(last, begin, screen, zone) + &phases(last, screen) + "\n",
            None => format!("{}\n", zone.date_and_time(begin)),
        };
        top + &self.events(begin, screen)
    }

    /// When the head was read: as its record says, else as long before a later one as that says it took.
    fn begin(&self, last: Option<&Scene<'_>>) -> u64 {
        let started = self.scenes.iter().find(|scene| scene.event == "request_started").map(|scene| scene.at);
        let reckoned = || last.map(|last| last.at.saturating_sub(last.micros("duration").unwrap_or(0)));
        started.or_else(reckoned).or(self.scenes.first().map(|scene| scene.at)).unwrap_or(0)
    }

    /// Every record at its distance from the beginning.
    fn events(&self, begin: u64, screen: Screen) -> String {
        let rows: Vec<[String; 4]> = self.scenes.iter().map(|scene| scene.row(begin)).collect();
        let columns = |at: usize| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
        let widths = [columns(0), columns(1), columns(2)];
        let used = widths.iter().sum::<usize>() + 8;
        let room = screen.width.map_or(usize::MAX, |columns| columns.saturating_sub(used));
        let line = |[offset, level, event, what]: &[String; 4]| {
            let offset = padding(offset, widths[0]) + offset;
            let level = screen.paint(Colour::of_level(level), level) + &padding(level, widths[1]);
            let event = event.to_owned() + &padding(event, widths[2]);
            format!("  {offset}  {level}  {event}  {}", fit(what, room)).trim_end().to_owned() + "\n"
        };
        rows.iter().map(line).collect()
    }
}

/// What was asked for and what came of it, who asked, and who answered.
fn heading(last: &Scene<'_>, begin: u64, screen: Screen, zone: &Zone) -> String {
    let query = last.text("query").map(|query| format!("?{query}")).unwrap_or_default();
    let [method, host, path] = ["method", "host", "path"].map(|name| last.text(name).unwrap_or_default());
    let request = screen.paint(Colour::Bold, &format!("{method} {host}{path}{query}"));
    let status = match last.line.value("status_code") {
        Some(status) => screen.paint(Colour::of_status(&status.to_string()), &status.to_string()),
        None => "no answer yet".to_owned(),
    };
    let outcome = last.text("outcome").map(|outcome| format!("  {outcome}")).unwrap_or_default();
    let taken = last.micros("duration").map(|taken| format!("  {}", duration(taken))).unwrap_or_default();
    let moment = format!("{} {}", zone.date_and_time(begin), zone.offset(begin));
    format!("{request} → {status}{outcome}{taken}\n{}\n", screen.paint(Colour::Dim, &parties(last, &moment)))
}

fn parties(last: &Scene<'_>, moment: &str) -> String {
    let named = |label: &str, name: &str| last.text(name).map(|text| format!("{label} {text}"));
    let upstream = match (last.text("upstream"), last.text("upstream_address")) {
        (Some(name), Some(address)) => Some(format!("upstream {name} at {address}")),
        (name, address) => name.or(address).map(|upstream| format!("upstream {upstream}")),
    };
    let attempts = last.line.value("attempts").and_then(|attempts| attempts.as_u64()).filter(|attempts| *attempts > 1);
    let parts = [
        Some(moment.to_owned()),
        named("request", "request_id"),
        named("route", "view_name"),
        named("user", "user_id"),
        named("client", "ip_address"),
        upstream,
        attempts.map(|attempts| format!("{attempts} attempts")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// A bar for each phase that was reached, all on the scale of the whole.
fn phases(last: &Scene<'_>, screen: Screen) -> String {
    let timing = last.line.value("timing").unwrap_or_default();
    let spans = PHASES.iter().filter_map(|name| Some((*name, micros(timing.get(name)?)?)));
    let spans: Vec<(&str, u64)> = spans.collect();
    let whole = spans.iter().map(|(_, micros)| micros).sum::<u64>().max(last.micros("duration").unwrap_or(0)).max(1);
    let columns = screen.width.map_or(BARS.0, |columns| columns.saturating_sub(24).clamp(BARS.1, BARS.0));
    let (mut told, mut before) = (String::new(), 0);
    for (name, micros) in spans {
        let bar = bar(before, micros, whole, columns);
        let padding = padding(&bar, columns);
        told += &format!("  {name:<8} {}{padding} {:>9}\n", screen.paint(Colour::Cyan, &bar), duration(micros));
        before += micros;
    }
    if told.is_empty() { told } else { format!("\n{told}") }
}

/// So far from the left as it began, as long as it took; what is too short to be seen is a thin line.
fn bar(before: u64, micros: u64, whole: u64, columns: usize) -> String {
    let column = |micros: u64| (u128::from(micros) * columns as u128 / u128::from(whole)) as usize;
    let (from, to) = (column(before).min(columns - 1), column(before.saturating_add(micros)).min(columns));
    let drawn = if to > from { "█".repeat(to - from) } else { "▏".to_owned() };
    " ".repeat(from) + &drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_795_345_356_000_000;
    const WIDE: Screen = Screen { colour: false, width: None };

    fn found(after: u64, json: &str) -> Found {
        Found { at: START + after, json: json.into() }
    }

    fn about(event: &str, level: &str, rest: &str) -> String {
        format!(
            "{{\"level\":\"{level}\",\"event\":\"{event}\",\"message\":\"M\",\"request_id\":\"r1\",\"span_id\":\"s1\",\
             \"method\":\"POST\",\"host\":\"shop.example\",\"path\":\"/checkout/\",\"query\":\"a=1\",\
             \"view_name\":\"shop:checkout\",\"user_id\":\"42\",\"ip_address\":\"203.0.113.7\"{rest}}}"
        )
    }

    fn story() -> Vec<Found> {
        let done = ",\"status_code\":502,\"duration\":1.500100,\"timing\":{\"queue\":0.000100,\"connect\":0.1,\
            \"send\":0.2,\"wait\":1.2},\"outcome\":\"upstream_reset\",\"phase\":\"wait\",\"upstream\":\"app\",\
            \"upstream_address\":\"127.0.0.1:8000\",\"attempts\":2,\"exception_type\":\"connection_terminated\"";
        let slow = ",\"duration\":1.0,\"timing\":{\"queue\":0.0001},\"phase\":\"wait\",\"in_flight\":true";
        let order = r#"{"level":"INFO","event":"order_failed","message":"order_failed","logger":"gatelog.business","request_id":"r1","order":7}"#;
        vec![
            found(1_500_150, &about("request_completed", "ERROR", done)),
            found(0, &about("request_started", "INFO", ",\"in_flight\":true")),
            found(1_000_000, &about("request_slow", "WARNING", slow)),
            found(1_500_120, &about("request_failed", "CRITICAL", done)),
            found(1_500_200, order),
        ]
    }

    #[test]
    fn a_request_is_told_from_its_head_to_its_end() {
        let screen = Screen { colour: false, width: Some(74) };
        assert_eq!(
            format!("\n{}", waterfall(&story(), screen, &Zone::utc())),
            "
POST shop.example/checkout/?a=1 → 502  upstream_reset  1.50 s
2026-11-22 11:02:36.000 UTC · request r1 · route shop:checkout · user 42 · client 203.0.113.7 · upstream app at 127.0.0.1:8000 · 2 attempts

  queue    ▏                                                     100 µs
  connect  ███                                                 100.0 ms
  send        ███████                                          200.0 ms
  wait               ████████████████████████████████████████    1.20 s

    +0 µs  INFO      request_started
  +1.00 s  WARNING   request_slow       in wait
  +1.50 s  CRITICAL  request_failed     502  upstream_reset  connection_t…
  +1.50 s  ERROR     request_completed  502  upstream_reset  connection_t…
  +1.50 s  INFO      order_failed       order=7
"
        );
    }

    #[test]
    fn requests_that_share_an_id_have_their_own_stories() {
        let again = story().into_iter().map(|mut record| {
            record.json = record.json.replace("\"s1\"", "\"s2\"").into();
            record.at += 10_000_000;
            record
        });
        let both: Vec<Found> = story().into_iter().chain(again).collect();
        let told = waterfall(&both, WIDE, &Zone::utc());
        assert_eq!(told.matches("→ 502").count(), 2, "{told}");
        assert_eq!(told.matches("+1.50 s  INFO      order_failed").count(), 2, "{told}");
    }

    #[test]
    fn a_request_that_runs_and_records_without_a_request_are_told_too() {
        let running = waterfall(&story()[1..3], WIDE, &Zone::utc());
        assert!(running.starts_with("POST shop.example/checkout/?a=1 → no answer yet  1.00 s\n"), "{running}");
        let alone = waterfall(&story()[4..], WIDE, &Zone::utc());
        assert_eq!(alone, "2026-11-22 11:02:37.500\n  +0 µs  INFO  order_failed  order=7\n");
        assert_eq!(waterfall(&[], WIDE, &Zone::utc()), "");
    }
}
