//! What events take from the heads of request and response, as they are seen.

use std::borrow::Cow;
use std::cell::RefCell;

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use ring::hmac;

use crate::exchange::user::cookie;
use crate::record::redact::{Policy, keyed_hash};

use super::LONGEST_VALUE;
use super::settings::HeadPlace;

/// What is kept of the heads of one request.
#[derive(Debug)]
pub(in crate::exchange) struct Notes {
    /// A bit for each event that may still mean the request.
    pub(super) wanted: u64,
    /// Values by their slots.
    pub(super) seen: RefCell<Vec<Option<Vec<u8>>>>,
}

/// The places that are looked at, each once however many events name it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Places, and whether their values are hashed.
    places: Vec<(HeadPlace, bool)>,
    key: hmac::Key,
}

impl Seen {
    pub(super) fn new(key: hmac::Key) -> Seen {
        Seen { places: Vec::new(), key }
    }

    pub(super) fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// Where the value of a place will be found.
    pub(super) fn slot(&mut self, place: &HeadPlace, hash: bool) -> usize {
        let known = self.places.iter().position(|(known, hashed)| known == place && *hashed == hash);
        known.unwrap_or_else(|| {
            self.places.push((place.clone(), hash));
            self.places.len() - 1
        })
    }

    /// Takes what the head of a request has.
    pub(super) fn request(&self, wanted: u64, head: &Parts, policy: &Policy) -> Notes {
        let value = |(place, hash): &(HeadPlace, bool)| match place {
            HeadPlace::RequestHeader(name) => self.header(&head.headers, name, *hash, policy),
            HeadPlace::Cookie(name) => self.kept(Cow::Borrowed(cookie(&head.headers, name)?), *hash),
            HeadPlace::Query(name) => self.parameter(head.uri.query()?.as_bytes(), name, *hash, policy),
            HeadPlace::ResponseHeader(_) => None,
        };
        Notes { wanted, seen: RefCell::new(self.places.iter().map(value).collect()) }
    }

    /// Takes what the head of its response has.
    pub(super) fn response(&self, notes: &Notes, headers: &HeaderMap, policy: &Policy) {
        for (value, (place, hash)) in notes.seen.borrow_mut().iter_mut().zip(&self.places) {
            if let HeadPlace::ResponseHeader(name) = place {
                *value = self.header(headers, name, *hash, policy);
            }
        }
    }

    /// Whoever sees only the hash of a secret cannot read it back: it is not redacted first.
    fn header(&self, headers: &HeaderMap, name: &HeaderName, hash: bool, policy: &Policy) -> Option<Vec<u8>> {
        let value = headers.get(name)?.as_bytes();
        self.kept(if hash { Cow::Borrowed(value) } else { policy.header(name.as_str(), value) }, hash)
    }

    fn parameter(&self, query: &[u8], name: &str, hash: bool, policy: &Policy) -> Option<Vec<u8>> {
        let query = if hash { Cow::Borrowed(query) } else { policy.query(query) };
        self.kept(Cow::Owned(parameter(&query, name.as_bytes())?), hash)
    }

    fn kept(&self, value: Cow<'_, [u8]>, hash: bool) -> Option<Vec<u8>> {
        let value = value.trim_ascii();
        match (value.is_empty(), hash) {
            (true, _) => None,
            (false, true) => Some(keyed_hash(&self.key, value).into_bytes()),
            (false, false) => Some(value[..value.len().min(LONGEST_VALUE)].to_vec()),
        }
    }
}

/// The first value of a parameter, as forms encode it: name and value percent-decoded, `+` for a space.
fn parameter(query: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        (decoded(&pair[..at]) == name).then(|| decoded(&pair[at + 1..]))
    })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        text.bytes().fold(String::new(), |out, byte| match byte {
            b'a'..=b'z' => out + &char::from(byte).to_string(),
            b' ' => out + "+",
            _ => out + &format!("%{byte:02X}"),
        })
    }

    proptest! {
        #[test]
        fn the_first_parameter_of_a_name_is_found_however_it_is_encoded(
            pairs in proptest::collection::vec(("[ab é&=+%]{0,3}", ".{0,8}"), 0..6),
            name in "[ab é&=+%]{0,3}",
        ) {
            let query: Vec<String> = pairs.iter().map(|(name, value)| encoded(name) + "=" + &encoded(value)).collect();
            let expected = pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone().into_bytes());
            prop_assert_eq!(parameter(query.join("&").as_bytes(), name.as_bytes()), expected);
        }

        #[test]
        fn any_bytes_can_be_a_query(query in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(parameter(&query, b"a").is_none_or(|value| value.len() <= query.len()));
        }
    }
}
