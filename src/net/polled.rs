//! A socket as the runtime has it, at the cost of as few locked instructions as there can be.
//!
//! Three things that tokio and the C library do for every read and write are left out where they tell nothing new:
//!
//! - A read that finds nothing asks the runtime to wake the task, which takes a lock, also where it was asked before and
//!   nothing has come since. A connection is read three times in a request, and waits in two of them.
//! - Whoever only looks whether something has come ([`Waker::noop`]) need not be remembered.
//! - The C library's `recv` and `send` may be cancelled by another thread, which nobody does here, and say so by two locked
//!   instructions each. The same calls without that are rustix's.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected TCP or unix socket.
#[derive(Debug)]
pub struct Polled<S> {
    inner: S,
    /// Whom the runtime wakes when something has come, as long as nothing has.
    reader: Option<Waker>,
    /// Nothing had come when it was last looked, and `reader` is to be woken.
    waits: bool,
}

/// What the runtime's sockets have in common.
pub trait Registered: AsFd + AsyncRead + AsyncWrite + Unpin {
    /// Ready when there may be something to read.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ready when something may be written.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Tries it where that may work; [`io::ErrorKind::WouldBlock`] as an answer is remembered until there is news.
    fn attempt<R>(&self, interest: Interest, work: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

macro_rules! registered {
    ($socket:ty) => {
        impl Registered for $socket {
            fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn attempt<R>(&self, interest: Interest, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                self.try_io(interest, work)
            }
        }
    };
}

registered!(TcpStream);
registered!(UnixStream);

impl<S: Registered> Polled<S> {
    /// Around a socket that nobody else reads from.
    pub fn new(inner: S) -> Polled<S> {
        Polled { inner, reader: None, waits: false }
    }

    /// The socket, to be asked about; what is read past this one is missed by it.
    pub fn get(&self) -> &S {
        &self.inner
    }

    /// Ready when there may be something to read, or reading would fail; whoever asks is woken then.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.still_waits(cx) {
            return Poll::Pending;
        }
        self.waits = false;
        let readable = self.inner.poll_readable(cx).map(drop);
        if readable.is_pending() {
            self.wait(cx);
        }
        readable
    }

    /// Nothing has come, and whoever asks is woken once it has, or does not want to be.
    fn still_waits(&mut self, cx: &Context<'_>) -> bool {
        let is_looking = cx.waker().will_wake(Waker::noop());
        if !self.waits && !is_looking {
            return false;
        }
        let has_news = self.inner.attempt(Interest::READABLE, || Ok(())).is_ok();
        self.waits &= !has_news;
        !has_news && (is_looking || self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())))
    }

    fn wait(&mut self, cx: &Context<'_>) {
        self.waits = true;
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Reads into memory that was written before: without unsafe code only the runtime can fill any other.
    fn poll_recv(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.inner.poll_readable(cx))?;
            // That there was less than room means that there is no more, which is an answer, too.
            let mut short = None;
            let got = self.inner.attempt(Interest::READABLE, || {
                let got = recv(&self.inner, &mut *room, RecvFlags::empty()).map(|(got, _)| got)?;
                if (1..room.len()).contains(&got) {
                    short = Some(got);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(got)
            });
            match (got, short) {
                (_, Some(got)) => return Poll::Ready(Ok(got)),
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {}
                (got, None) => return Poll::Ready(got),
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&S) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.inner.attempt(Interest::WRITABLE, || Ok(write(&self.inner)?)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.inner.poll_writable(cx))?,
                written => return Poll::Ready(written),
            }
        }
    }
}

impl<S: Registered> AsyncRead for Polled<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.still_waits(cx) {
            return Poll::Pending;
        }
        let polled = if buf.initialized().len() == buf.capacity() {
            this.poll_recv(cx, buf.initialize_unfilled()).map_ok(|got| buf.advance(got))
        } else {
            Pin::new(&mut this.inner).poll_read(cx, buf)
        };
        this.waits = false;
        if polled.is_pending() {
            this.wait(cx);
        }
        polled
    }
}

