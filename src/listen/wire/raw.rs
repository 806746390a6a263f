//! What is left of a client's connection when HTTP is over: bytes both ways, and what hyper has read ahead.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::gate::give;
use crate::net::relay::Line;

use super::Wire;

/// A connection on which HTTP is spoken no more.
pub struct Raw {
    wire: Rc<Wire>,
    /// What has come already.
    ahead: BytesMut,
}

impl Raw {
    /// `ahead` was read by hyper, and belongs to nothing that it has served.
    pub(in crate::listen) fn new(wire: Rc<Wire>, ahead: &[u8]) -> Raw {
        let mut all = BytesMut::from(ahead);
        all.unsplit(wire.gate().give_up());
        Raw { wire, ahead: all }
    }
}

impl Line for Raw {
    fn cut(&self) {
        self.wire.cut();
    }
}

impl AsyncRead for Raw {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.wire.poll_read_raw(cx, buf);
        }
        let taken = self.ahead.len().min(buf.remaining());
        give(&mut self.ahead.split_to(taken), buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Raw {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.poll_write_raw(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_close(cx)
    }
}
