//! One client's connection from its first byte to its last: which protocol it speaks, hyper serving it, its timeouts, and
//! a proper end.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::ReadBuf;

use crate::net::{Outbox, Peer, Stream};
use crate::time::{self, Deadline};

use super::door::Door;
use super::drain::Stage;
use super::handler::{Answering, Client, Handler, Offence};
use super::head::HeadLimits;
use super::patience::{Expired, Patience};
use super::settings::Limits;
use super::wire::{Raw, Successor, Wire, WireIo};

/// How an HTTP/2 client begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long, and how much, a client may still send after our last word; without it the kernel would reset the connection
/// and take our answer with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
/// What hyper keeps on the stack; any other number costs it an allocation a request.
const HYPER_HEADERS: usize = 100;
/// How far over the limit an HTTP/2 head may be and still be read, so that its refusal is recorded.
const H2_HEAD_ROOM: u32 = 4;
/// What of each HTTP/2 stream may wait for its client, in bytes; a piece more may be on its way there.
const SEND_BUFFER: usize = 64 * 1024;
/// Smallest read buffer that hyper accepts.
const MIN_BUFFER: usize = 8192;
/// How long after a request hyper's memory is kept for the next one. What comes later pays for new memory, a microsecond or
/// two; what is kept is some 20 KiB a connection.
const REST: Duration = Duration::from_millis(20);

/// What all connections of a core share.
pub(super) struct Shared<H> {
    pub(super) handler: Rc<H>,
    pub(super) limits: Limits,
    pub(super) outbox: Rc<Outbox>,
}

impl<H> Shared<H> {
    fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            head_bytes: self.limits.header_bytes,
            fields: self.limits.header_count,
            // The URI type counts in 16 bits.
            target_bytes: self.limits.uri_bytes.min(usize::from(u16::MAX) - 1),
        }
    }
}

/// Serves one connection until it is over. What is done once in its life is boxed: an idle connection does not hold it.
pub(super) async fn serve<H: Handler>(shared: Rc<Shared<H>>, connection: Connection) {
    let alpn = connection.peer.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
    let protocol = match alpn {
        Some("h2") => Some(Protocol::H2),
        Some(_) => Some(Protocol::H1),
        None => Box::pin(sniff(&shared, &connection)).await,
    };
    let end = match protocol {
        Some(Protocol::H1) => serve_h1(&shared, &connection).await,
        Some(Protocol::H2) => Box::pin(serve_h2(&shared, &connection)).await,
        None => End::Silent,
    };
    Box::pin(close(&shared, &connection, end)).await;
}

/// A client's connection and who is at its other end.
pub(super) struct Connection {
    wire: Rc<Wire>,
    peer: Rc<Peer>,
    /// By which it came in, and which says how long it may stay.
    door: Rc<Door>,
}

impl Connection {
    /// One that has come in.
    pub(super) fn new<H>(shared: &Shared<H>, stream: Stream, door: Rc<Door>, peer: Peer) -> Connection {
        let wire = Wire::new(stream, Rc::clone(&door), shared.head_limits(), Rc::clone(&shared.outbox));
        Connection { wire: Rc::new(wire), peer: Rc::new(peer), door }
    }

    /// Nothing is answered: it is no single request that is at fault.
    fn offended<H: Handler>(&self, shared: &Shared<H>, offence: Offence, detail: &str) {
        shared.handler.offended(&self.peer, offence, detail);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    H1,
    H2,
}

/// How the serving of a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// hyper is done.
    Served,
    /// The gate has refused something, and nothing else runs.
    Refused,
    /// Nobody said anything, or nobody is there any more.
    Silent,
    /// It has not ended: only its socket is to be kept until the next request comes.
    Resting,
}

