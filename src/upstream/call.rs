//! One exchange with a server, driven in the task of the request it serves: no channel, no task of its own, one write for
//! a head and a small body.
//!
//! Sending and receiving go on side by side, because a server may answer before it has read the request. Where its head
//! comes first, the rest of the request is sent by a task beside, so that neither direction waits for the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body;

use crate::time::{self, Deadline, Deadlines};

use super::body::ResponseBody;
use super::connection::Connection;
use super::error::UpstreamError;
use super::receive::{Http1Body, Manner, Request, closed};
use super::response::{ResponseHead, take_head};
use super::send::{BodyCoding, SendError, Sender};
use super::settings::Timeouts;
use super::tunnel::Tunnel;

/// Least room for reading a response head. Where there is less a block is taken, which many small responses then share.
const HEAD_ROOM: usize = 2 * 1024;
/// Interim responses of one exchange before it counts as nonsense.
pub(super) const MAX_INTERIM: usize = 32;
/// How long a server may take to say whether it wants the body (RFC 9110 §10.1.1: nobody waits for ever).
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// Who is told how an exchange goes on, and says when that was: the clock is read once for both.
pub trait Watch {
    /// The request is out: `at` this moment, or now.
    fn sent(&self, at: Option<Instant>) -> Instant;
    /// The first byte of a response is there.
    fn first_byte(&self) -> Instant;
    /// A response before the response (1xx), 101 and 100 aside.
    fn interim(&self, status: StatusCode, headers: &HeaderMap);
    /// Deadlines of the task that waits for the response.
    fn deadlines(&self) -> &Deadlines;
}

/// A request as it goes to a server.
pub struct Outgoing<'a, B> {
    /// This moment.
    pub now: Instant,
    /// The head, whole, in the memory of the connection ([`Connection::head_buffer`]).
    pub head: Vec<u8>,
    /// Its body.
    pub body: B,
    /// How the head frames it.
    pub coding: BodyCoding,
    /// The body waits for `100 Continue`.
    pub expects_continue: bool,
    /// It offers another protocol, which the server may take (101).
    pub offers_upgrade: bool,
    /// Decides how the response is framed.
    pub method: Method,
    /// Its fields, which those of the response take the place of.
    pub fields: &'a mut HeaderMap,
    /// Most of the answer that is read at once, in bytes: what may be in memory where nobody takes it.
    pub most_at_once: usize,
}

impl Connection {
    /// Memory to write a request's head into.
    pub fn head_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.out);
        buffer.clear();
        buffer
    }
}

/// Sends a request over a connection and waits for the head of its response, whose fields replace the request's.
pub fn exchange<'a, B, W>(
    connection: Box<Connection>,
    request: Outgoing<'a, B>,
    timeouts: &'a Timeouts,
    watch: W,
) -> Answering<'a, B, W>
where
    B: Body<Data = Bytes> + Unpin + 'static,
    W: Watch,
{
    let sender = Sender::new(
        std::rc::Rc::clone(&connection.link),
        request.head,
        request.body,
        request.coding,
        request.expects_continue,
    );
    let deadline = watch.deadlines().take();
    Answering(Some(Call {
        connection,
        deadline,
        sender,
        progress: Progress::Sending,
        timeouts,
        touched: false,
        offers_upgrade: request.offers_upgrade,
        interim: 0,
        wait: (Wait::Nothing, 0),
        now: Some(request.now),
        method: request.method,
        fields: request.fields,
        most_at_once: request.most_at_once,
        watch,
    }))
}

/// The answer to a request. A type of its own, and no `async fn`, which would hold what it is given twice.
pub struct Answering<'a, B, W>(Option<Call<'a, B, W>>);

impl<B, W> Future for Answering<'_, B, W>
where
    B: Body<Data = Bytes> + Unpin + 'static,
    W: Watch + Unpin,
{
    type Output = Result<(ResponseHead, ResponseBody), SendError<B::Error>>;

    /// Not to be polled again once it was ready: it would never be again.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.0 else { return Poll::Pending };
        let head = ready!(call.poll(cx))?;
        match self.0.take() {
            Some(call) => Poll::Ready(Ok(call.into_response(head))),
            None => Poll::Pending,
        }
    }
}

struct Call<'a, B, W> {
    connection: Box<Connection>,
    deadline: Deadline,
    sender: Sender<B>,
    progress: Progress,
    timeouts: &'a Timeouts,
    /// Something of a response has come.
    touched: bool,
    offers_upgrade: bool,
    interim: usize,
    /// What the deadline was set for; another wait, or progress, sets it anew.
    wait: (Wait, u64),
    /// A moment of this very poll, where one was asked for.
    now: Option<Instant>,
    method: Method,
    fields: &'a mut HeaderMap,
    most_at_once: usize,
    watch: W,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing yet.
    Nothing,
    /// For the server to take more of the request.
    Write,
    /// For the server to say whether it wants the body.
    Continue,
    /// For the client to send more.
    Client,
    /// For the response.
    Response,
}

enum Progress {
    Sending,
    Sent,
    /// The server takes no more; perhaps it has said why.
    Broken(UpstreamError),
}

