//! What honest clients do not do, and limits that were hit: `security_event` on `gatelog.security`, beside the records of
//! the request that it is about.
//!
//! Heads that cannot be read and handshakes that fail have their `request_rejected`, one each, and none of these.
//!
//! Whoever attacks must not be able to fill the log. So for each [`Sign`] a core writes [`BURST`] records at once and one a
//! second after that; what is left out is counted, and told by the next record of the sign as `suppressed`: by that of a
//! request, or, once it has been quiet for a second and at shutdown, by one that is about no request. A request has at
//! most one of each.

use std::time::{Duration, Instant};

use crate::net::Peer;
use crate::record::{Event, Level, Rejected};

use super::{Exchange, Exchanges, SECURITY_LOGGER};

/// Records of one sign that a core writes at once.
pub const BURST: u32 = 20;
/// How long it takes until one more may be written.
const REFILL: Duration = Duration::from_secs(1);
/// What a record says that only tells of others.
const LEFT_OUT: &str = "others of this reason were left out";

/// What it is that looks like an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A path that leaves its folder, or hides how.
    PathTraversal,
    /// Forwarding fields of a peer that is not trusted. They are replaced before the request goes on.
    SpoofedForwarding,
    /// A field that some servers take for one that frames or vouches (`X_Forwarded_For`). It is taken off.
    DisguisedField,
    /// Host and request target contradict each other, or name no host.
    Host,
    /// A body with TRACE, or CONNECT: neither is offered.
    Method,
    /// A target over `limits.uri_bytes`, in HTTP/2.
    UriBytes,
    /// A head over `limits.header_bytes`, in HTTP/2.
    HeaderBytes,
    /// More fields than `limits.header_count`, in HTTP/2.
    HeaderCount,
    /// A body over `limits.body_bytes`.
    BodyBytes,
    /// A body that stopped for `limits.body_idle_timeout`.
    BodyTimeout,
    /// This proxy has passed the request on too often before.
    Loop,
    /// A client asks more often than `limits.requests_per_second`.
    RequestRate,
    /// A body that came more slowly than `limits.body_min_rate`.
    BodyRate,
    /// More connections than `limits.connections`.
    Connections,
    /// More connections of a client than `limits.connections_per_ip`.
    ConnectionsPerIp,
    /// An HTTP/2 client that resets more than `limits.resets_per_connection`.
    Resets,
    /// An HTTP/2 client whose frames break the protocol, or are too many of a kind.
    Http2,
}

impl Sign {
    /// Every sign.
    pub const ALL: [Sign; 17] = [
        Sign::PathTraversal,
        Sign::SpoofedForwarding,
        Sign::DisguisedField,
        Sign::Host,
        Sign::Method,
        Sign::UriBytes,
        Sign::HeaderBytes,
        Sign::HeaderCount,
        Sign::BodyBytes,
        Sign::BodyTimeout,
        Sign::Loop,
        Sign::RequestRate,
        Sign::BodyRate,
        Sign::Connections,
        Sign::ConnectionsPerIp,
        Sign::Resets,
        Sign::Http2,
    ];

    /// The `reason` of the record. What `request_rejected` has for HTTP/1 is called the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Sign::PathTraversal => "path_traversal",
            Sign::SpoofedForwarding => "spoofed_forwarding",
            Sign::DisguisedField => "disguised_field",
            Sign::Host => "host",
            Sign::Method => "method",
            Sign::UriBytes => "uri_bytes",
            Sign::HeaderBytes => "header_bytes",
            Sign::HeaderCount => "header_count",
            Sign::BodyBytes => "body_bytes",
            Sign::BodyTimeout => "body_idle_timeout",
            Sign::Loop => "proxy_loop",
            Sign::RequestRate => "requests_per_second",
            Sign::BodyRate => "body_min_rate",
            Sign::Connections => "connections",
            Sign::ConnectionsPerIp => "connections_per_ip",
            Sign::Resets => "resets_per_connection",
            Sign::Http2 => "http2",
        }
    }
}

/// Something suspicious about a request.
#[derive(Debug, Clone, Copy)]
pub struct Suspicion<'a> {
    /// What kind.
    pub sign: Sign,
    /// The sentence beside it.
    pub detail: &'a str,
    /// The bytes that show it, redacted; the record shows the first of them.
    pub excerpt: &'a [u8],
}

impl Exchange {
    /// Writes a `security_event`, if none of the same sign was written about this request, and not too many about others.
    #[cold]
    pub fn suspect(&self, suspicion: &Suspicion<'_>) {
        let ledger = &self.0;
        let bit = 1 << suspicion.sign as u32;
        let earlier = ledger.suspicions.replace(ledger.suspicions.get() | bit);
        if earlier & bit == 0 {
            ledger.core.meter.suspect(suspicion.sign);
        }
        if earlier & bit != 0 || ledger.silent || !ledger.core.desk.intake.allows(SECURITY_LOGGER, Level::Warning) {
            return;
        }
        let spent = ledger.core.desk.budget.borrow_mut().spend(suspicion.sign, ledger.core.desk.clock.now());
        let Some(suppressed) = spent else { return };
        let (client, peer) = ledger.facts.addresses();
        ledger.core.warn(
            Event::SecurityEvent,
            &Rejected {
                peer_address: Some(peer),
                ip_address: client,
                status_code: None,
                reason: suspicion.sign.as_str(),
                detail: suspicion.detail,
                excerpt: suspicion.excerpt,
                request_id: Some(self.id().as_str()),
                suppressed,
            },
        );
    }
}

