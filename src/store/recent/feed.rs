//! Lines as they were written, on their way into memory: of each only as much is read as is counted of it.

use serde_json::{Map, Value as Json};

use super::Recent;
use crate::record::{Level, Outcome};
use crate::store::ask::Line;
use crate::store::json::{self, Kind, Span};
use crate::store::line::unquoted;
use crate::store::moment::Moments;
use crate::store::rollup::{Noted, Window, route_label};

/// Lines between two moments at which whoever asks is let in.
const STRIDE: usize = 128;

/// Whoever feeds it: the only one who does.
#[derive(Debug)]
pub struct Feed {
    moments: Moments,
    /// Whether what is counted of them is wanted here.
    counts: bool,
}

impl Feed {
    /// `counts`: what happened is counted by minute, too, because nobody else does.
    pub fn new(counts: bool) -> Feed {
        Feed { moments: Moments::default(), counts }
    }

    /// Takes lines, each ended by `\n`, in the order in which they were written. Returns how many of them are no records:
    /// these are left out.
    pub fn take(&mut self, recent: &Recent, lines: &str) -> u64 {
        let mut lines = lines.lines().filter(|line| !line.is_empty()).peekable();
        let mut refused = 0;
        while lines.peek().is_some() {
            let mut state = recent.state();
            for line in lines.by_ref().take(STRIDE) {
                let read = if self.counts { self.note(line, &mut state.window) } else { self.moment(line) };
                match read {
                    Some(at) => state.ring.push(Line { at, json: line.into() }),
                    None => refused += 1,
                }
            }
            state.tails.wake();
            drop(state);
            recent.news.notify_all();
        }
        refused
    }

    /// When a line was written.
    fn moment(&mut self, line: &str) -> Option<u64> {
        let mut at = None;
        json::first_members(line, |span| {
            at = (&line[span.name.clone()] == "timestamp").then(|| line[span.value.clone()].trim_matches('"'));
            at.is_none()
        })?;
        self.moments.read(at?).map(|(at, _)| at)
    }

    /// The same, and counts it.
    fn note(&mut self, line: &str, window: &mut Window) -> Option<u64> {
        let mut read = Read::default();
        json::first_members(line, |span| read.member(line, &span))?;
        if read.odd {
            let fields: Map<String, Json> = serde_json::from_str(line).ok()?;
            let (at, _) = self.moments.read(fields.get("timestamp")?.as_str()?)?;
            window.note(&Noted::of_json(at, &fields)?);
            return Some(at);
        }
        let (at, _) = self.moments.read(read.timestamp)?;
        window.note(&read.noted(at)?);
        Some(at)
    }
}

/// What was read of a line so far.
#[derive(Debug, Default)]
struct Read<'a> {
    timestamp: &'a str,
    noted: Option<Noted<'a>>,
    view_name: Option<&'a str>,
    pattern: Option<&'a str>,
    /// Something that counts is written with escapes, or not where we write it: it has to be read in another way.
    odd: bool,
}

impl<'a> Read<'a> {
    /// Takes a member. Returns whether another one can matter: of most records only how many there are is counted.
    fn member(&mut self, line: &'a str, span: &Span) -> bool {
        let (name, value) = (&line[span.name.clone()], &line[span.value.clone()]);
        self.odd |= span.escaped;
        match (name, span.kind, &mut self.noted) {
            ("timestamp", Kind::Plain, _) => self.timestamp = unquoted(value),
            ("level", Kind::Plain, None) => self.level(unquoted(value)),
            (_, _, None) => self.odd = true,
            (name, Kind::Plain, Some(_)) => self.text(name, unquoted(value)),
            (_, Kind::Number, Some(noted)) => number(noted, name, value),
            ("slow", Kind::Name, Some(noted)) => noted.slow = value == "true",
            (name, Kind::Escaped, Some(_)) => self.odd |= TEXTS.contains(&name),
            _ => {}
        }
        !self.odd && (self.timestamp.is_empty() || self.noted.is_none_or(|noted| is_looked_into(&noted)))
    }

    /// It stands in front of all that is counted.
    fn level(&mut self, name: &str) {
        let level = Level::ALL.into_iter().find(|level| level.as_str() == name);
        self.noted = level.map(|level| Noted::new(0, level, "", ""));
    }

    fn text(&mut self, name: &str, text: &'a str) {
        let Some(noted) = &mut self.noted else { return };
        match name {
            "event" => noted.event = text,
            "message" => noted.message = text,
            "logger" => noted.logger = text,
            "request_id" => noted.request_id = Some(text),
            "method" => noted.method = Some(text),
            "path" => noted.path = Some(text),
            "view_name" => self.view_name = Some(text),
            "route" => self.pattern = Some(text),
            "outcome" => noted.outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text),
            "exception_type" => noted.error_type = Some(text),
            "exception_message" => noted.error_message = Some(text),
            _ => {}
        }
    }

    /// All that is counted of a record of this moment.
    fn noted(self, at: u64) -> Option<Noted<'a>> {
        let route = self.view_name.map(|name| route_label(name, self.pattern));
        self.noted.map(|noted| Noted { at, route, ..noted })
    }
}

