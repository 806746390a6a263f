//! What statistics count of a request's record: a few numbers, taken while it is written, so that nobody has to read its
//! line for them.
//!
//! A gist is what all but a few records come to: of an error, and of a request among the slowest, there is more to show,
//! and that stands in the line. Names are places in lists that others keep ([`Gist::EVENTS`], [`Gist::route`]).

use super::{Event, Head, Level, Outcome, Progress};

/// What is counted of a record about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gist {
    /// Microseconds since the Unix epoch.
    pub at: u64,
    /// Microseconds since the head was read; 0 in a started record.
    pub duration: u64,
    /// Bytes of the request's body so far.
    pub request_bytes: u64,
    /// Bytes of the answer's body so far.
    pub response_bytes: u64,
    /// The place of the route's name, in the list of whoever counts requests; 0 where none matched.
    pub route: u32,
    /// What the client was sent; 0 is nothing.
    pub status: u16,
    /// The place of the event in [`Gist::EVENTS`].
    pub event: u8,
    /// How much it matters.
    pub level: Level,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// Crossed its threshold.
    pub slow: bool,
}

impl Gist {
    /// The logger of all of them.
    pub const LOGGER: &str = "gatelog.request";
    /// The events that there are gists of.
    pub const EVENTS: [Event; 6] = [
        Event::RequestStarted,
        Event::RequestSlow,
        Event::RequestUpgraded,
        Event::RequestProgress,
        Event::RequestFailed,
        Event::RequestCompleted,
    ];

    /// Of a record about a request on this route; `None` where the event is no part of a request's way.
    #[inline]
    pub fn of(head: &Head<'_>, progress: Option<&Progress<'_>>, route: u32) -> Option<Gist> {
        let gist = Gist {
            at: head.timestamp,
            duration: 0,
            request_bytes: 0,
            response_bytes: 0,
            route,
            status: 0,
            event: Gist::place(head.event)?,
            level: head.level,
            outcome: None,
            slow: false,
        };
        Some(progress.map_or(gist, |progress| Gist {
            duration: progress.duration,
            request_bytes: progress.request_size,
            response_bytes: progress.response_size.unwrap_or_default(),
            status: progress.status_code.unwrap_or_default(),
            outcome: progress.outcome,
            slow: progress.slow,
            ..gist
        }))
    }

    /// The place of an event in [`Gist::EVENTS`]; `None` where it is no part of a request's way.
    #[inline]
    pub const fn place(event: Event) -> Option<u8> {
        Some(match event {
            Event::RequestStarted => 0,
            Event::RequestSlow => 1,
            Event::RequestUpgraded => 2,
            Event::RequestProgress => 3,
            Event::RequestFailed => FAILED,
            Event::RequestCompleted => COMPLETED,
            _ => return None,
        })
    }

    /// Whether it is the end of a request: these are what requests are counted by.
    #[inline]
    pub fn is_request(&self) -> bool {
        self.event == COMPLETED
    }

    /// Whether it is an error of its own: `request_failed` is told by the end of its request, too.
    #[inline]
    pub fn is_error(&self) -> bool {
        self.level >= Level::Error && self.event != FAILED
    }
}

const FAILED: u8 = 4;
const COMPLETED: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(event: Event, level: Level) -> Head<'static> {
        Head { timestamp: 7, level, event, message: event.message(), logger: "gatelog.request" }
    }

    #[test]
    fn each_event_of_a_request_has_its_place_and_no_other_event_has_one() {
        for (place, event) in Gist::EVENTS.into_iter().enumerate() {
            let gist = Gist::of(&head(event, Level::Info), None, 3).expect("a gist");
            assert_eq!((usize::from(gist.event), gist.route, gist.at), (place, 3, 7));
            assert_eq!(gist.is_request(), event == Event::RequestCompleted);
        }
        for event in [Event::LogLoss, Event::Diagnostic, Event::Business("bought"), Event::SecurityEvent] {
            assert_eq!(Gist::of(&head(event, Level::Info), None, 0), None, "{event:?}");
        }
    }

    #[test]
    fn it_is_what_the_record_says() {
        let progress = Progress {
            duration: 1_234,
            request_size: 3,
            response_size: Some(512),
            status_code: Some(502),
            outcome: Some(Outcome::UpstreamRefused),
            slow: true,
            ..Progress::default()
        };
        let gist = Gist::of(&head(Event::RequestCompleted, Level::Error), Some(&progress), 9).expect("a gist");
        assert_eq!((gist.duration, gist.request_bytes, gist.response_bytes, gist.status), (1_234, 3, 512, 502));
        assert_eq!((gist.outcome, gist.slow, gist.is_error()), (Some(Outcome::UpstreamRefused), true, true));
        let failed = Gist::of(&head(Event::RequestFailed, Level::Error), Some(&progress), 9).expect("a gist");
        assert!(!failed.is_error());
    }
}
