//! Django's resolver as its source reads, with nothing made fast: pattern by pattern, each a regular expression.
//!
//! Beside `path()` patterns it takes those regular expressions that Python and the `regex` crate read alike; of a table
//! with others it has no opinion.

use std::sync::LazyLock;

use gatelog::routes::{ConverterSettings, ConverterType, Pattern, RouteSettings, Settings};
use regex::Regex;

/// What a path resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub origin: usize,
    pub name: String,
    pub args: Vec<String>,
    /// In the order of Python's dict.
    pub kwargs: Vec<(String, String)>,
}

/// Django's `URLResolver` of the whole table.
pub struct Resolver(Vec<Entry>);

struct Entry {
    settings: RouteSettings,
    regex: Regex,
    kinds: Vec<(String, ConverterType)>,
    nested: Option<Resolver>,
}

/// A whole chain: `origin`, names outermost first, `args`, `kwargs`.
type Found = (usize, Vec<String>, Vec<String>, Vec<(String, String)>);

/// One pattern: what is left of the path, `args`, `kwargs`.
type Matched<'p> = (&'p str, Vec<String>, Vec<(String, String)>);

impl Resolver {
    /// `None` when it has no opinion.
    pub fn new(settings: &Settings) -> Option<Resolver> {
        let alike =
            |converter: &ConverterSettings| read_alike(&converter.regex) && !converter.regex.contains(['^', '$']);
        if !settings.converters.iter().all(alike) {
            return None;
        }
        Resolver::level(&settings.routes, &settings.converters)
    }

    fn level(routes: &[RouteSettings], converters: &[ConverterSettings]) -> Option<Resolver> {
        let entry = |route: &RouteSettings| {
            let (regex, kinds) = match &route.pattern {
                Pattern::Path(source) => translated(source, true, converters),
                Pattern::Prefix(source) => translated(source, false, converters),
                Pattern::Regex(source) => (searched(source, true)?, Vec::new()),
                Pattern::RegexPrefix(source) => (searched(source, false)?, Vec::new()),
            };
            let prefix = matches!(route.pattern, Pattern::Prefix(_) | Pattern::RegexPrefix(_));
            let nested = if prefix { Some(Resolver::level(&route.nested, converters)?) } else { None };
            Some(Entry { settings: route.clone(), regex: Regex::new(&regex).ok()?, kinds, nested })
        };
        Some(Resolver(routes.iter().map(entry).collect::<Option<Vec<Entry>>>()?))
    }

    /// `resolve()`, for a path as sent.
    pub fn resolve(&self, method: &str, path: &str) -> Option<Answer> {
        let path = path_info(path);
        let (origin, names, args, kwargs) = self.find(method, path.strip_prefix('/')?)?;
        Some(Answer { origin, name: names.join(":"), args, kwargs })
    }

    fn find(&self, method: &str, path: &str) -> Option<Found> {
        self.0.iter().find_map(|entry| entry.find(method, path))
    }
}

impl Entry {
    fn find(&self, method: &str, path: &str) -> Option<Found> {
        let methods = &self.settings.methods;
        if !methods.is_empty() && !methods.iter().any(|allowed| allowed == method) {
            return None;
        }
        let (rest, args, mut kwargs) = self.matched(path)?;
        let extra = self.settings.kwargs.iter();
        update(
            &mut kwargs,
            extra.map(|(name, value)| (name.clone(), format!("text {}", value.as_str().unwrap_or("")))),
        );
        let Some(nested) = &self.nested else {
            return Some((self.settings.origin, vec![self.settings.name.clone().unwrap_or_default()], args, kwargs));
        };
        let (origin, mut names, below_args, below_kwargs) = nested.find(method, rest)?;
        names.splice(0..0, self.settings.namespace.clone());
        update(&mut kwargs, below_kwargs);
        let args = if kwargs.is_empty() { [args, below_args].concat() } else { below_args };
        Some((origin, names, args, kwargs))
    }

