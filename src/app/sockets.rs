//! The listening sockets of a listener, for all cores: bound here, handed over by the process before, or opened by the
//! service manager; and its way in.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::disk::account;
use crate::listen::accept::{bind, is_taken};
use crate::listen::{
    Entrance, ListenAddress, ListenSettings, ProxyProtocol, Socket, SocketAccess, TlsSettings, TlsVersion,
};
use crate::net::server_tls::{CertificateFiles, ClientFiles, ServerFiles, ServerTlsError};
use crate::net::unix_socket::{self, Permissions, SocketFile};
use crate::net::{ServerTls, TrustedPeers};

use super::StartError;
use super::systemd::Inherited;

/// Protocols offered over TLS, the better one first.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The listening sockets of one listener.
pub(super) struct Bound {
    /// Those of TCP.
    pub(super) addresses: Vec<SocketAddr>,
    /// All of them as an operator would write them.
    pub(super) names: Vec<String>,
    /// Those of each core, to itself where the system allows.
    pub(super) per_core: Vec<Vec<Socket>>,
    /// A unix socket that goes when this does.
    pub(super) file: Option<SocketFile>,
    /// Every socket once more, for the process after this one.
    pub(super) kept: Vec<Socket>,
}

/// Where the sockets of a listener may come from.
pub(super) struct Origins<'a> {
    /// Those that the process before has handed over.
    pub(super) handed: Vec<Socket>,
    /// What the service manager has opened.
    pub(super) inherited: &'a Inherited,
    /// Where we still listen ourselves, and will not when this one does.
    pub(super) given_up: &'a [SocketAddr],
}

impl Bound {
    /// Listens for so many cores.
    ///
    /// # Errors
    /// Those of the system, by address.
    pub(super) fn bind(listener: &ListenSettings, cores: usize, origins: Origins<'_>) -> Result<Bound, StartError> {
        let (addresses, names, per_core) = (Vec::new(), Vec::new(), (0..cores).map(|_| Vec::new()).collect());
        let mut bound = Bound { addresses, names, per_core, file: None, kept: Vec::new() };
        bound.add(listener, origins).map_err(|source| {
            let address = listener.address.to_string();
            StartError::Listen { address, source }
        })?;
        Ok(bound)
    }

    fn add(&mut self, listener: &ListenSettings, origins: Origins<'_>) -> io::Result<()> {
        let Origins { mut handed, inherited, given_up } = origins;
        match &listener.address {
            ListenAddress::Tcp(_) if !handed.is_empty() => self.add_handed(handed),
            ListenAddress::Tcp(address) => self.add_tcp(*address, given_up),
            ListenAddress::Unix(path) => {
                let (socket, file) = unix_socket_at(path, &permissions(&listener.access)?, handed.pop())?;
                self.file = Some(file);
                self.add_shared(socket)
            }
            ListenAddress::Inherited(name) => {
                let sockets = if handed.is_empty() { inherited.share(name)? } else { handed };
                sockets.into_iter().try_for_each(|socket| self.add_shared(socket))
            }
        }
    }

    /// Every socket has a core that accepts from it, and every core has a socket: where their numbers differ, some share
    /// one. Another one at the same address would be lost, with what waits in it, if this process did not come to serve.
    fn add_handed(&mut self, sockets: Vec<Socket>) -> io::Result<()> {
        let cores = self.per_core.len();
        for at in 0..cores.max(sockets.len()) {
            self.per_core[at % cores].push(sockets[at % sockets.len()].share()?);
        }
        if let Some(Socket::Tcp(socket)) = sockets.first() {
            self.note_tcp(socket.local_addr()?);
        }
        self.kept.extend(sockets);
        Ok(())
    }

