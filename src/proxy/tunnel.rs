//! A request that has become a tunnel: its bytes are counted and its silence is timed, until one end closes it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::Exchange;
use crate::net::relay::{Ended, Line, Relay, Side};
use crate::record::Closer;
use crate::time::{self, Deadline};
use crate::upstream::{ResponseBody, ResponseHead, Timeouts, UpstreamError};

use super::body::Body;
use super::failure::Failure;
use super::forward::Trip;
use super::{headers, response};

impl Trip<'_> {
    /// The server has taken the client's offer of another protocol: the client is told, and then the tunnel runs, where the
    /// connection was or in place of the stream's bodies.
    pub(super) fn switch(
        &self,
        answer: ResponseHead,
        body: ResponseBody,
        head: &mut Parts,
    ) -> Result<Response<Body>, Failure> {
        let malformed = |why| Failure::Upstream(UpstreamError::Upgrade(why));
        let offer = self.admitted.upgrade.as_ref().ok_or(malformed("101 to a request without Upgrade"))?;
        offer.check(&head.headers).map_err(malformed)?;
        let server = body.into_tunnel().ok_or(malformed("101 with a body"))?;
        let timeouts = self.upstream.settings.timeouts.clone();
        let tunnel = Tunnel { exchange: self.exchange.clone(), server, timeouts };
        let connect = offer.key().and_then(|_| head.extensions.remove::<OnUpgrade>());
        let status = if connect.is_some() { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
        let mut fields = std::mem::take(&mut head.headers);
        let protocol = fields.get(header::UPGRADE).cloned();
        self.note_response(status, answer.version, &mut fields);
        match connect {
            Some(stream) => {
                fields.remove(header::SEC_WEBSOCKET_ACCEPT);
                let running = self.client.wire.run();
                tokio::task::spawn_local(async move {
                    // Where the answer never gets there, letting go of the exchange tells that.
                    if let Ok(stream) = stream.await {
                        tunnel.run(Stream(TokioIo::new(stream))).await;
                    }
                    drop(running);
                });
            }
            None => {
                name_protocol(&mut fields, protocol);
                self.client.wire.hand_over(Box::new(|client| Box::pin(tunnel.run(client))));
            }
        }
        Ok(response(status, fields, Body::own(Bytes::new(), self.exchange.clone(), &self.client.wire)))
    }

    /// What every answer's head goes through: it is noted, and what ends here is taken off.
    pub(super) fn note_response(&self, status: StatusCode, received: Version, fields: &mut HeaderMap) {
        self.exchange.responded(status, fields);
        self.take_exception(fields);
        headers::pass_response(fields, received, &self.way(""));
    }
}

/// What is between two hops only is said anew.
fn name_protocol(fields: &mut HeaderMap, protocol: Option<HeaderValue>) {
    fields.extend(protocol.map(|protocol| (header::UPGRADE, protocol)));
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
}

/// The server's end, and what the tunnel is to whom.
struct Tunnel<S> {
    exchange: Exchange,
    server: S,
    timeouts: Timeouts,
}

impl<S: Line> Tunnel<S> {
    /// Passes bytes until the tunnel is over.
    async fn run(self, client: impl Line) {
        let Tunnel { exchange, server, timeouts } = self;
        exchange.upgraded();
        let mut relay = Relay::new(client, server);
        let (mut deadline, mut was_half_closed) = (Deadline::default(), None);
        let ended = poll_fn(|cx| {
            let mut moved = false;
            let polled = relay.poll(cx, |side, bytes| {
                moved = true;
                count(&exchange, side, bytes);
            });
            if let Poll::Ready(ended) = polled {
                return Poll::Ready(Some(ended));
            }
            let is_half_closed = relay.is_half_closed();
            if was_half_closed.replace(is_half_closed) != Some(is_half_closed) || moved {
                deadline.set(time::monotonic(), limit(&timeouts, is_half_closed));
            }
            deadline.poll(cx).map(|()| None)
        });
        match ended.await {
            Some(Ended { by: Side::Near, orderly }) => exchange.closed(Closer::Client, orderly),
            Some(Ended { by: Side::Far, orderly }) => exchange.closed(Closer::Upstream, orderly),
            None => exchange.closed(Closer::Gatelog, false),
        }
    }
}

fn count(exchange: &Exchange, side: Side, bytes: usize) {
    match side {
        Side::Near => exchange.count_request(bytes),
        Side::Far => exchange.count_response(bytes),
    }
}

/// How long nothing may pass. Whoever is left alone on the line has not as long as two who are both there.
fn limit(timeouts: &Timeouts, is_half_closed: bool) -> Option<Duration> {
    match (timeouts.tunnel, timeouts.idle) {
        (Some(tunnel), Some(idle)) if is_half_closed => Some(tunnel.min(idle)),
        (None, idle) if is_half_closed => idle,
        (tunnel, _) => tunnel,
    }
}

/// A stream of a client's HTTP/2 connection. hyper ends it when it is dropped, and resets what the client would still say:
/// there is no way to tell it more.
struct Stream(TokioIo<Upgraded>);

impl Line for Stream {
    fn cut(&self) {}
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
