//! `above`, `below` and `clear`: numbers in the unit of what is measured, and bounds that nothing or everything is beyond.

use super::rule::Written;
use crate::alert::Bound;
use crate::config::finding::{Complaint, quoted};
use crate::config::source::At;
use crate::config::tree::{Node, Value};
use crate::config::value::{duration, size};

/// In what a bound is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    /// Records, losses, servers, requests.
    Count,
    /// From 0 to 1, or in percent.
    Share,
    /// Microseconds here.
    Duration,
    /// Bytes here.
    Size,
    /// Whatever numbers a field holds.
    Number,
    /// Times what a service level allows; this much can be measured at most.
    Factor(f64),
    /// Days that are left.
    Days,
}

/// On which sides a bound can be meant, and where it is unless told otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sides {
    /// `above` or `below`, one of which must be there.
    Either,
    /// `above`, with its default.
    Above(f64),
    /// `below`, with its default.
    Below(f64),
}

/// The bound of a rule, and what it has to come back to.
pub(super) fn read(written: &mut Written<'_>, unit: Unit, sides: Sides) -> Option<(Bound, f64)> {
    let bound = side(written, unit, sides)?;
    let clear_at = written.at("clear");
    let clear = match written.has("clear") {
        true => written.read("clear", |node| number(node, unit))?,
        false => bound.value(),
    };
    if let Some(complaint) = never_clear(bound, clear, unit) {
        written.complain(clear_at, "clear", complaint);
        return None;
    }
    Some((bound, clear))
}

/// The one side that is written, or meant.
fn side(written: &mut Written<'_>, unit: Unit, sides: Sides) -> Option<Bound> {
    let (above_at, below_at) = (written.at("above"), written.at("below"));
    let (has_above, has_below) = (written.has("above"), written.has("below"));
    let above = written.read("above", |node| number(node, unit)).map(Bound::Above);
    let below = written.read("below", |node| number(node, unit)).map(Bound::Below);
    let (at, key, bound) = match (has_above, has_below, sides) {
        (true, true, _) => {
            let complaint =
                Complaint::new("a rule has either `above` or `below`", "keep one: the other is another rule");
            written.clash(below_at, above_at, complaint);
            return None;
        }
        (true, false, Sides::Below(_)) => return refuse(written, above_at, "above", "below"),
        (false, true, Sides::Above(_)) => return refuse(written, below_at, "below", "above"),
        (true, ..) => (above_at, "above", above?),
        (_, true, _) => (below_at, "below", below?),
        (_, _, Sides::Above(default)) => return Some(Bound::Above(default)),
        (_, _, Sides::Below(default)) => return Some(Bound::Below(default)),
        (_, _, Sides::Either) => {
            let hint = format!("add above = {}", example(unit));
            written.miss("`alerts.rule` says neither `above` nor `below`", hint);
            return None;
        }
    };
    match senseless(bound, unit) {
        Some(complaint) => {
            written.complain(at, key, complaint);
            None
        }
        None => Some(bound),
    }
}

fn refuse(written: &Written<'_>, at: At, key: &str, right: &str) -> Option<Bound> {
    let message = "this rule fires on the other side only";
    written.complain(at, key, Complaint::new(message, format!("write {right} = …, or take it out")));
    None
}

/// A bound as its unit is written; finite.
fn number(node: &Node, unit: Unit) -> Result<f64, Complaint> {
    let number = match unit {
        Unit::Share => share(node)?,
        Unit::Duration => duration(node)?.as_micros() as f64,
        Unit::Size => size(node)? as f64,
        Unit::Days if node.number().is_err() => duration(node)?.as_secs_f64() / 86_400.0,
        Unit::Count | Unit::Number | Unit::Factor(_) | Unit::Days => {
            let hint = format!("write {}, without quotes", example(unit));
            node.number().map_err(|complaint| Complaint::new(complaint.message, hint))?
        }
    };
    if number.is_finite() {
        return Ok(number);
    }
    Err(Complaint::new(format!("{number} is no bound"), format!("write {}", example(unit))))
}

/// `"5%"` or `0.05`.
fn share(node: &Node) -> Result<f64, Complaint> {
    let refused = |message: String| Complaint::new(message, "write a share: \"5%\" or 0.05");
    match &node.value {
        Value::Text(text) | Value::Untyped(text) if text.trim().ends_with('%') => {
            let percent = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
            percent.map(|percent| percent / 100.0).map_err(|_| refused(format!("{} is no share", quoted(text))))
        }
        _ => node.number().map_err(|complaint| refused(complaint.message)),
    }
}

fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Count | Unit::Number => "10",
        Unit::Share => "\"5%\"",
        Unit::Duration => "\"800ms\"",
        Unit::Size => "\"10KB\"",
        Unit::Factor(_) => "1.0",
        Unit::Days => "14",
    }
}

/// The most that can be measured in a unit.
fn most(unit: Unit) -> f64 {
    match unit {
        Unit::Share => 1.0,
        Unit::Factor(most) => most,
        _ => f64::INFINITY,
    }
}

/// What is wrong with a bound that nothing is beyond, or everything.
fn senseless(bound: Bound, unit: Unit) -> Option<Complaint> {
    // What is left of a certificate that has expired is less than nothing.
    let least = if unit == Unit::Days { f64::NEG_INFINITY } else { 0.0 };
    let most_there_is = || match unit {
        Unit::Share => "100 % is the most there is: five of a hundred are \"5%\", or 0.05".to_owned(),
        _ => format!("{} is the most there is", shown(most(unit))),
    };
    match bound {
        Bound::Above(value) if value < least => {
            Some(Complaint::new("everything is above it: the rule would always fire", "0 is the least there is"))
        }
        Bound::Above(value) if value >= most(unit) => {
            Some(Complaint::new("nothing is above it: the rule can never fire", most_there_is()))
        }
        Bound::Below(value) if value <= least => {
            let hint = "0 is the least there is; for nothing at all write below = 1";
            let hint = if unit == Unit::Count { hint } else { "0 is the least there is" };
            Some(Complaint::new("nothing is below it: the rule can never fire", hint))
        }
        Bound::Below(value) if value > most(unit) => {
            Some(Complaint::new("everything is below it: the rule would always fire", most_there_is()))
        }
        Bound::Above(_) | Bound::Below(_) => None,
    }
}

fn shown(number: f64) -> String {
    format!("{:.2}", number).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is wrong with a `clear` on the far side of the bound, or beyond all that is measured.
fn never_clear(bound: Bound, clear: f64, unit: Unit) -> Option<Complaint> {
    let wrong = |message: &str, hint: &str| Some(Complaint::new(message, hint));
    match bound {
        Bound::Above(above) if clear > above => {
            wrong("it would be over while it still is above its bound", "write a number not greater than `above`")
        }
        Bound::Below(below) if clear < below => {
            wrong("it would be over while it still is below its bound", "write a number not less than `below`")
        }
        Bound::Above(_) if clear < 0.0 && unit != Unit::Days => {
            wrong("nothing comes back to it: the alert would never be over", "0 is the least there is")
        }
        Bound::Below(_) if clear > most(unit) => {
            wrong("nothing comes back to it: the alert would never be over", "100 % is the most there is")
        }
        Bound::Above(_) | Bound::Below(_) => None,
    }
}
