//! What a rule about records can never be about, told at its keys.

use std::borrow::Cow;

use super::reach::{Never, Reach, Reaches, unknown_event};
use super::rule::Written;
use super::world::Barred;
use crate::alert::Records;
use crate::config::finding::Complaint;
use crate::config::unknown::nearest;
use crate::filter::{Expression, Name};

/// Complains about a rule that nothing can be about.
pub(super) fn check(written: &Written<'_>, records: &Records, reaches: &Reaches<'_>) {
    let Records { filter, of, by, field, .. } = records;
    let misspelt = is_misspelt(written, "filter", filter, reaches)
        | of.as_ref().is_some_and(|of| is_misspelt(written, "of", of, reaches));
    if misspelt || is_never(written, "filter", reaches.of(&[filter]), &NOTHING) {
        return;
    }
    if let Some(of) = of {
        if is_never(written, "of", reaches.of(&[of]), &NOTHING)
            || is_never(written, "filter", reaches.of(&[filter, of]), &APART)
        {
            return;
        }
        warn_of_share(written, filter, of, reaches);
    }
    let all: Vec<&Expression> = std::iter::once(filter).chain(of).collect();
    if let Some(field) = field {
        is_never(written, "quantile", reaches.with_field(&all, field), &absent(field));
    }
    if let Some(by) = by {
        is_never(written, "by", reaches.with_field(&all, by), &absent(by));
    }
}

/// What is said of something that no record is, and what to do about it.
type Nothing<'a> = (Cow<'a, str>, &'a str);

const NOTHING: Nothing<'_> = (
    Cow::Borrowed("no record is ever so"),
    "terms side by side must all hold; a status, for one, is known only once an answer has begun",
);
const APART: Nothing<'_> = (
    Cow::Borrowed("no record that it means is one of those that `of` means"),
    "write in `of` among which records these are",
);

fn absent(name: &Name) -> Nothing<'static> {
    let part = name.part.as_deref().map(|part| format!(".{part}")).unwrap_or_default();
    let message = format!("no record that is meant has `{}{part}`", name.field.name);
    (Cow::Owned(message), "take a field that these events have, or name an event that has it in `filter`")
}

/// Reports an event that there is not; whether there is one.
fn is_misspelt(written: &Written<'_>, key: &str, filter: &Expression, reaches: &Reaches<'_>) -> bool {
    let events = reaches.events();
    let Some(name) = unknown_event(filter, events) else { return false };
    let hint = match nearest(&name, events) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "business events are those of [[event]]; the reference has gatelog's own".to_owned(),
    };
    let shown: String = name.chars().filter(|character| !character.is_control()).take(60).collect();
    written.complain(written.at(key), key, Complaint::new(format!("there is no event `{shown}`"), hint));
    true
}

/// Reports what can never be; whether it cannot.
fn is_never(written: &Written<'_>, key: &str, reach: Reach, nothing: &Nothing<'_>) -> bool {
    let Reach::Never(why) = reach else { return false };
    let (at, reader) = (written.at(key), written.section.reader);
    let name = written.section.name(key);
    match why {
        Never::Contradiction => {
            written.complain(at, key, Complaint::new(nothing.0.as_ref(), nothing.1));
        }
        Never::Barred(Barred::Own) => {
            let message = "losses are told by each output in its own stream, and counted beside it";
            written.complain(at, key, Complaint::new(message, "write kind = \"log_loss\" in place of it"));
        }
        Never::Barred(Barred::Level) => {
            let message = format!("`{name}`: `log.level` or `log.loggers` leave out every record that it means");
            reader.warning(at, message, "lower the level: outputs have a `level` of their own");
        }
        Never::Barred(Barred::Off(setting)) => {
            let message = format!("`{name}`: no record that it means is written, as `{setting}` is off");
            reader.warning(at, message, format!("set `{setting}`, or take the rule out"));
        }
    }
    true
}

/// A share of everything, and one of what the levels leave over.
fn warn_of_share(written: &Written<'_>, filter: &Expression, of: &Expression, reaches: &Reaches<'_>) {
    let (at, reader) = (written.at("filter"), written.section.reader);
    if reaches.is_all(filter, of) {
        let message = "`alerts.rule.filter`: every record that `of` means is so: the share is always 100 %";
        reader.warning(at, message, "write in `of` among which records these are");
    }
    if reaches.is_cut(of) {
        let message =
            "`log.level` or `log.loggers` leave out some of the records that `of` means: the share is too great";
        reader.warning(written.at("of"), message, "lower the level to info: outputs have a `level` of their own");
    }
}
