//! Sending a request's body: a piece is taken from the client only once the one before fits the server's windows.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Error, Reason, SendStream};
use http_body::Body;

use crate::upstream::send::SendError;

/// The sending half of a stream, with what goes into it.
pub(super) struct Sender<B> {
    stream: SendStream<Bytes>,
    body: B,
    data: Bytes,
    /// Bytes that the server has room for, or has taken.
    pub(super) sent: u64,
}

impl<B> Sender<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(stream: SendStream<Bytes>, body: B) -> Sender<B> {
        Sender { stream, body, data: Bytes::new(), sent: 0 }
    }

    /// The server has no room.
    pub(super) fn is_blocked(&self) -> bool {
        !self.data.is_empty()
    }

    /// Goes on; ready when the request's last byte is on its way, or when the server wants no more of it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<B::Error>>> {
        loop {
            if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
                // What that means is the response's business.
                drop(reset);
                return Poll::Ready(Ok(()));
            }
            if !self.data.is_empty() {
                ready!(self.poll_data(cx)).map_err(broken)?;
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.data = data,
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        return Poll::Ready(self.stream.send_trailers(trailers).map_err(broken));
                    }
                },
                Some(Err(error)) => {
                    self.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(Err(SendError::Body(error)));
                }
                None => return Poll::Ready(self.stream.send_data(Bytes::new(), true).map_err(broken)),
            }
        }
    }

    /// As much as there is room for.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let room = ready!(poll_room(&mut self.stream, self.data.len(), cx))?;
        let piece = self.data.split_to(room.min(self.data.len()));
        self.sent += piece.len() as u64;
        Poll::Ready(self.stream.send_data(piece, false))
    }
}

/// Ready with how much may be sent now, where `wanted` is to be.
pub(super) fn poll_room(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, Error>> {
    stream.reserve_capacity(wanted);
    loop {
        match stream.capacity() {
            0 => match ready!(stream.poll_capacity(cx)) {
                Some(room) => drop(room?),
                None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
            },
            room => return Poll::Ready(Ok(room)),
        }
    }
}

fn broken<E>(error: Error) -> SendError<E> {
    SendError::Upstream(super::before_head(error))
}
