//! Who it was: the first of the configured sources that has something to say.
//!
//! Sources on the request are asked when it starts, those on the response when it has come; the order of the
//! configuration decides between them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ring::hmac;

use crate::record::redact::keyed_hash;

use super::settings::UserSource;

/// Longest user id that is kept.
const MAX_LENGTH: usize = 256;
/// Longest bearer token whose claims are read.
const MAX_TOKEN: usize = 16 * 1024;

/// The configured sources.
#[derive(Debug)]
pub struct Users {
    sources: Vec<UserSource>,
    /// New in each process: a hash tells two users apart within one run, and nothing to whoever has another log.
    key: hmac::Key,
}

/// A name, and how early in the configuration its source stands.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub id: Vec<u8>,
    /// The index of its source.
    pub source: usize,
}

impl Users {
    /// These sources, with a key for hashes.
    pub fn new(sources: Vec<UserSource>, key: hmac::Key) -> Users {
        Users { sources, key }
    }

    /// Who the request says it is. Headers of an authenticating proxy are read only from a trusted peer.
    pub fn of_request(&self, headers: &HeaderMap, trusted: bool) -> Option<User> {
        let mut sources = self.sources.iter().enumerate();
        sources.find_map(|(source, from)| Some(User { id: self.request_source(from, headers, trusted)?, source }))
    }

    /// Who the response says it was, if its source stands before that of the request.
    pub fn of_response(&self, headers: &HeaderMap, request: Option<&User>) -> Option<Vec<u8>> {
        let before = request.map_or(self.sources.len(), |user| user.source);
        self.sources[..before].iter().find_map(|source| match source {
            UserSource::ResponseHeader { name, .. } => bounded(headers.get(name)?.as_bytes()),
            _ => None,
        })
    }

    /// Takes off the response what is not for the client.
    pub fn strip_response(&self, headers: &mut HeaderMap) {
        for name in self.stripped() {
            headers.remove(name);
        }
    }

    /// The response headers that are not for the client.
    pub fn stripped(&self) -> impl Iterator<Item = &HeaderName> {
        self.sources.iter().filter_map(|source| match source {
            UserSource::ResponseHeader { name, strip: true } => Some(name),
            _ => None,
        })
    }

    /// Takes off an untrusted peer's request what only an authenticating proxy may say. Returns something of it.
    pub fn strip_request(&self, headers: &mut HeaderMap, trusted: bool) -> Option<(HeaderName, HeaderValue)> {
        let mut stripped = None;
        for source in &self.sources {
            if let UserSource::RequestHeader { name, trusted: true } = source
                && !trusted
            {
                stripped = headers.remove(name).map(|value| (name.clone(), value)).or(stripped);
            }
        }
        stripped
    }

    fn request_source(&self, source: &UserSource, headers: &HeaderMap, trusted: bool) -> Option<Vec<u8>> {
        match source {
            UserSource::ResponseHeader { .. } => None,
            UserSource::RequestHeader { name, trusted: needed } => {
                (trusted || !needed).then(|| bounded(headers.get(name)?.as_bytes()))?
            }
            UserSource::JwtClaim(claim) => jwt_claim(headers, claim),
            UserSource::Cookie { name, hash } => {
                let value = cookie(headers, name)?;
                if *hash { Some(keyed_hash(&self.key, value).into_bytes()) } else { bounded(value) }
            }
        }
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';')).find_map(
        |pair| {
            let pair = pair.trim_ascii();
            let at = memchr::memchr(b'=', pair)?;
            (&pair[..at] == name.as_bytes()).then_some(&pair[at + 1..])
        },
    )
}

fn bounded(value: &[u8]) -> Option<Vec<u8>> {
    let value = value.trim_ascii();
    (!value.is_empty()).then(|| value[..value.len().min(MAX_LENGTH)].to_vec())
}

/// A claim of the bearer token (RFC 7519), read and not verified.
fn jwt_claim(headers: &HeaderMap, claim: &str) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.len() > MAX_TOKEN {
        return None;
    }
    let payload = token.split(|byte| *byte == b'.').nth(1)?;
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    match claims.get(claim)? {
        serde_json::Value::String(text) => bounded(text.as_bytes()),
        serde_json::Value::Number(number) => bounded(number.to_string().as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(sources: Vec<UserSource>) -> Users {
        Users::new(sources, hmac::Key::new(hmac::HMAC_SHA256, b"a key of the test"))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")));
        pairs.collect()
    }

    fn forwarded(trusted: bool) -> UserSource {
        UserSource::RequestHeader { name: HeaderName::from_static("x-forwarded-user"), trusted }
    }

    #[test]
    fn a_trusted_header_counts_only_from_a_trusted_peer() {
        let (users, headers) = (users(vec![forwarded(true)]), headers(&[("x-forwarded-user", "ada")]));
        assert_eq!(users.of_request(&headers, true).map(|user| user.id), Some(b"ada".to_vec()));
        assert!(users.of_request(&headers, false).is_none());
        let mut untrusted = headers.clone();
        let stripped = users.strip_request(&mut untrusted, false);
        assert!(stripped.is_some_and(|(_, value)| value == "ada") && untrusted.is_empty());
    }

    #[test]
    fn a_claim_is_read_from_the_bearer_token() {
        let token = format!("Bearer e30.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"sub":"42","n":7}"#));
        let headers = headers(&[("authorization", &token)]);
        let id = |claim: &str| users(vec![UserSource::JwtClaim(claim.into())]).of_request(&headers, false);
        assert_eq!(id("sub").map(|user| user.id), Some(b"42".to_vec()));
        assert_eq!(id("n").map(|user| user.id), Some(b"7".to_vec()));
        assert!(id("missing").is_none());
    }

    #[test]
    fn a_hashed_cookie_tells_users_apart_and_nothing_else() {
        let users = users(vec![UserSource::Cookie { name: "sessionid".into(), hash: true }]);
        let id = |cookie: &str| users.of_request(&headers(&[("cookie", cookie)]), false).map(|user| user.id);
        let first = id("a=1; sessionid=secret; b=2").expect("a user");
        assert_eq!(first.len(), 16);
        assert_eq!(Some(first.clone()), id("sessionid=secret"));
        assert_ne!(Some(first), id("sessionid=other"));
    }

    #[test]
    fn the_response_wins_where_its_source_stands_first() {
        let response = UserSource::ResponseHeader { name: HeaderName::from_static("x-user-id"), strip: true };
        let answer = headers(&[("x-user-id", "from-app")]);
        let request = headers(&[("x-forwarded-user", "from-proxy")]);
        let first = users(vec![response.clone(), forwarded(false)]);
        let user = first.of_request(&request, false);
        assert_eq!(first.of_response(&answer, user.as_ref()), Some(b"from-app".to_vec()));
        let last = users(vec![forwarded(false), response]);
        let user = last.of_request(&request, false);
        assert_eq!(last.of_response(&answer, user.as_ref()), None);
        let mut stripped = answer.clone();
        last.strip_response(&mut stripped);
        assert!(stripped.is_empty());
    }
}
