//! A route: a name, a pattern to read, what holds for its requests, and how its parameters become arguments.

use std::sync::Arc;
use std::time::Duration;

use super::converter::Conversion;
use super::pattern::Pattern;
use super::sample::SampleRule;
use super::settings::StartMode;
use crate::record::{Level, Value};

/// One endpoint of the table, with all that its prefixes gave it.
#[derive(Debug)]
pub struct Route {
    /// Its place in the table, from 0: the order in which patterns are tried.
    pub index: usize,
    /// The `origin` of its settings.
    pub origin: usize,
    /// `namespace:name`. A route without a name has its pattern in that place: Django falls back to the path of the
    /// view function, which nobody outside of the application knows.
    pub name: Arc<str>,
    /// `/posts/{pk}/`.
    pub pattern: Arc<str>,
    /// The pattern as written, prefixes included, each as the user wrote it.
    pub source: String,
    /// The methods it answers; `None`: any.
    pub methods: Option<Vec<String>>,
    /// What holds for its requests.
    pub overrides: Overrides,
    /// The key of its own pattern in the settings.
    pub(super) field: &'static str,
    pub(super) chain: Vec<Arc<Pattern>>,
    pub(super) arguments: Arguments,
}

/// What a route says about its requests; of nested ones the nearest wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    /// Threshold of a slow request; `None`: as everywhere, `Some(None)`: never slow.
    pub slow: Option<Option<Duration>>,
    /// Level of the completed record, whatever its outcome.
    pub level: Option<Level>,
    /// Whether and when a started record is written.
    pub start: Option<StartMode>,
    /// How many of its requests are written; `None`: as everywhere.
    pub sample: Option<Arc<[SampleRule]>>,
    /// Whether anything is written; a prefix that says no holds for all below it.
    pub log: bool,
    /// Name of the upstream that serves it.
    pub upstream: Option<Arc<str>>,
    /// Static labels, name and value.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
}

impl Default for Overrides {
    fn default() -> Self {
        Overrides { slow: None, level: None, start: None, sample: None, log: true, upstream: None, labels: Vec::new() }
    }
}

impl Route {
    /// Whether both are made of the same patterns, by their text.
    pub(super) fn written_like(&self, other: &Route) -> bool {
        let matched = |route: &Route| {
            route.chain.iter().map(|pattern| (pattern.syntax.root.clone(), pattern.whole)).collect::<Vec<_>>()
        };
        self.source == other.source && matched(self) == matched(other)
    }

    /// Whether a request of that method can be its. Methods are compared as they are: `get` is not `GET` (RFC 9110 §9.1).
    pub fn answers(&self, method: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.iter().any(|answered| answered == method))
    }
}

/// How the groups of a chain of patterns become Django's `args` and `kwargs`.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// What becomes of each group, over the whole chain.
    pub(super) conversions: Vec<Conversion>,
    /// Groups without a name, in patterns that have none with: level in the chain, and which group.
    pub(super) positional: Vec<(usize, usize)>,
    /// In the order in which Python's dict would first see them; of two with the same name the later wins.
    pub(super) named: Vec<Named>,
}

/// A named argument.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) level: usize,
    pub(super) name: Arc<str>,
    pub(super) source: Source,
}

/// Where a named argument comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// That group; absent when it took no part.
    Group(usize),
    /// `kwargs` of the settings.
    Constant(Constant),
}

/// A value that stands in the settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Integer(String),
    Float(f64),
    Text(String),
}

impl Constant {
    /// Of a scalar; `None` for lists and tables, which a record's arguments cannot hold.
    pub(super) fn new(value: &serde_json::Value) -> Option<Constant> {
        Some(match value {
            serde_json::Value::Null => Constant::Null,
            serde_json::Value::Bool(bool) => Constant::Bool(*bool),
            serde_json::Value::String(text) => Constant::Text(text.clone()),
            serde_json::Value::Number(number) if number.is_f64() => Constant::Float(number.as_f64()?),
            serde_json::Value::Number(number) => Constant::Integer(number.to_string()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
        })
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(bool) => Value::Bool(*bool),
            Constant::Integer(digits) => Value::Digits(digits),
            Constant::Float(float) => Value::Float(*float),
            Constant::Text(text) => Value::Text(text.as_bytes()),
        }
    }
}

impl Arguments {
    /// Adds what a pattern captures, and the `kwargs` beside it.
    pub(super) fn push(&mut self, level: usize, pattern: &Pattern, constants: &[(Arc<str>, Constant)]) {
        let positional = pattern.positional();
        for capture in &pattern.captures {
            let group = self.conversions.len();
            self.conversions.push(capture.conversion);
            match &capture.name {
                Some(name) => {
                    self.named.push(Named { level, name: name.as_str().into(), source: Source::Group(group) })
                }
                None if positional => self.positional.push((level, group)),
                None => {}
            }
        }
        let constant = |(name, value): &(Arc<str>, Constant)| Named {
            level,
            name: name.clone(),
            source: Source::Constant(value.clone()),
        };
        self.named.extend(constants.iter().map(constant));
    }
}
