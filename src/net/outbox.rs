//! What a core's tasks have to send, sent together once everything that has come in was read.
//!
//! Each write to a peer that sleeps on the same machine wakes it, and where that peer is quick it sleeps again before the
//! next write: one wake-up, an interrupt to another core, for nearly every write. So small messages are *posted*, and one
//! task sends those of all connections in a row; the peer stays awake for all of them. That task runs after those that
//! were ready when the first message was posted, so that alone on its core a message waits for nobody.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;
use tokio::sync::Notify;

/// Buffers that are kept for the next messages, and how large each may be.
const MAX_SPARE: usize = 256;
const MAX_SPARE_BYTES: usize = 16 * 1024;

/// One core's messages that wait for their turn.
#[derive(Default)]
pub struct Outbox {
    senders: RefCell<Vec<Weak<dyn Sender>>>,
    filled: Notify,
    spare: RefCell<Vec<Vec<u8>>>,
}

/// Somebody who has posted a message.
pub trait Sender {
    /// It is his turn.
    fn send(&self);
}

impl Outbox {
    /// Puts a sender in the row. Who is dropped before his turn sends nothing.
    pub fn enter(&self, sender: Weak<dyn Sender>) {
        let mut senders = self.senders.borrow_mut();
        if senders.is_empty() {
            self.filled.notify_one();
        }
        senders.push(sender);
    }

    /// Gives everybody his turn; never returns.
    pub async fn run(&self) {
        let mut row = Vec::new();
        loop {
            self.filled.notified().await;
            std::mem::swap(&mut row, &mut *self.senders.borrow_mut());
            row.drain(..).filter_map(|sender| sender.upgrade()).for_each(|sender| sender.send());
        }
    }

    fn memory(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    fn give_back(&self, mut memory: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MAX_SPARE && memory.capacity() <= MAX_SPARE_BYTES {
            memory.clear();
            spare.push(memory);
        }
    }
}

/// What one connection has posted and not sent.
pub struct Posted {
    outbox: Rc<Outbox>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    sent: usize,
    waits: bool,
    error: Option<io::Error>,
    /// Who goes on where the peer does not take all.
    owner: Option<Waker>,
}

impl Posted {
    /// Nothing yet.
    pub fn new(outbox: Rc<Outbox>) -> Posted {
        Posted { outbox, state: RefCell::default() }
    }

    /// Takes bytes to be sent by `sender` at his turn. Should they not go out whole then, the task of `cx` is woken to go
    /// on.
    pub fn post(&self, bytes: &[&[u8]], sender: &Rc<impl Sender + 'static>, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        if state.bytes.capacity() == 0 {
            state.bytes = self.outbox.memory();
        }
        bytes.iter().for_each(|bytes| state.bytes.extend_from_slice(bytes));
        if state.owner.as_ref().is_none_or(|owner| !owner.will_wake(cx.waker())) {
            state.owner = Some(cx.waker().clone());
        }
        if !std::mem::replace(&mut state.waits, true) {
            let sender: Rc<dyn Sender> = Rc::clone(sender) as _;
            self.outbox.enter(Rc::downgrade(&sender));
        }
    }

    /// Waits for its turn.
    pub fn waits(&self) -> bool {
        self.state.borrow().waits
    }

    /// Its turn has come, and not all of it is gone.
    pub fn is_behind(&self) -> bool {
        let state = self.state.borrow();
        !state.waits && !state.bytes.is_empty()
    }

    /// How many bytes are not sent.
    pub fn len(&self) -> usize {
        let state = self.state.borrow();
        state.bytes.len() - state.sent
    }

    /// Everything is sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Why sending has failed, the first time that it is asked.
    pub fn take_error(&self) -> Option<io::Error> {
        self.state.borrow_mut().error.take()
    }

