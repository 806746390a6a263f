//! An upstream that answers everything and remembers exactly what it read, as a strict recipient reads it.

use std::sync::{Arc, Condvar, Mutex};

use super::DEADLINE;
use super::upstream::Upstream;
use super::wire::{Ended, Message};

/// What came, in order of arrival; connections that ended between requests leave nothing.
#[derive(Default)]
struct Seen {
    messages: Mutex<Vec<Message>>,
    grown: Condvar,
}

/// A recording upstream.
pub(crate) struct Recorder {
    /// Where the proxy finds it.
    pub(crate) upstream: Upstream,
    seen: Arc<Seen>,
}

impl Recorder {
    /// Answers `200` with the body `ok` to every whole request.
    pub(crate) fn start() -> Recorder {
        Recorder::answering("ok")
    }

    /// Answers `200` with this body to every whole request.
    pub(crate) fn answering(body: &'static str) -> Recorder {
        let seen = Arc::new(Seen::default());
        let upstream = Upstream::script({
            let seen = Arc::clone(&seen);
            move |conn| loop {
                let message = conn.whatever_comes();
                let ended = message.ended.clone();
                if ended != Ended::Closed {
                    seen.messages.lock().unwrap().push(message);
                    seen.grown.notify_all();
                }
                match ended {
                    Ended::Complete => conn.ok(body),
                    _ => return,
                }
            }
        });
        Recorder { upstream, seen }
    }

    /// How many messages came so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.messages.lock().unwrap().len()
    }

    /// All messages from the `first` on.
    pub(crate) fn since(&self, first: usize) -> Vec<Message> {
        self.seen.messages.lock().unwrap()[first..].to_vec()
    }

    /// Waits for a message that fulfils a condition and returns it.
    pub(crate) fn wait_for(&self, fulfilled: impl Fn(&Message) -> bool) -> Message {
        let messages = self.seen.messages.lock().unwrap();
        let (messages, timeout) =
            self.seen.grown.wait_timeout_while(messages, DEADLINE, |all| !all.iter().any(&fulfilled)).unwrap();
        assert!(!timeout.timed_out(), "the upstream only saw {messages:#?}");
        messages.iter().find(|message| fulfilled(message)).cloned().unwrap()
    }

    /// The request with this id, waited for.
    pub(crate) fn request(&self, id: &str) -> Message {
        self.wait_for(|message| message.all("x-request-id").any(|value| value == id))
    }
}
