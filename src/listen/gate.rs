//! What a client sends over HTTP/1, let through to hyper only once it has one reading.
//!
//! The gate follows the messages of a connection: it holds a head back until it is whole, judges it ([`head::check`]),
//! and then lets exactly its body pass, so that it knows where the next head begins however the bytes are cut and
//! pipelined. After a refusal nothing passes any more.

use bytes::{Buf, BytesMut};

use crate::net::chunked::{Scanner, Stretch};

use super::head::{self, Framing, HeadError, HeadLimits};

/// Bytes of a refused head that the record shows.
const EXCERPT: usize = 256;

/// The reason of what is refused within a body.
const CHUNKED: &str = "chunked_coding";

/// Follows the requests of one connection.
#[derive(Debug)]
pub struct Gate {
    limits: HeadLimits,
    place: Place,
    /// Heads that have passed.
    heads: u64,
    /// A head that is not whole yet.
    held: BytesMut,
    /// Bytes that have passed and that hyper had no room for.
    passed: BytesMut,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
enum Place {
    Head,
    Body(u64),
    Chunks(Box<Scanner>),
    /// Behind a head that offers another protocol: whose bytes come next is known once it is answered.
    Undecided,
    /// Not HTTP/1: everything passes.
    Open,
}

/// Bytes that were not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer; `None` where no answer can be read.
    pub status: Option<u16>,
    /// A stable token.
    pub reason: &'static str,
    /// The sentence beside it.
    pub detail: String,
    /// The first bytes.
    pub excerpt: Vec<u8>,
}

impl Refusal {
    /// What was refused is the head of a HEAD request: its answer has no body (RFC 9110 §9.3.2).
    pub fn is_of_head_request(&self) -> bool {
        let first = self.excerpt.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
        self.reason != CHUNKED && self.excerpt[first..].starts_with(b"HEAD ")
    }
}

impl Gate {
    /// A gate before an HTTP/1 connection.
    pub fn new(limits: HeadLimits) -> Gate {
        Gate { limits, place: Place::Head, heads: 0, held: BytesMut::new(), passed: BytesMut::new(), refusal: None }
    }

    /// Lets everything pass: HTTP/2 has its own framing.
    pub fn open(&mut self) {
        self.place = Place::Open;
    }

    /// Why nothing passes any more.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Refuses whatever is held, for a reason of the connection's own.
    pub fn refuse(&mut self, status: Option<u16>, reason: &'static str, detail: &str) {
        let excerpt = self.held[..self.held.len().min(EXCERPT)].to_vec();
        self.refusal.get_or_insert(Refusal { status, reason, detail: detail.to_owned(), excerpt });
    }

    /// Another protocol was offered, and it is not known yet whether it is taken.
    pub fn is_undecided(&self) -> bool {
        matches!(self.place, Place::Undecided)
    }

    /// The offer was not taken: HTTP/1 goes on.
    pub fn go_on(&mut self) {
        self.place = Place::Head;
        let ahead = std::mem::take(&mut self.held);
        let passed = self.judge(&ahead);
        self.pass_later(&ahead[..passed]);
    }

    /// The other protocol is spoken from here on: takes what has come of it already.
    pub fn give_up(&mut self) -> BytesMut {
        self.place = Place::Open;
        let mut ahead = std::mem::take(&mut self.passed);
        ahead.unsplit(std::mem::take(&mut self.held));
        ahead
    }

    /// Part of a head has come.
    pub fn is_mid_head(&self) -> bool {
        !self.held.is_empty() && !self.is_undecided()
    }

    /// So many requests have passed whole, and of a next one has come nothing.
    pub fn is_between(&self, requests: u64) -> bool {
        let at_head = matches!(self.place, Place::Head | Place::Undecided) && self.heads == requests;
        at_head && self.held.is_empty() && self.passed.is_empty() && self.refusal.is_none()
    }

    /// Gives the memory of what has passed back, where there is nothing of a next request.
    pub fn rest(&mut self) {
        if self.held.is_empty() && self.passed.is_empty() {
            (self.held, self.passed) = Default::default();
        }
    }

    /// A body is not whole yet.
    pub fn is_mid_body(&self) -> bool {
        match &self.place {
            Place::Head | Place::Undecided | Place::Open => false,
            Place::Body(left) => *left > 0,
            Place::Chunks(scanner) => !scanner.is_end(),
        }
    }

