//! One health check: a GET over a connection of its own, spoken to the server as requests are.

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::net::Stream;
use crate::upstream::cluster::Member;
use crate::upstream::settings::HealthSettings;

/// Bytes of an answer's head that are read; its body is not.
const MAX_HEAD: usize = 64 * 1024;

const AGENT: &str = concat!("gatelog/", env!("CARGO_PKG_VERSION"), " (health check)");

/// Asks a server how it is; what is wrong, where something is.
pub(super) async fn check(member: &Member, settings: &HealthSettings) -> Result<(), String> {
    match tokio::time::timeout(settings.timeout, ask(member, settings)).await {
        Ok(Ok(status)) if is_good(status, settings) => Ok(()),
        Ok(Ok(status)) => Err(format!("the health check was answered with {}", status.as_u16())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err("no answer to the health check within health.timeout".to_owned()),
    }
}

fn is_good(status: StatusCode, settings: &HealthSettings) -> bool {
    settings.status.iter().any(|(first, last)| (*first..=*last).contains(&status.as_u16()))
}

async fn ask(member: &Member, settings: &HealthSettings) -> Result<StatusCode, String> {
    let stream = member.target.connect(None, None, || {}).await.map_err(|error| error.describe())?;
    if member.is_http2 {
        return ask_in_http2(stream, member, settings).await.map_err(|error| error.to_string());
    }
    let mut builder = http1::Builder::new();
    let handshake = builder.max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = request(member, settings).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    // Both are dropped with the answer's head: its body is of no interest.
    tokio::select! {
        biased;
        answer = &mut answer => answer.map(|answer| answer.status()).map_err(|error| describe(&error)),
        ended = &mut connection => match ended {
            Ok(()) => answer.await.map(|answer| answer.status()).map_err(|error| describe(&error)),
            Err(error) => Err(describe(&error)),
        },
    }
}

async fn ask_in_http2(stream: Stream, member: &Member, settings: &HealthSettings) -> Result<StatusCode, h2::Error> {
    let scheme = if matches!(stream, Stream::Tls(_)) { "https" } else { "http" };
    let (mut sender, connection) = h2::client::handshake(stream).await?;
    let host = settings.host.as_deref().unwrap_or(&member.host);
    let request = Request::get(format!("{scheme}://{host}{}", settings.path)).header(USER_AGENT, AGENT).body(());
    let (answer, _) = sender.send_request(request.map_err(|_| h2::Reason::INTERNAL_ERROR)?, true)?;
    tokio::select! {
        answer = answer => answer.map(|answer| answer.status()),
        ended = connection => Err(ended.err().unwrap_or(h2::Reason::NO_ERROR.into())),
    }
}

fn request(member: &Member, settings: &HealthSettings) -> http::Result<Request<Empty<Bytes>>> {
    Request::get(&settings.path)
        .header(HOST, settings.host.as_deref().unwrap_or(&member.host))
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
}

fn describe(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
