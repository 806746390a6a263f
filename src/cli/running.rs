//! The proxy that runs, asked over its admin listener (`[admin]`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::asking::Interrupts;
use super::audience::Audience;
use super::place::{NoPlace, configuration};
use crate::config::Environment;

/// Where it listens unless something else is configured.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9900);
/// How long a connection may take, and an answer: questions are looked into for ten seconds at most.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of an answer; a page of records is far smaller.
const LARGEST: usize = 64 << 20;
/// Bytes of one event.
const LARGEST_EVENT: usize = 8 << 20;

/// Which proxy is meant.
#[derive(Debug, Args)]
pub struct AdminArguments {
    /// The admin listener to ask; that of the configuration, or 127.0.0.1:9900. GATELOG_ADMIN_TOKEN is its token
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
}

/// A proxy that may be asked.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    token: Option<String>,
    runtime: Runtime,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens there.
    #[error("no proxy answers at {address} ({source})")]
    Absent {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The connection broke, or what came is no answer.
    #[error("the proxy at {address} does not answer: {why}")]
    Broken {
        /// Where.
        address: SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// It would not.
    #[error("the proxy at {address} answers {}: {detail}", status.as_u16())]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Its status.
        status: StatusCode,
        /// What it says, or what to do.
        detail: String,
    },
}

/// Something that a stream of events tells (HTML Living Standard, 9.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `message` unless it says otherwise.
    pub kind: String,
    /// Its lines, joined by line feeds.
    pub data: String,
}

impl Running {
    /// The proxy of this address, or of this configuration, or where it usually is.
    ///
    /// # Errors
    /// When the configuration cannot be used, or says that there is no admin listener.
    #[expect(clippy::disallowed_methods, reason = "the token is the environment's to give, at the edge")]
    pub fn of(
        arguments: &AdminArguments,
        config: Option<&Path>,
        environment: &Environment,
    ) -> Result<Running, NoPlace> {
        let own = std::env::var("GATELOG_ADMIN_TOKEN").ok().filter(|token| !token.is_empty());
        if let Some(address) = arguments.admin {
            return Running::at(address, own);
        }
        let Some((file, config)) = configuration(config, environment)? else { return Running::at(USUAL, own) };
        let off =
            || NoPlace::Unnamed(format!("{} has admin = \"off\": name the listener with --admin", file.display()));
        let token = config.admin.token.as_ref().map(|token| token.expose().to_owned());
        Running::at(config.admin.address.ok_or_else(off)?, token.or(own))
    }

    fn at(address: SocketAddr, token: Option<String>) -> Result<Running, NoPlace> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| NoPlace::Unnamed(format!("no runtime: {error}")))?;
        Ok(Running { address: reachable(address), token, runtime })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says at a target, as text.
    ///
    /// # Errors
    /// When it does not answer, or not with 200.
    pub fn text(&self, target: &str) -> Result<String, NoAnswer> {
        let asked = async {
            let mut body = self.ask(Method::GET, target, None).await?;
            let bytes = self.whole(&mut body).await?;
            String::from_utf8(bytes).map_err(|_| self.broken("it is no text"))
        };
        self.runtime.block_on(asked)
    }

    /// What it says at a target, as JSON.
    ///
    /// # Errors
    /// As [`Running::text`].
    pub fn json(&self, target: &str) -> Result<Json, NoAnswer> {
        serde_json::from_str(&self.text(target)?).map_err(|error| self.broken(error))
    }

    /// What it says when something at a target is to be done, as JSON.
    ///
    /// # Errors
    /// As [`Running::text`].
    pub fn post(&self, target: &str) -> Result<Json, NoAnswer> {
        let asked = async {
            let mut body = self.ask(Method::POST, target, None).await?;
            let bytes = self.whole(&mut body).await?;
            serde_json::from_slice(&bytes).map_err(|error| self.broken(error))
        };
        self.runtime.block_on(asked)
    }

    /// Begins to follow the events at a target, from behind the one that was seen last.
    ///
    /// # Errors
    /// As [`Running::text`].
    pub fn events(&self, target: &str, last: Option<&str>) -> Result<Events<'_>, NoAnswer> {
        let body = self.runtime.block_on(self.ask(Method::GET, target, last))?;
        Ok(Events { running: self, body, reading: Reading::default() })
    }

    /// The body of an answer of 200.
    async fn ask(&self, method: Method, target: &str, last: Option<&str>) -> Result<Incoming, NoAnswer> {
        let absent = |source| NoAnswer::Absent { address: self.address, source };
        let connected = timeout(CONNECT, TcpStream::connect(self.address)).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(absent)?;
        let asked = timeout(ANSWER, self.exchange(stream, (method, target), last)).await;
        let response = asked.unwrap_or_else(|_| Err(self.broken("it takes too long")))?;
        let (head, mut body) = response.into_parts();
        if head.status == StatusCode::OK {
            return Ok(body);
        }
        let problem = self.whole(&mut body).await.unwrap_or_default();
        Err(self.refused(head.status, &problem))
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        (method, target): (Method, &str),
        last: Option<&str>,
    ) -> Result<http::Response<Incoming>, NoAnswer> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(error))?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(target).header(header::HOST, self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| self.broken(error))?;
        sender.send_request(request).await.map_err(|error| self.broken(error))
    }

    async fn whole(&self, body: &mut Incoming) -> Result<Vec<u8>, NoAnswer> {
        let mut bytes = Vec::new();
        loop {
            let frame = timeout(ANSWER, body.frame()).await.map_err(|_| self.broken("it stopped in its answer"))?;
            let Some(frame) = frame else { return Ok(bytes) };
            let data = frame.map_err(|error| self.broken(error))?.into_data().unwrap_or_default();
            bytes.extend_from_slice(&data);
            if bytes.len() > LARGEST {
                return Err(self.broken("its answer is too long"));
            }
        }
    }

    /// A pipe of which the end is waited for.
    fn closing(&self, end: &impl AsFd) -> Result<pipe::Receiver, NoAnswer> {
        let end = end.as_fd().try_clone_to_owned().and_then(pipe::Receiver::from_owned_fd);
        end.map_err(|error| self.broken(error))
    }

    fn broken(&self, why: impl ToString) -> NoAnswer {
        NoAnswer::Broken { address: self.address, why: why.to_string() }
    }

    /// What a problem document says (RFC 9457), or what can be done about it.
    fn refused(&self, status: StatusCode, problem: &[u8]) -> NoAnswer {
        let problem: Option<Json> = serde_json::from_slice(problem).ok();
        let said = problem.as_ref().and_then(|problem| problem["detail"].as_str()).map(str::to_owned);
        let detail = match status {
            StatusCode::UNAUTHORIZED => "its token is needed: set GATELOG_ADMIN_TOKEN, or name its --config".to_owned(),
            _ => said.unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned()),
        };
        NoAnswer::Refused { address: self.address, status, detail }
    }
}

