//! Connections counted over all cores: in all, and of each client where that is asked for.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::net::peer::block;

use super::settings::Limits;

/// Locks that the clients share between them, each held for the time of one lookup; only for connections, and only where
/// `limits.connections_per_ip` is set.
const SHARDS: usize = 16;

/// How many connections there are on all cores.
#[derive(Debug, Default)]
pub struct Crowd {
    all: AtomicUsize,
    hash: RandomState,
    /// How many each client has: no more clients than connections.
    clients: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
}

/// Which limit a connection is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// `limits.connections`.
    All,
    /// `limits.connections_per_ip`.
    Client,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    client: Option<IpAddr>,
}

impl Crowd {
    /// Connections there are.
    pub fn len(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more connection, of this client, if it is known; those of an exempt one are not counted as its own.
    ///
    /// # Errors
    /// The limit that it is beyond.
    pub fn enter(self: &Arc<Self>, client: Option<IpAddr>, limits: &Limits) -> Result<Place, Crowded> {
        let count = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        let mut place = Place { crowd: Arc::clone(self), client: None };
        if limits.connections.is_some_and(|limit| count > limit) {
            return Err(Crowded::All);
        }
        place.claim(client, limits)?;
        Ok(place)
    }

    /// Changes how many a client has, and forgets one that has none.
    fn change(&self, client: IpAddr, change: impl FnOnce(&mut usize)) -> usize {
        let shard = self.hash.hash_one(client) as usize % SHARDS;
        // Nothing panics while it is held.
        let mut clients = self.clients[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        change(count);
        let count = *count;
        if count == 0 {
            clients.remove(&client);
        }
        count
    }
}

impl Place {
    /// Counts the connection as one of this client's, if it is nobody's yet; not behind a unix socket (`None`).
    ///
    /// # Errors
    /// When the client has too many.
    pub fn claim(&mut self, client: Option<IpAddr>, limits: &Limits) -> Result<(), Crowded> {
        let (Some(client), Some(limit), None) = (client, limits.connections_per_ip, self.client) else { return Ok(()) };
        if limits.exempt.iter().any(|net| net.contains(&client)) {
            return Ok(());
        }
        let client = block(client);
        self.client = Some(client);
        if self.crowd.change(client, |count| *count += 1) > limit { Err(Crowded::Client) } else { Ok(()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(client) = self.client {
            self.crowd.change(client, |count| *count = count.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, per_ip: usize) -> Limits {
        Limits {
            connections: Some(connections),
            connections_per_ip: Some(per_ip),
            exempt: vec!["10.0.0.0/8".parse().expect("a net")],
            ..Limits::default()
        }
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_client_has_so_many_at_a_time() {
        let (crowd, limits) = (Arc::new(Crowd::default()), limits(100, 2));
        let enter = |client: &str| crowd.enter(ip(client), &limits);
        let (first, second) = (enter("192.0.2.1"), enter("192.0.2.1"));
        assert_eq!(enter("192.0.2.1").err(), Some(Crowded::Client));
        assert!(enter("192.0.2.2").is_ok());
        drop(first);
        assert!(enter("192.0.2.1").is_ok());
        drop(second);
        let mut announced = enter("10.0.0.1").expect("a proxy");
        assert_eq!((0..3).map(|_| announced.claim(ip("192.0.2.3"), &limits).is_ok()).collect::<Vec<_>>(), [true; 3]);
        let _second = enter("192.0.2.3").expect("the second");
        let late = enter("10.0.0.1").expect("a proxy").claim(ip("192.0.2.3"), &limits);
        assert_eq!(late.err(), Some(Crowded::Client));
        drop((announced, _second));
        assert!((0..9).map(|_| enter("10.0.0.1")).collect::<Vec<_>>().iter().all(Result::is_ok), "exempt");
        assert_eq!(crowd.len(), 0);
        assert!(crowd.clients.iter().all(|clients| clients.lock().expect("no panic").is_empty()));
    }

    #[test]
    fn there_are_so_many_in_all() {
        let (crowd, limits) = (Arc::new(Crowd::default()), limits(2, 9));
        let held = [crowd.enter(ip("192.0.2.1"), &limits), crowd.enter(ip("192.0.2.2"), &limits)];
        assert_eq!(crowd.enter(ip("192.0.2.3"), &limits).err(), Some(Crowded::All));
        drop(held);
        assert!(crowd.enter(ip("192.0.2.3"), &limits).is_ok());
    }
}