impl Exchanges {
    /// Writes a `security_event` about a connection, if not too many of its sign were written; `answer`: the status that
    /// it was sent, and the id with it.
    pub fn suspect(&self, peer: &Peer, sign: Sign, detail: &str, answer: Option<(u16, &str)>) {
        self.meter.suspect(sign);
        if !self.desk.intake.allows(SECURITY_LOGGER, Level::Warning) {
            return;
        }
        let spent = self.desk.budget.borrow_mut().spend(sign, self.desk.clock.now());
        let Some(suppressed) = spent else { return };
        let (ip, shown) = self.shown(peer);
        self.warn(
            Event::SecurityEvent,
            &Rejected {
                peer_address: Some(&shown),
                ip_address: ip.as_deref(),
                status_code: answer.map(|(status, _)| status),
                reason: sign.as_str(),
                detail,
                excerpt: &[],
                request_id: answer.map(|(_, id)| id),
                suppressed,
            },
        );
    }

    /// Tells of security events that were left out, where it has become quiet; all of them before the `last` word.
    pub fn tell_suppressed(&self, last: bool) {
        let now = self.desk.clock.now();
        for sign in Sign::ALL {
            let told = self.desk.budget.borrow_mut().settle(sign, now, last);
            if let Some(suppressed) = told {
                self.warn(
                    Event::SecurityEvent,
                    &Rejected {
                        peer_address: None,
                        ip_address: None,
                        status_code: None,
                        reason: sign.as_str(),
                        detail: LEFT_OUT,
                        excerpt: &[],
                        request_id: None,
                        suppressed,
                    },
                );
            }
        }
    }
}

/// What may still be written of each sign.
#[derive(Debug, Default)]
pub(super) struct Budget([Bucket; Sign::ALL.len()]);

/// A token bucket, and what did not fit.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    spent: u32,
    /// When the last token came back.
    filled: Option<Instant>,
    suppressed: u64,
}

impl Budget {
    /// Takes a token: how many were left out since the last one, or `None` where this one is.
    fn spend(&mut self, sign: Sign, now: Instant) -> Option<u64> {
        let bucket = &mut self.0[sign as usize];
        bucket.refill(now);
        if bucket.spent == BURST {
            bucket.suppressed += 1;
            return None;
        }
        bucket.spent += 1;
        Some(std::mem::take(&mut bucket.suppressed))
    }

    /// How many were left out that nobody was told of, if that may be said now: there is a token for it.
    fn settle(&mut self, sign: Sign, now: Instant, last: bool) -> Option<u64> {
        if self.0[sign as usize].suppressed == 0 {
            return None;
        }
        let told = self.spend(sign, now);
        match told {
            None => {
                let bucket = &mut self.0[sign as usize];
                bucket.suppressed -= 1;
                last.then(|| std::mem::take(&mut bucket.suppressed))
            }
            told => told,
        }
    }
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let tokens = now.saturating_duration_since(filled).as_secs() / REFILL.as_secs();
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(tokens);
        // A bucket that is full gathers nothing.
        self.filled = Some(if self.spent == 0 { now } else { filled + REFILL * tokens });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_signs_is_that_of_their_numbers() {
        assert!(Sign::ALL.iter().enumerate().all(|(at, sign)| *sign as usize == at));
    }

    #[test]
    fn a_burst_passes_and_then_one_a_second_that_tells_of_the_others() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let mut spend = |millis| budget.spend(Sign::Host, at(millis));
        assert!((0..BURST).all(|_| spend(0) == Some(0)));
        assert_eq!([spend(0), spend(500), spend(999)], [None; 3]);
        assert_eq!([spend(1000), spend(1001), spend(2500), spend(3000)], [Some(3), None, Some(1), Some(0)]);
        assert_eq!(budget.spend(Sign::Loop, at(3000)), Some(0), "each sign has a budget of its own");
    }

    #[test]
    fn what_was_left_out_is_told_when_it_is_quiet_and_at_the_end() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        assert_eq!(budget.settle(Sign::Host, start, true), None);
        assert_eq!((0..BURST + 5).filter_map(|_| budget.spend(Sign::Host, start)).count(), 20);
        assert_eq!(budget.settle(Sign::Host, start, false), None);
        assert_eq!(budget.settle(Sign::Host, start + REFILL, false), Some(5));
        assert_eq!(budget.settle(Sign::Host, start + REFILL, false), None);
        assert_eq!((0..3).filter_map(|_| budget.spend(Sign::Host, start + REFILL)).count(), 0);
        assert_eq!(budget.settle(Sign::Host, start + REFILL, true), Some(3));
        assert_eq!(budget.settle(Sign::Host, start + REFILL, true), None);
    }

    #[test]
    fn none_is_counted_twice_or_lost() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        let (mut written, mut told) = (0, 0);
        for round in 0..10_000_u64 {
            let now = start + Duration::from_millis(round * 7);
            if let Some(suppressed) = budget.spend(Sign::BodyBytes, now) {
                (written, told) = (written + 1, told + suppressed);
            }
            if round % 150 == 0 {
                told += budget.settle(Sign::BodyBytes, now, false).unwrap_or_default();
            }
        }
        told += budget.settle(Sign::BodyBytes, start + Duration::from_secs(70), true).unwrap_or_default();
        assert_eq!(written + told, 10_000);
        assert!((20..=90 + u64::from(BURST)).contains(&written), "{written}");
    }
}
