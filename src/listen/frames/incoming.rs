//! Frames that come in and carry nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA and CONTINUATION, and those
//! that nobody knows. Each costs its client nothing and this side some work, so that there is a bound: so many in ten
//! seconds, and some more for what goes on besides (CVE-2019-9512, -9513, -9515, -9518).

use std::fmt;
use std::time::{Duration, Instant};

use super::cutter::Cutter;
use super::{CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, length};
use crate::time;

/// Bytes that come before the first frame (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// So many are borne...
const AT_ONCE: u32 = 1000;
/// ...in this time.
const PERIOD: Duration = Duration::from_secs(10);
/// And for each request so many more.
const FOR_REQUEST: u32 = 8;
/// And for each DATA frame that is sent, whose reader opens two windows again and may measure the way with PING.
const FOR_DATA: u32 = 4;
/// What is saved up by all of that, at most: what a client sends of them within some milliseconds.
const AT_MOST: u32 = 100_000;
/// A stream, or a block of fields, ends with a frame that has this flag; it may have nothing else to say.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Follows the frames that a client sends, however they are cut.
#[derive(Debug)]
pub(super) struct Incoming {
    cutter: Cutter,
    /// How many frames that carry nothing are still borne.
    allowed: u32,
    /// When the current period began.
    since: Instant,
    flood: Option<Flood>,
    is_flooded: bool,
}

/// One frame too many that carries nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) struct Flood {
    /// The type of that frame.
    kind: u8,
}

impl Default for Incoming {
    fn default() -> Self {
        Incoming {
            cutter: Cutter::after(PREFACE),
            allowed: AT_ONCE,
            since: time::monotonic(),
            flood: None,
            is_flooded: false,
        }
    }
}

