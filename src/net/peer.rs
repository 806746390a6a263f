//! Who is at the other end of a client's connection, rendered once for all its requests.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::proxy_protocol::Addresses;

/// The far end of a client's connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Address and port of the socket's peer; `None` behind a unix socket.
    pub address: Option<SocketAddr>,
    /// The same as text; `unix:` behind a unix socket.
    pub address_text: Box<str>,
    /// The IP address that it speaks for, IPv4 in IPv6 unwrapped: the socket's, or the one that a trusted peer has
    /// announced (PROXY protocol); `None` behind a unix socket that announced none.
    pub ip: Option<IpAddr>,
    /// The same as text, empty for `None`.
    pub ip_text: Box<str>,
    /// What a trusted peer has announced, if it has.
    pub announced: Option<Box<Addresses>>,
    /// The TLS session, if there is one.
    pub tls: Option<TlsSession>,
}

/// What the handshake with a client agreed upon.
#[derive(Debug, Clone, Default)]
pub struct TlsSession {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher: &'static str,
    /// The name the client asked for.
    pub sni: Option<Box<str>>,
    /// The protocol agreed upon.
    pub alpn: Option<Box<str>>,
    /// The subject of the client's certificate, as RFC 4514 writes names.
    pub client_subject: Option<Box<str>>,
}

/// What counts as one client where clients are counted: an IPv4 address, or the 64 bits of IPv6 that a network is given and
/// within which its hosts choose as they like (RFC 4291 §2.5.4).
pub fn block(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        ip => ip,
    }
}

impl Peer {
    /// The far end of a TCP connection.
    pub fn new(address: SocketAddr, tls: Option<TlsSession>) -> Peer {
        let ip = address.ip().to_canonical();
        let address = SocketAddr::new(ip, address.port());
        let (address_text, ip_text) = texts(address);
        Peer { address: Some(address), address_text, ip: Some(ip), ip_text, announced: None, tls }
    }

    /// The far end of a unix socket: somebody on this machine.
    pub fn unix() -> Peer {
        let (address_text, ip_text) = (UNIX.into(), Box::default());
        Peer { address: None, address_text, ip: None, ip_text, announced: None, tls: None }
    }

    /// Notes whom a trusted peer speaks for.
    pub fn announce(&mut self, addresses: Addresses) {
        let source = addresses.source.ip().to_canonical();
        self.ip = Some(source);
        self.ip_text = source.to_string().into();
        self.announced = Some(Box::new(addresses));
    }

    /// `https` behind TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// An address and its IP address as text. A connection for a single request has them written for that one alone, and
/// formatting would be a twentieth of what such a connection costs beside the kernel.
fn texts(address: SocketAddr) -> (Box<str>, Box<str>) {
    let IpAddr::V4(ip) = address.ip() else {
        return (address.to_string().into(), address.ip().to_string().into());
    };
    let (mut text, mut number) = (String::with_capacity("255.255.255.255:65535".len()), itoa::Buffer::new());
    for (place, octet) in ip.octets().into_iter().enumerate() {
        text.push_str(if place == 0 { "" } else { "." });
        text.push_str(number.format(octet));
    }
    let ip = Box::from(&*text);
    text.push(':');
    text.push_str(number.format(address.port()));
    (Box::from(&*text), ip)
}

/// What stands for the address of somebody behind a unix socket, as nginx writes it.
pub const UNIX: &str = "unix:";

/// Peers whose word is taken about whom they speak for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedPeers {
    /// By address.
    pub nets: Vec<IpNet>,
    /// Whoever can connect to a unix socket.
    pub unix: bool,
}

impl TrustedPeers {
    /// Whether the word of this address is taken; `None` is a peer behind a unix socket.
    pub fn contains(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.nets.iter().any(|net| net.contains(&address)),
            None => self.unix,
        }
    }

    /// Nobody's word is taken.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty() && !self.unix
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whom_a_peer_speaks_for_does_not_change_where_it_is() {
        let mut peer = Peer::new("[::ffff:10.0.0.1]:4000".parse().unwrap(), None);
        let source = "[::ffff:192.0.2.7]:5".parse().unwrap();
        peer.announce(Addresses { source, destination: "[::1]:80".parse().unwrap() });
        assert_eq!((&*peer.address_text, &*peer.ip_text), ("10.0.0.1:4000", "192.0.2.7"));
    }

    proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_does(address: SocketAddr) {
            prop_assert_eq!(texts(address), (address.to_string().into(), address.ip().to_string().into()));
        }
    }

    #[test]
    fn unix_sockets_are_trusted_by_name_only() {
        let nets = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        let trusted = TrustedPeers { nets, unix: false };
        assert!(trusted.contains(Peer::new("192.0.2.1:1".parse().unwrap(), None).ip));
        assert!(!trusted.contains(Peer::unix().ip));
        assert!(TrustedPeers { nets: Vec::new(), unix: true }.contains(None));
    }
}
