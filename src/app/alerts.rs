//! Alerts wired: what they may know of the process, where their evidence is, and who is told.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::keeper::Keeper;
use super::{Control, StartError};
use crate::admin::{CoreLine, ask_cores};
use crate::alert::{
    self, Alerts, Around, Channel, Dispatcher, Evidence, From, Group, Knows, Notice, Records, Rule, Settings, State,
    Subject, Witness,
};
use crate::config::Config;
use crate::filter::Expression;
use crate::pipeline::Watch;
use crate::record::Phase;
use crate::store::rollup::Range;
use crate::store::{Archive, Order, Question};
use crate::time;
use crate::upstream::status;

/// Requests that are looked at on each core, the oldest.
const MOST_RUNNING: usize = 1000;
/// How long evidence may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// Records that are shown.
const MOST_RECORDS: usize = 10;
/// Routes that are shown.
const MOST_ROUTES: usize = 5;

/// What the process knows of itself.
struct Knowledge {
    control: Weak<Control>,
    cores: Vec<CoreLine>,
}

/// The alerts, and what they need to begin with the first rule.
#[derive(Default)]
pub(super) struct Desk {
    alerts: Arc<Alerts>,
    channels: Mutex<Option<(Vec<Channel>, Arc<Dispatcher>)>>,
    control: OnceLock<(Weak<Control>, Vec<CoreLine>)>,
}

impl Desk {
    /// What is looked for by these settings.
    pub(super) fn watch(&self, config: &Config) -> Option<Watch> {
        config.alerts.as_ref().map(|settings| self.alerts.watch(settings))
    }

    /// Begins, once all cores run.
    ///
    /// # Errors
    /// A channel that cannot be used; no thread.
    pub(super) fn start(
        &self,
        control: &Arc<Control>,
        cores: Vec<CoreLine>,
        config: &Config,
    ) -> Result<(), StartError> {
        // It is once.
        let _ = self.control.set((Arc::downgrade(control), cores));
        match &config.alerts {
            Some(settings) => self.begin(settings.clone(), config),
            None => Ok(()),
        }
    }

    /// Goes on by these.
    pub(super) fn change(&self, config: &Config) {
        let settings = match &config.alerts {
            Some(settings) => settings.clone(),
            None if self.alerts.is_started() => Settings::default(),
            None => return,
        };
        let changed = match self.alerts.is_started() {
            true => self.messenger(&settings, config).map(|told| self.alerts.change(settings, told, from(config))),
            false => self.begin(settings, config),
        };
        if let Err(error) = changed {
            tracing::error!(target: "gatelog.alert", %error, "alerts stay as they were");
        }
    }

    /// Another process looks from now on, by what is remembered: nobody is told twice.
    pub(super) fn cede(&self) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, dispatcher)) = &*channels {
            let told = Arc::clone(dispatcher);
            self.alerts.change(Settings::default(), told, From::default());
        }
    }

    /// The channels of these settings: those that there are, unless they are to be others.
    fn messenger(&self, settings: &Settings, config: &Config) -> Result<Arc<Dispatcher>, StartError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, dispatcher)) = &*channels
            && *known == settings.channels
        {
            return Ok(Arc::clone(dispatcher));
        }
        let next = Failures::channels(settings, from(config))?;
        // Those before send what waits, and end by themselves.
        *channels = Some((settings.channels.clone(), Arc::clone(&next)));
        Ok(next)
    }

    /// How each channel does.
    pub(super) fn channels(&self) -> Vec<alert::channel::Status> {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.as_ref().map(|(_, dispatcher)| dispatcher.status()).unwrap_or_default()
    }

    /// Takes what has come, and ends.
    pub(super) fn finish(&self, until: Instant) {
        self.alerts.finish(until);
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner).take();
        for status in channels.iter().flat_map(|(_, dispatcher)| dispatcher.finish(until)) {
            if status.waiting > 0 || status.dropped > 0 {
                let (channel, notices) = (&*status.name, status.waiting + status.dropped);
                tracing::error!(target: "gatelog.alert", channel, notices, "alert notices are lost");
            }
        }
    }

    /// The alerts, for those who ask.
    pub(super) fn alerts(&self) -> Arc<Alerts> {
        Arc::clone(&self.alerts)
    }

    fn begin(&self, settings: Settings, config: &Config) -> Result<(), StartError> {
        let known = self.control.get().and_then(|(control, cores)| Some((control.upgrade()?, cores.clone())));
        let Some((control, cores)) = known else { return Ok(()) };
        let archive = control.keeper().and_then(Keeper::archive);
        let around = Around {
            announcer: Arc::clone(control.announcer()),
            knows: Box::new(Knowledge { control: Arc::downgrade(&control), cores }),
            witness: Box::new(Past(archive)),
        };
        let messenger = self.messenger(&settings, config)?;
        self.alerts.start(settings, messenger, from(config), around).map_err(StartError::System)
    }
}