impl Incoming {
    /// One frame more than may be has come, ever.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_flooded
    }

    /// That frame, once.
    pub(super) fn take_flood(&mut self) -> Option<Flood> {
        self.flood.take()
    }

    /// So many DATA frames were sent.
    pub(super) fn allow_for_data(&mut self, frames: u32) {
        self.allow(frames.saturating_mul(FOR_DATA));
    }

    /// Takes note of bytes that came in.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        let mut cutter = std::mem::take(&mut self.cutter);
        cutter.follow(bytes, |_| 0, |head| self.understand(head));
        self.cutter = cutter;
    }

    fn understand(&mut self, head: &[u8]) {
        let &[_, _, _, kind, flags, ..] = head else { return };
        let is_empty = length(head) == 0;
        match kind {
            HEADERS => self.allow(FOR_REQUEST),
            DATA if !is_empty || flags & END_STREAM != 0 => {}
            CONTINUATION if !is_empty || flags & END_HEADERS != 0 => {}
            // Resets have a limit of their own, and with GOAWAY a client takes its leave.
            RST_STREAM | GOAWAY => {}
            _ => self.bear(kind),
        }
    }

    fn allow(&mut self, more: u32) {
        self.allowed = self.allowed.saturating_add(more).min(AT_MOST);
    }

    fn bear(&mut self, kind: u8) {
        match self.allowed.checked_sub(1) {
            Some(allowed) => self.allowed = allowed,
            None => self.look_at_the_clock(kind, time::monotonic()),
        }
    }

    /// All that were allowed are used up: that is well if they were so for long enough.
    #[cold]
    fn look_at_the_clock(&mut self, kind: u8, now: Instant) {
        if now.saturating_duration_since(self.since) >= PERIOD {
            self.since = now;
            self.allowed = AT_ONCE - 1;
        } else if !self.is_flooded {
            self.is_flooded = true;
            self.flood = Some(Flood { kind });
        }
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = PERIOD.as_secs();
        write!(f, "more than {AT_ONCE} frames that carry nothing in {seconds} s, beside what is due; the last: ")?;
        match self.kind {
            DATA => f.write_str("empty DATA"),
            PRIORITY => f.write_str("PRIORITY"),
            SETTINGS => f.write_str("SETTINGS"),
            PING => f.write_str("PING"),
            WINDOW_UPDATE => f.write_str("WINDOW_UPDATE"),
            CONTINUATION => f.write_str("empty CONTINUATION"),
            kind => write!(f, "type {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::frame;
    use super::*;

    /// A connection past its preface.
    fn begun() -> Incoming {
        let mut frames = Incoming::default();
        frames.follow(&[b'P'; PREFACE]);
        frames
    }

    fn times(count: u32, one: &[u8]) -> Vec<u8> {
        one.repeat(count as usize)
    }

    fn ping() -> Vec<u8> {
        frame(PING, 0, 0, b"12345678")
    }

    #[test]
    fn one_frame_more_than_is_borne_is_told_once() {
        for (kind, payload, name) in [
            (PING, 8, "the last: PING"),
            (SETTINGS, 0, "the last: SETTINGS"),
            (PRIORITY, 5, "the last: PRIORITY"),
            (WINDOW_UPDATE, 4, "the last: WINDOW_UPDATE"),
            (DATA, 0, "the last: empty DATA"),
            (CONTINUATION, 0, "the last: empty CONTINUATION"),
            (42, 3, "the last: type 42"),
        ] {
            let mut frames = begun();
            let one = frame(kind, 0, 1, &vec![0; payload]);
            frames.follow(&times(AT_ONCE, &one));
            assert!(!frames.is_flooded(), "{name}");
            frames.follow(&times(5, &one));
            let told = frames.take_flood().map(|flood| flood.to_string()).unwrap_or_default();
            assert!(told.contains(name), "{told}");
            assert_eq!((frames.take_flood(), frames.is_flooded()), (None, true));
        }
    }

    #[test]
    fn frames_that_carry_something_are_not_counted() {
        let mut frames = begun();
        let all = [
            frame(DATA, 0, 1, b"x"),
            frame(DATA, END_STREAM, 1, b""),
            frame(CONTINUATION, 0, 1, b"x"),
            frame(CONTINUATION, END_HEADERS, 1, b""),
            frame(RST_STREAM, 0, 1, &[0; 4]),
        ];
        frames.follow(&times(2 * AT_ONCE, &all.concat()));
        assert_eq!((frames.allowed, frames.is_flooded()), (AT_ONCE, false));
    }

    #[test]
    fn requests_and_answers_allow_for_more() {
        let mut frames = begun();
        frames.follow(&times(10, &frame(HEADERS, END_STREAM | END_HEADERS, 1, b"x")));
        frames.allow_for_data(100);
        frames.follow(&times(AT_ONCE + 10 * FOR_REQUEST + 100 * FOR_DATA, &ping()));
        assert!(!frames.is_flooded());
        frames.follow(&ping());
        assert!(frames.is_flooded());
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let mut frames = begun();
        frames.allow_for_data(u32::MAX);
        frames.follow(&times(AT_MOST, &ping()));
        assert!(!frames.is_flooded());
        frames.follow(&ping());
        assert!(frames.is_flooded());
    }

    #[test]
    fn a_new_period_bears_as_many_again() {
        let mut frames = begun();
        frames.follow(&times(AT_ONCE, &ping()));
        let later = frames.since + PERIOD;
        frames.look_at_the_clock(PING, later);
        assert_eq!((frames.allowed, frames.since, frames.is_flooded()), (AT_ONCE - 1, later, false));
        frames.allowed = 0;
        frames.look_at_the_clock(PING, later + PERIOD / 2);
        assert!(frames.is_flooded());
    }

    proptest! {
        #[test]
        fn frames_are_counted_however_they_are_cut(
            all in vec((0u8..12, any::<u8>(), vec(any::<u8>(), 0..20)), 0..40),
            cut in 1usize..30,
        ) {
            let bytes: Vec<u8> = all.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, 1, payload)).collect();
            let (mut whole, mut pieces) = (begun(), begun());
            whole.follow(&bytes);
            bytes.chunks(cut).for_each(|piece| pieces.follow(piece));
            prop_assert_eq!(whole.allowed, pieces.allowed);
            let requests = all.iter().filter(|(kind, ..)| *kind == HEADERS).count() as u32;
            prop_assert!(whole.allowed <= AT_ONCE + FOR_REQUEST * requests);
        }
    }
}
