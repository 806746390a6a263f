//! What upstreams do wrong, by name. Each function is the script of one connection.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use super::upstream::Conn;

/// A port that is taken but not listened on, so that connecting is refused and nobody else can get it.
pub(crate) struct ClosedPort {
    /// Where connecting is refused.
    pub(crate) addr: SocketAddr,
    _taken: Socket,
}

impl ClosedPort {
    /// Takes a port.
    pub(crate) fn new() -> ClosedPort {
        let socket = bound_socket();
        ClosedPort { addr: address(&socket), _taken: socket }
    }
}

/// A listener whose backlog is full, so that connecting gets no answer at all.
pub(crate) struct FullBacklog {
    /// Where connecting hangs.
    pub(crate) addr: SocketAddr,
    _held: Vec<Socket>,
}

impl FullBacklog {
    /// Fills the backlog with connections that are never accepted.
    pub(crate) fn new() -> FullBacklog {
        let listener = bound_socket();
        listener.listen(0).unwrap();
        let addr = address(&listener);
        let mut held = vec![listener];
        for _ in 0..4 {
            let socket = stream_socket();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&addr.into());
            held.push(socket);
        }
        FullBacklog { addr, _held: held }
    }
}

fn stream_socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

fn bound_socket() -> Socket {
    let socket = stream_socket();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    socket
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}

/// Closes without reading.
pub(crate) fn closes_at_once(_: &mut Conn) {}

/// Resets as soon as it has accepted.
pub(crate) fn resets_at_once(conn: &mut Conn) {
    conn.reset();
}

/// Reads the request and closes without a word.
pub(crate) fn closes_after_the_request(conn: &mut Conn) {
    conn.request();
}

/// Reads the request and resets.
pub(crate) fn resets_after_the_request(conn: &mut Conn) {
    conn.request();
    conn.reset();
}

/// Reads the request and never says anything.
pub(crate) fn stalls_before_the_head(conn: &mut Conn) {
    conn.request();
    conn.stall();
}

/// Sends half a head and nothing more.
pub(crate) fn stalls_inside_the_head(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Le");
    conn.stall();
}

/// Sends half a head and closes.
pub(crate) fn closes_inside_the_head(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Le");
}

/// Sends half a head and resets.
pub(crate) fn resets_inside_the_head(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Le");
    conn.reset();
}

/// Sends one field after another without end.
pub(crate) fn never_ends_the_head(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\n");
    while conn.try_send(format!("X-More: {}\r\n", "x".repeat(1000))).is_ok() {}
}

/// Sends interim answers without end.
pub(crate) fn floods_with_interim_answers(conn: &mut Conn) {
    conn.request();
    while conn.try_send("HTTP/1.1 102 Processing\r\n\r\n".repeat(64)).is_ok() {}
}

/// Greets as a mail server does.
pub(crate) fn speaks_another_protocol(conn: &mut Conn) {
    conn.request();
    conn.send("220 mail.example ESMTP ready\r\n");
    conn.stall();
}

/// Sends bytes that are no protocol at all.
pub(crate) fn sends_garbage(conn: &mut Conn) {
    conn.request();
    conn.send(b"\x00\x01\x02\xff\xfe garbage \r\n\r\n".repeat(8));
    conn.stall();
}

/// Sends part of a body with a length and nothing more.
pub(crate) fn stalls_in_the_body(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    conn.stall();
}

/// Sends one chunk and nothing more.
pub(crate) fn stalls_between_chunks(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    conn.stall();
}

/// Sends part of a body with a length and closes.
pub(crate) fn closes_in_the_body(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
}

/// Sends part of a body with a length and resets.
pub(crate) fn resets_in_the_body(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    conn.reset();
}

/// Sends chunks and closes without the last one.
pub(crate) fn closes_without_the_last_chunk(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

/// Announces a chunk and closes inside it.
pub(crate) fn closes_inside_a_chunk(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello");
}

/// Sends a chunk size that is no number.
pub(crate) fn sends_a_bad_chunk_size(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n");
    conn.stall();
}

/// Sends a chunk that is longer than it says.
pub(crate) fn sends_an_overlong_chunk(conn: &mut Conn) {
    conn.request();
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello, world\r\n0\r\n\r\n");
    conn.stall();
}

/// Reads a request in full, then answers it byte by byte.
pub(crate) fn drips(conn: &mut Conn) {
    while conn.request().is_some() {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" {
            conn.send([*byte]);
        }
    }
}
