//! One upstream under supervision: its servers with how they are, and the tasks that find out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use crate::time;
use crate::upstream::cluster::{Cluster, Member, Members};
use crate::upstream::connect::Way;
use crate::upstream::settings::{EjectionSettings, HealthSettings};
use crate::upstream::status::State;

use super::check::check;
use super::health::{self, Health, may_eject};
use super::resolve::{Resolver, ways};
use super::tier::{Seat, reserve, usable};
use super::{Change, Herald, NameChange};

/// A name that does not resolve is asked for again after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// However many connections fail, a name is not asked for more often.
const SOONEST: Duration = Duration::from_secs(1);
/// How long the trial of a connection may take where requests have no limit.
const TRIAL: Duration = Duration::from_secs(5);
/// Where diagnostics go.
const LOGGER: &str = "gatelog.proxy";

/// One upstream.
pub(super) struct Ward {
    cluster: Arc<Cluster>,
    herald: Arc<dyn Herald>,
    kept: RefCell<Vec<Kept>>,
    /// Servers of the configuration whose names do not resolve at present, and why.
    lost: RefCell<BTreeMap<usize, String>>,
    resolver: Resolver,
    /// Servers fail: perhaps their names have moved.
    doubt: Notify,
    /// Something is due earlier than it was.
    changed: Notify,
}

/// A server and how it is.
struct Kept {
    member: Arc<Member>,
    health: Health,
    checks: Option<AbortHandle>,
    /// It is being tried whether an ejected one takes connections again.
    trial: Option<AbortHandle>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.checks.iter().chain(&self.trial).for_each(AbortHandle::abort);
    }
}

/// Whether anything about an upstream can change while it runs.
pub(super) fn is_needed(cluster: &Cluster) -> bool {
    let settings = &cluster.settings;
    let several = settings.servers.len() > 1 && settings.ejection.is_some();
    several || settings.health.is_some() || settings.servers.iter().any(|server| server.place.name().is_some())
}

