//! The listening sockets of all listeners, for all cores: bound here, handed over by the process before, or opened by the
//! service manager.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::disk::account;
use crate::listen::accept::{bind, is_taken};
use crate::listen::{
    Entrance, ListenAddress, ListenSettings, Listener, ProxyProtocol, Socket, SocketAccess, TlsSettings, TlsVersion,
};
use crate::net::server_tls::{CertificateFiles, ClientFiles, ServerFiles, ServerTlsError};
use crate::net::unix_socket::{self, Permissions, SocketFile};
use crate::net::{ServerTls, TrustedPeers};

use super::StartError;
use super::handover::Estate;
use super::systemd::Inherited;

/// Protocols offered over TLS, the better one first.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// All listening sockets.
pub(super) struct Bound {
    /// Those of TCP, and whether TLS is spoken there.
    pub(super) addresses: Vec<(SocketAddr, bool)>,
    /// All of them as an operator would write them.
    pub(super) urls: Vec<String>,
    /// For each core one of each, to itself where the system allows.
    pub(super) per_core: Vec<Vec<Listener>>,
    /// The TLS that is spoken, listener by listener.
    pub(super) tls: Vec<Arc<ServerTls>>,
    /// Unix sockets that go when these do.
    pub(super) files: Vec<SocketFile>,
    /// Every socket, for the process after this one.
    pub(super) estate: Estate,
}

impl Bound {
    /// Those of all listeners. What is in the `handed` estate is taken from there.
    pub(super) fn all(config: &Config, cores: usize, handed: &Estate) -> Result<Bound, StartError> {
        let per_core = (0..cores).map(|_| Vec::new()).collect();
        let (addresses, urls, tls, files, estate) = Default::default();
        let mut bound = Bound { addresses, urls, per_core, tls, files, estate };
        let mut inherited = Inherited::default();
        if config.listeners.iter().any(|listener| matches!(listener.address, ListenAddress::Inherited(_))) {
            inherited = Inherited::from_environment();
        }
        let trusted = Arc::new(config.exchange.trusted_proxies.clone());
        for (at, listener) in config.listeners.iter().enumerate() {
            let name = name(&config.listeners, at);
            let handed = handed.take(&name);
            let entrance = entrance(listener, &trusted)?;
            bound.tls.extend(entrance.tls.clone());
            bound.add(listener, entrance, Sources { name, handed, inherited: &mut inherited }).map_err(|source| {
                let address = listener.address.to_string();
                StartError::Listen { address, source }
            })?;
        }
        Ok(bound)
    }

    fn add(&mut self, listener: &ListenSettings, entrance: Entrance, sources: Sources<'_>) -> io::Result<()> {
        let Sources { name, mut handed, inherited } = sources;
        match &listener.address {
            ListenAddress::Tcp(_) if !handed.is_empty() => self.add_handed(&name, &handed, &entrance),
            ListenAddress::Tcp(address) => self.add_tcp(&name, *address, &entrance),
            ListenAddress::Unix(path) => {
                let permissions = permissions(&listener.access)?;
                let adopted = handed.pop().zip(unix_socket::adopt(path, &permissions)?);
                let (socket, file) = match adopted {
                    Some(adopted) => adopted,
                    None => unix_socket::bind(path, &permissions).map(|(socket, file)| (Socket::Unix(socket), file))?,
                };
                self.files.push(file);
                self.add_shared(&name, socket, &entrance)
            }
            ListenAddress::Inherited(opened) => {
                let sockets = if handed.is_empty() { inherited.take(opened)? } else { handed };
                sockets.into_iter().try_for_each(|socket| self.add_shared(&name, socket, &entrance))
            }
        }
    }

