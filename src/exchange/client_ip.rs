//! Whose request it is: the chain of forwarders, walked from the right as far as it is trusted.
//!
//! A header is read only when the socket's peer is a trusted proxy; the client is then the rightmost address that is
//! not one. The leftmost, which anybody can write, is never simply believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::net::TrustedPeers;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Hops that are looked at before a chain counts as nonsense.
const MAX_HOPS: usize = 64;

/// The peers whose word is taken.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(TrustedPeers);

impl TrustedProxies {
    /// These peers.
    pub fn new(peers: TrustedPeers) -> TrustedProxies {
        TrustedProxies(peers)
    }

    /// Whether the word of this address is taken; `None` is a peer behind a unix socket.
    pub fn contains(&self, address: Option<IpAddr>) -> bool {
        self.0.contains(address)
    }

    /// The client behind the peer, as `X-Forwarded-For`, or without it `Forwarded` (RFC 7239), says.
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if self.0.is_empty() || !self.contains(peer) {
            return peer;
        }
        if headers.contains_key(&FORWARDED_FOR) {
            return self.walk(peer, rightmost_first(headers, &FORWARDED_FOR).map(parse_address));
        }
        self.walk(
            peer,
            rightmost_first(headers, &header::FORWARDED).map(|element| parse_address(forwarded_for(element))),
        )
    }

    /// An unreadable hop ends the walk: what stands left of it cannot be vouched for.
    fn walk(&self, peer: Option<IpAddr>, hops: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut client = peer;
        for hop in hops.take(MAX_HOPS) {
            match hop {
                Some(_) if self.contains(hop) => client = hop,
                Some(_) => return hop,
                None => return client,
            }
        }
        client
    }
}

fn rightmost_first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
}

/// The `for` parameter of one element of `Forwarded`, empty where there is none.
fn forwarded_for(element: &[u8]) -> &[u8] {
    let parameter = element.split(|byte| *byte == b';').find_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value[1..].trim_ascii())
    });
    parameter.unwrap_or_default()
}

/// An address with or without port, brackets and quotes.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim().trim_matches('"');
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let trusted = TrustedProxies::new(TrustedPeers { nets: trusted.to_vec(), unix: true });
        // A peer behind a unix socket has no address.
        trusted.client(peer.parse().ok(), &map).map_or_else(String::new, |client| client.to_string())
    }

    #[test]
    fn the_walk_goes_from_the_right_over_trusted_hops() {
        let xff = |value| [("x-forwarded-for", value)];
        assert_eq!(client("127.0.0.1", &xff("203.0.113.9")), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &xff("1.1.1.1, 203.0.113.9, 10.1.2.3")), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &xff("10.9.9.9, 10.1.2.3")), "10.9.9.9");
        assert_eq!(client("127.0.0.1", &xff("1.1.1.1, nonsense, 10.1.2.3")), "10.1.2.3");
        assert_eq!(client("127.0.0.1", &xff("[2001:db8::1]:443")), "2001:db8::1");
        assert_eq!(client("127.0.0.1", &xff("198.51.100.7:5555")), "198.51.100.7");
    }

    #[test]
    fn behind_a_unix_socket_there_is_nobody_unless_a_header_says_who() {
        assert_eq!(client("unix:", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
        assert_eq!(client("unix:", &[("x-forwarded-for", "unknown")]), "");
        assert_eq!(client("unix:", &[]), "");
    }

    #[test]
    fn several_lines_are_one_list() {
        let headers = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9, 10.0.0.1")];
        assert_eq!(client("127.0.0.1", &headers), "203.0.113.9");
    }

    #[test]
    fn a_header_from_anyone_else_is_not_read() {
        assert_eq!(client("192.0.2.1", &[("x-forwarded-for", "203.0.113.9")]), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_where_the_older_header_is_absent() {
        let headers = [("forwarded", r#"for=1.1.1.1, for="[2001:db8::7]:80";proto=https, for=10.0.0.3;by=x"#)];
        assert_eq!(client("10.0.0.1", &headers), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=_hidden, for=10.0.0.3")]), "10.0.0.3");
    }
}
