//! What a rule looks at: records that are counted, their share, a quantile of theirs, a service level, gatelog itself.

use std::time::Duration;

use super::bound::{self, Sides, Unit};
use super::reach::{self, Reaches};
use super::rule::Written;
use super::sense;
use crate::alert::{Bound, Records, State, Subject};
use crate::analyze::{Burn, Measure};
use crate::config::filter::filter;
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::tree::{Node, Value};
use crate::config::value::{choice, duration};
use crate::filter::{self, Expression, Kind, Name};

/// The kinds of rules, by what is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Count,
    Ratio,
    Quantile,
    Slo,
    ErrorRatio,
    P95,
    UpstreamDown,
    LogLoss,
    CertificateExpiring,
    RequestsStuck,
}

impl Form {
    /// The keys that mean something to it, beside those of every rule.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Form::Count => &["filter", "by", "per"],
            Form::Ratio => &["filter", "of", "by", "per", "at_least"],
            Form::ErrorRatio => &["kind", "filter", "of", "by", "per", "at_least"],
            Form::Quantile => &["quantile", "filter", "by", "per", "at_least"],
            Form::P95 => &["kind", "filter", "by", "per", "at_least"],
            Form::Slo => &["slo", "filter", "of", "by"],
            Form::UpstreamDown | Form::CertificateExpiring => &["kind"],
            Form::LogLoss => &["kind", "per"],
            Form::RequestsStuck => &["kind", "after"],
        }
    }

    /// What it is called in a complaint.
    fn as_str(self) -> &'static str {
        match self {
            Form::Count => "a count",
            Form::Ratio => "a share",
            Form::Quantile => "a quantile",
            Form::Slo => "a service level",
            Form::ErrorRatio => "kind = \"error_ratio\"",
            Form::P95 => "kind = \"p95\"",
            Form::UpstreamDown => "kind = \"upstream_down\"",
            Form::LogLoss => "kind = \"log_loss\"",
            Form::CertificateExpiring => "kind = \"certificate_expiring\"",
            Form::RequestsStuck => "kind = \"requests_stuck\"",
        }
    }
}

const KINDS: [(&str, Form); 6] = [
    ("upstream_down", Form::UpstreamDown),
    ("log_loss", Form::LogLoss),
    ("certificate_expiring", Form::CertificateExpiring),
    ("requests_stuck", Form::RequestsStuck),
    ("error_ratio", Form::ErrorRatio),
    ("p95", Form::P95),
];

/// Keys that mean something to some rules only.
const PARTIAL: [&str; 9] = ["kind", "filter", "of", "by", "quantile", "slo", "per", "after", "at_least"];

/// The keys of a subject, each on its own.
struct Keys {
    kind: Option<Form>,
    filter: Option<Expression>,
    of: Option<Expression>,
    by: Option<Name>,
    quantile: Option<Quantile>,
    slo: Option<Slo>,
    per: Option<Duration>,
    after: Option<Duration>,
    at_least: Option<u64>,
}

/// `quantile`.
struct Quantile {
    field: Name,
    q: f64,
}

/// `slo`: the share that may be bad, and over which time.
struct Slo {
    allowed: f64,
    window: Duration,
}

/// The subject and the bound; `None` where they cannot be told.
pub(super) fn read(written: &mut Written<'_>, reaches: &Reaches<'_>) -> Option<(Subject, Bound, f64)> {
    let keys = Keys::read(written);
    let form = form(written, &keys)?;
    let strange = PARTIAL.into_iter().filter(|key| written.has(key) && !form.keys().contains(key));
    for key in strange {
        let complaint = Complaint::new(format!("it means nothing to {}", form.as_str()), "take it out");
        written.complain(written.at(key), key, complaint);
    }
    // What is written and could not be read has been complained about.
    let unread = [
        ("filter", keys.filter.is_none()),
        ("of", keys.of.is_none()),
        ("quantile", keys.quantile.is_none()),
        ("slo", keys.slo.is_none()),
        ("by", keys.by.is_none()),
    ];
    if unread.into_iter().any(|(key, is_none)| is_none && written.has(key)) {
        return None;
    }
    match state(form, &keys) {
        Some(state) => of_state(written, state),
        None => of_records(written, form, keys, reaches),
    }
}

