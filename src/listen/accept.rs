//! Listening sockets, and the loop that takes connections from one and outlives every error.
//!
//! Which listeners there are may change while they are served ([`Serving::follow`]): who came in by one that is no more is
//! served until it leaves, and who waits to be accepted there still is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::net::{Outbox, Peer, Polled, Stream};

use super::announced::Unannounced;
use super::connection::{self, Connection, Shared};
use super::crowd::{Crowd, Crowded, Place};
use super::door::{Door, Doorway, Listener};
use super::drain::{Drain, Stage};
use super::entrance::Entrance;
use super::handler::{Handler, Offence};
use super::settings::Limits;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Pauses after the machine has run out of descriptors or memory: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A unix socket.
    Unix(std::os::unix::net::UnixListener),
}

impl Socket {
    /// The same socket for another core: whoever is quickest accepts a connection.
    ///
    /// # Errors
    /// Those of the system.
    pub fn share(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(socket) => Socket::Tcp(socket.try_clone()?),
            Socket::Unix(socket) => Socket::Unix(socket.try_clone()?),
        })
    }
}

/// Binds an address so that every core can have a socket of its own on it.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether somebody else holds the address. Sockets of one user share it silently, so this is asked without sharing.
pub fn is_taken(address: SocketAddr) -> bool {
    address.port() != 0 && std::net::TcpListener::bind(address).is_err()
}

/// What a core's serving needs.
pub struct Serving<H> {
    handler: Rc<H>,
    /// For connections that are accepted from now on.
    shared: RefCell<Rc<Shared<H>>>,
    drain: Rc<Drain>,
    outbox: Rc<Outbox>,
    crowd: Arc<Crowd>,
    doorways: RefCell<Vec<Rc<Doorway>>>,
    /// One for each listening socket, and for those that are no more until their last connection has left.
    acceptors: RefCell<JoinSet<()>>,
    /// Told when there is one more.
    opened: Notify,
}

impl<H: Handler> Serving<H> {
    /// Serves with this handler, within these limits, until the drain.
    pub fn new(handler: Rc<H>, limits: Limits, drain: Rc<Drain>, outbox: Rc<Outbox>, crowd: Arc<Crowd>) -> Serving<H> {
        let shared = Shared { handler: Rc::clone(&handler), limits, outbox: Rc::clone(&outbox) };
        let (doorways, acceptors, opened) = Default::default();
        Serving { handler, shared: RefCell::new(Rc::new(shared)), drain, outbox, crowd, doorways, acceptors, opened }
    }

    /// Connections that are accepted from now on keep within these limits.
    pub fn limit(&self, limits: Limits) {
        let (handler, outbox) = (Rc::clone(&self.handler), Rc::clone(&self.outbox));
        self.shared.replace(Rc::new(Shared { handler, limits, outbox }));
    }

    /// From now on there are these listeners, for this core: new ones are accepted from, those that changed speak to the
    /// next connection as they are now, and those that are not among them are closed.
    ///
    /// # Errors
    /// The first socket that the runtime does not take; all others are in force.
    pub fn follow(self: &Rc<Self>, listeners: &[Arc<Listener>], core: usize) -> io::Result<()> {
        let mut doorways = self.doorways.borrow_mut();
        let stands = |doorway: &Rc<Doorway>| listeners.iter().any(|listener| listener.number() == doorway.number());
        doorways.extract_if(.., |doorway| !stands(doorway)).for_each(|doorway| doorway.close());
        let mut followed = Ok(());
        for listener in listeners {
            match doorways.iter().find(|doorway| doorway.number() == listener.number()) {
                Some(doorway) => doorway.follow(listener),
                None => {
                    let doorway = Doorway::open(listener);
                    for socket in listener.take_sockets(core) {
                        followed = followed.and(self.accept_from(socket, &doorway));
                    }
                    doorways.push(doorway);
                }
            }
        }
        followed
    }

