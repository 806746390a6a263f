//! An upstream as one core sees it: its servers, and their connections that wait for work.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use crate::net::Outbox;
use crate::time;

use super::connect::{NameError, Target};
use super::connection::Connection;
use super::error::UpstreamError;
use super::settings::{ServerSettings, Settings};

/// Idle connections that are kept for one server on one core.
const MAX_IDLE: usize = 512;

/// One upstream.
pub struct Upstream {
    /// What the user says.
    pub settings: Settings,
    /// Its name.
    pub name: Rc<str>,
    servers: Vec<Rc<Server>>,
    next: Cell<usize>,
}

/// One of its servers.
pub struct Server {
    /// `host:port`, for the record and for `Host` where the client named none.
    pub address: Rc<str>,
    target: Target,
    pub(super) outbox: Rc<Outbox>,
    /// The one used last is taken first: it is the warmest, and the others age until they are closed.
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Upstream {
    /// An upstream without connections; `tls` is for its `https` servers.
    /// Requests without a body go out through the core's `outbox`.
    pub fn new(
        settings: Settings,
        tls: Option<&Arc<ClientConfig>>,
        outbox: &Rc<Outbox>,
    ) -> Result<Upstream, NameError> {
        let server = |server: &ServerSettings| {
            let target = Target::new(server, tls, settings.tls.server_name.as_deref())?;
            let (address, outbox) = (address(server).into(), Rc::clone(outbox));
            Ok(Rc::new(Server { address, target, outbox, idle: RefCell::default() }))
        };
        let servers = settings.servers.iter().map(server).collect::<Result<_, NameError>>()?;
        Ok(Upstream { name: settings.name.as_str().into(), servers, next: Cell::default(), settings })
    }

    /// The server whose turn it is.
    pub fn choose(&self) -> Option<&Rc<Server>> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        self.servers.get(turn % self.servers.len().max(1))
    }

    /// All of its servers.
    pub fn servers(&self) -> &[Rc<Server>] {
        &self.servers
    }

    /// Closes connections that have waited too long, or that their server has closed.
    pub fn sweep(&self) {
        let now = time::monotonic();
        for server in &self.servers {
            server.idle.borrow_mut().retain(|idle| {
                let age = now.saturating_duration_since(idle.since);
                self.settings.timeouts.idle.is_none_or(|limit| age < limit) && !idle.connection.is_stale()
            });
        }
    }
}

impl Server {
    /// A connection that waits for work and is still good, as far as can be told.
    pub fn reuse(&self) -> Option<Connection> {
        loop {
            let idle = self.idle.borrow_mut().pop()?;
            if !idle.connection.is_stale() {
                return Some(idle.connection);
            }
        }
    }

    /// How many connections wait for work.
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// A new connection; `securing` is called between TCP and TLS.
    pub async fn connect(
        self: &Rc<Self>,
        limit: Option<std::time::Duration>,
        securing: impl FnOnce(),
    ) -> Result<Connection, UpstreamError> {
        let stream = self.target.connect(limit, securing).await?;
        Ok(Connection::new(stream, self))
    }

    /// Takes back a connection on which nothing goes on.
    pub(super) fn keep(&self, mut connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            let since = connection.idle_since.take().unwrap_or_else(time::monotonic);
            idle.push(Idle { connection, since });
        }
    }
}

fn address(server: &ServerSettings) -> String {
    match server.host.contains(':') {
        true => format!("[{}]:{}", server.host, server.port),
        false => format!("{}:{}", server.host, server.port),
    }
}
