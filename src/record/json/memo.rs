//! What was encoded for an earlier line and would come out the same again: heads of lines about requests, which differ in
//! their moment and number only, and the TLS session, which is the connection's.
//!
//! Each is remembered with all that it was made from, and compared with that before it is taken.

use super::writer::Writer;
use super::{Head, Tls};
use crate::record::{Event, Level};

/// Events about requests, each with any level.
const SLOTS: usize = 4 * Level::ALL.len();

/// Heads of lines, from behind the timestamp on.
#[derive(Debug)]
pub(super) struct Heads {
    slots: [KnownHead; SLOTS],
    /// For all other events.
    scratch: Vec<u8>,
}

#[derive(Debug, Default)]
struct KnownHead {
    message: String,
    logger: String,
    bytes: Vec<u8>,
    hole: usize,
}

impl Heads {
    pub(super) fn new() -> Heads {
        Heads { slots: std::array::from_fn(|_| KnownHead::default()), scratch: Vec::new() }
    }

    /// Forgets them all: what they hold beside the record has changed.
    pub(super) fn clear(&mut self) {
        self.slots.iter_mut().for_each(|known| known.bytes.clear());
    }

    /// The head of this line, and where in it the hole for `seq` is. `write` makes it, and tells that place.
    pub(super) fn of(&mut self, head: &Head<'_>, write: impl FnOnce(&mut Vec<u8>) -> usize) -> (&[u8], usize) {
        let Some(slot) = slot(head) else {
            self.scratch.clear();
            let hole = write(&mut self.scratch);
            return (&self.scratch, hole);
        };
        let known = &mut self.slots[slot];
        if known.bytes.is_empty() || known.message != head.message || known.logger != head.logger {
            known.bytes.clear();
            known.hole = write(&mut known.bytes);
            head.message.clone_into(&mut known.message);
            head.logger.clone_into(&mut known.logger);
        }
        (&known.bytes, known.hole)
    }
}

fn slot(head: &Head<'_>) -> Option<usize> {
    let event = match head.event {
        Event::RequestStarted => 0,
        Event::RequestSlow => 1,
        Event::RequestFailed => 2,
        Event::RequestCompleted => 3,
        _ => return None,
    };
    Some(event * Level::ALL.len() + head.level as usize)
}

/// The session that was encoded last.
#[derive(Debug, Default)]
pub(super) struct Session {
    version: String,
    cipher: String,
    sni: Option<String>,
    alpn: Option<String>,
    client_subject: Option<String>,
    bytes: Vec<u8>,
}

impl Session {
    /// Appends `tls`.
    pub(super) fn write(&mut self, tls: &Tls<'_>, line: &mut Writer<'_>) {
        if !self.is(tls) {
            self.remember(tls, line.nulls());
        }
        line.raw(&self.bytes);
    }

    fn is(&self, tls: &Tls<'_>) -> bool {
        !self.bytes.is_empty()
            && self.sni.as_deref() == tls.sni
            && self.alpn.as_deref() == tls.alpn
            && self.client_subject.as_deref() == tls.client_subject
            && self.version == tls.version
            && self.cipher == tls.cipher
    }

    fn remember(&mut self, tls: &Tls<'_>, nulls: bool) {
        tls.version.clone_into(&mut self.version);
        tls.cipher.clone_into(&mut self.cipher);
        self.sni = tls.sni.map(str::to_owned);
        self.alpn = tls.alpn.map(str::to_owned);
        self.client_subject = tls.client_subject.map(str::to_owned);
        self.bytes.clear();
        let mut line = Writer::new(&mut self.bytes, nulls);
        line.text(",\"tls\":{\"version\":", tls.version.as_bytes());
        line.text(",\"cipher\":", tls.cipher.as_bytes());
        line.str_or_null(",\"sni\":", tls.sni);
        line.str_or_null(",\"alpn\":", tls.alpn);
        line.str_or_null(",\"client_subject\":", tls.client_subject);
        line.raw(b"}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::record::Schema;
    use crate::record::json::Encoder;
    use crate::record::tests::samples::{any_record, settings};

    proptest! {
        /// Records come in any order, twice each, and the room for numbers grows meanwhile.
        #[test]
        fn an_encoder_that_remembers_writes_what_a_new_one_does(
            all in vec(any_record(), 1..5),
            order in vec((any::<prop::sample::Index>(), 0usize..8), 1..12),
        ) {
            let mut used = Encoder::new("i1", &settings(Schema::Native, false));
            for (index, digits) in order {
                index.get(&all).with(|record| {
                    let mut fresh = Encoder::new("i1", &settings(Schema::Native, false));
                    let (mut one, mut other) = (Vec::new(), Vec::new());
                    used.leave_room(digits);
                    fresh.leave_room(digits);
                    assert_eq!(used.record(record, &mut one), fresh.record(record, &mut other));
                    assert_eq!(one, other);
                });
            }
        }
    }
}
