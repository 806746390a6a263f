//! An upstream as all cores share it: its servers as they are now, and what is counted about them.
//!
//! Who may be chosen is a snapshot ([`Members`]) that only the supervisor ([`super::supervise`]) replaces; a core sees by one
//! number that there is a newer one. Everything else between cores is atomics.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use tokio::sync::Notify;

use super::balance;
use super::connect::{NameError, Target, Tls, Way};
use super::settings::{Place, Settings};
use super::status::{ServerStatus, UpstreamStatus};

/// Effective weights are in hundredths, so that a slow start has steps.
pub(super) const WEIGHT_UNIT: u32 = 100;

/// One upstream.
pub struct Cluster {
    /// What the user says.
    pub settings: Arc<Settings>,
    /// What is counted about it.
    pub status: UpstreamStatus,
    members: ArcSwap<Members>,
    /// Counts the snapshots.
    version: AtomicU64,
    /// TLS of each of the configured servers.
    tls: Vec<Option<Tls>>,
    /// A server below its `max_requests` again, or a new snapshot.
    pub(super) freed: Notify,
    /// Servers fail: too often, or so that their names may have moved.
    pub(super) trouble: Notify,
    /// The configuration has it no more.
    retired: Notify,
}

/// The servers there are now.
#[derive(Debug, Default)]
pub struct Members {
    /// All of them, in the order of the configuration; of a name, one for each of its addresses.
    pub servers: Vec<Arc<Member>>,
    /// Those that may be chosen: indices into `servers`.
    pub(super) usable: Vec<usize>,
    /// Backups that are up: for requests that failed with the others.
    pub(super) reserve: Vec<usize>,
    /// A name that has never been resolved, and why.
    pub(super) unresolved: Option<(String, String)>,
}

/// One server: an address, or a unix socket.
pub struct Member {
    /// `address:port`, or `unix:PATH`, as the record has it.
    pub address: Arc<str>,
    /// What is counted about it.
    pub status: ServerStatus,
    /// `Host` for requests that name none, and for health checks.
    pub(super) host: Arc<str>,
    /// Which of the configured servers it is one of.
    pub(super) origin: usize,
    /// Stands for it in hashes: the same in every process and on every machine.
    pub(super) id: u64,
    /// Its share beside the others', as configured.
    pub weight: u32,
    /// In force, in hundredths: less during a slow start.
    effective: AtomicU32,
    /// It serves only where none of the others can.
    pub backup: bool,
    /// So many requests at once, over all cores.
    pub max_requests: Option<u32>,
    pub(super) target: Target,
    /// Whether it is spoken to in HTTP/2.
    pub(super) is_http2: bool,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.address, self.status.state())
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.name(), self.members().servers)
    }
}

impl Cluster {
    /// An upstream whose addresses are in force at once; names are resolved by the supervisor. `tls` is for its `https` servers.
    ///
    /// # Errors
    ///
    /// When no certificate can hold the name of a server.
    pub fn new(settings: Settings, tls: Option<&Arc<ClientConfig>>) -> Result<Arc<Cluster>, NameError> {
        let name = settings.tls.server_name.as_deref();
        let tls = settings.servers.iter().map(|server| Tls::of(server, tls, name)).collect::<Result<_, _>>()?;
        let cluster = Cluster {
            settings: Arc::new(settings),
            status: UpstreamStatus::default(),
            members: ArcSwap::default(),
            version: AtomicU64::new(1),
            tls,
            freed: Notify::new(),
            trouble: Notify::new(),
            retired: Notify::new(),
        };
        let ways = cluster
            .settings
            .servers
            .iter()
            .enumerate()
            .filter_map(|(index, server)| Some((index, way(&server.place)?)));
        let servers: Vec<Arc<Member>> = ways.map(|(index, way)| Arc::new(cluster.member(index, way))).collect();
        let usable = first_tier(&servers);
        let reserve = (0..servers.len()).filter(|index| servers[*index].backup).collect();
        cluster.members.store(Arc::new(Members { servers, usable, reserve, unresolved: cluster.first_name() }));
        Ok(Arc::new(cluster))
    }

    /// No request comes any more: nobody need look after it.
    pub fn retire(&self) {
        self.retired.notify_one();
    }

    /// Ready once it is no more.
    pub(super) async fn retired(&self) {
        self.retired.notified().await;
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its servers as they are now.
    pub fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// A server of the configuration, reached this way.
    pub(super) fn member(&self, origin: usize, way: Way) -> Member {
        let server = &self.settings.servers[origin];
        let address: Arc<str> = match &way {
            Way::Tcp(addresses) => addresses.first().map(SocketAddr::to_string).unwrap_or_default().into(),
            Way::Unix(path) => format!("unix:{}", path.display()).into(),
        };
        Member {
            id: balance::hash(address.as_bytes()),
            address,
            status: ServerStatus::default(),
            host: host(&server.place).into(),
            origin,
            weight: server.weight,
            effective: AtomicU32::new(server.weight.saturating_mul(WEIGHT_UNIT)),
            backup: server.backup,
            max_requests: server.max_requests,
            is_http2: server.protocol.is_http2(),
            target: Target::new(way, self.tls.get(origin).cloned().flatten(), self.settings.proxy_protocol),
        }
    }

    /// Which snapshot is in force.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Puts a snapshot in force. Only the supervisor does.
    pub(super) fn publish(&self, members: Members) {
        self.members.store(Arc::new(members));
        self.version.fetch_add(1, Ordering::Release);
        self.freed.notify_waiters();
    }

    fn first_name(&self) -> Option<(String, String)> {
        let names = self.settings.servers.iter().filter_map(|server| server.place.name());
        names.map(|(name, _)| (name.to_owned(), "it was not asked for yet".to_owned())).next()
    }
}

impl Members {
    /// Those that are given requests now: none means that the upstream's requests fail.
    pub fn serving(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.usable.iter().filter_map(|index| self.servers.get(*index))
    }
}

impl Member {
    /// Its weight now, in hundredths: less than [`Member::weight`] during a slow start.
    pub fn effective_weight(&self) -> u32 {
        self.effective.load(Ordering::Relaxed)
    }

    pub(super) fn set_effective_weight(&self, hundredths: u32) {
        self.effective.store(hundredths, Ordering::Relaxed);
    }

    /// Whether it may be given one more, as far as its limit goes.
    pub(super) fn try_begin(&self) -> bool {
        match self.max_requests {
            Some(limit) => self.status.try_begin(limit),
            None => {
                self.status.begin();
                true
            }
        }
    }
}

/// How a server is reached whose name need not be resolved.
fn way(place: &Place) -> Option<Way> {
    match place {
        Place::Host { host, port } => {
            let address: IpAddr = host.parse().ok()?;
            Some(Way::Tcp(vec![SocketAddr::new(address, *port)]))
        }
        Place::Unix(path) => Some(Way::Unix(path.clone())),
    }
}

/// As nginx has it, a unix socket is `localhost`.
fn host(place: &Place) -> String {
    match place {
        Place::Host { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Place::Host { host, port } => format!("{host}:{port}"),
        Place::Unix(_) => "localhost".to_owned(),
    }
}

/// Before anything is known, nobody is down.
fn first_tier(servers: &[Arc<Member>]) -> Vec<usize> {
    let tier = |backup: bool| (0..servers.len()).filter(move |index| servers[*index].backup == backup);
    let primaries: Vec<usize> = tier(false).collect();
    if primaries.is_empty() { tier(true).collect() } else { primaries }
}
