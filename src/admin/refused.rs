//! Why a page is not shown: one table from reason to answer.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use thiserror::Error;

use crate::filter;

use super::answer::{Answer, problem, problem_with};

/// Why a page is not shown. The sentences are for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The token is missing.
    #[error("show the token of [admin]: Authorization: Bearer …")]
    NoToken,
    /// It is another one: a guess, perhaps.
    #[error("this is not the token of [admin]")]
    WrongToken,
    /// The session is over.
    #[error("the session is over: log in again")]
    LoggedOut,
    /// The client was refused too often; it has to wait so many seconds.
    #[error("too many wrong tokens; try again in {0} s")]
    HeldOff(u64),
    /// There is no token, and what is asked for is none of our names.
    #[error("ask by address or as localhost, set admin.token, or name this host in admin.hosts")]
    ForeignHost,
    /// A page of another site wants to change something.
    #[error("this was sent by a page of another site")]
    CrossSite,
    /// There is no such page.
    #[error("there are {0}")]
    NoPage(String),
    /// Another method; these are offered.
    #[error("this takes {0}")]
    Method(&'static str),
    /// The query cannot be meant.
    #[error("{0}")]
    Query(String),
    /// An expression that cannot be meant, or is too dear.
    #[error("`{parameter}`: {error}")]
    Filter {
        /// The parameter it stands in.
        parameter: &'static str,
        /// What is wrong, and where.
        error: Box<filter::Error>,
    },
    /// More follow the records than may.
    #[error("too many follow the records already: at most {0} do")]
    Crowded(usize),
    /// More questions wait than may.
    #[error("too many questions are being looked into: ask again in a moment")]
    Busy,
    /// It waited for too long.
    #[error("this took too long")]
    Slow,
    /// The place that holds the records does not answer.
    #[error("{0}")]
    Unanswered(String),
    /// There is nothing of this name.
    #[error("{0}")]
    NotThere(String),
    /// The process is about to end.
    #[error("about to end")]
    Ending,
}

impl Refused {
    /// The status that says it.
    pub fn status(&self) -> StatusCode {
        match self {
            Refused::NoToken | Refused::WrongToken | Refused::LoggedOut => StatusCode::UNAUTHORIZED,
            Refused::HeldOff(_) => StatusCode::TOO_MANY_REQUESTS,
            Refused::ForeignHost | Refused::CrossSite => StatusCode::FORBIDDEN,
            Refused::NoPage(_) | Refused::NotThere(_) => StatusCode::NOT_FOUND,
            Refused::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refused::Query(_) | Refused::Filter { .. } => StatusCode::BAD_REQUEST,
            Refused::Busy | Refused::Crowded(_) | Refused::Slow | Refused::Ending => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Unanswered(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The whole answer.
    pub fn answer(&self) -> Answer {
        if let Refused::Filter { parameter, error } = self {
            return misread(parameter, error, &self.to_string());
        }
        let answer = problem(self.status(), &self.to_string());
        match self {
            Refused::NoToken | Refused::WrongToken | Refused::LoggedOut => {
                answer.with(header::WWW_AUTHENTICATE, CHALLENGE)
            }
            Refused::HeldOff(seconds) => answer.with(header::RETRY_AFTER, HeaderValue::from(*seconds)),
            Refused::Busy => answer.with(header::RETRY_AFTER, HeaderValue::from_static("1")),
            Refused::Crowded(_) | Refused::Slow => answer.with(header::RETRY_AFTER, HeaderValue::from_static("5")),
            Refused::Method(offered) => answer.with(header::ALLOW, HeaderValue::from_static(offered)),
            _ => answer,
        }
    }
}

/// With the place in the expression, for whoever shows it there.
fn misread(parameter: &str, error: &filter::Error, detail: &str) -> Answer {
    let place = json!({
        "parameter": parameter,
        "column": error.column,
        "length": error.length,
        "hint": error.hint(),
    });
    problem_with(StatusCode::BAD_REQUEST, detail, place)
}

/// RFC 6750 §3.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"gatelog\"");
