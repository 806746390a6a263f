//! Values as they are written: durations, sizes, counts, names of levels and headers.

use std::time::Duration;

use http::HeaderName;

use super::finding::{Complaint, quoted};
use super::tree::{Node, Value};
use crate::record::Level;

/// `"250ms"`, `"10s"`, `"1m30s"`, `"1.5h"`, `"7d"`; `0` needs no unit.
pub(super) fn duration(node: &Node) -> Result<Duration, Complaint> {
    match node.value {
        Value::Integer(0) => return Ok(Duration::ZERO),
        Value::Integer(number) if number > 0 => return Err(needs_unit(&number.to_string())),
        Value::Integer(number) => return Err(no_duration(&number.to_string())),
        Value::Float(number) if number > 0.0 => return Err(needs_unit(&number.to_string())),
        _ => {}
    }
    let text = node.text()?.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let is_number = text.parse::<f64>().is_ok_and(|number| number > 0.0);
    let seconds = seconds(text).ok_or_else(|| if is_number { needs_unit(text) } else { no_duration(text) })?;
    if seconds > LONGEST {
        return Err(Complaint::new(
            format!("{} is too long", quoted(text)),
            "ten years are the most; \"off\" is never",
        ));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Examples teach the format faster than a grammar.
fn no_duration(text: &str) -> Complaint {
    Complaint::new(format!("{} is no duration", quoted(text)), r#"write "250ms", "10s", "5m", "1h" or "7d""#)
}

/// A bare number could be seconds or milliseconds: nobody is to guess.
fn needs_unit(number: &str) -> Complaint {
    Complaint::new(format!("the duration {number} has no unit"), format!("write \"{number}s\" or \"{number}ms\""))
}

/// Clocks can be added to without overflow up to here.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;

/// A span of time as it is written everywhere, with its unit: on the command line, too.
pub fn span(text: &str) -> Option<Duration> {
    seconds(text).filter(|seconds| *seconds <= LONGEST).map(Duration::from_secs_f64)
}

/// The sum of one or more numbers with units.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let unit_end = after.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(after.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &after[..unit_end])?;
        sum += number.parse::<f64>().ok()? * factor;
        rest = &after[unit_end..];
    }
    (!text.is_empty()).then_some(sum)
}

/// In seconds.
const UNITS: [(&str, f64); 6] = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// Leading digits, with at most one point among them, and what follows.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A limit in time: `0` and `"off"` are none.
pub(super) fn time_limit(node: &Node) -> Result<Option<Duration>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    Ok(Some(duration(node)?).filter(|duration| !duration.is_zero()))
}

/// Bytes: `"512B"`, `"32KB"`, `"8MB"`, `"1GB"` (steps of 1024, as nginx counts), or a bare number.
pub(super) fn size(node: &Node) -> Result<u64, Complaint> {
    if let Value::Integer(number) = node.value {
        return u64::try_from(number).map_err(|_| no_size(&number.to_string()));
    }
    let text = node.text()?.trim();
    bytes(text).ok_or_else(|| no_size(text))
}

/// A size as it is written everywhere: on the command line, too.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let unit = unit.trim().to_ascii_uppercase().replace("IB", "B");
    let (_, shift) = SIZES.iter().find(|(name, _)| *name == unit)?;
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes <= i64::MAX as u64)
}

/// As powers of two.
const SIZES: [(&str, u32); 9] =
    [("", 0), ("B", 0), ("K", 10), ("KB", 10), ("M", 20), ("MB", 20), ("G", 30), ("GB", 30), ("TB", 40)];

/// Like durations, by example.
fn no_size(text: &str) -> Complaint {
    Complaint::new(format!("{} is no size", quoted(text)), r#"write whole bytes, or "32KB", "8MB", "1GB""#)
}

/// A limit in bytes: `0` and `"off"` are none.
pub(super) fn size_limit(node: &Node) -> Result<Option<u64>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    Ok(Some(size(node)?).filter(|bytes| *bytes > 0))
}

/// A limit that counts: `0` and `"off"` are none.
pub(super) fn count_limit(node: &Node) -> Result<Option<usize>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    let number = node.integer()?;
    let count = usize::try_from(number)
        .map_err(|_| Complaint::new(format!("{number} is no count"), "write a number from 0, or \"off\""))?;
    Ok(Some(count).filter(|count| *count > 0))
}

