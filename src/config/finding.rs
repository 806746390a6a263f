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
    /// The message says what is wrong in half a sentence, the hint what to write instead.
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
    pub(super) scope: Scope,
}

/// How much of the text a finding rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The text could not be parsed here. What was read after it, or missed, may be the parser's guess.
    Syntax,
    /// The span says it all.
    Span,
    /// Something else: what is missing, what stands elsewhere.
    Whole,
}

impl Finding {
    /// With its line, for people.
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
    /// Nothing can be served with it.
    pub(super) fn error(&self, at: At, complaint: Complaint, scope: Scope) {
        self.push(Finding { severity: Severity::Error, at, complaint, other: None, scope });
    }

    /// It works, but is surely not meant.
    pub(super) fn warning(&self, at: At, complaint: Complaint) {
        self.push(Finding { severity: Severity::Warning, at, complaint, other: None, scope: Scope::Whole });
    }

    /// Two places that cannot both be meant.
    pub(super) fn contradiction(&self, at: At, other: At, label: &str, complaint: Complaint) {
        let other = Some((other, label.to_owned()));
        self.push(Finding { severity: Severity::Error, at, complaint, other, scope: Scope::Whole });
    }

    /// Any finding, in any order.
    pub(super) fn push(&self, finding: Finding) {
        self.0.borrow_mut().push(finding);
    }

    /// In the order of the text. Where a text could not be parsed, findings that may only follow from that are left out.
    pub(super) fn into_sorted(self, sources: &Sources) -> Vec<Finding> {
        let mut findings = self.0.into_inner();
        findings.sort_by_key(|finding| finding.at);
        if let Some(syntax) = findings.iter().find(|finding| finding.scope == Scope::Syntax).map(|finding| finding.at) {
            findings.retain(|finding| match finding.scope {
                Scope::Syntax => true,
                Scope::Span => finding.at.source != syntax.source || sources.is_on_earlier_line(finding.at, syntax),
                Scope::Whole => false,
            });
        }
        findings
    }
}

/// A value in backquotes, short enough to read.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{shown}{more}`")
}

/// Characters of a value that are shown.
const QUOTED: usize = 60;
