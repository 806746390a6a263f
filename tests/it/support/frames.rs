//! HTTP/2 written by hand: frames and header blocks that no library would send, and a reader of what comes back.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;

use super::Client;
use super::tls::Authority;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags (RFC 9113 §6).
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const WITH_PRIORITY: u8 = 32;
/// A head that is a whole request.
pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;

/// How a client begins (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A field of a head: name and value.
pub(crate) type Field<'a> = (&'a [u8], &'a [u8]);

/// A frame, however little sense it makes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A SETTINGS frame of these parameters and values.
pub(crate) fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        all.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, payload)
}

/// A string literal of HPACK without Huffman coding (RFC 7541 §5.2).
pub(crate) fn literal(bytes: &[u8]) -> Vec<u8> {
    let mut coded = match bytes.len() {
        short @ 0..127 => vec![short as u8],
        long => {
            let rest = long - 127;
            vec![127, (rest % 128) as u8 | 128, u8::try_from(rest / 128).unwrap()]
        }
    };
    coded.extend_from_slice(bytes);
    coded
}

/// A header block of literals that are not indexed (RFC 7541 §6.2.2).
pub(crate) fn block<'a>(fields: impl IntoIterator<Item = Field<'a>>) -> Vec<u8> {
    fields.into_iter().flat_map(|(name, value)| [vec![0], literal(name), literal(value)].concat()).collect()
}

/// A frame that came back.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// It has all these flags.
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Four bytes of its payload as a number.
    pub(crate) fn number_at(&self, place: usize) -> u32 {
        u32::from_be_bytes(self.payload[place..place + 4].try_into().unwrap())
    }
}

/// A connection to the proxy, frame by frame.
pub(crate) struct Frames(Client);

impl Frames {
    /// In the clear, before its first byte.
    pub(crate) fn connect(addr: SocketAddr) -> Frames {
        Frames(Client::connect(addr))
    }

    /// The same over TLS, where the protocol is agreed on beforehand.
    pub(crate) fn connect_tls(addr: SocketAddr) -> Frames {
        Frames(Client::connect(addr).secure(Authority::shared().client(&["h2"]), "localhost"))
    }

    /// This end's address as the proxy's `peer_address` names it.
    pub(crate) fn peer(&self) -> String {
        self.0.local_addr()
    }

    /// Sends literal bytes; whether the proxy, which may have closed already, takes them.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.try_send(bytes).is_ok()
    }

    /// The next frame; `None` when the connection is over.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.fill(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.fill(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame that is like this one.
    pub(crate) fn next_that(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        std::iter::from_fn(|| self.next()).find(wanted)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        let read = self.0.transport().read_exact(bytes);
        assert!(!matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock), "the proxy is silent");
        read.ok()
    }
}
