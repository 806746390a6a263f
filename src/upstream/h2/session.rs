//! A connection that carries many requests: who may use it, and when it is over.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, Connection, SendRequest};
use http::uri::Scheme;
use tokio::sync::Notify;

use crate::net::Stream;
use crate::time;
use crate::upstream::cluster::Member;
use crate::upstream::error::{UpstreamError, is_refused_certificate};
use crate::upstream::lease::Lease;
use crate::upstream::pool::Server;
use crate::upstream::response::MAX_HEAD;

use super::keepalive::{self, Heard, Pulse};

/// What a server may send of one body ahead of its reader, and of all bodies of a connection: no stream that is not read
/// holds up others before there are more of them than most servers allow.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 128 * STREAM_WINDOW;
/// What may wait of one request's body behind the server's windows.
const SEND_BUFFER: usize = 64 * 1024;

/// One connection.
pub struct Session {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) scheme: Scheme,
    /// Streams that are not over.
    streams: Cell<usize>,
    idle_since: Cell<Instant>,
    /// It is gone, or must not be used again.
    is_over: Rc<Cell<bool>>,
    pub(super) pulse: Rc<Pulse>,
}

impl Session {
    /// Begins a connection; a task of its own drives it until it is over. Ready once the server has said what it allows: a
    /// request that came too early for its limit would be refused.
    async fn begin(
        stream: Stream,
        member: &Arc<Member>,
        patience: Option<Duration>,
    ) -> Result<Rc<Session>, UpstreamError> {
        let scheme = if matches!(stream, Stream::Tls(_)) { Scheme::HTTPS } else { Scheme::HTTP };
        check_protocol(&stream)?;
        let mut builder = Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(MAX_HEAD as u32)
            .enable_push(false);
        let pulse = Rc::<Pulse>::default();
        let stream = Heard::new(stream, Rc::clone(&pulse));
        let (sender, mut connection) = builder.handshake(stream).await.map_err(unconnected)?;
        let mut ping = connection.ping_pong();
        let is_over = Rc::new(Cell::new(false));
        let driver = tokio::task::spawn_local(drive(connection, Rc::clone(&is_over), Counted::new(member)));
        if let Some(ping) = &mut ping {
            // A server's settings are its first frame: they come before the answer to a ping.
            ping.ping(Ping::opaque()).await.map_err(unconnected)?;
        }
        let (streams, idle_since) = (Cell::default(), Cell::new(time::monotonic()));
        let session = Rc::new(Session { sender, scheme, streams, idle_since, is_over, pulse });
        if let Some((ping, patience)) = ping.zip(patience) {
            let watch = keepalive::watch(Rc::downgrade(&session), ping, driver.abort_handle(), patience);
            drop(tokio::task::spawn_local(watch));
        }
        Ok(session)
    }

    /// Carries one more request.
    pub fn seat(self: &Rc<Self>, lease: Lease) -> Seat {
        self.streams.set(self.streams.get() + 1);
        Seat { session: Rc::clone(self), _lease: lease }
    }

    /// Whether one more stream may begin now.
    fn has_room(&self) -> bool {
        !self.is_over.get() && self.streams.get() < self.sender.current_max_send_streams()
    }

    /// Whether there are requests on it.
    pub(super) fn is_used(&self) -> bool {
        self.streams.get() > 0
    }

    /// Why a request on it failed, where the connection was given up; the library only knows that it is gone.
    pub(super) fn cause(&self, error: UpstreamError) -> UpstreamError {
        if self.pulse.is_lost() { UpstreamError::Unanswered } else { error }
    }

    /// Nobody new is to use it: it does not answer, or takes no more.
    pub fn retire(&self) {
        self.is_over.set(true);
    }

    /// Whether the server takes extended CONNECT.
    pub(super) fn takes_connect(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }
}

