//! A scripted upstream: a real listener, a thread a connection, and a script that says what each one does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::DEADLINE;
use super::wire::{Ended, Message, Reader, Side};

/// Bytes both ways, whatever carries them.
trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

/// One connection that the proxy made.
pub(crate) struct Conn {
    /// The how-manieth of this upstream, from 0.
    pub(crate) index: usize,
    reader: Reader<Box<dyn Transport>>,
    socket: TcpStream,
}

impl Conn {
    /// The next request, whole; `None` when the proxy closed instead.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let message = self.reader.message(Side::Requests);
        match message.ended {
            Ended::Complete => Some(message),
            Ended::Closed | Ended::Cut => None,
            _ => panic!("the proxy sent {message:?}"),
        }
    }

    /// The next request's head, its body left on the connection.
    pub(crate) fn head(&mut self) -> Message {
        let message = self.reader.head(Side::Requests);
        assert!(message.is_complete(), "the proxy sent {message:?}");
        message
    }

    /// The next request as far as it comes.
    pub(crate) fn whatever_comes(&mut self) -> Message {
        self.reader.message(Side::Requests)
    }

    /// The body that belongs to a head that was just read.
    pub(crate) fn body(&mut self, head: &mut Message) {
        self.reader.body(Side::Requests, head);
    }

    /// Sends literal bytes; a proxy that left already is no failure.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    /// Sends literal bytes, and tells whether the proxy took them.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.reader.stream().write_all(bytes.as_ref())?;
        self.reader.stream().flush()
    }

    /// A whole 200 with this body.
    pub(crate) fn ok(&mut self, body: &str) {
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    /// So many bytes, whatever they are.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        self.reader.exactly(length)
    }

    /// So many bytes, whatever they are; `None` when the proxy closes before.
    pub(crate) fn try_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        self.reader.try_exactly(length)
    }

    /// Everything until the proxy closes, and how it closes.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Ended) {
        self.reader.rest()
    }

    /// Does nothing until the proxy closes, and returns what it still sent.
    pub(crate) fn stall(&mut self) -> Vec<u8> {
        self.reader.rest().0
    }

    /// Waits this long for the proxy to close, and tells whether it did.
    pub(crate) fn is_left_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let ended = self.reader.rest().1;
        self.socket.set_read_timeout(Some(2 * DEADLINE)).unwrap();
        ended != Ended::Silent
    }

    /// Says that nothing more will be sent (FIN).
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Closes with a reset.
    pub(crate) fn reset(&mut self) {
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

/// A listener whose connections follow a script.
pub(crate) struct Upstream {
    addr: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    accepted: AtomicUsize,
    open: Mutex<Vec<(usize, TcpStream)>>,
    failures: Mutex<Vec<String>>,
}

impl Upstream {
    /// Every connection runs `script`; a panic in it fails the test when the upstream is dropped.
    pub(crate) fn script(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Upstream {
        Upstream::start("http", script, |socket| Some(Box::new(socket)))
    }

    /// The same at an address where another one was.
    pub(crate) fn script_at(addr: SocketAddr, script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Upstream {
        Upstream::start_at(addr, "http", script, |socket| Some(Box::new(socket)))
    }

    /// The same behind TLS.
    pub(crate) fn tls_script(
        config: Arc<ServerConfig>,
        script: impl Fn(&mut Conn) + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::start("https", script, move |socket| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).ok()?, socket);
            stream.conn.complete_io(&mut stream.sock).ok()?;
            Some(Box::new(stream))
        })
    }

    /// Answers every request with the same bytes, on connections that stay open.
    pub(crate) fn answering(bytes: &'static [u8]) -> Upstream {
        Upstream::script(move |conn| {
            while conn.request().is_some() {
                conn.send(bytes);
            }
        })
    }

    /// Answers every request with 200 and `ok`.
    pub(crate) fn ok() -> Upstream {
        Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a server of the configuration.
    pub(crate) fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost".to_owned() } else { self.addr.ip().to_string() };
        format!("{}://{host}:{}", self.scheme, self.addr.port())
    }

    /// `http` in place of `https`, or the other way round.
    pub(crate) fn spoken_to_as(mut self, scheme: &'static str) -> Upstream {
        self.scheme = scheme;
        self
    }

    /// How many connections the proxy made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    fn start(
        scheme: &'static str,
        script: impl Fn(&mut Conn) + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Transport>> + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::start_at(([127, 0, 0, 1], 0).into(), scheme, script, wrap)
    }

    fn start_at(
        addr: SocketAddr,
        scheme: &'static str,
        script: impl Fn(&mut Conn) + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Transport>> + Send + Sync + 'static,
    ) -> Upstream {
        let listener = TcpListener::bind(addr).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, &Arc::new((script, wrap)))
        });
        Upstream { addr, scheme, shared, acceptor: Some(acceptor) }
    }
}

/// What a connection does, and what carries it.
type Play<S, W> = Arc<(S, W)>;

fn accept<S, W>(listener: &TcpListener, shared: &Arc<Shared>, play: &Play<S, W>)
where
    S: Fn(&mut Conn) + Send + Sync + 'static,
    W: Fn(TcpStream) -> Option<Box<dyn Transport>> + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    while let Ok((socket, _)) = listener.accept() {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        let _ = socket.set_nodelay(true);
        let _ = socket.set_read_timeout(Some(2 * DEADLINE));
        let index = shared.accepted.fetch_add(1, Ordering::SeqCst);
        shared.open.lock().unwrap().push((index, socket.try_clone().unwrap()));
        let (shared, play) = (Arc::clone(shared), Arc::clone(play));
        threads.push(std::thread::spawn(move || serve(index, socket, &shared, &play)));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve<S, W>(index: usize, socket: TcpStream, shared: &Shared, play: &(S, W))
where
    S: Fn(&mut Conn),
    W: Fn(TcpStream) -> Option<Box<dyn Transport>>,
{
    let own = socket.try_clone().unwrap();
    let Some(transport) = play.1(socket) else { return };
    let mut conn = Conn { index, reader: Reader::new(transport), socket: own };
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play.0(&mut conn)));
    if let Err(panic) = run {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        shared.failures.lock().unwrap().push(text);
    }
    // The list of open sockets holds a duplicate: without this the close below would not reach the wire.
    shared.open.lock().unwrap().retain(|(other, _)| *other != index);
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        for (_, socket) in self.shared.open.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let failures = std::mem::take(&mut *self.shared.failures.lock().unwrap());
        if !std::thread::panicking() {
            assert!(failures.is_empty(), "the upstream saw what it must not: {failures:#?}");
        }
    }
}