/// Reads until it is clear which protocol the client speaks; `None` if it says nothing in time.
async fn sniff<H>(shared: &Shared<H>, client: &Connection) -> Option<Protocol> {
    let wire = &client.wire;
    let mut first = Vec::new();
    let mut deadline = Deadline::default();
    deadline.set(time::monotonic(), shared.limits.header_timeout);
    let mut drained = pin!(client.door.drain.reached(Stage::Draining));
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let before = first.len();
        let read = poll_fn(|cx| match wire.poll_ahead(cx, |bytes| first.extend_from_slice(bytes)) {
            Poll::Ready(read) => Poll::Ready(read),
            Poll::Pending if deadline.poll(cx).is_ready() || drained.as_mut().poll(cx).is_ready() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        if !read.await || first.len() == before {
            // Part of the preface is part of no request.
            wire.feed(&first);
            return (!first.is_empty()).then_some(Protocol::H1);
        }
    }
    let protocol = if first.starts_with(PREFACE) { Protocol::H2 } else { Protocol::H1 };
    if protocol == Protocol::H2 {
        wire.gate().open();
    }
    wire.feed(&first);
    Some(protocol)
}

/// Between two requests that are far apart, a connection is its socket.
async fn serve_h1<H: Handler>(shared: &Rc<Shared<H>>, client: &Connection) -> End {
    let mut patience = Patience::resting(&shared.limits, REST);
    loop {
        match Box::pin(serve_awake(shared, client, &mut patience)).await {
            End::Resting => match rest(client, &mut patience).await {
                Some(end) => return end,
                None => continue,
            },
            end => return end,
        }
    }
}

/// Waits until the client says something. `None` once it has; how the connection ended if it does not.
async fn rest(client: &Connection, patience: &mut Patience<'_>) -> Option<End> {
    let wire = &client.wire;
    let mut drained = pin!(client.door.drain.reached(Stage::Draining));
    poll_fn(|cx| {
        if drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(End::Served));
        }
        match wire.poll_ahead(cx, |bytes| wire.feed(bytes)) {
            Poll::Ready(true) => Poll::Ready(None),
            // As hyper ends when it finds that the client has left.
            Poll::Ready(false) => Poll::Ready(Some(End::Served)),
            Poll::Pending => patience.poll_rest(cx).map(|()| Some(End::Served)),
        }
    })
    .await
}

/// Has hyper serve requests until there is none for a while.
async fn serve_awake<H: Handler>(shared: &Rc<Shared<H>>, client: &Connection, patience: &mut Patience<'_>) -> End {
    let io = TokioIo::new(WireIo(Rc::clone(&client.wire)));
    let mut builder = http1::Builder::new();
    if shared.limits.header_count != HYPER_HEADERS {
        builder.max_headers(shared.limits.header_count);
    }
    let connection = builder
        .max_buf_size(shared.limits.header_bytes.max(MIN_BUFFER) * 2)
        .header_read_timeout(None)
        // It looks for the client's end by reading ahead into memory that it makes for each request: `Wire` does that.
        .half_close(true)
        .serve_connection(io, calls(shared, client));
    // Shared by whoever polls it and whoever tells it to end.
    let connection = RefCell::new(connection);
    let mut is_done = false;
    let served = poll_fn(|cx| {
        let served = ready!(Pin::new(&mut *connection.borrow_mut()).poll(cx));
        is_done = served.is_ok();
        Poll::Ready(served)
    });
    let close_soon = |_: Pin<&mut _>| Pin::new(&mut *connection.borrow_mut()).graceful_shutdown();
    let ending = Ending { resets: None, close_at: Stage::Draining };
    let end = drive(shared, client, ending, patience, pin!(served), close_soon).await;
    if end == End::Resting {
        // There is none between two requests: what has passed the gate was read as one.
        client.wire.gate().pass_later(&connection.into_inner().into_parts().read_buf);
        return end;
    }
    let Some(successor) = client.wire.take_successor().filter(|_| is_done) else { return end };
    // For as long as the tunnel lasts, nothing of hyper's is held.
    let raw = Raw::new(Rc::clone(&client.wire), &connection.into_inner().into_parts().read_buf);
    Box::pin(hand_over(&client.wire, raw, successor)).await
}

/// Another protocol than HTTP takes the connection over, once the answer that says so is on its way.
async fn hand_over(wire: &Wire, raw: Raw, successor: Successor) -> End {
    let sent = tokio::time::timeout(LINGER, poll_fn(|cx| wire.poll_sent(cx))).await;
    if matches!(sent, Ok(Ok(()))) {
        successor(raw).await;
    }
    End::Silent
}

