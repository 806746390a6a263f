//! `limits.requests_per_second`: how often a client may ask, counted over all cores in a table that never grows.
//!
//! The algorithm is the generic cell rate algorithm (ITU-T I.371, as in nginx's `limit_req`): of each client one number is
//! kept, the moment at which all that it asked for so far would be due at the allowed rate. A request is refused while
//! that moment lies further ahead than a burst takes.
//!
//! A client is found by a keyed hash, so that nobody can choose whom to share with. Thirteen bits of it name a set of
//! eight places, sixteen are kept beside the moment, both in one atomic word: two clients are taken for one about once in
//! ten thousand full sets. A place whose moment has passed is free. Where all eight are taken the one that is due next is
//! given away: a client so forgotten has its burst again, and [`Rates::forgotten`] counts it.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use ipnet::IpNet;

use crate::listen::settings::{RateKey, RequestRate};
use crate::net::peer::block;

/// Sets of places, and places in each: half a megabyte.
const SETS: usize = 1 << 13;
const WAYS: usize = 8;
/// A place holds microseconds since the table was made, good for eight years, above the client's mark.
const MARK_BITS: u32 = 16;
const MARK: u64 = (1 << MARK_BITS) - 1;

/// What is known of the clients' requests.
#[derive(Debug)]
pub struct Rates {
    rate: RequestRate,
    exempt: Vec<IpNet>,
    /// Microseconds between two requests at the allowed rate.
    interval: u64,
    /// How far ahead of now a client's requests may be due.
    tolerance: u64,
    since: Instant,
    hash: RandomState,
    places: Box<[AtomicU64]>,
    forgotten: AtomicU64,
}

