//! One pattern: what Django's `path()`, `re_path()` and their `include()` forms match, and what they capture.

use super::backtrack::{self, Outcome};
use super::converter::{Conversion, Converters};
use super::problem::Problem;
use super::settings::Pattern as Written;
use super::steps::Steps;
use super::syntax::{self, Node, Program, Syntax, SyntaxError, is_identifier};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As the user wrote it.
    pub(super) source: String,
    /// `/posts/{pk}/`, without the leading slash.
    pub(super) rendered: String,
    /// In the order of the groups.
    pub(super) captures: Vec<Capture>,
    /// What it matches.
    pub(super) syntax: Syntax,
    /// Python's `fullmatch()` rather than `search()`.
    pub(super) whole: bool,
    /// How.
    pub(super) matcher: Matcher,
}

/// A group, and what becomes of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) name: Option<String>,
    pub(super) conversion: Conversion,
}

/// How a pattern is matched: step by step where that can be done without going back, else by a regular expression.
#[derive(Debug)]
pub(super) enum Matcher {
    Steps(Steps),
    Program { simple: Option<Steps>, program: Program },
}

/// Byte offsets of a group, where it took part.
pub(super) type Span = Option<(usize, usize)>;

impl Pattern {
    /// Compiles what the user wrote; `None` when a problem stands in the way.
    pub(super) fn new(
        written: &Written,
        origin: usize,
        converters: &Converters,
        problems: &mut Vec<Problem>,
    ) -> Option<Pattern> {
        let field = field(written);
        let parsed = match written {
            Written::Path(source) | Written::Prefix(source) => {
                let endpoint = matches!(written, Written::Path(_));
                path_syntax(source, endpoint, converters).map_err(|(message, hint)| (message, Some(hint)))
            }
            Written::Regex(source) | Written::RegexPrefix(source) => regex_syntax(source),
        };
        let whole = matches!(written, Written::Regex(source) if source.ends_with('$'));
        let compiled = parsed.and_then(|parsed| Pattern::compile(written, parsed, whole));
        match compiled {
            Ok(pattern) => Some(pattern),
            Err((message, hint)) => {
                problems.push(Problem { hint, ..Problem::error(origin, field, message) });
                None
            }
        }
    }

    fn compile(written: &Written, parsed: (Syntax, Vec<Capture>), whole: bool) -> Result<Pattern, Refusal> {
        let (syntax, captures) = parsed;
        let matcher = match Steps::new(&syntax, whole) {
            Some(steps) => Matcher::Steps(steps),
            None => Matcher::Program {
                simple: Steps::any(&syntax, whole),
                program: Program::new(&syntax, whole).map_err(refused_regex)?,
            },
        };
        let rendered = syntax::render(&syntax);
        Ok(Pattern { source: source(written).to_owned(), rendered, captures, syntax, whole, matcher })
    }

    /// Matches at the start of the text, as Django's `pattern.match()`: where it ends, and its groups.
    pub(super) fn find(&self, text: &str, groups: &mut impl Extend<Span>) -> Option<usize> {
        match &self.matcher {
            Matcher::Steps(steps) => steps.find(text, groups),
            Matcher::Program { simple, program } => {
                match simple.as_ref().map(|steps| backtrack::find(steps, text, groups)) {
                    Some(Outcome::Found(end)) => return Some(end),
                    Some(Outcome::No) => return None,
                    Some(Outcome::Unknown) | None => {}
                }
                let found = program.find(text)?;
                groups.extend(found.groups);
                Some(found.end)
            }
        }
    }

    /// The text that every match begins with.
    pub(super) fn leading_text(&self) -> String {
        let parts = self.syntax.root.parts();
        let anchored = matches!(parts.first(), Some(Node::Start));
        if !anchored && !self.whole {
            return String::new();
        }
        parts[usize::from(anchored)..].iter().map_while(Node::literal).collect()
    }

    /// The longest text that every match holds somewhere; empty when there is none.
    pub(super) fn required_text(&self) -> String {
        let mut longest = String::new();
        let mut current = String::new();
        for part in self.syntax.root.parts() {
            match part.literal() {
                Some(character) => current.push(character),
                None => current.clear(),
            }
            if current.len() > longest.len() {
                longest.clone_from(&current);
            }
        }
        longest
    }

    /// Whether its positional groups are arguments: only if it has no named ones.
    pub(super) fn positional(&self) -> bool {
        self.captures.iter().all(|capture| capture.name.is_none())
    }
}

/// The key under which it was written.
pub(super) fn field(written: &Written) -> &'static str {
    match written {
        Written::Path(_) => "path",
        Written::Regex(_) => "regex",
        Written::Prefix(_) => "prefix",
        Written::RegexPrefix(_) => "regex",
    }
}

/// The pattern's text.
pub(super) fn source(written: &Written) -> &str {
    match written {
        Written::Path(source) | Written::Regex(source) => source,
        Written::Prefix(source) | Written::RegexPrefix(source) => source,
    }
}

/// Message and hint.
type Refusal = (String, Option<String>);

