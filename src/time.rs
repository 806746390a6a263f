//! Time, given to whoever needs it: a clock that reads the machine's own at most once a moment, and deadlines that
//! cost nothing while they move.
//!
//! This is the only module that reads a clock. Wall time is derived from one monotonic reading, so that the records of
//! a request never run backwards; the anchor between the two is renewed every second, so that a stepped system clock
//! is followed.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;

/// How long an anchor between the two clocks is believed.
const ANCHOR_LIFE: Duration = Duration::from_secs(1);

/// The clock of one thread.
#[derive(Debug, Clone)]
pub struct Clock {
    anchor: Cell<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    monotonic: Instant,
    /// Microseconds since the Unix epoch.
    wall: u64,
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Clock {
        Clock { anchor: Cell::new(Anchor::read()) }
    }

    /// This moment.
    pub fn now(&self) -> Instant {
        monotonic()
    }

    /// The wall time of a recent moment, in microseconds since the Unix epoch.
    pub fn wall(&self, at: Instant) -> u64 {
        let anchor = self.anchor.get();
        match at.checked_duration_since(anchor.monotonic) {
            Some(since) if since <= ANCHOR_LIFE => anchor.wall + micros(since),
            Some(_) => {
                self.anchor.set(Anchor::read());
                self.anchor.get().wall_of(at)
            }
            None => anchor.wall_of(at),
        }
    }
}

impl Anchor {
    fn read() -> Anchor {
        Anchor { monotonic: monotonic(), wall: wall_now() }
    }

    fn wall_of(&self, at: Instant) -> u64 {
        let after = micros(at.saturating_duration_since(self.monotonic));
        let before = micros(self.monotonic.saturating_duration_since(at));
        (self.wall + after).saturating_sub(before)
    }
}

/// The monotonic clock, for those who have no [`Clock`] of their own.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Microseconds since the Unix epoch, from the system clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
pub fn wall_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

/// A wall time as HTTP writes it (RFC 9110 §5.6.7).
pub fn http_date(wall: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_micros(wall))
}

/// A duration in whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(duration.subsec_micros()))
}

/// A moment that something must not outlive.
///
/// The timer behind it is armed at the first wait and left armed when the moment moves on; only when it fires too early
/// is it set again. A keep-alive connection so touches the timer wheel once in a timeout, not once in a request. Nor is the
/// timer told again whom to wake while it is the same task: that takes locked instructions each time.
#[derive(Debug, Default)]
pub struct Deadline {
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes, as long as it has not fired. It holds that waker itself, so that nobody else has these
    /// addresses meanwhile: no clone is needed to know it again.
    waiting: Option<[usize; 2]>,
}

impl Deadline {
    /// Due `after` this long from `now`; `None` is never.
    pub fn set(&mut self, now: Instant, after: Option<Duration>) {
        self.due = after.and_then(|after| now.checked_add(after));
    }

    /// Whether there is such a moment.
    pub fn is_set(&self) -> bool {
        self.due.is_some()
    }

    /// Never due.
    pub fn clear(&mut self) {
        self.due = None;
    }

    /// Ready once the moment has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let due = tokio::time::Instant::from_std(due);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        } else if self.waiting == Some(addresses(cx.waker())) && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waiting = Some(addresses(cx.waker()));
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// What tells a waker from all others that are there at the same time.
fn addresses(waker: &Waker) -> [usize; 2] {
    [waker.data() as usize, std::ptr::from_ref(waker.vtable()) as usize]
}

/// Deadlines that one task uses again and again, so that their timers are armed, and know whom to wake. What is there is
/// as good as another: none of them is due.
#[derive(Debug, Default)]
pub struct Deadlines(RefCell<Vec<Deadline>>);

impl Deadlines {
    /// More are not kept: a task seldom waits for more at a time.
    const MOST: usize = 4;

    /// One that is never due, until it is set.
    pub fn take(&self) -> Deadline {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps none: nobody is to ask for a while.
    pub fn forget(&self) {
        self.0.take();
    }

    /// For the next one who asks.
    pub fn keep(&self, mut deadline: Deadline) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < Self::MOST {
            deadline.clear();
            kept.push(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_follows_the_monotonic_clock_within_an_anchor() {
        let clock = Clock::system();
        let start = clock.now();
        assert_eq!(clock.wall(start + Duration::from_micros(1500)) - clock.wall(start), 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_moved_on_fires_at_the_later_moment_only() {
        let start = tokio::time::Instant::now();
        let mut deadline = Deadline::default();
        deadline.set(start.into_std(), Some(Duration::from_secs(1)));
        let mut moved = false;
        std::future::poll_fn(|cx| {
            let poll = deadline.poll(cx);
            if !moved {
                moved = true;
                deadline.set(start.into_std(), Some(Duration::from_secs(3)));
            }
            poll
        })
        .await;
        assert!(start.elapsed() >= Duration::from_secs(3));
    }

    /// A task, as far as it can be woken.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Task {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_task_that_waited_is_woken_however_often_it_asked() {
        let tasks: [std::sync::Arc<Task>; 2] = Default::default();
        let mut deadline = Deadline::default();
        deadline.set(tokio::time::Instant::now().into_std(), Some(Duration::from_secs(1)));
        for task in tasks.iter().flat_map(|task| [task, task, task]) {
            let waker = Waker::from(std::sync::Arc::clone(task));
            assert!(deadline.poll(&mut Context::from_waker(&waker)).is_pending());
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        let woken = tasks.each_ref().map(|task| task.0.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(woken, [0, 1]);
        assert!(deadline.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_kept_is_not_due_until_it_is_set() {
        let deadlines = Deadlines::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut deadline = deadlines.take();
        deadline.set(tokio::time::Instant::now().into_std(), Some(Duration::from_secs(1)));
        assert!(deadline.poll(&mut cx).is_pending());
        tokio::time::advance(Duration::from_secs(2)).await;
        deadlines.keep(deadline);
        let mut again = deadlines.take();
        assert!(again.poll(&mut cx).is_pending());
        again.set(tokio::time::Instant::now().into_std(), Some(Duration::from_secs(1)));
        assert!(again.poll(&mut cx).is_pending());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(again.poll(&mut cx).is_ready());
    }
}