    /// The turn has come: sends by `poll`, and wakes the owner where he has to see to it.
    pub fn turn(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<()>>) {
        let owner = {
            let mut state = self.state.borrow_mut();
            state.waits = false;
            state.owner.take()
        };
        let waker = owner.unwrap_or_else(|| Waker::noop().clone());
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(())) => {}
            // The owner watches how long that takes.
            Poll::Pending => waker.wake_by_ref(),
            Poll::Ready(Err(error)) => {
                self.state.borrow_mut().error = Some(error);
                waker.wake_by_ref();
            }
        }
        self.state.borrow_mut().owner = Some(waker);
    }

    /// Sends what is left, its turn or not. `note` is told how much the peer has taken.
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncWrite>,
        mut note: impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.borrow_mut();
        if state.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while state.sent < state.bytes.len() {
            let written = ready!(stream.as_mut().poll_write(cx, &state.bytes[state.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            state.sent += written;
            note(written);
        }
        state.sent = 0;
        self.outbox.give_back(std::mem::take(&mut state.bytes));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes when it is asked to send.
    struct Noting {
        posted: Posted,
        log: Rc<RefCell<Vec<String>>>,
    }

    impl Sender for Noting {
        fn send(&self) {
            self.posted.turn(|cx| {
                let mut stream = Vec::new();
                let sent = self.posted.poll_send(cx, Pin::new(&mut stream), |_| {});
                self.log.borrow_mut().push(String::from_utf8_lossy(&stream).into_owned());
                sent
            });
        }
    }

    fn run(tasks: impl Future<Output = ()>, outbox: &Rc<Outbox>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let outbox = Rc::clone(outbox);
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            tokio::task::spawn_local(async move { outbox.run().await });
            tasks.await;
        });
    }

    #[test]
    fn everybody_has_read_before_anybody_writes() {
        let (outbox, log) = (Rc::new(Outbox::default()), Rc::new(RefCell::new(Vec::new())));
        let task = |name: &'static str| {
            let sender = Rc::new(Noting { posted: Posted::new(Rc::clone(&outbox)), log: Rc::clone(&log) });
            let log = Rc::clone(&log);
            async move {
                for round in 0..2 {
                    log.borrow_mut().push("read".to_owned());
                    std::future::poll_fn(|cx| {
                        sender.posted.post(&[name.as_bytes(), round.to_string().as_bytes()], &sender, cx);
                        Poll::Ready(())
                    })
                    .await;
                    while sender.posted.waits() {
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        let tasks: Vec<_> = ["a", "b", "c"].map(task).into_iter().collect();
        run(
            async {
                let all: Vec<_> = tasks.into_iter().map(tokio::task::spawn_local).collect();
                for task in all {
                    task.await.expect("it ends");
                }
            },
            &outbox,
        );
        let rounds: Vec<Vec<char>> =
            log.borrow().chunks(3).map(|round| round.iter().filter_map(|s| s.chars().last()).collect()).collect();
        assert_eq!(rounds, [['d'; 3], ['0'; 3], ['d'; 3], ['1'; 3]]);
    }

    #[test]
    fn who_is_gone_before_his_turn_sends_nothing() {
        let (outbox, log) = (Rc::new(Outbox::default()), Rc::new(RefCell::new(Vec::new())));
        let sender = Rc::new(Noting { posted: Posted::new(Rc::clone(&outbox)), log: Rc::clone(&log) });
        sender.posted.post(&[b"x"], &sender, &Context::from_waker(Waker::noop()));
        drop(sender);
        run(
            async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            },
            &outbox,
        );
        assert!(log.borrow().is_empty());
    }

    #[test]
    fn what_the_peer_does_not_take_is_sent_later() {
        let posted = Posted::new(Rc::default());
        let sender = Rc::new(Noting { posted: Posted::new(Rc::default()), log: Rc::default() });
        let mut cx = Context::from_waker(Waker::noop());
        posted.post(&[b"hello ", b"world"], &sender, &cx);
        let (mut near, mut far) = tokio::io::duplex(4);
        assert!(posted.poll_send(&mut cx, Pin::new(&mut near), |_| {}).is_pending());
        assert_eq!(posted.len(), 7);
        let mut all = Vec::new();
        while all.len() < 11 {
            let mut piece = [0; 4];
            let mut buf = tokio::io::ReadBuf::new(&mut piece);
            let _ = tokio::io::AsyncRead::poll_read(Pin::new(&mut far), &mut cx, &mut buf);
            all.extend_from_slice(buf.filled());
            let _ = posted.poll_send(&mut cx, Pin::new(&mut near), |_| {});
        }
        assert_eq!((all.as_slice(), posted.is_empty()), (&b"hello world"[..], true));
    }
}
