//! A server as one core sees it: its connections that wait for work.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::Outbox;
use crate::net::proxy_protocol::Addresses;
use crate::time;

use super::cluster::{Cluster, Member};
use super::connection::Connection;
use super::error::UpstreamError;
use super::h2::Sessions;

/// Idle connections that are kept for one server on one core.
const MAX_IDLE: usize = 512;

/// One server of an upstream.
pub struct Server {
    /// `address:port`, for the record.
    pub address: Rc<str>,
    /// For `Host`, where the client named none.
    pub host: Rc<str>,
    pub(super) member: Arc<Member>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) outbox: Rc<Outbox>,
    /// The one used last is taken first: it is the warmest, and the others age until they are closed.
    idle: RefCell<Vec<Idle>>,
    /// Connections that carry many requests.
    pub(super) sessions: Sessions,
    /// How many of them are counted for all to see.
    counted: Cell<usize>,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Server {
    pub(super) fn new(member: &Arc<Member>, cluster: &Arc<Cluster>, outbox: &Rc<Outbox>) -> Rc<Server> {
        Rc::new(Server {
            address: (*member.address).into(),
            host: (*member.host).into(),
            member: Arc::clone(member),
            cluster: Arc::clone(cluster),
            outbox: Rc::clone(outbox),
            idle: RefCell::default(),
            sessions: Sessions::default(),
            counted: Cell::default(),
        })
    }

    /// Whether it is spoken to in HTTP/2: over a [`super::h2::Session`], and not over a [`Connection`].
    pub fn is_http2(&self) -> bool {
        self.member.is_http2
    }

    /// A connection that waits for work and is still good, as far as can be told.
    pub fn reuse(&self) -> Option<Box<Connection>> {
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

    /// A new connection, on behalf of a client where the server is told; `securing` is called between TCP and TLS.
    pub async fn connect(
        self: &Rc<Self>,
        limit: Option<Duration>,
        client: Option<Addresses>,
        securing: impl FnOnce(),
    ) -> Result<Box<Connection>, UpstreamError> {
        self.member.status.dialling();
        let stream = self.member.target.connect(limit, client, securing).await?;
        Ok(Connection::new(stream, self))
    }

    /// It has begun to answer a request.
    pub fn succeeded(&self) {
        self.member.status.succeeded();
    }

    /// A request to it has failed for this reason. Where too many do in a row, the supervisor is told.
    pub fn failed(&self, error: &UpstreamError) {
        let row = self.member.status.failed(error.describe());
        let settings = &self.cluster.settings;
        let enough = settings.ejection.as_ref().is_some_and(|ejection| row >= ejection.failures);
        // A name may have moved: the supervisor then asks for it again.
        let moved = error.is_before_sending() && settings.servers[self.member.origin].place.name().is_some();
        if enough || moved {
            self.cluster.trouble.notify_one();
        }
    }

    /// Takes back a connection on which nothing goes on; one that was opened in a client's name is closed.
    pub(super) fn keep(&self, mut connection: Box<Connection>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE && !self.member.target.is_personal() {
            let since = connection.idle_since.take().unwrap_or_else(time::monotonic);
            idle.push(Idle { connection, since });
        }
    }

    /// Closes connections that have waited for `limit`, or that the server has closed, and lets everybody know how many
    /// are left.
    pub(super) fn sweep(&self, limit: Option<Duration>, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| {
            let age = now.saturating_duration_since(idle.since);
            limit.is_none_or(|limit| age < limit) && !idle.connection.is_stale()
        });
        self.count(idle.len());
        self.sessions.sweep(limit, now);
    }

    fn count(&self, idle: usize) {
        self.member.status.count_idle(self.counted.replace(idle), idle);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.count(0);
    }
}
