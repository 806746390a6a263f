//! Bytes both ways between two connections, until both have said their last or one of them breaks.
//!
//! A direction reads only once what it read before is taken, so that a slow reader slows its writer down, and nothing but
//! what one read brings is ever kept. A side that has said its last may still be spoken to (TCP's half-close).

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one read may bring; on the stack, so that an idle relay holds no memory.
const READ: usize = 16 * 1024;

/// One end of a relay.
pub trait Line: AsyncRead + AsyncWrite + Unpin {
    /// The other end broke: this one, once dropped, is to be told so, and not that all is well.
    fn cut(&self);
}

/// Which of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Near,
    /// The second.
    Far,
}

/// How a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Who was the first to end it.
    pub by: Side,
    /// Both have said all they had to say.
    pub orderly: bool,
}

/// Two ends and what is between them.
#[derive(Debug)]
pub struct Relay<N, F> {
    near: N,
    far: F,
    /// From near to far, and back.
    out: Direction,
    back: Direction,
    first: Option<Side>,
}

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    stage: Stage,
    /// Read, and not taken by the other side yet.
    waiting: Vec<u8>,
    taken: usize,
    is_unflushed: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The reader is at its end, and the writer is to be told.
    Ending,
    Over,
}

/// Which end of a direction failed.
enum Broken {
    Reader,
    Writer,
}

impl<N: Line, F: Line> Relay<N, F> {
    /// Nothing has passed yet.
    pub fn new(near: N, far: F) -> Relay<N, F> {
        Relay { near, far, out: Direction::default(), back: Direction::default(), first: None }
    }

    /// One side has said its last, and the other has not.
    pub fn is_half_closed(&self) -> bool {
        self.first.is_some()
    }

    /// Passes on what can be. `note` is told how much has come from which side. Ready when it is over; where one side
    /// broke, the other is cut.
    pub fn poll(&mut self, cx: &mut Context<'_>, mut note: impl FnMut(Side, usize)) -> Poll<Ended> {
        let out = self.out.poll(cx, &mut self.near, &mut self.far, |bytes| note(Side::Near, bytes));
        self.mark(Side::Near);
        let back = self.back.poll(cx, &mut self.far, &mut self.near, |bytes| note(Side::Far, bytes));
        self.mark(Side::Far);
        let broken = match (&out, &back) {
            (Poll::Ready(Err(Broken::Reader)), _) | (_, Poll::Ready(Err(Broken::Writer))) => Some(Side::Near),
            (Poll::Ready(Err(Broken::Writer)), _) | (_, Poll::Ready(Err(Broken::Reader))) => Some(Side::Far),
            _ => None,
        };
        if let Some(broken) = broken {
            match broken {
                Side::Near => self.far.cut(),
                Side::Far => self.near.cut(),
            }
            return Poll::Ready(Ended { by: self.first.unwrap_or(broken), orderly: false });
        }
        match (out, back, self.first) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(())), Some(by)) => Poll::Ready(Ended { by, orderly: true }),
            _ => Poll::Pending,
        }
    }

    /// Notes whether this side has just said its last.
    fn mark(&mut self, side: Side) {
        let direction = if side == Side::Near { &self.out } else { &self.back };
        if direction.stage != Stage::Open {
            self.first.get_or_insert(side);
        }
    }
}

