//! The ways to a receiver, each connected when there is something to send.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UdpSocket, UnixDatagram, UnixStream};

use crate::net::Dialer;
use crate::pipeline::SyslogAddress;
use crate::sinks::peer::NetworkError;

/// Where messages go, and how.
pub(super) struct Transport {
    address: Address,
    connection: Option<Connection>,
}

enum Address {
    Unix(PathBuf),
    Udp(Dialer),
    Tcp(Dialer),
}

enum Connection {
    UnixDatagram(UnixDatagram),
    Udp(UdpSocket),
    /// Lines: receivers on unix streams read up to a line feed.
    UnixStream(UnixStream),
    /// Octets counted (RFC 6587 §3.4.1).
    Tcp(Box<crate::net::Stream>),
}

impl Transport {
    /// Not connected yet.
    pub(super) fn new(address: &SyslogAddress) -> Result<Transport, NetworkError> {
        let address = match address {
            SyslogAddress::Unix(path) => Address::Unix(path.clone()),
            SyslogAddress::Udp(peer) => Address::Udp(peer.dialer()?),
            SyslogAddress::Tcp(peer) => Address::Tcp(peer.dialer()?),
        };
        Ok(Transport { address, connection: None })
    }

    /// Whether a message must fit into a datagram; of a unix socket that is not known before it is connected.
    pub(super) fn is_datagram(&self) -> bool {
        match (&self.address, &self.connection) {
            (Address::Udp(_), _) => true,
            (Address::Tcp(_), _) | (_, Some(Connection::UnixStream(_))) => false,
            (Address::Unix(_), _) => true,
        }
    }

    /// The next message is sent over a new connection.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Sends messages in order; `sent` counts those that have certainly been taken, however this ends.
    ///
    /// # Errors
    ///
    /// Why the next one was not.
    pub(super) async fn send(&mut self, messages: &[Vec<u8>], sent: &mut usize) -> io::Result<()> {
        if !self.is_alive().await {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(self.address.connect().await?),
        };
        match connection {
            Connection::UnixDatagram(socket) => {
                for message in messages {
                    socket.send(message).await?;
                    *sent += 1;
                }
            }
            Connection::Udp(socket) => {
                for message in messages {
                    socket.send(message).await?;
                    *sent += 1;
                }
            }
            Connection::UnixStream(stream) => write(stream, &lines(messages)).await?,
            Connection::Tcp(stream) => write(stream, &counted(messages)).await?,
        }
        *sent = messages.len();
        Ok(())
    }

    /// Whether the receiver has not closed the connection; what it says is read and passed over.
    async fn is_alive(&mut self) -> bool {
        match &mut self.connection {
            Some(Connection::UnixStream(stream)) => is_open(stream).await,
            Some(Connection::Tcp(stream)) => is_open(stream).await,
            _ => true,
        }
    }
}

impl Address {
    async fn connect(&self) -> io::Result<Connection> {
        match self {
            Address::Unix(path) => unix(path).await.map_err(|error| named(error, &path.display())),
            Address::Udp(dialer) => {
                let (host, port) = dialer.target();
                udp(host, port).await.map_err(|error| named(error, &format_args!("{host}:{port}")))
            }
            Address::Tcp(dialer) => {
                let (host, port) = dialer.target();
                let connected = dialer.connect().await;
                let stream = connected.map_err(|error| named(error, &format_args!("{host}:{port}")))?;
                Ok(Connection::Tcp(Box::new(stream)))
            }
        }
    }
}

fn named(error: io::Error, target: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("cannot connect to {target}: {error}"))
}

/// Datagrams, or a stream where the socket is one.
async fn unix(path: &Path) -> io::Result<Connection> {
    let socket = UnixDatagram::unbound()?;
    match socket.connect(path) {
        Ok(()) => Ok(Connection::UnixDatagram(socket)),
        Err(error) if error.raw_os_error() == Some(WRONG_TYPE) => {
            UnixStream::connect(path).await.map(Connection::UnixStream)
        }
        Err(error) => Err(error),
    }
}

/// `EPROTOTYPE`, which the standard library has no kind for.
const WRONG_TYPE: i32 = 91;

async fn udp(host: &str, port: u16) -> io::Result<Connection> {
    let address = tokio::net::lookup_host((host, port)).await?.next();
    let address = address.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no addresses"))?;
    let any: std::net::IpAddr = match address {
        std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected, so that a port that nobody listens on is an error and not silence.
    socket.connect(address).await?;
    Ok(Connection::Udp(socket))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn is_open(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut bytes = [0; 1024];
    !matches!(tokio::time::timeout(Duration::ZERO, stream.read(&mut bytes)).await, Ok(Ok(0) | Err(_)))
}

fn lines(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        out.extend_from_slice(message);
        out.push(b'\n');
    }
    out
}

fn counted(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        out.extend_from_slice(message.len().to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(message);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn messages() -> Vec<Vec<u8>> {
        vec![b"<14>1 - one".to_vec(), "<14>1 - zw\u{f6}lf".as_bytes().to_vec()]
    }

    #[tokio::test]
    async fn octets_are_counted_on_tcp_and_a_closed_connection_is_made_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut transport = Transport { address: Address::Tcp(Dialer::plain("127.0.0.1", port)), connection: None };
        for _ in 0..2 {
            let mut sent = 0;
            transport.send(&messages(), &mut sent).await.unwrap();
            assert_eq!(sent, 2);
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 31];
            stream.read_exact(&mut bytes).await.unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), "11 <14>1 - one14 <14>1 - zw\u{f6}lf");
            drop(stream);
            // The end of the connection arrives before the next message is sent.
            let Some(Connection::Tcp(stream)) = &mut transport.connection else { panic!("a connection") };
            stream.tcp().unwrap().readable().await.unwrap();
        }
    }

    #[tokio::test]
    async fn unix_sockets_are_datagrams_or_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (datagrams, stream) = (folder.path().join("datagrams"), folder.path().join("stream"));
        let receiver = UnixDatagram::bind(&datagrams).unwrap();
        let listener = tokio::net::UnixListener::bind(&stream).unwrap();
        let mut sent = 0;
        let mut transport = Transport { address: Address::Unix(datagrams), connection: None };
        transport.send(&messages(), &mut sent).await.unwrap();
        let mut bytes = vec![0; 100];
        let length = receiver.recv(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..length], b"<14>1 - one");

        let mut transport = Transport { address: Address::Unix(stream), connection: None };
        transport.send(&messages(), &mut sent).await.unwrap();
        transport.disconnect();
        let mut text = String::new();
        listener.accept().await.unwrap().0.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "<14>1 - one\n<14>1 - zw\u{f6}lf\n");
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_noticed() {
        let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut transport = Transport { address: Address::Udp(Dialer::plain("127.0.0.1", port)), connection: None };
        let mut refused = false;
        for _ in 0..50 {
            let mut sent = 0;
            refused |= transport.send(&messages(), &mut sent).await.is_err();
        }
        assert!(refused);
    }
}
