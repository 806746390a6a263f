//! Who sends the requests, on which connections, and what they ask for.

use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::proxy::Proxy;

/// Connections that are open at a time.
const AT_A_TIME: usize = 64;
/// Requests under way on one HTTP/2 connection.
const STREAMS: usize = 8;

/// What is spoken.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Connections of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub tls: bool,
    pub protocol: Protocol,
    /// How many in all; at most [`AT_A_TIME`] at once.
    pub connections: usize,
    /// On each of them.
    pub requests: usize,
    /// The only kind of request that is sent, by the beginning of its path; all kinds, mixed, where that is `None`.
    pub only: Option<&'static str>,
}

/// Carries out a plan.
///
/// # Errors
/// The first connection that breaks, or answer that is not the one to be expected.
pub async fn visit(proxy: &Proxy, plan: &Plan) -> anyhow::Result<()> {
    let (plan, connector) = (*plan, TlsConnector::from(Arc::new(client(proxy, plan.protocol)?)));
    let address = if plan.tls { proxy.tls } else { proxy.plain };
    let mut open = JoinSet::new();
    for number in 0..plan.connections {
        while open.len() >= AT_A_TIME {
            open.join_next().await.transpose()?.transpose()?;
        }
        let connector = connector.clone();
        open.spawn_local(async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            if plan.tls {
                speak(plan, number, connector.connect(ServerName::try_from("localhost")?, tcp).await?).await
            } else {
                speak(plan, number, tcp).await
            }
        });
    }
    while let Some(ended) = open.join_next().await {
        ended??;
    }
    Ok(())
}

async fn speak(plan: Plan, number: usize, io: impl AsyncRead + AsyncWrite + Unpin + 'static) -> anyhow::Result<()> {
    let asks = (0..plan.requests).map(|ask| Ask { number: number * plan.requests + ask, only: plan.only });
    match plan.protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
            tokio::task::spawn_local(connection);
            for ask in asks {
                sender.ready().await?;
                ask.judge(sender.send_request(ask.request()?).await?).await?;
            }
        }
        Protocol::Http2 => {
            let (sender, connection) = http2::handshake(LocalExecutor, TokioIo::new(io)).await?;
            tokio::task::spawn_local(connection);
            let mut under_way = JoinSet::new();
            for ask in asks {
                while under_way.len() >= STREAMS {
                    under_way.join_next().await.transpose()?.transpose()?;
                }
                let mut sender = sender.clone();
                under_way.spawn_local(async move { ask.judge(sender.send_request(ask.request()?).await?).await });
            }
            while let Some(ended) = under_way.join_next().await {
                ended??;
            }
        }
    }
    Ok(())
}

/// One request, by its number.
#[derive(Debug, Clone, Copy)]
struct Ask {
    number: usize,
    only: Option<&'static str>,
}

/// Kinds of requests, out of a hundred.
const KINDS: [(usize, &str, StatusCode); 10] = [
    (60, "/api/v1/users/ID/orders?limit=20&sort=desc", StatusCode::OK),
    (75, "/catalogue/oolong-tea-ID/", StatusCode::OK),
    (80, "/catalogue/tea/3/?changed=no", StatusCode::NOT_MODIFIED),
    (86, "/checkout/", StatusCode::SEE_OTHER),
    (90, "/reports/2026/11/", StatusCode::OK),
    (93, "/static/img/teapot.png", StatusCode::OK),
    (95, "/uploads/teapot-ID.png", StatusCode::OK),
    (96, "/broken/?id=ID", StatusCode::INTERNAL_SERVER_ERROR),
    (97, "/archive/2025/the-year-in-tea/", StatusCode::NOT_FOUND),
    (100, "/wp-login-ID.php", StatusCode::NOT_FOUND),
];

impl Ask {
    fn kind(self) -> (&'static str, StatusCode) {
        // 61 and 100 have no divisor in common: all kinds come, mixed.
        let place = self.number * 61 % 100;
        let is_it = |(until, path, _): &(usize, &str, _)| match self.only {
            Some(only) => path.starts_with(only),
            None => place < *until,
        };
        let (_, path, status) = KINDS.into_iter().find(is_it).unwrap_or(KINDS[0]);
        (path, status)
    }

    fn request(self) -> http::Result<Request<Full<Bytes>>> {
        let (path, status) = self.kind();
        let (method, body) = match path {
            "/checkout/" => {
                (Method::POST, Bytes::from_static(b"csrfmiddlewaretoken=5f3c&address=7&payment=card&note="))
            }
            path if path.starts_with("/uploads/") => (Method::POST, Bytes::from(vec![b'u'; 40_000])),
            _ if self.number % 50 == 7 => (Method::HEAD, Bytes::new()),
            _ => (Method::GET, Bytes::new()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{}", path.replace("ID", &self.number.to_string())))
            .header(header::HOST, "localhost")
            .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
            .header(header::ACCEPT, "application/json, text/plain, */*")
            .header(header::ACCEPT_LANGUAGE, "en-US,en;q=0.5")
            .header(header::ACCEPT_ENCODING, "gzip, deflate, br");
        if status == StatusCode::NOT_MODIFIED {
            request = request.header(header::IF_NONE_MATCH, "\"5f3c-1a\"");
        }
        if self.number % 2 == 0 {
            request = request
                .header(header::REFERER, "https://shop.example.org/account/orders")
                .header(header::COOKIE, "sessionid=0123456789abcdef0123456789abcdef; csrftoken=5f3c");
        }
        if self.number % 3 == 0 {
            request = request.header("x-forwarded-for", "203.0.113.7").header("x-tenant", "acme");
        }
        request.body(Full::new(body))
    }

    async fn judge(self, response: http::Response<Incoming>) -> anyhow::Result<()> {
        let (path, expected) = self.kind();
        let status = response.status();
        ensure!(status == expected, "{path}: answered {status} instead of {expected}");
        response.into_body().collect().await.with_context(|| format!("{path}: the body of the answer"))?;
        Ok(())
    }
}

/// HTTP/2 of one thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, work: F) {
        tokio::task::spawn_local(work);
    }
}

/// Who believes this proxy and nobody else.
fn client(proxy: &Proxy, protocol: Protocol) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(proxy.certificate.clone())?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}
