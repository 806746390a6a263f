//! A connection over TCP, perhaps with TLS, or over a unix socket, from either end.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use super::polled::Polled;

/// Bytes both ways, plain or encrypted.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Plain(Polled<TcpStream>),
    /// TLS over TCP.
    Tls(Box<TlsStream<Polled<TcpStream>>>),
    /// A unix socket.
    Unix(Polled<UnixStream>),
    /// TLS over a unix socket.
    TlsUnix(Box<TlsStream<Polled<UnixStream>>>),
}

impl Stream {
    /// The TCP connection below, where there is one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(tcp) => Some(tcp.get()),
            Stream::Tls(tls) => Some(tls.get_ref().0.get()),
            Stream::Unix(_) | Stream::TlsUnix(_) => None,
        }
    }

    /// The socket itself, before TLS.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Stream::Plain(tcp) => Some(SockRef::from(tcp.get())),
            Stream::Unix(unix) => Some(SockRef::from(unix.get())),
            Stream::Tls(_) | Stream::TlsUnix(_) => None,
        }
    }

    /// Makes the kernel reset the connection when it is dropped. Without it the peer is told less; nothing else depends on
    /// it.
    pub fn reset_when_dropped(&self) {
        if let Some(tcp) = self.tcp() {
            let _ = socket2::SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Ready when it is worth having memory to read into: always within TLS, which has memory of its own, and where reading
    /// would fail.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Stream::Plain(tcp) => tcp.poll_readable(cx),
            Stream::Unix(unix) => unix.poll_readable(cx),
            Stream::Tls(_) | Stream::TlsUnix(_) => Poll::Ready(()),
        }
    }

    /// The far end of a TCP connection.
    ///
    /// # Errors
    ///
    /// Those of the system; a unix socket has no such address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().ok_or(io::ErrorKind::Unsupported)?.peer_addr()
    }

    /// Waits for bytes and shows them without taking them; none are the end of what comes. Before TLS only.
    ///
    /// # Errors
    ///
    /// Those of the system; bytes inside TLS cannot be looked at.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.get().peek(into).await,
            Stream::Unix(unix) => peek_unix(unix.get(), into).await,
            Stream::Tls(_) | Stream::TlsUnix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

async fn peek_unix(unix: &UnixStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        unix.readable().await?;
        let seen = unix.try_io(Interest::READABLE, || {
            recv(unix, &mut *into, RecvFlags::PEEK).map(|(count, _)| count).map_err(io::Error::from)
        });
        match seen {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            seen => return seen,
        }
    }
}

/// Applies an expression to whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain(tcp) => {
                let $stream = Pin::new(tcp);
                $call
            }
            Stream::Tls(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $call
            }
            Stream::Unix(unix) => {
                let $stream = Pin::new(unix);
                $call
            }
            Stream::TlsUnix(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
            Stream::Unix(unix) => unix.is_write_vectored(),
            Stream::TlsUnix(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
