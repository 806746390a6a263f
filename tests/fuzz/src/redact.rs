//! A query and a referer: no secret survives, whatever stands around it.
//!
//! The bytes are a query; secrets are put before and behind it, and all of it behind an address as a referer.

use std::borrow::Cow;

use gatelog::record::RedactSettings;
use gatelog::record::redact::{Policy, REDACTED};

/// A value that nobody may see again.
const SECRET: &str = "8f2c-never-shown-6b1d";

/// Ways to send it.
const PAIRS: [&str; 6] =
    ["password=S", "user[token]=S", "%74oken=S", "next=%2F%3Fcode%3DS", "x-api-key=1&api_key=S", "a=1;csrf=S"];

/// The target. Returns whether there was something to hide.
pub fn run(data: &[u8]) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key");
    let policy = Policy::new(&RedactSettings::default(), &key);
    let clean = policy.query(data);
    assert_eq!(separators(data), separators(&clean), "pairs came or went: {}", data.escape_ascii());
    for pair in clean.split(|byte| matches!(byte, b'&' | b';' | b'?')) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let secret = [&b"password"[..], b"token", b"sig", b"code"].iter().any(|name| key.eq_ignore_ascii_case(name));
        assert!(!secret || value.is_empty() || value == REDACTED.as_bytes(), "{}", clean.escape_ascii());
    }
    for pair in PAIRS.map(|pair| pair.replace('S', SECRET)) {
        let (before, behind) = ([pair.as_bytes(), b"&", data].concat(), [data, b"&", pair.as_bytes()].concat());
        for query in [before, behind] {
            assert!(!shows(&policy.query(&query)), "{}", query.escape_ascii());
            let referer = [b"http://a/?", query.as_slice()].concat();
            assert!(!shows(&policy.referer(&referer)), "{}", referer.escape_ascii());
        }
    }
    matches!(clean, Cow::Owned(_))
}

fn shows(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

fn separators(query: &[u8]) -> usize {
    query.iter().filter(|byte| **byte == b'&').count()
}
