//! What the admin listener answers with: JSON, text, an RFC 9457 problem, or a stream of what is still to come.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::refused::Refused;

/// An answer before it is one of HTTP's.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Bytes,
    /// What comes after that, piece by piece, until there is nobody to send any.
    pub(super) live: Option<mpsc::Receiver<Bytes>>,
    /// Held until the last byte is gone.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// JSON, one line of it.
pub fn json(status: StatusCode, value: &Value) -> Answer {
    raw_json(status, &value.to_string())
}

/// JSON that is written already.
pub fn raw_json(status: StatusCode, text: &str) -> Answer {
    Answer::new(status, "application/json", format!("{}\n", harmless(text)))
}

/// The JSON of a shape that is told as it is.
///
/// # Errors
/// When it cannot be written.
pub(super) fn shaped(shape: &impl Serialize) -> Result<Answer, Refused> {
    let text = serde_json::to_string(shape).map_err(|error| Refused::Unanswered(error.to_string()))?;
    Ok(raw_json(StatusCode::OK, &text))
}

/// The same JSON without a character that a browser could take for markup or for the end of a line of a script, wherever
/// the text is put: such characters stand in strings only, where they can be escaped.
pub(super) fn harmless(json: &str) -> Cow<'_, str> {
    const MISREAD: [(char, &str); 5] =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    let is_misread = |c: char| MISREAD.iter().any(|(misread, _)| *misread == c);
    if !json.contains(is_misread) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        match MISREAD.iter().find(|(misread, _)| *misread == c) {
            Some((_, escaped)) => safe.push_str(escaped),
            None => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// What is wrong, for programs and for people.
pub fn problem(status: StatusCode, detail: &str) -> Answer {
    problem_with(status, detail, json!({}))
}

/// The same with further members.
pub fn problem_with(status: StatusCode, detail: &str, more: Value) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut problem = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    if let (Some(problem), Value::Object(more)) = (problem.as_object_mut(), more) {
        problem.extend(more);
    }
    Answer::new(status, "application/problem+json", format!("{}\n", harmless(&problem.to_string())))
}

impl Answer {
    /// An answer of any type, which nobody may keep.
    pub fn new(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Answer {
        let content = content.into();
        let length = HeaderValue::from(content.len());
        Answer::of(status, content_type, content).with(header::CONTENT_LENGTH, length)
    }

    /// An answer without a body that has a length of its own.
    pub(super) fn bare(status: StatusCode) -> Answer {
        let mut answer = Answer::of(status, "", Bytes::new());
        answer.headers.remove(header::CONTENT_TYPE);
        answer
    }

    /// An answer that goes on for as long as there is something to come.
    pub(super) fn going_on(content_type: &'static str, opening: String, live: mpsc::Receiver<Bytes>) -> Answer {
        Answer { live: Some(live), ..Answer::of(StatusCode::OK, content_type, opening.into()) }
    }

    fn of(status: StatusCode, content_type: &'static str, content: Bytes) -> Answer {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            // It is text, even where a browser thinks that it looks like a page.
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        ]);
        Answer { status, headers, content, live: None, permit: None }
    }

    /// With one more field.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.insert(name, value);
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Holds a permit until its last byte is gone.
    pub(super) fn holding(mut self, permit: OwnedSemaphorePermit) -> Answer {
        self.permit = Some(permit);
        self
    }

    /// As the bytes of a whole HTTP/1.1 response that ends its connection.
    pub(super) fn into_raw(self) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or("Error");
        let mut raw = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                raw.extend_from_slice(part);
            }
        }
        raw.extend_from_slice(b"connection: close\r\n\r\n");
        raw.extend_from_slice(&self.content);
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is read from it is what was written, and nothing in it could be markup.
        #[test]
        fn harmless_json_says_the_same(text in any::<String>(), more in "[<>&\u{2028}\u{2029}\"\\\\a]{0,20}") {
            let value = json!({ &more: [text, { "<&>": more }] });
            let written = value.to_string();
            let safe = harmless(&written);
            let is_gone = !safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(is_gone, "{safe}");
            prop_assert_eq!(serde_json::from_str::<Value>(&safe).expect("JSON"), value);
        }
    }

    #[test]
    fn what_nobody_misreads_is_not_copied() {
        assert!(matches!(harmless(r#"{"a":"b"}"#), Cow::Borrowed(_)));
    }
}
