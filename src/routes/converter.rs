//! What stands behind `<name:parameter>`: Django's five converters, and the user's own.

use std::borrow::Cow;
use std::sync::Arc;

use super::number;
use super::problem::Problem;
use super::settings::{ConverterSettings, ConverterType};
use super::syntax::{self, Node, Syntax};

/// Django's own, `django/urls/converters.py`.
const BUILT_IN: [(&str, &str, Conversion); 5] = [
    ("int", "[0-9]+", Conversion::Int),
    ("path", ".+", Conversion::Text),
    ("slug", "[-a-zA-Z0-9_]+", Conversion::Text),
    ("str", "[^/]+", Conversion::Text),
    ("uuid", UUID, Conversion::Text),
];
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// What becomes of the text that a parameter matched. A failing one means that the pattern does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Conversion {
    /// Stays text. Never fails. Django's own `uuid` only matches the canonical form, so it is text too.
    Text,
    /// Python's `int()`.
    Int,
    /// Python's `uuid.UUID()`, written canonically.
    Uuid,
}

impl Conversion {
    /// The value as it is written; `None` where Django's `to_python` would raise `ValueError`.
    pub(super) fn apply(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Conversion::Text => Some(Cow::Borrowed(text)),
            Conversion::Int => number::int(text),
            Conversion::Uuid => canonical_uuid(text).map(Cow::Owned),
        }
    }
}

/// A converter by its name.
#[derive(Debug, Clone)]
pub(super) struct Converter {
    name: String,
    /// Without groups.
    pub(super) node: Arc<Node>,
    pub(super) conversion: Conversion,
}

/// All converters that a table can use.
#[derive(Debug)]
pub(super) struct Converters(Vec<Converter>);

impl Converters {
    /// Django's and the user's; the latter win.
    pub(super) fn new(settings: &[ConverterSettings], problems: &mut Vec<Problem>) -> Converters {
        let mut all: Vec<Converter> = Vec::new();
        for converter in settings {
            if let Some(first) = settings.iter().find(|other| other.name == converter.name)
                && first.origin != converter.origin
            {
                let message = format!("the converter `{}` is there twice", converter.name);
                problems.push(Problem::error(converter.origin, "name", message).against(first.origin));
            }
            all.extend(custom(converter, problems));
        }
        all.extend(BUILT_IN.iter().filter_map(built_in));
        Converters(all)
    }

    /// The converter of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Converter> {
        self.0.iter().find(|converter| converter.name == name)
    }

    /// The name that is most like this one; all of them, if none is.
    pub(super) fn suggest(&self, name: &str) -> String {
        let distance = |converter: &&Converter| strsim::damerau_levenshtein(name, &converter.name);
        match self.0.iter().min_by_key(distance).filter(|converter| distance(converter) <= 2) {
            Some(nearest) => format!("did you mean `{}`?", nearest.name),
            None => format!("there are {}", self.names().join(", ")),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|converter| converter.name.as_str()).collect()
    }
}

/// What Django's `uuid` matches, to be told from a run of characters.
pub(super) fn is_uuid(node: &Node) -> bool {
    use std::sync::LazyLock;
    static NODE: LazyLock<Option<Node>> = LazyLock::new(|| syntax::parse(UUID).ok().map(|syntax| syntax.root));
    NODE.as_ref() == Some(node)
}

/// Python's `uuid.UUID()`: braces and prefixes fall away, hyphens may stand anywhere; 32 hexadecimal digits are left.
fn canonical_uuid(text: &str) -> Option<String> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits = bare.trim_matches(['{', '}']).replace('-', "").to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

fn built_in(&(name, regex, conversion): &(&str, &str, Conversion)) -> Option<Converter> {
    let node = Arc::new(syntax::parse(regex).ok()?.root);
    Some(Converter { name: name.to_owned(), node, conversion })
}

fn custom(settings: &ConverterSettings, problems: &mut Vec<Problem>) -> Option<Converter> {
    let name = settings.name.as_str();
    if name.is_empty() || name.contains(|character: char| "<>:".contains(character) || character.is_whitespace()) {
        let message = format!("`{name}` cannot be written in `<converter:parameter>`");
        problems.push(Problem::error(settings.origin, "name", message));
    }
    if BUILT_IN.iter().any(|(other, ..)| *other == name) {
        let message = format!("`{name}` replaces Django's converter of that name; Django 6 refuses that");
        problems.push(Problem::warning(settings.origin, "name", message).hint("give it a name of its own"));
    }
    match syntax::parse(&settings.regex) {
        Ok(syntax) => checked(settings, syntax, problems),
        Err(error) => {
            let problem = Problem::error(settings.origin, "regex", format!("the regex is refused: {error}"));
            problems.push(Problem { hint: error.hint().map(str::to_owned), ..problem });
            None
        }
    }
}

fn checked(settings: &ConverterSettings, syntax: Syntax, problems: &mut Vec<Problem>) -> Option<Converter> {
    if !syntax.groups.is_empty() {
        let problem = Problem::error(settings.origin, "regex", "a converter's regex has no groups of its own");
        problems.push(problem.hint("use `(?:…)`"));
        return None;
    }
    if syntax.root.has_dollar() {
        let problem = Problem::error(settings.origin, "regex", "`$` does not belong into a converter's regex");
        problems.push(problem.hint("leave it out: more of the pattern may follow"));
        return None;
    }
    let conversion = match settings.kind {
        ConverterType::Int => Conversion::Int,
        ConverterType::Str => Conversion::Text,
        ConverterType::Uuid => Conversion::Uuid,
    };
    Some(Converter { name: settings.name.clone(), node: Arc::new(syntax.root), conversion })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(name: &str, regex: &str) -> ConverterSettings {
        ConverterSettings { origin: 7, name: name.into(), regex: regex.into(), kind: ConverterType::Int }
    }

    #[test]
    fn djangos_five_are_there() {
        let converters = Converters::new(&[], &mut Vec::new());
        assert_eq!(converters.names(), ["int", "path", "slug", "str", "uuid"]);
        assert!(is_uuid(&converters.get("uuid").unwrap().node));
        assert_eq!(converters.suggest("itn"), "did you mean `int`?");
        assert_eq!(converters.suggest("number"), "there are int, path, slug, str, uuid");
    }

    #[test]
    fn broken_converters_are_reported_at_their_place() {
        for (name, regex) in [("a b", "x"), ("yyyy", "[0-9"), ("yyyy", "(a)"), ("yyyy", "a$"), ("", "a")] {
            let mut problems = Vec::new();
            Converters::new(&[converter(name, regex)], &mut problems);
            assert!(problems.iter().all(|problem| problem.origin == 7) && !problems.is_empty(), "{name} {regex}");
        }
    }

    #[test]
    fn values_are_converted_or_refused() {
        assert_eq!(
            Conversion::Uuid.apply("0123456789ABCDEF0123456789abcdef").unwrap(),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
        let odd = "{urn:uuid:0-1234567-89ab-cdef-0123-456789abcdeF}";
        assert_eq!(Conversion::Uuid.apply(odd).unwrap(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(Conversion::Uuid.apply("xyz"), None);
        assert_eq!(Conversion::Uuid.apply(&"é".repeat(16)), None);
        assert_eq!(Conversion::Int.apply("0042").unwrap(), "42");
    }
}
