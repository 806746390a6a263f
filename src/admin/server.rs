//! The listener's thread: served as traffic is, by [`crate::listen`], but with nothing in common with it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ipnet::{IpNet, Ipv4Net};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use crate::alert::{self, Alerts};
use crate::listen::{
    Answering, Client, Drain, Entrance, Handler, Limits, Listener, Offence, Refusal, Serving, Socket, Stage, Wire,
};
use crate::metrics::Collect;
use crate::net::{Outbox, Peer};
use crate::store::Archive;
use crate::store::recent::Recent;
use crate::upstream::Clusters;

use super::access::Access;
use super::answer::{Answer, problem};
use super::body::Body;
use super::cores::CoreLine;
use super::guard::{Guard, Tell};
use super::outputs::Condition;
use super::refused::Refused;
use super::reload::ReloadRequest;
use super::router::Router;

/// A request body that is read and thrown away: hardly a page needs more than its query.
const BODY_BYTES: usize = 64 * 1024;
/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long answers that are under way have when the process ends.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What is let in: programs that ask every few seconds and some people, never a crowd.
fn limits() -> Limits {
    Limits {
        header_bytes: 48 * 1024,
        header_count: 64,
        // An expression as long as the filter language reads fits, however it is encoded.
        uri_bytes: 32 * 1024,
        body_bytes: Some(BODY_BYTES as u64),
        header_timeout: Some(Duration::from_secs(5)),
        body_idle_timeout: Some(Duration::from_secs(10)),
        keep_alive: Some(Duration::from_secs(75)),
        connections: Some(64),
        // Who asks from afar leaves room for others.
        connections_per_ip: Some(32),
        exempt: vec![
            Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
            IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ],
        streams_per_connection: 16,
        ..Limits::default()
    }
}

/// Where answers come from.
pub struct Sources {
    /// The ways to all cores.
    pub cores: Vec<CoreLine>,
    /// How far the end of the process has come.
    pub stages: watch::Receiver<Stage>,
    /// What has numbers to show, in the order in which they are shown.
    pub collectors: Vec<Arc<dyn Collect>>,
    /// All upstreams.
    pub upstreams: Clusters,
    /// To whoever reads the configuration again.
    pub reloads: mpsc::Sender<ReloadRequest>,
    /// The place that holds the records: the store, or, where there is none, the newest ones in memory.
    pub archive: Arc<dyn Archive>,
    /// The newest records as they come, for those who follow them.
    pub recent: Arc<Recent>,
    /// The alerts.
    pub alerts: Arc<Alerts>,
    /// How each channel of theirs does.
    pub channels: Channels,
    /// How the outputs and the process do.
    pub condition: Box<dyn Condition>,
}

/// Says how each channel of the alerts does.
pub type Channels = Box<dyn Fn() -> Vec<alert::channel::Status> + Send>;

/// The listener while it runs.
pub struct Admin {
    address: SocketAddr,
    guard: Arc<Guard>,
    stop: watch::Sender<Stage>,
    /// Disconnected when the thread has ended: threads cannot be joined for a time only.
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

/// Serves a socket on a thread of its own; `tell` writes down who was refused.
///
/// # Errors
/// When the system gives no thread.
pub fn start(socket: TcpListener, access: Arc<Access>, mut sources: Sources, tell: Tell) -> io::Result<Admin> {
    let address = socket.local_addr()?;
    socket.set_nonblocking(true)?;
    // Connections take it over from their listener.
    socket2::SockRef::from(&socket).set_tcp_nodelay(true)?;
    let (stop, stages) = watch::channel(Stage::Open);
    let (alive, ended) = sync_channel(0);
    let guard = Arc::new(Guard::new(tell));
    sources.collectors.push(Arc::clone(&guard) as Arc<dyn Collect>);
    let running = Arc::clone(&guard);
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        let _alive: SyncSender<()> = alive;
        let router = Router::new(access, Arc::clone(&running), sources, stages.clone());
        if let Err(error) = run(socket, router, running, stages) {
            tracing::error!(target: "gatelog.proxy", %error, "the admin listener has ended");
        }
    })?;
    Ok(Admin { address, guard, stop, ended, thread })
}

