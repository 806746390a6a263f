//! One request sent on to its upstream, and its answer made the client's.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};

use crate::exchange::{Exception, Exchange, Sign, Suspicion};
use crate::listen::Client;
use crate::time::Deadlines;
use crate::upstream::h2::{self, Seat};
use crate::upstream::{
    Answering, BodyCoding, Connection, Outgoing, ResponseBody, ResponseHead, SendError, Upstream, UpstreamError, Watch,
    exchange,
};

use super::admit::{Admitted, admit, measure, passes};
use super::attempt::{AttemptBody, SharedBody};
use super::body::Body;
use super::failure::{BodyError, Failure, Refused};
use super::headers::{self, Way};
use super::respond::NAME;
use super::{Proxy, host_of, leftover, response, secure, traversal};

/// Passes through proxies of this name before a request counts as caught in a loop: several in a row are ordinary.
const MAX_PASSES: usize = 8;
/// Most that is read at once of an answer. Over HTTP/2 it is less: as many as a connection has streams may wait for a
/// client that reads none of them.
const PIECE: usize = 256 * 1024;
const PIECE_OF_STREAM: usize = 32 * 1024;
/// Longest exception type and message that an application's headers are taken at.
const MAX_EXCEPTION: usize = 1024;

impl Proxy {
    pub(super) async fn forward(
        &self,
        exchange: &Exchange,
        client: &Client,
        head: &mut Parts,
        body: Option<&SharedBody>,
    ) -> Result<Response<Body>, Failure> {
        if let Some(detail) = traversal::suspicion(head.uri.path().as_bytes()) {
            exchange.suspect(&Suspicion { sign: Sign::PathTraversal, detail, excerpt: head.uri.path().as_bytes() });
        }
        if let Some(rates) = &self.rates {
            let client = self.exchanges.client_ip(client.peer.ip, &head.headers);
            let admitted = rates.admit(client, &head.headers, exchange.started());
            admitted.map_err(|wait| Failure::Refused(Refused::TooOften(wait)))?;
        }
        measure(head, &self.limits).map_err(Failure::Refused)?;
        let mentions = exchange.mentions();
        let admitted = admit(head, mentions, body.is_some(), self.limits.body_bytes).map_err(Failure::Refused)?;
        if mentions.via && passes(&head.headers, NAME) > MAX_PASSES {
            return Err(Failure::Refused(Refused::Loop));
        }
        if let Some(redirect) = client.wire.entrance().redirect {
            return self.redirect(exchange, client, head, &admitted, redirect);
        }
        if admitted.answer_options {
            return Ok(self.answer_options(exchange, client));
        }
        let named = exchange.route().and_then(|route| route.overrides.upstream.as_deref());
        let upstream = self.upstreams.select(named, || host_of(head), head.uri.path()).ok_or(Failure::NoUpstream)?;
        exchange.chosen(&upstream.name);
        // What comes behind an extended CONNECT is the tunnel's.
        let body = body.filter(|_| admitted.coding != BodyCoding::None);
        let trip = Trip { proxy: self, exchange, client, upstream, admitted: &admitted, answered: Cell::new(false) };
        let (answer, content) = trip.run(head, body).await?;
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            return trip.switch(answer, content, head);
        }
        // A client would take it for a tunnel.
        if head.method == Method::CONNECT && answer.status.is_success() {
            return Err(Failure::Upstream(UpstreamError::Upgrade("an extended CONNECT is answered without 101")));
        }
        let is_last = !answer.keep_alive;
        let mut response = trip.deliver(answer, content, head);
        if let (true, Some(body)) = (is_last, body) {
            leftover::give_up(body, head, &mut response);
        }
        Ok(response)
    }
}

/// A request on its way to one upstream.
pub(super) struct Trip<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) exchange: &'a Exchange,
    pub(super) client: &'a Client,
    pub(super) upstream: &'a Upstream,
    pub(super) admitted: &'a Admitted,
    /// A server has begun to answer.
    pub(super) answered: Cell<bool>,
}

