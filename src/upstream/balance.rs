//! Which of several servers is next.
//!
//! Each core chooses by itself: turns are its own, requests in flight are everybody's. Hashes give the same server on
//! every core, in every process and on every machine (weighted rendezvous hashing): when a server goes, its keys spread
//! over the others and no other key moves.

use std::sync::Arc;

use super::cluster::Member;
use super::settings::Balance;

/// The choices of one core among the servers of one snapshot.
#[derive(Debug)]
pub(super) struct Balancer {
    method: Method,
    /// Smooth weighted turns, as nginx counts them: one for each server.
    turns: Vec<i64>,
    random: Random,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Turns,
    LeastRequests,
    Hash,
}

impl Balancer {
    /// A balancer that has chosen nobody yet; `seed` sets cores apart from each other.
    pub(super) fn new(balance: &Balance, servers: usize, seed: u64) -> Balancer {
        let method = match balance {
            Balance::RoundRobin => Method::Turns,
            Balance::LeastRequests => Method::LeastRequests,
            Balance::IpHash | Balance::HeaderHash(_) => Method::Hash,
        };
        Balancer { method, turns: vec![0; servers], random: Random(seed) }
    }

    /// The next among the servers that `fits` does not leave out; `key` is what hashes go by.
    pub(super) fn next(
        &mut self,
        servers: &[Arc<Member>],
        fits: impl Fn(&Member) -> bool,
        key: Option<u64>,
    ) -> Option<usize> {
        match (self.method, key) {
            (Method::LeastRequests, _) => self.least_requests(servers, fits),
            (Method::Hash, Some(key)) => rendezvous(servers, fits, key),
            (Method::Turns, _) | (Method::Hash, None) => self.turn(servers, fits),
        }
    }

    /// Each gains its weight, the one with most is next and pays for all: `aabac` instead of `aaabc`.
    fn turn(&mut self, servers: &[Arc<Member>], fits: impl Fn(&Member) -> bool) -> Option<usize> {
        let (mut total, mut best) = (0, None);
        for (index, server) in servers.iter().enumerate().filter(|(_, server)| fits(server)) {
            let weight = i64::from(server.effective_weight());
            total += weight;
            self.turns[index] += weight;
            if best.is_none_or(|best: usize| self.turns[index] > self.turns[best]) {
                best = Some(index);
            }
        }
        self.turns[best?] -= total;
        best
    }

    /// Two are drawn by weight, and the less loaded is taken: nearly as good as asking all, and cores that do the same at
    /// the same moment do not all run to the same server.
    fn least_requests(&mut self, servers: &[Arc<Member>], fits: impl Fn(&Member) -> bool) -> Option<usize> {
        let first = self.draw(servers, &fits, None)?;
        let Some(second) = self.draw(servers, &fits, Some(first)) else { return Some(first) };
        let load = |index: usize, other: usize| {
            u128::from(servers[index].status.in_flight()) * u128::from(servers[other].effective_weight())
        };
        Some(if load(second, first) < load(first, second) { second } else { first })
    }

    fn draw(
        &mut self,
        servers: &[Arc<Member>],
        fits: impl Fn(&Member) -> bool,
        without: Option<usize>,
    ) -> Option<usize> {
        let candidates = || (0..servers.len()).filter(|index| Some(*index) != without && fits(&servers[*index]));
        let total: u64 = candidates().map(|index| u64::from(servers[index].effective_weight())).sum();
        let mut left = self.random.below(total)?;
        // Weights may change meanwhile: then the last one it is.
        let mut last = None;
        for index in candidates() {
            last = Some(index);
            let weight = u64::from(servers[index].effective_weight());
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }
}

/// The server whose hash with the key is the highest; a heavier one has better chances in proportion.
fn rendezvous(servers: &[Arc<Member>], fits: impl Fn(&Member) -> bool, key: u64) -> Option<usize> {
    let candidates = servers.iter().enumerate().filter(|(_, server)| fits(server));
    let scored = candidates.map(|(index, server)| (index, score(key, server)));
    scored.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(index, _)| index)
}

/// `-weight ÷ ln(hash)` with a hash between 0 and 1 (Thaler and Ravishankar's highest random weight, weighted).
fn score(key: u64, server: &Member) -> f64 {
    let hash = (mix(key ^ server.id) >> 11) as f64 + 0.5;
    -f64::from(server.effective_weight()) / (hash / (1u64 << 53) as f64).ln()
}

/// A hash that is the same everywhere and for ever: FNV-1a, its bits mixed.
pub fn hash(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)))
}

/// The finalizer of SplitMix64: each bit of the input changes half of the output.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// SplitMix64: chance enough for balancing.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// A number below `bound`; none where that is 0.
    fn below(&mut self, bound: u64) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let product = u128::from(mix(self.0)) * u128::from(bound);
        (bound > 0).then_some((product >> 64) as u64)
    }
}