impl<B, W> Call<'_, B, W>
where
    B: Body<Data = Bytes> + Unpin + 'static,
    W: Watch,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, SendError<B::Error>>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(SendError::Body(error)));
            }
            match self.poll_head(cx) {
                Poll::Ready(Ok(head)) if self.is_final(head.status) => return Poll::Ready(Ok(self.settle(head))),
                Poll::Ready(Ok(head)) => self.interim(&head).map_err(SendError::Upstream)?,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(SendError::Upstream(self.cause(error)))),
                Poll::Pending => match self.poll_patience(cx) {
                    Poll::Ready(Some(error)) => return Poll::Ready(Err(SendError::Upstream(error))),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), B::Error>> {
        if !matches!(self.progress, Progress::Sending) {
            if let Poll::Ready(Err(error)) = self.connection.link.poll_posted(cx) {
                self.progress = Progress::Broken(UpstreamError::Write(error));
            }
            return Poll::Ready(Ok(()));
        }
        match self.sender.poll(cx) {
            Poll::Ready(Ok(())) => {
                self.progress = Progress::Sent;
                let at = self.now.filter(|_| self.sender.is_posted());
                self.now = Some(self.watch.sent(at));
            }
            Poll::Ready(Err(SendError::Upstream(error))) => self.progress = Progress::Broken(error),
            Poll::Ready(Err(SendError::Body(error))) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, UpstreamError>> {
        loop {
            let buffer = &mut self.connection.buffer;
            if !buffer.is_empty()
                && let Some(head) = take_head(buffer, &self.method, self.fields)?
            {
                return Poll::Ready(Ok(head));
            }
            if self.connection.link.poll_readable(cx).is_pending() {
                return Poll::Pending;
            }
            // Memory that the last response has let go of is the warmest.
            let block = self.connection.block.min(self.most_at_once);
            let reclaimed = buffer.is_empty() && buffer.try_reclaim(block);
            if !reclaimed && buffer.capacity() - buffer.len() < HEAD_ROOM {
                buffer.reserve(block);
            }
            match self.connection.link.poll_read_more(cx, buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(closed(None, !self.touched))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(closed(Some(error), !self.touched))),
                // It answers a request that it has not been sent: it says that it closes, as to an idle connection.
                Poll::Ready(Ok(_)) if self.connection.link.posted.waits() => {
                    return Poll::Ready(Err(closed(None, true)));
                }
                Poll::Ready(Ok(_)) if !self.touched => {
                    self.touched = true;
                    self.connection.idle_since = Some(self.watch.first_byte());
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// A write that failed is the cause only where the server has said nothing at all.
    fn cause(&mut self, error: UpstreamError) -> UpstreamError {
        match std::mem::replace(&mut self.progress, Progress::Sent) {
            Progress::Broken(write) if matches!(error, UpstreamError::Closed { untouched: true, .. }) => write,
            _ => error,
        }
    }

    fn is_final(&self, status: StatusCode) -> bool {
        !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS && self.offers_upgrade
    }

    /// The fields of a 101 are the response's, too.
    fn settle(&mut self, mut head: ResponseHead) -> ResponseHead {
        if let Some(fields) = head.interim.take() {
            *self.fields = *fields;
        }
        head
    }

    fn interim(&mut self, head: &ResponseHead) -> Result<(), UpstreamError> {
        self.interim += 1;
        match head.status {
            StatusCode::SWITCHING_PROTOCOLS => return Err(UpstreamError::Head("101 to a request without Upgrade")),
            _ if self.interim > MAX_INTERIM => return Err(UpstreamError::Head("too many interim responses")),
            StatusCode::CONTINUE => self.sender.release(),
            status => self.watch.interim(status, head.interim.as_deref().unwrap_or(self.fields)),
        }
        Ok(())
    }

    /// How long it may take from here. `Ready(None)` when there is something to do at once.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Option<UpstreamError>> {
        let wait = self.wait();
        if std::mem::replace(&mut self.wait, (wait, self.sender.written())) != self.wait {
            let now = self.now.unwrap_or_else(time::monotonic);
            self.deadline.set(now, self.limit(wait));
        }
        if self.deadline.poll(cx).is_pending() {
            self.now = None;
            return Poll::Pending;
        }
        self.wait.0 = Wait::Nothing;
        match wait {
            Wait::Continue => {
                self.sender.release();
                Poll::Ready(None)
            }
            Wait::Write => Poll::Ready(Some(UpstreamError::WriteTimeout)),
            _ => Poll::Ready(Some(UpstreamError::ResponseTimeout)),
        }
    }

    fn wait(&self) -> Wait {
        match self.progress {
            Progress::Sent | Progress::Broken(_) => Wait::Response,
            Progress::Sending if self.sender.is_blocked() => Wait::Write,
            Progress::Sending if self.sender.is_held() => Wait::Continue,
            Progress::Sending => Wait::Client,
        }
    }

    fn limit(&self, wait: Wait) -> Option<Duration> {
        match wait {
            Wait::Write => self.timeouts.idle,
            Wait::Continue => Some(CONTINUE_WAIT),
            Wait::Response => self.timeouts.response,
            // Whoever brings the client's body watches the time.
            Wait::Client | Wait::Nothing => None,
        }
    }

    fn into_response(self, head: ResponseHead) -> (ResponseHead, ResponseBody) {
        let (mut connection, mut sender) = (self.connection, self.sender);
        self.watch.deadlines().keep(self.deadline);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return (head, ResponseBody::Switched(Box::new(Tunnel::over(connection))));
        }
        let request = match self.progress {
            // A server that answers without having asked for the body does not want it.
            Progress::Sending if sender.is_held() => Request::Broken,
            Progress::Sending => Request::sending(async move { poll_fn(|cx| sender.poll(cx)).await.is_ok() }),
            Progress::Sent if !connection.link.posted.is_empty() => Request::Broken,
            Progress::Sent => {
                connection.out = std::mem::take(&mut sender.text);
                Request::Sent
            }
            Progress::Broken(_) => Request::Broken,
        };
        connection.expect_like(head.framing);
        let manner = Manner { idle: self.timeouts.idle, most_at_once: self.most_at_once };
        let body = Http1Body::new(connection, head.framing, head.keep_alive, request, manner);
        (head, ResponseBody::Http1(Box::new(body)))
    }
}
