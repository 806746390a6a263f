//! The configuration read again while requests run: refused whole, or in force at once.
//!
//! What can change is one value, the [`Generation`], which every core takes between two records. Nothing on a core waits for
//! any of this: outputs are opened and left here and on their own threads.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::alerts::Desk;
use super::certificates::{self, Watch};
use super::core::Generation;
use super::difference::{changed_later, changed_now, standing};
use super::keeper::Keeper;
use super::listeners::{Listeners, SpokenTls};
use super::preflight::Ready;
use super::service::Service;
use super::{StartError, account, settled, upstreams};
use crate::admin::{self, Access};
use crate::config::{Config, Problem, Severity};
use crate::exchange::Tally;
use crate::listen::{ListenSettings, Socket};
use crate::net::{Peer, ServerTls};
use crate::pipeline::{Announcer, Levels, Port, Routing, Stamp};
use crate::record::{Event, Level, Value};
use crate::sinks::{self, Changes, Outputs, Prepared};
use crate::time;
use crate::upstream::supervise::Supervisor;
use crate::upstream::{Cluster, Clusters};

/// Problems that are told one by one; of more only the number is.
pub(super) const TOLD: usize = 100;
/// An output that was left and has not ended after this time is told of.
const HANGS: Duration = Duration::from_secs(10);
/// How long it is waited for every core to go by a new configuration, and how often that is looked at.
const TAKEN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(1);
/// What the outputs have left at the end where the store has used up the time.
const AFTER_KEEPER: Duration = Duration::from_secs(1);

/// What can be asked of a proxy while it serves.
#[derive(Debug)]
pub struct Control {
    announcer: Arc<Announcer>,
    generations: watch::Sender<Arc<Generation>>,
    access: Arc<Access>,
    upstreams: Clusters,
    tls: SpokenTls,
    keeper: Option<Keeper>,
    alerts: Desk,
    cores: usize,
    account: Mutex<Reloads>,
    state: Mutex<State>,
}

/// The account of reloads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reloads {
    /// Configurations that were put in force.
    pub(super) taken: u64,
    /// Configurations that were not.
    pub(super) refused: u64,
    /// Whether the last one was; true where there was none.
    pub(super) last_was_taken: bool,
    /// When the one in force was, in microseconds since the Unix epoch.
    pub(super) last_taken: u64,
}

#[derive(Debug)]
struct State {
    /// What is in force.
    config: Config,
    listeners: Listeners,
    /// Looks after their certificates, once there are any.
    watch: Option<Watch>,
    outputs: Outputs,
    /// Who looks after the upstreams: one for each configuration that brought new ones.
    supervisors: Vec<Supervisor>,
    /// The process is about to end, and nothing changes any more.
    closed: bool,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The new configuration is in force.
    Taken,
    /// The one before stays, and the log says why.
    Refused,
    /// The process is about to end: nothing was done.
    Ignored,
}

impl Control {
    /// The control of outputs that have just been started for this configuration.
    pub(super) fn new(
        config: Config,
        (outputs, keeper): (Outputs, Option<Keeper>),
        stamp: Stamp,
        access: Arc<Access>,
        (service, listeners, cores): (&Arc<Service>, Listeners, usize),
    ) -> Control {
        let ports = with_keeper(outputs.ports(), keeper.as_ref(), &stamp);
        let alerts = Desk::default();
        let watch = alerts.watch(&config);
        let routing = Routing { levels: Levels::new(&config.pipeline), ports, stamp, watch };
        let announcer = Arc::new(Announcer::new(&routing));
        let generations =
            watch::Sender::new(Arc::new(Generation::new(1, routing, Arc::clone(service), listeners.shared())));
        listeners.settle();
        let tls = SpokenTls::default();
        let upstreams = Clusters::new(&service.upstreams);
        let account = Reloads { taken: 0, refused: 0, last_was_taken: true, last_taken: time::wall_now() };
        let (watch, supervisors) = Default::default();
        let state = Mutex::new(State { config, listeners, watch, outputs, supervisors, closed: false });
        let account = Mutex::new(account);
        Control { announcer, generations, access, upstreams, tls, keeper, alerts, cores, account, state }
    }