    fn accept_from(self: &Rc<Self>, socket: Socket, doorway: &Rc<Doorway>) -> io::Result<()> {
        let acceptor = Acceptor::new(socket)?;
        self.acceptors.borrow_mut().spawn_local(Rc::clone(self).accept_all(acceptor, Rc::clone(doorway)));
        self.opened.notify_one();
        Ok(())
    }

    /// Takes connections from all listeners until others do or nobody does, then waits for those that are open. Dropped, it drops them.
    ///
    /// # Errors
    /// When the work for a listener has panicked.
    pub async fn run(self: Rc<Self>) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                () = self.drain.reached(Stage::Leaving) => break,
                ended = poll_fn(|cx| self.acceptors.borrow_mut().poll_join_next(cx)) => match ended {
                    Some(ended) => ended.map_err(io::Error::other)?,
                    None => self.opened.notified().await,
                },
            }
        }
        let mut acceptors = self.acceptors.take();
        while acceptors.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept_all(self: Rc<Self>, acceptor: Acceptor, doorway: Rc<Doorway>) {
        let mut connections = JoinSet::new();
        // None of them is waited for: they last as long as there is somebody to take through the stages.
        let mut keepers = JoinSet::new();
        let pause = Cell::new(FIRST_PAUSE);
        let mut door = doorway.door();
        keepers.spawn_local(Rc::clone(&door).keep(Rc::clone(&self.drain)));
        loop {
            tokio::select! {
                biased;
                () = door.drain.reached(Stage::Leaving) => {
                    if doorway.is_closed() || self.drain.stage() > Stage::Open {
                        break;
                    }
                    door = doorway.door();
                    keepers.spawn_local(Rc::clone(&door).keep(Rc::clone(&self.drain)));
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = acceptor.accept() => match accepted {
                    Ok((stream, peer)) => {
                        pause.set(FIRST_PAUSE);
                        connections.spawn_local(Rc::clone(&self).serve(stream, peer, Rc::clone(&door)));
                    }
                    Err(error) => back_off(&error, &pause).await,
                },
            }
        }
        if doorway.is_closed() {
            for (stream, peer) in acceptor.finish() {
                connections.spawn_local(Rc::clone(&self).serve(stream, peer, Rc::clone(&door)));
            }
        } else {
            drop(acceptor);
        }
        while connections.join_next().await.is_some() {}
    }

    /// What is needed to come in is not held by who is in.
    fn serve(self: Rc<Self>, stream: Stream, peer: Peer, door: Rc<Door>) -> impl Future<Output = ()> {
        let way_in = Box::pin(self.let_in(stream, peer, door));
        async move {
            if let Some((connection, shared, place)) = way_in.await {
                connection::serve(shared, connection).await;
                drop(place);
            }
        }
    }

    /// What comes before HTTP: limits, a PROXY header, TLS. `None` for who is not let in.
    async fn let_in(
        self: Rc<Self>,
        mut stream: Stream,
        mut peer: Peer,
        door: Rc<Door>,
    ) -> Option<(Connection, Rc<Shared<H>>, Place)> {
        let entrance = door.entrance();
        let shared = Rc::clone(&self.shared.borrow());
        let limits = &shared.limits;
        let mut place = match self.crowd.enter(peer.ip, limits) {
            Ok(place) => place,
            Err(crowded) => return self.turn_away(&stream, &peer, &entrance, crowded),
        };
        if let Some(protocol) = &entrance.proxy_protocol {
            let taken = protocol.take(&mut stream, &mut peer, limits.header_timeout).await;
            if let Err(unannounced) = taken {
                return self.leave(&peer, &unannounced);
            }
            // Whom the peer speaks for is known only now.
            if let Err(crowded) = place.claim(peer.ip, limits) {
                return self.turn_away(&stream, &peer, &entrance, crowded);
            }
        }
        if entrance.tls.is_some() {
            stream = match entrance.secure(stream, &mut peer, limits.header_timeout).await {
                Ok(stream) => stream,
                Err(refusal) => return self.leave(&peer, &Unannounced::Refused(refusal)),
            };
        }
        Some((Connection::new(&shared, stream, door, peer), shared, place))
    }

    /// Nothing was said that could be answered.
    fn leave<T>(&self, peer: &Peer, unannounced: &Unannounced) -> Option<T> {
        if let Unannounced::Refused(refusal) = unannounced {
            self.handler.refused(peer, refusal);
        }
        None
    }

    /// Over the limit nobody waits for a request: the connection is closed, and that is recorded. Where no handshake
    /// stands before it, the client is told, if it takes that at once.
    fn turn_away<T>(&self, stream: &Stream, peer: &Peer, entrance: &Entrance, crowded: Crowded) -> Option<T> {
        let (offence, detail) = match crowded {
            Crowded::All => (Offence::Connections, "more connections than limits.connections"),
            Crowded::Client => {
                (Offence::ConnectionsPerIp, "more connections of a client than limits.connections_per_ip")
            }
        };
        let answer = self.handler.offended(peer, offence, detail);
        if entrance.tls.is_none()
            && let Some(socket) = stream.socket()
        {
            // What was sent already is read, for otherwise the kernel resets the connection and the answer is lost.
            let mut unread = [std::mem::MaybeUninit::uninit(); 4096];
            let _ = socket.send(&answer);
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = socket.recv(&mut unread);
        }
        None
    }
}

