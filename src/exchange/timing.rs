//! The named moments of an exchange, all from one monotonic clock, and the phases between them.

use std::time::Instant;

use crate::record::Timing;
use crate::time::micros;

/// When what happened. A moment that never came is `None`, and later moments do not need it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    /// A connection was being made.
    pub(super) connecting: Option<Instant>,
    /// TCP stood and the TLS handshake began.
    pub(super) securing: Option<Instant>,
    /// A connection was there and the request was being written.
    pub(super) sending: Option<Instant>,
    /// The last byte of the request was written.
    pub(super) sent: Option<Instant>,
    /// The first byte of the response was read.
    pub(super) answered: Option<Instant>,
}

impl Moments {
    /// The phases from `start` until `end`. Each runs until the next moment that came, so that they add up to the whole.
    pub(super) fn phases(&self, start: Instant, end: Instant) -> Timing {
        // An answer before the request's last byte ends the sending: what is sent later overlaps with it.
        let sent = match (self.sent, self.answered) {
            (Some(sent), Some(answered)) => Some(sent.min(answered)),
            (Some(sent), None) => Some(sent),
            (None, answered) => answered,
        };
        let moments = [Some(start), self.connecting, self.securing, self.sending, sent, self.answered];
        let phase = |index: usize| {
            let from = moments[index]?;
            let until = moments[index + 1..].iter().flatten().next().copied().unwrap_or(end);
            Some(micros(until.saturating_duration_since(from)))
        };
        Timing { queue: phase(0), connect: phase(1), tls: phase(2), send: phase(3), wait: phase(4), receive: phase(5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn the_phases_add_up_to_the_duration(
            steps in proptest::array::uniform7(0u64..1_000_000),
            reached in proptest::array::uniform5(any::<bool>()),
        ) {
            let start = crate::time::monotonic();
            let mut at = start;
            let mut moment = |index: usize| {
                at += Duration::from_micros(steps[index]);
                reached[index].then_some(at)
            };
            let moments = Moments {
                connecting: moment(0),
                securing: moment(1),
                sending: moment(2),
                sent: moment(3),
                answered: moment(4),
            };
            let end = at + Duration::from_micros(steps[5]);
            let timing = moments.phases(start, end);
            let phases = [timing.queue, timing.connect, timing.tls, timing.send, timing.wait, timing.receive];
            prop_assert_eq!(phases.iter().flatten().sum::<u64>(), micros(end - start));
            prop_assert_eq!(timing.connect.is_some(), reached[0]);
        }
    }
}
