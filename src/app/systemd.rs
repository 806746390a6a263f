//! The service manager: sockets that it has opened (`sd_listen_fds(3)`), what it is told (`sd_notify(3)`), and its watchdog.
//!
//! Without one in the environment nothing of this does anything.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::listen::{Socket, Stage};
use crate::pipeline::announce::PROXY_LOGGER;

/// Sockets that were opened before this process was started.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<(String, Option<Socket>)>);

impl Inherited {
    /// Those of `LISTEN_FDS`, by the names of `LISTEN_FDNAMES`. They are this process's then.
    #[expect(clippy::disallowed_methods, reason = "the service manager speaks through the environment")]
    pub(super) fn from_environment() -> Inherited {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut sockets = ListenFd::from_env();
        let all = (0..sockets.len()).map(|at| (names.next().unwrap_or(UNNAMED).to_owned(), take(&mut sockets, at)));
        Inherited(all.collect())
    }

    /// The sockets of one name, ready to accept.
    pub(super) fn share(&self, name: &str) -> io::Result<Vec<Socket>> {
        let named = self.0.iter().filter(|(other, _)| other == name);
        let sockets: Vec<Socket> =
            named.filter_map(|(_, socket)| socket.as_ref()).map(Socket::share).collect::<io::Result<_>>()?;
        if sockets.is_empty() {
            let left = self.0.iter().filter(|(_, socket)| socket.is_some());
            let names: Vec<&str> = left.map(|(name, _)| name.as_str()).collect();
            let message = format!("the service manager has passed on no listening socket of this name, but: {names:?}");
            return Err(io::Error::new(ErrorKind::NotFound, message));
        }
        sockets.iter().try_for_each(prepare)?;
        Ok(sockets)
    }

    /// Those of one name are in use: they close with their listener.
    pub(super) fn let_go(&mut self, name: &str) {
        self.0.iter_mut().filter(|(other, _)| other == name).for_each(|(_, socket)| drop(socket.take()));
    }
}

/// What `sd_listen_fds_with_names(3)` calls a socket without a name.
const UNNAMED: &str = "unknown";

/// A listening stream socket; `None` for anything else.
fn take(sockets: &mut ListenFd, at: usize) -> Option<Socket> {
    let tcp = |sockets: &mut ListenFd| sockets.take_tcp_listener(at).ok().flatten().map(Socket::Tcp);
    let unix = |sockets: &mut ListenFd| sockets.take_unix_listener(at).ok().flatten().map(Socket::Unix);
    tcp(sockets).or_else(|| unix(sockets))
}

fn prepare(socket: &Socket) -> io::Result<()> {
    let listens = match socket {
        Socket::Tcp(tcp) => {
            tcp.set_nonblocking(true)?;
            let socket = socket2::SockRef::from(tcp);
            socket.set_tcp_nodelay(true)?;
            socket.is_listener()?
        }
        Socket::Unix(unix) => {
            unix.set_nonblocking(true)?;
            socket2::SockRef::from(unix).is_listener()?
        }
    };
    if listens { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidInput, "the socket does not listen")) }
}

/// Tells the service manager, if there is one, that connections are accepted.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells it that something changes, such as the configuration; [`ready`] ends that.
pub fn reloading(status: &str) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status(status)]),
        Err(error) => tracing::warn!(target: PROXY_LOGGER, %error, "the service manager cannot be told of the reload"),
    }
}

/// Tells it that another process is the service from now on, and serves.
pub(super) fn handed_over(pid: u32, status: &str) {
    tell(&[NotifyState::MainPid(pid), NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells it that the end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing the requests that run")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(target: PROXY_LOGGER, %error, "the service manager cannot be told");
    }
}

/// No thread could keep a shorter limit, and `sd_watchdog_enabled(3)` knows none of 0 either.
const SHORTEST: Duration = Duration::from_millis(10);

/// The watchdog of the service manager (`WatchdogSec=`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Watchdog {
    /// Without a sign of life for so long, the process is killed.
    limit: Duration,
}

impl Watchdog {
    /// That of `WATCHDOG_USEC`, if it is meant for this process.
    pub(super) fn from_environment() -> Option<Watchdog> {
        sd_notify::watchdog_enabled().filter(|limit| *limit >= SHORTEST).map(|limit| Watchdog { limit })
    }

    /// Twice in the time there is, as `sd_watchdog_enabled(3)` has it; cores beat twice in that.
    fn every(&self) -> Duration {
        self.limit / 2
    }
}

/// Signs of life of all cores, counted.
pub(super) struct Beats {
    counts: Arc<[AtomicU64]>,
    every: Duration,
}

/// That of one core.
pub(super) struct Beat {
    counts: Arc<[AtomicU64]>,
    index: usize,
    every: Duration,
}

impl Beats {
    /// For so many cores.
    pub(super) fn new(cores: usize, watchdog: &Watchdog) -> Beats {
        Beats { counts: (0..cores).map(|_| AtomicU64::new(0)).collect(), every: watchdog.every() / 2 }
    }

    /// The one of a core.
    pub(super) fn of(&self, index: usize) -> Beat {
        Beat { counts: Arc::clone(&self.counts), index, every: self.every }
    }

    /// Whether every core has beaten since this was last asked.
    fn are_all_alive(&self, last: &mut Vec<u64>) -> bool {
        let now: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let alive = now.iter().zip(last.iter()).all(|(now, last)| now != last);
        *last = now;
        alive
    }
}

impl Beat {
    /// Beats for as long as its core runs tasks.
    pub(super) async fn go_on(self) {
        loop {
            self.counts[self.index].fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.every).await;
        }
    }
}

/// Keeps the watchdog quiet for as long as every core is alive; never returns. While cores end one by one that is nothing to
/// go by, and the end is bounded in time anyway.
pub(super) async fn keep_alive(watched: Option<&(Watchdog, Beats)>, stage: Stage) {
    let Some((watchdog, beats)) = watched else { return std::future::pending().await };
    let mut last = Vec::new();
    loop {
        if stage > Stage::Open || beats.are_all_alive(&mut last) {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(target: PROXY_LOGGER, "a core does not answer: the watchdog is not told that all is well");
        }
        tokio::time::sleep(watchdog.every()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_that_does_not_beat_is_enough() {
        let watchdog = Watchdog { limit: Duration::from_secs(4) };
        let beats = Beats::new(2, &watchdog);
        assert_eq!((watchdog.every(), beats.every), (Duration::from_secs(2), Duration::from_secs(1)));
        let beat = |index: usize| beats.counts[index].fetch_add(1, Ordering::Relaxed);
        let mut last = Vec::new();
        assert!(beats.are_all_alive(&mut last), "the first time there is nothing to compare with");
        beat(0);
        beat(1);
        assert!(beats.are_all_alive(&mut last));
        beat(1);
        assert!(!beats.are_all_alive(&mut last));
    }

    #[test]
    fn a_name_that_was_not_passed_on_is_an_error_that_says_which_were() {
        let socket = || Socket::Tcp(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let mut inherited = Inherited(vec![("http".to_owned(), Some(socket())), ("other".to_owned(), Some(socket()))]);
        assert_eq!(inherited.share("http").unwrap().len(), 1);
        inherited.let_go("other");
        let error = inherited.share("other").unwrap_err();
        assert!(error.to_string().ends_with("[\"http\"]"), "{error}");
    }
}