impl Rates {
    /// Nobody has asked for anything yet; clients of `exempt` networks never count.
    pub fn new(rate: RequestRate, exempt: Vec<IpNet>, now: Instant) -> Rates {
        let interval = (1_000_000 / u64::from(rate.per_second.get())).max(1);
        Rates {
            interval,
            tolerance: interval * u64::from(rate.burst),
            since: now,
            hash: RandomState::new(),
            places: (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect(),
            forgotten: AtomicU64::new(0),
            rate,
            exempt,
        }
    }

    /// Takes note of a request.
    ///
    /// # Errors
    /// How long the client had better wait, where it asks too often.
    pub fn admit(&self, client: Option<IpAddr>, headers: &HeaderMap, now: Instant) -> Result<(), Duration> {
        if client.is_some_and(|client| self.exempt.iter().any(|net| net.contains(&client))) {
            return Ok(());
        }
        self.hash_of(client, headers).map_or(Ok(()), |hash| self.spend(hash, self.micros(now)))
    }

    /// Clients that were forgotten before their time.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// `None` where nobody knows who it is: behind a unix socket.
    fn hash_of(&self, client: Option<IpAddr>, headers: &HeaderMap) -> Option<u64> {
        match &self.rate.key {
            RateKey::Header(name) if headers.contains_key(name) => Some(self.hash.hash_one(headers.get(name))),
            _ => client.map(|client| self.hash.hash_one(block(client))),
        }
    }

    /// 1 at the earliest: 0 is a place that nobody has taken.
    fn micros(&self, now: Instant) -> u64 {
        crate::time::micros(now.saturating_duration_since(self.since)) + 1
    }

    fn spend(&self, hash: u64, now: u64) -> Result<(), Duration> {
        let (set, mark) = ((hash >> MARK_BITS) as usize % SETS, hash & MARK);
        let places = &self.places[set * WAYS..][..WAYS];
        loop {
            let place = self.place(places, mark, now);
            let seen = place.load(Ordering::Relaxed);
            let due = if seen & MARK == mark { (seen >> MARK_BITS).max(now) } else { now };
            if due > now + self.tolerance {
                return Err(Duration::from_micros(due - now - self.tolerance));
            }
            let spent = (due + self.interval) << MARK_BITS | mark;
            if place.compare_exchange(seen, spent, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// The client's place, or else a free one, or else the one that is due next.
    fn place<'a>(&self, places: &'a [AtomicU64], mark: u64, now: u64) -> &'a AtomicU64 {
        let mut next = (&places[0], u64::MAX);
        for place in places {
            let seen = place.load(Ordering::Relaxed);
            if seen & MARK == mark && seen != 0 {
                return place;
            }
            if seen >> MARK_BITS < next.1 {
                next = (place, seen >> MARK_BITS);
            }
        }
        if next.1 > now {
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        next.0
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn rates(per_second: u32, burst: u32, key: RateKey) -> (Rates, Instant) {
        let now = crate::time::monotonic();
        let per_second = NonZeroU32::new(per_second).expect("not zero");
        let exempt = vec!["10.0.0.0/8".parse().expect("a net")];
        (Rates::new(RequestRate { per_second, burst, key }, exempt, now), now)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_burst_goes_through_and_then_one_at_a_time() {
        let (rates, start) = rates(10, 3, RateKey::Ip);
        let ask = |millis| rates.admit(ip("192.0.2.1"), &HeaderMap::new(), start + Duration::from_millis(millis));
        assert_eq!((0..9).filter(|_| ask(0).is_ok()).count(), 4, "one, and three at once beside it");
        assert_eq!(ask(0), Err(Duration::from_millis(100)));
        assert_eq!((ask(99).is_ok(), ask(100).is_ok(), ask(101).is_ok()), (false, true, false));
        assert_eq!((0..9).filter(|_| ask(60_000).is_ok()).count(), 4);
    }

    #[test]
    fn each_client_has_a_rate_of_its_own_and_an_ipv6_network_is_one_client() {
        let (rates, now) = rates(1, 0, RateKey::Ip);
        let ask = |client| rates.admit(ip(client), &HeaderMap::new(), now).is_ok();
        assert!(ask("192.0.2.1") && ask("192.0.2.2") && !ask("192.0.2.1"));
        assert!(ask("2001:db8::1") && !ask("2001:db8::ffff:1") && ask("2001:db8:0:1::1"));
        assert!((0..9).all(|_| ask("10.1.2.3")), "it is exempt");
    }

    #[test]
    fn a_header_names_the_client_where_it_is_there() {
        let name = http::HeaderName::from_static("x-api-key");
        let (rates, now) = rates(1, 0, RateKey::Header(name.clone()));
        let with = |key: &'static str| HeaderMap::from_iter([(name.clone(), http::HeaderValue::from_static(key))]);
        assert!(rates.admit(ip("192.0.2.1"), &with("a"), now).is_ok());
        assert!(rates.admit(ip("192.0.2.2"), &with("a"), now).is_err());
        assert!(rates.admit(ip("192.0.2.2"), &with("b"), now).is_ok());
        assert!(rates.admit(ip("192.0.2.1"), &HeaderMap::new(), now).is_ok());
        assert!(rates.admit(ip("192.0.2.1"), &HeaderMap::new(), now).is_err());
    }

    #[test]
    fn a_full_set_forgets_who_is_due_next_and_counts_it() {
        let (rates, now) = rates(1, 5, RateKey::Ip);
        let set = |mark: u64| (7 << MARK_BITS) | mark;
        for mark in 1..=WAYS as u64 {
            (0..mark.min(5)).for_each(|_| rates.spend(set(mark), 1).expect("within its burst"));
        }
        assert_eq!(rates.forgotten(), 0);
        rates.spend(set(99), 1).expect("a new client");
        assert_eq!(rates.forgotten(), 1);
        assert!((0..6).all(|_| rates.spend(set(1), 1).is_ok()), "the one with the least behind it begins anew");
        let _ = now;
    }

    #[test]
    fn cores_together_admit_no_more_than_one_would() {
        let (rates, now) = rates(1000, 99, RateKey::Ip);
        let admitted: usize = std::thread::scope(|scope| {
            let ask = || (0..500).filter(|_| rates.admit(ip("192.0.2.1"), &HeaderMap::new(), now).is_ok()).count();
            let cores: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            cores.into_iter().map(|core| core.join().expect("no panic")).sum()
        });
        assert_eq!(admitted, 100);
    }

    proptest! {
        /// A bucket of tokens, filled at the rate, says the same.
        #[test]
        fn it_is_a_token_bucket(per_second in 1u32..500, burst in 0u32..20, gaps in prop::collection::vec(0u64..400_000, 1..200)) {
            let (rates, _) = rates(per_second, burst, RateKey::Ip);
            let interval = 1_000_000 / u64::from(per_second);
            let (mut now, mut tokens, mut filled) = (1u64, (u64::from(burst) + 1) * interval, 1u64);
            for gap in gaps {
                now += gap;
                tokens = (tokens + now - filled).min((u64::from(burst) + 1) * interval);
                filled = now;
                let admitted = tokens >= interval;
                if admitted {
                    tokens -= interval;
                }
                prop_assert_eq!(rates.spend(0xabc, now).is_ok(), admitted);
            }
        }
    }
}