    /// Says something about gatelog itself, through all outputs.
    pub fn announcer(&self) -> &Arc<Announcer> {
        &self.announcer
    }

    /// A peer's addresses as the configuration in force lets them be written: the client's, and the socket's.
    pub(super) fn shown(&self, peer: &Peer) -> (Option<String>, String) {
        self.generations.borrow().service.exchange.shown(peer)
    }

    /// Which configuration is in force, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generations.borrow().number
    }

    /// The upstreams in force.
    pub(super) fn upstreams(&self) -> &Clusters {
        &self.upstreams
    }

    /// Has the first upstreams looked after. Returns when their names have been asked for, or after some seconds.
    pub(super) fn supervise(&self) -> io::Result<()> {
        let supervisor = upstreams::supervise(&self.upstreams.all(), &self.announcer)?;
        self.state().supervisors.push(supervisor);
        Ok(())
    }

    /// Nobody looks after upstreams any more.
    pub(super) fn look_away(&self) {
        let supervisors = std::mem::take(&mut self.state().supervisors);
        // Each is waited for, and may have something to say until then.
        drop(supervisors);
    }

    /// Has the certificates of the first listeners looked after.
    pub(super) fn watch(&self) -> io::Result<()> {
        let mut state = self.state();
        let tls = state.listeners.tls();
        self.look_after(&mut state.watch, tls)
    }

    fn look_after(&self, watch: &mut Option<Watch>, tls: Vec<Arc<ServerTls>>) -> io::Result<()> {
        if watch.is_none() && !tls.is_empty() {
            *watch = Some(Watch::start(self.tls.clone())?);
        }
        self.tls.change(tls);
        Ok(())
    }

    /// The TLS that is spoken.
    pub(super) fn tls(&self) -> &SpokenTls {
        &self.tls
    }

    /// Nobody listens any more: socket files go, and certificates are nobody's concern.
    pub(super) fn leave_listeners(&self) {
        let mut state = self.state();
        let left = (std::mem::take(&mut state.listeners), state.watch.take());
        drop(state);
        // The thread is waited for.
        drop(left);
    }

    /// Every socket that is listened on, once more, under the name that the process after this one knows it by.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn sockets(&self) -> io::Result<Vec<(String, Socket)>> {
        self.state().listeners.sockets()
    }

    /// Nobody is let in here any more. Where another process does, socket files are that one's.
    pub(super) fn stop_listening(&self, is_handed_over: bool) {
        self.state().listeners.let_go(is_handed_over);
    }

    /// Where it listens over TCP, and whether TLS is spoken there.
    pub(super) fn addresses(&self) -> Vec<(SocketAddr, bool)> {
        self.state().listeners.tcp()
    }

    /// What a service manager shows of it.
    pub fn status(&self) -> String {
        format!("listening on {}", self.state().listeners.urls().join(", "))
    }

    /// How long requests that run may take to finish when the process ends.
    pub(super) fn grace(&self) -> Duration {
        self.state().config.shutdown_grace
    }

    /// What requests left behind beside their records.
    pub(super) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.generations.borrow().service.exchange.tally)
    }

    /// Who may ask the admin listener.
    pub(super) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// How each output fares.
    pub(super) fn reports(&self) -> Vec<crate::pipeline::Report> {
        self.generations.borrow().routing.ports.iter().map(Port::report).collect()
    }

    /// How many reloads there were.
    pub(super) fn reloads(&self) -> Reloads {
        *self.account()
    }

    /// What each core follows.
    pub(super) fn generations(&self) -> watch::Receiver<Arc<Generation>> {
        self.generations.subscribe()
    }

    /// Has log files opened again that others have moved.
    pub fn reopen(&self) {
        self.state().outputs.reopen();
    }

    /// Puts a configuration in force that was read and looked through, or says what is wrong with it and leaves the one
    /// before as it is. Never waits for an output; once all cores go by the new one, the log says so.
    pub async fn reload(self: &Arc<Self>, ready: Option<Ready>, problems: &[Problem]) -> Reloaded {
        let next = match ready {
            Some(ready) => self.prepare(ready).await,
            None => None,
        };
        let report = match self.try_take(next, problems) {
            Ok(report) => report,
            Err(outcome) => return outcome,
        };
        let generation = Arc::clone(&self.generations.borrow());
        self.all_have(&generation).await;
        let is_new = |port: &Port| report.changes.begin.iter().any(|name| **name == *port.name);
        report.announce(&announcer_of(&generation.routing, |port| !is_new(port)), None);
        if !report.later.is_empty() {
            let keys = report.later.join(" ");
            tracing::warn!(target: "gatelog.proxy", keys, "the configuration has changes that only a restart puts in force");
        }
        Reloaded::Taken
    }

    /// What a configuration needs that takes its time, names being resolved: on a thread that holds up nobody. `None` where
    /// there is no such thread.
    async fn prepare(self: &Arc<Self>, ready: Ready) -> Option<Result<Next, ReloadError>> {
        let control = Arc::clone(self);
        tokio::task::spawn_blocking(move || control.next(ready)).await.ok()
    }

    fn next(&self, ready: Ready) -> Result<Next, ReloadError> {
        let Ready { config, table } = ready;
        let before = Arc::clone(&self.generations.borrow().service);
        let known = self.state().listeners.clone();
        // Who renews a certificate and asks for a reload means both.
        certificates::look(&known.tls());
        let listeners = known.follow(&config, self.cores)?;
        let service = before.follow(&config, table)?;
        let is_new = |cluster: &&Arc<Cluster>| !before.upstreams.iter().any(|known| Arc::ptr_eq(known, cluster));
        let new: Vec<_> = service.upstreams.iter().filter(is_new).cloned().collect();
        let supervisor = upstreams::supervise(&new, &self.announcer).map_err(StartError::System)?;
        Ok(Next { config, service: Arc::new(service), listeners, supervisor })
    }

    fn try_take(&self, next: Option<Result<Next, ReloadError>>, problems: &[Problem]) -> Result<Report, Reloaded> {
        let mut state = self.state();
        if state.closed {
            return Err(Reloaded::Ignored);
        }
        tell(problems);
        let taken = match next {
            Some(Ok(next)) => self.take(&mut state, next).map_err(|error| tell_failure(error.into(), problems)),
            Some(Err(error)) => Err(tell_failure(error, problems)),
            None => Err(count(problems, Severity::Error)),
        };
        self.account().count(taken.is_ok());
        taken.map_err(|errors| {
            let errors = ("errors", Value::Unsigned(errors));
            let fields = [errors, ("warnings", Value::Unsigned(count(problems, Severity::Warning)))];
            self.announcer.announce(Event::ConfigRefused, Level::Error, &fields);
            Reloaded::Refused
        })
    }

    /// Waits until every core goes by this generation. One that is held up must not hold up who waits.
    async fn all_have(&self, generation: &Generation) {
        let since = time::monotonic();
        while generation.taken.load(Ordering::Acquire) < self.generations.receiver_count() && since.elapsed() < TAKEN {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells of outputs that were left and do not end, once they should have.
    pub async fn tell_hanging(&self) {
        tokio::time::sleep(HANGS).await;
        for output in self.state().outputs.hanging(HANGS) {
            tracing::warn!(target: "gatelog.proxy", output, "an output that was taken out does not end");
        }
    }

    /// From now on nothing changes.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Waits until every core serves, or has not for too long.
    pub(super) async fn all_serve(&self) {
        let generation = Arc::clone(&self.generations.borrow());
        self.all_have(&generation).await;
    }

    /// Another process is about to write to the same places, or might.
    pub(super) fn expect_neighbour(&self) {
        self.state().outputs.expect_neighbour();
    }

    /// Another process writes there from now on.
    pub(super) fn cede(&self) {
        self.alerts.cede();
        self.state().outputs.cede();
    }

    /// No other process writes there any more, or ever will.
    pub(super) fn be_alone(&self) {
        self.state().outputs.be_alone();
    }

    /// Lets all outputs write what waits, at most until then; what cannot be stored is told in the others.
    pub(super) fn finish(&self, until: Instant) {
        self.alerts.finish(until);
        self.keeper.iter().for_each(|keeper| keeper.finish(until));
        self.state().outputs.finish(until.max(time::monotonic() + AFTER_KEEPER));
    }

    /// The alerts.
    pub(super) fn alerts(&self) -> &Desk {
        &self.alerts
    }

    /// Where records are kept to be asked for, if they are.
    pub(super) fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in here leaves nothing half done that matters to what comes next.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, state: &mut State, next: Next) -> Result<Report, sinks::StartError> {
        let Next { config, service, listeners, supervisor } = next;
        let before = Arc::clone(&self.generations.borrow());
        let (now, later) = (changed_now(&state.config, &config), changed_later(&state.config, &config));
        let stamp = Stamp { instance: before.routing.stamp.instance.clone(), record: config.record.clone() };
        let restamped = stamp.record != before.routing.stamp.record;
        let prepared = state.outputs.prepare(&settled(&config), &stamp, restamped)?;
        let ports = with_keeper(prepared.ports(&state.outputs), self.keeper.as_ref(), &stamp);
        self.keeper.iter().filter(|_| restamped).for_each(|keeper| keeper.restamp(&stamp));
        let watch = self.alerts.watch(&config);
        let next = Routing { levels: Levels::new(&config.pipeline), ports, stamp, watch };
        self.take_admin(&mut state.config.admin, config.admin.clone());
        let listen = if now.contains(&"listen") { listeners.urls() } else { Vec::new() };
        let report = Report { number: before.number + 1, now, later, listen, changes: prepared.changes().clone() };
        report.announce_streams(&before.routing, &next);
        state.config = in_force(&state.config, config);
        state.supervisors.retain(|supervisor| !supervisor.is_over());
        state.supervisors.push(supervisor);
        self.upstreams.change(&service.upstreams);
        for gone in before.service.upstreams.iter().filter(|known| !is_among(known, &service.upstreams)) {
            gone.retire();
        }
        account::tell(&before.service.exchange.tally, &self.announcer);
        listeners.settle();
        let generation = Generation::new(report.number, next, service, listeners.shared());
        self.swap(&mut state.outputs, prepared, generation);
        self.alerts.change(&state.config);
        state.listeners = listeners;
        Ok(report)
    }

    /// Token and names are in force at once, the address after the next start. A listener that others can reach keeps its
    /// token where the new configuration, for another address, has none.
    fn take_admin(&self, before: &mut admin::Settings, after: admin::Settings) {
        let reachable = before.address.is_some_and(|address| !address.ip().is_loopback());
        let token = after.token.or_else(|| before.token.take().filter(|_| reachable));
        let next = admin::Settings { address: before.address, token, hosts: after.hosts };
        match self.access.change(&next) {
            Ok(()) => *before = next,
            Err(error) => tracing::error!(target: "gatelog.proxy", %error, "the admin listener keeps its token"),
        }
    }

    fn account(&self) -> MutexGuard<'_, Reloads> {
        // Nothing panics while it holds the lock.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self, outputs: &mut Outputs, prepared: Prepared, generation: Generation) {
        self.announcer.swap(&generation.routing);
        outputs.change(prepared);
        // With the one before go the ports of outputs that are no more, once every core has let go of it.
        drop(self.generations.send_replace(Arc::new(generation)));
    }
}