/// A listening socket of this core's runtime.
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    fn new(socket: Socket) -> io::Result<Acceptor> {
        Ok(match socket {
            Socket::Tcp(socket) => Acceptor::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket) => Acceptor::Unix(UnixListener::from_std(socket)?),
        })
    }

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Acceptor::Tcp(socket) => {
                socket.accept().await.map(|(tcp, address)| (Stream::Plain(Polled::new(tcp)), Peer::new(address, None)))
            }
            Acceptor::Unix(socket) => {
                socket.accept().await.map(|(unix, _)| (Stream::Unix(Polled::new(unix)), Peer::unix()))
            }
        }
    }
}

impl Acceptor {
    /// Stops listening. Those whom the kernel has connected already, and would reset with the socket, are accepted.
    fn finish(self) -> Vec<(Stream, Peer)> {
        // What cannot be accepted any more is lost with the socket.
        match self {
            Acceptor::Tcp(socket) => socket.into_std().map(|socket| waiting(|| socket.accept(), plain)),
            Acceptor::Unix(socket) => socket.into_std().map(|socket| waiting(|| socket.accept(), unix)),
        }
        .unwrap_or_default()
    }
}

fn waiting<S, A>(
    accept: impl Fn() -> io::Result<(S, A)>,
    taken: fn(S, A) -> io::Result<(Stream, Peer)>,
) -> Vec<(Stream, Peer)> {
    let accepted = (0..BACKLOG).map_while(|_| accept().ok());
    accepted.filter_map(|(stream, address)| taken(stream, address).ok()).collect()
}

fn plain(stream: std::net::TcpStream, address: SocketAddr) -> io::Result<(Stream, Peer)> {
    stream.set_nonblocking(true)?;
    Ok((Stream::Plain(Polled::new(TcpStream::from_std(stream)?)), Peer::new(address, None)))
}

fn unix(stream: std::os::unix::net::UnixStream, _: std::os::unix::net::SocketAddr) -> io::Result<(Stream, Peer)> {
    stream.set_nonblocking(true)?;
    Ok((Stream::Unix(Polled::new(UnixStream::from_std(stream)?)), Peer::unix()))
}

/// A connection that broke before it was accepted is nobody's trouble; a machine that has run out of something is, and
/// trying again at once would only burn the core.
async fn back_off(error: &io::Error, pause: &Cell<Duration>) {
    let is_connections = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if is_connections {
        return;
    }
    tracing::error!(target: "gatelog.proxy", error = %error, "cannot accept connections; trying again");
    tokio::time::sleep(pause.get()).await;
    pause.set((pause.get() * 2).min(LONGEST_PAUSE));
}
