//! Frames that go out: a stream that breaks the protocol is reset by the library, which tells nobody. Beside heads of
//! frames RST_STREAM is looked at (RFC 9113 §6.4), and DATA is counted.

use std::fmt;

use h2::Reason;

use super::cutter::Cutter;
use super::{DATA, RST_STREAM};

/// Follows the frames of one connection, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    cutter: Cutter,
    refused: Option<Refused>,
    /// DATA frames since somebody asked.
    data: u32,
    /// This side has given up a stream; its client may go on sending, and be told STREAM_CLOSED, before it knows.
    has_given_up: bool,
}

/// Streams that were reset because of what the client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) struct Refused {
    /// How many.
    count: u64,
    /// The last of them.
    stream: u32,
    reason: Reason,
}

impl Outgoing {
    /// What was refused since this was asked last.
    pub(super) fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// How many DATA frames have begun since this was asked last.
    pub(super) fn take_data(&mut self) -> u32 {
        std::mem::take(&mut self.data)
    }

    /// Takes note of bytes that went out.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        let mut cutter = std::mem::take(&mut self.cutter);
        cutter.follow(bytes, |kind| if kind == RST_STREAM { 4 } else { 0 }, |start| self.understand(start));
        self.cutter = cutter;
    }

    fn understand(&mut self, start: &[u8]) {
        match start {
            [_, _, _, RST_STREAM, _, a, b, c, d, code @ ..] => {
                let code = code.try_into().map_or(0, u32::from_be_bytes);
                self.note(u32::from_be_bytes([*a, *b, *c, *d]), Reason::from(code));
            }
            _ => self.data += u32::from(start.get(3) == Some(&DATA)),
        }
    }

    fn note(&mut self, stream: u32, reason: Reason) {
        if !is_about_client(reason) {
            self.has_given_up = true;
        } else if reason != Reason::STREAM_CLOSED || !self.has_given_up {
            let count = self.refused.map_or(1, |earlier| earlier.count + 1);
            self.refused = Some(Refused { count, stream, reason });
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { count, stream, reason } = self;
        match count {
            1 => write!(f, "stream {stream} was refused with {reason:?}"),
            _ => write!(f, "{count} streams were refused, the last of them, {stream}, with {reason:?}"),
        }
    }
}

/// Whether a stream is reset for what the client did. The others say that nobody wants it any more, or that this side has
/// failed; those have a record of their own.
fn is_about_client(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PROTOCOL_ERROR
            | Reason::FLOW_CONTROL_ERROR
            | Reason::STREAM_CLOSED
            | Reason::FRAME_SIZE_ERROR
            | Reason::REFUSED_STREAM
            | Reason::COMPRESSION_ERROR
            | Reason::ENHANCE_YOUR_CALM
    )
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::frame;
    use super::*;

    fn reset(stream: u32, reason: Reason) -> Vec<u8> {
        frame(RST_STREAM, 0, stream, &u32::from(reason).to_be_bytes())
    }

    #[test]
    fn only_resets_for_what_the_client_did_are_told() {
        let mut frames = Outgoing::default();
        for reason in [Reason::NO_ERROR, Reason::INTERNAL_ERROR, Reason::CANCEL] {
            frames.follow(&reset(1, reason));
        }
        assert_eq!(frames.take_refused(), None);
        frames.follow(&reset(3, Reason::PROTOCOL_ERROR));
        let told = frames.take_refused().map(|refused| refused.to_string());
        assert_eq!(told.as_deref(), Some("stream 3 was refused with PROTOCOL_ERROR"));
        assert_eq!(frames.take_refused(), None);
    }

    #[test]
    fn who_is_late_for_a_stream_that_was_given_up_has_done_nothing() {
        let mut frames = Outgoing::default();
        frames.follow(&reset(1, Reason::NO_ERROR));
        frames.follow(&reset(1, Reason::STREAM_CLOSED));
        assert_eq!(frames.take_refused(), None);
        frames.follow(&reset(3, Reason::PROTOCOL_ERROR));
        assert!(frames.take_refused().is_some());
    }

    #[test]
    fn what_looks_like_a_reset_within_a_payload_is_none() {
        let mut frames = Outgoing::default();
        frames.follow(&frame(DATA, 0, 1, &reset(1, Reason::PROTOCOL_ERROR)));
        assert_eq!(frames.take_refused(), None);
    }

    proptest! {
        #[test]
        fn resets_are_found_however_the_frames_are_cut(
            all in vec((0u8..10, 0u32..1000, vec(any::<u8>(), 0..40)), 0..20),
            cut in 1usize..30,
        ) {
            let mut bytes = Vec::new();
            let mut resets = Vec::new();
            for (kind, stream, payload) in &all {
                if *kind == RST_STREAM {
                    bytes.extend(reset(*stream, Reason::STREAM_CLOSED));
                    resets.push(*stream);
                } else {
                    bytes.extend(frame(*kind, 0, *stream, payload));
                }
            }
            let mut frames = Outgoing::default();
            bytes.chunks(cut).for_each(|piece| frames.follow(piece));
            let due = resets.last().map(|stream| Refused {
                count: resets.len() as u64,
                stream: *stream,
                reason: Reason::STREAM_CLOSED,
            });
            prop_assert_eq!(frames.take_refused(), due);
        }
    }
}
