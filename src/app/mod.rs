//! Composition root: what is configured becomes what runs, wired in the order in which a request flows.

mod account;
mod alerts;
mod certificates;
mod condition;
mod core;
pub mod diagnostics;
mod difference;
pub mod handover;
pub mod keeper;
mod listeners;
pub mod operate;
pub mod preflight;
pub mod reload;
mod service;
mod shown;
pub mod signals;
mod sockets;
pub mod systemd;
mod upstreams;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::admin::{self, Access, Admin, ReloadRequest};
use crate::config::Config;
use crate::exchange::Tally;
use crate::listen::{Crowd, Stage};
use crate::net::server_tls::ServerTlsError;
use crate::net::tls::TlsFileError;
use crate::pipeline::announce::Announcer;
use crate::pipeline::{Format, HttpBody, OutputKind, OutputSettings, Stamp};
use crate::record::{Event, Level, Schema, Value};
use crate::sinks::{self, Neighbour, Outputs};
use crate::store;
use crate::upstream::{self, Clusters};

use self::core::Core;
use self::handover::{Estate, Handed, Handover, Image, Successor};
use self::keeper::Keeper;
use self::listeners::Listeners;
use self::operate::{Socket, View};
use self::preflight::Ready;
pub use self::reload::{Control, Reloaded};
use self::service::Service;
use self::systemd::{Beats, Watchdog};