fn number(noted: &mut Noted<'_>, name: &str, value: &str) {
    match name {
        "status_code" => noted.status = value.parse().ok(),
        "request_size" => noted.request_bytes = value.parse().unwrap_or_default(),
        "response_size" => noted.response_bytes = value.parse().unwrap_or_default(),
        "duration" => noted.duration = micros(value),
        _ => {}
    }
}

/// Texts that are counted, or shown of what is counted.
const TEXTS: [&str; 11] = [
    "event",
    "message",
    "logger",
    "request_id",
    "method",
    "path",
    "view_name",
    "route",
    "outcome",
    "exception_type",
    "exception_message",
];

/// Whether more of it is counted than its level, logger and event, once these are known.
fn is_looked_into(noted: &Noted<'_>) -> bool {
    noted.logger.is_empty() || noted.event.is_empty() || noted.is_request() || noted.is_error()
}

/// Seconds as they are written, in microseconds: read by their digits where there are no more than six behind the point.
fn micros(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 6 || whole.len() > 12 || !digits(whole) || !digits(part) {
        let seconds: f64 = seconds.parse().ok()?;
        return (seconds >= 0.0).then(|| (seconds * 1e6).round() as u64);
    }
    let number = |text: &str| text.bytes().fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
    Some(number(whole) * 1_000_000 + number(part) * 10_u64.pow(6 - part.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;
    use crate::store::recent::Limits;
    use crate::store::rollup::{MINUTE, Range};
    use crate::store::statistics::Statistics;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: u64 = 1_795_345_356_000_000 / MINUTE * MINUTE;

    fn counted(window: &Window) -> Statistics {
        Statistics::of(window, Range { since: NOW, until: NOW + 10 * MINUTE }).unwrap()
    }

    fn recent() -> std::sync::Arc<Recent> {
        Recent::new(Limits::default())
    }

    fn text() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "/posts/7/", "unknown", "a \"b\"", "ü", "", "back\\slash", "request_completed"])
            .prop_map(str::to_owned)
    }

    fn member() -> impl Strategy<Value = (&'static str, Json)> {
        let texts = (prop::sample::select(TEXTS[2..].to_vec()), text().prop_map(Json::from));
        let names = prop::sample::select(vec!["status_code", "request_size", "response_size", "duration"]);
        let number = prop_oneof![
            (0..700_u64).prop_map(Json::from),
            (0..9_000_000_u64).prop_map(|micros| json!(micros as f64 / 1e6)),
            Just(json!(1.234_567_89)),
            Just(json!(-1)),
            Just(Json::Null),
        ];
        let odd =
            prop::sample::select(vec![("slow", json!(true)), ("route", Json::Null), ("tls", json!({"path": "x"}))]);
        prop_oneof![4 => texts, 4 => (names, number), 1 => odd]
    }

    fn record() -> impl Strategy<Value = String> {
        let events = ["request_started", "request_completed", "request_failed", "log_loss", "alert \"x\""];
        let head = (0..5 * MINUTE, prop::sample::select(Level::ALL.to_vec()), prop::sample::select(events.to_vec()));
        (head, prop::collection::vec(member(), 0..14)).prop_map(|((at, level, event), members)| {
            let mut line = Map::new();
            line.insert("timestamp".into(), timestamp(NOW + at).into());
            line.insert("level".into(), level.as_str().into());
            line.insert("event".into(), event.into());
            line.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
            serde_json::to_string(&line).unwrap()
        })
    }

    proptest! {
        #[test]
        fn what_is_read_on_the_way_counts_as_what_is_read_as_a_whole(lines in prop::collection::vec(record(), 0..300)) {
            let recent = recent();
            prop_assert_eq!(Feed::new(true).take(&recent, &(lines.join("\n") + "\n")), 0);
            let mut naive = Window::of(60);
            for line in &lines {
                let fields: Map<String, Json> = serde_json::from_str(line).unwrap();
                let at = Moments::default().read(fields["timestamp"].as_str().unwrap()).unwrap().0;
                naive.note(&Noted::of_json(at, &fields).unwrap());
            }
            prop_assert_eq!(counted(&recent.window()), counted(&naive));
            prop_assert_eq!(recent.held().lines, lines.len());
        }
    }

    #[test]
    fn what_is_no_record_is_left_out_and_counted() {
        let record = format!("{{\"level\":\"INFO\",\"timestamp\":\"{}\"}}", timestamp(NOW));
        let lines =
            format!("{record}\nnone\n\n{{}}\n[1]\n{{\"timestamp\":\"yesterday\",\"level\":\"INFO\"}}\n{record}\n");
        for counts in [false, true] {
            let recent = recent();
            assert_eq!(Feed::new(counts).take(&recent, &lines), 4);
            assert_eq!(recent.held().lines, 2);
        }
    }
}
