//! The fields of a request and of a response on their way through (RFC 9110 §7.6).

mod forwarded;
mod names;
mod request;
mod response;

pub use request::write_request;
pub use response::{filter_trailers, interim, pass_response};

use http::HeaderName;

use crate::exchange::{Exchange, Exchanges, Sign, Suspicion};
use crate::net::Peer;
use crate::record::redact::REDACTED;

/// What a request's fields depend on beside the request.
pub struct Way<'a> {
    /// Its core.
    pub exchanges: &'a Exchanges,
    /// Itself.
    pub exchange: &'a Exchange,
    /// The client's connection.
    pub peer: &'a Peer,
    /// The server's `host:port`, for requests that name no host.
    pub server: &'a str,
}

/// Longest value that is taken into a record; it is cut once more there, with its name.
const SHOWN: usize = 256;

impl Way<'_> {
    /// A peer that is not trusted speaks for others. What it says is only shown where addresses are.
    #[cold]
    fn report_spoofed(&self, name: &str, value: &[u8]) {
        let policy = self.exchanges.policy();
        let value = if policy.shows_addresses() { policy.header(name, value) } else { REDACTED.as_bytes().into() };
        let excerpt = [name.as_bytes(), b": ", &value[..value.len().min(SHOWN)]].concat();
        let detail = "the peer is none of identity.trusted_proxies";
        self.exchange.suspect(&Suspicion { sign: Sign::SpoofedForwarding, detail, excerpt: &excerpt });
    }

    /// The value of such a field may be a secret, its name is none.
    #[cold]
    fn report_disguised(&self, name: &HeaderName) {
        let detail = "the name of a field with _ in place of -";
        let excerpt = name.as_str().as_bytes();
        self.exchange.suspect(&Suspicion { sign: Sign::DisguisedField, detail, excerpt });
    }
}

/// One line of a head, put together from its parts.
#[inline]
fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}
