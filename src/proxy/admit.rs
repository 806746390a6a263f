//! Whether a request may go on at all: what RFC 9110 and 9112 ask of a proxy before it forwards anything.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version, header};

use crate::exchange::Mentions;
use crate::listen::Limits;
use crate::listen::head::is_host;
use crate::upstream::BodyCoding;

use super::failure::Refused;
use super::upgrade::Upgrade;

/// What of a request decides how it is forwarded.
#[derive(Debug)]
pub struct Admitted {
    /// The host the client means, with its port; `None` in HTTP/1.0.
    pub host: Option<HeaderValue>,
    /// How its body is framed on the way on.
    pub coding: BodyCoding,
    /// A body of length 0 was declared, which is not the same as none: POST without a length makes some servers wait.
    pub is_empty: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Another protocol that is offered.
    pub upgrade: Option<Box<Upgrade>>,
    /// `Max-Forwards`, counted down.
    pub max_forwards: Option<u64>,
    /// `OPTIONS` with `Max-Forwards: 0`: answered here.
    pub answer_options: bool,
}

/// Measures a head that came in HTTP/2, whose frames know one limit only, for all of it. In HTTP/1 the gate has done it.
///
/// # Errors
/// Which limit it breaks.
pub fn measure(head: &Parts, limits: &Limits) -> Result<(), Refused> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    // RFC 9113 §6.5.2 counts 32 bytes more for each field; here it is what HTTP/1 would have sent.
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if fields.sum::<usize>() + target > limits.header_bytes {
        return Err(Refused::HeadTooLarge);
    }
    if head.uri.path_and_query().is_some_and(|target| target.as_str().len() > limits.uri_bytes) {
        return Err(Refused::TargetTooLong);
    }
    // A cookie comes in any number of crumbs (RFC 9113 §8.2.3).
    let crumbs = head.headers.get_all(header::COOKIE).iter().skip(1).count();
    if head.headers.len() - crumbs > limits.header_count { Err(Refused::TooManyFields) } else { Ok(()) }
}

/// Judges a request whose fields mention this.
///
/// # Errors
/// What is wrong with it, where it must not be forwarded.
pub fn admit(head: &Parts, mentions: Mentions, has_body: bool, body_limit: Option<u64>) -> Result<Admitted, Refused> {
    let connect = head.method == Method::CONNECT;
    let upgrade = if mentions.connection || connect { Upgrade::offered(head) } else { None };
    if connect && upgrade.is_none() {
        return Err(Refused::Connect);
    }
    let host = host(head, mentions.several_hosts)?;
    let declared = mentions.content_length;
    // What comes after an extended CONNECT is the tunnel's.
    let coding = if connect { BodyCoding::None } else { coding(declared, has_body) };
    if head.method == Method::TRACE && coding != BodyCoding::None {
        return Err(Refused::TraceBody);
    }
    if matches!((coding, body_limit), (BodyCoding::Length(length), Some(limit)) if length > limit) {
        return Err(Refused::BodyTooLarge);
    }
    let max_forwards = max_forwards(head);
    if max_forwards == Some(0) && head.method == Method::TRACE {
        return Err(Refused::MaxForwards);
    }
    Ok(Admitted {
        host,
        coding,
        is_empty: declared == Some(0),
        upgrade: upgrade.filter(|_| coding == BodyCoding::None),
        expects_continue: mentions.expect && expects_continue(head, coding)?,
        max_forwards: max_forwards.map(|left| left.saturating_sub(1)),
        answer_options: max_forwards == Some(0),
    })
}

/// The authority of an absolute target beats `Host` (RFC 9112 §3.2.2). In HTTP/2, where both are written by the same hand,
/// two that differ are malformed (RFC 9113 §8.3.1).
fn host(head: &Parts, several: bool) -> Result<Option<HeaderValue>, Refused> {
    let named = head.headers.get(header::HOST);
    // In HTTP/1 the gate has judged it.
    let judged = head.version < Version::HTTP_2;
    if several || !judged && named.is_some_and(|host| !is_host(host.as_bytes())) {
        return Err(Refused::Host);
    }
    let Some(authority) = head.uri.authority() else {
        return match named {
            None if head.version > Version::HTTP_10 => Err(Refused::Host),
            named => Ok(named.cloned()),
        };
    };
    let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Refused::Host)?;
    let contradicted = head.version == Version::HTTP_2 && named.is_some_and(|host| !is_same(host, &value));
    if value.is_empty() || !is_host(value.as_bytes()) || contradicted {
        return Err(Refused::Host);
    }
    Ok(Some(value))
}