fn refused_regex(error: SyntaxError) -> Refusal {
    (format!("the regex is refused: {error}"), error.hint().map(str::to_owned))
}

fn regex_syntax(source: &str) -> Result<(Syntax, Vec<Capture>), Refusal> {
    let syntax = syntax::parse(source).map_err(refused_regex)?;
    let text = |name: &Option<String>| Capture { name: name.clone(), conversion: Conversion::Text };
    let captures = syntax.groups.iter().map(text).collect();
    Ok((syntax, captures))
}

/// `path()`'s own notation, as Django's `_route_to_regex` reads it.
fn path_syntax(
    source: &str,
    endpoint: bool,
    converters: &Converters,
) -> Result<(Syntax, Vec<Capture>), (String, String)> {
    let mut nodes = vec![Node::Start];
    let mut captures: Vec<Capture> = Vec::new();
    let mut rest = source;
    while let Some((before, parameter, after)) = next_parameter(rest) {
        let (converter, name) = split_parameter(parameter)?;
        if captures.iter().any(|capture| capture.name.as_deref() == Some(name)) {
            return Err((format!("the parameter `{name}` is there twice"), "give each a name of its own".to_owned()));
        }
        let Some(converter) = converters.get(converter) else {
            return Err((format!("there is no converter `{converter}`"), converters.suggest(converter)));
        };
        nodes.extend(before.chars().map(Node::Literal));
        nodes.push(Node::Capture(captures.len(), Box::new(Node::clone(&converter.node))));
        captures.push(Capture { name: Some(name.to_owned()), conversion: converter.conversion });
        rest = after;
    }
    nodes.extend(rest.chars().map(Node::Literal));
    nodes.extend(endpoint.then_some(Node::End));
    let groups = captures.iter().map(|capture| capture.name.clone()).collect();
    Ok((Syntax { root: Node::concat(nodes), groups }, captures))
}

/// Splits at the next `<…>`: what is before, within and after.
fn next_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find('<')?;
        let length = text[open + 1..].find('>')?;
        if length > 0 {
            let close = open + 1 + length;
            return Some((&text[..open], &text[open + 1..close], &text[close + 1..]));
        }
        from = open + 1;
    }
}

/// `int:pk` or `pk`: the converter and the parameter's name.
fn split_parameter(parameter: &str) -> Result<(&str, &str), (String, String)> {
    if parameter.contains(|character| matches!(character, ' ' | '\t'..='\r')) {
        let hint = format!("<{}>", parameter.split_whitespace().collect::<String>());
        return Err((format!("`<{parameter}>` holds whitespace"), format!("write `{hint}`")));
    }
    let (converter, name) = match parameter.split_once(':') {
        Some((converter, name)) if !converter.is_empty() && !name.is_empty() => (converter, name),
        _ => ("str", parameter),
    };
    if !is_identifier(name) {
        let hint = "use letters, digits and `_`, not starting with a digit: `<int:pk>`".to_owned();
        return Err((format!("`{name}` is not a valid parameter name: it must be a Python identifier"), hint));
    }
    Ok((converter, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(written: Written) -> Result<Pattern, Problem> {
        let mut problems = Vec::new();
        let converters = Converters::new(&[], &mut problems);
        Pattern::new(&written, 0, &converters, &mut problems).ok_or_else(|| problems.remove(0))
    }

    fn path_error(source: &str) -> String {
        compiled(Written::Path(source.into())).expect_err(source).message
    }

    #[test]
    fn parameters_are_split_as_django_splits_them() {
        assert_eq!(path_error("a/<int: pk>/"), "`<int: pk>` holds whitespace");
        assert_eq!(path_error("<int:pk>/<pk>"), "the parameter `pk` is there twice");
        assert_eq!(path_error("<itn:pk>"), "there is no converter `itn`");
        assert_eq!(path_error("<<int:pk>"), "there is no converter `<int`");
        assert!(path_error("<int:>").contains("`int:` is not a valid"));
        assert!(path_error("<:pk>").contains("`:pk` is not a valid"));
        assert!(path_error("<a-b>").contains("`a-b` is not a valid"));
        assert!(path_error("<int:a:b>").contains("`a:b` is not a valid"));
    }

    #[test]
    fn angle_brackets_that_hold_nothing_are_text() {
        let pattern = compiled(Written::Path("a<>b/<int".into())).unwrap();
        assert!(pattern.captures.is_empty());
        assert_eq!(pattern.find("a<>b/<int", &mut Vec::new()), Some(9));
    }

    #[test]
    fn regexes_match_whole_only_when_they_end_in_a_dollar() {
        let find = |written: Written, text: &str| compiled(written).unwrap().find(text, &mut Vec::new());
        assert_eq!(find(Written::Regex("b$".into()), "ab"), None);
        assert_eq!(find(Written::Regex("b".into()), "abc"), Some(2));
        assert_eq!(find(Written::RegexPrefix("b$".into()), "ab"), Some(2));
        assert_eq!(find(Written::Regex(r"^a\$".into()), "a$b"), None);
        assert_eq!(find(Written::Regex(r"^a\Z".into()), "a\n"), None);
    }
}