/// Streams run in tasks of their own: the driver is woken when one is over, since it may then be idle.
async fn serve_h2<H: Handler>(shared: &Rc<Shared<H>>, client: &Connection) -> End {
    client.wire.gate().open();
    let driver = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    client.wire.watch(driver);
    client.wire.follow_frames();
    let io = TokioIo::new(WireIo(Rc::clone(&client.wire)));
    // Past it the library answers by itself and tells nobody; a head that is only too large is for the handler to refuse.
    let header_bytes = u32::try_from(shared.limits.header_bytes).unwrap_or(u32::MAX).saturating_mul(H2_HEAD_ROOM);
    let connection = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .max_concurrent_streams(shared.limits.streams_per_connection)
        .max_header_list_size(header_bytes)
        .max_send_buf_size(SEND_BUFFER)
        .enable_connect_protocol()
        .serve_connection(io, calls(shared, client));
    let resets = shared.limits.resets_per_connection;
    // A client is told which of its requests are still answered: none is lost.
    let ending = Ending { resets, close_at: Stage::Leaving };
    let mut patience = Patience::new(&shared.limits);
    drive(shared, client, ending, &mut patience, pin!(connection), |connection| connection.graceful_shutdown()).await
}

/// What ends a connection beside its client.
struct Ending {
    /// Requests that its client may give up.
    resets: Option<u64>,
    /// When it is told to end with what runs.
    close_at: Stage,
}

