//! Where things stand that are checked only later, by modules which know nothing of files: settings carry an index, the
//! places behind it stay here.

use std::cell::RefCell;

use super::problem::{Place, Problem, Severity};
use super::source::{At, Sources};

/// The sections that settings remember by index (`origin`).
#[derive(Debug, Default)]
pub(super) struct Origins(RefCell<Vec<Origin>>);

#[derive(Debug)]
struct Origin {
    at: At,
    fields: Vec<(String, At)>,
}

impl Origins {
    /// Remembers a section; its index is what settings carry.
    pub(super) fn add(&self, at: At, fields: Vec<(String, At)>) -> usize {
        let mut origins = self.0.borrow_mut();
        origins.push(Origin { at, fields });
        origins.len() - 1
    }

    /// Sets the place of something inside a key's value.
    pub(super) fn note(&self, origin: usize, field: impl Into<String>, at: At) {
        let field = field.into();
        if let Some(origin) = self.0.borrow_mut().get_mut(origin) {
            origin.fields.retain(|(name, _)| *name != field);
            origin.fields.push((field, at));
        }
    }

    /// A key of a section, or the section where it has no such key.
    pub(super) fn at(&self, origin: usize, field: &str) -> Option<At> {
        let origins = self.0.borrow();
        let origin = origins.get(origin)?;
        let field = origin.fields.iter().find(|(name, _)| name == field);
        Some(field.map_or(origin.at, |(_, at)| *at))
    }
}

/// What every `origin` in a configuration stands for.
#[derive(Debug, Default)]
pub struct Places {
    sources: Sources,
    origins: Origins,
}

impl Places {
    /// What was remembered, with the texts that it points into.
    pub(super) fn new(sources: Sources, origins: Origins) -> Places {
        Places { sources, origins }
    }

    /// Where a key of the section `origin` is written; the section itself where it has no such key.
    pub fn place(&self, origin: usize, field: &str) -> Place {
        match self.origins.at(origin, field) {
            Some(at) => self.sources.place(at),
            None => Place { file: "configuration".into(), line: None, column: 1, text: String::new(), length: 1 },
        }
    }

    /// An error about a key of the section `origin`.
    pub fn error(&self, origin: usize, field: &str, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            place: self.place(origin, field),
            message: message.into(),
            hint: hint.into(),
            other: None,
        }
    }
}