/// Who the notices are from.
fn from(config: &Config) -> From {
    let [service, environment] =
        [&config.record.service, &config.record.environment].map(|it| it.clone().unwrap_or_default());
    From { service, environment }
}

/// Tells of a channel that fails: the log, and the other channels.
struct Failures {
    names: Vec<String>,
    from: From,
    dispatcher: OnceLock<Weak<Dispatcher>>,
}

impl Failures {
    /// The channels of these settings, which tell of each other.
    ///
    /// # Errors
    /// The first that cannot be used.
    fn channels(settings: &Settings, from: From) -> Result<Arc<Dispatcher>, alert::channel::StartError> {
        let names = settings.channels.iter().map(|channel| channel.name.clone()).collect();
        let failures = Arc::new(Failures { names, from, dispatcher: OnceLock::new() });
        let dispatcher = Arc::new(Dispatcher::start(settings, Arc::clone(&failures) as Arc<dyn alert::Told>)?);
        // It is told here alone.
        let _ = failures.dispatcher.set(Arc::downgrade(&dispatcher));
        Ok(dispatcher)
    }

    fn tell_others(&self, kind: alert::Kind, channel: &str, said: &str) {
        let Some(dispatcher) = self.dispatcher.get().and_then(Weak::upgrade) else { return };
        let notice = Arc::new(Notice::of_channel(kind, channel, said, &self.from, time::wall_now()));
        for at in (0..self.names.len()).filter(|at| self.names[*at] != channel) {
            dispatcher.tell(at, Arc::clone(&notice));
        }
    }
}

impl alert::Told for Failures {
    fn channel_failed(&self, channel: &str, said: &str) {
        tracing::error!(target: "gatelog.alert", channel, error = said, "an alert channel fails");
        self.tell_others(alert::Kind::Fired, channel, said);
    }

    fn channel_works(&self, channel: &str) {
        tracing::info!(target: "gatelog.alert", channel, "an alert channel works again");
        self.tell_others(alert::Kind::Resolved, channel, "it works again");
    }
}

impl Knows for Knowledge {
    fn state(&self, state: &State) -> Vec<(String, f64)> {
        let Some(control) = self.control.upgrade() else { return Vec::new() };
        match state {
            State::UpstreamDown => down(&control),
            State::LogLoss { .. } => lost(&control),
            State::CertificateExpiring => expiring(&control),
            State::RequestsStuck { after } => vec![(String::new(), self.stuck(*after) as f64)],
        }
    }
}

/// Servers that are given no requests, by upstream.
fn down(control: &Control) -> Vec<(String, f64)> {
    let count = |cluster: &Arc<crate::upstream::Cluster>| {
        let members = cluster.members();
        let down = members.servers.iter().filter(|member| member.status.state() != status::State::Up);
        (cluster.name().to_owned(), down.count() as f64)
    };
    control.upstreams().all().iter().map(count).collect()
}

