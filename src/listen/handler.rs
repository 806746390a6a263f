//! What the near side calls: a handler of requests, which knows nothing of sockets.

use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use crate::net::Peer;

use super::gate::Refusal;
use super::wire::Wire;

/// Answers requests. One for each thread, shared by all its connections.
pub trait Handler: 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static;

    /// Answers a request. The future is dropped when the client leaves.
    fn call(
        self: Rc<Self>,
        client: Client,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + 'static;

    /// Takes note of bytes that are no request. Returns the whole response to send, as HTTP/1.1 bytes.
    fn refused(&self, peer: &Peer, refusal: &Refusal) -> Vec<u8>;
}

/// The connection that a request came on.
#[derive(Clone)]
pub struct Client {
    /// Who is at its other end.
    pub peer: Rc<Peer>,
    /// The connection itself.
    pub wire: Rc<Wire>,
}