impl Admin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes on to a later stage of its end, as the process does: another one may serve the socket.
    pub fn follow(&self, stage: Stage) {
        self.stop.send_replace(stage);
    }

    /// Tells of refused requests that no record has told of, while there are outputs to tell it to.
    pub fn tell_suppressed(&self) {
        self.guard.tell_suppressed();
    }

    /// Ends it, answers that are under way within a moment.
    pub fn stop(self) {
        self.stop.send_replace(Stage::Draining);
        // Nothing is ever sent: it is over, or it takes too long.
        let _ = self.ended.recv_timeout(LAST_WORDS);
        self.stop.send_replace(Stage::Closed);
        // A panic there was told when it happened; there is nothing else to hear.
        let _ = self.thread.join();
    }
}

fn run(socket: TcpListener, router: Router, guard: Arc<Guard>, stages: watch::Receiver<Stage>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.spawn_local(async move { guard.go_on().await });
    runtime.block_on(serve(socket, router, stages))
}

async fn serve(socket: TcpListener, router: Router, stages: watch::Receiver<Stage>) -> io::Result<()> {
    let (drain, outbox) = (Rc::new(Drain::default()), Rc::new(Outbox::default()));
    let pages = Rc::new(Pages { router });
    let serving = Serving::new(pages, limits(), Rc::clone(&drain), Rc::clone(&outbox), Arc::default());
    let sending = Rc::clone(&outbox);
    tokio::task::spawn_local(async move { sending.run().await });
    let serving = Rc::new(serving);
    let listener = Listener::new(0, Entrance::default(), vec![vec![Socket::Tcp(socket)]]);
    serving.follow(&[Arc::new(listener)], 0)?;
    drain.follow(stages, serving.run()).await
}

/// The pages as the listener calls them.
struct Pages {
    router: Router,
}

impl Handler for Pages {
    type Body = Body;

    fn call(self: Rc<Self>, client: Client, request: Request<Incoming>) -> Answering<Body> {
        Box::pin(async move {
            let answered = tokio::time::timeout(PATIENCE, self.answer(&client.peer, request)).await;
            client.answered();
            Ok(response(answered.unwrap_or_else(|_| Refused::Slow.answer()), &client.wire))
        })
    }

    fn refused(&self, _: &Peer, refusal: &Refusal) -> Vec<u8> {
        let status = refusal.status.and_then(|status| StatusCode::from_u16(status).ok());
        status.map(|status| problem(status, &refusal.detail).into_raw()).unwrap_or_default()
    }

    fn offended(&self, _: &Peer, _: Offence, _: &str) -> Vec<u8> {
        problem(StatusCode::SERVICE_UNAVAILABLE, "there are too many connections").into_raw()
    }
}

impl Pages {
    async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let wanted = Router::wants_body(&head);
        match read(body, wanted.unwrap_or(BODY_BYTES), wanted.is_some()).await {
            Ok(body) => self.router.answer(peer, &head, &body).await,
            Err(status) if wanted.is_some() => problem(status, "the body is too long, or broken"),
            Err(status) => problem(status, "this takes no body"),
        }
    }
}

/// Reads a body to its end, so that the next request can be read; what is not kept is thrown away.
async fn read(mut body: Incoming, most: usize, keep: bool) -> Result<Vec<u8>, StatusCode> {
    let (mut kept, mut left) = (Vec::new(), most);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        left = left.checked_sub(data.len()).ok_or(StatusCode::PAYLOAD_TOO_LARGE)?;
        if keep {
            kept.extend_from_slice(data);
        }
    }
    Ok(kept)
}

fn response(answer: Answer, wire: &Rc<Wire>) -> Response<Body> {
    let Answer { status, headers, content, live, permit } = answer;
    let mut response = Response::new(Body::new(content, live, wire.run(), permit));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