/// Polls hyper, and beside it what hyper does not know of: refusals, the drain, time, and a client that gives up more
/// requests than it may.
async fn drive<H: Handler, C>(
    shared: &Shared<H>,
    client: &Connection,
    ending: Ending,
    patience: &mut Patience<'_>,
    mut connection: Pin<&mut C>,
    graceful_shutdown: impl Fn(Pin<&mut C>),
) -> End
where
    C: Future<Output = hyper::Result<()>>,
{
    let wire = &client.wire;
    let Ending { resets, close_at } = ending;
    let mut drained = pin!(client.door.drain.reached(close_at));
    let (mut watched, mut closing) = (None, false);
    poll_fn(|cx| {
        if wire.poll_behind(cx).is_err() {
            return Poll::Ready(End::Served);
        }
        let stage = client.door.drain.stage();
        if stage < close_at && watched != Some(stage) {
            watched = Some(stage);
            // Polled once a stage: its waker stays that of this task.
            let _ = drained.as_mut().poll(cx);
        }
        if stage >= close_at && !closing {
            closing = true;
            graceful_shutdown(connection.as_mut());
        }
        let served = connection.as_mut().poll(cx);
        while let Some(fault) = wire.take_fault() {
            client.offended(shared, Offence::Http2, &fault.to_string());
            if fault.is_final() {
                return Poll::Ready(End::Served);
            }
        }
        if let Poll::Ready(served) = served {
            served
                .err()
                .as_ref()
                .and_then(refused_by_h2)
                .inspect(|detail| client.offended(shared, Offence::Http2, detail));
            return Poll::Ready(End::Served);
        }
        if resets.is_some_and(|limit| wire.has_reset_more_than(limit)) {
            client.offended(shared, Offence::Resets, "more streams were reset than limits.resets_per_connection");
            return Poll::Ready(End::Served);
        }
        if wire.poll_gone(cx).is_ready() {
            return Poll::Ready(End::Served);
        }
        if wire.gate().refusal().is_some() && !wire.is_running() {
            return Poll::Ready(End::Refused);
        }
        match patience.poll(wire, cx) {
            // An idle HTTP/2 connection is told before it is closed.
            Poll::Ready(Expired::Idle) if !closing => {
                closing = true;
                graceful_shutdown(connection.as_mut());
                patience.extend(LINGER);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Expired::Rest) if !closing && wire.rest() => Poll::Ready(End::Resting),
            Poll::Ready(Expired::Rest) => {
                patience.stay();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Expired::Head) => Poll::Ready(End::Refused),
            Poll::Ready(_) => Poll::Ready(End::Silent),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What of an HTTP/2 client the library does not put up with: frames that break the protocol, or floods of CONTINUATION,
/// PING, SETTINGS or resets, against which it has limits of its own.
fn refused_by_h2(error: &hyper::Error) -> Option<String> {
    let error = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    error.is_library().then(|| error.to_string())
}

/// Ends a connection: answers what was refused, and lets a client that still sends hear our last word.
async fn close<H: Handler>(shared: &Shared<H>, client: &Connection, end: End) {
    let wire = &client.wire;
    // What was answered before goes first, whatever comes now.
    within(LINGER, async { drop(poll_fn(|cx| wire.poll_sent(cx)).await) }).await;
    let cut_head = client.door.drain.stage() >= Stage::Draining && wire.gate().is_mid_head();
    if cut_head {
        wire.gate().refuse(None, "shutdown", "the head was not whole when the server stopped");
    }
    let refusal = wire.gate().refusal().cloned().filter(|_| cut_head || end == End::Refused);
    if let Some(refusal) = &refusal {
        let answer = shared.handler.refused(&client.peer, refusal);
        let answer = if refusal.is_of_head_request() { without_body(&answer) } else { &answer };
        if refusal.status.is_some() {
            within(LINGER, write_all(wire, answer)).await;
        }
    }
    if wire.is_cut() {
        return wire.reset();
    }
    let still_sends = refusal.is_some() || wire.gate().is_mid_body();
    if end == End::Silent || wire.is_broken() || wire.is_stalled() {
        return;
    }
    if !still_sends && wire.ends_with_its_socket() {
        return;
    }
    within(LINGER, async {
        // The connection ends here whether or not the far side hears of it.
        let _ = poll_fn(|cx| wire.poll_close(cx)).await;
        if still_sends {
            discard(wire).await;
        }
    })
    .await;
}

/// An answer up to its empty line.
fn without_body(answer: &[u8]) -> &[u8] {
    memchr::memmem::find(answer, b"\r\n\r\n").map_or(answer, |at| &answer[..at + 4])
}

async fn within(limit: Duration, work: impl Future<Output = ()>) {
    // Too slow a client is left behind.
    let _ = tokio::time::timeout(limit, work).await;
}

async fn write_all(wire: &Wire, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match poll_fn(|cx| wire.poll_write_raw(cx, bytes)).await {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            _ => return,
        }
    }
}

async fn discard(wire: &Wire) {
    let mut scrap = vec![0; 8192];
    let mut left = LINGER_BYTES;
    while left > 0 {
        let mut buf = ReadBuf::new(&mut scrap);
        let read: io::Result<()> = poll_fn(|cx| wire.poll_read_raw(cx, &mut buf)).await;
        match (read, buf.filled().len()) {
            (Ok(()), length) if length > 0 => left = left.saturating_sub(length),
            _ => return,
        }
    }
}

/// hyper's view of the handler.
fn calls<H: Handler>(
    shared: &Rc<Shared<H>>,
    connection: &Connection,
) -> impl Service<Request<Incoming>, Response = Response<H::Body>, Error = Infallible, Future = Answering<H::Body>> + use<H>
{
    let handler = Rc::clone(&shared.handler);
    let door = Rc::clone(&connection.door);
    let (peer, wire) = (Rc::clone(&connection.peer), Rc::clone(&connection.wire));
    service_fn(move |request| {
        let client = Client { peer: Rc::clone(&peer), wire: Rc::clone(&wire), running: wire.begin() };
        let is_last = door.drain.stage() > Stage::Open && request.version() < Version::HTTP_2;
        let is_fickle = request.version() == Version::HTTP_2 && wire.is_fickle();
        let answering = Rc::clone(&handler).call(client, request);
        if is_last {
            Box::pin(last(answering))
        } else if is_fickle {
            Box::pin(after_the_others(answering))
        } else {
            answering
        }
    })
}

/// Lets others go first: where the client has given the request up already, as one does that sends requests to reset them
/// (CVE-2023-44487), that is seen before anything is done about it.
async fn after_the_others<B>(answering: Answering<B>) -> Result<Response<B>, Infallible> {
    tokio::task::yield_now().await;
    answering.await
}

/// Says in the answer that no other one comes on this connection.
async fn last<B>(answering: Answering<B>) -> Result<Response<B>, Infallible> {
    let mut response = answering.await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Runs hyper's HTTP/2 tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
