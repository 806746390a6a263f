//! A connection to a server between and during exchanges: the socket, what was read ahead, and the pool it belongs to.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Stream;
use crate::net::outbox::{Posted, Sender};
use crate::time::Deadline;

use super::cluster::Member;
use super::lease::Lease;
use super::pool::Server;
use super::response::Framing;

/// Memory that a response is read into, until one has shown how long they are; idle connections keep no more than that.
const BLOCK: usize = 16 * 1024;
/// What a head takes of it, and the most that is taken because the last response was that long.
const HEAD: u64 = 1024;
const LARGEST_BLOCK: u64 = 128 * 1024;

/// A connection on which nothing is going on. It stays where it is in memory: on its way through a request it would be
/// copied a dozen times.
pub struct Connection {
    pub(super) link: Rc<Link>,
    pub(super) server: Weak<Server>,
    /// The request that is on it.
    lease: Option<Lease>,
    /// Read and not used yet; empty while it is idle.
    pub(super) buffer: BytesMut,
    /// What the next response is expected to need of memory.
    pub(super) block: usize,
    /// The memory that heads are written into.
    pub(super) out: Vec<u8>,
    /// For the body of a response. Kept with the connection, because its timer is armed once for many of them.
    pub(super) deadline: Deadline,
    /// The last that was heard on it, where that moment is known.
    pub(super) idle_since: Option<Instant>,
}

impl Connection {
    pub(super) fn new(stream: Stream, server: &Rc<Server>) -> Box<Connection> {
        server.member.status.opened();
        let (stream, posted) = (RefCell::new(stream), Posted::new(Rc::clone(&server.outbox)));
        Box::new(Connection {
            link: Rc::new(Link { stream, posted, member: Arc::clone(&server.member) }),
            server: Rc::downgrade(server),
            lease: None,
            buffer: BytesMut::new(),
            block: BLOCK,
            out: Vec::new(),
            deadline: Deadline::default(),
            idle_since: None,
        })
    }

    /// Whether the server has closed it, or has sent what nobody asked for. Costs no system call while nothing has come.
    pub(super) fn is_stale(&self) -> bool {
        let mut scrap = [0; 1];
        let mut buf = ReadBuf::new(&mut scrap);
        let mut cx = Context::from_waker(Waker::noop());
        self.link.poll_read(&mut cx, &mut buf).is_ready()
    }

    /// Carries a request from now on.
    pub fn occupy(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    /// The next response may be as long as this one: a whole one, head and body, is then read at once.
    pub(super) fn expect_like(&mut self, framing: Framing) {
        self.block = match framing {
            Framing::Length(length) => length.saturating_add(HEAD).clamp(BLOCK as u64, LARGEST_BLOCK) as usize,
            _ => BLOCK,
        };
    }

    /// Goes back to its server's pool.
    pub(super) fn give_back(mut self: Box<Self>) {
        if self.buffer.capacity() > BLOCK {
            self.buffer = BytesMut::new();
        }
        self.deadline.clear();
        if let Some(server) = self.server.upgrade() {
            // First, so that whoever waits for the server may find the connection, too.
            let lease = self.lease.take();
            server.keep(self);
            drop(lease);
        }
    }
}

/// The socket, shared by whoever writes the request and whoever reads the response.
pub(super) struct Link {
    stream: RefCell<Stream>,
    /// A request that goes out with those of others.
    pub(super) posted: Posted,
    /// Who counts it.
    member: Arc<Member>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.member.status.closed();
    }
}

impl Link {
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf)
    }

    /// Ready when it is worth having memory to read into.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.borrow_mut().poll_readable(cx)
    }

    /// Reads into the buffer's spare room; 0 is the end.
    pub(super) fn poll_read_more(&self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        tokio_util::io::poll_read_buf(Pin::new(&mut *self.stream.borrow_mut()), cx, buffer)
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)
    }

    pub(super) fn poll_write_vectored(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, slices)
    }

    /// Goes on sending what was posted, once it was its turn.
    pub(super) fn poll_posted(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.posted.take_error() {
            return Poll::Ready(Err(error));
        }
        if self.posted.is_behind() { self.poll_send(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.stream.borrow_mut();
        ready!(self.posted.poll_send(cx, Pin::new(&mut *stream), |_| {}))?;
        Pin::new(&mut *stream).poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }

    /// The server is to be told that this did not end well.
    pub(super) fn cut(&self) {
        self.stream.borrow().reset_when_dropped();
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }
}

impl Sender for Link {
    fn send(&self) {
        self.posted.turn(|cx| self.poll_send(cx));
    }
}
