//! A client's connection as hyper and the handler share it: hyper reads and writes through it, while the handler can
//! pass interim responses, and is told when what it answered is really gone.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::outbox::{Posted, Sender};
use crate::net::proxy_protocol::Addresses;
use crate::net::{Outbox, Peer, Stream};
use crate::time::Deadlines;

mod raw;
mod running;

pub use raw::Raw;
pub use running::Running;

use super::door::Door;
use super::entrance::Entrance;
use super::frames::{Fault, Frames};
use super::gate::{Gate, Refusal, give};
use super::head::HeadLimits;

/// Interim responses that wait for a client which does not read; past it they are left out, which they may be
/// (RFC 9110 §15.2).
const MAX_INTERIM: usize = 64 * 1024;

/// Bytes of a next request that are taken while one runs; the rest waits in the kernel.
const READ_AHEAD: usize = 1024;

/// Bytes of a request that are read before there is anything of hyper's for it.
const FIRST_READ: usize = 4096;

/// What may wait for its turn, in bytes; a larger answer is sent at once.
const POSTED: usize = 8 * 1024;

/// What is done with a connection in another protocol than HTTP.
pub type Successor = Box<dyn FnOnce(Raw) -> Pin<Box<dyn Future<Output = ()>>>>;

/// Somebody who wants to know that the client's last byte is gone.
pub trait Settle {
    /// All that was written before is on its way.
    fn flushed(&self);
    /// The client did not take it in time.
    fn stalled(&self);
}

/// A connection, shared within its thread.
pub struct Wire {
    stream: RefCell<Stream>,
    door: Rc<Door>,
    gate: RefCell<Gate>,
    settling: RefCell<SmallVec<[Rc<dyn Settle>; 1]>>,
    interim: RefCell<BytesMut>,
    running: Cell<usize>,
    /// Requests that have ever begun.
    begun: Cell<u64>,
    /// How many of those were given up before they were answered.
    resets: Cell<u64>,
    /// How many of those have given out something that the client has not taken.
    untaken: Cell<usize>,
    /// Bytes of any kind that the client has taken.
    moved: Cell<u64>,
    /// Woken when a request is over; set where requests run in tasks of their own.
    driver: RefCell<Option<Waker>>,
    /// Woken when writing goes on.
    unblocked: RefCell<Vec<Waker>>,
    is_blocked: Cell<bool>,
    is_stalled: Cell<bool>,
    read_error: Cell<bool>,
    is_cut: Cell<bool>,
    /// Who goes on with the connection when hyper has sent its last answer.
    successor: RefCell<Option<Successor>>,
    /// Small answers that go out with those of others.
    posted: Posted,
    /// What comes and goes, where that is HTTP/2.
    frames: RefCell<Option<Box<Frames>>>,
    /// For those who wait on behalf of a request.
    pub deadlines: Deadlines,
}

impl Wire {
    /// A connection before its first byte.
    pub(super) fn new(stream: Stream, door: Rc<Door>, limits: HeadLimits, outbox: Rc<Outbox>) -> Wire {
        Wire {
            stream: RefCell::new(stream),
            door,
            gate: RefCell::new(Gate::new(limits)),
            settling: RefCell::default(),
            interim: RefCell::default(),
            running: Cell::default(),
            begun: Cell::default(),
            resets: Cell::default(),
            untaken: Cell::default(),
            moved: Cell::default(),
            driver: RefCell::default(),
            unblocked: RefCell::default(),
            is_blocked: Cell::default(),
            is_stalled: Cell::default(),
            read_error: Cell::default(),
            is_cut: Cell::default(),
            successor: RefCell::default(),
            posted: Posted::new(outbox),
            frames: RefCell::default(),
            deadlines: Deadlines::default(),
        }
    }

    /// What is asked of those who come this way, now.
    pub fn entrance(&self) -> Rc<Entrance> {
        self.door.entrance()
    }

    /// Who connects to whom, as far as it is known: announced, or as the socket has it.
    pub fn addresses(&self, peer: &Peer) -> Option<Addresses> {
        let socket = || {
            let local = self.stream.borrow().tcp()?.local_addr().ok()?;
            let destination = SocketAddr::new(local.ip().to_canonical(), local.port());
            Some(Addresses { source: peer.address?, destination })
        };
        peer.announced.as_deref().copied().or_else(socket)
    }

