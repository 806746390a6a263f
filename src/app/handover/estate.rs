//! Listening sockets by name: what one process leaves, and what the next one finds.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::listen::Socket;

/// Sockets by name, those of one name in their order. They are held open until they are let go of.
#[derive(Debug, Default)]
pub(in crate::app) struct Estate(Mutex<Vec<(String, Socket)>>);

impl Estate {
    /// Adds one that is in use elsewhere too.
    pub(in crate::app) fn add(&self, name: &str, socket: &Socket) -> io::Result<()> {
        let shared = socket.share()?;
        self.all().push((name.to_owned(), shared));
        Ok(())
    }

    /// Takes those of one name out.
    pub(in crate::app) fn take(&self, name: &str) -> Vec<Socket> {
        let mut all = self.all();
        let (named, others) = all.drain(..).partition::<Vec<_>, _>(|(other, _)| other == name);
        *all = others;
        named.into_iter().map(|(_, socket)| socket).collect()
    }

    /// Lets go of all, and gives their names.
    pub(in crate::app) fn close(&self) -> Vec<String> {
        self.all().drain(..).map(|(name, _)| name).collect()
    }

    /// All of them, once more.
    pub(super) fn sockets(&self) -> io::Result<Vec<(String, Socket)>> {
        self.all().iter().map(|(name, socket)| Ok((name.clone(), socket.share()?))).collect()
    }

    pub(super) fn push(&self, name: String, socket: Socket) {
        self.all().push((name, socket));
    }

    fn all(&self) -> MutexGuard<'_, Vec<(String, Socket)>> {
        // A panic in between leaves whole sockets.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_name_in_their_order() {
        let estate = Estate::default();
        let sockets: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        for (name, socket) in ["a", "b", "a"].into_iter().zip(sockets) {
            estate.push(name.to_owned(), Socket::Tcp(socket));
        }
        let address = |socket: &Socket| match socket {
            Socket::Tcp(socket) => socket.local_addr().unwrap(),
            Socket::Unix(_) => panic!("no unix socket was added"),
        };
        let taken: Vec<_> = estate.take("a").iter().map(address).collect();
        assert_eq!(taken, [addresses[0], addresses[2]]);
        assert!(estate.take("a").is_empty());
        assert_eq!(estate.close(), ["b"]);
    }
}