fn is_same(host: &HeaderValue, authority: &HeaderValue) -> bool {
    host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
}

/// The framing that the near side has settled: in HTTP/1 the gate has seen to it that there is one only, in HTTP/2 the
/// end of the stream frames the body, and `content-length` is checked against it.
fn coding(declared: Option<u64>, has_body: bool) -> BodyCoding {
    match declared {
        Some(0) => BodyCoding::None,
        Some(length) => BodyCoding::Length(length),
        None if has_body => BodyCoding::Chunked,
        None => BodyCoding::None,
    }
}

fn expects_continue(head: &Parts, coding: BodyCoding) -> Result<bool, Refused> {
    let Some(expectation) = head.headers.get(header::EXPECT) else { return Ok(false) };
    if !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Err(Refused::Expectation);
    }
    Ok(head.version >= Version::HTTP_11 && coding != BodyCoding::None)
}

/// Only TRACE and OPTIONS count hops (RFC 9110 §7.6.2); what is no number is passed on as it is.
fn max_forwards(head: &Parts) -> Option<u64> {
    let counts = head.method == Method::TRACE || head.method == Method::OPTIONS;
    if !counts {
        return None;
    }
    head.headers.get(header::MAX_FORWARDS)?.to_str().ok()?.parse().ok()
}

/// How often this proxy has passed the request on already, as `Via` says.
pub fn passes(headers: &HeaderMap, pseudonym: &str) -> usize {
    let values = headers.get_all(header::VIA).iter().filter_map(|value| value.to_str().ok());
    let members = values.flat_map(|value| value.split(','));
    members.filter(|member| member.split_whitespace().nth(1) == Some(pseudonym)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn admitted(request: http::request::Builder) -> Result<Admitted, Refused> {
        let head = request.body(()).expect("a request").into_parts().0;
        admit(&head, Mentions::of(&head.headers), false, Some(100))
    }

    fn get(uri: &str) -> http::request::Builder {
        Request::builder().uri(uri)
    }

    #[test]
    fn the_targets_authority_names_the_host() {
        let host = |request| admitted(request).map(|admitted| admitted.host.expect("a host"));
        assert_eq!(host(get("http://a.example/x").header("host", "A.example:80")).expect("admitted"), "a.example");
        assert_eq!(host(get("/x").header("host", "b")).expect("admitted"), "b");
        assert_eq!(host(get("http://a/x").header("host", "b")).expect("admitted"), "a");
        let h2 = get("http://a/x").version(Version::HTTP_2).header("host", "b");
        assert_eq!(host(h2), Err(Refused::Host));
        assert_eq!(host(get("http://user@a/x")), Err(Refused::Host));
        assert_eq!(host(get("/x")), Err(Refused::Host));
    }

    #[test]
    fn only_trace_and_options_count_hops() {
        let with = |method: &str, hops: &str| {
            admitted(get("/").method(method).header("host", "a").header("max-forwards", hops))
        };
        assert_eq!(with("OPTIONS", "3").expect("admitted").max_forwards, Some(2));
        assert!(with("OPTIONS", "0").expect("admitted").answer_options);
        assert_eq!(with("TRACE", "0").map(|_| ()), Err(Refused::MaxForwards));
        assert_eq!(with("GET", "0").expect("admitted").max_forwards, None);
    }

    #[test]
    fn what_must_not_go_on_is_refused() {
        let refused = |request| admitted(request).map(|_| ());
        assert_eq!(refused(get("/").method("CONNECT").header("host", "a")), Err(Refused::Connect));
        assert_eq!(
            refused(get("/").method("TRACE").header("host", "a").header("content-length", "1")),
            Err(Refused::TraceBody)
        );
        assert_eq!(
            refused(get("/").method("POST").header("host", "a").header("content-length", "101")),
            Err(Refused::BodyTooLarge)
        );
        assert_eq!(refused(get("/").header("host", "a").header("expect", "the unexpected")), Err(Refused::Expectation));
    }

    #[test]
    fn via_tells_of_a_loop() {
        let headers = HeaderMap::from_iter([(header::VIA, HeaderValue::from_static("1.1 gatelog-x, 1.1 other"))]);
        assert_eq!((passes(&headers, "gatelog-x"), passes(&headers, "gatelog")), (1, 0));
    }
}
