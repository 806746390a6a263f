//! The first bytes of an answer's body, copied as they pass, so that the record can show what an application said.
//!
//! Which bodies are meant is decided once, when the answer's head is there: what the filter asks about is known by then,
//! or the configuration refuses it ([`Known`](crate::filter::Known)); `level` is then the one that a whole answer of that
//! status has. Nothing is held back for it, and a body that is not meant, and every body where nothing is configured, costs
//! no more than a look at a flag.
//!
//! What is shown is redacted ([`Policy::body`]) before it is cut to its limit. Not shown is what cannot be read for
//! secrets: bodies in a content coding, or in a charset that is no superset of ASCII.

use http::{HeaderMap, header};
use serde_json::Value;

use crate::filter::Expression;
use crate::record::redact::Policy;

use super::ledger::Exception;

/// Longest exception type and message that are taken from a body.
const MAX_EXCEPTION: usize = 1024;
/// The media type of RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// `log.capture`: which bodies are shown, and how much of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureSettings {
    /// `response_body`: bytes that are shown at most.
    pub response_body: usize,
    /// `when`: asked of the request and its answer's head.
    pub when: Expression,
    /// `content_types`: media types in lower case; `text/*` is all of a kind.
    pub content_types: Vec<String>,
}

/// The beginning of one body.
#[derive(Debug)]
pub(super) struct Capture {
    media_type: String,
    limit: usize,
    /// As it came; once it is over, as it is shown.
    bytes: Vec<u8>,
    /// There was more of it.
    is_cut: bool,
    is_over: bool,
}

impl Capture {
    /// `None` for a body of a type that is not configured, or that could not be read.
    pub(super) fn of(settings: &CaptureSettings, headers: &HeaderMap) -> Option<Capture> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        let media_type = media_type.trim();
        let is_meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(kind) => media_type.starts_with(kind),
            None => media_type == pattern,
        };
        let is_readable = is_identity(headers) && charset(parameters).is_none_or(is_ascii_superset);
        (settings.content_types.iter().any(is_meant) && is_readable).then(|| Capture {
            media_type: media_type.to_owned(),
            limit: settings.response_body,
            bytes: Vec::new(),
            is_cut: false,
            is_over: false,
        })
    }

    /// Copies what still fits.
    pub(super) fn pass(&mut self, data: &[u8]) {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&data[..data.len().min(room)]);
        self.is_cut |= data.len() > room;
    }

    /// No more of it comes: from now on it holds nothing that must not be read back. Returns the exception that a whole
    /// problem document tells of.
    pub(super) fn finish(&mut self, policy: &Policy) -> Option<Exception> {
        self.is_over = true;
        // UTF-16, whatever it was called, or no text at all.
        if self.bytes.contains(&0) {
            self.bytes = Vec::new();
            return None;
        }
        let clean = policy.body(&self.media_type, &self.bytes);
        let is_whole_problem = self.media_type == PROBLEM && !self.is_cut;
        let exception = is_whole_problem.then(|| problem(&clean)).flatten();
        self.bytes = cut(&clean, self.limit).to_vec();
        exception
    }

    /// What is shown of it; nothing before it is over.
    pub(super) fn excerpt(&self) -> Option<&[u8]> {
        (self.is_over && !self.bytes.is_empty()).then_some(&self.bytes)
    }
}

/// `identity` is no coding (RFC 9110 §8.4.1).
fn is_identity(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn charset(parameters: &str) -> Option<&str> {
    let values = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    values.filter(|(name, _)| name.trim() == "charset").map(|(_, value)| value.trim().trim_matches('"')).next()
}

/// Of a charset in lower case: whether keys are to be found in it as they are.
fn is_ascii_superset(charset: &str) -> bool {
    let families = ["iso-8859-", "windows-125", "koi8-"];
    matches!(charset, "utf-8" | "utf8" | "us-ascii" | "ascii" | "latin1")
        || families.iter().any(|family| charset.starts_with(family))
}

/// `type`, or where that says nothing (RFC 9457 §4.2.1) `title`, and `detail`, or else `title`. What is no problem
/// document tells of nothing.
fn problem(body: &[u8]) -> Option<Exception> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let member = |name: &str| document.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty());
    let kind = member("type").filter(|kind| *kind != "about:blank").or_else(|| member("title"));
    let message = member("detail").or_else(|| member("title"));
    let text = |text: Option<&str>| cut(text.unwrap_or_default().as_bytes(), MAX_EXCEPTION).to_vec();
    (kind.is_some() || message.is_some()).then(|| Exception { kind: text(kind), message: text(message) })
}

