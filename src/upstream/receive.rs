//! Reading a response's body from the socket, and giving the connection back at its end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::net::chunked::{ChunkedError, MAX_TRAILER_FIELDS, Scanner, Stretch};
use crate::time;

use super::connection::Connection;
use super::error::{UpstreamError, is_refused_certificate};
use super::response::Framing;

/// Least room for one read.
const SMALLEST_READ: usize = 8 * 1024;
/// How long the rest of a request may take once its answer is complete.
const REST_OF_REQUEST: Duration = Duration::from_secs(5);

/// The body of a response, read from the server as it is asked for.
///
/// When it is read to its end the connection goes back to the pool, if it may serve again; dropped before, it is closed.
pub struct Http1Body {
    connection: Option<Box<Connection>>,
    state: State,
    keep_alive: bool,
    request: Request,
    manner: Manner,
    /// Room for one read: at first for what is said to come, then for as much as came at once lately.
    read_size: usize,
}

/// How a body is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// How long the server may take to send more.
    pub(super) idle: Option<Duration>,
    /// Most that is read at once, in bytes.
    pub(super) most_at_once: usize,
}

enum State {
    Length(u64),
    Chunked { scanner: Scanner, trailers: BytesMut },
    Close,
    End,
}

impl State {
    /// What is worth reading at once, up to `room`: one byte more than is due shows who sends too much.
    fn most(&self, room: usize) -> usize {
        match self {
            State::Length(left) => usize::try_from(*left).map_or(room, |left| left.saturating_add(1).min(room)),
            _ => room,
        }
    }
}

/// What became of the request whose response this is. Only after a whole one may the connection carry another: the
/// server would take that for the rest of this one.
pub(super) enum Request {
    /// It is out.
    Sent,
    /// It never will be.
    Broken,
    /// The response came before all of it was sent.
    Sending(Sending),
}

/// The task that still sends the request, and whether it could to the end.
pub(super) struct Sending(JoinHandle<bool>);

impl Request {
    /// Goes on sending beside the response; `rest` tells in the end whether all is out. Its failure is the response's
    /// business, which says what became of the request.
    pub(super) fn sending(rest: impl Future<Output = bool> + 'static) -> Request {
        Request::Sending(Sending(tokio::task::spawn_local(rest)))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http1Body {
    pub(super) fn new(
        connection: Box<Connection>,
        framing: Framing,
        keep_alive: bool,
        request: Request,
        manner: Manner,
    ) -> Http1Body {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::End,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked { scanner: Scanner::default(), trailers: BytesMut::new() },
            Framing::Close => State::Close,
        };
        let read_size = if matches!(framing, Framing::Length(_)) { manner.most_at_once } else { SMALLEST_READ };
        let mut body = Http1Body { connection: Some(connection), state, keep_alive, request, manner, read_size };
        if matches!(body.state, State::End) {
            body.finish();
        }
        body
    }

    /// What the body is, with what of it is in the buffer; `None` when more must be read.
    fn take(&mut self) -> Result<Option<Frame<Bytes>>, UpstreamError> {
        let Some(connection) = self.connection.as_mut() else { return Ok(None) };
        let buffer = &mut connection.buffer;
        if buffer.is_empty() {
            return Ok(None);
        }
        match &mut self.state {
            State::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= taken as u64;
                let data = buffer.split_to(taken).freeze();
                if *left == 0 {
                    self.finish();
                }
                Ok(Some(Frame::data(data)))
            }
            State::Close => Ok(Some(Frame::data(buffer.split().freeze()))),
            State::Chunked { .. } => self.take_chunked(),
            State::End => Ok(None),
        }
    }

    /// One piece of data at a time; what follows it is looked at only to see whether it was the last.
    fn take_chunked(&mut self) -> Result<Option<Frame<Bytes>>, UpstreamError> {
        let mut data = Bytes::new();
        while let (Some(connection), State::Chunked { scanner, trailers }) = (&mut self.connection, &mut self.state) {
            let buffer = &mut connection.buffer;
            if scanner.is_end() {
                let trailers = trailers.split();
                self.finish();
                // The empty line alone is no trailer.
                let none = trailers.len() <= 2;
                return if none {
                    Ok(data_frame(data))
                } else {
                    parse_trailers(&trailers).map(Frame::trailers).map(Some)
                };
            }
            if buffer.is_empty() || !data.is_empty() && scanner.is_at_content(buffer) {
                break;
            }
            let stretch = match scanner.next(buffer) {
                Ok(stretch) => stretch,
                // What came before it is the client's; the same bytes are refused again next time.
                Err(_) if !data.is_empty() => break,
                Err(error) => return Err(UpstreamError::Coding(error)),
            };
            match stretch {
                Stretch::Data(length) => data = buffer.split_to(length).freeze(),
                Stretch::Coding(length) => drop(buffer.split_to(length)),
                Stretch::Trailer(length) => trailers.unsplit(buffer.split_to(length)),
                Stretch::End => break,
            }
        }
        Ok(data_frame(data))
    }

