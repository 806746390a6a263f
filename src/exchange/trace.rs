//! W3C Trace Context (Recommendation, level 1): read, continued, sent on.
//!
//! An invalid `traceparent` restarts the trace and loses its `tracestate`; a version above 00 is read by its first four
//! fields; `ff` is forbidden.

use arrayvec::ArrayString;
use http::{HeaderMap, HeaderName};
use uuid::Uuid;

use super::glance::Given;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Longest `tracestate` that is passed on, and its members.
const MAX_STATE_LENGTH: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;

/// Where a request stands in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    trace_id: ArrayString<32>,
    span_id: ArrayString<16>,
    parent: Option<ArrayString<16>>,
    sampled: bool,
    keep_state: bool,
}

impl Trace {
    /// Continues the trace that these headers give, or starts one.
    pub(super) fn of(parent: Given<'_>, headers: &HeaderMap) -> Trace {
        let parent = match parent {
            Given::Once(value) => parse(value.as_bytes()),
            Given::Never | Given::Repeatedly => None,
        };
        let span_id = new_span_id();
        match parent {
            Some((trace_id, parent, sampled)) => {
                Trace { trace_id, span_id, parent: Some(parent), sampled, keep_state: is_state_valid(headers) }
            }
            None => Trace { trace_id: new_trace_id(), span_id, parent: None, sampled: true, keep_state: false },
        }
    }

    /// 32 hex digits.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The span that this proxy stands for: 16 hex digits.
    pub fn span_id(&self) -> &str {
        &self.span_id
    }

    /// The span that the client named.
    pub fn parent_span_id(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Whether the client's `tracestate` goes on with it.
    pub fn keeps_state(&self) -> bool {
        self.keep_state
    }

    /// Appends the value of `traceparent` for the upstream.
    pub fn write_parent(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"00-");
        out.extend_from_slice(self.trace_id.as_bytes());
        out.push(b'-');
        out.extend_from_slice(self.span_id.as_bytes());
        out.extend_from_slice(if self.sampled { b"-01" } else { b"-00" });
    }
}

/// The first eight bytes of a random UUID, less its version: seven random bytes and a half.
fn new_span_id() -> ArrayString<16> {
    hex(&Uuid::new_v4().as_bytes()[..8])
}

fn new_trace_id() -> ArrayString<32> {
    hex(Uuid::new_v4().as_bytes())
}

fn hex<const N: usize>(bytes: &[u8]) -> ArrayString<N> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [b'0'; N];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    ArrayString::from_byte_string(&digits).unwrap_or_default()
}

/// Trace id, parent span, sampled flag.
fn parse(value: &[u8]) -> Option<(ArrayString<32>, ArrayString<16>, bool)> {
    let (version, rest) = (value.get(..2)?, value.get(2..)?);
    let dashes = rest.first() == Some(&b'-') && rest.get(33) == Some(&b'-') && rest.get(50) == Some(&b'-');
    let later = version != b"00" && rest.get(53) == Some(&b'-');
    if !is_hex(version) || version == b"ff" || !dashes || !(rest.len() == 53 || later) {
        return None;
    }
    let trace_id: [u8; 32] = rest[1..33].try_into().ok()?;
    let parent: [u8; 16] = rest[34..50].try_into().ok()?;
    let flags = &rest[51..53];
    let valid = is_hex(&trace_id) && is_hex(&parent) && is_hex(flags);
    if !valid || is_zero(&trace_id) || is_zero(&parent) {
        return None;
    }
    let sampled = char::from(flags[1]).to_digit(16)? & 1 == 1;
    Some((ArrayString::from_byte_string(&trace_id).ok()?, ArrayString::from_byte_string(&parent).ok()?, sampled))
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(digits: &[u8]) -> bool {
    digits.iter().all(|digit| *digit == b'0')
}

fn is_state_valid(headers: &HeaderMap) -> bool {
    let (mut length, mut members) = (0, 0);
    for value in headers.get_all(&TRACESTATE) {
        length += value.len();
        members +=
            value.as_bytes().split(|byte| *byte == b',').filter(|member| !member.trim_ascii().is_empty()).count();
    }
    length <= MAX_STATE_LENGTH && members <= MAX_STATE_MEMBERS
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn trace(parent: &str) -> Trace {
        let headers = HeaderMap::from_iter([(TRACESTATE, HeaderValue::from_static("a=1,b=2"))]);
        Trace::of(Given::Once(&HeaderValue::from_str(parent).expect("a value")), &headers)
    }

    #[test]
    fn a_valid_parent_is_continued_with_a_span_of_our_own() {
        let trace = trace(&format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!((trace.trace_id(), trace.parent_span_id()), (TRACE, Some(SPAN)));
        assert_ne!(trace.span_id(), SPAN);
        let mut sent = Vec::new();
        trace.write_parent(&mut sent);
        assert_eq!(String::from_utf8_lossy(&sent), format!("00-{TRACE}-{}-01", trace.span_id()));
        assert!(trace.keeps_state());
    }

    #[test]
    fn a_later_version_is_read_by_its_first_fields() {
        assert_eq!(trace(&format!("cc-{TRACE}-{SPAN}-00-what-comes")).trace_id(), TRACE);
    }

    #[test]
    fn an_invalid_parent_restarts_the_trace() {
        for parent in [
            "".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-extra"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("cc-{TRACE}-{SPAN}-01."),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}_{SPAN}-01"),
        ] {
            let trace = trace(&parent);
            assert_ne!(trace.trace_id(), TRACE, "{parent}");
            assert!(!trace.keeps_state() && trace.parent_span_id().is_none());
        }
    }
}
