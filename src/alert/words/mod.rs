//! What a notice is called in each language that a channel speaks. Texts of requests are anybody's: they are cut, and nothing
//! in them means anything to whoever shows them.

pub(super) mod alertmanager;
mod chart;
pub(super) mod html;
pub(super) mod json;
pub(super) mod pagerduty;
mod row;
pub(super) mod slack;
pub(super) mod text;

#[cfg(test)]
pub(super) mod samples;

use std::borrow::Cow;
use std::sync::Arc;

use crate::record::json::timestamp;

use super::notice::{Group, Kind, Notice};

/// What one message is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// The oldest first; not empty.
    pub(super) notices: Vec<Arc<Notice>>,
    /// How many before these nobody is told of any more: too many waited.
    pub(super) dropped: u64,
}

/// Characters of the texts that may be long: a value of a request, a sentence, an address.
const LONGEST: usize = 500;
/// Notices of a mail that are told with all that is known; of the others it is said what they are, since mail programs show
/// no more than a hundred kilobytes.
const DETAILED: usize = 5;
/// Characters of a subject.
const SUBJECT: usize = 200;
/// What is said of the values for which there was no room.
const OTHERS: &str = "(all others)";

/// The beginning of a text, with an ellipsis where it goes on; at most so many characters.
pub(super) fn cut(text: &str, characters: usize) -> Cow<'_, str> {
    if text.char_indices().nth(characters).is_none() {
        return Cow::Borrowed(text);
    }
    let end = text.char_indices().nth(characters.saturating_sub(1)).map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A text of anybody on one line, cut: controls are seen and do nothing, in a terminal, a header or a page; nor do marks that
/// turn the direction of writing or take no room.
pub(super) fn line(text: &str, characters: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * characters));
    for character in cut(text, characters).chars() {
        match character {
            '\0'..='\x1f' => line.extend(char::from_u32(0x2400 + u32::from(character))),
            '\x7f' => line.push('␡'),
            hidden if is_hidden(hidden) => line.push_str(&format!("\\u{{{:x}}}", u32::from(hidden))),
            seen => line.push(seen),
        }
    }
    line
}

/// Whether a character changes what stands beside it, or is not seen at all.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// What has become of the alert, in one word that can be seen from afar.
pub(super) fn state(kind: Kind) -> &'static str {
    match kind {
        Kind::Fired => "FIRING",
        Kind::Repeated => "STILL FIRING",
        Kind::Resolved => "RESOLVED",
        Kind::Test => "TEST",
    }
}

/// The same as the notice itself has it.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Fired => "fired",
        Kind::Repeated => "repeated",
        Kind::Resolved => "resolved",
        Kind::Test => "test",
    }
}

/// The value that an alert is about.
pub(super) fn group_value(group: &Group) -> Cow<'_, str> {
    match &group.name {
        Some(name) => cut(name, LONGEST),
        None => Cow::Borrowed(OTHERS),
    }
}

/// The rule, and which of its alerts: `error_rate route=checkout`.
pub(super) fn title(notice: &Notice) -> String {
    let rule = line(&notice.rule, LONGEST);
    match &notice.group {
        None => rule,
        Some(group) => format!("{rule} {}={}", line(&group.by, LONGEST), line(&group_value(group), LONGEST)),
    }
}

/// Who it is about: `shop (production)`.
pub(super) fn place(notice: &Notice) -> String {
    let (service, environment) = (line(&notice.service, LONGEST), line(&notice.environment, LONGEST));
    match (service.is_empty(), environment.is_empty()) {
        (_, true) => service,
        (true, false) => environment,
        (false, false) => format!("{service} ({environment})"),
    }
}

/// A moment for people, to the second: `2026-11-23 12:00:00 UTC`.
pub(super) fn moment(micros: u64) -> String {
    let text = timestamp(micros);
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", rest.get(..8).unwrap_or(rest))
}

/// All of a batch on one line: of one notice all that matters, of several how many and which.
pub(super) fn headline(batch: &Batch) -> String {
    let text = match batch.notices.as_slice() {
        [] => String::new(),
        [only] => {
            let place = place(only);
            let of = if place.is_empty() { place } else { format!(" - {place}") };
            let summary = line(&only.summary, LONGEST);
            format!("{} {}: {}, {summary}{of}", state(only.kind), only.severity, title(only))
        }
        several => {
            let mut worst_first: Vec<&Arc<Notice>> = several.iter().collect();
            worst_first.sort_by_key(|notice| (notice.kind == Kind::Resolved, rank(notice.severity)));
            let names: Vec<String> =
                worst_first.iter().take(8).map(|notice| format!("{} {}", state(notice.kind), title(notice))).collect();
            format!("{} notices: {}", several.len(), names.join(", "))
        }
    };
    cut(&text, SUBJECT).into_owned()
}

/// The worst is the least.
fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    }
}

/// What is said where notices were dropped; nothing where none were.
pub(super) fn dropped(batch: &Batch) -> Option<String> {
    (batch.dropped > 0).then(|| format!("{} notices before these were dropped: too many waited.", batch.dropped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("x", 0), "…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn controls_are_seen_and_do_nothing() {
        assert_eq!(line("a\r\nBcc: b\x1b[31m\0\x7f\u{85}\u{202e}", 99), "a␍␊Bcc: b␛[31m␀␡\\u{85}\\u{202e}");
    }

    #[test]
    fn a_headline_says_what_happened_to_what_and_the_worst_comes_first() {
        let (fired, resolved) = (samples::notice(Kind::Fired), samples::notice(Kind::Resolved));
        let one = Batch { notices: vec![fired.clone().into()], dropped: 0 };
        assert_eq!(
            headline(&one),
            "FIRING critical: error_rate route=checkout, 12 records in 1m, above 10 - shop (production)"
        );
        let two = Batch { notices: vec![resolved.into(), fired.into()], dropped: 3 };
        assert_eq!(headline(&two), "2 notices: FIRING error_rate route=checkout, RESOLVED error_rate route=checkout");
        assert_eq!(dropped(&two).as_deref(), Some("3 notices before these were dropped: too many waited."));
        assert_eq!(dropped(&one), None);
    }

    #[test]
    fn moments_are_for_people() {
        assert_eq!(moment(1_785_585_600_123_456), "2026-08-01 12:00:00 UTC");
    }

    proptest! {
        #[test]
        fn a_line_is_one_short_line_without_controls(text in any::<String>(), characters in 0usize..50) {
            let shown = line(&text, characters);
            prop_assert!(!shown.chars().any(|character| character.is_control() || is_hidden(character)));
            prop_assert!(shown.chars().count() <= 10 * characters.max(1));
        }
    }
}
