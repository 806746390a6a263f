//! `GET /api/logs/tail`: records as they come, to whoever follows them, as server-sent events (HTML Living Standard, 9.2).
//!
//! A record is a `message` event whose `id` says where it stands. Whoever comes back with the last one that he has seen, as
//! browsers do by `Last-Event-ID`, goes on behind it, as far as the records are still held. Nothing is kept for a follower
//! beyond one piece on its way: one that is too slow finds that records went by, and a `missed` event says how many. So does
//! one who asks for no more than `per_second`, once he is a second behind. While there is nothing to tell, a comment every so
//! often shows that both ends are there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::listen::Stage;
use crate::store::recent::{Batch, Recent, Tail};
use crate::time;

use super::answer::{Answer, harmless};
use super::asked::filter;
use super::pace::Pace;
use super::query::Query;
use super::refused::Refused;

/// Followers at the same time: the listener has twice as many connections, so that they keep nobody else out.
const MOST: usize = 32;
/// Records of one piece.
const RECORDS: usize = 32;
/// How long nothing is said where nothing matches.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The greatest `per_second`.
const FASTEST: usize = 1_000_000;
/// The parameters.
const KNOWN: [&str; 6] = ["q", "level", "logger", "route", "user_id", "per_second"];

/// Whoever follows the newest records.
pub(super) struct Followers {
    recent: Arc<Recent>,
    places: Arc<Semaphore>,
    /// Numbers are of these records alone: another process counts anew.
    era: String,
}

impl Followers {
    pub(super) fn new(recent: Arc<Recent>) -> Followers {
        Followers { recent, places: Semaphore::new(MOST).into(), era: format!("{:x}", time::wall_now()) }
    }

    /// Follows what is asked for until the client leaves, or `stages` says that this process lets go of it.
    pub(super) fn follow(&self, head: &Parts, stages: watch::Receiver<Stage>) -> Result<Answer, Refused> {
        let query = Query::read(head.uri.query(), &KNOWN)?;
        let filter = filter(&query)?;
        let limit = match query.number("per_second", 0, FASTEST)? {
            0 => None,
            per_second => Some(Limit::new(per_second as u32)),
        };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refused::Crowded(MOST))?;
        let before = head.headers.get("last-event-id").map(|id| self.number(id));
        let news = Arc::new(Notify::new());
        let wake = Arc::clone(&news);
        let tail = self.recent.tail_after(filter, before.flatten(), move || wake.notify_one());
        let tail = tail.ok_or(Refused::Crowded(MOST))?;
        let (to, live) = mpsc::channel(1);
        let opening = self.opening(&tail, before == Some(None));
        let follower = Follower { tail, limit, news, stages, to, era: self.era.clone(), _place: place };
        tokio::task::spawn_local(follower.run());
        Ok(Answer::going_on("text/event-stream", opening, live).with(UNBUFFERED, HeaderValue::from_static("no")))
    }

    /// The number that an event's id stands for; `None` where it was another process's.
    fn number(&self, id: &HeaderValue) -> Option<u64> {
        let (era, number) = id.to_str().ok()?.rsplit_once('-')?;
        number.parse().ok().filter(|_| era == self.era)
    }

    /// Where it begins, so that whoever is cut off before the first record comes back to here.
    fn opening(&self, tail: &Tail, is_lost: bool) -> String {
        let lost = if is_lost { "event: missed\ndata: {\"count\":null}\n" } else { "" };
        format!("retry: 1000\nid: {}-{}\n{lost}\n", self.era, tail.seen())
    }
}

/// nginx keeps answers until they are long enough, unless it is told not to.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// No more than so many records a second.
struct Limit {
    per_second: u32,
    pace: Pace,
}

impl Limit {
    fn new(per_second: u32) -> Limit {
        Limit { per_second, pace: Pace::new(per_second, time::monotonic()) }
    }

    /// Waits until a piece may go; returns how many records it may have, and how many are left out for it.
    async fn piece(&self, tail: &mut Tail) -> (usize, u64) {
        let most = self.per_second.min(RECORDS as u32);
        let wait = self.pace.wait(most, time::monotonic());
        if wait.is_zero() {
            return (most as usize, 0);
        }
        tokio::time::sleep(wait).await;
        (most as usize, tail.skip(self.per_second.into(), most.into()))
    }
}

/// One of them.
struct Follower {
    tail: Tail,
    limit: Option<Limit>,
    news: Arc<Notify>,
    stages: watch::Receiver<Stage>,
    to: mpsc::Sender<Bytes>,
    era: String,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    async fn run(mut self) {
        let (to, mut stages) = (self.to.clone(), self.stages.clone());
        tokio::select! {
            biased;
            // Nobody to say how far it is means that the process is going.
            _ = stages.wait_for(|stage| *stage > Stage::Open) => {}
            () = to.closed() => {}
            () = self.tell() => {}
        }
    }

    /// Says what comes, for as long as somebody listens.
    async fn tell(&mut self) {
        let mut silence = tokio::time::interval(HEARTBEAT);
        silence.reset();
        loop {
            let batch = self.batch().await;
            let text = self.written(&batch);
            if !text.is_empty() {
                self.send(text).await;
                silence.reset();
            }
            if batch.more {
                // Others have something to do, too.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = self.news.notified() => {}
                _ = silence.tick() => self.send(format!(":\nid: {}-{}\n\n", self.era, self.tail.seen())).await,
            }
        }
    }

    /// What comes next, once it may go.
    async fn batch(&mut self) -> Batch {
        let Some(limit) = &mut self.limit else { return self.tail.take(RECORDS) };
        let (most, left_out) = limit.piece(&mut self.tail).await;
        let mut batch = self.tail.take(most);
        limit.pace.take(batch.lines.len() as u32, time::monotonic());
        batch.lost += left_out;
        batch
    }

    /// Waits until the piece before it is gone.
    async fn send(&self, text: String) {
        // Where nobody listens any more, that is seen at once beside this.
        let _ = self.to.send(text.into()).await;
    }

    fn written(&self, batch: &Batch) -> String {
        let mut text = String::new();
        // Nothing can fail that writes to a string.
        if batch.lost > 0 {
            let _ = write!(text, "event: missed\ndata: {{\"count\":{}}}\n\n", batch.lost);
        }
        for (line, number) in batch.lines.iter().zip(&batch.numbers) {
            let _ = write!(text, "id: {}-{number}\ndata: {}\n\n", self.era, on_one_line(&harmless(&line.json)));
        }
        text
    }
}

/// An end of a line within JSON is white space between its parts, and would be the end of the event's.
fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}
