//! A response's body, whichever protocol it comes in.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::error::UpstreamError;
use super::h2::Http2Body;
use super::receive::Http1Body;
use super::tunnel::Tunnel;

/// The body of a response, read from the server as it is asked for. Dropped before its end, the server is told that nobody
/// wants the rest. Boxed, as it is handed on many times before it is read.
pub enum ResponseBody {
    /// On a connection of its own.
    Http1(Box<Http1Body>),
    /// A stream among others.
    Http2(Box<Http2Body>),
    /// There is none: another protocol is spoken from here on.
    Switched(Box<Tunnel>),
}

impl ResponseBody {
    /// The connection, where it speaks another protocol now.
    pub fn into_tunnel(self) -> Option<Tunnel> {
        match self {
            ResponseBody::Switched(tunnel) => Some(*tunnel),
            ResponseBody::Http1(_) | ResponseBody::Http2(_) => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut *self {
            ResponseBody::Http1(body) => Pin::new(body).poll_frame(cx),
            ResponseBody::Http2(body) => Pin::new(body).poll_frame(cx),
            ResponseBody::Switched(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Http1(body) => body.is_end_stream(),
            ResponseBody::Http2(body) => body.is_end_stream(),
            ResponseBody::Switched(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Http1(body) => body.size_hint(),
            ResponseBody::Http2(body) => body.size_hint(),
            ResponseBody::Switched(_) => SizeHint::with_exact(0),
        }
    }
}
