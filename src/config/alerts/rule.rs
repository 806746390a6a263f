//! One `[[alerts.rule]]`: its name, when and whom it tells; what it looks at is [`super::subject`]'s.

use std::time::Duration;

use super::reach::Reaches;
use super::subject;
use crate::alert::{Rule, Severity};
use crate::config::finding::{Complaint, Scope, quoted};
use crate::config::reader::Section;
use crate::config::source::At;
use crate::config::tree::Node;
use crate::config::unknown::nearest;
use crate::config::value::{choice, duration, is_off, name};

/// What rules have in common that do not say otherwise.
#[derive(Debug, Clone)]
pub(super) struct Common {
    /// `alerts.cooldown`.
    pub(super) cooldown: Duration,
    /// `alerts.repeat`; `None` is never.
    pub(super) repeat: Option<Duration>,
    /// The names of all channels.
    pub(super) channels: Vec<String>,
}

impl Common {
    /// The places of all channels.
    pub(super) fn all_channels(&self) -> Vec<usize> {
        (0..self.channels.len()).collect()
    }
}

/// A rule, and where its name stands.
pub(super) struct Named {
    pub(super) rule: Rule,
    pub(super) at: At,
}

/// One rule; `None` where it cannot be told what it means.
pub(super) fn read(section: Section<'_>, common: &Common, reaches: &Reaches<'_>) -> Option<Named> {
    let mut written = Written::new(section);
    let at = written.at("name");
    let name = written.section.require("name", "\"errors\"", |node| word(node, "a rule"));
    let severity = written.read("severity", |node| choice(node, &SEVERITIES)).unwrap_or(Severity::Warning);
    let description = written.read("description", sentence);
    let hold = written.read("for", hold).unwrap_or_default();
    let (cooldown, repeat) = pace(&mut written, common);
    let channels = channels(&mut written, common);
    let (subject, bound, clear) = subject::read(&mut written, reaches).or_else(|| written.give_up())?;
    let rule = Rule { name: name?, severity, description, subject, bound, clear, hold, cooldown, repeat, channels };
    Some(Named { rule, at })
}

const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

/// A name that can stand in records, labels and commands.
pub(super) fn word(node: &Node, of: &str) -> Result<String, Complaint> {
    let text = node.text()?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(sound) {
        return Ok(text.to_owned());
    }
    let message = format!("{} is no name of {of}", quoted(text));
    Err(Complaint::new(message, format!("1 to {LONGEST_NAME} letters, digits, \"_\" and \"-\"")))
}

const LONGEST_NAME: usize = 64;

/// Text for people, on one line.
fn sentence(node: &Node) -> Result<String, Complaint> {
    let text = name(node)?;
    if text.chars().any(char::is_control) {
        return Err(Complaint::new("it has control characters in it", "write one line"));
    }
    if text.chars().count() > LONGEST_SENTENCE {
        return Err(Complaint::new("it is too long", format!("{LONGEST_SENTENCE} characters are the most")));
    }
    Ok(text)
}

const LONGEST_SENTENCE: usize = 500;

/// `for`.
fn hold(node: &Node) -> Result<Duration, Complaint> {
    let hold = duration(node)?;
    match hold <= WEEK {
        true => Ok(hold),
        false => Err(Complaint::new("nobody waits that long to be told", "7d is the longest")),
    }
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// `cooldown`: `0s` and `"off"` are none.
pub(super) fn cooldown(node: &Node) -> Result<Duration, Complaint> {
    let cooldown = if is_off(node) { Duration::ZERO } else { duration(node)? };
    match cooldown <= WEEK {
        true => Ok(cooldown),
        false => Err(Complaint::new("what happens a week later is something else", "7d is the longest")),
    }
}

/// `repeat`: `"off"` is never.
pub(super) fn repeat(node: &Node) -> Result<Option<Duration>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    match duration(node)? {
        repeat if repeat < SHORTEST_REPEAT => {
            Err(Complaint::new("nobody reads that many notices", "\"1m\" is the shortest, \"off\" is never"))
        }
        repeat => Ok(Some(repeat)),
    }
}

const SHORTEST_REPEAT: Duration = Duration::from_secs(60);

