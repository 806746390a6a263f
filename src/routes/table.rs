//! The compiled table.

use super::compile;
use super::index::Index;
use super::matched::Match;
use super::problem::{Problem, Severity};
use super::request_path;
use super::route::Route;
use super::settings::Settings;

/// All routes, ready to be asked. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    index: Index,
}

impl Table {
    /// Compiles a table, and says all that is wrong with it. There is none if any problem is an error.
    pub fn compile(settings: &Settings) -> (Option<Table>, Vec<Problem>) {
        let mut problems = Vec::new();
        let routes = compile::routes(settings, &mut problems);
        super::reach::check(&routes, &mut problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return (None, problems);
        }
        let index = Index::new(&routes);
        (Some(Table { routes, index }), problems)
    }

    /// A table of no routes: every path is unknown.
    pub fn empty() -> Table {
        Table { routes: Vec::new(), index: Index::new(&[]) }
    }

    /// The routes in the order in which they are tried.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What the application's `resolve()` makes of a request: the first route in order whose pattern, methods and
    /// converters all agree.
    ///
    /// `path` is the path as sent, without its query: percent-escapes are decoded here, once.
    pub fn resolve(&self, method: &str, path: &str) -> Option<Match> {
        let decoded = request_path::decode(path);
        let text = decoded.strip_prefix('/')?;
        let (route, values) = self.index.find(&self.routes, method, text, 1)?;
        let decoded = match decoded {
            std::borrow::Cow::Owned(decoded) => Some(decoded.into_boxed_str()),
            // No path at all is read as `/`: the match must not look for its groups in what was given.
            std::borrow::Cow::Borrowed(decoded) => path.is_empty().then(|| decoded.into()),
        };
        Some(Match { route, decoded, values })
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