/// `"off"`, in any limit.
pub(super) fn is_off(node: &Node) -> bool {
    node.text().is_ok_and(|text| text.trim() == "off")
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<bool, Complaint> {
    node.boolean()
}

/// Any text.
pub(super) fn text(node: &Node) -> Result<String, Complaint> {
    node.text().map(str::to_owned)
}

/// Text that says something.
pub(super) fn name(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    if text.trim().is_empty() {
        return Err(Complaint::new("it is empty", "write a name"));
    }
    Ok(text.to_owned())
}

/// Permission bits: `"0640"`, or the number `0o640`.
pub(super) fn mode(node: &Node) -> Result<u32, Complaint> {
    let refused = || Complaint::new("these are no permissions of a file", "write them in octal: \"0640\"");
    let bits = match &node.value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        _ => u32::from_str_radix(node.text()?.trim_start_matches("0o"), 8).ok(),
    };
    let bits = bits.filter(|bits| *bits <= 0o777).ok_or_else(refused)?;
    match bits & 0o200 {
        0 => Err(Complaint::new("its owner could not write to it", "write them in octal: \"0640\"")),
        _ => Ok(bits),
    }
}

/// A user or a group, by name or by number.
pub(super) fn account(node: &Node) -> Result<String, Complaint> {
    match node.value {
        Value::Integer(number) => u32::try_from(number)
            .map(|id| id.to_string())
            .map_err(|_| Complaint::new(format!("{number} is no id"), "write a name, or a number from 0")),
        _ => name(node),
    }
}

/// A level; `None` is `"off"`.
pub(super) fn level_or_off(node: &Node) -> Result<Option<Level>, Complaint> {
    if is_off(node) {
        Ok(None)
    } else {
        choice(node, &[LEVELS.as_slice(), &[("off", Level::Debug)]].concat()).map(Some)
    }
}

/// A level.
pub(super) fn level(node: &Node) -> Result<Level, Complaint> {
    choice(node, &LEVELS)
}

/// As they are written; records have them in capitals.
const LEVELS: [(&str, Level); 5] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warning", Level::Warning),
    ("error", Level::Error),
    ("critical", Level::Critical),
];

/// One of a few words.
pub(super) fn choice<T: Copy>(node: &Node, choices: &[(&str, T)]) -> Result<T, Complaint> {
    let text = node.text()?;
    choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| no_choice(text, choices))
}

/// The word that was probably meant, or all there are.
fn no_choice<T>(text: &str, choices: &[(&str, T)]) -> Complaint {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let hint = match super::unknown::nearest(text, &names) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("write one of {}", names.join(", ")),
    };
    Complaint::new(format!("{} is none of its values", quoted(text)), hint)
}

/// The name of a header field.
pub(super) fn header(node: &Node) -> Result<HeaderName, Complaint> {
    let text = node.text()?;
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        let message = format!("{} is no header name", quoted(text));
        Complaint::new(message, "letters, digits and hyphens, without the colon: \"X-Request-ID\"")
    })
}

/// A token (RFC 9110 §5.6.2), such as a method or a cookie's name.
pub(super) fn token(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    let is_token = |character: char| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
    if text.is_empty() || !text.chars().all(is_token) {
        let message = format!("{} is no token", quoted(text));
        return Err(Complaint::new(message, "letters, digits, hyphens and underscores, nothing else"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::At;

    fn node(text: &str) -> Node {
        Node { at: At::whole(0), value: Value::Text(text.to_owned()) }
    }

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        let millis = |text: &str| duration(&node(text)).unwrap().as_millis();
        let read = ["250ms", "10s", "5m", "1h", "7d", "1m30s", "1.5s", "0", "0s", " 2s "].map(millis);
        assert_eq!(read, [250, 10_000, 300_000, 3_600_000, 604_800_000, 90_000, 1500, 0, 0, 2000]);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "10", "1.2.3s", "-1s", "1 s", "1y", "1e3s", "99999999999d", "infs", "NaN", "s1"] {
            assert!(duration(&node(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_go_in_steps_of_1024() {
        let bytes = |text: &str| size(&node(text)).unwrap();
        let read = ["512", "512B", "32KB", "32KiB", "32k", "8 MB", "1GB", "1TB"].map(bytes);
        assert_eq!(read, [512, 512, 32 << 10, 32 << 10, 32 << 10, 8 << 20, 1 << 30, 1 << 40]);
        for text in ["", "KB", "1.5MB", "-1", "1PB", "99999999999GB", "1 2"] {
            assert!(size(&node(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn nought_and_off_are_no_limit() {
        for text in ["off", "0"] {
            assert_eq!(time_limit(&node(text)).unwrap(), None);
            assert_eq!(size_limit(&node(text)).unwrap(), None);
        }
        let number = |number| Node { at: At::whole(0), value: Value::Integer(number) };
        assert_eq!(count_limit(&node("off")).unwrap(), None);
        assert_eq!(count_limit(&number(0)).unwrap(), None);
        assert_eq!(count_limit(&number(7)).unwrap(), Some(7));
        assert!(count_limit(&number(-1)).is_err());
    }
}
