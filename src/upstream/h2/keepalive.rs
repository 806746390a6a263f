//! Whether the server of a connection is still there: where requests wait and nothing comes, it is asked (PING, RFC 9113
//! §6.7), and without an answer the connection is given up with all that is on it.
//!
//! TCP does not tell: a machine that lost its power or a path that lost its packets says nothing, for as long as nobody
//! asks. Whoever may wait for long (streams of gRPC, server-sent events, tunnels) would wait in vain.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::net::Stream;

use super::session::Session;

/// Looks in the time of one `timeouts.ping`.
const LOOKS: u32 = 2;
/// The answer to a PING: a frame's head, and eight bytes.
const PONG: u64 = 17;
/// A server that answers, and has nothing to say, is not asked again before: gRPC's servers end a connection on which they
/// are asked more often than that while they say nothing.
const PEACE: Duration = Duration::from_secs(300);

/// What is known of a connection, by whoever reads it and whoever uses it.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Bytes that have come.
    heard: Cell<u64>,
    /// Its server did not answer: it is over.
    lost: Cell<bool>,
}

impl Pulse {
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }
}

/// Asks as long as there is a session; `driver` is the task that moves its frames.
pub(super) async fn watch(session: Weak<Session>, mut ping: PingPong, driver: AbortHandle, patience: Duration) {
    let look = patience / LOOKS;
    let mut silence = Silence::new(u32::try_from(PEACE.as_millis() / look.as_millis().max(1)).unwrap_or(u32::MAX));
    loop {
        tokio::time::sleep(look).await;
        // One that takes no more is watched all the same, for those that are on it.
        let Some(session) = session.upgrade().filter(|_| !driver.is_finished()) else { return };
        // Whoever does not take an answer cannot ask again.
        let _ = ping.poll_pong(&mut Context::from_waker(Waker::noop()));
        match silence.look(session.is_used(), session.pulse.heard.get()) {
            Step::Wait => {}
            // One that is on its way already does as well.
            Step::Ask => drop(ping.send_ping(Ping::opaque())),
            Step::GiveUp => {
                session.pulse.lost.set(true);
                session.retire();
                driver.abort();
                return;
            }
        }
    }
}

/// How long nothing has come, counted in looks.
#[derive(Debug)]
struct Silence {
    looks: u32,
    heard: u64,
    /// Since it was asked; nothing has come after.
    asked: Option<u32>,
    /// Looks until a server that has only answered may be asked again.
    peace: u32,
    whole_peace: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Wait,
    Ask,
    GiveUp,
}

impl Silence {
    fn new(whole_peace: u32) -> Silence {
        Silence { looks: 0, heard: 0, asked: None, peace: 0, whole_peace }
    }

    /// One look further: whether there are requests on the connection, and how many bytes have come by now.
    fn look(&mut self, is_used: bool, heard: u64) -> Step {
        self.peace = self.peace.saturating_sub(1);
        let news = heard - std::mem::replace(&mut self.heard, heard);
        if news > 0 {
            let only_answered = self.asked.take().is_some() && news == PONG;
            self.peace = if only_answered { self.whole_peace } else { 0 };
            self.looks = 0;
            return Step::Wait;
        }
        if let Some(since) = &mut self.asked {
            *since += 1;
            return if *since >= LOOKS { Step::GiveUp } else { Step::Wait };
        }
        self.looks = if is_used { self.looks + 1 } else { 0 };
        if self.looks < LOOKS || self.peace > 0 {
            return Step::Wait;
        }
        self.asked = Some(0);
        Step::Ask
    }
}

/// A stream of bytes whose coming is noticed.
pub(super) struct Heard {
    stream: Stream,
    pulse: Rc<Pulse>,
}

impl Heard {
    pub(super) fn new(stream: Stream, pulse: Rc<Pulse>) -> Heard {
        Heard { stream, pulse }
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.pulse.heard.set(self.pulse.heard.get() + (buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Heard {
    /// The kernel need not go on sending to nobody.
    fn drop(&mut self) {
        if self.pulse.is_lost() {
            self.stream.reset_when_dropped();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Ask, GiveUp, Wait};

    /// What is done at each look, given whether there are requests and what has come since the look before.
    fn steps(looks: &[(bool, u64)]) -> Vec<Step> {
        let (mut silence, mut heard) = (Silence::new(6), 0);
        let look = |(is_used, news): &(bool, u64)| {
            heard += news;
            silence.look(*is_used, heard)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn who_does_not_answer_is_given_up() {
        assert_eq!(steps(&[(true, 40), (true, 0), (true, 0), (true, 0), (true, 0)]), [Wait, Wait, Ask, Wait, GiveUp]);
    }

    #[test]
    fn nobody_is_asked_while_there_are_no_requests_or_something_comes() {
        assert_eq!(steps(&[(false, 0); 20]), [Wait; 20]);
        assert_eq!(steps(&[(true, 0), (true, 1)].repeat(10)), [Wait; 20]);
    }

    #[test]
    fn who_was_asked_has_to_answer_though_the_request_has_gone() {
        assert_eq!(steps(&[(true, 0), (true, 0), (false, 0), (false, 0)]), [Wait, Ask, Wait, GiveUp]);
    }

    #[test]
    fn who_only_answers_is_left_in_peace_for_a_while() {
        let mut looks = vec![(true, 0), (true, 0), (true, PONG)];
        looks.extend([(true, 0); 8]);
        assert_eq!(steps(&looks), [Wait, Ask, Wait, Wait, Wait, Wait, Wait, Wait, Ask, Wait, GiveUp]);
    }

    #[test]
    fn who_says_more_may_be_asked_in_the_next_silence() {
        let looks = [(true, 0), (true, 0), (true, PONG + 9), (true, 0), (true, 0)];
        assert_eq!(steps(&looks), [Wait, Ask, Wait, Wait, Ask]);
    }
}
