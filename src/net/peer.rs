//! Who is at the other end of a client's connection, rendered once for all its requests.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The far end of a client's connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Address and port of the socket's peer.
    pub address: SocketAddr,
    /// The same as text.
    pub address_text: Box<str>,
    /// The IP address alone, IPv4 in IPv6 unwrapped.
    pub ip: IpAddr,
    /// The same as text.
    pub ip_text: Box<str>,
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
    /// The far end of a connection.
    pub fn new(address: SocketAddr, tls: Option<TlsSession>) -> Peer {
        let ip = address.ip().to_canonical();
        let address = SocketAddr::new(ip, address.port());
        Peer { address, address_text: address.to_string().into(), ip, ip_text: ip.to_string().into(), tls }
    }

    /// `https` behind TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}
