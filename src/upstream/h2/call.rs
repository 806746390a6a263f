//! One exchange over HTTP/2, driven in the task of the request it serves.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use http_body::Body;

use crate::time::{self, Deadline};
use crate::upstream::body::ResponseBody;
use crate::upstream::call::{MAX_INTERIM, Outgoing, Watch};
use crate::upstream::error::UpstreamError;
use crate::upstream::receive::Request;
use crate::upstream::response::{Framing, LAST_STATUS, ResponseHead};
use crate::upstream::send::{BodyCoding, SendError};
use crate::upstream::settings::Timeouts;
use crate::upstream::tunnel::Tunnel;

use super::body::Http2Body;
use super::request::{Offer, translate};
use super::send::Sender;
use super::session::Seat;
use super::stream::Stream;

/// Sends a request over a connection that it shares, and waits for the head of its response, whose fields replace the
/// request's. Dropped before that, its stream is reset.
///
/// # Errors
///
/// Whichever side failed.
pub async fn exchange<B, W>(
    seat: Seat,
    request: Outgoing<'_, B>,
    timeouts: &Timeouts,
    watch: W,
) -> Result<(ResponseHead, ResponseBody), SendError<B::Error>>
where
    B: Body<Data = Bytes> + Unpin + 'static,
    W: Watch,
{
    let session = &seat.session;
    let unsayable = SendError::Upstream(UpstreamError::Upgrade("the request cannot be said in HTTP/2"));
    let translated = translate(&request.head, &session.scheme).ok_or(unsayable)?;
    if translated.offer.is_some() && !session.takes_connect() {
        return Err(SendError::Upstream(UpstreamError::Upgrade("the server takes no extended CONNECT")));
    }
    let ends = request.coding == BodyCoding::None && translated.offer.is_none();
    let mut sender = session.sender.clone();
    let sent = sender.send_request(translated.request, ends);
    let (response, stream) = sent.map_err(|error| SendError::Upstream(super::before_head(error)))?;
    let open = if request.coding == BodyCoding::None {
        Open::Sent(stream)
    } else {
        Open::Body(Sender::new(stream, request.body))
    };
    if matches!(open, Open::Sent(_)) {
        watch.sent(None);
    }
    let deadline = watch.deadlines().take();
    let mut call = Call { response, open, watch, timeouts, interim: 0, wait: None, deadline };
    let answer = poll_fn(|cx| call.poll(cx)).await.map_err(|error| match error {
        SendError::Upstream(error) => SendError::Upstream(seat.session.cause(error)),
        error => error,
    });
    if matches!(answer, Err(SendError::Upstream(UpstreamError::ResponseTimeout | UpstreamError::WriteTimeout))) {
        seat.session.retire();
    }
    let answer = answer?;
    call.watch.first_byte();
    call.watch.deadlines().keep(std::mem::take(&mut call.deadline));
    match translated.offer {
        Some(offer) if answer.status().is_success() => Ok(switched(answer, offer, call.open, seat, request.fields)),
        _ => Ok(call.into_response(answer, seat, request.fields)),
    }
}

struct Call<'a, B, W> {
    response: ResponseFuture,
    open: Open<B>,
    watch: W,
    timeouts: &'a Timeouts,
    interim: usize,
    /// What the deadline was set for; another wait, or progress, sets it anew.
    wait: Option<(Wait, u64)>,
    deadline: Deadline,
}

/// The sending half of the stream.
enum Open<B> {
    /// Still sending.
    Body(Sender<B>),
    /// The request is out; the tunnel of an offer that is taken goes on here.
    Sent(SendStream<Bytes>),
    /// Sent, or not wanted.
    Done,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Write,
    Client,
    Response,
}

