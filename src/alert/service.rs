//! The thread that watches: empties the road, looks at the rules, tells the log and the channels, and remembers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::engine::{Change, Engine, Knows, TICK};
use super::lifecycle::{Phase, Told};
use super::link;
use super::memory;
use super::notice::{Evidence, Group, Kind, Notice};
use super::settings::{Rule, Settings, Severity};
use super::silence::Silence;
use super::summary::{plain, reading, summary};
use crate::pipeline::{Announcer, Road, Watch};
use crate::record::{Body, Event, Head, Level, Record, Value};
use crate::time;

/// The logger of alerts.
pub const LOGGER: &str = "gatelog.alert";

/// What was seen, for those who are told.
pub trait Witness: Send + Sync {
    /// The newest records that a rule means, and the routes that they are of; `until` is in microseconds since the Unix epoch.
    /// Bounded in time.
    fn evidence(&self, rule: &Rule, group: Option<&Group>, until: u64) -> Evidence;
}

/// Who tells people.
pub trait Messenger: Send + Sync {
    /// Takes a notice for the channel of this place in the settings; never waits.
    fn tell(&self, channel: usize, notice: &Arc<Notice>);
}

/// What alerts need of those around them.
pub struct Around {
    /// Where records about alerts go.
    pub announcer: Arc<Announcer>,
    /// What gatelog knows of itself.
    pub knows: Box<dyn Knows + Send>,
    /// What was seen.
    pub witness: Box<dyn Witness>,
}

/// Who notices are from, as records say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct From {
    /// `service`.
    pub service: String,
    /// `environment`.
    pub environment: String,
}

/// The alerts of a process, whether there are rules now or not.
#[derive(Debug, Default)]
pub struct Alerts {
    shared: Arc<Shared>,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    thread: Thread,
    /// Disconnected when the thread has ended: threads cannot be joined for a time only.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    road: Arc<Road>,
    orders: Mutex<Vec<Order>>,
    status: Mutex<Arc<Status>>,
    ends: AtomicBool,
}

/// What others want of the thread.
enum Order {
    Silence(Silence),
    Change(Box<(Settings, Arc<dyn Messenger>, From)>),
}

/// What there is to show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Each rule, with its alerts.
    pub rules: Vec<RuleStatus>,
    /// Silences in force.
    pub silences: Vec<Silence>,
    /// Sightings that found no room: what was measured is too little by so many.
    pub lost: u64,
}

/// A rule, and what it has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// What its user says of it.
    pub description: Option<String>,
    /// Whether it is silenced now.
    pub silenced: bool,
    /// Those that are not quiet, and the one of a rule that tells nothing apart.
    pub alerts: Vec<AlertStatus>,
}

/// An alert as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertStatus {
    /// Which of the rule's.
    pub group: Option<Group>,
    /// Where it is; moments are seconds since the Unix epoch.
    pub phase: Phase,
    /// What was read last, in the unit of notices; `None` where there was too little.
    pub value: Option<f64>,
    /// The same in a sentence.
    pub summary: Option<String>,
    /// When somebody was told last, in seconds since the Unix epoch.
    pub told_at: Option<u64>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Order::Silence(silence) => formatter.debug_tuple("Silence").field(silence).finish(),
            Order::Change(change) => formatter.debug_tuple("Change").field(&change.0).finish(),
        }
    }
}

impl Alerts {
    /// Starts watching, by what was remembered. What cannot be remembered is told, and begins anew. Once only.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(
        &self,
        settings: Settings,
        messenger: Arc<dyn Messenger>,
        from: From,
        around: Around,
    ) -> std::io::Result<()> {
        let mut work = Work::new((settings, messenger, from), around, Arc::clone(&self.shared));
        work.show(seconds());
        let (end, ended) = sync_channel::<()>(0);
        let run = move || {
            let _end = end;
            work.run();
        };
        let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(run)?.thread().clone();
        self.shared.road.attach(thread.clone());
        // A second thread would take what the first is to see.
        let _ = self.running.set(Running { thread, ended: Mutex::new(ended) });
        Ok(())
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.running.get().is_some()
    }

    /// What is looked for by these rules, once they are changed to: for the way of records.
    pub fn watch(&self, settings: &Settings) -> Watch {
        Watch::new(settings.rules.iter().filter_map(Rule::look).collect(), &self.shared.road)
    }

    /// Goes on by these settings.
    pub fn change(&self, settings: Settings, messenger: Arc<dyn Messenger>, from: From) {
        self.order(Order::Change(Box::new((settings, messenger, from))));
    }

    /// Keeps a rule quiet.
    pub fn silence(&self, silence: Silence) {
        self.order(Order::Silence(silence));
    }

    /// What there is to show, a second old at most.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&lock(&self.shared.status))
    }

    /// Takes what has come, and ends; at most until then.
    pub fn finish(&self, until: Instant) {
        let Some(Running { thread, ended }) = self.running.get() else { return };
        self.shared.ends.store(true, Ordering::Release);
        thread.unpark();
        // Nothing is ever sent: it is over, or it takes too long.
        let _ = lock(ended).recv_timeout(until.saturating_duration_since(time::monotonic()));
    }

    fn order(&self, order: Order) {
        lock(&self.shared.orders).push(order);
        self.running.get().into_iter().for_each(|running| running.thread.unpark());
    }
}

