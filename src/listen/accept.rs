//! Listening sockets, and the loop that takes connections from one and outlives every error.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use crate::net::{Outbox, Peer, Stream};

use super::announced::Unannounced;
use super::connection::{self, Shared};
use super::crowd::{Crowd, Crowded};
use super::drain::{Drain, Stage};
use super::entrance::Entrance;
use super::handler::{Handler, Offence};
use super::settings::Limits;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Pauses after the machine has run out of descriptors or memory: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A bound address of a core, and how it is spoken to.
pub struct Listener {
    /// Bound and listening, not blocking.
    pub socket: Socket,
    /// What is asked of those who connect.
    pub entrance: Entrance,
}

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
}

impl<H: Handler> Serving<H> {
    /// Serves with this handler, within these limits, until the drain.
    pub fn new(handler: Rc<H>, limits: Limits, drain: Rc<Drain>, outbox: Rc<Outbox>, crowd: Arc<Crowd>) -> Serving<H> {
        let shared =
            Shared { handler: Rc::clone(&handler), limits, drain: Rc::clone(&drain), outbox: Rc::clone(&outbox) };
        Serving { handler, shared: RefCell::new(Rc::new(shared)), drain, outbox, crowd }
    }

    /// Connections that are accepted from now on keep within these limits.
    pub fn limit(&self, limits: Limits) {
        let (handler, drain, outbox) = (Rc::clone(&self.handler), Rc::clone(&self.drain), Rc::clone(&self.outbox));
        self.shared.replace(Rc::new(Shared { handler, limits, drain, outbox }));
    }

    /// Takes connections from all listeners until the drain or until others take them, then waits for those that are open. Dropped, it drops them.
    pub async fn run(self: Rc<Self>, listeners: Vec<Listener>) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let acceptor = Acceptor::new(listener.socket)?;
            tasks.spawn_local(Rc::clone(&self).accept_all(acceptor, Rc::new(listener.entrance)));
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept_all(self: Rc<Self>, acceptor: Acceptor, entrance: Rc<Entrance>) {
        let mut connections = JoinSet::new();
        let pause = Cell::new(FIRST_PAUSE);
        loop {
            tokio::select! {
                biased;
                () = self.drain.reached(Stage::Leaving) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = acceptor.accept() => match accepted {
                    Ok((stream, peer)) => {
                        pause.set(FIRST_PAUSE);
                        connections.spawn_local(Rc::clone(&self).serve(stream, peer, Rc::clone(&entrance)));
                    }
                    Err(error) => back_off(&error, &pause).await,
                },
            }
        }
        drop(acceptor);
        while connections.join_next().await.is_some() {}
    }

    async fn serve(self: Rc<Self>, mut stream: Stream, mut peer: Peer, entrance: Rc<Entrance>) {
        let shared = Rc::clone(&self.shared.borrow());
        let limits = &shared.limits;
        let place = self.crowd.enter(peer.ip, limits);
        let mut place = match place {
            Ok(place) => place,
            Err(crowded) => return self.turn_away(&stream, &peer, &entrance, crowded),
        };
        if let Some(protocol) = &entrance.proxy_protocol {
            let taken = Box::pin(protocol.take(&mut stream, &mut peer, limits.header_timeout)).await;
            if let Err(unannounced) = taken {
                return self.leave(&peer, &unannounced);
            }
            // Whom the peer speaks for is known only now.
            if let Err(crowded) = place.claim(peer.ip, limits) {
                return self.turn_away(&stream, &peer, &entrance, crowded);
            }
        }
        let stream = match entrance.tls.is_some() {
            false => stream,
            true => match Box::pin(entrance.secure(stream, &mut peer, limits.header_timeout)).await {
                Ok(stream) => stream,
                Err(refusal) => return self.leave(&peer, &Unannounced::Refused(refusal)),
            },
        };
        connection::serve(shared, stream, entrance, peer).await;
    }

    /// Nothing was said that could be answered.
    fn leave(&self, peer: &Peer, unannounced: &Unannounced) {
        if let Unannounced::Refused(refusal) = unannounced {
            self.handler.refused(peer, refusal);
        }
    }

    /// Over the limit nobody waits for a request: the connection is closed, and that is recorded. Where no handshake
    /// stands before it, the client is told, if it takes that at once.
    fn turn_away(&self, stream: &Stream, peer: &Peer, entrance: &Entrance, crowded: Crowded) {
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
                socket.accept().await.map(|(tcp, address)| (Stream::Plain(tcp), Peer::new(address, None)))
            }
            Acceptor::Unix(socket) => socket.accept().await.map(|(unix, _)| (Stream::Unix(unix), Peer::unix())),
        }
    }
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
