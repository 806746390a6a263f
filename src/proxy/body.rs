//! Bodies on their way through: counted, bounded in size and in time, and tied to the ledger of their request.

use std::cell::RefCell;
use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::exchange::{Exception, Exchange, WeakExchange};
use crate::listen::settings::BODY_GRACE;
use crate::listen::{Limits, Running, Settle, Wire};
use crate::record::Outcome;
use crate::time::{self, Deadline};
use crate::upstream::{ResponseBody, UpstreamError};

use super::failure::{BodyError, upstream};
use super::headers::filter_trailers;

/// A request's body on its way to the server.
pub struct RequestBody {
    incoming: Incoming,
    /// The rest of a request may still be sent when its answer is gone, and its record written.
    exchange: WeakExchange,
    size: u64,
    wire: Rc<Wire>,
    limit: Option<u64>,
    patience: Patience,
    /// Something of it is gone.
    touched: bool,
    end: Option<End>,
}

/// How a request's body ended, for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

impl RequestBody {
    /// At most as large, and at least as fast, as these limits say.
    pub fn new(incoming: Incoming, exchange: &Exchange, wire: Rc<Wire>, limits: &Limits) -> RequestBody {
        let exchange = exchange.downgrade();
        let patience = Patience {
            idle: limits.body_idle_timeout,
            min_rate: limits.body_min_rate,
            waited: Duration::ZERO,
            since: None,
            is_too_slow: false,
            deadline: Deadline::default(),
        };
        RequestBody { incoming, exchange, size: 0, wire, limit: limits.body_bytes, patience, touched: false, end: None }
    }

    /// For attempts to share: the one that takes the first piece of it is the last.
    pub fn shared(self) -> Rc<RefCell<RequestBody>> {
        Rc::new(RefCell::new(self))
    }

    /// Whether something of it is gone.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Its end was read.
    pub fn is_whole(&self) -> bool {
        self.end == Some(End::Whole) || self.incoming.is_end_stream()
    }

    /// It went wrong: nothing more can be read of it.
    pub fn is_broken(&self) -> bool {
        self.end == Some(End::Broken)
    }

    /// What is still to come at least, in bytes.
    pub fn remaining(&self) -> u64 {
        self.incoming.size_hint().lower()
    }

    fn count(&mut self, length: usize) -> Result<(), BodyError> {
        self.size += length as u64;
        self.exchange.upgrade().iter().for_each(|exchange| exchange.count_request(length));
        if self.limit.is_some_and(|limit| self.size > limit) { Err(BodyError::TooLarge) } else { Ok(()) }
    }

    fn cause(&self) -> BodyError {
        if self.wire.body_refusal().is_some() { BodyError::Malformed } else { BodyError::ClientGone }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_next(cx);
        match &polled {
            Poll::Ready(None) => self.end = Some(End::Whole),
            Poll::Ready(Some(Err(_))) => self.end = Some(End::Broken),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }
}

impl RequestBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.touched = true;
                self.patience.stop();
                let counted = frame.data_ref().map_or(Ok(()), |data| self.count(data.len()));
                Poll::Ready(Some(counted.map(|()| filter_trailers(frame, &[]))))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(self.cause()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let size = self.size;
                self.patience.poll(size, cx).map(|error| Some(Err(error)))
            }
        }
    }
}

/// How long a client may let us wait: for the next piece of a body, and for all of them together. Time in which nobody
/// asks for more is not the client's.
struct Patience {
    idle: Option<Duration>,
    /// Bytes a second.
    min_rate: Option<u64>,
    waited: Duration,
    /// When this wait began.
    since: Option<Instant>,
    /// What this wait may take is what is left at the least rate.
    is_too_slow: bool,
    deadline: Deadline,
}

impl Patience {
    /// Ready when it has been too long, after so many bytes.
    fn poll(&mut self, size: u64, cx: &mut Context<'_>) -> Poll<BodyError> {
        if self.since.is_none() {
            let now = time::monotonic();
            self.since = Some(now);
            let all = self.min_rate.map(|rate| (BODY_GRACE + seconds(size, rate)).saturating_sub(self.waited));
            self.is_too_slow = all.is_some_and(|all| self.idle.is_none_or(|idle| all < idle));
            self.deadline.set(now, if self.is_too_slow { all } else { self.idle });
        }
        let error = if self.is_too_slow { BodyError::TooSlow } else { BodyError::Timeout };
        self.deadline.poll(cx).map(|()| error)
    }

    /// Something has come.
    fn stop(&mut self) {
        self.deadline.clear();
        if let (Some(since), true) = (self.since.take(), self.min_rate.is_some()) {
            self.waited += time::monotonic().saturating_duration_since(since);
        }
    }
}

