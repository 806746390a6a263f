//! The line between the two processes: sockets by name one way, one word the other way, and the end of either.
//!
//! Messages keep their bounds (`SOCK_SEQPACKET`): one for each socket, which is its name with the descriptor beside it
//! (`SCM_RIGHTS`), then [`ALL`]. The answer is [`READY`].

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::listen::Socket;

/// Says that there are no more sockets; no name is like this.
pub(super) const ALL: &str = "\n";
/// Says that the sockets are served.
pub(super) const READY: &str = "ready";
/// Bytes of a message: a name is an address or a path.
const LONGEST: usize = 8192;

/// One end of it, within a runtime.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

/// What comes over it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) socket: Option<OwnedFd>,
}

impl Line {
    /// A line; its other end is for a process that is about to be started.
    pub(super) fn pair() -> io::Result<(Line, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Line::new(ours)?, theirs))
    }

    pub(super) fn new(end: OwnedFd) -> io::Result<Line> {
        let stream = StdStream::from(end);
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(Line)
    }

    /// Sends all sockets, and waits until the other end serves them.
    pub(super) async fn pass_on(&self, sockets: &[(String, Socket)]) -> io::Result<()> {
        for (name, socket) in sockets {
            self.send(name, Some(descriptor(socket))).await?;
        }
        self.send(ALL, None).await?;
        match self.0.async_io(Interest::READABLE, || receive(&self.0)).await?.text.as_str() {
            READY => Ok(()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// Says that the sockets are served.
    pub(super) async fn tell_ready(&self) -> io::Result<()> {
        self.send(READY, None).await
    }

    /// Waits until nobody is at the other end.
    pub(super) async fn closed(&self) {
        while self.0.async_io(Interest::READABLE, || receive(&self.0)).await.is_ok() {}
    }

    async fn send(&self, text: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, || send(&self.0, text, socket)).await
    }
}

fn descriptor(socket: &Socket) -> BorrowedFd<'_> {
    match socket {
        Socket::Tcp(socket) => socket.as_fd(),
        Socket::Unix(socket) => socket.as_fd(),
    }
}

fn send(line: impl AsFd, text: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let descriptors = socket.as_slice();
    if !descriptors.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(line, &[IoSlice::new(text.as_bytes())], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message.
///
/// # Errors
/// [`ErrorKind::UnexpectedEof`] when there is nobody at the other end; those of the system.
pub(super) fn receive(line: impl AsFd) -> io::Result<Message> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(line, &mut [IoSliceMut::new(&mut text)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let sockets = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let socket = sockets.flatten().next();
    text.truncate(received.bytes);
    let text = String::from_utf8(text).map_err(|_| ErrorKind::InvalidData)?;
    Ok(Message { text, socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_arrives_under_its_name_and_is_the_same_one() {
        let (line, theirs) = Line::pair().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Waits to be accepted by whoever comes.
        let _client = std::net::TcpStream::connect(address).unwrap();
        let sockets = [("127.0.0.1:0".to_owned(), Socket::Tcp(listener))];
        let other = std::thread::spawn(move || {
            let Message { text, socket } = receive(&theirs).unwrap();
            let listener = std::net::TcpListener::from(socket.unwrap());
            let last = receive(&theirs).unwrap();
            assert!(last.socket.is_none());
            listener.accept().unwrap();
            send(&theirs, READY, None).unwrap();
            (text, listener.local_addr().unwrap(), last.text)
        });
        line.pass_on(&sockets).await.unwrap();
        assert_eq!(other.join().unwrap(), ("127.0.0.1:0".to_owned(), address, ALL.to_owned()));
        line.closed().await;
    }

    #[tokio::test]
    async fn the_end_of_the_other_process_is_heard() {
        let (line, theirs) = Line::pair().unwrap();
        drop(theirs);
        assert!(line.pass_on(&[]).await.is_err());
    }
}
