//! The whole way of a request: admitted, sent to an upstream, its answer delivered; or answered here.

pub mod admit;
mod attempt;
pub mod body;
pub mod failure;
mod forward;
pub mod grpc;
pub mod headers;
mod leftover;
mod panic;
pub mod rate;
pub mod respond;
mod secure;
pub mod select;
mod traversal;
mod tunnel;
pub mod upgrade;

pub use body::Body;
pub use failure::Failure;
pub use rate::Rates;
pub use select::Upstreams;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::exchange::{Exception, Exchange, Exchanges, RequestId, Sign, Suspicion};
use crate::listen::{Answering, Client, Handler, Limits, Offence, Refusal};
use crate::net::Peer;
use crate::record::Rejected;

use body::RequestBody;
use respond::Content;

/// Methods that are passed on, for `Allow`; CONNECT is not, and TRACE not beyond its last hop.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The proxy on one core.
pub struct Proxy {
    exchanges: Rc<Exchanges>,
    upstreams: Upstreams,
    limits: Limits,
    /// Where clients may ask only so often.
    rates: Option<Arc<Rates>>,
    /// What an application says to us alone, wherever in an answer it says it.
    private: Rc<[HeaderName]>,
}

impl Proxy {
    /// A proxy to these upstreams.
    pub fn new(exchanges: Rc<Exchanges>, upstreams: Upstreams, limits: Limits, rates: Option<Arc<Rates>>) -> Proxy {
        let private = exchanges.users().stripped().chain(upstreams.exception_headers()).cloned().collect();
        Proxy { exchanges, upstreams, limits, rates, private }
    }

    /// The core's exchanges, under the configuration of this proxy.
    pub fn exchanges(&self) -> &Rc<Exchanges> {
        &self.exchanges
    }

    /// Its upstreams.
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// An answer of our own, and how it came to that.
    fn answer(&self, exchange: &Exchange, client: &Client, head: &Parts, failure: &Failure) -> Response<Body> {
        let verdict = failure.verdict();
        let message = failure.message();
        if let Some(sign) = failure.sign() {
            exchange.suspect(&Suspicion { sign, detail: &message, excerpt: &[] });
        }
        let exception = Exception { kind: verdict.token.as_bytes().to_vec(), message: message.into_bytes() };
        if let Some(phase) = verdict.phase {
            exchange.enter(phase);
        }
        if failure.is_exception() {
            exchange.failed(verdict.outcome, Some(exception));
        } else {
            exchange.refused(verdict.outcome, exception);
        }
        let Some(status) = verdict.status else {
            // The client is gone: nobody reads it, and nothing was sent.
            let nothing = Body::own(bytes::Bytes::new(), exchange.clone(), &client.wire);
            return response(StatusCode::BAD_REQUEST, HeaderMap::new(), nothing);
        };
        client.answered();
        if grpc::is_call(head) {
            let (answer, code) = grpc::render(&verdict);
            exchange.grpc_status(code);
            return self.own(exchange, client, StatusCode::OK, answer);
        }
        let content = Content { status, token: Some(verdict.token), request_id: exchange.id().as_str() };
        let mut answer = respond::render(&content, head.headers.get(header::ACCEPT));
        if let Some(seconds) = failure.retry_after() {
            answer.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        self.own(exchange, client, status, answer)
    }

    fn own(&self, exchange: &Exchange, client: &Client, status: StatusCode, answer: respond::Answer) -> Response<Body> {
        let mut headers = answer.headers;
        headers.insert(self.exchanges.settings().request_id.header.clone(), exchange.id().to_header());
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
            // What comes behind a CONNECT may be meant for its far end: it is no request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        secure::promise(&mut headers, client);
        exchange.answered(status, &headers);
        response(status, headers, Body::own(answer.body, exchange.clone(), &client.wire))
    }

    /// `OPTIONS` with `Max-Forwards: 0` ends here (RFC 9110 §7.6.2).
    fn answer_options(&self, exchange: &Exchange, client: &Client) -> Response<Body> {
        exchange.concluded_here();
        let mut headers = HeaderMap::new();
        headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.own(exchange, client, StatusCode::OK, respond::Answer { headers, body: bytes::Bytes::new() })
    }
}

impl Handler for Proxy {
    type Body = Body;

    /// The exchange begins before the future is polled: hyper drops it unpolled when the client's FIN comes along with
    /// the head, and that request has its records too.
    fn call(self: Rc<Self>, client: Client, request: Request<Incoming>) -> Answering<Body> {
        let (head, body) = request.into_parts();
        let mut head = Box::new(head);
        let exchange = self.exchanges.begin(&client.peer, &head);
        // Shared by attempts, and not inside the future: few requests have one.
        let body = (!body.is_end_stream())
            .then(|| RequestBody::new(body, &exchange, Rc::clone(&client.wire), &self.limits).shared());
        Box::pin(async move {
            let forwarded = {
                let mut forwarding = pin!(self.forward(&exchange, &client, &mut head, body.as_ref()));
                poll_fn(|cx| panic::poll(forwarding.as_mut(), cx)).await
            };
            let mut answer = match forwarded.unwrap_or(Err(Failure::Panicked)) {
                Ok(response) => {
                    client.answered();
                    response
                }
                Err(failure) => self.answer(&exchange, &client, &head, &failure),
            };
            if let Some(body) = body {
                leftover::settle(body, &head, exchange.mentions().expect, &mut answer);
            }
            Ok(answer)
        })
    }

    fn refused(&self, peer: &Peer, refusal: &Refusal) -> Vec<u8> {
        let id = self.exchanges.mint();
        let (ip, shown) = self.exchanges.shown(peer);
        self.exchanges.reject(&Rejected {
            peer_address: Some(&shown),
            ip_address: ip.as_deref(),
            status_code: refusal.status,
            reason: refusal.reason,
            detail: &refusal.detail,
            excerpt: &refusal.excerpt,
            request_id: Some(id.as_str()),
            suppressed: 0,
        });
        match refusal.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => self.raw(status, "http_request_error", &id),
            None => Vec::new(),
        }
    }

    fn offended(&self, peer: &Peer, offence: Offence, detail: &str) -> Vec<u8> {
        let (sign, status) = match offence {
            Offence::Connections => (Sign::Connections, Some(StatusCode::SERVICE_UNAVAILABLE)),
            Offence::ConnectionsPerIp => (Sign::ConnectionsPerIp, Some(StatusCode::TOO_MANY_REQUESTS)),
            Offence::Resets => (Sign::Resets, None),
            Offence::Http2 => (Sign::Http2, None),
        };
        let id = self.exchanges.mint();
        self.exchanges.suspect(peer, sign, detail, status.map(|status| (status.as_u16(), id.as_str())));
        status.map_or_else(Vec::new, |status| self.raw(status, "connection_limit_reached", &id))
    }
}

impl Proxy {
    /// A whole answer to no request in particular, as HTTP/1.1 bytes.
    fn raw(&self, status: StatusCode, token: &'static str, id: &RequestId) -> Vec<u8> {
        let content = Content { status, token: Some(token), request_id: id.as_str() };
        let date = crate::time::http_date(crate::time::wall_now());
        respond::render_raw(&content, self.exchanges.settings().request_id.header.as_str(), &date)
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The host that a request names, for choosing an upstream.
fn host_of(head: &Parts) -> Option<&str> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| head.headers.get(header::HOST)?.to_str().ok())
}
