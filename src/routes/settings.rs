//! What the user says about routes: the table as written, before it is compiled.

use std::time::Duration;

use super::sample::SampleRule;

/// `[converters]` and all `[[route]]`, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Beside Django's five.
    pub converters: Vec<ConverterSettings>,
    /// First match wins.
    pub routes: Vec<RouteSettings>,
}

/// One entry of `[converters]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConverterSettings {
    /// Where it was written: an index into the places that the configuration keeps.
    pub origin: usize,
    /// As used in `<name:parameter>`.
    pub name: String,
    /// Must match as a whole; no groups.
    pub regex: String,
    /// What its value becomes.
    pub kind: ConverterType,
}

/// What a converter makes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConverterType {
    /// A number.
    Int,
    /// Text.
    Str,
    /// A UUID, as text in canonical form.
    Uuid,
}

/// How a route is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Django's `path()`.
    Path(String),
    /// Django's `re_path()`.
    Regex(String),
    /// Django's `path(…, include(…))`: what its nested routes hang below.
    Prefix(String),
    /// Django's `re_path(…, include(…))`.
    RegexPrefix(String),
}

/// One `[[route]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSettings {
    /// Where it was written: an index into the places that the configuration keeps.
    pub origin: usize,
    /// `name`; Django allows a route without.
    pub name: Option<String>,
    /// The pattern.
    pub pattern: Pattern,
    /// `namespace` of a prefix.
    pub namespace: Option<String>,
    /// `route = [...]` of a prefix.
    pub nested: Vec<RouteSettings>,
    /// `kwargs`: Django's extra arguments; they win over captured ones of the same name.
    pub kwargs: Vec<(String, serde_json::Value)>,
    /// `methods`: other methods do not match; empty: any. Upper case.
    pub methods: Vec<String>,
    /// `slow`: threshold; `None` inherits, `Some(None)` is off.
    pub slow: Option<Option<Duration>>,
    /// `level`: of the completed record, whatever its outcome.
    pub level: Option<crate::record::Level>,
    /// `start`.
    pub start: Option<StartMode>,
    /// `sample`: in place of `log.sample`.
    pub sample: Option<Vec<SampleRule>>,
    /// `log = false`: nothing is written about its requests (they are counted).
    pub log: bool,
    /// `upstream`: name of the upstream that serves it.
    pub upstream: Option<String>,
    /// `labels`: static ones.
    pub labels: Vec<(String, String)>,
}

impl RouteSettings {
    /// A route of which nothing is written but its pattern.
    pub fn new(origin: usize, pattern: Pattern) -> RouteSettings {
        RouteSettings {
            origin,
            name: None,
            pattern,
            namespace: None,
            nested: Vec::new(),
            kwargs: Vec::new(),
            methods: Vec::new(),
            slow: None,
            level: None,
            start: None,
            sample: None,
            log: true,
            upstream: None,
            labels: Vec::new(),
        }
    }
}

/// `log.start`: whether and when a started record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartMode {
    /// At once.
    Always,
    /// Not at all.
    Never,
    /// Once the request has outlived this.
    After(Duration),
}
