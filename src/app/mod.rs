//! Composition root: what is configured becomes what runs, wired in the order in which a request flows.

mod account;
mod certificates;
mod core;
pub mod diagnostics;
mod difference;
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
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::admin::{self, Access, Admin, ReloadRequest};
use crate::config::Config;
use crate::exchange::{self, Tally};
use crate::listen::{Crowd, Stage};
use crate::net::server_tls::ServerTlsError;
use crate::net::tls::TlsFileError;
use crate::net::unix_socket::SocketFile;
use crate::pipeline::announce::Announcer;
use crate::pipeline::{Format, HttpBody, OutputKind, OutputSettings, Stamp};
use crate::record::{Event, Level, Value};
use crate::sinks::{self, Outputs};
use crate::upstream::{self, Clusters};

use self::certificates::Watch;
use self::core::Core;
use self::operate::{Socket, View};
use self::preflight::Ready;
pub use self::reload::{Control, Reloaded};
use self::service::Service;
use self::sockets::Bound;
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
    /// A thread or the random number generator is not to be had.
    #[error("the system refuses")]
    System(#[source] io::Error),
}

/// A proxy that serves.
pub struct App {
    addresses: Vec<(SocketAddr, bool)>,
    cores: Vec<JoinHandle<io::Result<()>>>,
    ended: mpsc::Receiver<()>,
    stage: watch::Sender<Stage>,
    control: Arc<Control>,
    /// What requests left behind beside their records.
    tally: Arc<Tally>,
    admin: Option<Admin>,
    /// Reloads that the admin listener is asked for.
    reloads: Option<mpsc::Receiver<ReloadRequest>>,
    edges: Edges,
    grace: Duration,
}

/// What belongs to the listeners as a whole, beside their cores.
struct Edges {
    /// Where it listens, as it is told.
    urls: Vec<String>,
    /// Looks after certificates until it is dropped.
    watch: Option<Watch>,
    /// Unix sockets, removed when they are dropped.
    files: Vec<SocketFile>,
    /// The service manager's watchdog, and what quiets it.
    watched: Option<(Watchdog, Beats)>,
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
    /// Starts serving. Everything that can fail fails before the first connection is accepted.
    ///
    /// # Errors
    /// What is in the way.
    pub fn start(ready: Ready) -> Result<App, StartError> {
        let Ready { config, table } = ready;
        let config = &config;
        let bound = Bound::all(config, worker_count(config))?;
        let service = Arc::new(Service::new(config, table)?);
        let exchange::Shared { tally, traffic, .. } = &service.exchange;
        let (tally, traffic) = (Arc::clone(tally), Arc::clone(traffic));
        let control = Arc::new(start_outputs(config, &service)?);
        let crowd = Arc::new(Crowd::default());
        let (stage, stages) = watch::channel(Stage::Open);
        let (end, ended) = mpsc::channel(1);
        let socket = Socket::bind(&config.admin);
        announce_start(control.announcer(), config, &bound, socket.url());
        socket.tell(control.announcer());
        control.supervise().map_err(StartError::System)?;
        let watched =
            Watchdog::from_environment().map(|watchdog| (watchdog, Beats::new(bound.per_core.len(), &watchdog)));
        let Bound { addresses, urls, per_core, tls, files } = bound;
        let (lines, ends): (Vec<_>, Vec<_>) = per_core.iter().map(|_| admin::cores::line()).unzip();
        let cores = per_core.into_iter().zip(ends).enumerate().map(|(index, (listeners, line))| {
            let (stages, generations) = (stages.clone(), control.generations());
            let (crowd, ended) = (Arc::clone(&crowd), end.clone());
            let beat = watched.as_ref().map(|(_, beats)| beats.of(index));
            let core = Core { crowd, listeners, stages, generations, line, ended, beat };
            core.spawn(index).map_err(StartError::System)
        });
        let cores = cores.collect::<Result<_, _>>()?;
        let view = View {
            control: &control,
            traffic: &traffic,
            upstreams: control.upstreams(),
            tally: &tally,
            crowd: &crowd,
            tls: &tls,
            cores: lines,
            stages,
        };
        let (admin, reloads) = operate::start(socket, view).map_err(StartError::System)?;
        let edges = Edges { urls, watch: Watch::start(tls).map_err(StartError::System)?, files, watched };
        let grace = config.shutdown_grace;
        Ok(App { addresses, cores, ended, stage, control, tally, admin, reloads, edges, grace })
    }

