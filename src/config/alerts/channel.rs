//! `[[alerts.channel]]`: what every channel has; each kind has a reader of its own for its own keys.

use std::time::Duration;

use super::{email, rule, webhook};
use crate::alert::{Channel, ChannelKind, Rule};
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::source::At;
use crate::config::tree::Node;
use crate::config::value::{choice, duration};

/// A channel, and where it stands.
pub(super) struct Named {
    pub(super) channel: Channel,
    /// Where its name stands; `None` where it has none of its own.
    named: Option<At>,
    at: At,
}

/// Every channel, and all their names: of those that could not be read, too, so that rules may name them.
pub(super) fn channels(section: &mut Section<'_>) -> (Vec<Named>, Vec<String>) {
    let (at, reader) = (section.at("channel"), section.reader);
    let tables = section.tables("channel");
    if tables.len() > MOST_CHANNELS {
        let hint = format!("{MOST_CHANNELS} are the most: each has a thread of its own");
        reader.error(at, format!("{} channels are too many", tables.len()), hint);
    }
    let (mut channels, mut unreadable): (Vec<Named>, Vec<String>) = Default::default();
    for table in tables {
        match channel(table) {
            Ok(channel) => {
                clash(section, &channels, &channel);
                channels.push(channel);
            }
            Err(name) => unreadable.extend(name),
        }
    }
    name_the_nameless(&mut channels);
    let names = channels.iter().map(|named| named.channel.name.clone()).chain(unreadable).collect();
    (channels, names)
}

/// More ways to tell somebody than anybody keeps an eye on.
const MOST_CHANNELS: usize = 32;

/// One channel; its name alone where it is not known how it tells.
fn channel(mut section: Section<'_>) -> Result<Named, Option<String>> {
    let (at, named) = (section.at, section.has("name").then(|| section.at("name")));
    let name = section.read("name", |node| rule::word(node, "a channel"));
    let kind = section.require("type", "\"email\"", |node| choice(node, &TYPES));
    let Some(kind) = kind else {
        // The other keys depend on the type.
        section.abandon();
        return Err(name);
    };
    let timeout = section.read("timeout", timeout).unwrap_or(TIMEOUT);
    let rate = section.read("rate", rate).unwrap_or(RATE);
    let word = TYPES.iter().find(|(_, of)| *of == kind).map(|(word, _)| (*word).to_owned());
    let kind = match kind {
        Type::Email => email::read(&mut section).map(ChannelKind::Email),
        Type::Webhook => webhook::read(&mut section).map(ChannelKind::Webhook),
        Type::Command => command(&mut section).map(|argv| ChannelKind::Command { argv }),
    };
    let Some(kind) = kind else { return Err(name.or(word)) };
    let channel = Channel { name: name.unwrap_or_default(), kind, timeout, rate };
    Ok(Named { channel, named, at })
}

/// The kinds of channels, before anything is known about one.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Email,
    Webhook,
    Command,
}

const TYPES: [(&str, Type); 3] = [("email", Type::Email), ("webhook", Type::Webhook), ("command", Type::Command)];

/// As long as a mail server may take that looks names up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// One every two minutes: nobody reads more.
const RATE: u32 = 30;

fn timeout(node: &Node) -> Result<Duration, Complaint> {
    let timeout = duration(node)?;
    match (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&timeout) {
        true => Ok(timeout),
        false => Err(Complaint::new("it is out of bounds", "from \"1s\" to \"5m\"")),
    }
}

/// Notices an hour.
fn rate(node: &Node) -> Result<u32, Complaint> {
    let number = node.integer()?;
    let rate = u32::try_from(number).ok().filter(|rate| (1..=3600).contains(rate));
    rate.ok_or_else(|| Complaint::new(format!("{number} notices an hour cannot be"), "write a number from 1 to 3600"))
}

/// `command`: a program and its arguments.
fn command(section: &mut Section<'_>) -> Option<Vec<String>> {
    let (at, reader) = (section.at("command"), section.reader);
    if !section.has("command") {
        let message = format!("`{}` is missing", section.name("command"));
        reader.error(section.at, message, "add command = [\"/usr/local/bin/notify\"]");
    }
    let argv = section.list("command", |node| match node.text()? {
        text if text.contains('\0') => Err(Complaint::new("no argument can hold a NUL", "take it out")),
        text => Ok(text.to_owned()),
    })?;
    match argv.first().map(String::as_str) {
        None | Some("") => {
            let message = format!("`{}` names no program", section.name("command"));
            reader.error(at, message, "write it with its path: [\"/usr/local/bin/notify\"]");
            None
        }
        Some(program) => {
            if !program.starts_with('/') {
                let message = format!(
                    "`{}`: which program {} is depends on where gatelog runs",
                    section.name("command"),
                    quoted(program)
                );
                reader.warning(at, message, "write it with its path: [\"/usr/local/bin/notify\"]");
            }
            Some(argv)
        }
    }
}

/// Reports a channel that has the name of another.
fn clash(section: &Section<'_>, earlier: &[Named], channel: &Named) {
    let same = |other: &&Named| other.named.is_some() && other.channel.name == channel.channel.name;
    if let (Some(at), Some(first)) = (channel.named, earlier.iter().find(same)) {
        let message = format!("two channels are called {}", quoted(&channel.channel.name));
        section.reader.clash(Some(at), first.named, Complaint::new(message, "rules could not tell them apart"));
    }
}

/// A channel without a name has its type for one, with a number where that is taken.
fn name_the_nameless(channels: &mut [Named]) {
    for at in 0..channels.len() {
        if channels[at].channel.name.is_empty() {
            let kind = channels[at].channel.kind.as_str();
            let taken = |name: &String| channels.iter().any(|other| other.channel.name == *name);
            let numbered = (2..).map(|number| format!("{kind}-{number}"));
            let free = std::iter::once(kind.to_owned()).chain(numbered).find(|name| !taken(name));
            channels[at].channel.name = free.unwrap_or_default();
        }
    }
}

/// Channels that no rule tells anything, though there are rules.
pub(super) fn warn_of_idle(section: &Section<'_>, channels: &[Named], rules: &[Rule]) {
    for (place, named) in channels.iter().enumerate() {
        if !rules.is_empty() && rules.iter().all(|rule| !rule.channels.contains(&place)) {
            let message = format!("no rule tells the channel {} anything", quoted(&named.channel.name));
            let at = named.named.unwrap_or(named.at);
            section.reader.warning(at, message, "name it in `channels` of a rule, or take it out");
        }
    }
}
