//! Questions to the place that holds the records: on a thread of their own, few at a time, for a bounded time, and no
//! longer than whoever asked waits for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::{Archive, AskError, Stop};
use crate::time::monotonic;

use super::refused::Refused;

/// Questions of a lane that are looked into at the same time; each has a thread.
const AT_ONCE: usize = 2;
/// Those that wait for one of these threads, and answers that are still being read; more are refused, so that a page that
/// asks in a loop holds up nobody else.
const WAITING: usize = 32;
/// How long a question is looked into; then what was found until then is the answer, and it is said to be partial.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which questions one waits behind: what is found at once does not wait behind what has to be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// One request, or counts that were made beforehand.
    Glance,
    /// Records are looked through.
    Search,
}

/// The place that holds the records, behind its limits.
#[derive(Clone)]
pub struct Library {
    archive: Arc<dyn Archive>,
    glance: Desk,
    search: Desk,
}

/// The limits of a lane.
#[derive(Clone)]
struct Desk {
    seats: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Library {
    /// A place that anybody may ask.
    pub fn new(archive: Arc<dyn Archive>) -> Library {
        let desk = || Desk { seats: Semaphore::new(AT_ONCE).into(), queue: Semaphore::new(AT_ONCE + WAITING).into() };
        Library { archive, glance: desk(), search: desk() }
    }

    /// Asks it; `look` runs on another thread, and is told to stop when this future is dropped or its time is up. With the
    /// answer comes the place in the queue, to be held until all of it has been read.
    pub(super) async fn ask<T, F>(&self, lane: Lane, look: F) -> Result<(T, OwnedSemaphorePermit), Refused>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Archive, Stop<'_>) -> Result<T, AskError> + Send + 'static,
    {
        let Desk { seats, queue } = self.desk(lane).clone();
        let place = queue.try_acquire_owned().map_err(|_| Refused::Busy)?;
        let seat = seats.acquire_owned().await.map_err(|_| Refused::Ending)?;
        let archive = Arc::clone(&self.archive);
        let interest = Interest::default();
        let patience = interest.patience(monotonic());
        let looked = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            look(&*archive, &|| patience.is_over())
        });
        match looked.await {
            Ok(answer) => answer.map(|answer| (answer, place)).map_err(|error| Refused::Unanswered(error.to_string())),
            // The panic was told where it happened.
            Err(_) => Err(Refused::Unanswered("the question could not be looked into".to_owned())),
        }
    }

    fn desk(&self, lane: Lane) -> &Desk {
        match lane {
            Lane::Glance => &self.glance,
            Lane::Search => &self.search,
        }
    }
}

/// Lives as long as somebody waits for the answer.
#[derive(Default)]
struct Interest(Arc<AtomicBool>);

impl Interest {
    fn patience(&self, now: Instant) -> Patience {
        Patience { gone: Arc::clone(&self.0), until: now + PATIENCE }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long a question is worth looking into.
struct Patience {
    gone: Arc<AtomicBool>,
    until: Instant,
}

impl Patience {
    fn is_over(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || monotonic() >= self.until
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::filter::Expression;
    use crate::store::statistics::Gather;
    use crate::store::{Page, Question, Records, Summaries};

    struct Nothing;

    impl Records for Nothing {
        fn search(&self, _: &Question, _: Stop<'_>) -> Result<Page, AskError> {
            Ok(Page::default())
        }

        fn request(&self, _: &str, _: usize, _: Stop<'_>) -> Result<Page, AskError> {
            Err(AskError::Broken { path: "a.db".to_owned(), why: "torn".to_owned() })
        }
    }

    impl Summaries for Nothing {
        fn gather(&self, _: &mut dyn Gather, _: &Expression, _: Stop<'_>) -> Result<(), AskError> {
            Ok(())
        }
    }

    fn library() -> Library {
        Library::new(Arc::new(Nothing))
    }

    /// A question that is looked into until nobody waits for it any more, and says that it was told so.
    async fn wait_for_the_end(library: Library, begun: Sender<()>, ended: Sender<()>) {
        let asked = library.ask(Lane::Search, move |_, stop| {
            begun.send(()).expect("somebody listens");
            while !stop() {
                std::thread::yield_now();
            }
            ended.send(()).expect("somebody listens");
            Ok(())
        });
        asked.await.map(|_| ()).expect("an answer");
    }

    async fn hear(receiver: Receiver<()>) {
        tokio::task::spawn_blocking(move || receiver.recv().expect("a word")).await.expect("heard");
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_is_given_up() {
        let ((begin, begun), (end, ended)) = (channel(), channel());
        let asking = tokio::spawn(wait_for_the_end(library(), begin, end));
        hear(begun).await;
        asking.abort();
        hear(ended).await;
    }

    #[tokio::test]
    async fn more_questions_than_may_wait_are_refused_in_their_lane() {
        let library = library();
        let _all =
            library.search.queue.clone().acquire_many_owned((AT_ONCE + WAITING) as u32).await.expect("all places");
        let asked = |lane| library.ask(lane, |_, _| Ok(()));
        assert_eq!(asked(Lane::Search).await.map(|_| ()), Err(Refused::Busy));
        assert_eq!(asked(Lane::Glance).await.map(|_| ()), Ok(()));
    }

    #[tokio::test]
    async fn answers_that_are_not_read_yet_keep_their_places() {
        let library = library();
        let (_, place) = library.ask(Lane::Glance, |_, _| Ok(())).await.expect("an answer");
        assert_eq!(library.glance.queue.available_permits(), AT_ONCE + WAITING - 1);
        drop(place);
        assert_eq!(library.glance.queue.available_permits(), AT_ONCE + WAITING);
    }

    #[tokio::test]
    async fn what_does_not_answer_is_told_by_its_name() {
        let refused = library().ask(Lane::Glance, |archive, stop| archive.request("a", 1, stop)).await.map(|_| ());
        assert_eq!(refused, Err(Refused::Unanswered("a.db: torn".to_owned())));
    }
}
