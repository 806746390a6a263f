//! Asking the cores: a message to each, and an answer of bounded size within bounded time.
//!
//! A core shares nothing of its requests. It answers between two of its tasks, at a cost that does not depend on how many
//! requests run; while it is held up, it does not answer, and nobody waits for long.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::exchange::Snapshot;
use crate::time::{micros, monotonic};

/// Questions that may wait for one core.
const WAITING: usize = 4;
/// How long the cores have to answer, all at the same time.
const PATIENCE: Duration = Duration::from_secs(1);

/// The asking end of the way to a core.
#[derive(Debug, Clone)]
pub struct CoreLine {
    questions: mpsc::Sender<Question>,
    pulse: Arc<Pulse>,
}

/// The core's end of it.
#[derive(Debug)]
pub struct CoreEnd {
    /// What it is asked; ends when nobody is left to ask.
    pub questions: mpsc::Receiver<Question>,
    /// Where it shows that it is alive.
    pub pulse: Arc<Pulse>,
}

/// What runs on a core?
#[derive(Debug)]
pub struct Question {
    limit: usize,
    answer: oneshot::Sender<Snapshot>,
}

/// When a core last showed that it is alive.
#[derive(Debug)]
pub struct Pulse {
    since: Instant,
    /// Microseconds after that.
    last: AtomicU64,
}

/// The way to one core.
pub fn line() -> (CoreLine, CoreEnd) {
    let (sender, questions) = mpsc::channel(WAITING);
    let pulse = Arc::new(Pulse::new(monotonic()));
    (CoreLine { questions: sender, pulse: Arc::clone(&pulse) }, CoreEnd { questions, pulse })
}

impl Question {
    /// At most so many requests are to be told of.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Answers it.
    pub fn answer(self, snapshot: Snapshot) {
        // Who asked may have gone meanwhile.
        let _ = self.answer.send(snapshot);
    }
}

impl Pulse {
    /// Of a core that begins now.
    pub fn new(now: Instant) -> Pulse {
        Pulse { since: now, last: AtomicU64::new(0) }
    }

    /// The core is alive.
    pub fn beat(&self, now: Instant) {
        self.last.store(micros(now.saturating_duration_since(self.since)), Ordering::Relaxed);
    }

    /// How long ago it last was.
    pub fn age(&self, now: Instant) -> Duration {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(self.since).saturating_sub(last)
    }
}

/// Asks all cores at once for their oldest requests. `None` is of a core that did not answer in time.
pub async fn ask_cores(cores: &[CoreLine], limit: usize) -> Vec<Option<Snapshot>> {
    let mut deadline = pin!(tokio::time::sleep(PATIENCE));
    let asked: Vec<_> = cores.iter().map(|core| core.ask(limit)).collect();
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.push(match answer {
            Some(answer) => tokio::select! {
                biased;
                answer = answer => answer.ok(),
                () = &mut deadline => None,
            },
            None => None,
        });
    }
    answers
}

impl CoreLine {
    /// When the core was last alive.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// `None` where too many questions wait already, or the core has ended.
    fn ask(&self, limit: usize) -> Option<oneshot::Receiver<Snapshot>> {
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { limit, answer }).ok().map(|()| answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_core_that_does_not_answer_is_not_waited_for_and_holds_up_no_other() {
        let (ways, mut ends): (Vec<_>, Vec<_>) = (0..3).map(|_| line()).unzip();
        drop(ends.pop());
        let mut answering = ends.pop().expect("a core");
        tokio::spawn(async move {
            while let Some(question) = answering.questions.recv().await {
                question.answer(Snapshot { total: 7, oldest: Vec::new() });
            }
        });
        for _ in 0..2 * WAITING {
            let answers = ask_cores(&ways, 10).await;
            let totals: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|answer| answer.total)).collect();
            assert_eq!(totals, [None, Some(7), None]);
        }
    }

    #[test]
    fn a_pulse_ages_until_the_next_beat() {
        let start = monotonic();
        let pulse = Pulse::new(start);
        let second = Duration::from_secs(1);
        assert_eq!(pulse.age(start + 3 * second), 3 * second);
        pulse.beat(start + 2 * second);
        assert_eq!(pulse.age(start + 3 * second), second);
    }
}
