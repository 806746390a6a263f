//! Keys that nobody asked for: misspelt, in the wrong section, or of a later version.

use std::collections::BTreeMap;

use super::finding::{Complaint, Finding, Scope, quoted};
use super::later;
use super::problem::Severity;
use super::source::At;

/// A key that its section does not know.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) at: At,
    pub(super) section: String,
    pub(super) name: String,
    /// The keys that its section does know.
    pub(super) known: Vec<&'static str>,
}

impl Unknown {
    /// An error; a warning for a variable, since not every `GATELOG_…` in an environment is meant for gatelog.
    ///
    /// `asked` holds every key of every section, to find the one where a misplaced key belongs.
    pub(super) fn into_finding(self, variable: bool, asked: &BTreeMap<String, bool>) -> Finding {
        let severity = if variable { Severity::Warning } else { Severity::Error };
        Finding { severity, at: self.at, complaint: self.complaint(variable, asked), other: None, scope: Scope::Span }
    }

    /// A name of a later version is told apart from a misspelt one.
    fn complaint(&self, variable: bool, asked: &BTreeMap<String, bool>) -> Complaint {
        if let Some(complaint) = later::key(&self.section, &self.name) {
            return complaint;
        }
        let place =
            if self.section.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", self.section) };
        let message = format!("unknown key {} {place}", quoted(&self.name));
        let hint = if variable { self.variable_hint() } else { self.hint(asked) };
        Complaint::new(message, hint)
    }

    /// The key that was meant, the section where it belongs, or what there is.
    fn hint(&self, asked: &BTreeMap<String, bool>) -> String {
        if let Some(name) = nearest(&self.name, &self.known) {
            return format!("did you mean `{name}`?");
        }
        match elsewhere(&self.name, asked) {
            Some(section) => format!("`{}` is a key of `{section}`", self.name),
            None => format!("the keys here are {}", self.known.join(", ")),
        }
    }

    /// For a variable: the dotted name that was meant, or that it may have nothing to do with us.
    fn variable_hint(&self) -> String {
        let name = nearest(&self.name, &self.known);
        let path = |key: &str| if self.section.is_empty() { key.to_owned() } else { format!("{}.{key}", self.section) };
        match name {
            Some(name) => format!("did you mean `{}`? levels are separated by two underscores", path(name)),
            None => {
                "variables that begin with GATELOG_ set keys of the configuration; this one sets nothing".to_owned()
            }
        }
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&name, candidate);
    let allowed = |candidate: &&str| {
        let shortened = name.len() >= 3 && candidate.starts_with(&name);
        shortened || distance(candidate) <= (candidate.len().max(name.len()) / 3).max(1)
    };
    known.iter().copied().filter(allowed).min_by_key(distance)
}

/// A section that knows this key.
fn elsewhere<'a>(name: &str, asked: &'a BTreeMap<String, bool>) -> Option<&'a str> {
    asked.keys().find_map(|path| path.strip_suffix(name)?.strip_suffix('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["level", "labels", "service", "header_bytes"];
        assert_eq!(nearest("levl", &known), Some("level"));
        assert_eq!(nearest("Level", &known), Some("level"));
        assert_eq!(nearest("header-byte", &known), Some("header_bytes"));
        assert_eq!(nearest("serv", &known), Some("service"));
        assert_eq!(nearest("colour", &known), None);
    }
}
