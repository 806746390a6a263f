//! One look over the fields of a request's head, in place of a dozen lookups by name: most requests have none of what is
//! looked for, and each lookup costs a hash to find that out.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What a request's fields say that every request is asked for.
#[derive(Debug, Default)]
pub(super) struct Glance<'h> {
    pub(super) host: Option<&'h HeaderValue>,
    pub(super) user_agent: Option<&'h HeaderValue>,
    pub(super) referer: Option<&'h HeaderValue>,
    pub(super) content_type: Option<&'h HeaderValue>,
    pub(super) trace_parent: Given<'h>,
    pub(super) request_id: Given<'h>,
    declared: Option<&'h HeaderValue>,
    pub(super) mentions: Mentions,
}

/// A field that counts only where it is there once.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Given<'h> {
    #[default]
    Never,
    Once(&'h HeaderValue),
    Repeatedly,
}

/// What of a head is rarely there, and is looked at only if it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Mentions {
    /// The declared length, where it is one number.
    pub content_length: Option<u64>,
    /// More than one `Host`.
    pub several_hosts: bool,
    /// `Connection`.
    pub connection: bool,
    /// `Expect`.
    pub expect: bool,
    /// `Via`.
    pub via: bool,
}

impl Mentions {
    /// What these fields mention.
    pub fn of(headers: &HeaderMap) -> Mentions {
        Glance::over(headers, &http::header::HOST).mentions
    }
}

impl<'h> Glance<'h> {
    /// Looks over the fields, of which one carries ids of requests.
    pub(super) fn over(headers: &'h HeaderMap, request_id: &HeaderName) -> Glance<'h> {
        let mut glance = Glance::default();
        for (name, value) in headers {
            glance.note(name.as_str(), value);
            if name == request_id {
                glance.request_id.add(value);
            }
        }
        glance.mentions.content_length = glance.declared.and_then(number);
        glance
    }

    #[inline]
    fn note(&mut self, name: &str, value: &'h HeaderValue) {
        match name {
            "host" => self.mentions.several_hosts = self.host.replace(self.host.unwrap_or(value)).is_some(),
            "user-agent" => keep_first(&mut self.user_agent, value),
            "referer" => keep_first(&mut self.referer, value),
            "content-type" => keep_first(&mut self.content_type, value),
            "content-length" => keep_first(&mut self.declared, value),
            "traceparent" => self.trace_parent.add(value),
            "connection" => self.mentions.connection = true,
            "expect" => self.mentions.expect = true,
            "via" => self.mentions.via = true,
            _ => {}
        }
    }
}

impl<'h> Given<'h> {
    /// One more of them.
    pub(super) fn add(&mut self, value: &'h HeaderValue) {
        *self = match self {
            Given::Never => Given::Once(value),
            _ => Given::Repeatedly,
        };
    }
}

fn keep_first<'h>(place: &mut Option<&'h HeaderValue>, value: &'h HeaderValue) {
    place.get_or_insert(value);
}

/// Digits and nothing else (RFC 9110 §8.6).
fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_is_not_there_is_not_mentioned() {
        let headers = headers(&[(ACCEPT, "*/*")]);
        let glance = Glance::over(&headers, &HeaderName::from_static("x-request-id"));
        assert_eq!(glance.mentions, Mentions::default());
        assert!(matches!((glance.request_id, glance.trace_parent), (Given::Never, Given::Never)));
        assert_eq!((glance.host, glance.user_agent, glance.referer), (None, None, None));
    }

    #[test]
    fn of_a_repeated_field_the_first_counts_unless_it_must_be_the_only_one() {
        let id = HeaderName::from_static("x-request-id");
        let headers = headers(&[
            (HOST, "a"),
            (HOST, "b"),
            (USER_AGENT, "one"),
            (USER_AGENT, "two"),
            (id.clone(), "1"),
            (id.clone(), "2"),
            (HeaderName::from_static("traceparent"), "00"),
            (CONTENT_LENGTH, "12"),
        ]);
        let glance = Glance::over(&headers, &id);
        assert_eq!(glance.host.map(HeaderValue::as_bytes), Some(&b"a"[..]));
        assert_eq!(glance.user_agent.map(HeaderValue::as_bytes), Some(&b"one"[..]));
        assert!(matches!((glance.request_id, glance.trace_parent), (Given::Repeatedly, Given::Once(_))));
        assert_eq!(glance.mentions, Mentions { content_length: Some(12), several_hosts: true, ..Mentions::default() });
    }

    #[test]
    fn three_hosts_are_several_too() {
        let headers = headers(&[(HOST, "a"), (HOST, "a"), (HOST, "a"), (EXPECT, "x"), (VIA, "x"), (CONNECTION, "x")]);
        let mentions = Mentions::of(&headers);
        assert!(mentions.several_hosts && mentions.expect && mentions.via && mentions.connection);
    }

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        for bad in ["", "+1", "1 ", "0x1", "99999999999999999999"] {
            assert_eq!(number(&HeaderValue::from_static(bad)), None, "{bad:?}");
        }
    }
}