impl Ward {
    pub(super) fn new(cluster: &Arc<Cluster>, herald: &Arc<dyn Herald>) -> Rc<Ward> {
        let now = time::monotonic();
        let kept = |member: &Arc<Member>| Kept::new(Arc::clone(member), now);
        Rc::new(Ward {
            cluster: Arc::clone(cluster),
            herald: Arc::clone(herald),
            kept: RefCell::new(cluster.members().servers.iter().map(kept).collect()),
            lost: RefCell::default(),
            resolver: Resolver::new(&cluster.settings.resolver),
            doubt: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Begins with health checks, and asks for all names once.
    pub(super) async fn begin(self: Rc<Self>) {
        self.begin_checks();
        let servers = self.cluster.settings.servers.iter().enumerate();
        let named = servers.filter(|(_, server)| server.place.name().is_some()).map(|(origin, _)| origin);
        let first: Vec<_> = named.map(|origin| (origin, spawn_local(Rc::clone(&self).resolve(origin)))).collect();
        for (origin, resolving) in first {
            let life = resolving.await.unwrap_or(Some(AGAIN));
            spawn_local(Rc::clone(&self).keep_resolving(origin, life));
        }
    }

    /// Looks at the servers whenever something is due, or fails; never returns.
    pub(super) async fn watch(self: Rc<Self>) {
        loop {
            let due = self.review(time::monotonic());
            let due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.cluster.trouble.notified() => self.doubt.notify_waiters(),
                () = self.changed.notified() => {}
                () = due => {}
            }
        }
    }

    /// Lets time pass; returns when it is to be called again.
    fn review(self: &Rc<Self>, now: Instant) -> Option<Instant> {
        let settings = &self.cluster.settings;
        if let Some(ejection) = &settings.ejection {
            while let Some((member, change)) = self.eject_one(ejection, now) {
                self.apply(&member, change);
            }
        }
        let mut kept = self.kept.borrow_mut();
        for kept in kept.iter_mut() {
            if kept.health.is_served(now) && kept.trial.is_none() {
                let trial = spawn_local(Rc::clone(self).try_again(Arc::clone(&kept.member)));
                kept.trial = Some(trial.abort_handle());
            }
            let weight = kept.health.weight(kept.member.weight, settings.slow_start, now);
            kept.member.set_effective_weight(weight);
        }
        let waiting = kept.iter().filter(|kept| kept.trial.is_none());
        waiting.filter_map(|kept| kept.health.due(settings.slow_start, now)).min()
    }

    /// Lets an ejected server back if it takes connections: no request is to find out that it does not.
    async fn try_again(self: Rc<Self>, member: Arc<Member>) {
        let limit = self.cluster.settings.timeouts.connect.unwrap_or(TRIAL);
        let connected = member.target.connect(Some(limit), None, || {}).await;
        let now = time::monotonic();
        let mut kept = self.kept.borrow_mut();
        let Some(own) = kept.iter_mut().find(|kept| Arc::ptr_eq(&kept.member, &member)) else { return };
        own.trial = None;
        let change = match (connected, &self.cluster.settings.ejection) {
            (Err(error), Some(ejection)) => {
                member.status.note_error(error.describe());
                own.health.extend(ejection, now);
                None
            }
            _ => own.health.release(now),
        };
        drop(kept);
        change.into_iter().for_each(|change| self.apply(&member, change));
        self.changed.notify_one();
    }

    /// Ejects the next server that has failed too often, if one more may be.
    fn eject_one(&self, settings: &EjectionSettings, now: Instant) -> Option<(Arc<Member>, health::Change)> {
        let mut kept = self.kept.borrow_mut();
        let seats: Vec<Seat> = kept.iter().map(Kept::seat).collect();
        let index = kept.iter().position(|kept| {
            let failing = kept.member.status.consecutive_failures() >= settings.failures;
            failing && kept.health.state() == State::Up && has_room(&seats, kept.member.backup, settings.share)
        })?;
        let Kept { member, health, .. } = &mut kept[index];
        Some((Arc::clone(member), health.eject(settings, now)?))
    }

    /// A server went down or came up: the cores are shown, and it is told.
    fn apply(&self, member: &Arc<Member>, change: health::Change) {
        member.status.set_state(change.state);
        if change.state == State::Up {
            // On probation: one failure more, and it is out again; one success, and it is as good as any.
            let probation =
                self.cluster.settings.ejection.as_ref().map_or(0, |ejection| ejection.failures.saturating_sub(1));
            member.status.set_consecutive(probation);
            self.review_weight(member);
        }
        self.publish();
        self.changed.notify_one();
        let kept = self.kept.borrow();
        let error = member.status.last_error();
        self.herald.tell(&Change {
            upstream: self.cluster.name(),
            address: &member.address,
            state: change.state,
            reason: change.reason.as_str(),
            lasted: change.lasted,
            error: error.as_deref().map(String::as_str),
            up: kept.iter().filter(|kept| kept.health.state() == State::Up).count(),
            servers: kept.len(),
        });
    }

    /// Before anybody is sent to a server that came back, its share is a small one.
    fn review_weight(&self, member: &Arc<Member>) {
        let now = time::monotonic();
        let mut kept = self.kept.borrow_mut();
        let own = kept.iter_mut().find(|kept| Arc::ptr_eq(&kept.member, member));
        own.into_iter().for_each(|kept| {
            member.set_effective_weight(kept.health.weight(member.weight, self.cluster.settings.slow_start, now));
        });
    }

    fn publish(&self) {
        let kept = self.kept.borrow();
        let seats: Vec<Seat> = kept.iter().map(Kept::seat).collect();
        let servers = kept.iter().map(|kept| Arc::clone(&kept.member)).collect();
        let (usable, reserve) = (usable(&seats), reserve(&seats));
        self.cluster.publish(Members { servers, usable, reserve, unresolved: self.unresolved() });
    }

    fn begin_checks(self: &Rc<Self>) {
        let Some(settings) = &self.cluster.settings.health else { return };
        for kept in self.kept.borrow_mut().iter_mut().filter(|kept| kept.checks.is_none()) {
            let task = spawn_local(Rc::clone(self).check_often(Arc::clone(&kept.member), settings.clone()));
            kept.checks = Some(task.abort_handle());
        }
    }

    async fn check_often(self: Rc<Self>, member: Arc<Member>, settings: HealthSettings) {
        loop {
            let result = check(&member, &settings).await;
            self.checked(&member, &settings, result);
            tokio::time::sleep(about(settings.interval)).await;
        }
    }

    fn checked(&self, member: &Arc<Member>, settings: &HealthSettings, result: Result<(), String>) {
        let good = result.is_ok();
        if let Err(error) = result {
            member.status.note_error(error);
        }
        let now = time::monotonic();
        let mut kept = self.kept.borrow_mut();
        let own = kept.iter_mut().find(|kept| Arc::ptr_eq(&kept.member, member));
        let change = own.and_then(|kept| kept.health.checked(good, settings, now));
        drop(kept);
        change.into_iter().for_each(|change| self.apply(member, change));
    }

    /// Asks for a name again when its answer is no longer good, or when its servers fail; never returns.
    async fn keep_resolving(self: Rc<Self>, origin: usize, mut life: Option<Duration>) {
        let host = self.cluster.settings.servers[origin].place.name().map_or("", |(host, _)| host);
        loop {
            let told = match life {
                Some(told) => told,
                None => self.resolver.life(host).await,
            };
            tokio::select! {
                () = tokio::time::sleep(told) => {}
                () = async {
                    tokio::time::sleep(SOONEST).await;
                    self.doubt.notified().await;
                } => {}
            }
            life = Rc::clone(&self).resolve(origin).await;
        }
    }

    /// Asks for the name of a server; returns how long the answer is good for, where that is known.
    async fn resolve(self: Rc<Self>, origin: usize) -> Option<Duration> {
        let (host, port) = self.cluster.settings.servers[origin].place.name()?;
        match self.resolver.resolve(host).await {
            Ok(found) => {
                if self.lost.borrow_mut().remove(&origin).is_some() {
                    self.herald.tell_name(&NameChange { upstream: self.cluster.name(), host, lost: None });
                }
                self.place(origin, &ways(&found.addresses, port));
                found.life
            }
            Err(why) => {
                self.lose(origin, host, why);
                Some(AGAIN)
            }
        }
    }

    /// A name does not resolve. What it stood for stays.
    fn lose(&self, origin: usize, host: &str, why: String) {
        let kept = self.kept.borrow().iter().filter(|kept| kept.member.origin == origin).count();
        let told = self.lost.borrow_mut().insert(origin, why.clone()).is_some();
        if !told {
            let lost = Some((why.as_str(), kept));
            self.herald.tell_name(&NameChange { upstream: self.cluster.name(), host, lost });
        }
        if kept == 0 {
            self.publish();
        }
    }

    /// A name stands for these servers now. Those that it stood for before go on as they are.
    fn place(self: &Rc<Self>, origin: usize, ways: &[Way]) {
        let now = time::monotonic();
        let mut kept = self.kept.borrow_mut();
        let (own, mut others): (Vec<Kept>, Vec<Kept>) = kept.drain(..).partition(|kept| kept.member.origin == origin);
        if own.iter().map(|kept| kept.member.target.way()).eq(ways) {
            others.extend(own);
            others.sort_by_key(|kept| kept.member.origin);
            *kept = others;
            return;
        }
        let mut own: Vec<Option<Kept>> = own.into_iter().map(Some).collect();
        others.extend(ways.iter().map(|way| {
            let known = own.iter_mut().find(|kept| kept.as_ref().is_some_and(|kept| kept.member.target.way() == way));
            known
                .and_then(Option::take)
                .unwrap_or_else(|| Kept::new(Arc::new(self.cluster.member(origin, way.clone())), now))
        }));
        others.sort_by_key(|kept| kept.member.origin);
        *kept = others;
        let addresses: Vec<String> = kept
            .iter()
            .filter(|kept| kept.member.origin == origin)
            .map(|kept| kept.member.address.to_string())
            .collect();
        drop(kept);
        let upstream = self.cluster.name();
        tracing::debug!(target: LOGGER, upstream, addresses = addresses.join(" "), "a name stands for these servers");
        self.publish();
        self.begin_checks();
    }

    /// A name for which there is nothing at all, and why.
    fn unresolved(&self) -> Option<(String, String)> {
        let lost = self.lost.borrow();
        let (origin, why) = lost.first_key_value()?;
        let (host, _) = self.cluster.settings.servers[*origin].place.name()?;
        Some((host.to_owned(), why.clone()))
    }
}

impl Kept {
    fn new(member: Arc<Member>, now: Instant) -> Kept {
        Kept { member, health: Health::new(now), checks: None, trial: None }
    }

    fn seat(&self) -> Seat {
        Seat { state: self.health.state(), backup: self.member.backup }
    }
}

/// Whether one more of a tier may be ejected. Those that health checks have taken out do not count as servers.
fn has_room(seats: &[Seat], backup: bool, share: f64) -> bool {
    let count =
        |state: State, backup: bool| seats.iter().filter(|seat| seat.state == state && seat.backup == backup).count();
    let ejected = count(State::Ejected, backup);
    let stands_by = !backup && count(State::Up, true) > 0;
    may_eject(count(State::Up, backup) + ejected, ejected, share, stands_by)
}

/// A tenth more or less, so that the checks of many servers, and of many proxies, do not come all at once.
fn about(interval: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    interval.mul_f64(0.9 + 0.2 * chance)
}
