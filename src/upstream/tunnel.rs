//! A connection to a server, or a stream of one, that speaks another protocol than HTTP from here on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::relay::Line;

use super::connection::Connection;
use super::h2::Stream;

/// What a server says and is told after its 101. Closed when it is dropped; until then it counts as a request of its server.
pub enum Tunnel {
    /// All of a connection.
    Http1(Box<Connection>),
    /// An extended CONNECT.
    Http2(Stream),
}

impl Tunnel {
    /// All of a connection, of whose memory only what was read already is kept.
    pub(super) fn over(mut connection: Box<Connection>) -> Tunnel {
        connection.buffer = BytesMut::from(&connection.buffer[..]);
        Tunnel::Http1(connection)
    }
}

impl Line for Tunnel {
    fn cut(&self) {
        match self {
            Tunnel::Http1(connection) => connection.link.cut(),
            // A stream that is dropped before its end is reset.
            Tunnel::Http2(_) => {}
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Tunnel::Http1(connection) if connection.buffer.is_empty() => connection.link.poll_read(cx, buf),
            Tunnel::Http1(connection) => {
                let buffer = &mut connection.buffer;
                let taken = buffer.len().min(buf.remaining());
                buf.put_slice(&buffer[..taken]);
                buffer.advance(taken);
                Poll::Ready(Ok(()))
            }
            Tunnel::Http2(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Tunnel::Http1(connection) => connection.link.poll_write(cx, bytes),
            Tunnel::Http2(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Tunnel::Http1(connection) => connection.link.poll_flush(cx),
            Tunnel::Http2(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Tunnel::Http1(connection) => connection.link.poll_shutdown(cx),
            Tunnel::Http2(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
