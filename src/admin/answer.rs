//! What the admin listener answers with: JSON, text, or an RFC 9457 problem.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

/// An answer before it is one of HTTP's.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Bytes,
    /// Held until the last byte is gone.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// JSON, one line of it.
pub fn json(status: StatusCode, value: &Value) -> Answer {
    Answer::new(status, "application/json", format!("{value}\n"))
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
    Answer::new(status, "application/problem+json", format!("{problem}\n"))
}

impl Answer {
    /// An answer of any type, which nobody may keep.
    pub fn new(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Answer {
        let content = content.into();
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (header::CONTENT_LENGTH, HeaderValue::from(content.len())),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            // It is text, even where a browser thinks that it looks like a page.
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        ]);
        Answer { status, headers, content, permit: None }
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