    /// Tells `settle` once everything written so far is on its way; forgets it if that never happens.
    pub fn when_flushed(&self, settle: Rc<dyn Settle>) {
        self.settling.borrow_mut().push(settle);
    }

    /// Sends an interim response (1xx) before the response of the request that runs; HTTP/1.1 only. It is left out while
    /// the response before it, of a pipelined request, is not all gone: it would land in the middle of that.
    pub fn send_interim(&self, head: &[u8]) {
        let mut interim = self.interim.borrow_mut();
        let between = !self.is_blocked.get() && self.settling.borrow().is_empty() && self.posted.is_empty();
        let in_turn = between || !interim.is_empty();
        if !in_turn || interim.len() + head.len() > MAX_INTERIM {
            return;
        }
        interim.extend_from_slice(head);
        let mut cx = Context::from_waker(Waker::noop());
        // What cannot be sent at once goes out before hyper's next write.
        let _ = self.write_interim(&mut interim, &mut cx);
    }

    /// The request that runs is being answered: if it has offered another protocol, and nobody takes the connection over,
    /// HTTP goes on.
    #[inline]
    pub(super) fn go_on(&self) {
        let mut gate = self.gate.borrow_mut();
        if gate.is_undecided() && self.successor.borrow().is_none() {
            gate.go_on();
        }
    }

    /// The request that runs is being answered with 101: once that is on its way, the connection is `successor`'s. Where it
    /// never is, he is dropped.
    pub fn hand_over(&self, successor: Successor) {
        self.successor.replace(Some(successor));
    }

    pub(super) fn take_successor(&self) -> Option<Successor> {
        self.successor.take()
    }

    /// Why the client's request body broke off, if it was refused.
    pub fn body_refusal(&self) -> Option<Refusal> {
        self.gate.borrow().refusal().cloned()
    }

