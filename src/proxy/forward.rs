//! One request sent on to its upstream, once more where that is safe, and its answer made the client's.

use std::rc::Rc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::body::Incoming;

use http_body::Body as _;

use crate::exchange::{Exception, Exchange, Sign, Suspicion};
use crate::listen::{Client, Limits};
use crate::upstream::{
    Answering, BodyCoding, Connection, Outgoing, ResponseBody, ResponseHead, SendError, Upstream, Watch, exchange,
};

use super::admit::{Admitted, admit, measure, passes};
use super::body::{Body, RequestBody};
use super::failure::{BodyError, Failure, Refused};
use super::headers::{self, Way};
use super::respond::NAME;
use super::{Proxy, host_of, response, traversal};

/// Passes through proxies of this name before a request counts as caught in a loop: several in a row are ordinary.
const MAX_PASSES: usize = 8;
/// Longest exception type and message that an application's headers are taken at.
const MAX_EXCEPTION: usize = 1024;

impl Proxy {
    pub(super) async fn forward(
        &self,
        exchange: &Exchange,
        client: &Client,
        head: &mut Parts,
        body: Incoming,
    ) -> Result<Response<Body>, Failure> {
        if let Some(detail) = traversal::suspicion(head.uri.path().as_bytes()) {
            exchange.suspect(&Suspicion { sign: Sign::PathTraversal, detail, excerpt: head.uri.path().as_bytes() });
        }
        measure(head, &self.limits).map_err(Failure::Refused)?;
        let mentions = exchange.mentions();
        let admitted =
            admit(head, mentions, !body.is_end_stream(), self.limits.body_bytes).map_err(Failure::Refused)?;
        if mentions.via && passes(&head.headers, NAME) > MAX_PASSES {
            return Err(Failure::Refused(Refused::Loop));
        }
        if admitted.answer_options {
            return Ok(self.answer_options(exchange, client));
        }
        let named = exchange.route().and_then(|route| route.overrides.upstream.as_deref());
        let upstream = self.upstreams.select(named, || host_of(head), head.uri.path()).ok_or(Failure::NoUpstream)?;
        exchange.chosen(&upstream.name);
        // Boxed, as few requests have one, and each has room for it twice.
        let body = (admitted.coding != BodyCoding::None).then(|| {
            let Limits { body_bytes, body_idle_timeout, .. } = self.limits;
            Box::new(RequestBody::new(body, exchange, Rc::clone(&client.wire), body_bytes, body_idle_timeout))
        });
        let trip = Trip { proxy: self, exchange, client, upstream, admitted: &admitted };
        let (answer, body) = trip.run(head, body).await?;
        Ok(trip.deliver(answer, body))
    }
}

/// A request on its way to one upstream.
struct Trip<'a> {
    proxy: &'a Proxy,
    exchange: &'a Exchange,
    client: &'a Client,
    upstream: &'a Upstream,
    admitted: &'a Admitted,
}

impl Trip<'_> {
    /// Sends it, over a kept connection if there is one. Where that turns out to have been closed meanwhile, and sending
    /// the request again can do no harm, it is sent once more over a new one.
    async fn run(
        &self,
        head: &mut Parts,
        mut body: Option<Box<RequestBody>>,
    ) -> Result<(ResponseHead, ResponseBody), Failure> {
        let server = self.upstream.choose().ok_or(Failure::NoUpstream)?;
        if let Some(connection) = server.reuse() {
            self.exchange.attempt(&server.address, true);
            let again = self.admitted.coding == BodyCoding::None && is_idempotent(&head.method);
            let sent = AttemptBody(if again { None } else { body.take() });
            match self.send(connection, head, sent).await {
                Err(SendError::Upstream(error)) if again && error.is_stale() => {}
                result => return result.map_err(Failure::from),
            }
        }
        self.exchange.attempt(&server.address, false);
        let timeouts = &self.upstream.settings.timeouts;
        // Rare beside a reused connection, and large: boxed, so that every request's future need not hold it.
        let connected = Box::pin(server.connect(timeouts.connect, || self.exchange.securing())).await;
        let connection = connected.map_err(Failure::Upstream)?;
        self.send(connection, head, AttemptBody(body)).await.map_err(Failure::from)
    }

    fn send<'s>(
        &'s self,
        mut connection: Connection,
        head: &'s mut Parts,
        body: AttemptBody,
    ) -> Answering<'s, AttemptBody, Observer<'s>> {
        let mut buffer = connection.head_buffer();
        let address = connection.address();
        headers::write_request(&mut buffer, head, self.admitted, &self.way(&address));
        let now = self.exchange.sending();
        let outgoing = Outgoing {
            now,
            head: buffer,
            body,
            coding: self.admitted.coding,
            expects_continue: self.admitted.expects_continue,
            method: head.method.clone(),
            fields: &mut head.headers,
        };
        let watch = Observer { trip: self, version: head.version };
        exchange(connection, outgoing, &self.upstream.settings.timeouts, watch)
    }

    fn way<'a>(&'a self, server: &'a str) -> Way<'a> {
        Way { exchanges: &self.proxy.exchanges, exchange: self.exchange, peer: &self.client.peer, server }
    }

    fn deliver(&self, answer: ResponseHead, body: ResponseBody) -> Response<Body> {
        let ResponseHead { status, mut headers, .. } = answer;
        self.exchange.responded(status, &headers);
        self.take_exception(&mut headers);
        headers::pass_response(&mut headers, &self.way(""));
        response(
            status,
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
    fn take_exception(&self, headers: &mut HeaderMap) {
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

impl From<SendError<BodyError>> for Failure {
    fn from(error: SendError<BodyError>) -> Failure {
        match error {
            SendError::Upstream(error) => Failure::Upstream(error),
            SendError::Body(error) => Failure::Body(error),
        }
    }
}

/// RFC 9110 §9.2.2: sending it twice means the same as sending it once.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE].contains(method)
}

/// The body of one attempt: there may be another one only where there is none.
struct AttemptBody(Option<Box<RequestBody>>);

impl http_body::Body for AttemptBody {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        match &mut self.0 {
            Some(body) => std::pin::Pin::new(body).poll_frame(cx),
            None => std::task::Poll::Ready(None),
        }
    }
}

/// Tells the ledger how the exchange with the server goes on, and the client what comes before the answer.
struct Observer<'a> {
    trip: &'a Trip<'a>,
    version: Version,
}

impl Watch for Observer<'_> {
    fn sent(&self, at: Option<Instant>) -> Instant {
        self.trip.exchange.sent(at)
    }

    fn first_byte(&self) -> Instant {
        self.trip.exchange.first_byte()
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
