//! gatelog's own answers to gRPC calls: a client that expects frames can do nothing with a page of HTML. They are a head
//! alone that is the trailers, too (`Trailers-Only` of gRPC over HTTP/2).

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::record::Outcome;

use super::failure::Verdict;
use super::respond::{Answer, NAME};

/// Whether a request is a gRPC call: `application/grpc`, perhaps with a format behind `+`.
pub fn is_call(head: &Parts) -> bool {
    let content_type = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(b"application/grpc"));
    head.method != Method::CONNECT && rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// The answer to a call that failed here, and the status in it.
pub fn render(verdict: &Verdict) -> (Answer, u32) {
    let code = code(verdict);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_static(verdict.token));
    if let Ok(status) = HeaderValue::from_str(&format!("{NAME}; error={}", verdict.token)) {
        headers.insert("proxy-status", status);
    }
    (Answer { headers, body: Bytes::new() }, code)
}

/// The status code of gRPC that a client does the right thing with: it sends again what is unavailable.
fn code(verdict: &Verdict) -> u32 {
    const DEADLINE_EXCEEDED: u32 = 4;
    const RESOURCE_EXHAUSTED: u32 = 8;
    const UNIMPLEMENTED: u32 = 12;
    const INTERNAL: u32 = 13;
    const UNAVAILABLE: u32 = 14;
    match (verdict.outcome, verdict.status) {
        (Outcome::UpstreamTimeout | Outcome::ClientTimeout, _) => DEADLINE_EXCEEDED,
        (Outcome::NoUpstream, Some(StatusCode::NOT_FOUND)) => UNIMPLEMENTED,
        (Outcome::Limited, Some(StatusCode::SERVICE_UNAVAILABLE)) => UNAVAILABLE,
        (Outcome::Limited, _) => RESOURCE_EXHAUSTED,
        (Outcome::Rejected | Outcome::Internal | Outcome::UpstreamProtocol, _) => INTERNAL,
        _ => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Failure;
    use crate::proxy::failure::{BodyError, Refused};
    use crate::upstream::UpstreamError;
    use http::Request;

    #[test]
    fn a_call_is_known_by_its_content_type() {
        let is_call = |content_type: &str| {
            is_call(
                &Request::post("/").header("content-type", content_type).body(()).expect("a request").into_parts().0,
            )
        };
        assert!(is_call("application/grpc") && is_call("application/grpc+proto") && is_call("application/grpc;x=y"));
        assert!(!is_call("application/grpc-web") && !is_call("application/json") && !is_call(""));
    }

    #[test]
    fn a_failure_has_the_code_that_clients_act_on() {
        let code = |failure: Failure| render(&failure.verdict()).1;
        assert_eq!(code(Failure::Upstream(UpstreamError::ResponseTimeout)), 4);
        assert_eq!(code(Failure::Upstream(UpstreamError::ConnectTimeout)), 4);
        assert_eq!(code(Failure::Upstream(UpstreamError::Closed { source: None, untouched: true })), 14);
        assert_eq!(code(Failure::Upstream(UpstreamError::Head("x"))), 13);
        assert_eq!(code(Failure::ServersDown), 14);
        assert_eq!(code(Failure::QueueFull), 14);
        assert_eq!(code(Failure::NoUpstream), 12);
        assert_eq!(code(Failure::Refused(Refused::HeadTooLarge)), 8);
        assert_eq!(code(Failure::Body(BodyError::TooLarge)), 8);
        assert_eq!(code(Failure::Panicked), 13);
    }

    #[test]
    fn an_answer_is_trailers_alone() {
        let (answer, _) = render(&Failure::ServersDown.verdict());
        assert!(answer.body.is_empty());
        assert_eq!(answer.headers["grpc-status"], "14");
        assert_eq!(answer.headers["grpc-message"], "destination_unavailable");
        assert_eq!(answer.headers["proxy-status"], "gatelog; error=destination_unavailable");
    }
}
