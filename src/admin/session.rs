//! Who has logged in: a cookie that says until when, signed with a key that comes from the token.
//!
//! So a session outlives a restart and ends with the token, and nothing is kept of it here, but for those that were ended before
//! their time: so many of them, each for as long as its cookie would have been good; beyond that the oldest is forgotten.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// What the cookie is called.
pub(super) const COOKIE: &str = "gatelog_session";
/// How long one stays logged in.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3600);

/// Microseconds of its end, and what tells it from others.
const BODY: usize = 8 + 16;
const TAG: usize = 32;
/// Sessions that were ended and are remembered.
const ENDED: usize = 1024;

/// What a cookie is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// Somebody is logged in.
    Good,
    /// Nobody is: it has ended, or was given for another token, or by nobody. It is no guess at the token either: whoever could
    /// guess a signature could guess anything.
    Over,
    /// There is none.
    None,
}

/// Signs cookies and knows them again.
#[derive(Debug)]
pub(super) struct Seal(hmac::Key);

impl Seal {
    /// The same for the same token.
    pub(super) fn of(token: &str) -> Seal {
        let token = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
        Seal(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&token, b"gatelog admin session 1").as_ref()))
    }

    /// A new session from now on, in microseconds since the Unix epoch. `None` where the system has no random numbers.
    pub(super) fn issue(&self, now: u64) -> Option<String> {
        let mut value = [0; BODY + TAG];
        let (body, tag) = value.split_at_mut(BODY);
        let until = now.saturating_add(LASTS.as_micros() as u64);
        body[..8].copy_from_slice(&until.to_be_bytes());
        SystemRandom::new().fill(&mut body[8..]).ok()?;
        tag.copy_from_slice(hmac::sign(&self.0, body).as_ref());
        Some(URL_SAFE_NO_PAD.encode(value))
    }

    /// What the cookie of a request is worth.
    pub(super) fn weigh(&self, headers: &HeaderMap, ended: &Ended, now: u64) -> Worth {
        let Some(value) = cookie(headers) else { return Worth::None };
        match self.open(value).is_some_and(|session| session.until > now && !ended.has(&session)) {
            true => Worth::Good,
            false => Worth::Over,
        }
    }

    /// Ends the session that a request shows, if it is one.
    pub(super) fn end(&self, headers: &HeaderMap, ended: &Ended, now: u64) {
        let value = cookie(headers).and_then(|value| self.open(value));
        value.into_iter().for_each(|value| ended.add(value, now));
    }

    fn open(&self, value: &str) -> Option<Session> {
        let value: [u8; BODY + TAG] = URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()?;
        let (body, tag) = value.split_at(BODY);
        hmac::verify(&self.0, body, tag).ok()?;
        let (until, id) = body.split_at(8);
        Some(Session { until: u64::from_be_bytes(until.try_into().ok()?), id: id.try_into().ok()? })
    }
}

/// One that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    until: u64,
    id: [u8; 16],
}

/// Sessions that were ended before their time.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<VecDeque<Session>>);

impl Ended {
    fn has(&self, session: &Session) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(session)
    }

    fn add(&self, session: Session, now: u64) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|known| known.until > now);
        if session.until > now && !ended.contains(&session) {
            if ended.len() >= ENDED {
                ended.pop_front();
            }
            ended.push_back(session);
        }
    }
}

/// The value of our cookie (RFC 6265 §4.2); of two of the same name, neither is believed.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = pairs.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    ours.next().filter(|_| ours.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_795_345_140_000_000;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().expect("a value"))])
    }

    fn worth(seal: &Seal, cookie: &str, now: u64) -> Worth {
        seal.weigh(&headers(cookie), &Ended::default(), now)
    }

    #[test]
    fn a_session_is_good_for_twelve_hours_and_for_this_token() {
        let seal = Seal::of("token");
        let cookie = format!("a=b; {COOKIE}={}", seal.issue(NOW).expect("random numbers"));
        let end = NOW + LASTS.as_micros() as u64;
        assert_eq!([NOW, end - 1, end].map(|now| worth(&seal, &cookie, now)), [Worth::Good, Worth::Good, Worth::Over]);
        assert_eq!(worth(&Seal::of("token"), &cookie, NOW), Worth::Good);
        assert_eq!(worth(&Seal::of("tokem"), &cookie, NOW), Worth::Over);
        assert_eq!(worth(&seal, &format!("{cookie}; {COOKIE}=x"), NOW), Worth::None);
    }

    #[test]
    fn a_session_that_was_ended_is_over_and_no_other_is() {
        let (seal, ended) = (Seal::of("token"), Ended::default());
        let [one, other] = [(); 2].map(|()| headers(&format!("{COOKIE}={}", seal.issue(NOW).expect("random numbers"))));
        seal.end(&one, &ended, NOW);
        assert_eq!([&one, &other].map(|headers| seal.weigh(headers, &ended, NOW)), [Worth::Over, Worth::Good]);
        for _ in 0..2 * ENDED {
            seal.end(&headers(&format!("{COOKIE}={}", seal.issue(NOW).expect("random numbers"))), &ended, NOW);
        }
        assert_eq!(ended.0.lock().expect("whole").len(), ENDED);
    }

    proptest! {
        /// Whatever is changed of it, nobody was given it.
        #[test]
        fn no_other_cookie_is_good(at in 0..75_usize, with in "[A-Za-z0-9_-]", text in "[A-Za-z0-9_=-]{0,100}") {
            let seal = Seal::of("token");
            let value = seal.issue(NOW).expect("random numbers");
            let mut forged = value.clone();
            let at = at % forged.len();
            forged.replace_range(at..=at, &with);
            let [forged_worth, text_worth] = [&forged, &text].map(|value| worth(&seal, &format!("{COOKIE}={value}"), NOW));
            prop_assert!(forged == value || forged_worth == Worth::Over);
            prop_assert_eq!(text_worth, Worth::Over);
        }
    }
}