    /// `pattern.match()`: what is left, positional and named arguments.
    fn matched<'p>(&self, path: &'p str) -> Option<Matched<'p>> {
        let captures = self.regex.captures(path)?;
        let rest = &path[captures.get(0)?.end()..];
        let names: Vec<&str> = self.regex.capture_names().flatten().collect();
        let mut kwargs = Vec::new();
        for name in &names {
            let Some(text) = captures.name(name) else { continue };
            let kind = self.kinds.iter().find(|(other, _)| other == name).map(|(_, kind)| *kind);
            kwargs.push((name.to_string(), converted(text.as_str(), kind)?));
        }
        let group =
            |group: Option<regex::Match<'_>>| group.map_or("Null".to_owned(), |text| format!("text {}", text.as_str()));
        let args = if names.is_empty() { captures.iter().skip(1).map(group).collect() } else { Vec::new() };
        Some((rest, args, kwargs))
    }
}

/// Python's `dict.update()`.
fn update(dict: &mut Vec<(String, String)>, with: impl IntoIterator<Item = (String, String)>) {
    for (name, value) in with {
        match dict.iter_mut().find(|(other, _)| *other == name) {
            Some(entry) => entry.1 = value,
            None => dict.push((name, value)),
        }
    }
}

fn converted(text: &str, kind: Option<ConverterType>) -> Option<String> {
    match kind {
        Some(ConverterType::Int) => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let valid = !digits.is_empty() && digits.len() <= 4300 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let stripped = digits.trim_start_matches('0');
            let sign = if text.starts_with('-') && !stripped.is_empty() { "-" } else { "" };
            valid.then(|| format!("int {sign}{}", if stripped.is_empty() { "0" } else { stripped }))
        }
        Some(ConverterType::Uuid) => {
            let hex: String =
                text.chars().filter(|character| *character != '-').collect::<String>().to_ascii_lowercase();
            let valid = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let parts = || [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
            valid.then(|| format!("text {}", parts()))
        }
        Some(ConverterType::Str) | None => Some(format!("text {text}")),
    }
}

/// Django's `_route_to_regex`.
fn translated(
    source: &str,
    endpoint: bool,
    converters: &[ConverterSettings],
) -> (String, Vec<(String, ConverterType)>) {
    static PARAMETER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("<(?:(?P<converter>[^>:]+):)?(?P<parameter>[^>]+)>").expect("it is valid"));
    let mut regex = r"\A".to_owned();
    let mut kinds = Vec::new();
    let mut end = 0;
    for captures in PARAMETER.captures_iter(source) {
        let whole = captures.get(0).expect("group 0 always is");
        let (converter, kind) = convert(captures.name("converter").map_or("str", |name| name.as_str()), converters);
        regex += &regex::escape(&source[end..whole.start()]);
        regex += &format!("(?P<{}>{converter})", &captures["parameter"]);
        kinds.push((captures["parameter"].to_owned(), kind));
        end = whole.end();
    }
    regex += &regex::escape(&source[end..]);
    regex += if endpoint { r"\z" } else { "" };
    (regex, kinds)
}

fn convert<'c>(name: &str, converters: &'c [ConverterSettings]) -> (&'c str, ConverterType) {
    if let Some(own) = converters.iter().find(|converter| converter.name == name) {
        return (&own.regex, own.kind);
    }
    match name {
        "int" => ("[0-9]+", ConverterType::Int),
        "slug" => ("[-a-zA-Z0-9_]+", ConverterType::Str),
        "uuid" => ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", ConverterType::Str),
        "path" => (".+", ConverterType::Str),
        _ => ("[^/]+", ConverterType::Str),
    }
}

/// Django's `RegexPattern.match`: `fullmatch()` for an endpoint that ends in `$`, else `search()`.
fn searched(source: &str, endpoint: bool) -> Option<String> {
    let bare = source.strip_suffix('$').unwrap_or(source);
    if !read_alike(source) || bare.contains('$') || (!endpoint && bare != source) {
        return None;
    }
    Some(if bare == source { source.to_owned() } else { format!(r"\A(?:{bare})\z") })
}

/// Whether Python and the crate read it alike: a subset, on the safe side.
fn read_alike(regex: &str) -> bool {
    static GROUP: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\(\?[^P:]|\[[^\]]*\[|--|\(\?P[^<]").expect("it is valid"));
    regex.chars().all(|character| character.is_alphanumeric() || "/_.^$()?<>:-[]+*|".contains(character))
        && !GROUP.is_match(regex)
}

/// `get_path_info`: percent-decoding, and back for what is no UTF-8.
fn path_info(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    let text = bytes.utf8_chunks().map(|chunk| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("%{byte:02X}")).collect();
        chunk.valid().to_owned() + &invalid
    });
    let text: String = text.collect();
    if text.is_empty() { "/".to_owned() } else { text }
}