/// How long the outputs may take to write what waits once everything else has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why nothing is served.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A certificate, a key or an authority cannot be used.
    #[error(transparent)]
    TlsFile(#[from] TlsFileError),
    /// The files of a listener, or the cryptography library, are no good.
    #[error(transparent)]
    Tls(#[from] ServerTlsError),
    /// A server's name can stand in no certificate.
    #[error(transparent)]
    Name(#[from] upstream::NameError),
    /// An output cannot be written to.
    #[error(transparent)]
    Output(#[from] sinks::StartError),
    /// A channel of alerts cannot be used.
    #[error("alerts cannot be told")]
    Alerts(#[from] crate::alert::channel::StartError),
    /// Nothing can be stored.
    #[error("the store cannot be opened")]
    Store(#[from] store::Error),
    /// A thread or the random number generator is not to be had.
    #[error("the system refuses")]
    System(#[source] io::Error),
}

/// A proxy that serves.
pub struct App {
    cores: Vec<JoinHandle<io::Result<()>>>,
    ended: mpsc::Receiver<()>,
    stage: watch::Sender<Stage>,
    control: Arc<Control>,
    admin: Option<Admin>,
    /// Reloads that the admin listener is asked for.
    reloads: Option<mpsc::Receiver<ReloadRequest>>,
    /// What another process may go on with, beside the listeners.
    estate: Arc<Estate>,
    /// The service manager's watchdog, and what quiets it.
    watched: Option<(Watchdog, Beats)>,
}

/// Why it is to end.
#[derive(Debug)]
pub enum Stop {
    /// It is told to.
    Asked,
    /// Another process serves in its place.
    HandedOver(Successor),
}

impl Stop {
    fn successor(&self) -> Option<&Successor> {
        match self {
            Stop::Asked => None,
            Stop::HandedOver(successor) => Some(successor),
        }
    }
}

/// How a proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every request was finished.
    Drained,
    /// `shutdown_grace` ran out, and what still ran was cut off.
    CutOff,
    /// A serving thread ended by itself.
    Failed,
}

impl App {
    /// Starts serving, with the sockets of the process before where there is one. Everything that can fail fails before the
    /// first connection is accepted.
    ///
    /// # Errors
    /// What is in the way.
    pub fn start(ready: Ready, handed: Option<&Handed>) -> Result<App, StartError> {
        let Ready { config, table } = ready;
        let config = &config;
        let workers = worker_count(config);
        let (none, estate) = (Estate::default(), Arc::new(Estate::default()));
        let found = handed.map_or(&none, Handed::estate);
        let listeners = Listeners::default().follow_with(config, workers, found)?;
        let urls = listeners.urls();
        let service = Arc::new(Service::new(config, table)?);
        let traffic = Arc::clone(&service.exchange.traffic);
        let socket = Socket::bind(&config.admin, found, &estate);
        let beside = Beside { handed: handed.is_some(), admin: socket.is_open() };
        let control = Arc::new(start_outputs(config, (&service, listeners, workers), &beside)?);
        let crowd = Arc::new(Crowd::default());
        let (stage, stages) = watch::channel(Stage::Open);
        let (end, ended) = mpsc::channel(1);
        let start = Start { urls: &urls, workers, admin: socket.url(), predecessor: handed.map(Handed::from) };
        start.announce(control.announcer(), config);
        socket.tell(control.announcer());
        control.supervise().map_err(StartError::System)?;
        let watched = Watchdog::from_environment().map(|watchdog| (watchdog, Beats::new(workers, &watchdog)));
        control.watch().map_err(StartError::System)?;
        let (lines, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| admin::cores::line()).unzip();
        let cores = ends.into_iter().enumerate().map(|(index, line)| {
            let (stages, generations) = (stages.clone(), control.generations());
            let (crowd, ended) = (Arc::clone(&crowd), end.clone());
            let beat = watched.as_ref().map(|(_, beats)| beats.of(index));
            let core = Core { index, crowd, stages, generations, line, ended, beat };
            core.spawn().map_err(StartError::System)
        });
        let cores = cores.collect::<Result<_, _>>()?;
        control.alerts().start(&control, lines.clone(), config)?;
        let view = View {
            control: &control,
            traffic: &traffic,
            upstreams: control.upstreams(),
            crowd: &crowd,
            tls: control.tls().clone(),
            cores: lines,
            stages,
            keeper: control.keeper(),
            store: config.store.as_ref().map(|store| store.path.as_path()),
        };
        let (admin, reloads) = operate::start(socket, view).map_err(StartError::System)?;
        Ok(App { cores, ended, stage, control, admin, reloads, estate, watched })
    }

    /// Where it listens, and whether TLS is spoken there.
    pub fn addresses(&self) -> Vec<(SocketAddr, bool)> {
        self.control.addresses()
    }

    /// Says something about gatelog itself, through all outputs.
    pub fn announcer(&self) -> &Arc<Announcer> {
        self.control.announcer()
    }

    /// Where the admin listener is, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Takes the end where the admin listener is asked for reloads. Who drops it says that there is nothing to read again.
    pub fn take_reload_requests(&mut self) -> Option<mpsc::Receiver<ReloadRequest>> {
        self.reloads.take()
    }

    /// What can be asked of it while it serves.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// What hands its sockets over to a new process of this program.
    pub fn handover(&self, image: Image) -> Handover {
        Handover::new(image, Arc::clone(&self.estate), Arc::clone(&self.control))
    }

    /// What is counted beside the records: requests that sampling left out, fields that business events lacked.
    pub fn tally(&self) -> Arc<Tally> {
        self.control.tally()
    }

    /// The upstreams as they are now, each with its servers and what is counted about them.
    pub fn upstreams(&self) -> &Clusters {
        self.control.upstreams()
    }

    /// Serves until `stop` is done, then drains: no new connections, requests that run may finish within
    /// `shutdown_grace` or until `hurry` is done, then what still runs is cut off; each of them has its record.
    pub async fn serve(mut self, stop: impl Future<Output = Stop>, hurry: impl Future<Output = ()>) -> Ending {
        let stop = tokio::select! {
            stop = stop => Some(stop),
            _ = self.ended.recv() => None,
            () = account::tell_often(&self.control) => None,
            () = systemd::keep_alive(self.watched.as_ref(), Stage::Open) => None,
        };
        let failed = stop.is_none();
        let successor = stop.as_ref().and_then(Stop::successor);
        self.let_go(successor);
        let drained = tokio::select! {
            biased;
            () = all_ended(&mut self.ended, self.cores.len() - usize::from(failed)) => true,
            () = drain(&self.stage, self.admin.as_ref(), self.control.grace(), successor.is_some()) => false,
            () = hurry => false,
            () = systemd::keep_alive(self.watched.as_ref(), Stage::Draining) => false,
        };
        self.stage.send_replace(Stage::Closed);
        let ending = match (failed, drained) {
            (true, _) => Ending::Failed,
            (false, true) => Ending::Drained,
            (false, false) => Ending::CutOff,
        };
        self.finish(ending, successor)
    }

    /// Nothing changes any more, and what belongs to whoever comes next is that one's.
    fn let_go(&self, successor: Option<&Successor>) {
        match successor {
            Some(successor) => {
                systemd::handed_over(successor.pid(), &self.control.status());
                self.control.cede();
            }
            None => systemd::stopping(),
        }
        self.control.close();
        self.control.stop_listening(successor.is_some());
        self.estate.close();
        announce_stop(self.control.announcer(), "draining", successor);
    }

    /// Waits for the serving threads, then for the outputs: nothing that was said is left unwritten if it can be helped.
    fn finish(mut self, ending: Ending, successor: Option<&Successor>) -> Ending {
        let mut failed = ending == Ending::Failed;
        for core in self.cores.drain(..) {
            failed |= !matches!(core.join(), Ok(Ok(())));
        }
        self.control.look_away();
        self.control.leave_listeners();
        account::tell(&self.control.tally(), self.control.announcer());
        self.admin.iter().for_each(Admin::tell_suppressed);
        announce_stop(self.control.announcer(), "stopped", successor);
        self.control.finish(crate::time::monotonic() + LAST_WORDS);
        if let Some(admin) = self.admin.take() {
            admin.stop();
        }
        if failed { Ending::Failed } else { ending }
    }
}

/// Goes through the stages of the end, as long as `grace` lets it. Where another process accepts, connections have half of
/// that to end by an answer that says so; the others are closed then.
async fn drain(stage: &watch::Sender<Stage>, admin: Option<&Admin>, grace: Duration, is_handed_over: bool) {
    let mut rest = grace;
    if is_handed_over {
        stage.send_replace(Stage::Leaving);
        admin.inspect(|admin| admin.follow(Stage::Leaving));
        rest = grace / 2;
        tokio::time::sleep(rest).await;
        admin.inspect(|admin| admin.follow(Stage::Draining));
    }
    stage.send_replace(Stage::Draining);
    tokio::time::sleep(rest).await;
}

fn announce_stop(announcer: &Announcer, stage: &str, successor: Option<&Successor>) {
    let mut fields = vec![("stage", Value::Text(stage.as_bytes()))];
    if let Some(successor) = successor {
        fields.push(("reason", Value::Text(b"handover")));
        fields.push(("successor", Value::Unsigned(u64::from(successor.pid()))));
    }
    announcer.announce(Event::ServerStopping, Level::Info, &fields);
}

async fn all_ended(ended: &mut mpsc::Receiver<()>, count: usize) {
    for _ in 0..count {
        if ended.recv().await.is_none() {
            return;
        }
    }
}

fn worker_count(config: &Config) -> usize {
    config.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

/// What there is beside the outputs that are started.
struct Beside {
    /// A process that has not ended, and has its own.
    handed: bool,
    /// An admin listener.
    admin: bool,
}

/// The outputs, and the way to each of them.
fn start_outputs(
    config: &Config,
    served: (&Arc<Service>, Listeners, usize),
    beside: &Beside,
) -> Result<Control, StartError> {
    let access = Arc::new(Access::new(&config.admin).map_err(StartError::System)?);
    let stamp = Stamp { instance: instance(), record: config.record.clone() };
    let neighbour = if beside.handed { Neighbour::present() } else { Neighbour::default() };
    // What keeps it from being opened is known before anything is written.
    let traffic = &served.0.exchange.traffic;
    let is_asked = beside.admin || config.alerts.is_some();
    let keeper = Keeper::start(config.store.as_ref(), is_asked, &stamp, neighbour.clone(), traffic)?;
    let outputs = Outputs::start(&settled(config), &stamp, neighbour)?;
    Ok(Control::new(config.clone(), (outputs, keeper), stamp, access, served))
}

/// Outputs whose formats are what `Auto` stands for where they are. What is written in the same way is called by one name,
/// so that it is encoded once.
fn settled(config: &Config) -> Vec<OutputSettings> {
    let format = |output: &OutputSettings| match format(output) {
        Format::Native if config.record.schema == Schema::Native => Format::Json,
        format => format,
    };
    config.pipeline.outputs.iter().map(|output| OutputSettings { format: format(output), ..output.clone() }).collect()
}

fn format(output: &OutputSettings) -> Format {
    match (output.format, &output.kind) {
        (_, OutputKind::Otlp(_)) => Format::Otel,
        (_, OutputKind::Http(http)) if http.body == HttpBody::Logs => Format::Native,
        (format, OutputKind::Syslog(_)) => format.for_syslog(),
        (Format::Auto, OutputKind::Stdout) if io::stdout().is_terminal() => Format::Pretty,
        (Format::Auto, _) => Format::Json,
        (format, _) => format,
    }
}

/// Tells this process's stream of numbers from any other's.
fn instance() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// Threads cannot be joined for a time only; this often it is looked whether one has ended.
const POLL: Duration = Duration::from_millis(1);

fn wait(is_so: impl Fn() -> bool, until: Instant) {
    while !is_so() && crate::time::monotonic() < until {
        std::thread::sleep(POLL);
    }
}

/// Something that the system does not give.
fn system_error(what: &str) -> StartError {
    StartError::System(io::Error::other(what))
}

/// What the record of a start says beside the configuration.
struct Start<'a> {
    urls: &'a [String],
    workers: usize,
    admin: Option<String>,
    /// The process whose sockets were taken over.
    predecessor: Option<u32>,
}

impl Start<'_> {
    fn announce(&self, announcer: &Announcer, config: &Config) {
        let Start { urls, workers, admin, predecessor } = self;
        let listen: Vec<&str> = urls.iter().map(String::as_str).collect();
        let mut fields = vec![
            ("version", Value::Text(env!("CARGO_PKG_VERSION").as_bytes())),
            ("listen", Value::List(&listen)),
            ("workers", Value::Unsigned(*workers as u64)),
            ("upstreams", Value::Unsigned(config.upstreams.len() as u64)),
            ("pid", Value::Unsigned(u64::from(std::process::id()))),
        ];
        fields.extend(predecessor.map(|pid| ("predecessor", Value::Unsigned(u64::from(pid)))));
        fields.extend(admin.as_deref().map(|url| ("admin", Value::Text(url.as_bytes()))));
        announcer.announce(Event::ServerStarted, Level::Info, &fields);
    }
}