impl<B, W> Call<'_, B, W>
where
    B: Body<Data = Bytes> + Unpin + 'static,
    W: Watch,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<RecvStream>, SendError<B::Error>>> {
        if let Open::Body(sender) = &mut self.open
            && let Poll::Ready(sent) = sender.poll(cx)
        {
            match sent {
                Ok(()) => drop(self.watch.sent(None)),
                Err(SendError::Body(error)) => return Poll::Ready(Err(SendError::Body(error))),
                // The response says why.
                Err(SendError::Upstream(_)) => {}
            }
            self.open = Open::Done;
        }
        self.poll_interim(cx).map_err(SendError::Upstream)?;
        match Pin::new(&mut self.response).poll(cx) {
            Poll::Ready(Ok(answer)) if answer.status().as_u16() > LAST_STATUS => {
                Poll::Ready(Err(SendError::Upstream(UpstreamError::Head("no such status"))))
            }
            Poll::Ready(answer) => Poll::Ready(answer.map_err(|error| SendError::Upstream(super::before_head(error)))),
            Poll::Pending => self.poll_patience(cx).map(|error| Err(SendError::Upstream(error))),
        }
    }

    /// Passes on what has come before the response.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Result<(), UpstreamError> {
        while let Poll::Ready(Some(Ok(interim))) = self.response.poll_informational(cx) {
            self.interim += 1;
            match interim.status() {
                // RFC 9113 §8.6: HTTP/2 has no 101.
                StatusCode::SWITCHING_PROTOCOLS => return Err(UpstreamError::Head("101 in HTTP/2")),
                _ if self.interim > MAX_INTERIM => return Err(UpstreamError::Head("too many interim responses")),
                StatusCode::CONTINUE => {}
                status => self.watch.interim(status, interim.headers()),
            }
        }
        Ok(())
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        let wait = match &self.open {
            Open::Body(sender) if sender.is_blocked() => (Wait::Write, sender.sent),
            Open::Body(sender) => (Wait::Client, sender.sent),
            Open::Sent(_) | Open::Done => (Wait::Response, 0),
        };
        if self.wait.replace(wait) != Some(wait) {
            self.deadline.set(time::monotonic(), self.limit(wait.0));
        }
        ready!(self.deadline.poll(cx));
        Poll::Ready(match wait.0 {
            Wait::Write => UpstreamError::WriteTimeout,
            _ => UpstreamError::ResponseTimeout,
        })
    }

    fn limit(&self, wait: Wait) -> Option<Duration> {
        match wait {
            Wait::Write => self.timeouts.idle,
            Wait::Response => self.timeouts.response,
            // Whoever brings the client's body watches the time.
            Wait::Client => None,
        }
    }

    /// The rest of the request is sent beside the response, for as long as somebody wants that.
    fn into_response(
        self,
        answer: Response<RecvStream>,
        seat: Seat,
        fields: &mut HeaderMap,
    ) -> (ResponseHead, ResponseBody) {
        let (head, stream) = answer.into_parts();
        let rest = match self.open {
            Open::Body(mut sender) => Request::sending(async move { poll_fn(|cx| sender.poll(cx)).await.is_ok() }),
            Open::Sent(_) | Open::Done => Request::Sent,
        };
        let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let body = Http2Body::new(stream, seat, rest, length, self.timeouts.idle);
        *fields = head.headers;
        (response_head(head.status), ResponseBody::Http2(Box::new(body)))
    }
}

/// An extended CONNECT that was taken, told as HTTP/1.1 would.
fn switched<B>(
    answer: Response<RecvStream>,
    offer: Offer,
    open: Open<B>,
    seat: Seat,
    fields: &mut HeaderMap,
) -> (ResponseHead, ResponseBody) {
    let (head, incoming) = answer.into_parts();
    *fields = head.headers;
    fields.insert(header::UPGRADE, offer.protocol);
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    let accept = offer.key.and_then(|key| websocket_accept(&key));
    fields.extend(accept.map(|accept| (header::SEC_WEBSOCKET_ACCEPT, accept)));
    let head = response_head(StatusCode::SWITCHING_PROTOCOLS);
    match open {
        Open::Sent(outgoing) => {
            (head, ResponseBody::Switched(Box::new(Tunnel::Http2(Stream::new(outgoing, incoming, seat)))))
        }
        // An offer has no body.
        Open::Body(_) | Open::Done => {
            (head, ResponseBody::Http2(Box::new(Http2Body::new(incoming, seat, Request::Sent, None, None))))
        }
    }
}

fn websocket_accept(key: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_str(&crate::net::websocket::accept(key.to_str().ok()?)).ok()
}

fn response_head(status: StatusCode) -> ResponseHead {
    // Its frames frame it; nobody asks for more.
    ResponseHead { status, version: Version::HTTP_2, interim: None, framing: Framing::None, keep_alive: true }
}