    /// The client stopped taking what it asked for.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.get()
    }

    /// Ends the connection with a reset: to a client for whom the end of the connection is the end of the body, an orderly
    /// one would say that the body is whole.
    pub fn cut(&self) {
        self.is_cut.set(true);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// Makes the kernel reset the connection when it is dropped.
    pub(super) fn reset(&self) {
        self.stream.borrow().reset_when_dropped();
    }

    /// Notes that one more request runs.
    pub(super) fn begin(self: &Rc<Self>) -> Running {
        self.begun.set(self.begun.get() + 1);
        let running = self.run();
        running.begin();
        running
    }

    /// More than so many requests were given up before they were answered, and more than half of all.
    pub(super) fn has_reset_more_than(&self, limit: u64) -> bool {
        self.resets.get() > limit && self.resets.get() > self.begun.get() / 2
    }

    /// More than a few requests were given up before they were answered, and more than a quarter of all.
    pub(super) fn is_fickle(&self) -> bool {
        /// What anybody may change his mind about.
        const FEW: u64 = 8;
        self.resets.get() > FEW && self.resets.get() > self.begun.get() / 4
    }

    /// Notes that a request runs, until the guard is dropped: as long as its answer is not over, the connection is not
    /// idle.
    pub fn run(self: &Rc<Self>) -> Running {
        self.running.set(self.running.get() + 1);
        Running::on(Rc::clone(self))
    }

    /// A request has come, ever.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.get() > 0
    }

    /// Whoever has to know when a request is over that does not run in his own task.
    pub(super) fn watch(&self, driver: Waker) {
        self.driver.replace(Some(driver));
    }

    /// The connection speaks HTTP/2, of whose frames the library tells too little.
    pub(super) fn follow_frames(&self) {
        self.frames.replace(Some(Box::default()));
    }

    /// What the client has done within HTTP/2, and nobody has told of.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.frames.borrow_mut().as_mut()?.take_fault()
    }

    fn note_sent(&self, pieces: &[&[u8]], written: usize) {
        if let Some(frames) = self.frames.borrow_mut().as_mut() {
            frames.sent(pieces, written);
        }
    }

    pub(super) fn is_running(&self) -> bool {
        // What waits for its turn is as good as gone.
        self.running.get() > 0 || !self.settling.borrow().is_empty() && !self.posted.waits()
    }

    /// Ready while the client takes what is written to it.
    pub fn poll_unblocked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_blocked.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.unblocked.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Nothing goes on but because the client takes nothing: neither at the socket, nor within HTTP/2's windows.
    pub(super) fn is_blocked(&self) -> bool {
        let untaken = self.untaken.get();
        self.is_blocked.get() || untaken > 0 && untaken == self.running.get()
    }

    /// Bytes of any kind that the client has taken.
    pub(super) fn moved(&self) -> u64 {
        self.moved.get()
    }

    fn set_blocked(&self, is_blocked: bool) {
        if self.is_blocked.replace(is_blocked) && !is_blocked {
            self.unblocked.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }

    pub(super) fn gate(&self) -> std::cell::RefMut<'_, Gate> {
        self.gate.borrow_mut()
    }

    /// Reads of the connection have failed: nobody is there to answer.
    pub(super) fn is_broken(&self) -> bool {
        self.read_error.get()
    }

    /// Gives up on a client that does not read.
    pub(super) fn stall(&self) {
        self.is_stalled.set(true);
        let settling = std::mem::take(&mut *self.settling.borrow_mut());
        settling.iter().for_each(|settle| settle.stalled());
    }

    /// Reads past hyper: before it begins, and after it is done.
    pub(super) fn poll_read_raw(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf)
    }

    /// Writes past hyper, once it is done.
    pub(super) fn poll_write_raw(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)
    }

    /// Whether the client is told the end when the socket is closed, and so need not be before. TLS has a word for it.
    pub(super) fn ends_with_its_socket(&self) -> bool {
        matches!(*self.stream.borrow(), Stream::Plain(_) | Stream::Unix(_))
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }

    /// Reads past hyper while there is none, into no memory of its own. Ready with what `take` has got, or once the client
    /// has left: it returns false then.
    pub(super) fn poll_ahead(&self, cx: &mut Context<'_>, take: impl FnOnce(&[u8])) -> Poll<bool> {
        let mut ahead = [MaybeUninit::uninit(); FIRST_READ];
        let mut buf = ReadBuf::uninit(&mut ahead);
        let read = ready!(self.poll_read_raw(cx, &mut buf));
        self.read_error.set(read.is_err());
        let is_there = read.is_ok() && !buf.filled().is_empty();
        if is_there {
            take(buf.filled());
        }
        Poll::Ready(is_there)
    }

    /// Gives back the memory of requests. Returns whether there is nothing of one: neither a byte of the next, nor of an
    /// answer.
    pub(super) fn rest(&self) -> bool {
        let is_told = self.settling.borrow().is_empty() && self.interim.borrow().is_empty();
        let is_sent = self.posted.is_empty() && !self.posted.waits() && !self.is_blocked.get();
        let mut gate = self.gate.borrow_mut();
        let rests = self.running.get() == 0 && is_told && is_sent && gate.is_between(self.begun.get());
        if rests {
            gate.rest();
            self.interim.take();
            self.unblocked.take();
            self.deadlines.forget();
        }
        rests
    }

    /// Feeds bytes that were read before it was known what they are.
    pub(super) fn feed(&self, bytes: &[u8]) {
        let mut gate = self.gate.borrow_mut();
        let passed = gate.judge(bytes);
        gate.pass_later(&bytes[..passed]);
    }

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.frames.borrow_mut().as_mut() {
            Some(frames) => frames.poll_read(buf, |buf| self.poll_read_judged(cx, buf)),
            None => self.poll_read_judged(cx, buf),
        }
    }

    fn poll_read_judged(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.give_passed(buf) {
                return Poll::Ready(Ok(()));
            }
            if let Some(refused) = self.poll_refused() {
                return refused;
            }
            let before = buf.filled().len();
            if let Err(error) = ready!(self.poll_read_raw(cx, buf)) {
                self.read_error.set(true);
                return Poll::Ready(Err(error));
            }
            if buf.filled().len() == before {
                return self.end_of_input();
            }
            let passed = self.gate.borrow_mut().judge(&buf.filled()[before..]);
            buf.set_filled(before + passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Ready once an HTTP/1 client has left while its last request runs. What it sends meanwhile waits in the gate.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.running.get() == 0 || !self.gate.borrow().is_between(self.begun.get()) {
            return Poll::Pending;
        }
        let mut ahead = [MaybeUninit::uninit(); READ_AHEAD];
        let mut buf = ReadBuf::uninit(&mut ahead);
        let read = ready!(self.poll_read_raw(cx, &mut buf));
        self.read_error.set(read.is_err());
        if read.is_err() || buf.filled().is_empty() {
            return Poll::Ready(());
        }
        self.feed(buf.filled());
        Poll::Pending
    }

    fn give_passed(&self, buf: &mut ReadBuf<'_>) -> bool {
        let mut passed = self.gate.borrow_mut().take_passed(buf.remaining());
        let any = !passed.is_empty();
        if any {
            give(&mut passed, buf);
        }
        any
    }

    /// Within a body the refusal is the body's end; before a head it is for the connection's driver to see.
    fn poll_refused(&self) -> Option<Poll<io::Result<()>>> {
        let gate = self.gate.borrow();
        gate.refusal()?;
        Some(if gate.is_mid_body() {
            Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, "the request body was refused")))
        } else {
            Poll::Pending
        })
    }

    /// The client has said its last. In the middle of a head that is worth a record.
    fn end_of_input(&self) -> Poll<io::Result<()>> {
        let mut gate = self.gate.borrow_mut();
        if gate.is_mid_head() {
            gate.refuse(None, "incomplete_head", "the client left before its head was whole");
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        pieces: &[&[u8]],
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let posted = self.poll_posted(cx);
        self.set_blocked(posted.is_pending());
        ready!(posted)?;
        let mut interim = self.interim.borrow_mut();
        if !interim.is_empty() && self.write_interim(&mut interim, cx)?.is_pending() {
            self.set_blocked(true);
            return Poll::Pending;
        }
        let written = write(Pin::new(&mut *self.stream.borrow_mut()), cx);
        if let Poll::Ready(Ok(written)) = written {
            self.moved.set(self.moved.get() + written as u64);
            self.note_sent(pieces, written);
        }
        self.set_blocked(written.is_pending());
        written
    }

    /// Takes small pieces to be sent with those of other connections; `None` where that is not for them.
    fn post(self: &Rc<Self>, cx: &Context<'_>, pieces: &[&[u8]]) -> Option<usize> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.is_blocked.get() || self.posted.is_behind() || self.posted.len() + length > POSTED {
            return None;
        }
        let interim = self.interim.take();
        if !interim.is_empty() {
            self.posted.post(&[&interim], self, cx);
        }
        self.posted.post(pieces, self, cx);
        self.note_sent(pieces, length);
        Some(length)
    }

    /// Sends what was posted, its turn or not.
    fn poll_posted(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.stream.borrow_mut();
        let note = |taken: usize| self.moved.set(self.moved.get() + taken as u64);
        self.posted.poll_send(cx, Pin::new(&mut *stream), note)
    }

    /// Goes on with what was posted and did not go out whole; the result is an error once it never will.
    pub(super) fn poll_behind(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(error) = self.posted.take_error() {
            return Err(error);
        }
        match self.posted.is_behind().then(|| self.poll_sent(cx)) {
            Some(Poll::Ready(Err(error))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ready when everything that was written is on its way; whoever waits for that is told.
    pub(super) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let posted = self.poll_posted(cx);
        self.set_blocked(posted.is_pending());
        ready!(posted)?;
        let flushed = Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx);
        self.set_blocked(flushed.is_pending());
        ready!(flushed)?;
        // Taken out first: who is told may end an exchange, and what that does is not known here.
        let settled = std::mem::take(&mut *self.settling.borrow_mut());
        settled.iter().for_each(|settle| settle.flushed());
        Poll::Ready(Ok(()))
    }

    fn write_interim(&self, interim: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !interim.is_empty() {
            let written = ready!(self.poll_write_raw(cx, interim))?;
            interim.advance(written);
        }
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    /// hyper need not wait for a turn: what was posted is flushed when it is sent.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.posted.waits() { Poll::Ready(Ok(())) } else { self.poll_sent(cx) }
    }
}

impl Sender for Wire {
    fn send(&self) {
        self.posted.turn(|cx| self.poll_sent(cx));
    }
}

/// hyper's end of the connection.
pub(super) struct WireIo(pub(super) Rc<Wire>);

impl AsyncRead for WireIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buf)
    }
}

impl AsyncWrite for WireIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(length) = self.0.post(cx, &[buf]) {
            return Poll::Ready(Ok(length));
        }
        self.0.poll_write_with(cx, &[buf], |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pieces: SmallVec<[&[u8]; 8]> = bufs.iter().map(|buf| &**buf).collect();
        if let Some(length) = self.0.post(cx, &pieces) {
            return Poll::Ready(Ok(length));
        }
        self.0.poll_write_with(cx, &pieces, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    /// hyper is done; how the connection is closed is for its driver to say, who may still have something to send.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_sent(cx)
    }
}
