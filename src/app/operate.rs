//! The admin listener: bound before anything is served, started once all cores run. Without it the proxy serves all the same.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

pub use crate::admin::ReloadRequest;
use crate::admin::{self, Admin, CoreLine, Intrusion, ReloadOutcome, ReloadProblem, ReloadReport, Sources};
use crate::config::{Problem, Severity};
use crate::exchange::{SECURITY_LOGGER, Traffic};
use crate::listen::{self, Crowd, Stage};
use crate::metrics::Collect;
use crate::pipeline::Announcer;
use crate::pipeline::announce::PROXY_LOGGER;
use crate::record::{Body, Event, Head, Level, Record, Rejected, Value};
use crate::store::recent::{Limits, Recent};
use crate::store::{Archive, Gauge};
use crate::time;
use crate::upstream::Clusters;

use super::condition::Condition;
use super::handover::Estate;
use super::keeper::Keeper;
use super::listeners::SpokenTls;
use super::shown::{Certificates, Connections, Process};
use super::{Control, Reloaded};

/// Reloads that may wait for their turn.
const RELOADS: usize = 4;

/// The socket, if there is to be one and it is to be had.
pub(super) enum Socket {
    Off,
    Open(TcpListener),
    Refused(SocketAddr, io::Error),
}

impl Socket {
    /// Takes it from what was handed over, or binds it; leaves it to the process after this one.
    pub(super) fn bind(settings: &admin::Settings, handed: &Estate, estate: &Estate) -> Socket {
        let Some(address) = settings.address else { return Socket::Off };
        let name = format!("admin {address}");
        let bound = match handed.take(&name).pop() {
            Some(listen::Socket::Tcp(socket)) => Ok(socket),
            _ => TcpListener::bind(address),
        };
        let shared = bound.and_then(|socket| {
            let shared = listen::Socket::Tcp(socket.try_clone()?);
            estate.add(&name, &shared).map(|()| socket)
        });
        shared.map_or_else(|error| Socket::Refused(address, error), Socket::Open)
    }

    /// Whether there will be an admin listener.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Socket::Open(_))
    }

    /// As the record of the start has it.
    pub(super) fn url(&self) -> Option<String> {
        let Socket::Open(socket) = self else { return None };
        socket.local_addr().ok().map(|address| format!("http://{address}"))
    }

    /// A port that is taken, by another gatelog perhaps, is no reason not to serve.
    pub(super) fn tell(&self, announcer: &Announcer) {
        let Socket::Refused(address, error) = self else { return };
        let (address, error) = (address.to_string(), error.to_string());
        let fields = [("address", Value::Text(address.as_bytes())), ("error", Value::Text(error.as_bytes()))];
        let message = "the admin address cannot be listened on: there is no admin listener";
        let (timestamp, level, event) = (time::wall_now(), Level::Warning, Event::Diagnostic);
        let head = Head { timestamp, level, event, message, logger: PROXY_LOGGER };
        announcer.record(&Record { head, body: Body::Fields(&fields) });
    }
}

/// What of the running proxy is shown.
pub(super) struct View<'a> {
    pub(super) control: &'a Arc<Control>,
    pub(super) traffic: &'a Arc<Traffic>,
    pub(super) upstreams: &'a Clusters,
    pub(super) crowd: &'a Arc<Crowd>,
    pub(super) tls: SpokenTls,
    pub(super) cores: Vec<CoreLine>,
    pub(super) stages: watch::Receiver<Stage>,
    /// What is searched and followed.
    pub(super) keeper: Option<&'a Keeper>,
    /// The folder of the store.
    pub(super) store: Option<&'a Path>,
}

/// Serves the socket, and gives the end where reloads are asked for.
///
/// # Errors
/// When the system refuses a thread.
pub(super) fn start(
    socket: Socket,
    view: View<'_>,
) -> io::Result<(Option<Admin>, Option<mpsc::Receiver<ReloadRequest>>)> {
    let Socket::Open(socket) = socket else { return Ok((None, None)) };
    let (reloads, asked) = mpsc::channel(RELOADS);
    let process = Process { started: time::wall_now(), workers: view.cores.len() };
    let mut collectors: Vec<Arc<dyn Collect>> = vec![
        Arc::new(process),
        Arc::new(Connections(Arc::clone(view.crowd))),
        Arc::new(Certificates(view.tls)),
        Arc::clone(view.traffic) as Arc<dyn Collect>,
        Arc::new(view.upstreams.clone()),
        Arc::clone(view.control) as Arc<dyn Collect>,
    ];
    collectors.extend(view.store.map(|folder| Arc::new(Gauge::new(folder)) as Arc<dyn Collect>));
    let upstreams = view.upstreams.clone();
    let recent = view.keeper.and_then(Keeper::recent).cloned().unwrap_or_else(|| Recent::new(Limits::default()));
    let archive = view.keeper.and_then(Keeper::archive).unwrap_or_else(|| Arc::clone(&recent) as Arc<dyn Archive>);
    let alerts = view.control.alerts().alerts();
    let desk = Arc::clone(view.control);
    let channels = Box::new(move || desk.alerts().channels());
    let condition = Box::new(Condition {
        started: time::wall_now(),
        cores: view.cores.len(),
        traffic: Arc::clone(view.traffic),
        control: Arc::clone(view.control),
        store: view.store.map(Gauge::new),
    });
    let View { cores, stages, .. } = view;
    let sources =
        Sources { cores, stages, collectors, upstreams, reloads, archive, recent, alerts, channels, condition };
    let control = Arc::clone(view.control);
    let tell = Box::new(move |intrusion: &Intrusion<'_>| tell_intrusion(&control, intrusion));
    let admin = admin::start(socket, Arc::clone(view.control.access()), sources, tell)?;
    Ok((Some(admin), Some(asked)))
}

/// Who was refused at the admin listener, with the address as the policy in force lets it be written.
fn tell_intrusion(control: &Control, intrusion: &Intrusion<'_>) {
    let shown = intrusion.peer.map(|peer| control.shown(peer));
    let (ip, peer) = shown.as_ref().map_or((None, None), |(ip, peer)| (ip.as_deref(), Some(peer.as_str())));
    let rejected = Rejected {
        peer_address: peer,
        ip_address: ip,
        status_code: intrusion.status,
        reason: intrusion.reason,
        detail: intrusion.detail,
        excerpt: &[],
        request_id: None,
        suppressed: intrusion.suppressed,
    };
    let (timestamp, level, event) = (time::wall_now(), Level::Warning, Event::SecurityEvent);
    let head = Head { timestamp, level, event, message: event.message(), logger: SECURITY_LOGGER };
    control.announcer().record(&Record { head, body: Body::Rejected(&rejected) });
}

/// What came of a reload, for whoever asked for it there.
pub fn report(control: &Control, reloaded: Reloaded, problems: &[Problem]) -> ReloadReport {
    let outcome = match reloaded {
        Reloaded::Taken => ReloadOutcome::Taken,
        Reloaded::Refused => ReloadOutcome::Refused,
        Reloaded::Ignored => ReloadOutcome::Ignored,
    };
    let problem = |problem: &Problem| ReloadProblem {
        severity: if problem.severity == Severity::Error { "error" } else { "warning" },
        place: problem.place.to_string(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    };
    let problems = problems.iter().take(super::reload::TOLD).map(problem).collect();
    ReloadReport { outcome, generation: control.generation(), problems }
}
