//! A query and a referer: no secret under a plain key survives, and what is redacted once stays as it is.
//!
//! The bytes are a query; the same bytes are put behind `http://a/?` as a referer.

use std::borrow::Cow;

use gatelog::record::RedactSettings;
use gatelog::record::redact::{Policy, REDACTED};

/// The target. Returns whether there was something to hide.
pub fn run(data: &[u8]) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key");
    let policy = Policy::new(&RedactSettings::default(), &key);
    let clean = policy.query(data);
    assert_eq!(policy.query(&clean), clean, "redacting twice is not redacting once: {}", data.escape_ascii());
    assert_eq!(separators(data), separators(&clean), "pairs came or went: {}", data.escape_ascii());
    for pair in clean.split(|byte| matches!(byte, b'&' | b';' | b'?')) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let secret = [&b"password"[..], b"token", b"sig", b"code"].iter().any(|name| key.eq_ignore_ascii_case(name));
        assert!(!secret || value.is_empty() || value == REDACTED.as_bytes(), "{}", clean.escape_ascii());
    }
    let referer = [b"http://a/?", data].concat();
    let address = policy.referer(&referer);
    assert!(address.starts_with(b"http://a/?"), "{}", address.escape_ascii());
    assert_eq!(policy.referer(&address), address, "redacting twice is not redacting once: {}", referer.escape_ascii());
    matches!(clean, Cow::Owned(_))
}

fn separators(query: &[u8]) -> usize {
    query.iter().filter(|byte| **byte == b'&').count()
}
