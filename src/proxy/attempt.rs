//! A request at its servers, one after another: a kept connection or a new one, and another server where the first failed
//! and sending the request again can do no harm.
//!
//! Any request may be sent again that no server has seen a byte of: no connection was made. One that was sent may be only
//! where its method means the same done twice (RFC 9110 §9.2.2), no byte of an answer has come, and nothing of its body is
//! gone, because bodies are not kept.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderMap, Method};

use crate::net::proxy_protocol::Addresses;
use crate::record::Phase;
use crate::upstream::balance::hash;
use crate::upstream::h2::Session;
use crate::upstream::{Balance, Lease, NoServer, ResponseBody, ResponseHead, SendError, Server, Tried, UpstreamError};

use super::body::RequestBody;
use super::failure::{BodyError, Failure};
use super::forward::Trip;

/// Connections of HTTP/2 that one attempt tries at a server which gives them up or refuses more on them, unprocessed: others
/// may have filled the new one, too.
const MOST_SESSIONS: usize = 4;

/// A body that attempts share.
pub(super) type SharedBody = Rc<RefCell<RequestBody>>;

/// What a server made of a request.
type Answer = Result<(ResponseHead, ResponseBody), SendError<BodyError>>;

impl Trip<'_> {
    /// Sends it until a server answers, or until it may not be sent again.
    pub(super) async fn run(
        &self,
        head: &mut Parts,
        body: Option<&SharedBody>,
    ) -> Result<(ResponseHead, ResponseBody), Failure> {
        let lease = match self.upstream.choose(|balance| self.key(balance, &head.headers)) {
            Ok(lease) => lease,
            Err(NoServer::Busy) => Box::pin(self.wait(self.own_key(&head.headers), &[])).await?,
            Err(nobody) => return Err(nobody.into()),
        };
        let server = Rc::clone(lease.server());
        match self.visit(lease, head, body).await {
            Err(SendError::Upstream(error)) => {
                // Rare, and as large as a first attempt: boxed, so that every request's future need not hold it.
                Box::pin(self.go_on(server, error, head, body)).await
            }
            result => result.map_err(Failure::from),
        }
    }

    /// One server, over a kept connection if there is one. Where that turns out to have been closed meanwhile, and sending
    /// the request again can do no harm, it is sent once more over a new one.
    async fn visit(&self, mut lease: Lease, head: &mut Parts, body: Option<&SharedBody>) -> Answer {
        let server = Rc::clone(lease.server());
        if server.is_http2() {
            return Box::pin(self.visit_http2(lease, head, body)).await;
        }
        if let Some(mut connection) = server.reuse() {
            connection.occupy(lease);
            self.exchange.attempt(&server.address, true);
            let attempt = AttemptBody(body.cloned());
            match self.send(connection, &server.host, head, attempt).await {
                Err(SendError::Upstream(error)) if error.is_stale() && self.is_repeatable(&head.method, body) => {}
                result => {
                    self.report(&server, &result, true);
                    return result;
                }
            }
            lease = Lease::renew(&server);
        }
        self.exchange.attempt(&server.address, false);
        let timeouts = &self.upstream.settings.timeouts;
        // Rare beside a reused connection, and large: boxed, so that every request's future need not hold it.
        let connected = Box::pin(server.connect(timeouts.connect, self.announced(), || self.exchange.securing())).await;
        let result = match connected {
            Ok(mut connection) => {
                connection.occupy(lease);
                self.send(connection, &server.host, head, AttemptBody(body.cloned())).await
            }
            Err(error) => Err(SendError::Upstream(error)),
        };
        self.report(&server, &result, false);
        result
    }

    /// On whose behalf a connection is opened, for servers that are told.
    fn announced(&self) -> Option<Addresses> {
        self.upstream.settings.proxy_protocol.and_then(|_| self.client.wire.addresses(&self.client.peer))
    }

    /// The same where a connection carries many requests. One that the server has given up, or on which it refuses more, says
    /// nothing about the next.
    async fn visit_http2(&self, mut lease: Lease, head: &mut Parts, body: Option<&SharedBody>) -> Answer {
        let server = Rc::clone(lease.server());
        let mut left = MOST_SESSIONS;
        loop {
            left -= 1;
            let (session, reused) = self.session(&server).await;
            let session = match session {
                Ok(session) => session,
                Err(error) => {
                    let result = Err(SendError::Upstream(error));
                    self.report(&server, &result, reused);
                    return result;
                }
            };
            match self.send_http2(session.seat(lease), &server.host, head, AttemptBody(body.cloned())).await {
                Err(SendError::Upstream(error)) if left > 0 && self.may_go_on(&error, &head.method, body) => {}
                result => {
                    self.report(&server, &result, reused);
                    return result;
                }
            }
            session.retire();
            lease = Lease::renew(&server);
        }
    }

    /// A connection that is there, which is told beside it, or a new one.
    async fn session(&self, server: &Rc<Server>) -> (Result<Rc<Session>, UpstreamError>, bool) {
        let session = server.session();
        self.exchange.attempt(&server.address, session.is_some());
        let limit = self.upstream.settings.timeouts.connect;
        match session {
            Some(session) => (Ok(session), true),
            None => (server.open_session(limit, || self.exchange.securing()).await, false),
        }
    }

    /// Whether a request that failed on one connection may be sent once more on another.
    fn may_go_on(&self, error: &UpstreamError, method: &Method, body: Option<&SharedBody>) -> bool {
        error.is_stale() && self.is_repeatable(method, body) || error.is_before_sending() && is_whole(body)
    }

    /// Tells the server's account how it went. A kept connection that was closed says nothing about its server.
    fn report(&self, server: &Server, result: &Answer, reused: bool) {
        match result {
            Ok(_) => server.succeeded(),
            // What a server does not offer says nothing of how it is.
            Err(SendError::Upstream(UpstreamError::Upgrade(_))) => {}
            Err(SendError::Upstream(error)) if !(reused && error.is_stale()) => server.failed(error),
            Err(_) => {}
        }
    }

    /// The server failed: on to others, while that is allowed.
    async fn go_on(
        &self,
        server: Rc<Server>,
        error: UpstreamError,
        head: &mut Parts,
        body: Option<&SharedBody>,
    ) -> Result<(ResponseHead, ResponseBody), Failure> {
        let mut tried = Tried::new();
        let (mut server, mut error) = (server, error);
        loop {
            tried.push(server);
            let more = (tried.len() as u32) < self.upstream.retries().attempts;
            if !more || !self.may_repeat(&error, &head.method, body) {
                return Err(Failure::Upstream(error));
            }
            let Some(lease) = self.next(&head.headers, &tried).await else { return Err(Failure::Upstream(error)) };
            server = Rc::clone(lease.server());
            match self.visit(lease, head, body).await {
                Err(SendError::Upstream(next)) => error = next,
                result => return result.map_err(Failure::from),
            }
        }
    }

    /// Another server, or the same where there is no other and the user wants that; if the budget has a retry left.
    async fn next(&self, headers: &HeaderMap, tried: &[Rc<Server>]) -> Option<Lease> {
        let key = self.own_key(headers);
        let lease = match self.upstream.choose_another(key, tried) {
            Err(NoServer::Down) if self.upstream.retries_the_same() => self.upstream.choose_another(key, &[]),
            chosen => chosen,
        };
        if matches!(&lease, Ok(_) | Err(NoServer::Busy)) && !self.upstream.take_retry() {
            return None;
        }
        match lease {
            Err(NoServer::Busy) => self.wait(key, tried).await.ok(),
            chosen => chosen.ok(),
        }
    }

    async fn wait(&self, key: Option<u64>, tried: &[Rc<Server>]) -> Result<Lease, Failure> {
        self.exchange.enter(Phase::Queue);
        Ok(self.upstream.wait(key, tried).await?)
    }

    /// Whether a request that has been at a server may be sent again.
    fn may_repeat(&self, error: &UpstreamError, method: &Method, body: Option<&SharedBody>) -> bool {
        let retries = self.upstream.retries();
        match error {
            UpstreamError::Dns { .. } => false,
            error if error.is_before_sending() => retries.on_connect && is_whole(body),
            error if error.is_stale() => retries.on_reset && self.is_repeatable(method, body),
            UpstreamError::ResponseTimeout => {
                retries.on_timeout && !self.answered.get() && self.is_repeatable(method, body)
            }
            _ => false,
        }
    }

    fn is_repeatable(&self, method: &Method, body: Option<&SharedBody>) -> bool {
        is_idempotent(method) && is_whole(body)
    }

    /// What the upstream's balancer goes by, if by anything.
    fn own_key(&self, headers: &HeaderMap) -> Option<u64> {
        self.key(&self.upstream.settings.balance, headers)
    }

    fn key(&self, balance: &Balance, headers: &HeaderMap) -> Option<u64> {
        match balance {
            Balance::RoundRobin | Balance::LeastRequests => None,
            Balance::HeaderHash(name) => headers.get(name).map(|value| hash(value.as_bytes())),
            Balance::IpHash => {
                let ip = self.proxy.exchanges.client_ip(self.client.peer.ip, headers)?.to_canonical();
                Some(hash(ip.to_string().as_bytes()))
            }
        }
    }
}

/// RFC 9110 §9.2.2: sending it twice means the same as sending it once.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE].contains(method)
}

/// Nothing of it is gone.
fn is_whole(body: Option<&SharedBody>) -> bool {
    body.is_none_or(|body| !body.borrow().is_touched())
}

impl From<SendError<BodyError>> for Failure {
    fn from(error: SendError<BodyError>) -> Failure {
        match error {
            SendError::Upstream(error) => Failure::Upstream(error),
            SendError::Body(error) => Failure::Body(error),
        }
    }
}

impl From<NoServer> for Failure {
    fn from(nobody: NoServer) -> Failure {
        match nobody {
            NoServer::Unresolved { host, why } => {
                Failure::Upstream(UpstreamError::Dns { host, source: std::io::Error::other(why) })
            }
            NoServer::Down => Failure::ServersDown,
            NoServer::Busy | NoServer::QueueFull => Failure::QueueFull,
            NoServer::QueueTimeout => Failure::QueueTimeout,
        }
    }
}

/// The body of one attempt.
pub(super) struct AttemptBody(Option<SharedBody>);

impl http_body::Body for AttemptBody {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        match &self.0 {
            Some(body) => Pin::new(&mut *body.borrow_mut()).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }
}