/// Records are looked up a moment after they were offered: until then they are on their way.
const ARRIVAL: Duration = Duration::from_millis(200);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in it is whole, whoever has panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's own.
struct Work {
    engine: Engine,
    settings: Settings,
    messenger: Arc<dyn Messenger>,
    from: From,
    around: Around,
    shared: Arc<Shared>,
    /// What people are to be told once the records have arrived, and when that is.
    untold: VecDeque<(Instant, Change)>,
    lost: u64,
    /// Whether what is remembered is not what is so.
    dirty: bool,
    /// Whether it was told that nothing can be remembered.
    told: bool,
}

impl Work {
    fn new(
        (settings, messenger, from): (Settings, Arc<dyn Messenger>, From),
        around: Around,
        shared: Arc<Shared>,
    ) -> Work {
        let mut engine = Engine::new(settings.rules.clone(), seconds());
        match settings.state.as_deref().map(memory::read) {
            Some(Ok(saved)) => engine.restore(saved),
            Some(Err(error)) => tracing::error!(target: LOGGER, %error, "what alerts were told is forgotten"),
            None => {}
        }
        let untold = VecDeque::new();
        Work { engine, settings, messenger, from, around, shared, untold, lost: 0, dirty: false, told: false }
    }

    fn run(&mut self) {
        let mut due = time::monotonic();
        loop {
            let ends = self.shared.ends.load(Ordering::Acquire);
            let obeyed = self.obey();
            let is_due = time::monotonic() >= due;
            self.turn(is_due || obeyed || ends);
            if is_due {
                due = time::monotonic() + TICK;
            }
            if ends {
                return self.tell_people(|_| true);
            }
            let next = self.untold.front().map_or(due, |(arrived, _)| due.min(*arrived));
            std::thread::park_timeout(next.saturating_duration_since(time::monotonic()));
        }
    }

    fn turn(&mut self, is_due: bool) {
        while let Some(batch) = self.shared.road.pop() {
            self.engine.see(&batch);
            self.shared.road.recycle(batch);
        }
        let (now, mut changes) = (seconds(), Vec::new());
        match is_due {
            true => self.engine.tick(now, &*self.around.knows, &mut changes),
            false => self.engine.look(now, &mut changes),
        }
        self.dirty |= !changes.is_empty();
        changes.into_iter().for_each(|change| self.tell(change));
        let moment = time::monotonic();
        self.tell_people(|arrived| arrived <= moment);
        if is_due {
            self.tell_lost();
            self.show(now);
        }
        if self.dirty {
            self.remember();
        }
    }

    /// Returns whether there was anything to obey.
    fn obey(&mut self) -> bool {
        let orders = std::mem::take(&mut *lock(&self.shared.orders));
        let obeys = !orders.is_empty();
        self.dirty |= obeys;
        for order in orders {
            match order {
                Order::Silence(silence) => self.engine.silence(silence, time::wall_now()),
                Order::Change(change) => {
                    self.tell_people(|_| true);
                    self.engine.change(change.0.rules.clone(), seconds());
                    (self.settings, self.messenger, self.from) = *change;
                }
            }
        }
        obeys
    }

    /// The log at once, people once the records have arrived.
    fn tell(&mut self, change: Change) {
        let Some(rule) = self.engine.rule(change.rule) else { return };
        if change.step.new {
            self.record(&change, rule);
        }
        if change.step.told == Told::Yes && !rule.channels.is_empty() {
            self.untold.push_back((time::monotonic() + ARRIVAL, change));
        }
    }

    /// Tells people of those whose moment it is.
    fn tell_people(&mut self, is_time: impl Fn(Instant) -> bool) {
        while self.untold.front().is_some_and(|(arrived, _)| is_time(*arrived)) {
            let Some((_, change)) = self.untold.pop_front() else { return };
            let Some(rule) = self.engine.rule(change.rule).cloned() else { continue };
            let notice = Arc::new(self.notice(&change, &rule, seconds()));
            rule.channels.iter().for_each(|channel| self.messenger.tell(*channel, &notice));
        }
    }

