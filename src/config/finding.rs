//! What is collected while a configuration is read: complaints, each tied to a span.

use std::cell::RefCell;

use super::problem::{Problem, Severity};
use super::source::{At, Sources};

/// What is wrong with a value, for whoever knows where the value stands.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: String,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Complaint {
        Complaint { message: message.into(), hint: hint.into() }
    }
}

/// A complaint and its place.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) at: At,
    pub(super) complaint: Complaint,
    pub(super) other: Option<(At, String)>,
}

impl Finding {
    pub(super) fn into_problem(self, sources: &Sources) -> Problem {
        Problem {
            severity: self.severity,
            place: sources.place(self.at),
            message: self.complaint.message,
            hint: self.complaint.hint,
            other: self.other.map(|(at, label)| (sources.place(at), label)),
        }
    }
}

/// All findings; shared, because every section of the configuration adds to them.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    pub(super) fn error(&self, at: At, complaint: Complaint) {
        self.push(Finding { severity: Severity::Error, at, complaint, other: None });
    }

    pub(super) fn warning(&self, at: At, complaint: Complaint) {
        self.push(Finding { severity: Severity::Warning, at, complaint, other: None });
    }

    /// Two places that cannot both be meant.
    pub(super) fn contradiction(&self, at: At, other: At, label: &str, complaint: Complaint) {
        self.push(Finding { severity: Severity::Error, at, complaint, other: Some((other, label.to_owned())) });
    }

    pub(super) fn push(&self, finding: Finding) {
        self.0.borrow_mut().push(finding);
    }

    /// In the order of the text.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut findings = self.0.into_inner();
        findings.sort_by_key(|finding| finding.at);
        findings
    }
}

/// A value in backquotes, short enough to read.
pub(super) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{shown}{more}`")
}

const QUOTED: usize = 60;