impl Keys {
    fn read(written: &mut Written<'_>) -> Keys {
        Keys {
            kind: written.read("kind", |node| choice(node, &KINDS)),
            filter: filter(&mut written.section, "filter"),
            of: filter(&mut written.section, "of"),
            by: written.read("by", told_apart_by),
            quantile: written.section.table("quantile").and_then(quantile),
            slo: written.section.table("slo").and_then(slo),
            per: written.read("per", seconds),
            after: written.read("after", seconds),
            at_least: written.read("at_least", at_least),
        }
    }
}

/// Which kind of rule it is; `None` where that is not clear.
fn form(written: &Written<'_>, keys: &Keys) -> Option<Form> {
    let said: Vec<&str> = ["kind", "quantile", "slo"].into_iter().filter(|key| written.has(key)).collect();
    match said[..] {
        [first, second, ..] => {
            let message = format!("`{first}` and `{second}` both say what is looked at");
            written.clash(written.at(second), written.at(first), Complaint::new(message, "keep one of them"));
            None
        }
        ["kind"] => keys.kind,
        ["quantile"] => Some(Form::Quantile),
        ["slo"] => Some(Form::Slo),
        _ if !written.has("filter") => {
            let hint = "add filter = \"level>=error\", quantile = { … }, slo = { … } or kind = \"upstream_down\"";
            written.miss("`alerts.rule` does not say what is looked at", hint);
            None
        }
        _ if written.has("of") => Some(Form::Ratio),
        _ => Some(Form::Count),
    }
}

