//! HTTP/2 to a server: one connection carries the requests of a core side by side.
//!
//! As in HTTP/1.1, the exchange is driven by the request's own task ([`call`]); a task of the connection's own moves its
//! frames ([`session`]), and another asks a server that says nothing whether it is still there ([`keepalive`]). A piece of a
//! body is asked for, on either side, only where the other has room for it, so that the windows of HTTP/2 reach from one end
//! to the other.

mod body;
mod call;
mod keepalive;
mod request;
mod send;
mod session;
mod stream;

pub use body::Http2Body;
pub use call::exchange;
pub(super) use session::Sessions;
pub use session::{Seat, Session};
pub use stream::Stream;

use std::io;

use h2::{Error, Reason};

use super::error::UpstreamError;

/// What an error before the response's head means. `reused`: the connection has served before.
fn before_head(error: Error) -> UpstreamError {
    // What was above the last stream that a GOAWAY names was not looked at (RFC 9113 §6.8).
    let unprocessed = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
    match error.reason() {
        Some(_) if !error.is_remote() => UpstreamError::Http2(error),
        Some(reason) => UpstreamError::Reset { reason, unprocessed },
        None => UpstreamError::Closed { source: error.into_io(), untouched: true },
    }
}

/// What an error inside the response's body means.
fn inside_body(error: Error) -> UpstreamError {
    match error.reason() {
        Some(_) if !error.is_remote() => UpstreamError::Http2(error),
        Some(reason) => UpstreamError::Incomplete(Some(io::Error::other(reason.description()))),
        None => UpstreamError::Incomplete(error.into_io()),
    }
}
