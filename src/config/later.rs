//! Names of the interface that this version does not have yet: refused as such, and not as misspelt.

use super::finding::{Complaint, quoted};

/// What to say about a key that comes with a later version.
pub(super) fn key(section: &str, name: &str) -> Option<Complaint> {
    let (_, names) = KEYS.iter().find(|(known, _)| *known == section)?;
    names.contains(&name).then(|| not_yet(name))
}

/// What to say about a value that comes with a later version.
pub(super) fn value(section_key: &str, value: &str) -> Option<Complaint> {
    let (_, values) = VALUES.iter().find(|(known, _)| *known == section_key)?;
    values.contains(&value).then(|| not_yet(value))
}

/// The one sentence.
pub(super) fn not_yet(name: &str) -> Complaint {
    Complaint::new(format!("{} is not available in this version", quoted(name)), "take it out for now")
}

/// Section and its keys.
const KEYS: [(&str, &[&str]); 2] = [("listen.tls", &["acme"]), ("route", &["timeouts"])];

/// Key and its values.
const VALUES: [(&str, &[&str]); 1] = [("log.output.type", &["clickhouse", "tracing"])];
