//! Writing a request: its head, then its body as it comes, each piece in as few writes as can be.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;

use super::connection::Link;
use super::error::UpstreamError;

/// The coding of a request's body, as its head declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyCoding {
    /// There is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Why a request was not sent whole.
#[derive(Debug)]
pub enum SendError<E> {
    /// The server's side.
    Upstream(UpstreamError),
    /// Where the body comes from.
    Body(E),
}

/// A body up to this is worth waiting a moment for, so that it goes out with the head.
const SMALL_BODY: u64 = 16 * 1024;

/// Pieces of a body up to this are put together, as many as are there, until there is so much of them: a client that
/// sends byte by byte must not have us write byte by byte.
const CRUMB: usize = 256;
const CRUMBS: usize = 8 * 1024;

/// A head up to this may wait for its turn.
const POSTED: usize = 8 * 1024;

/// Writes one request.
pub(super) struct Sender<B> {
    link: Rc<Link>,
    body: Option<B>,
    coding: BodyCoding,
    /// Head, chunk sizes, trailers.
    pub(super) text: Vec<u8>,
    written: usize,
    data: Bytes,
    /// The end of a chunk, or of the body.
    after: Bytes,
    /// The body is not asked for before somebody says so (`Expect: 100-continue`).
    held: bool,
    /// The first piece of the body was waited for once.
    waited: bool,
    /// So was the end of it, once that was near.
    end_waited: bool,
    sent: u64,
    /// Bytes of any kind that the server has taken.
    taken: u64,
    posted: bool,
}

enum Gathered {
    /// It was copied to what waits, which may take more.
    Crumb,
    Some,
    Pending,
    Finished,
}

