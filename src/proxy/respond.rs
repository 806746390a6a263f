//! gatelog's own answers: an RFC 9457 problem, a page or a line of text, as the client would have it, with the request's
//! id and nothing of the inside.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// What names this proxy in `Proxy-Status` (RFC 9209) and `Via`.
pub const NAME: &str = "gatelog";

/// An answer without its status line.
#[derive(Debug)]
pub struct Answer {
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What an answer says.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The status.
    pub status: StatusCode,
    /// RFC 9209 §2.3 token, the same as in the record; `None` where nothing went wrong on the way.
    pub token: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a str,
}

/// Renders an answer in the form that `Accept` prefers.
pub fn render(content: &Content<'_>, accept: Option<&HeaderValue>) -> Answer {
    let form = Form::preferred(accept.and_then(|value| value.to_str().ok()).unwrap_or_default());
    let body = form.body(content);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(status) = content.token.and_then(|token| HeaderValue::from_str(&format!("{NAME}; error={token}")).ok())
    {
        headers.insert("proxy-status", status);
    }
    Answer { headers, body: body.into() }
}

/// The same as the bytes of a whole HTTP/1.1 response, for where there was no request: the connection ends with it.
pub fn render_raw(content: &Content<'_>, id_header: &str, date: &str) -> Vec<u8> {
    let answer = render(content, None);
    let status = content.status;
    let mut raw = format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    for (name, value) in &answer.headers {
        raw.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    raw.push_str(&format!("{id_header}: {}\r\ndate: {date}\r\nconnection: close\r\n\r\n", content.request_id));
    let mut raw = raw.into_bytes();
    raw.extend_from_slice(&answer.body);
    raw
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Problem,
    Html,
    Text,
}

impl Form {
    /// The best of the three by quality, then by how exactly it is named (RFC 9110 §12.5.1); a problem where nothing is
    /// preferred.
    fn preferred(accept: &str) -> Form {
        let candidates = [
            (Form::Problem, &["application/problem+json", "application/json"][..]),
            (Form::Html, &["text/html", "application/xhtml+xml"]),
            (Form::Text, &["text/plain"]),
        ];
        let mut best = (Form::Problem, (0, 0));
        for (form, types) in candidates {
            let weight = types.iter().map(|name| weight(accept, name)).max().unwrap_or_default();
            if weight > best.1 {
                best = (form, weight);
            }
        }
        best.0
    }

    fn content_type(self) -> &'static str {
        match self {
            Form::Problem => "application/problem+json",
            Form::Html => "text/html; charset=utf-8",
            Form::Text => "text/plain; charset=utf-8",
        }
    }

    fn body(self, content: &Content<'_>) -> String {
        let status = content.status.as_u16();
        let title = content.status.canonical_reason().unwrap_or("Error");
        let id = content.request_id;
        match self {
            Form::Problem => {
                let mut problem = serde_json::json!({
                    "type": "about:blank", "title": title, "status": status, "request_id": id,
                });
                if let Some(token) = content.token {
                    problem["error"] = token.into();
                }
                format!("{problem}\n")
            }
            Form::Html => format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status} {title}</title>\n\
                 <h1>{status} {title}</h1>\n<p>Request <code>{}</code></p>\n</html>\n",
                escape(id)
            ),
            Form::Text => format!("{status} {title}\nRequest {id}\n"),
        }
    }
}

/// Quality in thousandths, and how exactly the range names the type; (0, 0) where it is not accepted.
fn weight(accept: &str, name: &str) -> (u32, u32) {
    let group = name.split('/').next().unwrap_or_default();
    let matching = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let exactness = match media.as_str() {
            media if media == name => 3,
            media if media.strip_suffix("/*") == Some(group) => 2,
            "*/*" => 1,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        Some((exactness, (quality.clamp(0.0, 1.0) * 1000.0) as u32))
    });
    // The most exact range decides, whatever the others say.
    let (exactness, quality) = matching.max_by_key(|(exactness, _)| *exactness).unwrap_or_default();
    if quality == 0 { (0, 0) } else { (quality, exactness) }
}

/// A request id is harmless by its charset already; this holds if that ever changes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &str) -> Form {
        Form::preferred(accept)
    }

    #[test]
    fn the_client_gets_what_it_prefers() {
        assert_eq!(form(""), Form::Problem);
        assert_eq!(form("*/*"), Form::Problem);
        assert_eq!(form("application/json"), Form::Problem);
        assert_eq!(form("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Form::Html);
        assert_eq!(form("text/plain"), Form::Text);
        assert_eq!(form("text/html;q=0.2, text/plain;q=0.9"), Form::Text);
        assert_eq!(form("text/*"), Form::Html);
        assert_eq!(form("text/html;q=0, */*"), Form::Problem);
        assert_eq!(form("image/png"), Form::Problem);
    }

    #[test]
    fn each_form_carries_the_id_and_the_token_of_the_record() {
        let content = Content { status: StatusCode::BAD_GATEWAY, token: Some("connection_refused"), request_id: "abc" };
        for accept in ["application/json", "text/html", "text/plain"] {
            let answer = render(&content, Some(&HeaderValue::from_static(accept)));
            assert!(String::from_utf8_lossy(&answer.body).contains("abc"), "{accept}");
            assert_eq!(answer.headers["proxy-status"], "gatelog; error=connection_refused");
            assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
        }
        let problem = render(&content, None);
        let problem: serde_json::Value = serde_json::from_slice(&problem.body).expect("JSON");
        assert_eq!(problem["status"], 502);
        assert_eq!(problem["error"], "connection_refused");
    }
}