impl NoAnswer {
    /// Whether there is nobody who could have answered.
    pub fn is_absent(&self) -> bool {
        matches!(self, NoAnswer::Absent { .. })
    }
}

/// One listens everywhere, and is reached here.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// What comes next of events.
#[derive(Debug)]
pub enum Next {
    /// These.
    Events(Vec<Event>),
    /// Nothing: they are over, or there was a Ctrl-C.
    Over,
    /// Nobody reads any more what is made of them.
    Unread,
}

/// Events as they come.
#[derive(Debug)]
pub struct Events<'r> {
    running: &'r Running,
    body: Incoming,
    reading: Reading,
}

impl Events<'_> {
    /// The next ones, unless nobody is there any more to read them.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn next(&mut self, interrupts: &Interrupts, audience: &Audience) -> Result<Next, NoAnswer> {
        let Events { running, body, reading } = self;
        running.runtime.block_on(async {
            let end = running.closing(interrupts)?;
            let left = running.closing(audience)?;
            let frame = tokio::select! {
                _ = end.readable() => return Ok(Next::Over),
                _ = left.readable() => return Ok(Next::Unread),
                frame = body.frame() => frame,
            };
            let Some(frame) = frame else { return Ok(Next::Over) };
            let data = frame.map_err(|error| running.broken(error))?.into_data().unwrap_or_default();
            reading.take(&data).ok_or_else(|| running.broken("an event is too long")).map(Next::Events)
        })
    }

    /// Where the last event stands, to go on behind it.
    pub fn last(&self) -> Option<&str> {
        self.reading.id.as_deref()
    }
}

/// A stream of events, as far as it was read.
#[derive(Debug, Default)]
struct Reading {
    /// A line that is not whole yet.
    rest: Vec<u8>,
    event: Event,
    has_data: bool,
    id: Option<String>,
}

impl Reading {
    /// The events that these bytes end; `None` where one is longer than any of ours.
    fn take(&mut self, bytes: &[u8]) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                events.extend(self.line(&String::from_utf8_lossy(line.trim_ascii_end())));
            }
            if self.rest.len() + self.event.data.len() > LARGEST_EVENT {
                return None;
            }
        }
        Some(events)
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let kind = if event.kind.is_empty() { "message".to_owned() } else { event.kind };
            return std::mem::take(&mut self.has_data).then_some(Event { kind, data: event.data });
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.kind = value.to_owned(),
            "id" => self.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "retry: 1000\nid: e-7\n\nid: e-8\ndata: {\"a\":1}\n\n: a comment\n\nevent: missed\r\ndata: {\"count\":3}\r\n\r\ndata: x\ndata:y\n\ndata: never ended\n";
        let event = |kind: &str, data: &str| Event { kind: kind.to_owned(), data: data.to_owned() };
        let expected = [event("message", "{\"a\":1}"), event("missed", "{\"count\":3}"), event("message", "x\ny")];
        for size in 1..text.len() {
            let mut reading = Reading::default();
            let events: Vec<Event> =
                text.as_bytes().chunks(size).flat_map(|part| reading.take(part).unwrap()).collect();
            assert_eq!(events, expected, "{size}");
            assert_eq!(reading.id.as_deref(), Some("e-8"));
        }
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut reading = Reading::default();
        let endless = vec![b'x'; LARGEST_EVENT / 2 + 1];
        assert_eq!(reading.take(&endless), Some(Vec::new()));
        assert_eq!(reading.take(&endless), None);
    }

    #[test]
    fn one_that_listens_everywhere_is_reached_here() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:9900"), "127.0.0.1:9900");
        assert_eq!(reached("[::]:9900"), "[::1]:9900");
        assert_eq!(reached("192.0.2.1:9900"), "192.0.2.1:9900");
    }
}
