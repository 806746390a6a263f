//! Listening sockets, and the loop that takes connections from one and outlives every error.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::net::{Outbox, Peer, Stream, TlsSession};

use super::connection::{self, Shared};
use super::crowd::{Crowd, Crowded};
use super::drain::{Drain, Stage};
use super::gate::Refusal;
use super::handler::{Handler, Offence};
use super::settings::Limits;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Pauses after the machine has run out of descriptors or memory: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A bound address of a core, and how it is spoken to.
pub struct Listener {
    /// Bound and listening.
    pub socket: std::net::TcpListener,
    /// TLS, if it speaks it.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Binds an address so that every core can have a socket of its own on it.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
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
    shared: Rc<Shared<H>>,
    crowd: Arc<Crowd>,
}

impl<H: Handler> Serving<H> {
    /// Serves with this handler, within these limits, until the drain.
    pub fn new(handler: Rc<H>, limits: Limits, drain: Rc<Drain>, outbox: Rc<Outbox>, crowd: Arc<Crowd>) -> Serving<H> {
        Serving { shared: Rc::new(Shared { handler, limits, drain, outbox }), crowd }
    }

    /// Takes connections from all listeners until the drain, then waits for those that are open. Dropped, it drops them.
    pub async fn run(self, listeners: Vec<Listener>) -> io::Result<()> {
        let this = Rc::new(self);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let socket = TcpListener::from_std(listener.socket)?;
            tasks.spawn_local(Rc::clone(&this).accept_all(socket, listener.tls.map(TlsAcceptor::from)));
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept_all(self: Rc<Self>, socket: TcpListener, tls: Option<TlsAcceptor>) {
        let mut connections = JoinSet::new();
        let pause = Cell::new(FIRST_PAUSE);
        loop {
            tokio::select! {
                biased;
                () = self.shared.drain.reached(Stage::Draining) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = socket.accept() => match accepted {
                    Ok((tcp, address)) => {
                        pause.set(FIRST_PAUSE);
                        connections.spawn_local(Rc::clone(&self).serve(tcp, address, tls.clone()));
                    }
                    Err(error) => back_off(&error, &pause).await,
                },
            }
        }
        drop(socket);
        while connections.join_next().await.is_some() {}
    }

    async fn serve(self: Rc<Self>, tcp: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>) {
        let _place = match self.crowd.enter(address.ip(), &self.shared.limits) {
            Ok(place) => place,
            Err(crowded) => return self.turn_away(&tcp, address, crowded, tls.is_some()),
        };
        let Some(tls) = tls else {
            return connection::serve(Rc::clone(&self.shared), Stream::Plain(tcp), Peer::new(address, None)).await;
        };
        match handshake(&tls, tcp, self.shared.limits.header_timeout).await {
            Ok((stream, session)) => {
                connection::serve(Rc::clone(&self.shared), stream, Peer::new(address, Some(session))).await;
            }
            Err(refusal) => {
                self.shared.handler.refused(&Peer::new(address, None), &refusal);
            }
        }
    }

    /// Over the limit nobody waits for a request: the connection is closed, and that is recorded. Where no handshake
    /// stands before it, the client is told, if it takes that at once.
    fn turn_away(&self, tcp: &TcpStream, address: SocketAddr, crowded: Crowded, tls: bool) {
        let (offence, detail) = match crowded {
            Crowded::All => (Offence::Connections, "more connections than limits.connections"),
            Crowded::Client => {
                (Offence::ConnectionsPerIp, "more connections of a client than limits.connections_per_ip")
            }
        };
        let answer = self.shared.handler.offended(&Peer::new(address, None), offence, detail);
        if !tls {
            let socket = socket2::SockRef::from(tcp);
            // What was sent already is read, for otherwise the kernel resets the connection and the answer is lost.
            let mut unread = [std::mem::MaybeUninit::uninit(); 4096];
            let _ = socket.send(&answer);
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = socket.recv(&mut unread);
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

async fn handshake(
    tls: &TlsAcceptor,
    tcp: TcpStream,
    limit: Option<Duration>,
) -> Result<(Stream, TlsSession), Refusal> {
    let refusal = |reason: &'static str, detail: String| Refusal { status: None, reason, detail, excerpt: Vec::new() };
    let accepted = match limit {
        Some(limit) => tokio::time::timeout(limit, tls.accept(tcp)).await,
        None => Ok(tls.accept(tcp).await),
    };
    let stream = match accepted {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(refusal("tls_handshake", error.to_string())),
        Err(_) => return Err(refusal("tls_handshake_timeout", "the handshake took too long".to_owned())),
    };
    let session = session(&stream);
    Ok((Stream::Tls(Box::new(stream.into())), session))
}

fn session(stream: &tokio_rustls::server::TlsStream<TcpStream>) -> TlsSession {
    let connection = stream.get_ref().1;
    TlsSession {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        },
        cipher: connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
        sni: connection.server_name().map(Into::into),
        alpn: connection.alpn_protocol().and_then(|alpn| std::str::from_utf8(alpn).ok()).map(Into::into),
    }
}
