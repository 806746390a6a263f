//! A request's place at a server: counted while it lasts, and given to whoever waits longest when it ends.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::cluster::Cluster;
use super::pool::Server;
use super::view::{NoServer, Upstream};

/// One request in flight at a server. Dropped when the request is over there.
pub struct Lease {
    server: Rc<Server>,
}

impl Lease {
    pub(super) fn begin(server: &Rc<Server>) -> Lease {
        server.member.status.begin();
        Lease { server: Rc::clone(server) }
    }

    /// A place within the server's limit.
    pub(super) fn try_begin(server: &Rc<Server>) -> Option<Lease> {
        server.member.try_begin().then(|| Lease { server: Rc::clone(server) })
    }

    /// The same request at the same server once more. Who has taken its place in the meantime may be one too many for a
    /// moment.
    pub fn renew(server: &Rc<Server>) -> Lease {
        Lease::begin(server)
    }

    /// The server.
    pub fn server(&self) -> &Rc<Server> {
        &self.server
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let member = &self.server.member;
        member.status.end();
        if member.max_requests.is_some() && self.server.cluster.status.waiting() > 0 {
            self.server.cluster.freed.notify_one();
        }
    }
}

impl Upstream {
    /// Waits until a server is free, in the order of arrival and no longer than `queue.timeout`.
    ///
    /// # Errors
    ///
    /// [`NoServer::QueueFull`] at once, [`NoServer::QueueTimeout`] in the end, or that all servers went down.
    pub async fn wait(&self, key: Option<u64>, tried: &[Rc<Server>]) -> Result<Lease, NoServer> {
        let place = Place::take(&self.cluster).ok_or_else(|| self.overflow(NoServer::QueueFull))?;
        let limit = self.settings.queue.timeout;
        match tokio::time::timeout(limit, self.wait_without_limit(place, key, tried)).await {
            Ok(result) => result,
            Err(_) => Err(self.overflow(NoServer::QueueTimeout)),
        }
    }

    async fn wait_without_limit(
        &self,
        place: Place,
        key: Option<u64>,
        tried: &[Rc<Server>],
    ) -> Result<Lease, NoServer> {
        // What was freed before anybody waited told nobody.
        let mut may_try = place.is_first;
        loop {
            let mut freed = pin!(self.cluster.freed.notified());
            freed.as_mut().enable();
            if may_try {
                self.refresh();
                match self.pick(key, tried) {
                    Err(NoServer::Busy) => {}
                    result => return result,
                }
            }
            freed.await;
            may_try = true;
        }
    }

    fn overflow(&self, why: NoServer) -> NoServer {
        self.cluster.status.overflowed();
        why
    }
}

/// A place in the queue of an upstream.
struct Place {
    cluster: Arc<Cluster>,
    is_first: bool,
}

impl Place {
    fn take(cluster: &Arc<Cluster>) -> Option<Place> {
        let most = cluster.settings.queue.requests;
        let room = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let before = cluster.status.waiting.fetch_update(SeqCst, SeqCst, room).ok()?;
        Some(Place { cluster: Arc::clone(cluster), is_first: before == 0 })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cluster.status.waiting.fetch_sub(1, SeqCst);
    }
}
