//! One line: whether it is a record, and one that is meant.
//!
//! Most lines are judged by a look at their bytes: when they were written ([`stamp`]), and whether what is asked for
//! occurs in them ([`Prefilter`]). Only the others are read as JSON. So what is broken is noticed only where it does not
//! look like a record from outside, or would have to be read.

use crate::filter::{Expression, Kind, Line, Prefilter, Value};
use crate::store::{Line as Found, Question};

use super::blocks::LONGEST_LINE;
use super::{renamed, stamp};

/// Which lines are meant.
#[derive(Debug)]
pub struct Judge<'q> {
    filter: &'q Expression,
    prefilter: Prefilter,
    since: u64,
    until: u64,
}

/// What a line is.
#[derive(Debug)]
pub enum Verdict<T> {
    /// A record that is meant, and what is made of it.
    Meant(T),
    /// Another record, or nothing but white space.
    Other,
    /// No record.
    Wrong(Fault),
}

/// Why a line is no record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// More than [`LONGEST_LINE`] bytes.
    #[error("longer than {LONGEST_LINE} bytes")]
    TooLong,
    /// A killed process left it unfinished, and the next one ended it.
    #[error("left unfinished by a process that was killed")]
    Torn,
    /// What JSON does not allow, and where.
    #[error("no JSON object: {0}")]
    NoObject(String),
    /// An object without the fields that every record has.
    #[error("no record of gatelog: {0}")]
    NoRecord(&'static str),
}

impl<'q> Judge<'q> {
    /// For the records of a question.
    pub fn new(question: &'q Question) -> Judge<'q> {
        let Question { filter, since, until, .. } = question;
        Judge::of(filter, since.unwrap_or(0), until.unwrap_or(u64::MAX))
    }

    /// For the records that a filter means, from one moment up to another, in microseconds since the Unix epoch.
    pub fn of(filter: &'q Expression, since: u64, until: u64) -> Judge<'q> {
        Judge { filter, prefilter: Prefilter::new(filter), since, until }
    }

    /// Judges a line, its end included or not. `is_wanted` may save the work for a moment of which no more is wanted.
    pub fn judge(&self, line: &[u8], is_wanted: impl Fn(u64) -> bool) -> Verdict<Found> {
        self.weigh_line(line, is_wanted, |at, _, json| Found { at, json: json.into() })
    }

    /// The same, and makes of a record that is meant what is wanted of it: from its moment, its fields, and its text in
    /// the native schema.
    pub fn weigh_line<T>(
        &self,
        line: &[u8],
        is_wanted: impl Fn(u64) -> bool,
        make: impl FnOnce(u64, &Line<'_>, &str) -> T,
    ) -> Verdict<T> {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Verdict::Other;
        }
        if line.len() > LONGEST_LINE {
            return Verdict::Wrong(Fault::TooLong);
        }
        let told = stamp::of_line(line);
        if told.is_some_and(|at| !self.covers(at) || !is_wanted(at) || !self.prefilter.may_match(line)) {
            return Verdict::Other;
        }
        self.read(line, make).unwrap_or_else(Verdict::Wrong)
    }

    fn covers(&self, at: u64) -> bool {
        (self.since..self.until).contains(&at)
    }

    fn read<T>(&self, bytes: &[u8], make: impl FnOnce(u64, &Line<'_>, &str) -> T) -> Result<Verdict<T>, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| Fault::NoObject(error.to_string()))?;
        let line = parse(text)?;
        match renamed::to_native(&line) {
            Some(native) => self.weigh(&parse(&native)?, &native, make),
            None => self.weigh(&line, text, make),
        }
    }

    fn weigh<T>(
        &self,
        line: &Line<'_>,
        text: &str,
        make: impl FnOnce(u64, &Line<'_>, &str) -> T,
    ) -> Result<Verdict<T>, Fault> {
        if line.raw("torn") == Some("true") {
            return Err(Fault::Torn);
        }
        let at = moment(line).ok_or(Fault::NoRecord("it has no timestamp"))?;
        line.text("event").ok_or(Fault::NoRecord("it has no event"))?;
        let is_meant = self.covers(at) && self.filter.matches(line);
        Ok(if is_meant { Verdict::Meant(make(at, line, text)) } else { Verdict::Other })
    }
}

fn parse(text: &str) -> Result<Line<'_>, Fault> {
    Line::parse(text).map_err(|error| Fault::NoObject(error.to_string()))
}

/// When a record was made, in microseconds since the Unix epoch.
fn moment(line: &Line<'_>) -> Option<u64> {
    match Value::text(&line.text("timestamp")?).typed(Kind::Moment) {
        Value::Moment(at) => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Order;

    fn judge(filter: &str, line: &str) -> Verdict<Found> {
        let filter = Expression::parse(filter).unwrap();
        let question = Question {
            filter,
            since: Some(1_000_000),
            until: Some(3_000_000),
            order: Order::Newest,
            skip: 0,
            limit: 1,
            count_to: 1,
        };
        Judge::new(&question).judge(line.as_bytes(), |_| true)
    }

    fn line(second: u32, rest: &str) -> String {
        format!("{{\"timestamp\":\"1970-01-01T00:00:0{second}.000000Z\",\"event\":\"e\"{rest}}}")
    }

    #[test]
    fn what_is_meant_is_kept_as_it_is_written() {
        for line in [line(1, r#","path":"/a""#), line(2, r#", "path" : "\/a""#), line(1, "").replace(".000000Z", "Z")] {
            let Verdict::Meant(found) = judge("path:/a OR -path:*", &format!("{line}\r\n")) else { panic!("{line}") };
            assert_eq!(*found.json, line);
        }
    }

    #[test]
    fn what_is_older_or_not_older_than_asked_for_is_another() {
        for line in [line(0, ""), line(3, ""), line(3, "").replace("00.000000", "00"), " \t".to_owned(), line(1, "")] {
            assert!(matches!(judge("path:/a", &line), Verdict::Other), "{line}");
        }
    }

    #[test]
    fn what_is_no_record_is_told() {
        for (line, fault) in [
            ("{", "no JSON object: EOF while parsing an object at line 1 column 1"),
            ("[1]", "no JSON object: invalid type: sequence, expected a JSON object at line 1 column 0"),
            ("{}", "no record of gatelog: it has no timestamp"),
            (r#"{"timestamp":1,"event":"e"}"#, "no record of gatelog: it has no timestamp"),
            (r#"{"timestamp":"1970-01-01"}"#, "no record of gatelog: it has no event"),
            (r#"{"timestamp":"1970-01-01","pa~":null,"torn":true}"#, "left unfinished by a process that was killed"),
        ] {
            let Verdict::Wrong(found) = judge("path:/a", line) else { panic!("{line}") };
            assert_eq!(found.to_string(), fault);
        }
    }
}
