//! Who may ask: whoever shows the token, or the cookie that he was given for it; or, where there is none, whoever is on this
//! machine and means it.
//!
//! Without a token a page of the web, in a browser on this machine, must not be able to ask in its user's place. It can
//! give its own name our address (DNS rebinding): so what is asked for must be an address, `localhost` or a name that is
//! configured. And it can send what it may not read the answer of: so what changes anything must not come from another
//! site.

use std::io;
use std::net::IpAddr;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use ring::hmac;

use super::refused::Refused;
use super::session::{Ended, Seal, Worth};
use super::settings::Settings;

/// The rules in force.
#[derive(Debug)]
pub struct Access {
    rules: ArcSwap<Rules>,
    ended: Ended,
}

#[derive(Debug)]
struct Rules {
    lock: Option<Lock>,
    hosts: Vec<String>,
}

/// A token, kept as a keyed hash: comparing hashes takes the same time whatever is shown.
#[derive(Debug)]
struct Lock {
    key: hmac::Key,
    tag: hmac::Tag,
    seal: Seal,
}

impl Access {
    /// The rules that these settings mean.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(settings: &Settings) -> io::Result<Access> {
        Rules::new(settings).map(|rules| Access { rules: ArcSwap::from_pointee(rules), ended: Ended::default() })
    }

    /// From now on these settings are meant. Only for a listener that does not lose its token by that: see `[admin]`.
    ///
    /// # Errors
    /// When the system has no random numbers; the rules before stay.
    pub fn change(&self, settings: &Settings) -> io::Result<()> {
        Rules::new(settings).map(|rules| self.rules.store(rules.into()))
    }

    /// Refuses whoever may not ask at this moment, in microseconds since the Unix epoch. What is `open` needs no token.
    pub(super) fn check(&self, head: &Parts, open: bool, now: u64) -> Result<(), Refused> {
        let rules = self.rules.load();
        match &rules.lock {
            Some(lock) if !open => lock.check(&head.headers, &self.ended, now)?,
            None if !rules.is_ours(host(head)) => return Err(Refused::ForeignHost),
            _ => {}
        }
        let changes = head.method != Method::GET && head.method != Method::HEAD;
        if changes && is_cross_site(head) { Err(Refused::CrossSite) } else { Ok(()) }
    }

    /// Whether a page for people is asked for by somebody who has to log in first.
    pub(super) fn is_stranger(&self, head: &Parts, now: u64) -> bool {
        let rules = self.rules.load();
        rules.lock.as_ref().is_some_and(|lock| lock.check(&head.headers, &self.ended, now).is_err())
    }

    /// The cookie of a new session, for whoever shows the token.
    ///
    /// # Errors
    /// When it is another one, or none is asked for.
    pub(super) fn log_in(&self, token: &str, now: u64) -> Result<String, Refused> {
        let rules = self.rules.load();
        let lock = rules.lock.as_ref();
        let lock = lock.ok_or_else(|| Refused::NotThere("there is no token: nobody has to log in".to_owned()))?;
        if !lock.is(token.as_bytes()) {
            return Err(Refused::WrongToken);
        }
        lock.seal.issue(now).ok_or_else(|| Refused::Unanswered("the system has no random numbers".to_owned()))
    }

    /// Ends the session that is shown.
    pub(super) fn log_out(&self, headers: &HeaderMap, now: u64) {
        if let Some(lock) = &self.rules.load().lock {
            lock.seal.end(headers, &self.ended, now);
        }
    }

    /// Whether one has to log in, and whether who shows this is. Of tokens nothing is said: whoever guesses would have it
    /// confirmed.
    pub(super) fn session(&self, headers: &HeaderMap, now: u64) -> (bool, bool) {
        match &self.rules.load().lock {
            Some(lock) => (true, lock.seal.weigh(headers, &self.ended, now) == Worth::Good),
            None => (false, false),
        }
    }
}

impl Rules {
    fn new(settings: &Settings) -> io::Result<Rules> {
        let lock = settings.token.as_ref().map(|token| Lock::new(token.expose())).transpose()?;
        Ok(Rules { lock, hosts: settings.hosts.clone() })
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host);
        name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|ours| name.eq_ignore_ascii_case(ours))
    }
}

