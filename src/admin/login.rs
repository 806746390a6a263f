//! `POST /api/login`, `POST /api/logout`, `GET /api/session`: a person shows the token once, and a cookie from then on.
//!
//! The token comes in the body alone, where neither a log nor a history keeps it. The cookie is for this listener, no script can
//! read it, and no other site's page has it sent.

use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::access::Access;
use super::answer::{Answer, json as json_answer};
use super::refused::Refused;
use super::session::{COOKIE, LASTS};

/// Bytes of the body: a token, and what stands around it.
pub(super) const MOST: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    token: String,
}

/// Whoever shows the token is given a cookie.
pub(super) fn log_in(access: &Access, head: &Parts, body: &[u8], now: u64) -> Result<Answer, Refused> {
    let shown: Shown =
        serde_json::from_slice(body).map_err(|_| Refused::Query("the body is not {\"token\": \"…\"}".to_owned()))?;
    let value = access.log_in(&shown.token, now)?;
    Ok(done(&format!("{COOKIE}={value}; Max-Age={}", LASTS.as_secs()), &head.headers))
}

/// The session that is shown is over, also for whoever has a copy of its cookie.
pub(super) fn log_out(access: &Access, head: &Parts, now: u64) -> Answer {
    access.log_out(&head.headers, now);
    done(&format!("{COOKIE}=; Max-Age=0"), &head.headers)
}

/// Whether one has to log in, and has.
pub(super) fn session(access: &Access, head: &Parts, now: u64) -> Answer {
    let (required, logged_in) = access.session(&head.headers, now);
    json_answer(StatusCode::OK, &json!({ "login_required": required, "logged_in": logged_in }))
}

/// To the page where one logs in, and back from there.
pub(super) fn invitation(head: &Parts) -> Answer {
    let wanted = head.uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    let location = format!("/login?next={}", utf8_percent_encode(wanted, PLAIN));
    let answer = Answer::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "log in first\n");
    // It is percent-encoded: nothing in it is not ASCII.
    answer.with(LOCATION, HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/login")))
}

/// What stands for itself in a part of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn done(cookie: &str, headers: &HeaderMap) -> Answer {
    // Whoever stands in front of us and speaks TLS says so; a client that says it of itself only keeps its own cookie closer.
    let is_secure =
        headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = HeaderValue::try_from(format!("{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"));
    // Base64 and digits are a value in any case.
    let cookie = cookie.unwrap_or(HeaderValue::from_static(""));
    Answer::bare(StatusCode::NO_CONTENT).with(SET_COOKIE, cookie)
}
