//! The body of one of the shop's answers: at once, a piece at a time, or broken off half way.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Pieces of a body and what happens between and after them.
#[derive(Debug, Default)]
pub(super) struct Content {
    pieces: VecDeque<Bytes>,
    /// Waited between two pieces, and before a break.
    pace: Option<Duration>,
    /// Ends in an error in place of a clean end, as an application does whose worker is killed.
    breaks_off: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Content {
    /// The whole body at once.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Content {
        Content { pieces: VecDeque::from([bytes.into()]), ..Content::default() }
    }

    /// One piece after another, `pace` apart.
    pub(super) fn paced(pieces: impl IntoIterator<Item = Bytes>, pace: Duration) -> Content {
        Content { pieces: pieces.into_iter().collect(), pace: Some(pace), ..Content::default() }
    }

    /// This much, and a moment later the connection is gone: hyper sends nothing of a body that fails at once.
    pub(super) fn broken_after(bytes: impl Into<Bytes>) -> Content {
        Content { breaks_off: true, ..Content::paced([bytes.into()], Duration::from_millis(20)) }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
        match self.pieces.pop_front() {
            Some(piece) => {
                let more = !self.is_end_stream();
                self.timer = self.pace.filter(|_| more).map(|pace| Box::pin(tokio::time::sleep(pace)));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.breaks_off => Poll::Ready(Some(Err(io::Error::other("the shop breaks this answer off")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.breaks_off
    }

    /// Known only where nothing is paced: what streams is sent chunked.
    fn size_hint(&self) -> SizeHint {
        if self.pace.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}
