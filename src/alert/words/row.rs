//! One record of the evidence, as far as there is room for it beside others.

use std::borrow::Cow;

use crate::filter::Line;

use super::line;

/// Characters of a cell; of what went wrong there may be more.
const CELL: usize = 80;
const MESSAGE: usize = 300;
/// Characters of a line that cannot be read as a record.
const RAW: usize = 300;
/// Records that are shown.
pub(super) const MOST: usize = 10;

/// What is shown of a record; what it does not have is empty. All is on one line and does nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) time: String,
    pub(super) level: String,
    pub(super) status: String,
    /// Method and path.
    pub(super) request: String,
    pub(super) route: String,
    pub(super) duration: String,
    pub(super) request_id: String,
    /// What went wrong; of records that are not about a request, what they say.
    pub(super) message: String,
}

/// Reads a JSON line in the native schema. Of any other line the beginning is the message.
pub(super) fn read(record: &str) -> Row {
    let Some(members) = Line::read(record.as_bytes()) else {
        return Row { message: line(record, RAW), ..Row::default() };
    };
    let text = |name: &str| members.text(name).unwrap_or(Cow::Borrowed(""));
    let cell = |name: &str| line(&text(name), CELL);
    let raw = |name: &str| line(members.raw(name).filter(|raw| *raw != "null").unwrap_or(""), CELL);
    let request = format!("{} {}", text("method"), text("path"));
    Row {
        time: cell("timestamp"),
        level: cell("level"),
        status: raw("status_code"),
        request: line(request.trim(), CELL),
        route: cell("view_name"),
        duration: members.value("duration").and_then(|value| value.as_f64()).map(duration).unwrap_or_default(),
        request_id: cell("request_id"),
        message: line(&message(&members), MESSAGE),
    }
}

/// The exception, or else what the record says, where that is not what all of them say.
fn message(members: &Line<'_>) -> String {
    let parts = ["exception_type", "exception_message"].map(|name| members.text(name).unwrap_or_default());
    let exception = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    match members.text("message") {
        Some(said) if exception.is_empty() && said != "Request completed" => said.into_owned(),
        _ => exception,
    }
}

/// `53 ms`, `1.20 s`.
fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_request_has_what_an_operator_asks_first() {
        let record = r#"{"timestamp":"2026-08-01T12:00:00.123456Z","level":"ERROR","message":"Request completed","status_code":502,"method":"GET","path":"/a\u001b[2J","view_name":"checkout","duration":1.2034,"request_id":"r-1","exception_type":"connection_refused","exception_message":"no"}"#;
        let row = read(record);
        assert_eq!((row.time.as_str(), row.level.as_str()), ("2026-08-01T12:00:00.123456Z", "ERROR"));
        assert_eq!((row.status.as_str(), row.request.as_str()), ("502", "GET /a␛[2J"));
        assert_eq!((row.route.as_str(), row.duration.as_str(), row.request_id.as_str()), ("checkout", "1.20 s", "r-1"));
        assert_eq!(row.message, "connection_refused: no");
    }

    #[test]
    fn other_records_say_what_they_say_and_odd_lines_are_shown_as_they_are() {
        assert_eq!(read(r#"{"message":"upstream is down","status_code":null}"#).message, "upstream is down");
        assert_eq!(read(r#"{"message":"Request completed","duration":0.0534}"#).duration, "53 ms");
        assert_eq!(read("no\njson"), Row { message: "no␊json".to_owned(), ..Row::default() });
        assert_eq!(read("[]").message, "[]");
    }
}
