//! Work that a person waits for: on a thread of its own, with its progress on a terminal, given up at Ctrl-C.

use std::io::{self, IsTerminal, PipeReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::store::Stop;

/// As shells have it for a process that Ctrl-C has ended.
pub const INTERRUPTED: u8 = 130;

/// How long work may take before its progress is shown, and how often it is then.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// Ctrl-C, from now on: noticed, and no longer the end of the process.
#[derive(Debug, Clone)]
pub struct Interrupts {
    count: Arc<AtomicUsize>,
    /// Its other end is closed at the first.
    first: Arc<PipeReader>,
}

impl Interrupts {
    /// Watches for it.
    ///
    /// # Errors
    /// When the system has no thread or no pipe left.
    pub fn watch() -> anyhow::Result<Interrupts> {
        Interrupts::of(&[SignalKind::interrupt()])
    }

    /// Watches for everything that ends a process and can be noticed: whoever has changed the terminal puts it right.
    ///
    /// # Errors
    /// As [`Interrupts::watch`].
    pub fn watch_ends() -> anyhow::Result<Interrupts> {
        Interrupts::of(&[SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()])
    }

    fn of(kinds: &[SignalKind]) -> anyhow::Result<Interrupts> {
        let count = Arc::new(AtomicUsize::new(0));
        let (first, writer) = io::pipe().context("no pipe")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        // Before this function returns, so that none is missed.
        let watched: io::Result<Vec<Signal>> =
            runtime.block_on(async { kinds.iter().map(|kind| signal(*kind)).collect() });
        let mut watched = watched.context("signals cannot be watched")?;
        let counted = Arc::clone(&count);
        let watch = async move {
            let mut writer = Some(writer);
            while std::future::poll_fn(|cx| any(&mut watched, cx)).await {
                counted.fetch_add(1, Ordering::Relaxed);
                writer.take();
            }
        };
        let spawned = thread::Builder::new().name("interrupts".to_owned()).spawn(move || runtime.block_on(watch));
        spawned.context("no thread")?;
        Ok(Interrupts { count, first: Arc::new(first) })
    }

    /// Whether there was one.
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Waits so long, or until there is one; whether there is.
    pub fn rest(&self, long: Duration) -> bool {
        let mut fds = [PollFd::new(&self.first, PollFlags::IN)];
        // A signal ends it early, and nothing else can fail here.
        let _ = poll(&mut fds, Timespec::try_from(long).ok().as_ref());
        self.is_any()
    }

    /// The same; returns at once, with `true`, when nobody is at the other end of `out`, a pipe, any more.
    pub fn rest_unless_closed(&self, long: Duration, out: &impl AsFd) -> bool {
        // That it is closed is told without being asked for.
        let mut fds = [PollFd::new(out, PollFlags::empty()), PollFd::new(&self.first, PollFlags::IN)];
        // As above.
        let _ = poll(&mut fds, Timespec::try_from(long).ok().as_ref());
        fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Whoever waits for a pipe that says nothing asks twice.
    fn is_urgent(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }
}

/// The next of any; `false` when there will be none.
fn any(watched: &mut [Signal], cx: &mut Context<'_>) -> Poll<bool> {
    for signal in watched {
        if let Poll::Ready(came) = signal.poll_recv(cx) {
            return Poll::Ready(came.is_some());
        }
    }
    Poll::Pending
}

/// Ready to be read from once there was one.
impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.first.as_fd()
    }
}

/// Does the work aside and waits for it; `None` when somebody would not wait for its end. The work is told to stop at the
/// first Ctrl-C, and left alone at the second.
///
/// # Errors
/// When it broke down.
pub fn wait<T: Send + 'static>(
    interrupts: &Interrupts,
    progress: &dyn Fn() -> String,
    work: impl FnOnce(Stop<'_>) -> T + Send + 'static,
) -> anyhow::Result<Option<T>> {
    let (answer, answers) = sync_channel(1);
    let seen = interrupts.clone();
    let work = move || {
        let _ = answer.send(work(&|| seen.is_any()));
    };
    thread::Builder::new().name("work".to_owned()).spawn(work).context("no thread")?;
    let mut told = Told::default();
    let answer = answer_of(&answers, interrupts, progress, &mut told);
    told.erase();
    answer
}

fn answer_of<T>(
    answers: &Receiver<T>,
    interrupts: &Interrupts,
    progress: &dyn Fn() -> String,
    told: &mut Told,
) -> anyhow::Result<Option<T>> {
    let mut patience = PATIENCE;
    loop {
        match answers.recv_timeout(patience.min(EVERY)) {
            Ok(answer) => return Ok(Some(answer)),
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the work broke down")),
            Err(RecvTimeoutError::Timeout) if interrupts.is_urgent() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => patience = patience.saturating_sub(EVERY),
        }
        if patience.is_zero() {
            patience = EVERY;
            let stopping = if interrupts.is_any() { ", stopping; Ctrl-C once more leaves now" } else { "" };
            told.tell(&(progress() + stopping));
        }
    }
}

/// The line of progress, on a terminal.
#[derive(Debug, Default)]
struct Told {
    is_shown: bool,
}

impl Told {
    fn tell(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            self.is_shown = true;
            let _ = write!(io::stderr(), "\r{text}\x1b[K");
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
