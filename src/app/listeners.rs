//! The listeners of a configuration, and what the next one makes of them: those that stay keep their sockets and the
//! connections that are open, new ones are bound before anything of it is in force.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::StartError;
use super::handover::Estate;
use super::sockets::{Bound, Origins, entrance};
use super::systemd::Inherited;
use crate::config::Config;
use crate::listen::{ListenAddress, ListenSettings, Listener, Socket, SocketAccess};
use crate::net::unix_socket::SocketFile;
use crate::net::{ServerTls, TrustedPeers};

/// All listeners, in the order of the configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    standing: Vec<Standing>,
    trusted: Arc<TrustedPeers>,
    /// What the service manager has opened and no listener has taken; read when it is first asked for.
    inherited: Arc<Mutex<Option<Inherited>>>,
    /// How many there have been, of this process.
    numbers: u64,
}

/// One of them.
#[derive(Debug, Clone)]
struct Standing {
    /// But for where it is written, and who may connect to a unix socket: that is settled as it is bound.
    settings: ListenSettings,
    place: Arc<Place>,
    listener: Arc<Listener>,
}

/// Where it listens, for as long as it does.
#[derive(Debug)]
struct Place {
    addresses: Vec<SocketAddr>,
    names: Vec<String>,
    held: Mutex<Held>,
}

/// What lasts as long as nobody else listens there.
#[derive(Debug)]
struct Held {
    /// Removed with it, unless it is another process's by then.
    file: Option<SocketFile>,
    /// Every socket once more, for the process after this one.
    sockets: Vec<Socket>,
}

/// What is there when listeners are made.
struct Around<'a> {
    cores: usize,
    handed: &'a Estate,
    given_up: Vec<SocketAddr>,
}

impl Listeners {
    /// Those of a configuration, after these. What is new is bound, for so many cores; nothing of these is changed.
    ///
    /// # Errors
    /// An address that cannot be listened on, or a file that cannot be used. What was bound is let go.
    pub(super) fn follow(&self, config: &Config, cores: usize) -> Result<Listeners, StartError> {
        self.follow_with(config, cores, &Estate::default())
    }

    /// The same where the process before has handed sockets over.
    ///
    /// # Errors
    /// As [`Listeners::follow`].
    pub(super) fn follow_with(&self, config: &Config, cores: usize, handed: &Estate) -> Result<Listeners, StartError> {
        let trusted = &config.exchange.trusted_proxies;
        let trusted = if *trusted == *self.trusted { Arc::clone(&self.trusted) } else { Arc::new(trusted.clone()) };
        let mut next = Listeners { standing: Vec::new(), trusted, ..self.clone() };
        let mut left: Vec<&Standing> = self.standing.iter().collect();
        let around = Around { cores, handed, given_up: self.given_up(config) };
        for written in &config.listeners {
            let settings = essence(written);
            // Of those without a port of their own there may be several: they are told apart by their order.
            let known = left.iter().position(|standing| standing.settings.address == settings.address);
            let standing = match known.map(|at| left.remove(at)) {
                Some(known) => known.follow(settings, &next.trusted, &self.trusted)?,
                None => next.bind(settings, written, &around)?,
            };
            next.standing.push(standing);
        }
        Ok(next)
    }

    fn bind(
        &mut self,
        settings: ListenSettings,
        written: &ListenSettings,
        around: &Around<'_>,
    ) -> Result<Standing, StartError> {
        let entrance = entrance(&settings, &self.trusted, None)?;
        let mut inherited = self.inherited.lock().unwrap_or_else(PoisonError::into_inner);
        let is_inherited = matches!(settings.address, ListenAddress::Inherited(_));
        let passed_on = match &mut *inherited {
            None if !is_inherited => &Inherited::default(),
            passed_on => &*passed_on.get_or_insert_with(Inherited::from_environment),
        };
        let handed = around.handed.take(&self.name(&settings.address, self.standing.len()));
        let origins = Origins { handed, inherited: passed_on, given_up: &around.given_up };
        let Bound { addresses, names, per_core, file, kept } = Bound::bind(written, around.cores, origins)?;
        let listener = Arc::new(Listener::new(self.numbers, entrance, per_core));
        self.numbers += 1;
        let place = Place { addresses, names, held: Mutex::new(Held { file, sockets: kept }) };
        Ok(Standing { settings, place: Arc::new(place), listener })
    }

    /// What the sockets of the listener at this place are handed over as: its address; where several have the same one
    /// (port 0 is any), with its number among them.
    fn name(&self, address: &ListenAddress, at: usize) -> String {
        match self.standing[..at].iter().filter(|earlier| earlier.settings.address == *address).count() {
            0 => address.to_string(),
            earlier => format!("{address} {earlier}"),
        }
    }