/// As much as fits, without half a character at its end.
fn cut(text: &[u8], at_most: usize) -> &[u8] {
    let text = &text[..text.len().min(at_most)];
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => &text[..error.valid_up_to()],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use ring::hmac;

    fn settings(response_body: usize) -> CaptureSettings {
        let when = Expression::parse("status>=500").expect("a filter");
        CaptureSettings { response_body, when, content_types: vec![PROBLEM.into(), "text/*".into()] }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().expect("a name"), HeaderValue::from_static(value)));
        fields.collect()
    }

    /// The excerpt and the exception of a body that comes in pieces of 3 bytes.
    fn captured(content_type: &'static str, limit: usize, body: &str) -> (Option<String>, Option<[String; 2]>) {
        let mut capture =
            Capture::of(&settings(limit), &headers(&[("content-type", content_type)])).expect("it is meant");
        body.as_bytes().chunks(3).for_each(|piece| capture.pass(piece));
        assert_eq!(capture.excerpt(), None, "nothing is shown before it is redacted");
        let policy = Policy::new(&Default::default(), &hmac::Key::new(hmac::HMAC_SHA256, b"a key of the test"));
        let exception = capture.finish(&policy);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (capture.excerpt().map(text), exception.map(|it| [text(&it.kind), text(&it.message)]))
    }

    #[test]
    fn only_bodies_that_can_be_read_are_captured() {
        let is_captured =
            |fields: &[(&'static str, &'static str)]| Capture::of(&settings(9), &headers(fields)).is_some();
        for good in ["text/plain", "Text/HTML; charset=UTF-8", "text/plain; a=b; charset=\"iso-8859-1\"", PROBLEM] {
            assert!(is_captured(&[("content-type", good)]), "{good}");
        }
        for bad in ["image/png", "application/json", "text/plain;charset=utf-16", "text", ""] {
            assert!(!is_captured(&[("content-type", bad)]), "{bad}");
        }
        assert!(!is_captured(&[]));
        assert!(is_captured(&[("content-type", "text/plain"), ("content-encoding", "identity")]));
        assert!(!is_captured(&[("content-type", "text/plain"), ("content-encoding", "gzip")]));
    }

    #[test]
    fn an_excerpt_is_bounded_and_ends_with_a_whole_character() {
        assert_eq!(captured("text/plain", 5, "abcdefgh").0.as_deref(), Some("abcde"));
        assert_eq!(captured("text/plain", 5, "abcdé").0.as_deref(), Some("abcd"));
        assert_eq!(captured("text/plain", 9, "token=a&b").0.as_deref(), Some("token=RED"));
        assert_eq!(captured("text/plain", 5, "").0, None);
        assert_eq!(captured("text/plain", 9, "t\0o\0k\0").0, None);
    }

    #[test]
    fn a_whole_problem_tells_of_an_exception() {
        for (body, kind, message) in [
            (r#"{"type":"https://x/e","title":"T","detail":"D"}"#, "https://x/e", "D"),
            (r#"{"type":"about:blank","title":"T"}"#, "T", "T"),
            (r#"{"title":"T","status":500}"#, "T", "T"),
            (r#"{"detail":"with token=x"}"#, "", "with token=REDACTED"),
        ] {
            assert_eq!(captured(PROBLEM, 99, body).1, Some([kind.to_owned(), message.to_owned()]), "{body}");
        }
    }

    #[test]
    fn of_what_is_no_whole_problem_nothing_is_invented() {
        let whole = r#"{"type":"https://x/e","title":"T"}"#;
        for body in [&whole[..20], "{}", "[]", "null", "\"title\"", r#"{"title":7,"detail":null,"type":""}"#, "no JSON"]
        {
            assert_eq!(captured(PROBLEM, 99, body).1, None, "{body}");
        }
        assert_eq!(captured(PROBLEM, whole.len() - 1, whole).1, None);
        assert!(captured(PROBLEM, whole.len(), whole).1.is_some());
        assert_eq!(captured("text/plain", 99, whole).1, None);
    }
}
