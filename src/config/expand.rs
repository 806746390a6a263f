//! Variables in strings: `${NAME}` and `${NAME:-default}`; `$${` stands for `${` itself.

use super::environment::Environment;
use super::finding::Complaint;

/// Puts the variables in. A lone `$`, as regular expressions have them, stays as it is.
///
/// # Errors
///
/// Every reference that could not be resolved.
pub(super) fn expand(text: &str, environment: &Environment) -> Result<String, Vec<ExpandError>> {
    let mut expanded = String::with_capacity(text.len());
    let mut errors = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        let (before, reference) = rest.split_at(dollar);
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str("${");
            rest = &reference[2..];
            continue;
        }
        expanded.push_str(before);
        let length = reference.find('}').map_or(reference.len(), |end| end + 1);
        match resolve(&reference[..length], environment) {
            Ok(value) => expanded.push_str(value),
            Err(error) => errors.push(error),
        }
        rest = &reference[length..];
    }
    expanded.push_str(rest);
    if errors.is_empty() { Ok(expanded) } else { Err(errors) }
}

/// The value of one reference, braces included.
fn resolve<'a>(reference: &'a str, environment: &'a Environment) -> Result<&'a str, ExpandError> {
    let Some(inner) = reference[2..].strip_suffix('}') else {
        return Err(ExpandError::Unclosed(reference.to_owned()));
    };
    let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    if !is_name(name) {
        return Err(ExpandError::BadName(reference.to_owned()));
    }
    // As in a shell, `:-` stands in for a variable that is empty, too.
    let value = environment.variable(name).filter(|value| default.is_none() || !value.is_empty());
    value.or(default).ok_or_else(|| ExpandError::Unset { reference: reference.to_owned(), name: name.to_owned() })
}

/// What a shell takes for a variable's name.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Why a reference has no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// No `}`.
    Unclosed(String),
    /// Not what a variable can be called.
    BadName(String),
    /// The environment does not have it, and there is no default.
    Unset { reference: String, name: String },
}

impl ExpandError {
    /// The text that was meant to be replaced.
    pub(super) fn reference(&self) -> &str {
        match self {
            ExpandError::Unclosed(reference) | ExpandError::BadName(reference) => reference,
            ExpandError::Unset { reference, .. } => reference,
        }
    }

    /// What is wrong, and what to write instead. It never shows a value: it may be a secret.
    pub(super) fn complaint(&self) -> Complaint {
        match self {
            ExpandError::Unclosed(_) => Complaint::new("a variable's braces are not closed", ESCAPE_HINT),
            ExpandError::BadName(_) => Complaint::new("this is no name of a variable", ESCAPE_HINT),
            ExpandError::Unset { name, .. } => Complaint::new(
                format!("the variable `{name}` is not set"),
                format!("set it, or give it a default: ${{{name}:-default}}"),
            ),
        }
    }
}

const ESCAPE_HINT: &str = "write ${NAME} or ${NAME:-default}; for the two characters themselves, $${";

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let variables = [("HOST", "shop.example"), ("EMPTY", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Environment::with_files(variables, |_| Err(std::io::ErrorKind::NotFound.into()))
    }

    #[test]
    fn variables_and_defaults_are_put_in() {
        let expand = |text: &str| expand(text, &environment()).unwrap();
        assert_eq!(expand("a ${HOST} b"), "a shop.example b");
        assert_eq!(expand("${HOST}${HOST}"), "shop.exampleshop.example");
        assert_eq!(expand("${NONE:-x-${HOST}"), "x-${HOST");
        assert_eq!(expand("${NONE:-}|${EMPTY:-e}|${EMPTY}|"), "|e||");
    }

    #[test]
    fn dollars_that_are_no_variable_stay() {
        let expand = |text: &str| expand(text, &environment()).unwrap();
        assert_eq!(expand(r"^articles/(?P<year>[0-9]{4})/$"), r"^articles/(?P<year>[0-9]{4})/$");
        assert_eq!(expand("$$ $HOST $"), "$$ $HOST $");
        assert_eq!(expand("$${HOST} $$${HOST}"), "${HOST} $${HOST}");
    }

    #[test]
    fn every_reference_without_a_value_is_told() {
        let errors = expand("${A} ${B} ${1} ${", &environment()).unwrap_err();
        let told: Vec<&str> = errors.iter().map(ExpandError::reference).collect();
        assert_eq!(told, ["${A}", "${B}", "${1}", "${"]);
    }
}
