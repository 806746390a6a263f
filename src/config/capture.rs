//! `log.capture`: which bodies records show the beginning of.

use super::filter::filter_at_head;
use super::finding::{Complaint, quoted};
use super::reader::Section;
use super::tree::Node;
use super::value::size_limit;
use crate::exchange::CaptureSettings;
use crate::filter::Expression;

/// `log.capture`; `None` is off.
pub(super) fn read(mut section: Section<'_>) -> Option<CaptureSettings> {
    let response_body = section.read("response_body", excerpt_size).unwrap_or(Some(DEFAULT_SIZE));
    let when = match section.has("when") {
        true => filter_at_head(&mut section, "when"),
        false => Expression::parse(DEFAULT_WHEN).ok(),
    };
    let content_types =
        section.list("content_types", media_type).unwrap_or_else(|| DEFAULT_TYPES.map(Into::into).into());
    Some(CaptureSettings { response_body: response_body?, when: when?, content_types })
}

/// Enough for a problem document and the beginning of a traceback.
const DEFAULT_SIZE: usize = 4096;
/// What the application has not foreseen.
const DEFAULT_WHEN: &str = "status>=500";
/// What machines say to machines, and plain text.
const DEFAULT_TYPES: [&str; 3] = ["application/problem+json", "application/json", "text/plain"];
/// A line of the log must stay a line that tools can read, and each request that runs may hold as much.
const MOST: u64 = 64 * 1024;

fn excerpt_size(node: &Node) -> Result<Option<usize>, Complaint> {
    let hint = "write a size such as \"4KB\", 64 KB at most, or \"off\"";
    match size_limit(node)? {
        None => Ok(None),
        Some(bytes) if bytes <= MOST => Ok(usize::try_from(bytes).ok()),
        Some(_) => Err(Complaint::new(format!("an excerpt of more than {} KB does not fit a line", MOST / 1024), hint)),
    }
}

/// `application/json`, or `text/*` for all of a kind; in lower case.
fn media_type(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?.trim().to_ascii_lowercase();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let parts = text.split_once('/').filter(|(kind, sub)| is_token(kind) && (is_token(sub) || *sub == "*"));
    parts.map(|_| text.clone()).ok_or_else(|| {
        let hint = "write a type without parameters, such as \"application/json\", or \"text/*\"";
        Complaint::new(format!("{} is no media type", quoted(node.text().unwrap_or_default())), hint)
    })
}