/// What a reload needs before it can be one.
struct Next {
    config: Config,
    service: Arc<Service>,
    listeners: Listeners,
    supervisor: Supervisor,
}

/// Why a configuration that was looked through cannot be put in force all the same.
type ReloadError = StartError;

fn is_among(cluster: &Arc<Cluster>, all: &[Arc<Cluster>]) -> bool {
    all.iter().any(|other| Arc::ptr_eq(cluster, other))
}

/// What is in force after a reload: the new configuration, but for what waits for the next start.
fn in_force(before: &Config, after: Config) -> Config {
    let access = |listener: ListenSettings| {
        let before = standing(before, &listener).map(|before| before.access.clone());
        ListenSettings { access: before.unwrap_or(listener.access), ..listener }
    };
    let listeners = after.listeners.into_iter().map(access).collect();
    let (admin, store) = (before.admin.clone(), before.store.clone());
    Config { workers: before.workers, listeners, admin, store, ..after }
}

impl Reloads {
    fn count(&mut self, taken: bool) {
        self.last_was_taken = taken;
        match taken {
            true => (self.taken, self.last_taken) = (self.taken + 1, time::wall_now()),
            false => self.refused += 1,
        }
    }
}

/// What a `config_reloaded` says.
struct Report {
    number: u64,
    now: Vec<&'static str>,
    later: Vec<&'static str>,
    /// Where it listens now, if that or how has changed.
    listen: Vec<String>,
    changes: Changes,
}

