//! Python's `int()` of a text: what an integer converter accepts, and how the number is then written.

use std::borrow::Cow;

/// `sys.int_info.default_max_str_digits`: longer ones are a `ValueError`, which for Django means "try the next pattern".
pub(super) const MAX_DIGITS: usize = 4300;

/// The zeros of all decimal digit series (Unicode's Nd); the other nine follow each.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The decimal digits of the number that the text is, without leading zeros; `None` where Python raises `ValueError`.
pub(super) fn int(text: &str) -> Option<Cow<'_, str>> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return (1..=MAX_DIGITS).contains(&text.len()).then(|| Cow::Borrowed(strip_zeros(text)));
    }
    let trimmed = trim(text);
    let (negative, magnitude) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let digits = digits(magnitude).filter(|digits| digits.len() <= MAX_DIGITS)?;
    let digits = strip_zeros(&digits);
    let sign = if negative && digits != "0" { "-" } else { "" };
    Some(Cow::Owned(format!("{sign}{digits}")))
}

/// Without leading zeros, but for the last digit.
pub(super) fn strip_zeros(digits: &str) -> &str {
    let stripped = digits.trim_start_matches('0');
    if stripped.is_empty() { &digits[digits.len().saturating_sub(1)..] } else { stripped }
}

/// Python strips a text that is all ASCII by C's idea of space, any other by its own, which has four more.
fn trim(text: &str) -> &str {
    let ascii = text.is_ascii();
    text.trim_matches(|character: char| {
        matches!(character, '\t'..='\r' | ' ')
            || (!ascii && (character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')))
    })
}

/// Digits of any script, single underscores between them, as ASCII digits.
fn digits(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(text.len());
    let mut after_digit = false;
    for character in text.chars() {
        if character == '_' && after_digit {
            after_digit = false;
            continue;
        }
        digits.push(decimal(character)?);
        after_digit = true;
    }
    after_digit.then_some(digits)
}

fn decimal(character: char) -> Option<char> {
    let code = u32::from(character);
    let zero = ZEROS[..ZEROS.partition_point(|&zero| zero <= code)].last()?;
    char::from_digit(code - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        let cases = [
            ("42", Some("42")),
            ("007", Some("7")),
            ("000", Some("0")),
            ("+5", Some("5")),
            ("-007", Some("-7")),
            ("-0", Some("0")),
            (" 5\n", Some("5")),
            ("1_000", Some("1000")),
            ("٣٤", Some("34")),
            ("\u{85}5", Some("5")),
            ("\u{1c}٣", Some("3")),
            ("\u{1c}5", None),
            ("", None),
            ("-", None),
            ("- 5", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("²", None),
            ("--5", None),
            ("1a", None),
            ("𝟗", Some("9")),
        ];
        for (text, expected) in cases {
            assert_eq!(int(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_beyond_pythons_limit_are_none() {
        assert!(int(&"1".repeat(4300)).is_some());
        assert!(int(&"1".repeat(4301)).is_none());
        assert!(int(&"0".repeat(4301)).is_none());
        assert!(int(&format!("-{}", "1".repeat(4300))).is_some());
        assert!(int(&format!("+{}", "1".repeat(4301))).is_none());
    }
}