/// `cooldown` and `repeat`, the common ones where the rule has none of its own.
fn pace(written: &mut Written<'_>, common: &Common) -> (Duration, Option<Duration>) {
    let at = written.at("repeat");
    let own_cooldown = written.read("cooldown", cooldown);
    let own_repeat = written.read("repeat", repeat);
    let (cooldown, repeat) = (own_cooldown.unwrap_or(common.cooldown), own_repeat.unwrap_or(common.repeat));
    let place = if own_repeat.is_some() { at } else { written.at("cooldown") };
    if own_cooldown.is_some() || own_repeat.is_some() {
        warn_of_pace(&written.section, place, cooldown, repeat);
    }
    (cooldown, repeat)
}

/// Within `cooldown` nobody is told again, whatever `repeat` says.
pub(super) fn warn_of_pace(section: &Section<'_>, at: At, cooldown: Duration, repeat: Option<Duration>) {
    if repeat.is_some_and(|repeat| repeat < cooldown) {
        let message = "`repeat` is shorter than `cooldown`, within which nobody is told again";
        section.reader.warning(at, message, "write a longer `repeat`, or a shorter `cooldown`");
    }
}

/// `channels`: all of them unless told otherwise.
fn channels(written: &mut Written<'_>, common: &Common) -> Vec<usize> {
    let known: Vec<&str> = common.channels.iter().map(String::as_str).collect();
    let place = |node: &Node| {
        let name = node.text()?;
        known.iter().position(|known| *known == name).ok_or_else(|| {
            let hint = match (nearest(name, &known), known.is_empty()) {
                (Some(near), _) => format!("did you mean \"{near}\"?"),
                (None, true) => "there is no [[alerts.channel]]".to_owned(),
                (None, false) => format!("the channels are {}", known.join(", ")),
            };
            Complaint::new(format!("no channel is called {}", quoted(name)), hint)
        })
    };
    let Some(mut channels) = written.section.list("channels", place) else { return common.all_channels() };
    channels.sort_unstable();
    channels.dedup();
    channels
}

/// A rule as it is written: where its keys stand is known after they were read, too.
pub(super) struct Written<'r> {
    pub(super) section: Section<'r>,
    places: Vec<(&'static str, At)>,
}

impl<'r> Written<'r> {
    fn new(section: Section<'r>) -> Written<'r> {
        let places = KEYS.into_iter().filter(|key| section.has(key)).map(|key| (key, section.at(key))).collect();
        Written { section, places }
    }

    /// Whether a key is written, read already or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places.iter().any(|(known, _)| *known == key)
    }

    /// Where a key's value stands; the rule where it has no such key.
    pub(super) fn at(&self, key: &str) -> At {
        self.places.iter().find(|(known, _)| *known == key).map_or(self.section.at, |(_, at)| *at)
    }

    /// See [`Section::read`].
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, Complaint>,
    ) -> Option<T> {
        self.section.read(key, parse)
    }

    /// Takes what is left of the keys that there are: what became of the rule has been said.
    fn give_up<T>(&mut self) -> Option<T> {
        KEYS.into_iter().for_each(|key| drop(self.section.take(key)));
        None
    }

    /// Something is wrong with a key's value, in view of the others.
    pub(super) fn complain(&self, at: At, key: &str, complaint: Complaint) {
        let message = format!("`{}`: {}", self.section.name(key), complaint.message);
        self.section.reader.findings.error(at, Complaint::new(message, complaint.hint), Scope::Whole);
    }

    /// Something is not there.
    pub(super) fn miss(&self, message: &str, hint: impl Into<String>) {
        self.section.reader.error(self.section.at, message, hint);
    }

    /// Two keys cannot both be meant.
    pub(super) fn clash(&self, at: At, first: At, complaint: Complaint) {
        self.section.reader.clash(Some(at), Some(first), complaint);
    }
}

/// Every key whose place is asked for.
const KEYS: [&str; 17] = [
    "name", "for", "cooldown", "repeat", "channels", "filter", "of", "by", "quantile", "slo", "kind", "per", "after",
    "at_least", "above", "below", "clear",
];
