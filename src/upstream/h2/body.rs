//! Reading a response's body from its stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Error, RecvStream};
use http_body::{Body, Frame, SizeHint};

use crate::time::{self, Deadline};
use crate::upstream::error::UpstreamError;
use crate::upstream::receive::Request;

use super::session::Seat;

/// The body of a response. Dropped before its end, its stream is reset.
pub struct Http2Body {
    stream: RecvStream,
    stage: Stage,
    /// Its declared length, as far as it has not come; the library sees to it that it is right.
    left: Option<u64>,
    idle: Option<Duration>,
    deadline: Deadline,
    seat: Seat,
    /// The rest of the request.
    rest: Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    End,
}

impl Http2Body {
    pub(super) fn new(
        stream: RecvStream,
        seat: Seat,
        rest: Request,
        left: Option<u64>,
        idle: Option<Duration>,
    ) -> Http2Body {
        Http2Body { stream, stage: Stage::Data, left, idle, deadline: Deadline::default(), seat, rest }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.stage == Stage::Data {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(self.pass(data))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.stage = Stage::Trailers,
            }
        }
        if self.stage == Stage::End {
            return Poll::Ready(None);
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        self.stage = Stage::End;
        // A server that has said all it has to say needs no more of the request.
        self.rest = Request::Sent;
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)).transpose())
    }

    /// Whoever asked for it has room for it: the server may send as much again.
    fn pass(&mut self, data: Bytes) -> Result<Frame<Bytes>, Error> {
        self.stream.flow_control().release_capacity(data.len())?;
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        Ok(Frame::data(data))
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        if let Poll::Ready(frame) = self.poll_stream(cx) {
            self.deadline.clear();
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| self.seat.session.cause(super::inside_body(error)))),
            );
        }
        if !self.deadline.is_set() {
            let idle = self.idle;
            self.deadline.set(time::monotonic(), idle);
        }
        ready!(self.deadline.poll(cx));
        self.seat.session.retire();
        Poll::Ready(Some(Err(UpstreamError::BodyTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::End || self.stage == Stage::Data && self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}
