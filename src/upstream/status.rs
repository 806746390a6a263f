//! What all cores count of an upstream and its servers, for whoever wants to see how they are: atomics only, read at any
//! time from any thread, none of them exact to the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use arc_swap::ArcSwapOption;

use crate::time;

/// Whether a server is given requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Up,
    /// Its health checks fail.
    Unhealthy,
    /// Requests to it failed one after another; it is left out for a while.
    Ejected,
}

impl State {
    /// The word for it, as in `reason` of `upstream_down`: `up`, `health_check`, `ejected`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Unhealthy => "health_check",
            State::Ejected => "ejected",
        }
    }

    const ALL: [State; 3] = [State::Up, State::Unhealthy, State::Ejected];
}

/// Requests of one server. A cache line of its own: every core writes to it twice a request.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Load {
    started: AtomicU64,
    finished: AtomicU64,
}

/// One server, as all cores see it.
#[derive(Debug, Default)]
pub struct ServerStatus {
    load: Load,
    failures: AtomicU64,
    consecutive: AtomicU32,
    state: AtomicU8,
    ejections: AtomicU64,
    connects: AtomicU64,
    /// Times a connection was asked for.
    dials: AtomicU64,
    /// The most that [`ServerStatus::reuses`] has said.
    reuses: AtomicU64,
    open: AtomicUsize,
    idle: AtomicUsize,
    changed: AtomicU64,
    error: ArcSwapOption<String>,
}

impl ServerStatus {
    /// Whether it is given requests.
    pub fn state(&self) -> State {
        State::ALL.get(usize::from(self.state.load(Relaxed))).copied().unwrap_or(State::Up)
    }

    /// Requests that it was given so far, each attempt for itself, those in flight included.
    pub fn requests(&self) -> u64 {
        self.load.started.load(Relaxed)
    }

    /// Requests in flight: from the choice of the server to the end of the answer's body.
    pub fn in_flight(&self) -> u64 {
        // In this order, so that a request which ends in between is not counted below nought.
        let finished = self.load.finished.load(SeqCst);
        self.load.started.load(SeqCst).saturating_sub(finished)
    }