    /// Every socket has a core that accepts from it, and every core has a socket: where their numbers differ, some share
    /// one. Another one at the same address would be lost, with what waits in it, if this process did not come to serve.
    fn add_handed(&mut self, name: &str, sockets: &[Socket], entrance: &Entrance) -> io::Result<()> {
        let cores = self.per_core.len();
        for at in 0..cores.max(sockets.len()) {
            let socket = sockets[at % sockets.len()].share()?;
            self.per_core[at % cores].push(Listener { socket, entrance: entrance.clone() });
        }
        sockets.iter().try_for_each(|socket| self.estate.add(name, socket))?;
        if let Some(Socket::Tcp(socket)) = sockets.first() {
            self.note_tcp(socket.local_addr()?, entrance);
        }
        Ok(())
    }

    /// The first core's socket settles which port it is, where any will do.
    fn add_tcp(&mut self, name: &str, mut address: SocketAddr, entrance: &Entrance) -> io::Result<()> {
        if is_taken(address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        for core in &mut self.per_core {
            let socket = bind(address)?;
            address = socket.local_addr()?;
            let socket = Socket::Tcp(socket);
            self.estate.add(name, &socket)?;
            core.push(Listener { socket, entrance: entrance.clone() });
        }
        self.note_tcp(address, entrance);
        Ok(())
    }

    /// A socket that there is one of: every core accepts from it.
    fn add_shared(&mut self, name: &str, socket: Socket, entrance: &Entrance) -> io::Result<()> {
        self.estate.add(name, &socket)?;
        for core in &mut self.per_core {
            core.push(Listener { socket: socket.share()?, entrance: entrance.clone() });
        }
        match &socket {
            Socket::Tcp(socket) => self.note_tcp(socket.local_addr()?, entrance),
            Socket::Unix(socket) => {
                let name = socket.local_addr()?;
                // One that was bound here has been renamed since.
                let path = self.files.last().map(SocketFile::path).filter(|_| !is_found(name.as_pathname()));
                let path = path.or(name.as_pathname()).unwrap_or(Path::new(""));
                self.urls.push(format!("{}://unix:{}", scheme(entrance), path.display()));
            }
        }
        Ok(())
    }

    fn note_tcp(&mut self, address: SocketAddr, entrance: &Entrance) {
        self.urls.push(format!("{}://{address}", scheme(entrance)));
        self.addresses.push((address, entrance.tls.is_some()));
    }
}

/// Where the sockets of a listener may come from.
struct Sources<'a> {
    /// What they are handed over as.
    name: String,
    /// Those that were.
    handed: Vec<Socket>,
    inherited: &'a mut Inherited,
}

/// Its address; where several listeners have the same one (port 0 is any), with its number among them.
fn name(listeners: &[ListenSettings], at: usize) -> String {
    let address = listeners[at].address.to_string();
    match listeners[..at].iter().filter(|earlier| earlier.address.to_string() == address).count() {
        0 => address,
        earlier => format!("{address} {earlier}"),
    }
}

fn is_found(path: Option<&Path>) -> bool {
    path.is_some_and(|path| crate::disk::paths::look(path).is_ok())
}

fn scheme(entrance: &Entrance) -> &'static str {
    if entrance.tls.is_some() { "https" } else { "http" }
}

fn permissions(access: &SocketAccess) -> io::Result<Permissions> {
    let unknown = |name: &str| io::Error::new(io::ErrorKind::NotFound, format!("no account {name:?}"));
    let find = |name: &Option<String>, find: fn(&str) -> Option<u32>| {
        name.as_deref().map(|name| find(name).ok_or_else(|| unknown(name))).transpose()
    };
    let (user, group) = (find(&access.owner, account::user)?, find(&access.group, account::group)?);
    Ok(Permissions { mode: access.mode, user, group })
}

fn entrance(listener: &ListenSettings, trusted: &Arc<TrustedPeers>) -> Result<Entrance, ServerTlsError> {
    let announced = |versions| ProxyProtocol { versions, trusted: Arc::clone(trusted) };
    Ok(Entrance {
        proxy_protocol: listener.proxy_protocol.map(announced),
        tls: listener.tls.as_ref().map(|tls| ServerTls::load(files(tls)).map(Arc::new)).transpose()?,
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
