//! An upstream as one core sees it: whom it may choose among, and whose turn it is.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::net::Outbox;
use crate::time;

use super::balance::Balancer;
use super::budget::Budget;
use super::cluster::{Cluster, Member};
use super::lease::Lease;
use super::pool::Server;
use super::settings::{Balance, RetrySettings, Settings};

/// Servers that a request has been to.
pub type Tried = SmallVec<[Rc<Server>; 4]>;

/// One upstream.
pub struct Upstream {
    /// What the user says.
    pub settings: Arc<Settings>,
    /// Its name.
    pub name: Rc<str>,
    pub(super) cluster: Arc<Cluster>,
    outbox: Rc<Outbox>,
    view: RefCell<View>,
    /// The snapshot that the view shows.
    version: Cell<u64>,
    /// Requests that came here on this core.
    requests: Cell<u64>,
    retries: RetrySettings,
    budget: RefCell<Budget>,
}

/// A snapshot of the servers, each with what this core has of it.
struct View {
    all: Vec<Rc<Server>>,
    /// Those that may be chosen; `members` are the same as the balancer wants them.
    usable: Vec<Rc<Server>>,
    members: Vec<Arc<Member>>,
    /// Backups that are up.
    reserve: Vec<Rc<Server>>,
    unresolved: Option<(String, String)>,
    balancer: Balancer,
}

/// Why a request gets no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoServer {
    /// The name of the only servers there could be has never been resolved.
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// Each of its servers is down.
    Down,
    /// Each that is up has as many requests as it may have.
    Busy,
    /// As many requests wait as may.
    QueueFull,
    /// None was free within `queue.timeout`.
    QueueTimeout,
}

impl Upstream {
    /// Whether this is a core's view of that one.
    pub fn is_of(&self, cluster: &Arc<Cluster>) -> bool {
        Arc::ptr_eq(&self.cluster, cluster)
    }

    /// An upstream without connections. Requests without a body go out through the core's `outbox`.
    pub fn new(cluster: &Arc<Cluster>, outbox: &Rc<Outbox>) -> Upstream {
        let settings = Arc::clone(&cluster.settings);
        let retries = settings.retries.clone().unwrap_or_default();
        let balancer = Balancer::new(&settings.balance, 0, 0);
        let (all, usable, members, reserve) = Default::default();
        let upstream = Upstream {
            name: settings.name.as_str().into(),
            cluster: Arc::clone(cluster),
            outbox: Rc::clone(outbox),
            view: RefCell::new(View { all, usable, members, reserve, unresolved: None, balancer }),
            version: Cell::default(),
            requests: Cell::default(),
            budget: RefCell::new(Budget::new(retries.budget)),
            retries,
            settings,
        };
        upstream.refresh();
        upstream
    }

    /// A server for a request that comes here for the first time. `key` is asked for where `balance` goes by one.
    ///
    /// # Errors
    ///
    /// Why there is none now; for [`NoServer::Busy`] there may be one later ([`Upstream::wait`]).
    pub fn choose(&self, key: impl FnOnce(&Balance) -> Option<u64>) -> Result<Lease, NoServer> {
        self.requests.set(self.requests.get() + 1);
        self.refresh();
        {
            let view = self.view.borrow();
            // The ordinary case, and one without a limit needs to know nothing about any other request.
            if let [only] = view.usable.as_slice()
                && only.member.max_requests.is_none()
            {
                return Ok(Lease::begin(only));
            }
        }
        // Who came earlier is served earlier.
        if self.cluster.status.waiting() > 0 {
            return Err(NoServer::Busy);
        }
        self.pick(key(&self.settings.balance), &[])
    }

    /// A server that is none of those that were tried, by the key of the request where `balance` goes by one.
    pub fn choose_another(&self, key: Option<u64>, tried: &[Rc<Server>]) -> Result<Lease, NoServer> {
        self.refresh();
        self.pick(key, tried)
    }

    pub(super) fn pick(&self, key: Option<u64>, tried: &[Rc<Server>]) -> Result<Lease, NoServer> {
        let view = &mut *self.view.borrow_mut();
        let fresh = |member: &Member| !tried.iter().any(|tried| std::ptr::eq(&*tried.member, member));
        let mut full: SmallVec<[*const Member; 4]> = SmallVec::new();
        loop {
            let fits = |member: &Member| fresh(member) && !full.contains(&std::ptr::from_ref(member));
            let Some(next) = view.balancer.next(&view.members, fits, key) else {
                let reserve = view.reserve.iter().filter(|_| !tried.is_empty()).filter(|server| fresh(&server.member));
                let lease = reserve.filter_map(Lease::try_begin).next();
                return lease.ok_or_else(|| view.nobody(!full.is_empty()));
            };
            match Lease::try_begin(&view.usable[next]) {
                Some(lease) => return Ok(lease),
                None => full.push(Arc::as_ptr(&view.members[next])),
            }
        }
    }

    /// Follows the snapshot. One look at a number that hardly ever changes, where it has not.
    #[inline]
    pub(super) fn refresh(&self) {
        let version = self.cluster.version();
        if self.version.replace(version) != version {
            self.follow();
        }
    }

    #[cold]
    fn follow(&self) {
        let members = self.cluster.members();
        let view = &mut *self.view.borrow_mut();
        let known = |member: &Arc<Member>| view.all.iter().find(|server| Arc::ptr_eq(&server.member, member)).cloned();
        let server = |member| known(member).unwrap_or_else(|| Server::new(member, &self.cluster, &self.outbox));
        let all: Vec<Rc<Server>> = members.servers.iter().map(server).collect();
        view.usable = members.usable.iter().filter_map(|index| all.get(*index).cloned()).collect();
        view.members = view.usable.iter().map(|server| Arc::clone(&server.member)).collect();
        view.reserve = members.reserve.iter().filter_map(|index| all.get(*index).cloned()).collect();
        view.all = all;
        view.unresolved.clone_from(&members.unresolved);
        // Cores, and snapshots, begin anywhere.
        let seed = RandomState::new().hash_one(self.version.get());
        view.balancer = Balancer::new(&self.settings.balance, view.usable.len(), seed);
    }

    /// How requests are sent again.
    pub fn retries(&self) -> &RetrySettings {
        &self.retries
    }

    /// Whether a request may be sent again to a server that it has been to.
    pub fn retries_the_same(&self) -> bool {
        self.settings.retries.is_some()
    }

    /// Takes a retry from the budget, if there is one, and counts either.
    pub fn take_retry(&self) -> bool {
        let granted = self.budget.borrow_mut().take(self.requests.get(), time::monotonic());
        let status = &self.cluster.status;
        if granted {
            status.retried()
        } else {
            status.denied()
        }
        granted
    }

    /// Closes connections that have waited too long, or that their server has closed.
    pub fn sweep(&self) {
        self.refresh();
        let (now, limit) = (time::monotonic(), self.settings.timeouts.idle);
        self.view.borrow().all.iter().for_each(|server| server.sweep(limit, now));
    }
}

impl View {
    /// Why there is no server, where some may be `busy`.
    fn nobody(&self, busy: bool) -> NoServer {
        match &self.unresolved {
            _ if busy => NoServer::Busy,
            Some((host, why)) if self.all.is_empty() => NoServer::Unresolved { host: host.clone(), why: why.clone() },
            _ => NoServer::Down,
        }
    }
}