impl Lock {
    fn new(token: &str) -> io::Result<Lock> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new());
        let key = key.map_err(|_| io::Error::other("no random numbers"))?;
        let tag = hmac::sign(&key, token.as_bytes());
        Ok(Lock { key, tag, seal: Seal::of(token) })
    }

    fn check(&self, headers: &HeaderMap, ended: &Ended, now: u64) -> Result<(), Refused> {
        if self.opens(headers) {
            return Ok(());
        }
        match self.seal.weigh(headers, ended, now) {
            Worth::Good => Ok(()),
            // A page that is open asks ten times at once: who it is may log in again at once.
            Worth::Over => Err(Refused::LoggedOut),
            Worth::None if headers.contains_key(header::AUTHORIZATION) => Err(Refused::WrongToken),
            Worth::None => Err(Refused::NoToken),
        }
    }

    fn is(&self, token: &[u8]) -> bool {
        hmac::verify(&self.key, token, self.tag.as_ref()).is_ok()
    }

    /// RFC 6750 §2.1; one field, or none.
    fn opens(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return false };
        let (scheme, token) = field.as_bytes().split_at(field.len().min(BEARER.len()));
        scheme.eq_ignore_ascii_case(BEARER) && self.is(token)
    }
}

const BEARER: &[u8] = b"Bearer ";

/// The host that is asked for, and perhaps its port; empty where none is named.
fn host(head: &Parts) -> &str {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let field = || head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.or_else(field).unwrap_or_default()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// Whether a browser says that a page of somebody else's sends this. What is no browser says nothing.
fn is_cross_site(head: &Parts) -> bool {
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    text("origin").is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != Some(host(head)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const TOKEN: &str = "0123456789abcdef";

    fn access(token: Option<&str>) -> Access {
        let settings =
            Settings { token: token.map(Secret::new), hosts: vec!["gatelog.internal".into()], ..Default::default() };
        Access::new(&settings).expect("random numbers")
    }

    fn status(access: &Access, method: Method, fields: &[(&str, &str)], open: bool) -> u16 {
        let mut request = http::Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = request.body(()).expect("a request").into_parts().0;
        access.check(&head, open, 0).map_or_else(|refused| refused.status().as_u16(), |()| 200)
    }

    #[test]
    fn the_token_is_asked_for_to_the_last_character() {
        let access = access(Some(TOKEN));
        let get = |fields: &[(&str, &str)], open| status(&access, Method::GET, fields, open);
        let field = |value: &str| get(&[("authorization", value)], false);
        assert_eq!(field(&format!("Bearer {TOKEN}")), 200);
        assert_eq!(field(&format!("bearer {TOKEN}")), 200);
        for wrong in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeg", "Basic 0123", TOKEN]
        {
            assert_eq!(field(wrong), 401, "{wrong}");
        }
        assert_eq!(field(&format!("Bearer {TOKEN}x")), 401);
        assert_eq!(get(&[], true), 200);
        let twice = ("authorization", "Bearer 0123456789abcdef");
        assert_eq!(get(&[twice, twice], false), 401);
    }

    #[test]
    fn without_a_token_only_our_own_names_are_answered() {
        let access = access(None);
        let get = |host: &str| status(&access, Method::GET, &[("host", host)], false);
        for ours in ["127.0.0.1:9900", "[::1]:9900", "[::1]", "10.1.2.3", "LOCALHOST:1", "Gatelog.internal"] {
            assert_eq!(get(ours), 200, "{ours}");
        }
        for foreign in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9900", "gatelog"] {
            assert_eq!(get(foreign), 403, "{foreign}");
        }
        assert_eq!(status(&access, Method::GET, &[("host", "evil.example")], true), 403);
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let access = access(None);
        let post =
            |more: &[(&str, &str)]| status(&access, Method::POST, &[&[("host", "localhost:1")], more].concat(), false);
        assert_eq!(post(&[]), 200);
        assert_eq!(post(&[("origin", "http://localhost:1")]), 200);
        for origin in ["http://evil.example", "null", "http://localhost:2", "http://localhost"] {
            assert_eq!(post(&[("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(post(&[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:1")]), 200);
    }

    #[test]
    fn a_changed_token_holds_at_once() {
        let access = access(Some(TOKEN));
        let settings = Settings { token: Some(Secret::new("another-token-now")), ..Default::default() };
        access.change(&settings).expect("random numbers");
        let get = |token: &str| status(&access, Method::GET, &[("authorization", &format!("Bearer {token}"))], false);
        assert_eq!((get(TOKEN), get("another-token-now")), (401, 200));
    }
}
