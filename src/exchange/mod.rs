//! One request and its answer as facts.
//!
//! [`Exchanges`] is what a core knows beside its requests; [`Exchange`] is a handle on the ledger of one of them. The
//! request's handler, its body, the response's body and the connection share the ledger, and the last of them to let go
//! writes the terminal record (see [`ledger`]).

mod answer;
pub mod business;
pub mod capture;
pub mod client_ip;
mod desk;
mod facts;
mod glance;
pub mod id;
pub mod inflight;
pub mod ledger;
pub mod registry;
pub mod sample;
pub mod security;
pub mod settings;
pub mod tally;
mod timing;
pub mod trace;
pub mod traffic;
#[cfg(test)]
mod sample_tests;
#[cfg(test)]
mod tests;
pub mod user;

pub use business::settings::{Constant, EventSettings, FieldSource, HeadPlace};
pub use capture::CaptureSettings;
pub use client_ip::TrustedProxies;
pub use glance::Mentions;
pub use id::RequestId;
pub use inflight::{Running, Snapshot};
pub use ledger::{Exception, Exchange, WeakExchange};
pub use security::{Sign, Suspicion};
pub use settings::{Accept, IdFormat, LabelSettings, RequestIdSettings, Settings, UserSource};
pub use tally::Tally;
pub use trace::Trace;
pub use traffic::Traffic;
pub use user::Users;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;

use crate::net::Peer;
use crate::pipeline::Intake;
use crate::record::redact::Policy;
use crate::record::{Body, Event, Gist, Head, Level, Record, Rejected};
use crate::routes::{Route, SampleRule, StartMode, Table};
use crate::time::Clock;

use business::{Events, Notes};
use desk::{Desk, Memory};
use facts::{Context, Facts, Identity};
use glance::Glance;
use id::Origin;
use ledger::Ledger;
use registry::{Key, Kind};
use sample::Hold;
use traffic::Meter;

/// The logger of records about requests.
const LOGGER: &str = Gist::LOGGER;
/// The logger of what was refused before it was a request.
pub const SECURITY_LOGGER: &str = "gatelog.security";
/// Everything that runs is looked through at most so many times in one `log.progress`.
const FINEST_PROGRESS: u32 = 60;

/// What one core knows beside its requests, under one configuration: each request keeps that under which it began.
pub struct Exchanges {
    settings: Settings,
    trusted: TrustedProxies,
    users: Users,
    policy: Policy,
    table: Arc<Table>,
    desk: Rc<Desk>,
    tally: Arc<Tally>,
    meter: Meter,
    events: Events,
}

/// What all cores share of it.
#[derive(Debug)]
pub struct Shared {
    /// What the user says.
    pub settings: Settings,
    /// What must not be read back.
    pub policy: Policy,
    /// The application's URL patterns.
    pub table: Arc<Table>,
    /// The key for hashes of user ids, the same on every core.
    pub hash_key: ring::hmac::Key,
    /// What is counted beside the records.
    pub tally: Arc<Tally>,
    /// What is counted of requests as they end.
    pub traffic: Arc<Traffic>,
}

impl Shared {
    /// Whom a peer speaks for, and where its socket is, as they are written.
    pub fn shown(&self, peer: &Peer) -> (Option<String>, String) {
        shown(peer, &self.policy)
    }
}

fn shown(peer: &Peer, policy: &Policy) -> (Option<String>, String) {
    (peer.ip.map(|ip| policy.ip_text(ip)), facts::peer_text(peer, policy))
}

impl Exchanges {
    /// The exchanges of one core.
    pub fn new(shared: &Shared, intake: Rc<Intake>, clock: Clock) -> Rc<Exchanges> {
        Exchanges::at(Desk::new(intake, clock), shared)
    }

    /// The exchanges that begin from now on, on the same core. Those that run go on as they began.
    pub fn follow(&self, shared: &Shared) -> Rc<Exchanges> {
        Exchanges::at(Rc::clone(&self.desk), shared)
    }

