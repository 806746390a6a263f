//! Reads along in the frames of an HTTP/2 connection, of which the library says too little: streams that it resets, and
//! frames that a client sends for nothing but work. Only heads of frames are looked at (RFC 9113 §4.1).

mod cutter;
mod incoming;
mod outgoing;

use std::fmt;
use std::io;
use std::task::Poll;

use tokio::io::ReadBuf;

use self::incoming::{Flood, Incoming};
use self::outgoing::{Outgoing, Refused};

/// Bytes of a frame's head.
const HEAD: usize = 9;

/// Types of frames (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// The frames of one connection, both ways.
#[derive(Debug, Default)]
pub(super) struct Frames {
    incoming: Incoming,
    outgoing: Outgoing,
}

/// What a client has done that the library does not tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Streams were reset because of it; the others go on.
    Refused(Refused),
    /// Too many frames that carry nothing: the connection is over.
    Flood(Flood),
}

impl Frames {
    /// Reads by `read`, and takes note of what comes in. After a flood nothing is read any more, and nobody woken: the
    /// connection's driver asks for faults whenever something was read.
    pub(super) fn poll_read(
        &mut self,
        buf: &mut ReadBuf<'_>,
        read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if self.incoming.is_flooded() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = read(buf);
        self.incoming.follow(&buf.filled()[before..]);
        read
    }

    /// Takes note of the first `written` bytes of these pieces, which went out.
    pub(super) fn sent(&mut self, pieces: &[&[u8]], mut written: usize) {
        for piece in pieces {
            let taken = written.min(piece.len());
            self.outgoing.follow(&piece[..taken]);
            written -= taken;
        }
        self.incoming.allow_for_data(self.outgoing.take_data());
    }

    /// What has not been told yet.
    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.outgoing.take_refused().map(Fault::Refused).or_else(|| self.incoming.take_flood().map(Fault::Flood))
    }
}

impl Fault {
    /// The connection ends with it.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Fault::Flood(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refused(refused) => refused.fmt(f),
            Fault::Flood(flood) => flood.fmt(f),
        }
    }
}

/// How long the payload behind a head is.
fn length(head: &[u8]) -> usize {
    head.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// A frame as it goes over the wire.
#[cfg(test)]
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
