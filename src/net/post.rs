//! Posts to an HTTP server: one connection, made again when it breaks; one request at a time on it.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::Dialer;
use super::backoff::retry_after;
use crate::time;

/// Bytes of an answer's head.
const HEAD: usize = 64 * 1024;
/// What is read of a body that nobody needs, so that the connection can be used again, and how long that may take.
const LEFTOVER: usize = 64 * 1024;
const LEFTOVER_TIME: Duration = Duration::from_secs(1);
/// Characters of an answer that are shown to people.
const EXCERPT: usize = 200;

/// Posts to one URL.
pub struct Client {
    dialer: Dialer,
    path: Uri,
    headers: HeaderMap,
    gzip: bool,
    timeout: Duration,
    idle: Option<SendRequest<Full<Bytes>>>,
}

/// What an answer is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// The status says it all.
    Status,
    /// The body of a 2xx as well, up to so many bytes.
    Body(usize),
}

/// What a collector has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// `Location`.
    pub location: Option<String>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub whole: bool,
}

impl Client {
    /// A client without a connection yet. `url` says path and authority, `headers` what every request carries beside those;
    /// `timeout` is for each request, connecting included.
    pub fn new(dialer: Dialer, url: &Uri, headers: HeaderMap, timeout: Duration) -> Client {
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let own = own_headers(url.authority().map_or("", |authority| authority.as_str()), headers);
        Client { dialer, path: path.parse().unwrap_or_default(), headers: own, gzip: false, timeout, idle: None }
    }

    /// Whether bodies are compressed with gzip.
    pub fn gzip(mut self, gzip: bool) -> Client {
        self.gzip = gzip;
        self
    }

    /// Posts a body.
    ///
    /// # Errors
    ///
    /// Why there is no answer, for people.
    pub async fn post(&mut self, body: Bytes, kind: &'static str, interest: Interest) -> Result<Answer, String> {
        let (body, encoding) = match self.gzip {
            true => (gzip(&body).map_err(|error| format!("cannot compress: {error}"))?, Some("gzip")),
            false => (body, None),
        };
        let timeout = self.timeout;
        let exchange = self.exchange(body, kind, encoding, interest);
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no whole answer within {timeout:?}")),
        }
    }

    async fn exchange(
        &mut self,
        body: Bytes,
        kind: &'static str,
        encoding: Option<&'static str>,
        interest: Interest,
    ) -> Result<Answer, String> {
        let idle = self.idle.take();
        let request = || self.request(body.clone(), kind, encoding);
        // A collector may close an idle connection at any time: that is no failure.
        let reused = match idle {
            Some(mut sender) if !sender.is_closed() => {
                let answered = sender.send_request(request()).await;
                answered.ok().map(|response| (sender, response))
            }
            _ => None,
        };
        let (sender, response) = match reused {
            Some(answered) => answered,
            None => {
                let mut sender = self.connect().await?;
                let response = sender.send_request(request()).await.map_err(|error| chain("no answer", &error))?;
                (sender, response)
            }
        };
        let answer = read(response, interest).await?;
        if answer.whole {
            self.idle = Some(sender);
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let (host, port) = self.dialer.target();
        let failed = |error: &dyn std::error::Error| chain(&format!("cannot connect to {host}:{port}"), error);
        let stream = self.dialer.connect().await.map_err(|error| failed(&error))?;
        let io = TokioIo::new(stream);
        let (sender, connection) =
            http1::Builder::new().max_buf_size(HEAD).handshake(io).await.map_err(|error| failed(&error))?;
        // It ends with the sender; what goes wrong in it is told to whoever waits for an answer.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn request(&self, body: Bytes, kind: &'static str, encoding: Option<&'static str>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = encoding {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        request
    }
}

/// What all requests carry. A host that no header can hold was refused with the configuration.
fn own_headers(host: &str, mut headers: HeaderMap) -> HeaderMap {
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.insert(HOST, host);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("gatelog/", env!("CARGO_PKG_VERSION"))));
    headers
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}

/// Reads of an answer what is needed of it.
async fn read(response: Response<Incoming>, interest: Interest) -> Result<Answer, String> {
    let status = response.status();
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = text(RETRY_AFTER).and_then(|value| retry_after(value, time::wall_now()));
    let location = text(LOCATION).map(str::to_owned);
    let mut body = Vec::new();
    let whole = match interest {
        Interest::Body(limit) if status.is_success() => {
            let read = read_body(response.into_body(), limit, &mut body).await;
            read.map_err(|error| chain("the answer breaks off", &error))?
        }
        _ => {
            let leftover = read_body(response.into_body(), LEFTOVER, &mut body);
            matches!(tokio::time::timeout(LEFTOVER_TIME, leftover).await, Ok(Ok(true)))
        }
    };
    Ok(Answer { status, retry_after, location, body, whole })
}

/// Reads up to a limit; says whether that was all.
async fn read_body(mut body: Incoming, limit: usize, out: &mut Vec<u8>) -> Result<bool, hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = limit - out.len();
            out.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// An error with all its causes.
fn chain(what: &str, error: &dyn std::error::Error) -> String {
    let mut said = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        said.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    said
}

/// The beginning of what was said, on one line, with a colon before it; nothing for nothing.
pub fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT)]);
    let words: Vec<&str> = text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return line;
    }
    let more = if line.chars().count() > EXCERPT || bytes.len() > 4 * EXCERPT { "…" } else { "" };
    format!(": {}{more}", line.chars().take(EXCERPT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_shown_on_one_short_line_without_controls() {
        assert_eq!(excerpt(b"no\x1b[31m\n way "), ": no [31m way");
        assert_eq!(excerpt(b" \n "), "");
        assert_eq!(excerpt(&[b'x'; 5000]).chars().count(), EXCERPT + 3);
    }
}
