//! Bodies of answers on their way to whoever asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::listen::Running;

/// What is given out at once: so it shows soon whether anybody reads.
const PIECE: usize = 64 * 1024;

/// An answer's body. As long as it lives, its connection is not idle.
pub(super) struct Body {
    rest: Bytes,
    live: Option<mpsc::Receiver<Bytes>>,
    running: Running,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// What is there, then what is still to come.
    pub(super) fn new(
        content: Bytes,
        live: Option<mpsc::Receiver<Bytes>>,
        running: Running,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Body {
        // Until it is asked for, it is the client's turn.
        running.offer(true);
        Body { rest: content, live, running, _permit: permit }
    }

    /// Ready with whether there is more to give out.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.rest.is_empty() {
            let Some(live) = &mut self.live else { return Poll::Ready(false) };
            // It is not the client who is waited for.
            self.running.offer(false);
            match ready!(live.poll_recv(cx)) {
                Some(piece) => self.rest = piece,
                None => self.live = None,
            }
        }
        Poll::Ready(true)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !ready!(self.poll_more(cx)) {
            return Poll::Ready(None);
        }
        self.running.offer(true);
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.live.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.live {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.rest.len() as u64),
        }
    }
}