impl<B> Sender<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(link: Rc<Link>, head: Vec<u8>, body: B, coding: BodyCoding, held: bool) -> Sender<B> {
        let waited = !matches!(coding, BodyCoding::Length(length) if length <= SMALL_BODY) || held;
        Sender {
            link,
            body: (coding != BodyCoding::None).then_some(body),
            coding,
            text: head,
            written: 0,
            data: Bytes::new(),
            after: Bytes::new(),
            held,
            waited,
            end_waited: held,
            sent: 0,
            taken: 0,
            posted: false,
        }
    }

    /// It was posted as a whole, which takes no time.
    pub(super) fn is_posted(&self) -> bool {
        self.posted
    }

    /// The server wants the body.
    pub(super) fn release(&mut self) {
        self.held = false;
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Bytes of any kind that the server has taken.
    pub(super) fn written(&self) -> u64 {
        self.taken
    }

    /// Something waits for the server to take it.
    pub(super) fn is_blocked(&self) -> bool {
        self.waiting() > 0
    }

    /// Goes on writing; ready when the request is out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<B::Error>>> {
        loop {
            let gathered = if self.data.is_empty() { self.gather(cx)? } else { Gathered::Some };
            if matches!(gathered, Gathered::Crumb) {
                continue;
            }
            if matches!(gathered, Gathered::Pending) && !std::mem::replace(&mut self.waited, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if matches!(gathered, Gathered::Finished) && self.taken == 0 && self.text.len() <= POSTED {
                self.post(cx);
                return Poll::Ready(Ok(()));
            }
            if matches!(gathered, Gathered::Some) {
                ready!(self.poll_end(cx))?;
            }
            ready!(self.poll_write(cx)).map_err(|error| SendError::Upstream(UpstreamError::Write(error)))?;
            match gathered {
                Gathered::Some | Gathered::Crumb => {}
                Gathered::Pending => return Poll::Pending,
                Gathered::Finished => {
                    let flushed = ready!(self.link.poll_flush(cx));
                    return Poll::Ready(flushed.map_err(|error| SendError::Upstream(UpstreamError::Write(error))));
                }
            }
        }
    }

    /// Has the end of the body go out with the piece before it, where it is small and comes within a moment: what was read
    /// into a full buffer often ends a few bytes behind it.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<B::Error>>> {
        let BodyCoding::Length(length) = self.coding else { return Poll::Ready(Ok(())) };
        let is_near = !self.data.is_empty() && self.after.is_empty() && length.saturating_sub(self.sent) <= SMALL_BODY;
        let Some(body) = self.body.as_mut().filter(|_| is_near) else { return Poll::Ready(Ok(())) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending if std::mem::replace(&mut self.end_waited, true) => Poll::Ready(Ok(())),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(SendError::Body(error))),
            Poll::Ready(None) => Poll::Ready(self.finish(None).map(drop)),
            Poll::Ready(Some(Ok(frame))) => {
                self.after = frame.into_data().unwrap_or_default();
                self.sent += self.after.len() as u64;
                if self.sent == length {
                    self.body = None;
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// A head without a body goes out with those of other requests.
    fn post(&mut self, cx: &Context<'_>) {
        self.link.posted.post(&[&self.text], &self.link, cx);
        self.posted = true;
        self.taken = self.text.len() as u64;
        self.text.clear();
    }

    fn waiting(&self) -> usize {
        self.text.len() - self.written + self.data.len() + self.after.len()
    }

    /// Puts the next piece of the body behind what waits already.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Gathered, SendError<B::Error>> {
        let Some(body) = self.body.as_mut() else { return Ok(Gathered::Finished) };
        if self.held || !self.after.is_empty() {
            return Ok(if self.held { Gathered::Pending } else { Gathered::Some });
        }
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => Ok(Gathered::Pending),
            Poll::Ready(Some(Err(error))) => Err(SendError::Body(error)),
            Poll::Ready(None) => self.finish(None),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => self.piece(data),
                Err(frame) => self.finish(frame.into_trailers().ok()),
            },
        }
    }

    fn piece(&mut self, data: Bytes) -> Result<Gathered, SendError<B::Error>> {
        if data.is_empty() {
            return Ok(Gathered::Some);
        }
        self.sent += data.len() as u64;
        if self.coding == BodyCoding::Chunked {
            write_hex(data.len(), &mut self.text);
            self.after = Bytes::from_static(b"\r\n");
        }
        if matches!(self.coding, BodyCoding::Length(length) if length == self.sent) {
            self.body = None;
        }
        if self.taken > 0 && data.len() <= CRUMB && self.text.len() <= CRUMBS {
            self.text.extend_from_slice(&data);
            self.text.extend_from_slice(&std::mem::take(&mut self.after));
            return Ok(Gathered::Crumb);
        }
        self.data = data;
        Ok(Gathered::Some)
    }

    /// The body is over. A shorter one than was declared must never be ended as if it were whole.
    fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<Gathered, SendError<B::Error>> {
        self.body = None;
        if matches!(self.coding, BodyCoding::Length(length) if length != self.sent) {
            let error = io::Error::new(ErrorKind::UnexpectedEof, "the request body is shorter than declared");
            return Err(SendError::Upstream(UpstreamError::Write(error)));
        }
        if self.coding == BodyCoding::Chunked {
            self.text.extend_from_slice(b"0\r\n");
            trailers.iter().flatten().for_each(|(name, value)| {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    self.text.extend_from_slice(part);
                }
            });
            self.text.extend_from_slice(b"\r\n");
        }
        Ok(Gathered::Finished)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            let text = &self.text[self.written..];
            // A head alone is the ordinary case, and a plain write the cheaper one.
            let written = if text.len() == self.waiting() {
                ready!(self.link.poll_write(cx, text))?
            } else {
                let slices = [IoSlice::new(text), IoSlice::new(&self.data), IoSlice::new(&self.after)];
                ready!(self.link.poll_write_vectored(cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.text.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.taken += written as u64;
        let text = written.min(self.text.len() - self.written);
        self.written += text;
        written -= text;
        let data = written.min(self.data.len());
        self.data.advance(data);
        self.after.advance(written - data);
    }
}

/// A chunk's size line.
fn write_hex(size: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut left = size;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_hexadecimal() {
        for size in [1, 9, 10, 15, 16, 255, 256, 65_536, usize::MAX] {
            let mut line = Vec::new();
            write_hex(size, &mut line);
            assert_eq!(String::from_utf8_lossy(&line), format!("{size:x}\r\n"));
        }
    }
}
