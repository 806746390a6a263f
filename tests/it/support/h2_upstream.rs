//! A scripted HTTP/2 server in the clear: what it does with each stream is a future of the test's.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Request, Response};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Setup;

/// One stream: the request, and the way to answer it.
pub(crate) struct Call {
    pub(crate) request: Request<RecvStream>,
    pub(crate) answer: SendResponse<Bytes>,
}

impl Call {
    /// The request's body to its end, and its trailers.
    pub(crate) async fn body(&mut self) -> (Vec<u8>, HeaderMap) {
        let (mut bytes, body) = (Vec::new(), self.request.body_mut());
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            bytes.extend_from_slice(&data);
        }
        (bytes, body.trailers().await.unwrap().unwrap_or_default())
    }

    /// Answers as a gRPC server does: a head, a body, the status behind it.
    pub(crate) fn reply(&mut self, body: &'static [u8], status: &'static str) {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut stream = self.answer.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(body), false).unwrap();
        stream
            .send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())]))
            .unwrap();
    }
}

type Script = dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How its connections are made, and how long they last.
#[derive(Clone, Default)]
struct Manner {
    builder: Builder,
    tls: Option<Arc<ServerConfig>>,
    /// After so many streams it says that it wants no more (GOAWAY).
    streams: Option<usize>,
}

/// A listener whose streams follow a script.
pub(crate) struct H2Upstream {
    addr: SocketAddr,
    scheme: &'static str,
    accepted: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl H2Upstream {
    /// Every stream runs `script`; a panic in it fails the test when the upstream is dropped.
    pub(crate) fn script<F>(script: impl Fn(Call) -> F + Send + Sync + 'static) -> H2Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        H2Upstream::built(Builder::new().enable_connect_protocol(), script)
    }

    /// The same on connections that take only so many streams each.
    pub(crate) fn leaving_after<F>(streams: usize, script: impl Fn(Call) -> F + Send + Sync + 'static) -> H2Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        H2Upstream::start(Manner { streams: Some(streams), ..Manner::default() }, script)
    }

    /// The same behind TLS.
    pub(crate) fn tls<F>(config: Arc<ServerConfig>, script: impl Fn(Call) -> F + Send + Sync + 'static) -> H2Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        H2Upstream::start(Manner { tls: Some(config), ..Manner::default() }, script)
    }

    /// The same with settings of its own.
    pub(crate) fn built<F>(builder: &Builder, script: impl Fn(Call) -> F + Send + Sync + 'static) -> H2Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        H2Upstream::start(Manner { builder: builder.clone(), ..Manner::default() }, script)
    }

    fn start<F>(manner: Manner, script: impl Fn(Call) -> F + Send + Sync + 'static) -> H2Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let scheme = if manner.tls.is_some() { "https" } else { "h2c" };
        let script: Arc<Script> = Arc::new(move |call| Box::pin(script(call)));
        let (accepted, failures) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let own = (Arc::clone(&accepted), Arc::clone(&failures));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, manner, script, own) => {}
                    _ = stopped => {}
                }
            });
        });
        let addr = told.recv().unwrap();
        H2Upstream { addr, scheme, accepted, failures, stop: Some(stop), thread: Some(thread) }
    }

    /// A proxy in front of it.
    pub(crate) fn setup(&self) -> Setup {
        let host = if self.scheme == "https" { "localhost".to_owned() } else { self.addr.ip().to_string() };
        Setup::to(&format!("{}://{host}:{}", self.scheme, self.addr.port()))
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections the proxy made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

type Account = (Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>);

async fn accept(listener: TcpListener, manner: Manner, script: Arc<Script>, (accepted, failures): Account) {
    while let Ok((socket, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::SeqCst);
        let (manner, script, failures) = (manner.clone(), Arc::clone(&script), Arc::clone(&failures));
        tokio::spawn(async move {
            match &manner.tls {
                None => serve(socket, &manner, script, failures).await,
                Some(config) => {
                    if let Ok(socket) = TlsAcceptor::from(Arc::clone(config)).accept(socket).await {
                        serve(socket, &manner, script, failures).await;
                    }
                }
            }
        });
    }
}

async fn serve<T>(socket: T, manner: &Manner, script: Arc<Script>, failures: Arc<Mutex<Vec<String>>>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut streams) = manner.builder.handshake::<_, Bytes>(socket).await else { return };
    let mut count = 0;
    while let Some(Ok((request, answer))) = streams.accept().await {
        count += 1;
        if manner.streams == Some(count) {
            streams.graceful_shutdown();
        }
        let run = tokio::spawn(script(Call { request, answer }));
        let failures = Arc::clone(&failures);
        tokio::spawn(async move {
            if let Err(failed) = run.await {
                failures.lock().unwrap().push(failed.to_string());
            }
        });
    }
}

impl Drop for H2Upstream {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        if !std::thread::panicking() {
            assert!(failures.is_empty(), "the upstream saw what it must not: {failures:#?}");
        }
    }
}
