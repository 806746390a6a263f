//! What is done with requests under one configuration: identity, routes, upstreams, limits. All cores share one; a reload
//! puts another in its place.

use std::rc::Rc;
use std::sync::Arc;

use ring::hmac;

use super::{StartError, system_error, upstreams};
use crate::config::Config;
use crate::exchange::{self, Exchanges, Tally, Traffic};
use crate::listen::Limits;
use crate::proxy::{Proxy, Rates, Upstreams};
use crate::record::redact::Policy;
use crate::routes::Table;
use crate::secret::Secret;
use crate::upstream::Cluster;

/// See the module.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) exchange: exchange::Shared,
    pub(super) upstreams: Arc<[Arc<Cluster>]>,
    limits: Limits,
    rates: Option<Arc<Rates>>,
}

impl Service {
    /// The first one of a process.
    ///
    /// # Errors
    /// A file of an upstream's TLS that cannot be used, or no random numbers.
    pub(super) fn new(config: &Config, table: Table) -> Result<Service, StartError> {
        let hash_key = match &config.exchange.hash_key {
            Some(secret) => key_of(secret),
            None => hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())
                .map_err(|_| system_error("no random numbers"))?,
        };
        let tally = Arc::new(Tally::new(&config.exchange.events));
        let upstreams = upstreams::clusters(config, &[])?;
        Ok(Service::of(config, table, hash_key, tally, Arc::new(Traffic::default()), upstreams))
    }

    /// The one after this. What stays the same keeps its state: upstreams their connections and health, the requests of
    /// clients their count, hashes their key.
    ///
    /// # Errors
    /// A file of an upstream's TLS that cannot be used.
    pub(super) fn follow(&self, config: &Config, table: Table) -> Result<Service, StartError> {
        let before = &self.exchange;
        let hash_key = config.exchange.hash_key.as_ref().map_or_else(|| before.hash_key.clone(), key_of);
        let tally = Arc::new(before.tally.follow(&config.exchange.events));
        let traffic = Arc::clone(&before.traffic);
        let upstreams = upstreams::clusters(config, &self.upstreams)?;
        let mut next = Service::of(config, table, hash_key, tally, traffic, upstreams);
        if next.limits.requests == self.limits.requests && next.limits.exempt == self.limits.exempt {
            next.rates.clone_from(&self.rates);
        }
        Ok(next)
    }

    fn of(
        config: &Config,
        table: Table,
        hash_key: hmac::Key,
        tally: Arc<Tally>,
        traffic: Arc<Traffic>,
        upstreams: Arc<[Arc<Cluster>]>,
    ) -> Service {
        let policy = Policy::new(&config.record.redact, &hash_key);
        let (settings, table) = (config.exchange.clone(), Arc::new(table));
        let rate = config.limits.requests.clone();
        let now = crate::time::monotonic();
        Service {
            exchange: exchange::Shared { settings, policy, table, hash_key, tally, traffic },
            upstreams,
            rates: rate.map(|rate| Arc::new(Rates::new(rate, config.limits.exempt.clone(), now))),
            limits: config.limits.clone(),
        }
    }

    /// A core's proxy.
    pub(super) fn proxy(&self, exchanges: Rc<Exchanges>, upstreams: Upstreams) -> Proxy {
        Proxy::new(exchanges, upstreams, self.limits.clone(), self.rates.clone())
    }

    /// The limits of connections. Those of proxies are other people's, and are not counted by address.
    pub(super) fn connection_limits(&self) -> Limits {
        let trusted = &self.exchange.settings.trusted_proxies.nets;
        Limits { exempt: [&self.limits.exempt[..], trusted].concat(), ..self.limits.clone() }
    }
}

/// The key for hashes of user ids: the user's own, so that they are the same in every run; else a new one.
fn key_of(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}