    /// The body is whole: the connection is free, or closed where it cannot serve again.
    fn finish(&mut self) {
        self.state = State::End;
        let request = std::mem::replace(&mut self.request, Request::Broken);
        let Some(connection) = self.connection.take() else { return };
        // Bytes after the response belong to nothing that was asked for.
        if !self.keep_alive || !connection.buffer.is_empty() {
            return;
        }
        match request {
            Request::Sent => connection.give_back(),
            Request::Sending(sending) => drop(tokio::task::spawn_local(give_back_once_sent(sending, connection))),
            Request::Broken => {}
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, UpstreamError>> {
        let Some(connection) = self.connection.as_mut() else { return Poll::Ready(Ok(0)) };
        if connection.link.poll_readable(cx).is_pending() {
            return self.poll_patience(cx);
        }
        let room = self.state.most(self.read_size);
        connection.buffer.reserve(room);
        match connection.link.poll_read_more(cx, &mut connection.buffer) {
            Poll::Ready(Ok(length)) => {
                if length >= room {
                    self.read_size = (self.read_size * 2).min(self.manner.most_at_once);
                } else if length < room / 4 {
                    self.read_size = (self.read_size / 2).max(SMALLEST_READ);
                }
                connection.deadline.clear();
                connection.idle_since = None;
                Poll::Ready(Ok(length))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(UpstreamError::Incomplete(Some(error)))),
            Poll::Pending => self.poll_patience(cx),
        }
    }

    /// Waits no longer than the server may take. Meanwhile there is no memory for what it has not sent.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, UpstreamError>> {
        let Some(connection) = self.connection.as_mut() else { return Poll::Ready(Ok(0)) };
        if connection.buffer.is_empty() {
            connection.buffer = BytesMut::new();
        }
        if !connection.deadline.is_set() {
            connection.deadline.set(time::monotonic(), self.manner.idle);
        }
        ready!(connection.deadline.poll(cx));
        Poll::Ready(Err(UpstreamError::BodyTimeout))
    }

    fn end_of_input(&mut self) -> Option<Result<Frame<Bytes>, UpstreamError>> {
        let missing = match self.state {
            State::Close | State::End => None,
            State::Length(1) => Some("one byte is missing".to_owned()),
            State::Length(left) => Some(format!("{left} bytes are missing")),
            State::Chunked { .. } => Some("the last chunk is missing".to_owned()),
        };
        self.keep_alive = false;
        self.finish();
        missing.map(|missing| Err(UpstreamError::Incomplete(Some(io::Error::other(missing)))))
    }
}

/// Most answers that come before the request's end leave it a few bytes short. Those are still sent, so that the
/// connection serves again, and so that an HTTP/2 client need not have its stream reset under an answer it has not
/// read yet. A request that was not sent to its end leaves its connection unusable: the server waits for the rest.
async fn give_back_once_sent(mut sending: Sending, connection: Box<Connection>) {
    if matches!(tokio::time::timeout(REST_OF_REQUEST, &mut sending.0).await, Ok(Ok(true))) {
        connection.give_back();
    }
}

impl Body for Http1Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        loop {
            match self.take() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.is_end_stream() => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(self.poll_more(cx)) {
                Ok(0) => return Poll::Ready(self.end_of_input()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::End)
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Length(left) => SizeHint::with_exact(left),
            State::End => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

fn data_frame(data: Bytes) -> Option<Frame<Bytes>> {
    (!data.is_empty()).then(|| Frame::data(data))
}

/// A trailer section, whole and judged by the scanner already.
fn parse_trailers(section: &[u8]) -> Result<HeaderMap, UpstreamError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let malformed = || UpstreamError::Coding(ChunkedError::Trailers);
    let parsed = httparse::parse_headers(section, &mut fields).map_err(|_| malformed())?;
    let httparse::Status::Complete((_, fields)) = parsed else { return Err(malformed()) };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed())?;
        trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| malformed())?);
    }
    Ok(trailers)
}

/// Reads until a head is there; how a connection ends before it matters.
pub(super) fn closed(error: Option<io::Error>, untouched: bool) -> UpstreamError {
    match error {
        Some(error) if untouched && is_refused_certificate(&error) => UpstreamError::Tls(error),
        source => UpstreamError::Closed { source, untouched },
    }
}