impl Trip<'_> {
    pub(super) fn send<'s>(
        &'s self,
        mut connection: Box<Connection>,
        server: &str,
        head: &'s mut Parts,
        body: AttemptBody,
    ) -> Answering<'s, AttemptBody, Observer<'s>> {
        let buffer = connection.head_buffer();
        let watch = Observer { trip: self, version: head.version };
        let outgoing = self.outgoing(buffer, server, head, body);
        exchange(connection, outgoing, &self.upstream.settings.timeouts, watch)
    }

    pub(super) async fn send_http2(
        &self,
        seat: Seat,
        server: &str,
        head: &mut Parts,
        body: AttemptBody,
    ) -> Result<(ResponseHead, ResponseBody), SendError<BodyError>> {
        let watch = Observer { trip: self, version: head.version };
        let outgoing = self.outgoing(Vec::new(), server, head, body);
        h2::exchange(seat, outgoing, &self.upstream.settings.timeouts, watch).await
    }

    /// A request as it goes to a server, its head written into `buffer`.
    fn outgoing<'s>(
        &self,
        mut buffer: Vec<u8>,
        server: &str,
        head: &'s mut Parts,
        body: AttemptBody,
    ) -> Outgoing<'s, AttemptBody> {
        headers::write_request(&mut buffer, head, self.admitted, &self.way(server));
        let now = self.exchange.sending();
        Outgoing {
            now,
            head: buffer,
            body,
            coding: self.admitted.coding,
            expects_continue: self.admitted.expects_continue,
            offers_upgrade: self.admitted.upgrade.is_some(),
            method: head.method.clone(),
            fields: &mut head.headers,
            most_at_once: if head.version == Version::HTTP_2 { PIECE_OF_STREAM } else { PIECE },
        }
    }

    pub(super) fn way<'a>(&'a self, server: &'a str) -> Way<'a> {
        Way { exchanges: &self.proxy.exchanges, exchange: self.exchange, peer: &self.client.peer, server }
    }

    /// The answer's fields are in the head of what was the request.
    fn deliver(&self, answer: ResponseHead, body: ResponseBody, head: &mut Parts) -> Response<Body> {
        let mut headers = std::mem::take(&mut head.headers);
        self.note_response(answer.status, answer.version, &mut headers);
        secure::promise(&mut headers, self.client);
        response(
            answer.status,
            headers,
            Body::upstream(body, self.exchange.clone(), &self.client.wire, Rc::clone(&self.proxy.private)),
        )
    }

    /// Takes off an interim response what is not for the client in a final one either.
    fn strip_private(&self, headers: &mut HeaderMap) {
        for name in self.proxy.private.iter() {
            headers.remove(name);
        }
    }

    /// What the application says of its own exception is for the record, not for the client.
    pub(super) fn take_exception(&self, headers: &mut HeaderMap) {
        let names = &self.upstream.settings.exception_headers;
        // Looking through the few there are costs less than two lookups for what is hardly ever there.
        if !headers.keys().any(|name| *name == names.kind || *name == names.message) {
            return;
        }
        let (kind, message) = (headers.remove(&names.kind), headers.remove(&names.message));
        let text = |value: Option<http::HeaderValue>| {
            value.map_or_else(Vec::new, |value| value.as_bytes()[..value.len().min(MAX_EXCEPTION)].to_vec())
        };
        let exception = Exception { kind: text(kind), message: text(message) };
        if !exception.kind.is_empty() || !exception.message.is_empty() {
            self.exchange.reported(exception);
        }
    }
}

/// Tells the ledger how the exchange with the server goes on, and the client what comes before the answer.
pub(super) struct Observer<'a> {
    trip: &'a Trip<'a>,
    version: Version,
}

impl Watch for Observer<'_> {
    fn sent(&self, at: Option<Instant>) -> Instant {
        self.trip.exchange.sent(at)
    }

    fn first_byte(&self) -> Instant {
        self.trip.answered.set(true);
        self.trip.exchange.first_byte()
    }

    fn deadlines(&self) -> &Deadlines {
        &self.trip.client.wire.deadlines
    }

    /// HTTP/1.0 knows no interim responses (RFC 9110 §15.2), and hyper's HTTP/2 cannot send them.
    fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        if self.version == Version::HTTP_11 {
            let mut headers = headers.clone();
            self.trip.strip_private(&mut headers);
            self.trip.client.wire.send_interim(&headers::interim(status, &headers));
        }
    }
}
