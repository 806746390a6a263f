//! The raw client: literal bytes out, strictly read answers back, every way to leave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::Socket;

use super::DEADLINE;
use super::tls::Authority;
use super::wire::{Ended, Message, Reader, Side};

/// A final answer with the interim (1xx) ones that came before it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Heads with a status below 200.
    pub(crate) interim: Vec<Message>,
    /// The answer itself, or how far it came.
    pub(crate) last: Message,
}

impl Answer {
    /// The status; 0 when there was no head.
    pub(crate) fn status(&self) -> u16 {
        self.last.status()
    }

    /// The answer, which has to be a whole 200.
    pub(crate) fn ok(self) -> Message {
        assert_eq!(self.status(), 200, "{self:?}");
        self.whole()
    }

    /// The answer, which has to be whole.
    pub(crate) fn whole(self) -> Message {
        assert!(self.last.is_complete(), "not a whole answer: {:?}", self.last);
        self.last
    }
}

/// Bytes both ways, whatever carries them.
trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

/// One connection to the proxy.
pub(crate) struct Client {
    reader: Reader<Box<dyn Transport>>,
    socket: Socket,
}

impl Client {
    /// A plain connection.
    pub(crate) fn connect(addr: SocketAddr) -> Client {
        Client::over(TcpStream::connect(addr).unwrap().into())
    }

    /// A plain connection with little room for what was not read yet, so that the proxy notices who does not read.
    pub(crate) fn connect_narrow(addr: SocketAddr) -> Client {
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.connect(&addr.into()).unwrap();
        Client::over(socket)
    }

    /// A TLS connection that trusts [`Authority::shared`].
    pub(crate) fn connect_tls(addr: SocketAddr) -> Client {
        Client::connect(addr).secure(Authority::shared().client(&["http/1.1"]), "localhost")
    }

    /// A connection to a unix socket.
    pub(crate) fn connect_unix(path: &Path) -> Client {
        Client::over(Socket::from(OwnedFd::from(UnixStream::connect(path).unwrap())))
    }

    fn over(socket: Socket) -> Client {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        // Unix sockets have no such thing.
        let _ = socket.set_tcp_nodelay(true);
        Client { reader: Reader::new(Box::new(socket.try_clone().unwrap())), socket }
    }

    /// Speaks TLS from here on, and asks for a name.
    pub(crate) fn secure(self, config: Arc<ClientConfig>, name: &str) -> Client {
        let session = ClientConnection::new(config, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
        let stream = StreamOwned::new(session, self.socket.try_clone().unwrap());
        Client { reader: Reader::new(Box::new(stream)), socket: self.socket }
    }

    /// The bytes both ways, for who reads no HTTP/1.
    pub(super) fn transport(&mut self) -> &mut (impl Read + Write) {
        self.reader.stream()
    }

    /// This end's address as the proxy's `peer_address` names it.
    pub(crate) fn local_addr(&self) -> String {
        self.socket.local_addr().unwrap().as_socket().unwrap().to_string()
    }

    /// How long a read may take from here on.
    pub(crate) fn patience(&self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).unwrap();
    }

    /// Sends literal bytes; panics when the proxy does not take them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// Sends literal bytes to a proxy that may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.reader.stream().write_all(bytes.as_ref())?;
        self.reader.stream().flush()
    }

    /// Reads one answer to a request with this method.
    pub(crate) fn answer_to(&mut self, method: &'static str) -> Answer {
        let mut interim = Vec::new();
        loop {
            let mut last = self.reader.head(Side::AnswerTo(method));
            if last.is_complete() && (100..200).contains(&last.status()) && last.status() != 101 {
                interim.push(last);
                continue;
            }
            if last.is_complete() {
                self.reader.body(Side::AnswerTo(method), &mut last);
            }
            return Answer { interim, last };
        }
    }

    /// Reads one answer to a GET or anything that is answered like it.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads the head of one answer and leaves its body on the connection.
    pub(crate) fn head(&mut self) -> Message {
        self.reader.head(Side::AnswerTo("GET"))
    }

    /// Sends one request and reads its answer.
    pub(crate) fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer()
    }

    /// What is there already, or the next bytes that come.
    pub(crate) fn read_some(&mut self) -> Vec<u8> {
        self.reader.some()
    }

    /// So many bytes, whatever they are.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        self.reader.exactly(length)
    }

    /// Everything until the proxy closes.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Ended) {
        self.reader.rest()
    }

    /// Says that nothing more will be sent (FIN), and goes on reading; the proxy may have closed already.
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Leaves with a reset, as a killed process does.
    pub(crate) fn reset(self) {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A request with an id of the test's choosing; `more` are whole header lines, each with its CRLF.
pub(crate) fn request(method: &str, target: &str, id: &str, more: &str, body: &str) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: test.example\r\nX-Request-ID: {id}\r\n{more}{length}\r\n{body}")
        .into_bytes()
}

/// One GET on a connection of its own.
pub(crate) fn get(addr: SocketAddr, target: &str, id: &str) -> Answer {
    Client::connect(addr).exchange(request("GET", target, id, "", ""))
}