/// How long so many bytes take at a rate.
fn seconds(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros((u128::from(bytes) * 1_000_000 / u128::from(rate.max(1))).min(u128::from(u64::MAX)) as u64)
}

/// A response's body on its way to the client.
///
/// When its last byte is taken, or when none is wanted, the ledger is handed to the connection, which lets it go once that
/// byte is on its way. Dropped before, it lets the ledger go unsettled: the client left.
pub struct Body {
    content: Content,
    exchange: Option<Exchange>,
    running: Running,
    /// Trailers that are not for the client.
    private: Rc<[HeaderName]>,
    /// Its beginning is for the record, too.
    is_captured: bool,
    /// What broke it off, until what came before has gone out.
    failure: Option<Box<UpstreamError>>,
    failed: bool,
}

enum Content {
    Upstream(ResponseBody),
    Own(Box<Bytes>),
}

impl Body {
    /// What a server sends; trailers of the `private` names are not for the client.
    pub fn upstream(body: ResponseBody, exchange: Exchange, wire: &Rc<Wire>, private: Rc<[HeaderName]>) -> Body {
        Body::new(Content::Upstream(body), exchange, wire, private)
    }

    /// An answer of our own.
    pub fn own(body: Bytes, exchange: Exchange, wire: &Rc<Wire>) -> Body {
        Body::new(Content::Own(Box::new(body)), exchange, wire, Rc::default())
    }

    fn new(content: Content, exchange: Exchange, wire: &Rc<Wire>, private: Rc<[HeaderName]>) -> Body {
        let running = wire.run();
        // Until it is asked for, it is the client's turn: over HTTP/2 there may be no window for the first byte.
        running.offer(true);
        let is_captured = exchange.captures();
        Body { content, exchange: Some(exchange), running, private, is_captured, failure: None, failed: false }
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut self.content {
            Content::Upstream(body) => Pin::new(body).poll_frame(cx),
            Content::Own(bytes) if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut **bytes)))))
            }
            Content::Own(_) => Poll::Ready(None),
        }
    }

    fn note(&self, frame: &Frame<Bytes>) {
        let Some(exchange) = &self.exchange else { return };
        if let Some(data) = frame.data_ref() {
            exchange.count_response(data.len());
            if self.is_captured {
                exchange.capture(data);
            }
        }
        let status = frame.trailers_ref().and_then(|trailers| trailers.get("grpc-status"));
        if let Some(status) = status.and_then(|status| status.to_str().ok()?.parse().ok()) {
            exchange.grpc_status(status);
        }
    }

    fn fail(&mut self, error: &UpstreamError) {
        self.failed = true;
        let (_, outcome) = upstream(error);
        let exception = Exception { kind: error.token().as_bytes().to_vec(), message: error.describe().into_bytes() };
        if let Some(exchange) = &self.exchange {
            exchange.failed(outcome, Some(exception));
            if exchange.is_http_1_0() {
                self.running.wire().cut();
            }
        }
    }

    /// Breaks the answer off, once the client has what came before it: hyper throws away what it has not written yet.
    fn poll_break_off(&mut self, cx: &mut Context<'_>, error: Box<UpstreamError>) -> Poll<Box<UpstreamError>> {
        if !self.failed {
            self.fail(&error);
            self.failure = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.running.wire().poll_unblocked(cx).is_pending() {
            self.failure = Some(error);
            return Poll::Pending;
        }
        Poll::Ready(error)
    }

    /// The last byte is taken: what remains is to see it go.
    fn settle(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.running.wire().when_flushed(Rc::new(Settling(exchange)));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.running.offer(false);
        let failure = match self.failure.take() {
            Some(failure) => failure,
            None => match ready!(self.poll_content(cx)) {
                Some(Ok(frame)) => {
                    self.note(&frame);
                    self.running.offer(true);
                    return Poll::Ready(Some(Ok(filter_trailers(frame, &self.private))));
                }
                Some(Err(error)) => Box::new(error),
                None => {
                    self.settle();
                    return Poll::Ready(None);
                }
            },
        };
        self.poll_break_off(cx, failure).map(|error| Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(body) => body.is_end_stream(),
            Content::Own(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(body) => body.size_hint(),
            Content::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl Drop for Body {
    /// hyper drops a body without asking for its end: after its last byte, and where none may be sent (HEAD, 304).
    fn drop(&mut self) {
        if self.running.wire().is_stalled() {
            self.exchange.iter().for_each(|exchange| exchange.failed(Outcome::ClientTimeout, None));
        } else if self.is_end_stream() && !self.failed {
            self.settle();
        }
    }
}

/// An exchange whose last byte is on its way.
struct Settling(Exchange);

impl Settle for Settling {
    fn flushed(&self) {
        self.0.delivered();
    }

    fn stalled(&self) {
        self.0.failed(Outcome::ClientTimeout, None);
    }
}