    /// The first core's socket settles which port it is, where any will do.
    fn add_tcp(&mut self, mut address: SocketAddr, given_up: &[SocketAddr]) -> io::Result<()> {
        if !given_up.iter().any(|known| overlap(*known, address)) && is_taken(address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        for core in &mut self.per_core {
            let socket = bind(address)?;
            address = socket.local_addr()?;
            let socket = Socket::Tcp(socket);
            self.kept.push(socket.share()?);
            core.push(socket);
        }
        self.note_tcp(address);
        Ok(())
    }

    /// A socket that there is one of: every core accepts from it.
    fn add_shared(&mut self, socket: Socket) -> io::Result<()> {
        for core in &mut self.per_core {
            core.push(socket.share()?);
        }
        match &socket {
            Socket::Tcp(socket) => self.note_tcp(socket.local_addr()?),
            Socket::Unix(socket) => {
                let name = socket.local_addr()?;
                // One that was bound here has been renamed since.
                let path = self.file.as_ref().map(SocketFile::path).filter(|_| !is_found(name.as_pathname()));
                let path = path.or(name.as_pathname()).unwrap_or(Path::new(""));
                self.names.push(format!("unix:{}", path.display()));
            }
        }
        self.kept.push(socket);
        Ok(())
    }

    fn note_tcp(&mut self, address: SocketAddr) {
        self.names.push(address.to_string());
        self.addresses.push(address);
    }
}

/// The socket of a file: the one that was handed over, as long as the file is still its, or one that is bound now.
fn unix_socket_at(path: &Path, permissions: &Permissions, handed: Option<Socket>) -> io::Result<(Socket, SocketFile)> {
    if let Some(socket) = handed
        && let Some(file) = unix_socket::adopt(path, permissions)?
    {
        return Ok((socket, file));
    }
    unix_socket::bind(path, permissions).map(|(socket, file)| (Socket::Unix(socket), file))
}

/// Whether a socket on one of them keeps others from the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (any || one.ip() == other.ip())
}

fn is_found(path: Option<&Path>) -> bool {
    path.is_some_and(|path| crate::disk::paths::look(path).is_ok())
}

fn permissions(access: &SocketAccess) -> io::Result<Permissions> {
    let unknown = |name: &str| io::Error::new(io::ErrorKind::NotFound, format!("no account {name:?}"));
    let find = |name: &Option<String>, find: fn(&str) -> Option<u32>| {
        name.as_deref().map(|name| find(name).ok_or_else(|| unknown(name))).transpose()
    };
    let (user, group) = (find(&access.owner, account::user)?, find(&access.group, account::group)?);
    Ok(Permissions { mode: access.mode, user, group })
}

/// How who connects to a listener is spoken to; with the TLS that there is already, where it is the same.
///
/// # Errors
/// A file that cannot be used.
pub(super) fn entrance(
    listener: &ListenSettings,
    trusted: &Arc<TrustedPeers>,
    tls: Option<Arc<ServerTls>>,
) -> Result<Entrance, ServerTlsError> {
    let announced = |versions| ProxyProtocol { versions, trusted: Arc::clone(trusted) };
    let load = |tls: &TlsSettings| ServerTls::load(files(tls)).map(Arc::new);
    Ok(Entrance {
        proxy_protocol: listener.proxy_protocol.map(announced),
        tls: if tls.is_some() { tls } else { listener.tls.as_ref().map(load).transpose()? },
        redirect: listener.redirect,
        hsts: listener.hsts.clone(),
    })
}

fn files(tls: &TlsSettings) -> ServerFiles {
    let pairs = tls.certificates.iter();
    let pairs = pairs.map(|pair| CertificateFiles { certificate: pair.certificate.clone(), key: pair.key.clone() });
    let mut files = ServerFiles::new(pairs.collect(), ALPN);
    if tls.min_version == TlsVersion::V13 {
        files.oldest = &rustls::version::TLS13;
    }
    let clients = tls.client.as_ref();
    files.clients =
        clients.map(|client| ClientFiles { authorities: client.authorities.clone(), required: client.required });
    files
}