    fn at(desk: Rc<Desk>, shared: &Shared) -> Rc<Exchanges> {
        desk.set_progress(shared.settings.progress);
        Rc::new(Exchanges {
            settings: shared.settings.clone(),
            trusted: TrustedProxies::new(shared.settings.trusted_proxies.clone()),
            users: Users::new(shared.settings.user.clone(), shared.hash_key.clone()),
            policy: shared.policy.clone(),
            table: Arc::clone(&shared.table),
            desk,
            tally: Arc::clone(&shared.tally),
            meter: shared.traffic.enter(&shared.table),
            events: Events::new(&shared.settings.events, shared.hash_key.clone()),
        })
    }

    /// A head was read: its id, client, user and route are known, and `request_started` is written.
    pub fn begin(self: &Rc<Self>, peer: &Rc<Peer>, head: &Parts) -> Exchange {
        let start = self.desk.clock.now();
        let Memory { mut fragment, texts } = self.desk.memory();
        let facts = self.capture(peer, head, start, texts);
        facts.show(|facts| self.desk.intake.fragment(facts, &mut fragment));
        let notes = self.notes(&facts, head);
        self.meter.begin();
        let ledger = Rc::new(Ledger::open(Rc::clone(self), facts, fragment, notes, start));
        self.watch(&ledger);
        Exchange(ledger)
    }

    /// Bytes that are no request: one `request_rejected`, under an id that the answer carries.
    pub fn reject(&self, rejected: &Rejected<'_>) {
        self.meter.reject(rejected.reason);
        self.warn(Event::RequestRejected, rejected);
    }

    /// A new id for an answer that belongs to no request.
    pub fn mint(&self) -> RequestId {
        let wall = self.desk.clock.wall(self.desk.clock.now());
        RequestId::mint(self.settings.request_id.format, Origin::Generated, wall)
    }

