//! `[alerts]`: what of the log wakes somebody up, and how they are told.
//!
//! `rule` reads what all rules have, `subject` and `bound` what they look at and when it is too much; `reach` finds those
//! that nothing can be about. `channel` reads who is told.

mod bound;
mod channel;
mod defaults;
mod email;
mod reach;
mod rule;
mod sense;
mod subject;
mod webhook;
mod world;

#[cfg(test)]
mod reach_tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;

pub(super) use world::Scene;

use self::reach::Reaches;
use self::rule::{Common, Named};
use super::address;
use super::finding::{Complaint, quoted};
use super::reader::Section;
use super::source::At;
use super::tree::{Node, Value};
use super::value::{boolean, is_off, name};
use crate::alert::settings::MOST_RULES;
use crate::alert::{Rule, Settings};

/// `[alerts]`; `None` where there is none, and for `alerts = "off"`. `store`: the folder of `[store]`.
pub(super) fn read(root: &mut Section<'_>, scene: &Scene<'_>, store: Option<&Path>) -> Option<Settings> {
    if matches!(root.value("alerts"), Some(Value::Text(text) | Value::Untyped(text)) if text.trim() == "off") {
        drop(root.take("alerts"));
        return None;
    }
    let mut section = root.table("alerts")?;
    let origin = section.origin();
    let (cooldown, repeat) = pace(&mut section);
    let state = state(&mut section, store);
    let link = section.read("link", link);
    let (channels, names) = channel::channels(&mut section);
    let common = Common { cooldown, repeat, channels: names };
    let (rules, is_all) = rules(&mut section, &common, scene);
    if is_all {
        channel::warn_of_idle(&section, &channels, &rules);
    }
    let channels = channels.into_iter().map(|named| named.channel).collect();
    Some(Settings { origin, rules, channels, state, link })
}

/// `cooldown` and `repeat` of all rules that have none of their own.
fn pace(section: &mut Section<'_>) -> (Duration, Option<Duration>) {
    let at = section.at(if section.has("repeat") { "repeat" } else { "cooldown" });
    let cooldown = section.read("cooldown", rule::cooldown).unwrap_or(COOLDOWN);
    let repeat = section.read("repeat", rule::repeat).unwrap_or(Some(REPEAT));
    rule::warn_of_pace(section, at, cooldown, repeat);
    (cooldown, repeat)
}

/// Long enough for what comes and goes not to be told each time.
const COOLDOWN: Duration = Duration::from_secs(300);
/// As Alertmanager does.
const REPEAT: Duration = Duration::from_secs(4 * 3600);

/// `state`: beside the store, where there is one.
fn state(section: &mut Section<'_>, store: Option<&Path>) -> Option<PathBuf> {
    let (reader, at) = (section.reader, section.at);
    let path = |at: At, text: &str| reader.sources.borrow().path(at, text);
    let written = section.read("state", |node| match is_off(node) {
        true => Ok(None),
        false => match name(node)? {
            text if text.ends_with('/') || text.contains('\0') => {
                let hint = "write the path of a file, or \"off\" to keep it in memory only";
                Err(Complaint::new(format!("{} is no path of a file", quoted(&text)), hint))
            }
            text => Ok(Some(path(node.at, &text))),
        },
    });
    written.unwrap_or_else(|| {
        Some(match store {
            Some(folder) => folder.join("alerts.json"),
            None => path(at, "gatelog-alerts.json"),
        })
    })
}

/// `link`: where people look.
fn link(node: &Node) -> Result<Uri, Complaint> {
    let text = node.text()?;
    // Whatever stands before an @ may be a password, so that this message shows nothing of the URL.
    if text.contains('@') {
        return Err(Complaint::new("it has a user or a password", "everybody who gets a notice would have them"));
    }
    let refused = || {
        let hint = "write where the dashboard is: \"https://gatelog.example.com\"";
        Complaint::new(format!("{} is no URL", quoted(text)), hint)
    };
    let link: Uri = text.parse().map_err(|_| refused())?;
    let host = link.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let is_sound = matches!(link.scheme_str(), Some("http" | "https")) && host.and_then(address::host_name).is_some();
    (is_sound && !text.contains('#') && link.query().is_none()).then_some(link).ok_or_else(refused)
}

/// `[[alerts.rule]]`, and the rules that are there without any; whether these are all that are meant.
fn rules(section: &mut Section<'_>, common: &Common, scene: &Scene<'_>) -> (Vec<Rule>, bool) {
    let (at, defaults_at, reader) = (section.at("rule"), section.at("defaults"), section.reader);
    let wanted = section.read("defaults", boolean);
    let tables = section.tables("rule");
    let (is_bare, written) = (tables.is_empty(), tables.len());
    let reaches = Reaches::new(scene);
    let mut own: Vec<Named> = Vec::new();
    for named in tables.into_iter().filter_map(|table| rule::read(table, common, &reaches)) {
        if let Some(first) = own.iter().find(|first| first.rule.name == named.rule.name) {
            let message = format!("two rules are called {}", quoted(&named.rule.name));
            let complaint = Complaint::new(message, "what fires, and what is silenced, could not be told apart");
            reader.clash(Some(named.at), Some(first.at), complaint);
        }
        own.push(named);
    }
    let is_all = own.len() == written;
    let mut rules: Vec<Rule> = own.into_iter().map(|named| named.rule).collect();
    if wanted.unwrap_or(is_bare) {
        let missing = |rule: &Rule| rules.iter().all(|own| own.name != rule.name);
        let added: Vec<Rule> = defaults::rules(common).into_iter().filter(missing).collect();
        rules.extend(added);
    } else if is_bare {
        let message = "there is no rule, so that nothing is ever told";
        reader.warning(defaults_at, message, "add [[alerts.rule]], or take `defaults` out");
    }
    if rules.len() > MOST_RULES {
        reader.error(at, format!("{} rules are too many", rules.len()), format!("{MOST_RULES} are the most"));
    }
    (rules, is_all)
}
