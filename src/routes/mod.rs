//! The table of the application's URL patterns, with Django's semantics: which view a path is, and its typed parameters.
//!
//! [`Table::compile`] turns [`Settings`] into a [`Table`] and a list of [`Problem`]s; [`Table::resolve`] answers with a
//! [`Match`], which reads as Django's `ResolverMatch` would: route, `args`, `kwargs`.
//!
//! How a path is resolved: `request_path` decodes it as Django under WSGI does; `index` walks the tree of all patterns
//! for the first one in order that matches; `converter` makes values of its parameters. How the tree comes about:
//! `compile` joins prefixes and routes, `pattern` reads each in its notation (`syntax` for regular expressions), `steps`
//! finds those that can be walked, and `reach` tells of the ones that nothing can reach.

mod backtrack;
mod compile;
mod converter;
mod filter;
mod index;
mod matched;
mod number;
mod pattern;
mod problem;
mod reach;
mod request_path;
mod route;
mod sample;
pub mod settings;
mod steps;
mod syntax;
mod table;

pub use matched::Match;
pub use problem::{Problem, Severity};
pub use route::{Overrides, Route};
pub use sample::SampleRule;
pub use settings::{ConverterSettings, ConverterType, Pattern, RouteSettings, Settings, StartMode};
pub use table::Table;
