//! What is wrong with a table, said about the place where it was written.

/// Whether a table with this problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but is surely not meant.
    Warning,
    /// No table is made.
    Error,
}

/// One thing wrong with the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// The `origin` of the route or converter that it is about.
    pub origin: usize,
    /// The key within it: `name`, `path`, `regex`, `prefix`, `kwargs`, `methods`, `type`.
    pub field: &'static str,
    /// What is wrong, without the place.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// The `origin` of the other place, where two are at odds.
    pub other: Option<usize>,
}

impl Problem {
    /// A problem that no table can be made with.
    pub(super) fn error(origin: usize, field: &'static str, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, origin, field, message: message.into(), hint: None, other: None }
    }

    /// A problem that the table works with.
    pub(super) fn warning(origin: usize, field: &'static str, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(origin, field, message) }
    }

    /// The same, with advice.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// The same, naming the other place.
    pub(super) fn against(mut self, other: usize) -> Problem {
        self.other = Some(other);
        self
    }
}