    /// Every socket once more, by name, for the process after this one.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn sockets(&self) -> io::Result<Vec<(String, Socket)>> {
        let mut sockets = Vec::new();
        for (at, standing) in self.standing.iter().enumerate() {
            let name = self.name(&standing.settings.address, at);
            for socket in &standing.place.held().sockets {
                sockets.push((name.clone(), socket.share()?));
            }
        }
        Ok(sockets)
    }

    /// Nobody is let in any more, but by another process if it was `handed_over`: then socket files are that one's.
    pub(super) fn let_go(&self, is_handed_over: bool) {
        for standing in &self.standing {
            let mut held = standing.place.held();
            held.sockets.clear();
            if is_handed_over && let Some(file) = held.file.take() {
                file.leave();
            }
        }
    }

    /// They are in force: sockets of the service manager belong to their listeners, and close with them.
    pub(super) fn settle(&self) {
        if let Some(inherited) = &mut *self.inherited.lock().unwrap_or_else(PoisonError::into_inner) {
            let names = self.standing.iter().filter_map(|standing| match &standing.settings.address {
                ListenAddress::Inherited(name) => Some(name),
                ListenAddress::Tcp(_) | ListenAddress::Unix(_) => None,
            });
            names.for_each(|name| inherited.let_go(name));
        }
    }

    /// For the cores.
    pub(super) fn shared(&self) -> Arc<[Arc<Listener>]> {
        self.standing.iter().map(|standing| Arc::clone(&standing.listener)).collect()
    }

    /// Where they listen over TCP, and whether TLS is spoken there.
    pub(super) fn tcp(&self) -> Vec<(SocketAddr, bool)> {
        let of = |standing: &Standing| {
            let tls = standing.settings.tls.is_some();
            standing.place.addresses.iter().map(move |address| (*address, tls)).collect::<Vec<_>>()
        };
        self.standing.iter().flat_map(of).collect()
    }

    /// Where they listen, as it is told.
    pub(super) fn urls(&self) -> Vec<String> {
        let of = |standing: &Standing| {
            let scheme = if standing.settings.tls.is_some() { "https" } else { "http" };
            standing.place.names.iter().map(move |name| format!("{scheme}://{name}")).collect::<Vec<_>>()
        };
        self.standing.iter().flat_map(of).collect()
    }

    /// The TLS that is spoken, listener by listener.
    pub(super) fn tls(&self) -> Vec<Arc<ServerTls>> {
        self.standing.iter().filter_map(|standing| standing.listener.entrance().tls.clone()).collect()
    }

    /// Where nobody listens any more once this configuration is in force.
    fn given_up(&self, config: &Config) -> Vec<SocketAddr> {
        let stays = |standing: &&Standing| config.listeners.iter().any(|one| one.address == standing.settings.address);
        let gone = self.standing.iter().filter(|standing| !stays(standing));
        gone.flat_map(|standing| standing.place.addresses.clone()).collect()
    }
}

impl Place {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is locked.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// The same sockets under other settings. Who is connected stays, unless it would not be let in like that any more.
    fn follow(
        &self,
        settings: ListenSettings,
        trusted: &Arc<TrustedPeers>,
        trusted_before: &Arc<TrustedPeers>,
    ) -> Result<Standing, StartError> {
        let before = &self.settings;
        if settings == *before && (Arc::ptr_eq(trusted, trusted_before) || settings.proxy_protocol.is_none()) {
            return Ok(self.clone());
        }
        let same_tls = self.listener.entrance().tls.clone().filter(|_| settings.tls == before.tls);
        let terms = |settings: &ListenSettings| {
            let tls = settings.tls.as_ref().map(|tls| (tls.min_version, tls.client.clone()));
            (tls, settings.proxy_protocol)
        };
        let other_terms = terms(&settings) != terms(before);
        let listener = Arc::new(self.listener.follow(entrance(&settings, trusted, same_tls)?, other_terms));
        Ok(Standing { settings, place: Arc::clone(&self.place), listener })
    }
}

/// What of a listener can change while it listens: not who may connect to its socket file, nor where it is written.
pub(super) fn essence(listener: &ListenSettings) -> ListenSettings {
    let mut listener = ListenSettings { origin: 0, access: SocketAccess::default(), ..listener.clone() };
    listener.tls.iter_mut().flat_map(|tls| &mut tls.certificates).for_each(|pair| pair.origin.0 = 0);
    listener
}

/// The TLS of all listeners as it is now, for those who look after it and those who show it.
#[derive(Clone, Default)]
pub(super) struct SpokenTls(Arc<ArcSwap<Vec<Arc<ServerTls>>>>);

impl std::fmt::Debug for SpokenTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SpokenTls").field(&self.all().len()).finish()
    }
}

impl SpokenTls {
    /// It is this from now on.
    pub(super) fn change(&self, tls: Vec<Arc<ServerTls>>) {
        self.0.store(Arc::new(tls));
    }

    /// Listener by listener.
    pub(super) fn all(&self) -> Arc<Vec<Arc<ServerTls>>> {
        self.0.load_full()
    }
}
