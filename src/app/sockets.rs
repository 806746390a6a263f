//! The listening sockets of all listeners, for all cores: bound here, or opened by the service manager.

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
}

impl Bound {
    pub(super) fn all(config: &Config, cores: usize) -> Result<Bound, StartError> {
        let per_core = (0..cores).map(|_| Vec::new()).collect();
        let (addresses, urls, tls, files) = Default::default();
        let mut bound = Bound { addresses, urls, per_core, tls, files };
        let mut inherited = Inherited::default();
        if config.listeners.iter().any(|listener| matches!(listener.address, ListenAddress::Inherited(_))) {
            inherited = Inherited::from_environment();
        }
        let trusted = Arc::new(config.exchange.trusted_proxies.clone());
        for listener in &config.listeners {
            let entrance = entrance(listener, &trusted)?;
            bound.tls.extend(entrance.tls.clone());
            bound.add(listener, entrance, &mut inherited).map_err(|source| {
                let address = listener.address.to_string();
                StartError::Listen { address, source }
            })?;
        }
        Ok(bound)
    }

    fn add(&mut self, listener: &ListenSettings, entrance: Entrance, inherited: &mut Inherited) -> io::Result<()> {
        match &listener.address {
            ListenAddress::Tcp(address) => self.add_tcp(*address, &entrance),
            ListenAddress::Unix(path) => {
                let (socket, file) = unix_socket::bind(path, &permissions(&listener.access)?)?;
                self.files.push(file);
                self.add_shared(Socket::Unix(socket), &entrance)
            }
            ListenAddress::Inherited(name) => {
                let sockets = inherited.take(name)?;
                sockets.into_iter().try_for_each(|socket| self.add_shared(socket, &entrance))
            }
        }
    }

    /// The first core's socket settles which port it is, where any will do.
    fn add_tcp(&mut self, mut address: SocketAddr, entrance: &Entrance) -> io::Result<()> {
        if is_taken(address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        for core in &mut self.per_core {
            let socket = bind(address)?;
            address = socket.local_addr()?;
            core.push(Listener { socket: Socket::Tcp(socket), entrance: entrance.clone() });
        }
        self.note_tcp(address, entrance);
        Ok(())
    }

    /// A socket that there is one of: every core accepts from it.
    fn add_shared(&mut self, socket: Socket, entrance: &Entrance) -> io::Result<()> {
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
