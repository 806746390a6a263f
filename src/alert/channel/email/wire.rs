//! A connection as the SMTP library takes it: with an end to what it may say.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Stream;

/// Bytes that a server may say in one connection: ten times what it needs.
const MOST: usize = 64 * 1024;
/// The library reads a greeting first, which a server does not repeat once TLS has begun.
const GREETING: &[u8] = b"220 \r\n";

/// A connection to a mail server.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// What is read before anything of the connection.
    ahead: &'static [u8],
    room: usize,
}

impl Wire {
    /// One whose server has said nothing yet.
    pub(super) fn new(stream: Stream) -> Wire {
        Wire { stream, ahead: &[], room: MOST }
    }

    /// One whose server has greeted already.
    pub(super) fn greeted(stream: Stream) -> Wire {
        Wire { stream, ahead: GREETING, room: MOST }
    }

    /// This end of the connection.
    pub(super) fn local_ip(&self) -> Option<IpAddr> {
        self.stream.tcp().and_then(|tcp| tcp.local_addr().ok()).map(|address| address.ip())
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let (now, later) = self.ahead.split_at(self.ahead.len().min(into.remaining()));
            into.put_slice(now);
            self.ahead = later;
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        match self.room.checked_sub(into.filled().len() - before) {
            Some(room) => self.room = room,
            None => return Poll::Ready(Err(io::Error::other("the server says more than a mail server does"))),
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
