//! The fields of a request and of a response on their way through (RFC 9110 §7.6).

mod forwarded;
mod names;
mod request;
mod response;

pub use request::write_request;
pub use response::{filter_trailers, interim, pass_response};

use crate::exchange::{Exchange, Exchanges};
use crate::net::Peer;

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

/// One line of a head, put together from its parts.
#[inline]
fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}
