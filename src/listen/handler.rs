//! What the near side calls: a handler of requests, which knows nothing of sockets.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use crate::net::Peer;

use super::gate::Refusal;
use super::wire::{Running, Wire};

/// An answer on its way. Boxed: hyper moves the futures of its services about, and this one is large.
pub type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>>>>;

/// Answers requests. One for each thread, shared by all its connections.
pub trait Handler: 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static;

    /// Answers a request. The future is dropped when the client leaves, perhaps before it was ever polled.
    fn call(self: Rc<Self>, client: Client, request: Request<Incoming>) -> Answering<Self::Body>;

    /// Takes note of bytes that are no request. Returns the whole response to send, as HTTP/1.1 bytes.
    fn refused(&self, peer: &Peer, refusal: &Refusal) -> Vec<u8>;

    /// Takes note of what a connection does that is about none of its requests. Returns the whole response to send where
    /// nothing was read yet, as HTTP/1.1 bytes.
    fn offended(&self, peer: &Peer, offence: Offence, detail: &str) -> Vec<u8>;
}

/// Why a connection is turned away or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// One more than `limits.connections`.
    Connections,
    /// One more of this client than `limits.connections_per_ip`.
    ConnectionsPerIp,
    /// More streams reset than `limits.resets_per_connection`.
    Resets,
    /// HTTP/2 that is refused: frames that break the protocol, or too many of a kind.
    Http2,
}

/// The connection that a request came on; it counts as busy for as long as somebody holds this.
pub struct Client {
    /// Who is at its other end.
    pub peer: Rc<Peer>,
    /// The connection itself.
    pub wire: Rc<Wire>,
    pub(super) running: Running,
}

impl Client {
    /// The head of an answer is there: a client that goes away from now on has not reset its request for nothing.
    pub fn answered(&self) {
        self.running.finish();
        self.wire.go_on();
    }
}
