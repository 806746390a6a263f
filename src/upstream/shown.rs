//! What all upstreams' status is for `/metrics`: families by server and by upstream.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::metrics::{Collect, Exposition, Kind};

use super::status::State;
use super::{Cluster, Member};

/// Every upstream of the process, as they are at any time.
#[derive(Debug, Clone)]
pub struct Clusters(Arc<ArcSwap<Vec<Arc<Cluster>>>>);

/// A metric of each server: name, kind, help, value.
type OfServer = (&'static str, Kind, &'static str, fn(&Member) -> u64);

const OF_SERVER: [OfServer; 9] = [
    ("gatelog_upstream_up", Kind::Gauge, "Whether a server is fit to be sent requests.", |member| {
        u64::from(member.status.state() == State::Up)
    }),
    ("gatelog_upstream_requests", Kind::Counter, "Times a server was tried for a request.", |member| {
        member.status.requests()
    }),
    ("gatelog_upstream_connects", Kind::Counter, "Connections that were made to a server.", |member| {
        member.status.connects()
    }),
    ("gatelog_upstream_reuses", Kind::Counter, "Tries over a connection that was there.", |member| {
        member.status.reuses()
    }),
    ("gatelog_upstream_failures", Kind::Counter, "Tries that failed before an answer's head was whole.", |member| {
        member.status.failures()
    }),
    (
        "gatelog_upstream_ejections",
        Kind::Counter,
        "Times a server was left out because its requests failed.",
        |member| member.status.ejections(),
    ),
    ("gatelog_upstream_requests_in_flight", Kind::Gauge, "Tries that run now.", |member| member.status.in_flight()),
    ("gatelog_upstream_open_connections", Kind::Gauge, "Connections to a server.", |member| {
        member.status.open_connections() as u64
    }),
    ("gatelog_upstream_idle_connections", Kind::Gauge, "Connections that wait for work.", |member| {
        member.status.idle_connections() as u64
    }),
];

/// A metric of each upstream.
type OfUpstream = (&'static str, Kind, &'static str, fn(&Cluster) -> u64);

const OF_UPSTREAM: [OfUpstream; 4] = [
    ("gatelog_upstream_retries", Kind::Counter, "Tries that were not the first of their request.", |upstream| {
        upstream.status.retries()
    }),
    ("gatelog_upstream_retries_denied", Kind::Counter, "Requests that retries.budget kept from another try.", |it| {
        it.status.retries_denied()
    }),
    ("gatelog_upstream_queue", Kind::Gauge, "Requests that wait for a server below its max_requests.", |upstream| {
        upstream.status.waiting() as u64
    }),
    ("gatelog_upstream_limited", Kind::Counter, "Requests that found no server below its max_requests.", |upstream| {
        upstream.status.limited()
    }),
];

impl Clusters {
    /// These, until they change.
    pub fn new(clusters: &[Arc<Cluster>]) -> Clusters {
        Clusters(Arc::new(ArcSwap::from_pointee(clusters.to_vec())))
    }

    /// From now on there are these.
    pub fn change(&self, clusters: &[Arc<Cluster>]) {
        self.0.store(Arc::new(clusters.to_vec()));
    }

    /// Those there are now, in the order of the configuration.
    pub fn all(&self) -> Arc<Vec<Arc<Cluster>>> {
        self.0.load_full()
    }

    /// Upstreams that have no server for requests.
    pub fn dead(&self) -> Vec<String> {
        let is_dead = |cluster: &&Arc<Cluster>| cluster.members().serving().next().is_none();
        self.all().iter().filter(is_dead).map(|cluster| cluster.name().to_owned()).collect()
    }
}

impl Collect for Clusters {
    fn collect(&self, exposition: &mut Exposition) {
        let all = self.all();
        let members: Vec<_> = all.iter().map(|cluster| (cluster.name(), cluster.members())).collect();
        for (name, kind, help, value) in OF_SERVER {
            let mut family = exposition.family(name, kind, help);
            for (upstream, members) in &members {
                for member in &members.servers {
                    family.sample(&[("upstream", upstream), ("server", &member.address)], value(member));
                }
            }
        }
        for (name, kind, help, value) in OF_UPSTREAM {
            let mut family = exposition.family(name, kind, help);
            all.iter().for_each(|cluster| family.sample(&[("upstream", cluster.name())], value(cluster)));
        }
    }
}