/// What gatelog is asked of itself, if that is what the rule is about.
fn state(form: Form, keys: &Keys) -> Option<State> {
    match form {
        Form::UpstreamDown => Some(State::UpstreamDown),
        Form::LogLoss => Some(State::LogLoss { per: keys.per.unwrap_or(MINUTE) }),
        Form::CertificateExpiring => Some(State::CertificateExpiring),
        Form::RequestsStuck => Some(State::RequestsStuck { after: keys.after.unwrap_or(STUCK) }),
        _ => None,
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than any response that somebody still waits for.
const STUCK: Duration = Duration::from_secs(300);
/// Certificates of 90 days are renewed when 30 are left: by now somebody has to see why this one was not.
const DAYS_LEFT: f64 = 14.0;

fn of_state(written: &mut Written<'_>, state: State) -> Option<(Subject, Bound, f64)> {
    let (unit, sides) = match state {
        State::CertificateExpiring => (Unit::Days, Sides::Below(DAYS_LEFT)),
        State::UpstreamDown | State::LogLoss { .. } | State::RequestsStuck { .. } => (Unit::Count, Sides::Above(0.0)),
    };
    let (bound, clear) = bound::read(written, unit, sides)?;
    Some((Subject::State(state), bound, clear))
}

fn of_records(
    written: &mut Written<'_>,
    form: Form,
    keys: Keys,
    reaches: &Reaches<'_>,
) -> Option<(Subject, Bound, f64)> {
    let (per_at, slo_at) = (written.at("per"), written.at("slo"));
    let (records, unit, sides) = match form {
        Form::Ratio | Form::ErrorRatio => share(form, keys)?,
        Form::Quantile | Form::P95 => of_quantile(form, keys)?,
        Form::Slo => burn(keys)?,
        _ => (counted(keys)?, Unit::Count, Sides::Either),
    };
    if let Measure::Quantile { per, .. } = records.measure
        && per > LONGEST_QUANTILE
    {
        written.complain(per_at, "per", Complaint::new("no quantile is kept for so long", "1h is the longest"));
    }
    if let Unit::Factor(most) = unit
        && most <= 1.0
        && !written.has("above")
    {
        let hint = "so much is allowed that even nothing but failures is not too much: write a greater target";
        written.complain(slo_at, "slo", Complaint::new("the rule can never fire", hint));
        return None;
    }
    let (bound, clear) = bound::read(written, unit, sides)?;
    sense::check(written, &records, reaches);
    Some((Subject::Records(records), bound, clear))
}

/// Values are kept one by one, more or less.
const LONGEST_QUANTILE: u64 = 3600;

fn counted(keys: Keys) -> Option<Records> {
    let measure = Measure::Count { per: keys.per.unwrap_or(MINUTE).as_secs() };
    Some(Records { filter: keys.filter?, of: None, by: keys.by, field: None, measure })
}

/// A share; of all answers those with a status of 5xx, unless told otherwise.
fn share(form: Form, keys: Keys) -> Option<(Records, Unit, Sides)> {
    let (per, at_least, sides) = match form {
        Form::ErrorRatio => (5 * MINUTE, ENOUGH_REQUESTS, Sides::Above(0.05)),
        _ => (MINUTE, ENOUGH, Sides::Either),
    };
    let measure =
        Measure::Ratio { per: keys.per.unwrap_or(per).as_secs(), at_least: keys.at_least.unwrap_or(at_least) };
    let filter = keys.filter.or_else(|| known(FAILED))?;
    let of = keys.of.or_else(|| known(COMPLETED))?;
    Some((Records { filter, of: Some(of), by: keys.by, field: None, measure }, Unit::Share, sides))
}

/// A failure at night, when nobody else comes by, is no share.
const ENOUGH: u64 = 10;
/// Where nobody has said what there is of it: enough for one request not to be a percentage that alarms.
const ENOUGH_REQUESTS: u64 = 50;

const FAILED: &str = "status>=500";
const COMPLETED: &str = "event:request_completed";

/// A filter of gatelog's own.
pub(super) fn known(filter: &str) -> Option<Expression> {
    Expression::parse(filter).ok()
}

/// A quantile; of the durations of all requests the 95th hundredth, unless told otherwise.
fn of_quantile(form: Form, keys: Keys) -> Option<(Records, Unit, Sides)> {
    let (per, at_least, sides) = match form {
        Form::P95 => (5 * MINUTE, ENOUGH_REQUESTS, Sides::Above(1_000_000.0)),
        _ => (MINUTE, ENOUGH, Sides::Either),
    };
    let usual = || Some(Quantile { field: field_of("duration").ok()?, q: 0.95 });
    let Quantile { field, q } = keys.quantile.or_else(usual)?;
    let unit = match field.field.kind {
        Kind::Duration => Unit::Duration,
        Kind::Size => Unit::Size,
        _ => Unit::Number,
    };
    let measure =
        Measure::Quantile { q, per: keys.per.unwrap_or(per).as_secs(), at_least: keys.at_least.unwrap_or(at_least) };
    let filter = once(keys.filter)?;
    Some((Records { filter, of: None, by: keys.by, field: Some(field), measure }, unit, sides))
}

/// Of each request one record: the last one, unless the filter says which.
fn once(filter: Option<Expression>) -> Option<Expression> {
    match filter {
        None => known(COMPLETED),
        Some(filter) if reach::names(filter.root(), "event") => Some(filter),
        Some(filter) => known(&format!("({filter}) {COMPLETED}")).or(Some(filter)),
    }
}

/// How fast what a service level allows is used up.
fn burn(keys: Keys) -> Option<(Records, Unit, Sides)> {
    let Slo { allowed, window } = keys.slo?;
    let burn = Burn { allowed, window: window.as_secs() };
    let filter = keys.filter.or_else(|| known(FAILED))?;
    let of = keys.of.or_else(|| known(COMPLETED))?;
    let records = Records { filter, of: Some(of), by: keys.by, field: None, measure: Measure::Burn(burn) };
    Some((records, Unit::Factor(burn.most()), Sides::Above(1.0)))
}

/// `quantile = { field = "duration", q = 0.95 }`.
fn quantile(mut section: Section<'_>) -> Option<Quantile> {
    let field = section.require("field", "\"duration\"", measured);
    let q = section.require("q", "0.95", |node| match node.number()? {
        q if q > 0.0 && q < 1.0 => Ok(q),
        q if q > 1.0 && q < 100.0 => {
            Err(Complaint::new(format!("{q} is no share"), format!("write q = {}", q / 100.0)))
        }
        q => Err(Complaint::new(format!("{q} is no quantile"), "write a share between 0 and 1, such as 0.95")),
    });
    Some(Quantile { field: field?, q: q? })
}

/// `slo = { target = 99.9, window = "30d" }`.
fn slo(mut section: Section<'_>) -> Option<Slo> {
    let target = section.require("target", "99.9", |node| match percent(node)? {
        target if target > 0.0 && target < 100.0 => Ok(target),
        target => {
            let hint = "write a percentage between 0 and 100, such as 99.9";
            Err(Complaint::new(format!("{target} % is no target"), hint))
        }
    });
    let window = section.read("window", |node| match duration(node)? {
        window if (DAY..=90 * DAY).contains(&window) => Ok(window),
        _ => Err(Complaint::new("no service level is meant over that time", "from \"1d\" to \"90d\"")),
    });
    let target = target?;
    if target < 1.0 {
        let message = format!("a target of {target} % is met by nothing but failures, almost");
        section.reader.warning(section.at, message, "write a percentage, such as target = 99.9");
    }
    Some(Slo { allowed: (100.0 - target) / 100.0, window: window.unwrap_or(30 * DAY) })
}

const DAY: Duration = Duration::from_secs(86_400);

/// `99.9` or `"99.9%"`.
fn percent(node: &Node) -> Result<f64, Complaint> {
    match &node.value {
        Value::Text(text) | Value::Untyped(text) if text.trim().ends_with('%') => {
            let number = text.trim().trim_end_matches('%').trim_end().parse();
            number.map_err(|_| Complaint::new(format!("{} is no percentage", quoted(text)), "write 99.9"))
        }
        _ => node.number(),
    }
}

/// A time in whole seconds, from one to a week.
fn seconds(node: &Node) -> Result<Duration, Complaint> {
    let time = duration(node)?;
    if time < Duration::from_secs(1) || time > 7 * DAY || time.subsec_nanos() != 0 {
        return Err(Complaint::new("no window is that long", "whole seconds, from \"1s\" to \"7d\""));
    }
    Ok(time)
}

/// `at_least`.
fn at_least(node: &Node) -> Result<u64, Complaint> {
    let number = node.integer()?;
    let count = u64::try_from(number).ok().filter(|count| (1..=1_000_000).contains(count));
    count.ok_or_else(|| Complaint::new(format!("{number} records say nothing"), "write a number from 1 to 1000000"))
}

/// A field as filters name it.
fn field_of(text: &str) -> Result<Name, Complaint> {
    let refused = || Complaint::new(format!("{} is no field", quoted(text)), "fields are named as in filters");
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !is_name {
        return Err(refused());
    }
    let asked = Expression::parse(&format!("{text}:*")).map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| "fields are named as in filters".to_owned());
        Complaint::new(error.message(), hint)
    })?;
    if let Some(field) = asked.first_written_field() {
        let message = format!("`{field}` is not known yet when records are looked at");
        return Err(Complaint::new(
            message,
            "it is the same in every record of this process, or given as one is written",
        ));
    }
    match asked.root() {
        filter::Node::Field(name, _) => one_value(name, text).map(|()| name.clone()),
        _ => Err(refused()),
    }
}