    /// What the user says about identity.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where users' names come from, and what of it is not for everybody.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// What must not be read back.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the word of this peer is taken.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        self.trusted.contains(peer)
    }

    /// The client behind this peer, as the trusted chain says.
    pub fn client_ip(&self, peer: Option<IpAddr>, headers: &http::HeaderMap) -> Option<IpAddr> {
        self.trusted.client(peer, headers)
    }

    /// Whom a peer speaks for, and where its socket is, as they are written.
    pub fn shown(&self, peer: &Peer) -> (Option<String>, String) {
        shown(peer, &self.policy)
    }

    /// The core's clock.
    pub fn clock(&self) -> &Clock {
        &self.desk.clock
    }

    /// How many requests run.
    pub fn running(&self) -> usize {
        self.desk.registry.borrow().running()
    }

    /// From now on, what is let go unfinished was cut off by us.
    pub fn shut_down(&self) {
        self.desk.shutting_down.set(true);
    }

    /// Reports requests as they cross their thresholds; never returns.
    pub async fn watch_thresholds(&self) {
        loop {
            let next = self.desk.registry.borrow().next_due();
            let due = async {
                match next {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.report_due(),
                // A list that was empty has something to wait for, perhaps earlier: look again.
                () = self.desk.waiting.notified() => {}
            }
        }
    }

    /// Reports what runs for long, every `log.progress`; never returns.
    pub async fn watch_progress(&self) {
        let mut next = None;
        loop {
            let period = self.desk.progress();
            let wait = async {
                match next.or(period) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            next = tokio::select! {
                () = wait => period.map(|period| self.report_progress(period).max(period / FINEST_PROGRESS)),
                // Another period: what runs is looked at after that.
                () = self.desk.paced.notified() => None,
            };
        }
    }

    /// Returns how long it is until there is something to report again: whatever begins meanwhile is later.
    fn report_progress(&self, period: Duration) -> Duration {
        let now = self.desk.clock.now();
        // Not held while a record is written, and no exchange ends meanwhile.
        let running: Vec<_> = self.desk.registry.borrow().iter().filter_map(std::rc::Weak::upgrade).collect();
        running.iter().map(|ledger| ledger.report_progress(now, period)).min().unwrap_or(period)
    }

    /// On [`SECURITY_LOGGER`].
    fn warn(&self, event: Event, rejected: &Rejected<'_>) {
        let timestamp = self.desk.clock.wall(self.desk.clock.now());
        let head = Head { timestamp, level: Level::Warning, event, message: event.message(), logger: SECURITY_LOGGER };
        self.desk.intake.record(&Record { head, body: Body::Rejected(rejected) });
    }

    fn report_due(&self) {
        let now = self.desk.clock.now();
        loop {
            // Not held while a record is written: the ledger may be let go meanwhile, and then leaves the registry.
            let due = self.desk.registry.borrow_mut().take_due(now);
            match due {
                Some((Kind::Slow, ledger)) => ledger.upgrade().iter().for_each(|ledger| ledger.write_slow(now)),
                Some((Kind::Start, ledger)) => ledger.upgrade().iter().for_each(|ledger| ledger.write_started()),
                None => return,
            }
        }
    }

    fn capture(&self, peer: &Rc<Peer>, head: &Parts, start: Instant, memory: Vec<u8>) -> Facts {
        let trusted = self.trusts(peer.ip);
        let glance = Glance::over(&head.headers, &self.settings.request_id.header);
        let id = RequestId::of(glance.request_id, &self.settings.request_id, trusted, self.desk.clock.wall(start));
        let trace = self.settings.trace.then(|| Trace::of(glance.trace_parent, &head.headers));
        let user = self.users.of_request(&head.headers, trusted);
        let client = self.trusted.client(peer.ip, &head.headers);
        let context = Context { policy: &self.policy, labels: &self.settings.labels, table: &self.table, client };
        Facts::capture(head, &glance, peer, Identity { id, trace, user }, &context, memory)
    }

    /// What business events want of the request's head, if there are any that may mean it.
    fn notes(&self, facts: &Facts, head: &Parts) -> Option<Notes> {
        if !self.events.are_wanted(&self.desk.intake) || facts.route().is_some_and(|route| !route.overrides.log) {
            return None;
        }
        facts.show(|facts| {
            let body = Body::Request { facts, progress: None };
            self.events.begin(&Record { head: sample::last_head(), body }, head, &self.policy)
        })
    }

    /// Enters it where it is watched, and writes its started record or arranges for it.
    fn watch(&self, ledger: &Rc<Ledger>) {
        let route = ledger.facts.route();
        let threshold = self.slow_threshold(route);
        let slow = self.enter(Kind::Slow, threshold, ledger);
        let mode = route.and_then(|route| route.overrides.start).unwrap_or(self.settings.start);
        let start = match mode {
            _ if ledger.may_be_left_out() => self.withhold(mode, threshold, ledger),
            StartMode::Always => {
                ledger.write_started();
                None
            }
            StartMode::Never => None,
            StartMode::After(threshold) => Some(self.enter(Kind::Start, Some(threshold), ledger)),
        };
        ledger.keys.set([Some(slow), start]);
    }

    /// Arranges for the started record of a request that may be left out: to be written when it becomes slow, or when it
    /// has been held back for long enough.
    fn withhold(&self, mode: StartMode, slow: Option<Duration>, ledger: &Rc<Ledger>) -> Option<Key> {
        let limit = sample::limit(slow);
        let after = match mode {
            StartMode::Always => Some(Duration::ZERO),
            StartMode::Never => None,
            StartMode::After(threshold) => Some(threshold),
        };
        ledger.hold.set(Hold::Held(after.filter(|after| *after <= limit)));
        let due = after?.max(limit);
        (slow != Some(due)).then(|| self.enter(Kind::Start, Some(due), ledger))
    }

    fn enter(&self, kind: Kind, threshold: Option<Duration>, ledger: &Rc<Ledger>) -> Key {
        let (key, first) = self.desk.registry.borrow_mut().enter(kind, threshold, ledger.start, Rc::downgrade(ledger));
        if first {
            self.desk.waiting.notify_one();
        }
        key
    }

    fn slow_threshold(&self, route: Option<&Route>) -> Option<Duration> {
        route.and_then(|route| route.overrides.slow).unwrap_or(self.settings.slow)
    }

    /// What is said about how many requests like this one are written.
    fn sample_rules<'a>(&'a self, route: Option<&'a Route>) -> &'a [SampleRule] {
        route.and_then(|route| route.overrides.sample.as_deref()).unwrap_or(&self.settings.sample)
    }

    fn is_shutting_down(&self) -> bool {
        self.desk.shutting_down.get()
    }

    fn leave(&self, keys: [Option<Key>; 2], memory: Memory) {
        let mut registry = self.desk.registry.borrow_mut();
        keys.into_iter().flatten().for_each(|key| registry.leave(key));
        drop(registry);
        self.desk.keep(memory);
    }
}
