//! Whoever asks without the token: told in the log, counted, and after so many tries made to wait.
//!
//! What is kept is bounded: so many clients, each for a minute; an IPv6 network of 64 bits is one client. So is what is
//! written: so many records a minute, of which the next one says how many were left out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::{Collect, Counter, Exposition, Kind};
use crate::net::Peer;
use crate::net::peer::block;
use crate::time::monotonic;

use super::refused::Refused;

/// Tries without the right token that a client has in a minute.
pub const TRIES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Clients that are remembered; beyond it, whoever began first is forgotten.
const CLIENTS: usize = 1024;
/// Records in a minute, of all clients together.
const RECORDS: u32 = 60;

/// A request that was refused, for the log. Nothing of what was shown in place of the token is in it.
#[derive(Debug, Clone, Copy)]
pub struct Intrusion<'a> {
    /// Who asked; `None` where it is told only of others.
    pub peer: Option<&'a Peer>,
    /// What was answered.
    pub status: Option<u16>,
    /// A stable token: `admin_token`, `admin_host`, `admin_cross_site`.
    pub reason: &'static str,
    /// The sentence beside it.
    pub detail: &'a str,
    /// How many were left out before it.
    pub suppressed: u64,
}

/// Writes it down.
pub type Tell = Box<dyn Fn(&Intrusion<'_>) + Send + Sync>;

/// What is known of those who were refused.
pub struct Guard {
    tell: Tell,
    state: Mutex<State>,
    counts: [Counter; REASONS.len()],
}

/// The reasons, in the order of their counters.
const REASONS: [&str; 4] = ["admin_token", "admin_host", "admin_cross_site", "admin_held_off"];
const HELD_OFF: usize = 3;

impl Guard {
    /// Nobody has asked yet.
    pub fn new(tell: Tell) -> Guard {
        Guard { tell, state: Mutex::new(State::new(monotonic())), counts: Default::default() }
    }

    /// Lets whoever has tried too often wait, whatever he shows now: else he would find the token all the same.
    pub(super) fn hold_off(&self, peer: &Peer, now: Instant) -> Result<(), Refused> {
        let Some(ip) = peer.ip else { return Ok(()) };
        let mut state = self.state();
        let Some(wait) = state.wait(block(ip), now) else { return Ok(()) };
        state.suppressed += 1;
        self.counts[HELD_OFF].add(1);
        Err(Refused::HeldOff(wait.as_millis().div_ceil(1000) as u64))
    }

    /// Takes note of a refusal, if it is one that a stranger comes to.
    pub(super) fn note(&self, peer: &Peer, refused: &Refused, now: Instant) {
        let Some(index) = reason(refused) else { return };
        self.counts[index].add(1);
        let mut state = self.state();
        let tries = match peer.ip {
            Some(ip) if matches!(refused, Refused::WrongToken) => state.try_again(block(ip), now),
            _ => 0,
        };
        let Some(suppressed) = state.spend(now) else { return };
        // Writing waits for nobody, but has nothing to do with the table.
        drop(state);
        let detail = match tries {
            TRIES.. => "this was not the token of [admin], too often in a minute: the client has to wait",
            _ => detail(refused),
        };
        let status = Some(refused.status().as_u16());
        (self.tell)(&Intrusion { peer: Some(peer), status, reason: REASONS[index], detail, suppressed });
    }

    /// Tells how many were left out, once a minute and at the end.
    pub(super) fn tell_suppressed(&self) {
        let suppressed = std::mem::take(&mut self.state().suppressed);
        if suppressed > 0 {
            let detail = "others of this reason were left out";
            (self.tell)(&Intrusion { peer: None, status: None, reason: REASONS[0], detail, suppressed });
        }
    }

    /// Does so for as long as it is polled.
    pub(super) async fn go_on(&self) {
        loop {
            tokio::time::sleep(MINUTE).await;
            self.tell_suppressed();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collect for Guard {
    fn collect(&self, exposition: &mut Exposition) {
        let help = "Requests to the admin listener that were refused, by the reason of their security_event.";
        let mut family = exposition.family("gatelog_admin_refused", Kind::Counter, help);
        for (reason, count) in REASONS.iter().zip(&self.counts) {
            family.sample(&[("reason", reason)], count.get());
        }
    }
}

fn reason(refused: &Refused) -> Option<usize> {
    match refused {
        Refused::NoToken | Refused::WrongToken => Some(0),
        Refused::ForeignHost => Some(1),
        Refused::CrossSite => Some(2),
        _ => None,
    }
}

fn detail(refused: &Refused) -> &'static str {
    match refused {
        Refused::NoToken => "the token of [admin] was not shown",
        Refused::WrongToken => "this was not the token of [admin]",
        Refused::ForeignHost => "the admin listener was asked for by a name that is none of its own",
        _ => "a page of another site wanted to change something",
    }
}

struct State {
    clients: HashMap<IpAddr, Client>,
    /// When the minute began that records are counted in.
    since: Instant,
    written: u32,
    suppressed: u64,
}

/// A client's minute.
struct Client {
    since: Instant,
    tries: u32,
}

impl Client {
    fn left(&self, now: Instant) -> Duration {
        MINUTE.saturating_sub(now.saturating_duration_since(self.since))
    }
}

impl State {
    fn new(now: Instant) -> State {
        State { clients: HashMap::new(), since: now, written: 0, suppressed: 0 }
    }

    /// How long a client that has no try left has to wait.
    fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let client = self.clients.get(&client)?;
        Some(client.left(now)).filter(|left| client.tries >= TRIES && !left.is_zero())
    }

    /// The number of this try in the client's minute.
    fn try_again(&mut self, ip: IpAddr, now: Instant) -> u32 {
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&ip) {
            self.forget(now);
        }
        let client = self.clients.entry(ip).or_insert(Client { since: now, tries: 0 });
        if client.left(now).is_zero() {
            *client = Client { since: now, tries: 0 };
        }
        client.tries += 1;
        client.tries
    }

    /// Makes room: for all whose minute is over, or else for one.
    fn forget(&mut self, now: Instant) {
        self.clients.retain(|_, client| !client.left(now).is_zero());
        if self.clients.len() >= CLIENTS {
            let first = self.clients.iter().min_by_key(|(_, client)| client.since).map(|(ip, _)| *ip);
            first.and_then(|first| self.clients.remove(&first));
        }
    }

    /// Whether one more record may be written: how many were left out since the last one.
    fn spend(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since) >= MINUTE {
            (self.since, self.written) = (now, 0);
        }
        if self.written == RECORDS {
            self.suppressed += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Told = Arc<Mutex<Vec<(&'static str, u64)>>>;

    fn guard() -> (Guard, Told) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let tell: Tell = Box::new(move |intrusion| {
            tell.lock().expect("no panic").push((intrusion.reason, intrusion.suppressed));
        });
        (Guard::new(tell), told)
    }

    fn peer(address: &str) -> Peer {
        Peer::new(address.parse().expect("an address"), None)
    }

    #[test]
    fn whoever_tries_too_often_waits_for_the_rest_of_his_minute() {
        let ((guard, told), start) = (guard(), monotonic());
        let (client, other) = (peer("192.0.2.1:1"), peer("192.0.2.2:1"));
        for _ in 0..TRIES {
            assert_eq!(guard.hold_off(&client, start), Ok(()));
            guard.note(&client, &Refused::WrongToken, start);
        }
        assert_eq!(guard.hold_off(&client, start + MINUTE / 4), Err(Refused::HeldOff(45)));
        assert_eq!(guard.hold_off(&other, start), Ok(()));
        assert_eq!(guard.hold_off(&client, start + MINUTE), Ok(()));
        assert_eq!(told.lock().expect("no panic").len(), TRIES as usize);
        guard.note(&client, &Refused::WrongToken, start + MINUTE);
        assert_eq!(told.lock().expect("no panic").last(), Some(&("admin_token", 1)), "the one that was held off");
    }

    #[test]
    fn clients_and_records_are_bounded_and_none_is_lost() {
        let ((guard, told), start) = (guard(), monotonic());
        let clients = CLIENTS as u32 + 100;
        for client in 0..clients {
            let address = IpAddr::from(std::net::Ipv4Addr::from(client));
            guard.note(&Peer::new((address, 1).into(), None), &Refused::WrongToken, start);
        }
        assert_eq!(guard.state().clients.len(), CLIENTS);
        guard.tell_suppressed();
        let told = told.lock().expect("no panic");
        assert_eq!(told.len(), RECORDS as usize + 1);
        assert_eq!(told.last(), Some(&("admin_token", u64::from(clients - RECORDS))));
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_what_is_no_intrusion_is_not_told() {
        let ((guard, told), start) = (guard(), monotonic());
        for host in 0..TRIES {
            guard.note(&peer(&format!("[2001:db8::{host:x}]:1")), &Refused::WrongToken, start);
        }
        assert!(guard.hold_off(&peer("[2001:db8::ffff]:1"), start).is_err());
        assert!(guard.hold_off(&peer("[2001:db8:0:1::]:1"), start).is_ok());
        guard.note(&peer("192.0.2.1:1"), &Refused::Ending, start);
        guard.note(&peer("192.0.2.1:1"), &Refused::ForeignHost, start);
        assert_eq!(told.lock().expect("no panic").last(), Some(&("admin_host", 1)));
    }
}