    fn notice(&mut self, change: &Change, rule: &Rule, now: u64) -> Notice {
        let Change { group, value, sample, step, .. } = change;
        let at = time::wall_now();
        let mut evidence = self.around.witness.evidence(rule, group.as_ref(), at);
        evidence.chart = self.engine.chart(change.rule, group.as_ref(), now);
        let From { service, environment } = self.from.clone();
        let since = step.since * 1_000_000;
        let dashboard = self.settings.link.as_ref();
        let link = dashboard.map(|dashboard| link::to(dashboard, rule, group.as_ref(), (since, at)));
        Notice {
            kind: step.kind,
            rule: rule.name.clone(),
            severity: rule.severity.as_str(),
            description: rule.description.clone(),
            group: group.clone(),
            summary: summary(rule, step.kind, *value, *sample),
            value: plain(rule, *value),
            bound: plain(rule, rule.bound.value()),
            since,
            at,
            key: key(&service, &environment, rule, group.as_ref()),
            service,
            environment,
            link,
            evidence,
        }
    }

    fn record(&self, change: &Change, rule: &Rule) {
        let Change { group, value, sample, step, .. } = change;
        let event = if step.kind == Kind::Resolved { Event::AlertResolved } else { Event::AlertFired };
        let said = summary(rule, step.kind, *value, *sample);
        let mut fields = vec![
            ("rule", Value::Text(rule.name.as_bytes())),
            ("severity", Value::Text(rule.severity.as_str().as_bytes())),
            ("summary", Value::Text(said.as_bytes())),
            ("value", Value::Float(plain(rule, *value))),
            ("bound", Value::Float(plain(rule, rule.bound.value()))),
        ];
        if let Some(Group { by, name }) = group {
            fields.push(("by", Value::Text(by.as_bytes())));
            fields.extend(name.iter().map(|name| ("group", Value::Text(name.as_bytes()))));
        }
        fields.push(("notice", Value::Text(step.told.as_str().as_bytes())));
        let level = match (step.kind, rule.severity) {
            (Kind::Resolved, _) | (_, Severity::Info) => Level::Info,
            (_, Severity::Warning) => Level::Warning,
            (_, Severity::Critical) => Level::Error,
        };
        let head = Head { timestamp: time::wall_now(), level, event, message: event.message(), logger: LOGGER };
        self.around.announcer.record(&Record { head, body: Body::Fields(&fields) });
    }

    fn tell_lost(&mut self) {
        let lost = self.shared.road.take_lost();
        if lost > 0 {
            self.lost += lost;
            tracing::warn!(target: LOGGER, lost, "alerts could not look at so many records: what they count is too little");
        }
    }

    fn remember(&mut self) {
        self.dirty = false;
        let Some(path) = &self.settings.state else { return };
        match memory::write(path, &self.engine.save()) {
            Ok(()) => self.told = false,
            Err(error) if !self.told => {
                self.told = true;
                tracing::error!(target: LOGGER, %error, "what alerts were told is not remembered over a restart");
            }
            Err(_) => {}
        }
    }

    fn show(&self, now: u64) {
        *lock(&self.shared.status) = Arc::new(self.status(now));
    }

    fn status(&self, now: u64) -> Status {
        let micros = now * 1_000_000;
        let silences = self.engine.silences();
        let mut rules: Vec<RuleStatus> = self
            .engine
            .rules()
            .map(|rule| RuleStatus {
                name: rule.name.clone(),
                severity: rule.severity,
                description: rule.description.clone(),
                silenced: silences.hold(&rule.name, micros),
                alerts: Vec::new(),
            })
            .collect();
        for shown in self.engine.shown() {
            let (Some(rule), Some(of)) = (self.engine.rule(shown.rule), rules.get_mut(shown.rule)) else { continue };
            let (phase, told_at) = (shown.life.phase(), shown.life.told_at());
            let read = shown.reading.and_then(|reading| Some((reading.value()?, reading.sample())));
            let said = |(value, sample)| match shown.life.is_firing() {
                true => summary(rule, Kind::Fired, value, sample),
                false => reading(rule, value, sample),
            };
            of.alerts.push(AlertStatus {
                group: shown.group,
                phase,
                value: read.map(|(value, _)| plain(rule, value)),
                summary: read.map(said),
                told_at,
            });
        }
        Status { rules, silences: silences.all(micros).cloned().collect(), lost: self.lost }
    }
}

fn seconds() -> u64 {
    time::wall_now() / 1_000_000
}

/// What tells an alert from any other, of any gatelog that tells the same people.
fn key(service: &str, environment: &str, rule: &Rule, group: Option<&Group>) -> String {
    let of = |group: &Group| format!("/{}={}", group.by, group.name.as_deref().unwrap_or("(others)"));
    format!("gatelog/{service}/{environment}/{}{}", rule.name, group.map(of).unwrap_or_default())
}
