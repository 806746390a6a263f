//! The servers of upstreams as all cores see them: whether they are up, and what is done with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Collect, Counter, Exposition, Kind};

/// Servers that are told apart. Names that resolve to ever new addresses must not fill the memory.
const MOST: usize = 1024;
/// The address of all servers beyond.
const OTHER: &str = "other";

/// All servers that are known.
#[derive(Debug, Default)]
pub struct Servers(Mutex<Vec<Arc<Server>>>);

/// One server of one upstream.
#[derive(Debug)]
pub struct Server {
    /// The upstream's name.
    pub upstream: String,
    /// `host:port`, as records have it.
    pub address: String,
    down: AtomicBool,
    cores: Mutex<Vec<Arc<ServerCounters>>>,
}

/// What one core does with a server. Only that core writes here.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ServerCounters {
    /// Times that it was tried for a request.
    pub requests: Counter,
    /// Those of them that are over.
    pub ended: Counter,
    /// Those of them that needed a new connection.
    pub connects: Counter,
    /// Those of them that were not the first try of their request.
    pub retries: Counter,
    /// Those of them that ended without a whole answer, by the server's fault.
    pub failures: Counter,
    /// Connections that wait for work.
    pub idle: Counter,
}

/// The same over all cores, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerTotals {
    /// Times that it was tried for a request.
    pub requests: u64,
    /// Those of them that still run.
    pub in_flight: u64,
    /// Those of them that needed a new connection.
    pub connects: u64,
    /// Those of them that were not the first try of their request.
    pub retries: u64,
    /// Those of them that ended without a whole answer, by the server's fault.
    pub failures: u64,
    /// Connections that wait for work.
    pub idle: u64,
}

impl Servers {
    /// The server of an upstream by its address; a new one is up.
    pub fn server(&self, upstream: &str, address: &str) -> Arc<Server> {
        let mut all = lock(&self.0);
        let known = |all: &[Arc<Server>], address: &str| {
            all.iter().find(|server| server.upstream == upstream && server.address == address).cloned()
        };
        let address = if all.len() < MOST || known(&all, address).is_some() { address } else { OTHER };
        known(&all, address).unwrap_or_else(|| {
            let server = Server {
                upstream: upstream.to_owned(),
                address: address.to_owned(),
                down: AtomicBool::new(false),
                cores: Mutex::default(),
            };
            all.push(Arc::new(server));
            Arc::clone(&all[all.len() - 1])
        })
    }

    /// All of them, in the order in which they became known.
    pub fn all(&self) -> Vec<Arc<Server>> {
        lock(&self.0).clone()
    }

    /// Upstreams of which every server is down.
    pub fn dead_upstreams(&self) -> Vec<String> {
        let all = self.all();
        let mut dead: Vec<String> = Vec::new();
        for server in &all {
            let is_dead = || all.iter().filter(|other| other.upstream == server.upstream).all(|other| !other.is_up());
            if !dead.contains(&server.upstream) && is_dead() {
                dead.push(server.upstream.clone());
            }
        }
        dead
    }
}

impl Server {
    /// Counters for one core.
    pub fn enter(&self) -> Arc<ServerCounters> {
        let counters = Arc::new(ServerCounters::default());
        lock(&self.cores).push(Arc::clone(&counters));
        counters
    }

    /// Whether it is sent requests.
    pub fn is_up(&self) -> bool {
        !self.down.load(Ordering::Acquire)
    }

    /// It is, or is not, fit to be sent requests.
    pub fn set_up(&self, up: bool) {
        self.down.store(!up, Ordering::Release);
    }

    /// What all cores have done with it.
    pub fn totals(&self) -> ServerTotals {
        let mut totals = ServerTotals::default();
        for core in &*lock(&self.cores) {
            // In this order what ends meanwhile counts as still running.
            let ended = core.ended.get();
            let requests = core.requests.get();
            totals.requests += requests;
            totals.in_flight += requests.saturating_sub(ended);
            totals.connects += core.connects.get();
            totals.retries += core.retries.get();
            totals.failures += core.failures.get();
            totals.idle += core.idle.get();
        }
        totals
    }
}

/// A metric of each server: name, kind, help, value.
type Metric = (&'static str, Kind, &'static str, fn(&ServerTotals) -> u64);

const METRICS: [Metric; 7] = [
    ("gatelog_upstream_requests", Kind::Counter, "Times a server was tried for a request.", |totals| totals.requests),
    ("gatelog_upstream_connects", Kind::Counter, "Tries that needed a new connection.", |totals| totals.connects),
    ("gatelog_upstream_reuses", Kind::Counter, "Tries over a connection that was there.", |totals| {
        totals.requests.saturating_sub(totals.connects)
    }),
    ("gatelog_upstream_retries", Kind::Counter, "Tries that were not the first of their request.", |totals| {
        totals.retries
    }),
    ("gatelog_upstream_failures", Kind::Counter, "Tries without a whole answer, by the server's fault.", |totals| {
        totals.failures
    }),
    ("gatelog_upstream_requests_in_flight", Kind::Gauge, "Tries that run now.", |totals| totals.in_flight),
    ("gatelog_upstream_idle_connections", Kind::Gauge, "Connections that wait for work.", |totals| totals.idle),
];

impl Collect for Servers {
    fn collect(&self, exposition: &mut Exposition) {
        let servers: Vec<_> = self.all().into_iter().map(|server| (server.totals(), server)).collect();
        let mut up =
            exposition.family("gatelog_upstream_up", Kind::Gauge, "Whether a server is fit to be sent requests.");
        for (_, server) in &servers {
            up.sample(&server.labels(), u64::from(server.is_up()));
        }
        for (name, kind, help, value) in METRICS {
            let mut family = exposition.family(name, kind, help);
            servers.iter().for_each(|(totals, server)| family.sample(&server.labels(), value(totals)));
        }
    }
}

impl Server {
    fn labels(&self) -> [(&str, &str); 2] {
        [("upstream", &self.upstream), ("server", &self.address)]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_all_cores_are_added_up() {
        let servers = Servers::default();
        for _ in 0..2 {
            let core = servers.server("app", "a:1").enter();
            core.requests.add(5);
            core.ended.add(3);
            core.connects.add(1);
        }
        let totals = servers.server("app", "a:1").totals();
        assert_eq!((totals.requests, totals.in_flight, totals.connects), (10, 4, 2));
        assert_eq!(servers.all().len(), 1);
    }

    #[test]
    fn an_upstream_is_dead_when_its_last_server_is_down() {
        let servers = Servers::default();
        let all = [("app", "a:1"), ("app", "a:2"), ("api", "b:1")].map(|(name, address)| servers.server(name, address));
        all[0].set_up(false);
        assert!(servers.dead_upstreams().is_empty());
        all[1].set_up(false);
        assert_eq!(servers.dead_upstreams(), ["app"]);
        all[0].set_up(true);
        assert!(servers.dead_upstreams().is_empty());
    }

    #[test]
    fn the_number_of_servers_is_bounded() {
        let servers = Servers::default();
        (0..2 * MOST).for_each(|port| drop(servers.server("app", &format!("a:{port}"))));
        assert_eq!(servers.all().len(), MOST + 1);
        assert_eq!(servers.server("app", "a:0").address, "a:0");
        assert_eq!(servers.server("app", "a:9999").address, OTHER);
    }
}