impl Direction {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut impl Line,
        writer: &mut impl Line,
        mut note: impl FnMut(usize),
    ) -> Poll<Result<(), Broken>> {
        loop {
            match self.stage {
                Stage::Over => return Poll::Ready(Ok(())),
                Stage::Open if self.taken == self.waiting.len() => {
                    let Poll::Ready(read) = self.poll_read(cx, reader, writer) else { break };
                    note(read?);
                }
                _ if self.taken < self.waiting.len() => {
                    ready!(self.poll_write(cx, writer)).map_err(|_| Broken::Writer)?;
                }
                _ => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx)).map_err(|_| Broken::Writer)?;
                    self.stage = Stage::Over;
                }
            }
        }
        if self.is_unflushed {
            ready!(Pin::new(writer).poll_flush(cx)).map_err(|_| Broken::Writer)?;
            self.is_unflushed = false;
        }
        Poll::Pending
    }

    /// Reads once and writes at once what it can of it; the rest waits. Returns how much was read.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut impl Line,
        writer: &mut impl Line,
    ) -> Poll<Result<usize, Broken>> {
        (self.waiting, self.taken) = (Vec::new(), 0);
        let mut memory = [MaybeUninit::uninit(); READ];
        let mut buf = ReadBuf::uninit(&mut memory);
        match ready!(Pin::new(reader).poll_read(cx, &mut buf)) {
            Ok(()) => {}
            // TLS that ends without saying so: whether all was said is for the protocol inside to know.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            Err(_) => return Poll::Ready(Err(Broken::Reader)),
        }
        let bytes = buf.filled();
        if bytes.is_empty() {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(0));
        }
        self.is_unflushed = true;
        match Pin::new(writer).poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) if written == bytes.len() => {}
            Poll::Ready(Ok(written)) => self.waiting = bytes[written..].to_vec(),
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Writer)),
            Poll::Pending => self.waiting = bytes.to_vec(),
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, writer: &mut impl Line) -> Poll<io::Result<()>> {
        let written = ready!(Pin::new(writer).poll_write(cx, &self.waiting[self.taken..]))?;
        if written == 0 {
            return Poll::Ready(Err(ErrorKind::WriteZero.into()));
        }
        self.taken += written;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// A pipe with little room, that notes whether it was cut and may fail.
    struct Pipe {
        stream: DuplexStream,
        cut: std::rc::Rc<Cell<bool>>,
        fails: bool,
    }

    impl Line for Pipe {
        fn cut(&self) {
            self.cut.set(true);
        }
    }

    impl AsyncRead for Pipe {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.fails {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            Pin::new(&mut self.stream).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }

    fn pipe(room: usize) -> (Pipe, DuplexStream) {
        let (stream, other) = tokio::io::duplex(room);
        (Pipe { stream, cut: Default::default(), fails: false }, other)
    }

    async fn run(relay: &mut Relay<Pipe, Pipe>) -> (Ended, [usize; 2]) {
        let mut passed = [0; 2];
        let ended = poll_fn(|cx| relay.poll(cx, |side, bytes| passed[side as usize] += bytes)).await;
        (ended, passed)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    proptest! {
        #[test]
        fn both_directions_pass_whole_whatever_the_room(
            out in proptest::collection::vec(any::<u8>(), 0..50_000),
            back in proptest::collection::vec(any::<u8>(), 0..50_000),
            room in 1usize..5000,
        ) {
            block_on(async {
                let ((near, client), (far, server)) = (pipe(room), pipe(room));
                let mut relay = Relay::new(near, far);
                let speak = async |stream: DuplexStream, words: &[u8]| {
                    let (mut reader, mut writer) = tokio::io::split(stream);
                    let mut heard = Vec::new();
                    let say = async {
                        writer.write_all(words).await.expect("it is taken");
                        writer.shutdown().await.expect("it ends");
                    };
                    tokio::join!(say, async { reader.read_to_end(&mut heard).await.expect("it comes") });
                    heard
                };
                let (ended, heard_back, heard_out) = tokio::join!(run(&mut relay), speak(client, &out), speak(server, &back));
                assert!(ended.0.orderly);
                assert_eq!(ended.1, [out.len(), back.len()]);
                assert!(heard_out == out && heard_back == back);
            });
        }
    }

    #[test]
    fn after_one_side_has_ended_the_other_still_speaks() {
        block_on(async {
            let ((near, mut client), (far, mut server)) = (pipe(64), pipe(64));
            let mut relay = Relay::new(near, far);
            let talk = async {
                server.shutdown().await.expect("it ends");
                assert_eq!(client.read(&mut [0; 8]).await.expect("the end"), 0);
                client.write_all(b"late").await.expect("it is taken");
                let mut heard = [0; 4];
                server.read_exact(&mut heard).await.expect("it comes");
                drop(client);
                heard
            };
            let ((ended, _), heard) = tokio::join!(run(&mut relay), talk);
            assert_eq!((ended, &heard), (Ended { by: Side::Far, orderly: true }, b"late"));
            assert!(relay.is_half_closed());
        });
    }

    #[test]
    fn where_one_side_breaks_the_other_is_cut() {
        block_on(async {
            let ((mut near, _client), (far, _server)) = (pipe(64), pipe(64));
            near.fails = true;
            let (cut_near, cut_far) = (near.cut.clone(), far.cut.clone());
            let (ended, _) = run(&mut Relay::new(near, far)).await;
            assert_eq!(ended, Ended { by: Side::Near, orderly: false });
            assert_eq!((cut_near.get(), cut_far.get()), (false, true));
        });
    }
}
