//! A stream that carries another protocol: bytes in its DATA frames, both ways.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Error, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::send::poll_room;
use super::session::Seat;

/// Both halves of a stream. Dropped before its end, it is reset.
pub struct Stream {
    outgoing: SendStream<Bytes>,
    incoming: RecvStream,
    /// Come, and not read yet.
    ahead: Bytes,
    _seat: Seat,
}

impl Stream {
    pub(super) fn new(outgoing: SendStream<Bytes>, incoming: RecvStream, seat: Seat) -> Stream {
        Stream { outgoing, incoming, ahead: Bytes::new(), _seat: seat }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.ahead.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(data) => self.ahead = data.map_err(failed)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(taken));
        Poll::Ready(self.incoming.flow_control().release_capacity(taken).map_err(failed))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(poll_room(&mut self.outgoing, bytes.len(), cx)).map_err(failed)?;
        let piece = &bytes[..room.min(bytes.len())];
        self.outgoing.send_data(Bytes::copy_from_slice(piece), false).map_err(failed)?;
        Poll::Ready(Ok(piece.len()))
    }

    /// The connection's task sends what it is given.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.outgoing.send_data(Bytes::new(), true).map_err(failed))
    }
}

fn failed(error: Error) -> io::Error {
    match error.is_io() {
        true => error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
        false => io::Error::new(io::ErrorKind::ConnectionReset, error),
    }
}