/// No connection of HTTP/2 came to be.
fn unconnected(error: h2::Error) -> UpstreamError {
    if !error.is_io() {
        return UpstreamError::Http2(error);
    }
    let error = error.into_io().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
    if is_refused_certificate(&error) { UpstreamError::Tls(error) } else { UpstreamError::Connect(error) }
}

/// Without ALPN a server might take frames for nonsense of its own protocol.
fn check_protocol(stream: &Stream) -> Result<(), UpstreamError> {
    match stream {
        Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() != Some(b"h2") => {
            Err(UpstreamError::Tls(io::Error::other("the server does not speak h2")))
        }
        _ => Ok(()),
    }
}

/// How it ends is told by its streams.
async fn drive(connection: Connection<Heard, Bytes>, is_over: Rc<Cell<bool>>, counted: Counted) {
    let _ = connection.await;
    is_over.set(true);
    drop(counted);
}

/// A connection that counts as open.
struct Counted(Arc<Member>);

impl Counted {
    fn new(member: &Arc<Member>) -> Counted {
        member.status.opened();
        Counted(Arc::clone(member))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.status.closed();
    }
}

/// A request's place on a connection, and at its server.
pub struct Seat {
    pub(super) session: Rc<Session>,
    _lease: Lease,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.session.streams.set(self.session.streams.get() - 1);
        self.session.idle_since.set(time::monotonic());
    }
}

/// A server's connections on one core.
#[derive(Default)]
pub(in crate::upstream) struct Sessions {
    all: RefCell<Vec<Rc<Session>>>,
    connecting: Cell<usize>,
    connected: Notify,
}

impl Sessions {
    fn find(&self) -> Option<Rc<Session>> {
        self.all.borrow().iter().find(|session| session.has_room()).cloned()
    }

    /// Forgets those that are over, and those that nobody has used for `limit`: they close by themselves.
    pub(in crate::upstream) fn sweep(&self, limit: Option<Duration>, now: Instant) {
        self.all.borrow_mut().retain(|session| {
            let idle = now.saturating_duration_since(session.idle_since.get());
            let is_unused = session.streams.get() == 0 && limit.is_some_and(|limit| idle >= limit);
            !session.is_over.get() && !is_unused
        });
    }
}

impl Server {
    /// A connection that has room for one more request.
    pub fn session(&self) -> Option<Rc<Session>> {
        self.sessions.find()
    }

    /// A new one; or the one that is being made already, should it have room. `securing` is called between TCP and TLS.
    ///
    /// # Errors
    ///
    /// As [`Server::connect`].
    pub async fn open_session(
        &self,
        limit: Option<Duration>,
        securing: impl FnOnce(),
    ) -> Result<Rc<Session>, UpstreamError> {
        let sessions = &self.sessions;
        if sessions.connecting.get() > 0 {
            // Not for ever: whoever connects has his own limit, and perhaps was dropped.
            let wait = limit.unwrap_or(Duration::from_secs(1));
            let _ = tokio::time::timeout(wait, sessions.connected.notified()).await;
            if let Some(session) = sessions.find() {
                return Ok(session);
            }
        }
        let _connecting = Connecting::begin(sessions);
        self.member.status.dialling();
        let stream = self.member.target.connect(limit, None, securing).await?;
        let beginning = Session::begin(stream, &self.member, self.cluster.settings.timeouts.ping);
        let session = match limit {
            Some(limit) => tokio::time::timeout(limit, beginning)
                .await
                .map_err(|_| UpstreamError::HandshakeTimeout("HTTP/2"))??,
            None => beginning.await?,
        };
        sessions.all.borrow_mut().push(Rc::clone(&session));
        Ok(session)
    }
}

/// Somebody makes a connection; whoever waits for it is told how that ends.
struct Connecting<'a>(&'a Sessions);

impl Connecting<'_> {
    fn begin(sessions: &Sessions) -> Connecting<'_> {
        sessions.connecting.set(sessions.connecting.get() + 1);
        Connecting(sessions)
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.connecting.set(self.0.connecting.get() - 1);
        self.0.connected.notify_waiters();
    }
}
