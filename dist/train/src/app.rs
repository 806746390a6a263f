//! The application behind gatelog: answers of the usual sizes and kinds.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Body = BoxBody<Bytes, Infallible>;

/// Starts it on a free port of the loopback; it ends with the runtime.
pub async fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = tcp.set_nodelay(true);
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service_fn(answer));
            tokio::task::spawn_local(served);
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let received = body.collect().await?.to_bytes().len();
    let path = head.uri.path();
    let (status, kind, body) = match path {
        _ if head.headers.contains_key(header::IF_NONE_MATCH) => (StatusCode::NOT_MODIFIED, "text/html", whole(0)),
        _ if head.method == Method::POST && path.starts_with("/uploads") => {
            (StatusCode::OK, "application/json", Full::from(format!("{{\"received\":{received}}}")).boxed())
        }
        _ if head.method == Method::POST => (StatusCode::SEE_OTHER, "text/html", whole(0)),
        _ if path.starts_with("/api/") => (StatusCode::OK, "application/json", whole(200)),
        _ if path.starts_with("/catalogue/") => (StatusCode::OK, "text/html; charset=utf-8", whole(4096)),
        _ if path.starts_with("/reports/") => (StatusCode::OK, "text/csv", pieces(3)),
        _ if path.starts_with("/static/") => (StatusCode::OK, "image/png", whole(64 * 1024)),
        _ if path.starts_with("/broken/") => (StatusCode::INTERNAL_SERVER_ERROR, "text/html", whole(120)),
        _ => (StatusCode::NOT_FOUND, "text/html", whole(150)),
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::SERVER, "gunicorn")
        .header(header::VARY, "Accept, Cookie")
        .header("x-user-id", "1234")
        .header("x-frame-options", "DENY");
    if status == StatusCode::SEE_OTHER {
        response = response.header(header::LOCATION, "/catalogue/").header(header::SET_COOKIE, "flash=saved; Path=/");
    }
    Ok(response.body(body).unwrap_or_default())
}

/// So many bytes, with their length.
fn whole(length: usize) -> Body {
    Full::from(vec![b'x'; length]).boxed()
}

/// As many chunks.
fn pieces(count: usize) -> Body {
    let piece = |_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"2026-01-01,12,199.00\n")));
    BodyExt::boxed(StreamBody::new(stream::iter((0..count).map(piece))))
}