    /// Attempts that failed before an answer's head was whole.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// How many of the last attempts failed in a row.
    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive.load(Relaxed)
    }

    /// How often it was ejected.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// Connections that were ever made to it for requests.
    pub fn connects(&self) -> u64 {
        self.connects.load(Relaxed)
    }

    /// Requests that went over a connection that was there. A request is counted a moment before it asks for a connection of
    /// its own; what was said once is never taken back.
    pub fn reuses(&self) -> u64 {
        let reuses = self.requests().saturating_sub(self.dials.load(Relaxed));
        self.reuses.fetch_max(reuses, Relaxed).max(reuses)
    }

    /// Connections to it, those that wait for work included; health checks make connections of their own.
    pub fn open_connections(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Connections that wait for work; up to a second old.
    pub fn idle_connections(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// When [`ServerStatus::state`] last changed, in microseconds since the Unix epoch; 0 where it never did.
    pub fn changed(&self) -> u64 {
        self.changed.load(Relaxed)
    }

    /// What went wrong last, with a request or a health check; `None` where nothing ever did.
    pub fn last_error(&self) -> Option<Arc<String>> {
        self.error.load_full()
    }

    pub(super) fn begin(&self) {
        self.load.started.fetch_add(1, Relaxed);
    }

    /// Begins one more unless `limit` are in flight; whether it did.
    pub(super) fn try_begin(&self, limit: u32) -> bool {
        let room = |started: u64| {
            // What ends meanwhile only makes more room than is seen here.
            let finished = self.load.finished.load(SeqCst);
            (started.saturating_sub(finished) < u64::from(limit)).then_some(started + 1)
        };
        self.load.started.fetch_update(SeqCst, SeqCst, room).is_ok()
    }

    pub(super) fn end(&self) {
        self.load.finished.fetch_add(1, SeqCst);
    }

    /// An answer has come. Writes only where something had failed before.
    pub(super) fn succeeded(&self) {
        if self.consecutive.load(Relaxed) != 0 {
            self.consecutive.store(0, Relaxed);
        }
    }

    /// An attempt failed; how many did in a row by now.
    pub(super) fn failed(&self, error: String) -> u32 {
        self.failures.fetch_add(1, Relaxed);
        self.note_error(error);
        self.consecutive.fetch_add(1, Relaxed).saturating_add(1)
    }

    pub(super) fn note_error(&self, error: String) {
        self.error.store(Some(Arc::new(error)));
    }

    /// Counts as having failed so often in a row.
    pub(super) fn set_consecutive(&self, failures: u32) {
        self.consecutive.store(failures, Relaxed);
    }

    pub(super) fn set_state(&self, state: State) {
        if state == State::Ejected {
            self.ejections.fetch_add(1, Relaxed);
        }
        self.state.store(state as u8, Relaxed);
        self.changed.store(time::wall_now(), Relaxed);
    }

    pub(super) fn dialling(&self) {
        self.dials.fetch_add(1, Relaxed);
    }

    pub(super) fn opened(&self) {
        self.connects.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// A core has so many connections waiting for work where it had `before`.
    pub(super) fn count_idle(&self, before: usize, now: usize) {
        match now >= before {
            true => self.idle.fetch_add(now - before, Relaxed),
            false => self.idle.fetch_sub(before - now, Relaxed),
        };
    }
}

/// One upstream, as all cores see it.
#[derive(Debug, Default)]
pub struct UpstreamStatus {
    retries: AtomicU64,
    retries_denied: AtomicU64,
    pub(super) waiting: AtomicUsize,
    limited: AtomicU64,
}

impl UpstreamStatus {
    /// Attempts beyond the first; a kept connection that turned out closed is none.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Requests that might have been sent again, had `retries.budget` allowed it.
    pub fn retries_denied(&self) -> u64 {
        self.retries_denied.load(Relaxed)
    }

    /// Requests that wait for a server below its `max_requests`.
    pub fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Requests that were refused because the queue was full, or waited in it for too long.
    pub fn limited(&self) -> u64 {
        self.limited.load(Relaxed)
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(super) fn denied(&self) {
        self.retries_denied.fetch_add(1, Relaxed);
    }

    pub(super) fn overflowed(&self) {
        self.limited.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_begin_than_the_limit_allows() {
        let status = ServerStatus::default();
        assert!(status.try_begin(2) && status.try_begin(2) && !status.try_begin(2));
        status.end();
        assert!(status.try_begin(2) && !status.try_begin(2));
        assert_eq!((status.in_flight(), status.requests()), (2, 3));
    }

    #[test]
    fn the_limit_holds_over_all_cores() {
        // Counted beside it: what `in_flight` shows while others go on may be more than there ever were at once.
        let (status, running) = (ServerStatus::default(), AtomicUsize::new(0));
        let work = || {
            for _ in 0..5000 {
                if status.try_begin(3) {
                    assert!(running.fetch_add(1, SeqCst) < 3);
                    running.fetch_sub(1, SeqCst);
                    status.end();
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        assert_eq!(status.in_flight(), 0);
    }

    #[test]
    fn an_answer_ends_a_row_of_failures() {
        let status = ServerStatus::default();
        assert_eq!((status.failed("a".into()), status.failed("b".into())), (1, 2));
        status.succeeded();
        assert_eq!((status.failed("c".into()), status.failures()), (1, 3));
        assert_eq!(status.last_error().as_deref().map(String::as_str), Some("c"));
    }

    #[test]
    fn what_found_no_connection_was_no_reuse_and_reuses_never_become_fewer() {
        let status = ServerStatus::default();
        status.begin();
        status.dialling();
        assert_eq!((status.reuses(), status.connects()), (0, 0));
        status.begin();
        assert_eq!(status.reuses(), 1);
        status.dialling();
        assert_eq!(status.reuses(), 1);
    }

    #[test]
    fn idle_connections_of_several_cores_add_up() {
        let status = ServerStatus::default();
        status.count_idle(0, 5);
        status.count_idle(0, 2);
        status.count_idle(5, 1);
        assert_eq!(status.idle_connections(), 3);
    }
}
