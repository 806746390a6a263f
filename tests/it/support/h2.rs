//! An HTTP/2 client, over plain TCP by prior knowledge or over TLS by ALPN.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::DEADLINE;
use super::tls::Authority;

/// A connection, and the task that drives it.
pub(crate) struct H2 {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) driver: JoinHandle<()>,
}

impl H2 {
    pub(crate) async fn over<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(transport: T) -> H2 {
        let (sender, connection) = h2::client::handshake(transport).await.unwrap();
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        H2 { sender, driver }
    }

    pub(crate) async fn connect(addr: SocketAddr) -> H2 {
        H2::over(TcpStream::connect(addr).await.unwrap()).await
    }

    pub(crate) async fn connect_tls(addr: SocketAddr) -> H2 {
        let connector = TlsConnector::from(Authority::shared().client(&["h2"]));
        let socket = TcpStream::connect(addr).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        H2::over(stream).await
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        id: &str,
        end: bool,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let request = Request::builder().method(method).uri("http://test.example/h2").header("x-request-id", id);
        self.sender.send_request(request.body(()).unwrap(), end).unwrap()
    }

    pub(crate) async fn get(&mut self, id: &str) -> (StatusCode, Vec<u8>) {
        let response = self.send("GET", id, true).0.await.unwrap();
        (response.status(), whole(response.into_body()).await.unwrap())
    }

    /// Lets the socket go without any goodbye.
    pub(crate) fn cut(self) {
        self.driver.abort();
    }
}

/// A body to its end.
pub(crate) async fn whole(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Runs a test's client on a runtime of its own.
pub(crate) fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, client).await.unwrap() })
}
