//! An expression and a line of the log: the first line of the bytes, and what follows it.

use gatelog::filter::{Error, Expression, MAX_LENGTH};

/// The target. Returns whether the expression could be read.
pub fn run(data: &[u8]) -> bool {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (text, line) = data.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            place_is_within(text, &error);
            return false;
        }
    };
    let printed = expression.to_string();
    assert!(printed.chars().count() <= MAX_LENGTH, "{printed}");
    let again = Expression::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, expression, "{printed}");
    assert_eq!(again.to_string(), printed);
    if let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) {
        let meant = expression.matches(&line);
        assert_eq!(again.matches(&line), meant, "{printed}");
        if let Ok(negated) = Expression::parse(&format!("NOT ({printed})")) {
            assert_ne!(negated.matches(&line), meant, "{negated}");
        }
    }
    true
}

/// A caret can be put under what is wrong, and what is said can be shown.
fn place_is_within(text: &str, error: &Error) {
    let shown = error.to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    let characters = text.chars().count();
    assert!(error.column >= 1 && error.length >= 1, "{shown}");
    assert!(error.column + error.length - 1 <= characters + 1, "{shown} in {text:?}");
}