/// A field that may have several values is none to measure, or to tell apart by.
fn one_value(name: &Name, text: &str) -> Result<(), Complaint> {
    let (several, hint) = match (name.field.name, &name.part) {
        ("timing", None) => (true, "write one of them: timing.wait"),
        ("tls", None) => (true, "write one of them: tls.version"),
        ("server_timing" | "labels" | "view_kwargs", None) => (true, "write one of them, with a dot and its name"),
        ("view_args", _) => (true, "name the parameter in its route: view_kwargs.NAME"),
        _ => (false, ""),
    };
    if several { Err(Complaint::new(format!("{} holds several values", quoted(text)), hint)) } else { Ok(()) }
}

/// A field that can be measured.
fn measured(node: &Node) -> Result<Name, Complaint> {
    let text = node.text()?;
    let name = field_of(text)?;
    match name.field.kind {
        Kind::Duration | Kind::Size | Kind::Number => Ok(name),
        _ => {
            let hint = "take a duration, a size or a number, such as duration, timing.wait or response_size";
            Err(Complaint::new(format!("{} cannot be measured", quoted(text)), hint))
        }
    }
}

/// `by`.
fn told_apart_by(node: &Node) -> Result<Name, Complaint> {
    let text = node.text()?;
    let name = field_of(text)?;
    let field = name.field.name;
    if ["timestamp", "request_id", "trace_id", "span_id", "parent_span_id"].contains(&field) {
        let message = format!("{} is another one each time", quoted(text));
        return Err(Complaint::new(message, "tell apart by what many records share, such as route, upstream or ip"));
    }
    if matches!(name.field.kind, Kind::Duration | Kind::Size) {
        let message = format!("{} is a measure, and no name", quoted(text));
        return Err(Complaint::new(message, "tell apart by what many records share, such as route, upstream or ip"));
    }
    Ok(name)
}
