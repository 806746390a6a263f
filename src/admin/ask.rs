//! Questions to the place that holds the records: on a thread of their own, few at a time, for a bounded time, and no
//! longer than whoever asked waits for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::store::{Archive, AskError, Stop};
use crate::time::monotonic;

use super::refused::Refused;

/// Questions that are looked into at the same time; each has a thread.
const AT_ONCE: usize = 2;
/// Those that wait for one of these threads; more are refused, so that a page that asks in a loop holds up nobody else.
const WAITING: usize = 32;
/// How long a question is looked into; then what was found until then is the answer, and it is said to be partial.
const PATIENCE: Duration = Duration::from_secs(10);

/// The place that holds the records, behind its limits.
#[derive(Clone)]
pub struct Library {
    archive: Arc<dyn Archive>,
    desks: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Library {
    /// A place that anybody may ask.
    pub fn new(archive: Arc<dyn Archive>) -> Library {
        let (desks, queue) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(AT_ONCE + WAITING)));
        Library { archive, desks, queue }
    }

    /// Asks it; `look` runs on another thread, and is told to stop when this future is dropped or its time is up.
    pub(super) async fn ask<T, F>(&self, look: F) -> Result<T, Refused>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Archive, Stop<'_>) -> Result<T, AskError> + Send + 'static,
    {
        let _place = self.queue.try_acquire().map_err(|_| Refused::Busy)?;
        let desk = Arc::clone(&self.desks).acquire_owned().await.map_err(|_| Refused::Ending)?;
        let archive = Arc::clone(&self.archive);
        let interest = Interest::default();
        let patience = interest.patience(monotonic());
        let looked = tokio::task::spawn_blocking(move || {
            let _desk = desk;
            look(&*archive, &|| patience.is_over())
        });
        match looked.await {
            Ok(answer) => answer.map_err(|error| Refused::Unanswered(error.to_string())),
            // The panic was told where it happened.
            Err(_) => Err(Refused::Unanswered("the question could not be looked into".to_owned())),
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
    use crate::store::rollup::Range;
    use crate::store::statistics::Statistics;
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
        fn statistics(&self, range: Range, _: &Expression, _: Stop<'_>) -> Result<Statistics, AskError> {
            Ok(Statistics::over(range))
        }
    }

    fn library() -> Library {
        Library::new(Arc::new(Nothing))
    }

    /// A question that is looked into until nobody waits for it any more, and says that it was told so.
    async fn wait_for_the_end(library: Library, begun: Sender<()>, ended: Sender<()>) {
        let asked = library.ask(move |_, stop| {
            begun.send(()).expect("somebody listens");
            while !stop() {
                std::thread::yield_now();
            }
            ended.send(()).expect("somebody listens");
            Ok(())
        });
        asked.await.expect("an answer");
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
    async fn more_questions_than_may_wait_are_refused() {
        let library = library();
        let _all = Arc::clone(&library.queue).acquire_many_owned((AT_ONCE + WAITING) as u32).await.expect("all places");
        let refused = library.ask(|_, _| Ok(())).await;
        assert_eq!(refused, Err(Refused::Busy));
    }

    #[tokio::test]
    async fn what_does_not_answer_is_told_by_its_name() {
        let refused = library().ask(|records, stop| records.request("a", 1, stop)).await.map(|_| ());
        assert_eq!(refused, Err(Refused::Unanswered("a.db: torn".to_owned())));
    }
}