    /// Takes bytes that have passed and not been read yet.
    pub fn take_passed(&mut self, room: usize) -> BytesMut {
        // Ordinarily there are none, and splitting off nothing is not free.
        if self.passed.is_empty() {
            return BytesMut::new();
        }
        let taken = self.passed.len().min(room);
        self.passed.split_to(taken)
    }

    /// Keeps bytes that have passed until there is room for them.
    pub fn pass_later(&mut self, bytes: &[u8]) {
        self.passed.extend_from_slice(bytes);
    }

    /// Judges bytes that have come, where they stand. So many of them pass as they are; the gate keeps the others, and
    /// gives them out by [`Gate::take_passed`] once they may.
    pub fn judge(&mut self, bytes: &[u8]) -> usize {
        if self.held.is_empty() {
            let passed = self.follow(bytes);
            if self.refusal.is_none() {
                self.held.extend_from_slice(&bytes[passed..]);
            }
            return passed;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let passed = self.follow(&held);
        self.passed.unsplit(held.split_to(passed));
        if self.refusal.is_none() {
            self.held = held;
        }
        0
    }

    /// How many of these bytes pass now: whole heads that are good, and bodies.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.refusal.is_none() {
            match self.step(&bytes[at..]) {
                0 => break,
                taken => at += taken,
            }
        }
        at
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.place {
            Place::Open => bytes.len(),
            Place::Undecided => 0,
            Place::Head => self.read_head(bytes),
            Place::Body(left) => {
                let taken = (*left).min(bytes.len() as u64);
                *left -= taken;
                if *left == 0 {
                    self.place = Place::Head;
                }
                taken as usize
            }
            Place::Chunks(scanner) => match scanner.next(bytes) {
                Ok(Stretch::Coding(taken) | Stretch::Data(taken) | Stretch::Trailer(taken)) => {
                    if scanner.is_end() {
                        self.place = Place::Head;
                    }
                    taken
                }
                Ok(Stretch::End) => 0,
                Err(error) => {
                    self.refused(400, CHUNKED, error.to_string(), bytes);
                    0
                }
            },
        }
    }

    fn read_head(&mut self, bytes: &[u8]) -> usize {
        if let Some((end, framing)) = head::plain(bytes, &self.limits) {
            self.enter(framing);
            return end;
        }
        let Some(end) = head::end(bytes) else {
            if bytes.len() > self.limits.head_bytes {
                self.refused_head(too_large(bytes, &self.limits), bytes);
            }
            return 0;
        };
        match head::check(&bytes[..end], &self.limits) {
            Ok(framing) => {
                self.enter(framing);
                end
            }
            Err(error) => {
                self.refused_head(error, bytes);
                0
            }
        }
    }

    /// What comes behind a head.
    fn enter(&mut self, framing: Framing) {
        self.heads += 1;
        self.place = match framing {
            Framing::Length(0) => Place::Head,
            Framing::Length(length) => Place::Body(length),
            Framing::Chunked => Place::Chunks(Box::default()),
            Framing::Upgrade => Place::Undecided,
        };
    }

    fn refused_head(&mut self, error: HeadError, bytes: &[u8]) {
        self.refused(error.status(), error.reason(), error.to_string(), bytes);
    }

    fn refused(&mut self, status: u16, reason: &'static str, detail: String, bytes: &[u8]) {
        let excerpt = bytes[..bytes.len().min(EXCERPT)].to_vec();
        self.refusal = Some(Refusal { status: Some(status), reason, detail, excerpt });
    }
}

/// Which of the two limits on size an endless head has broken.
fn too_large(bytes: &[u8], limits: &HeadLimits) -> HeadError {
    let line = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if line > limits.target_bytes { HeadError::TargetTooLong } else { HeadError::TooLarge }
}

