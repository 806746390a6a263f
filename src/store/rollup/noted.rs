//! What is counted of one record, read from wherever it stands.

use serde_json::{Map, Value as Json};

use crate::record::{Level, Outcome};

/// The route of requests that matched none, as `/metrics` labels it.
pub const UNMATCHED: &str = "unmatched";

/// The event of a request's end: of all the records of a request the one that it is counted by.
const COMPLETED: &str = "request_completed";
/// An error that the request's end tells, too.
const FAILED: &str = "request_failed";

/// A record, as far as statistics go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noted<'a> {
    /// Microseconds since the Unix epoch.
    pub at: u64,
    /// How much it matters.
    pub level: Level,
    /// Dotted name of the logger.
    pub logger: &'a str,
    /// The kind of the record.
    pub event: &'a str,
    /// The sentence for people.
    pub message: &'a str,
    /// `view_name`, or [`UNMATCHED`]; `None` in what is not about a request.
    pub route: Option<&'a str>,
    /// `status_code`.
    pub status: Option<u16>,
    /// How a request ended.
    pub outcome: Option<Outcome>,
    /// Microseconds.
    pub duration: Option<u64>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// Crossed its threshold.
    pub slow: bool,
    /// `exception_type`.
    pub error_type: Option<&'a str>,
    /// `exception_message`.
    pub error_message: Option<&'a str>,
    /// `request_id`.
    pub request_id: Option<&'a str>,
    /// As sent.
    pub method: Option<&'a str>,
    /// As sent.
    pub path: Option<&'a str>,
}

impl<'a> Noted<'a> {
    /// Nothing but the moment, the level, the logger and the event.
    pub fn new(at: u64, level: Level, logger: &'a str, event: &'a str) -> Noted<'a> {
        Noted {
            at,
            level,
            logger,
            event,
            message: "",
            route: None,
            status: None,
            outcome: None,
            duration: None,
            request_bytes: 0,
            response_bytes: 0,
            slow: false,
            error_type: None,
            error_message: None,
            request_id: None,
            method: None,
            path: None,
        }
    }

    /// A line of the native schema, of this moment in microseconds since the Unix epoch; `None` where it has no level, so
    /// that it is no record.
    pub fn of_json(at: u64, line: &'a Map<String, Json>) -> Option<Noted<'a>> {
        let text = |name: &str| line.get(name).and_then(Json::as_str);
        let whole = |name: &str| line.get(name).and_then(Json::as_u64);
        Some(Noted {
            message: text("message").unwrap_or_default(),
            route: text("view_name").map(|name| route_label(name, text("route"))),
            status: whole("status_code").and_then(|status| status.try_into().ok()),
            outcome: text("outcome").and_then(outcome),
            duration: line.get("duration").and_then(micros),
            request_bytes: whole("request_size").unwrap_or_default(),
            response_bytes: whole("response_size").unwrap_or_default(),
            slow: line.get("slow").and_then(Json::as_bool).unwrap_or_default(),
            error_type: text("exception_type"),
            error_message: text("exception_message"),
            request_id: text("request_id"),
            method: text("method"),
            path: text("path"),
            ..Noted::new(
                at,
                level(text("level")?)?,
                text("logger").unwrap_or_default(),
                text("event").unwrap_or_default(),
            )
        })
    }

    /// Whether it is the end of a request: these are what requests are counted by.
    pub fn is_request(&self) -> bool {
        self.event == COMPLETED
    }

    /// Whether it is counted as an error: at ERROR or above; `request_failed` is not, because the end of its request tells
    /// the same and would be the same error twice.
    pub fn is_error(&self) -> bool {
        self.level >= Level::Error && self.event != FAILED
    }

    /// What kind of error it is: its type where it has one, else how the request ended, else the event.
    pub fn error_kind(&self) -> &'a str {
        self.error_type.or(self.outcome.map(Outcome::as_str)).unwrap_or(self.event)
    }
}

/// The label of a request's route: a view has the name `unknown` too, but always a pattern beside it.
pub fn route_label<'a>(view_name: &'a str, pattern: Option<&str>) -> &'a str {
    if pattern.is_none() && view_name == "unknown" { UNMATCHED } else { view_name }
}

fn level(name: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.as_str() == name)
}

fn outcome(token: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == token)
}

fn micros(seconds: &Json) -> Option<u64> {
    seconds.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| (seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noted(line: &Json) -> Option<Noted<'_>> {
        Noted::of_json(7, line.as_object().expect("an object"))
    }

    #[test]
    fn a_line_is_noted_field_by_field() {
        let line = json!({
            "timestamp": "2026-11-22T11:02:36.000123Z", "level": "ERROR", "event": "request_completed",
            "message": "Request completed", "logger": "gatelog.request", "request_id": "r1", "method": "GET",
            "path": "/posts/7/", "view_name": "post-detail", "route": "/posts/{pk}/", "request_size": 3,
            "status_code": 502, "response_size": 512, "duration": 0.753210, "outcome": "upstream_refused",
            "exception_type": "connection_refused", "exception_message": "refused", "slow": true,
        });
        let expected = Noted {
            message: "Request completed",
            route: Some("post-detail"),
            status: Some(502),
            outcome: Some(Outcome::UpstreamRefused),
            duration: Some(753_210),
            request_bytes: 3,
            response_bytes: 512,
            slow: true,
            error_type: Some("connection_refused"),
            error_message: Some("refused"),
            request_id: Some("r1"),
            method: Some("GET"),
            path: Some("/posts/7/"),
            ..Noted::new(7, Level::Error, "gatelog.request", "request_completed")
        };
        assert_eq!(noted(&line), Some(expected));
        assert!(expected.is_request() && expected.is_error());
        assert_eq!(expected.error_kind(), "connection_refused");
    }

    #[test]
    fn what_has_no_level_is_no_record_and_what_is_of_another_type_is_absent() {
        let least =
            json!({"level": "INFO", "status_code": "200", "duration": -1, "slow": 1, "outcome": "fine", "event": null});
        assert_eq!(noted(&least), Some(Noted::new(7, Level::Info, "", "")));
        for line in [json!({}), json!({"level": "info"}), json!({"level": 3})] {
            assert_eq!(noted(&line), None, "{line}");
        }
    }

    #[test]
    fn a_request_without_a_route_is_unmatched() {
        assert_eq!(route_label("unknown", None), UNMATCHED);
        assert_eq!(route_label("unknown", Some("/x/")), "unknown");
        assert_eq!(route_label("home", None), "home");
    }

    #[test]
    fn an_error_is_counted_once_and_by_what_is_known_of_it() {
        let record = |event| Noted::new(0, Level::Error, "l", event);
        assert!(record("request_completed").is_error() && record("config_refused").is_error());
        assert!(!record("request_failed").is_error());
        assert!(!Noted { level: Level::Warning, ..record("request_slow") }.is_error());
        assert_eq!(record("config_refused").error_kind(), "config_refused");
        let ended = Noted { outcome: Some(Outcome::ServerError), ..record("request_completed") };
        assert_eq!(ended.error_kind(), "server_error");
    }
}
