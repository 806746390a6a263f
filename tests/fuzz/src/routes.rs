//! A table and paths: nothing panics, and the compiled table answers as one pattern tried after the other would.
//!
//! The bytes are lines. `p METHODS PATTERN` is a `path`, `r` a `regex`; `P` and `R` open a prefix, which `}` closes;
//! METHODS is `*` or a list with commas. `c NAME TYPE REGEX` is a converter. After a line `?`, each line is `METHOD PATH`.

use gatelog::record::Value;
use gatelog::routes::{ConverterSettings, ConverterType, Match, Pattern, RouteSettings, Settings, Table};

use super::naive::{self, Answer};

/// The target. Returns how many matches were held against the naive resolver's.
pub fn run(data: &[u8]) -> usize {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let settings = settings(&mut lines);
    let (table, problems) = Table::compile(&settings);
    let Some(table) = table else {
        assert!(!problems.is_empty(), "a table is refused without a reason");
        return 0;
    };
    let mut compared = 0;
    let naive = naive::Resolver::new(&settings);
    for request in lines {
        let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
        let found = table.resolve(method, path).map(|found| answer(&table, &found, path));
        if let Some(naive) = &naive {
            compared += usize::from(found.is_some());
            assert_eq!(found, naive.resolve(method, path), "{method} {path:?} in {settings:#?}");
        }
    }
    compared
}

/// The lines up to `?` as settings. What cannot be read is left out.
pub fn settings<'l>(lines: &mut impl Iterator<Item = &'l str>) -> Settings {
    let mut open: Vec<RouteSettings> = Vec::new();
    let mut settings = Settings::default();
    for (origin, line) in lines.enumerate() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("?", _) => break,
            ("c", rest) => settings.converters.extend(converter(origin, rest)),
            ("}", _) => close(&mut open, &mut settings),
            (kind @ ("p" | "r" | "P" | "R"), rest) => {
                let (methods, pattern) = rest.split_once(' ').unwrap_or(("*", rest));
                open.push(route(origin, kind, methods, pattern));
                if matches!(kind, "p" | "r") {
                    close(&mut open, &mut settings);
                }
            }
            _ => {}
        }
    }
    while !open.is_empty() {
        close(&mut open, &mut settings);
    }
    settings
}

fn close(open: &mut Vec<RouteSettings>, settings: &mut Settings) {
    let Some(route) = open.pop() else { return };
    open.last_mut().map_or(&mut settings.routes, |above| &mut above.nested).push(route);
}

fn route(origin: usize, kind: &str, methods: &str, pattern: &str) -> RouteSettings {
    let pattern = pattern.to_owned();
    let methods = methods.split(',').filter(|method| *method != "*" && !method.is_empty());
    let pattern = match kind {
        "p" => Pattern::Path(pattern),
        "r" => Pattern::Regex(pattern),
        "P" => Pattern::Prefix(pattern),
        _ => Pattern::RegexPrefix(pattern),
    };
    RouteSettings {
        name: matches!(kind, "p" | "r").then(|| format!("r{origin}")),
        namespace: matches!(kind, "P" | "R").then(|| format!("n{origin}")),
        // Extra arguments on some, so that they meet the captured ones.
        kwargs: if origin % 3 == 2 { vec![("a".to_owned(), "extra".into())] } else { Vec::new() },
        methods: methods.map(str::to_owned).collect(),
        ..RouteSettings::new(origin, pattern)
    }
}

fn converter(origin: usize, rest: &str) -> Option<ConverterSettings> {
    let (name, rest) = rest.split_once(' ')?;
    let (kind, regex) = rest.split_once(' ')?;
    let kind = match kind {
        "int" => ConverterType::Int,
        "uuid" => ConverterType::Uuid,
        _ => ConverterType::Str,
    };
    Some(ConverterSettings { origin, name: name.to_owned(), regex: regex.to_owned(), kind })
}

fn answer(table: &Table, found: &Match, path: &str) -> Answer {
    let kwargs = found.kwargs(table, path).map(|arg| (arg.name.to_owned(), shown(arg.value)));
    Answer {
        origin: found.route(table).origin,
        name: found.route(table).name.to_string(),
        args: found.args(table, path).map(shown).collect(),
        kwargs: kwargs.collect(),
    }
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Digits(digits) => format!("int {digits}"),
        Value::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
        other => format!("{other:?}"),
    }
}