/// Moves what has passed into a reader's buffer.
pub fn give(passed: &mut BytesMut, buf: &mut tokio::io::ReadBuf<'_>) {
    buf.put_slice(passed);
    passed.advance(passed.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 1000, fields: 10, target_bytes: 100 };

    /// What passes, and why it stopped, when the bytes come in pieces of this size.
    fn pass(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<&'static str>) {
        let (mut gate, mut passed) = (Gate::new(LIMITS), Vec::new());
        for piece in bytes.chunks(piece) {
            if gate.refusal().is_some() {
                break;
            }
            let at_once = gate.judge(piece);
            passed.extend_from_slice(&piece[..at_once]);
            passed.extend_from_slice(&gate.take_passed(usize::MAX));
        }
        (passed, gate.refusal().map(|refusal| refusal.reason))
    }

    const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    const POST: &str = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET ";
    const CHUNKED: &str =
        "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n";

    #[test]
    fn pipelined_requests_pass_however_they_are_cut() {
        let all = [GET, POST, CHUNKED, GET].concat();
        for piece in 1..all.len() + 1 {
            assert_eq!(pass(all.as_bytes(), piece), (all.clone().into_bytes(), None), "pieces of {piece}");
        }
    }

    #[test]
    fn nothing_of_a_refused_head_passes() {
        let bad = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc";
        let all = [POST, bad, GET].concat();
        for piece in 1..all.len() + 1 {
            assert_eq!(pass(all.as_bytes(), piece), (POST.as_bytes().to_vec(), Some("framing_conflict")));
        }
    }

    #[test]
    fn a_refusal_knows_whether_its_answer_may_have_a_body() {
        let is_of_head = |bytes: &str| {
            let mut gate = Gate::new(LIMITS);
            gate.judge(bytes.as_bytes());
            gate.refusal().expect("a refusal").is_of_head_request()
        };
        assert!(is_of_head("HEAD / HTTP/1.1\r\n\r\n"));
        assert!(is_of_head("\r\nHEAD / HTTP/1.1\r\n\r\n"));
        assert!(!is_of_head("GET / HTTP/1.1\r\n\r\n"));
        assert!(!is_of_head("HEADS / HTTP/1.1\r\n\r\n"));
        assert!(!is_of_head("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nHEAD \r\n"));
    }

    #[test]
    fn a_head_without_end_is_refused_at_its_limit() {
        assert_eq!(pass(&[b'A'; 1001], 7).1, Some("uri_bytes"));
        let fields = format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(1000));
        assert_eq!(pass(fields.as_bytes(), 7).1, Some("header_bytes"));
    }

    const OFFER: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

    #[test]
    fn behind_an_offer_of_another_protocol_nothing_passes_before_it_is_answered() {
        let all = [OFFER, GET, POST].concat();
        for piece in 1..all.len() + 1 {
            let mut gate = Gate::new(LIMITS);
            let mut passed = Vec::new();
            for piece in all.as_bytes().chunks(piece) {
                let at_once = gate.judge(piece);
                passed.extend_from_slice(&piece[..at_once]);
                passed.extend_from_slice(&gate.take_passed(usize::MAX));
            }
            assert_eq!((passed.as_slice(), gate.is_mid_head()), (OFFER.as_bytes(), false), "pieces of {piece}");
            gate.go_on();
            assert_eq!(gate.take_passed(usize::MAX), [GET, POST].concat(), "pieces of {piece}");
        }
    }

    #[test]
    fn words_in_the_other_protocol_are_given_as_they_are_and_judged_if_it_is_not_taken() {
        let words = b"\x81\x85\0\0\0\0hello\r\n\r\n";
        let mut gate = Gate::new(LIMITS);
        assert_eq!(gate.judge(&[OFFER.as_bytes(), words].concat()), OFFER.len());
        assert!(gate.refusal().is_none());
        assert_eq!(gate.give_up(), &words[..]);
        let mut gate = Gate::new(LIMITS);
        gate.judge(&[OFFER.as_bytes(), words].concat());
        gate.go_on();
        assert_eq!(gate.refusal().map(|refusal| refusal.reason), Some("request_line"));
    }

    proptest! {
        #[test]
        fn the_cut_of_the_reads_changes_nothing(
            parts in proptest::collection::vec(
                prop_oneof![Just(GET), Just(POST), Just(CHUNKED), "[ -~\r\n]{0,30}".prop_map(|s| &*s.leak())], 0..5),
            piece in 1usize..40,
        ) {
            let all = parts.concat();
            prop_assert_eq!(pass(all.as_bytes(), piece), pass(all.as_bytes(), usize::MAX));
        }
    }
}