    /// Where it listens, and whether TLS is spoken there.
    pub fn addresses(&self) -> &[(SocketAddr, bool)] {
        &self.addresses
    }

    /// What a service manager shows of it.
    pub fn status(&self) -> String {
        format!("listening on {}", self.edges.urls.join(", "))
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

    /// What is counted beside the records: requests that sampling left out, fields that business events lacked.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The upstreams as they are now, each with its servers and what is counted about them.
    pub fn upstreams(&self) -> &Clusters {
        self.control.upstreams()
    }

    /// Serves until `stop` is done, then drains: no new connections, requests that run may finish within
    /// `shutdown_grace` or until `hurry` is done, then what still runs is cut off; each of them has its record.
    pub async fn serve(mut self, stop: impl Future<Output = ()>, hurry: impl Future<Output = ()>) -> Ending {
        let account = account::Account { tally: &self.tally, announcer: self.control.announcer() };
        let failed = tokio::select! {
            () = stop => false,
            _ = self.ended.recv() => true,
            () = account.tell_often() => false,
            () = systemd::keep_alive(self.edges.watched.as_ref(), Stage::Open) => false,
        };
        systemd::stopping();
        self.control.close();
        announce_stop(self.control.announcer(), "draining");
        self.stage.send_replace(Stage::Draining);
        let drained = tokio::select! {
            biased;
            () = all_ended(&mut self.ended, self.cores.len() - usize::from(failed)) => true,
            () = tokio::time::sleep(self.grace) => false,
            () = hurry => false,
            () = systemd::keep_alive(self.edges.watched.as_ref(), Stage::Draining) => false,
        };
        self.stage.send_replace(Stage::Closed);
        let ending = match (failed, drained) {
            (true, _) => Ending::Failed,
            (false, true) => Ending::Drained,
            (false, false) => Ending::CutOff,
        };
        self.finish(ending)
    }

    /// Waits for the serving threads, then for the outputs: nothing that was said is left unwritten if it can be helped.
    fn finish(mut self, ending: Ending) -> Ending {
        let mut failed = ending == Ending::Failed;
        for core in self.cores.drain(..) {
            failed |= !matches!(core.join(), Ok(Ok(())));
        }
        self.control.look_away();
        drop((self.edges.watch, self.edges.files));
        account::Account { tally: &self.tally, announcer: self.control.announcer() }.tell();
        self.admin.iter().for_each(Admin::tell_suppressed);
        announce_stop(self.control.announcer(), "stopped");
        self.control.finish(crate::time::monotonic() + LAST_WORDS);
        if let Some(admin) = self.admin.take() {
            admin.stop();
        }
        if failed { Ending::Failed } else { ending }
    }
}

fn announce_stop(announcer: &Announcer, stage: &str) {
    let fields = [("stage", Value::Text(stage.as_bytes()))];
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

/// The outputs, and the way to each of them.
fn start_outputs(config: &Config, service: &Arc<Service>) -> Result<Control, StartError> {
    let access = Arc::new(Access::new(&config.admin).map_err(StartError::System)?);
    let stamp = Stamp { instance: instance(), record: config.record.clone() };
    let outputs = Outputs::start(&settled(&config.pipeline.outputs), &stamp)?;
    Ok(Control::new(config.clone(), outputs, stamp, access, service))
}

/// Outputs whose formats are what `Auto` stands for where they are.
fn settled(outputs: &[OutputSettings]) -> Vec<OutputSettings> {
    outputs.iter().map(|output| OutputSettings { format: format(output), ..output.clone() }).collect()
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

/// Something that the system does not give.
fn system_error(what: &str) -> StartError {
    StartError::System(io::Error::other(what))
}

fn announce_start(announcer: &Announcer, config: &Config, listeners: &Bound, admin: Option<String>) {
    let listen: Vec<&str> = listeners.urls.iter().map(String::as_str).collect();
    let mut fields = vec![
        ("version", Value::Text(env!("CARGO_PKG_VERSION").as_bytes())),
        ("listen", Value::List(&listen)),
        ("workers", Value::Unsigned(listeners.per_core.len() as u64)),
        ("upstreams", Value::Unsigned(config.upstreams.len() as u64)),
        ("pid", Value::Unsigned(u64::from(std::process::id()))),
    ];
    fields.extend(admin.as_deref().map(|url| ("admin", Value::Text(url.as_bytes()))));
    announcer.announce(Event::ServerStarted, Level::Info, &fields);
}