impl<S: Registered> AsyncWrite for Polled<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |socket| send(socket, bytes, SendFlags::NOSIGNAL))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |socket| rustix::io::writev(socket, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A task, as far as it can be woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    async fn connected() -> (Polled<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Polled::new(near.unwrap()), far.unwrap().0)
    }

    /// What there is, looked for by a task.
    fn read(socket: &mut Polled<TcpStream>, waker: &Waker) -> Poll<Vec<u8>> {
        let (mut room, mut cx) = ([0; 64], Context::from_waker(waker));
        let mut buf = ReadBuf::new(&mut room);
        Pin::new(socket).poll_read(&mut cx, &mut buf).map(|read| {
            read.unwrap();
            buf.filled().to_vec()
        })
    }

    /// Until the runtime has heard of what came.
    async fn until_woken(task: &Task) {
        while task.woken() == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_read_that_waits_is_woken_however_often_it_asked() {
        let (mut socket, mut far) = connected().await;
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        for round in 0..3 {
            task.0.store(0, Ordering::Relaxed);
            assert!((0..3).all(|_| read(&mut socket, &waker).is_pending()), "in round {round}");
            far.write_all(b"news").await.unwrap();
            until_woken(&task).await;
            assert_eq!(read(&mut socket, &waker), Poll::Ready(b"news".to_vec()));
        }
        drop(far);
        assert!(read(&mut socket, &waker).is_pending());
        task.0.store(0, Ordering::Relaxed);
        until_woken(&task).await;
        assert_eq!(read(&mut socket, &waker), Poll::Ready(Vec::new()), "the end is an answer, too");
    }

    #[tokio::test]
    async fn the_last_task_that_asked_is_woken() {
        let (mut socket, mut far) = connected().await;
        let (first, second) = (Arc::new(Task::default()), Arc::new(Task::default()));
        assert!(read(&mut socket, &Waker::from(Arc::clone(&first))).is_pending());
        assert!(read(&mut socket, &Waker::from(Arc::clone(&second))).is_pending());
        far.write_all(b"news").await.unwrap();
        until_woken(&second).await;
        assert_eq!(first.woken(), 0);
    }

    #[tokio::test]
    async fn who_only_looks_takes_nobodys_place() {
        let (mut socket, mut far) = connected().await;
        let task = Arc::new(Task::default());
        assert!(read(&mut socket, Waker::noop()).is_pending());
        assert!(read(&mut socket, &Waker::from(Arc::clone(&task))).is_pending());
        assert!(read(&mut socket, Waker::noop()).is_pending());
        far.write_all(b"news").await.unwrap();
        until_woken(&task).await;
        assert_eq!(read(&mut socket, Waker::noop()), Poll::Ready(b"news".to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever the pieces are, and whether the memory to read into was written before or not.
        #[test]
        fn what_is_written_comes_whole_and_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..5000), 1..20),
            room in 1..4000_usize,
            written_before: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            let (expected, got) = (pieces.concat(), runtime.block_on(async {
                let (mut socket, far) = connected().await;
                let mut far = Polled::new(far);
                let send = async {
                    for piece in &pieces {
                        far.write_all(piece).await.unwrap();
                    }
                    far.shutdown().await.unwrap();
                };
                let receive = async {
                    let (mut got, mut block) = (Vec::new(), vec![0; room]);
                    loop {
                        let before = got.len();
                        if written_before {
                            let length = socket.read(&mut block).await.unwrap();
                            got.extend_from_slice(&block[..length]);
                        } else {
                            got.reserve(room);
                            socket.read_buf(&mut got).await.unwrap();
                        }
                        if got.len() == before {
                            return got;
                        }
                    }
                };
                tokio::join!(send, receive).1
            }));
            prop_assert_eq!(got, expected);
        }
    }
}