/// Records lost so far, by output.
fn lost(control: &Control) -> Vec<(String, f64)> {
    let reports = control.reports();
    reports.iter().map(|report| (report.name.to_string(), report.dropped.iter().sum::<u64>() as f64)).collect()
}

/// Days until the end of each certificate, by its file.
fn expiring(control: &Control) -> Vec<(String, f64)> {
    const DAY: f64 = 86_400e6;
    let now = time::wall_now() as f64;
    let all = control.tls().all();
    let ends = all.iter().flat_map(|tls| tls.in_force());
    ends.filter_map(|one| Some((one.file.display().to_string(), (one.not_after? as f64 - now) / DAY))).collect()
}

impl Knowledge {
    /// Requests that have waited for an answer for so long.
    fn stuck(&self, after: Duration) -> usize {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return 0 };
        let snapshots = runtime.block_on(ask_cores(&self.cores, MOST_RUNNING));
        let running = snapshots.iter().flatten().flat_map(|snapshot| &snapshot.oldest);
        // Answers may stream for as long as they like, and tunnels last.
        let waits = |phase: Phase| !matches!(phase, Phase::Receive | Phase::Tunnel | Phase::Done);
        running.filter(|one| waits(one.phase) && Duration::from_micros(one.age) > after).count()
    }
}

/// What was seen, where anything is kept.
struct Past(Option<Arc<dyn Archive>>);

impl Witness for Past {
    fn evidence(&self, rule: &Rule, group: Option<&Group>, until: u64) -> Evidence {
        let Some(archive) = &self.0 else { return Evidence::default() };
        let (filter, window) = asked(rule, group);
        let since = until.saturating_sub(time::micros(window));
        let deadline = time::monotonic() + PATIENCE;
        let records = records(&**archive, &filter, (since, until), deadline);
        let routes = routes(&**archive, &filter, (since, until), deadline);
        Evidence { records, routes, chart: Vec::new() }
    }
}

/// Which records say most about an alert, and how far back.
fn asked(rule: &Rule, group: Option<&Group>) -> (Expression, Duration) {
    const HOUR: Duration = Duration::from_secs(3600);
    match &rule.subject {
        Subject::Records(Records { filter, measure, .. }) => {
            let narrowed = group.and_then(|Group { by, name }| {
                let named = format!("({filter}) {by}:{}", quoted(name.as_deref()?));
                Expression::parse(&named).ok()
            });
            (narrowed.unwrap_or_else(|| filter.clone()), Duration::from_secs(measure.window()).min(HOUR))
        }
        Subject::State(state) => {
            let event = match state {
                State::UpstreamDown => "event:upstream_down",
                State::LogLoss { .. } => "event:log_loss",
                State::CertificateExpiring => "event:diagnostic certificate",
                State::RequestsStuck { .. } => "event:request_slow",
            };
            (Expression::parse(event).unwrap_or_default(), HOUR)
        }
    }
}

/// Text of which every character is only itself.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

fn records(archive: &dyn Archive, filter: &Expression, (since, until): (u64, u64), deadline: Instant) -> Vec<String> {
    let question = Question {
        filter: filter.clone(),
        since: Some(since),
        until: Some(until),
        order: Order::Newest,
        skip: 0,
        limit: MOST_RECORDS,
        count_to: 0,
    };
    let page = archive.search(&question, &|| time::monotonic() > deadline);
    page.map(|page| page.lines.into_iter().map(|line| line.json.into()).collect()).unwrap_or_default()
}

fn routes(
    archive: &dyn Archive,
    filter: &Expression,
    (since, until): (u64, u64),
    deadline: Instant,
) -> Vec<(String, u64)> {
    let statistics = archive.statistics(Range { since, until }, filter, &|| time::monotonic() > deadline);
    let routes = statistics.map(|statistics| statistics.stats().by_route.0).unwrap_or_default();
    routes.into_iter().take(MOST_ROUTES).collect()
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Desk").field("alerts", &self.alerts).finish_non_exhaustive()
    }
}
