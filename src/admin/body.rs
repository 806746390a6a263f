//! Bodies of answers on their way to whoever asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::listen::Running;

/// What is given out at once: so it shows soon whether anybody reads.
const PIECE: usize = 64 * 1024;

/// An answer's body. As long as it lives, its connection is not idle.
pub(super) struct Body {
    rest: Bytes,
    running: Running,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Body {
    pub(super) fn new(content: Bytes, running: Running, permit: Option<OwnedSemaphorePermit>) -> Body {
        // Until it is asked for, it is the client's turn.
        running.offer(true);
        Body { rest: content, running, _permit: permit }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.running.offer(true);
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