impl Report {
    /// Streams that end are told so, and those that begin have it before anything else.
    fn announce_streams(&self, before: &Routing, next: &Routing) {
        let is_of = |port: &Port, names: &[String]| names.iter().any(|name| **name == *port.name);
        self.announce(&announcer_of(before, |port| is_of(port, &self.changes.end)), Some("ends"));
        self.announce(&announcer_of(next, |port| is_of(port, &self.changes.begin)), Some("begins"));
    }

    fn announce(&self, announcer: &Announcer, stream: Option<&str>) {
        let Changes { added, removed, changed, .. } = &self.changes;
        let names = [added, removed, changed, &self.listen];
        let names = names.map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        let [added, removed, changed, listen] = &names;
        let mut fields = vec![("generation", Value::Unsigned(self.number))];
        fields.extend(stream.map(|stream| ("stream", Value::Text(stream.as_bytes()))));
        let lists: [(&str, &[&str]); 6] = [
            ("outputs_added", added),
            ("outputs_removed", removed),
            ("outputs_changed", changed),
            ("changed", &self.now),
            ("at_next_start", &self.later),
            ("listen", listen),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        fields.extend(lists.map(|(name, list)| (name, Value::List(list))));
        announcer.announce(Event::ConfigReloaded, Level::Info, &fields);
    }
}

/// The keeper comes last: where another output has the same lines, it takes that one's.
fn with_keeper(mut ports: Vec<Port>, keeper: Option<&Keeper>, stamp: &Stamp) -> Vec<Port> {
    ports.extend(keeper.map(|keeper| keeper.port(&stamp.record)));
    ports
}

/// A way to some of the outputs.
fn announcer_of(routing: &Routing, is_meant: impl Fn(&Port) -> bool) -> Announcer {
    let ports = routing.ports.iter().filter(|port| is_meant(port)).cloned().collect();
    Announcer::new(&Routing { ports, ..routing.clone() })
}

/// The configuration is good, and yet an output or a file cannot be opened. Returns how many errors there are.
fn tell_failure(error: StartError, problems: &[Problem]) -> u64 {
    match error {
        StartError::Output(sinks::StartError { output, source: error }) => {
            tracing::error!(target: "gatelog.proxy", output, %error, "an output cannot be started: nothing is put in force");
        }
        error => tracing::error!(target: "gatelog.proxy", %error, "nothing is put in force"),
    }
    count(problems, Severity::Error) + 1
}

fn count(problems: &[Problem], severity: Severity) -> u64 {
    problems.iter().filter(|problem| problem.severity == severity).count() as u64
}

/// Says in the log what is wrong with a configuration.
fn tell(problems: &[Problem]) {
    for Problem { severity, place, message, hint, .. } in problems.iter().take(TOLD) {
        match severity {
            Severity::Error => tracing::error!(target: "gatelog.proxy", %place, %hint, "{message}"),
            Severity::Warning => tracing::warn!(target: "gatelog.proxy", %place, %hint, "{message}"),
        }
    }
    if let Some(more @ 1..) = problems.len().checked_sub(TOLD) {
        tracing::error!(target: "gatelog.proxy", more, "the configuration has further problems");
    }
}
