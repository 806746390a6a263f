//! The PROXY protocol, versions 1 and 2: who is behind a proxy that passes bytes on without reading them.
//!
//! Strict, as the specification asks of receivers (haproxy.org, `proxy-protocol.txt`, 2020/03/05): there is one way to read
//! a header or none. Addresses of families that are no IP, and the extensions of version 2, are stepped over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Bytes of the longest header that is read, as in nginx; extensions hardly ever take more than some hundred.
pub const MAX_HEADER: usize = 4096;
/// Bytes of the longest line of version 1, its end included (§2.1).
const MAX_LINE: usize = 107;
const LINE_BEGIN: &[u8] = b"PROXY ";
/// How version 2 begins (§2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

/// Which versions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// A line of text.
    V1,
    /// Binary.
    V2,
    /// Either.
    Any,
}

/// The version that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its bytes; the client's own begin behind them.
    pub length: usize,
    /// Who connects to whom; `None` where the proxy speaks for itself (`LOCAL`), or does not say (`UNKNOWN`, or no IP).
    pub addresses: Option<Addresses>,
}

/// The ends of the connection that is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Something else, or a version that is not asked for.
    #[error("the connection does not begin with a PROXY header of this version")]
    Missing,
    /// A line that is too long, or not of the form.
    #[error("the line of the PROXY header is malformed")]
    Line,
    /// A version, command, family or protocol that does not exist.
    #[error("the PROXY header has an unknown version, command, family or protocol")]
    Unknown,
    /// Less room than the addresses take.
    #[error("the PROXY header is too short for its addresses")]
    Short,
    /// More than [`MAX_HEADER`].
    #[error("the PROXY header is longer than {MAX_HEADER} bytes")]
    Long,
}

/// The header for a connection on behalf of somebody; `None` where it is on one's own, or nobody knows on whose.
pub fn write(version: Version, addresses: Option<Addresses>) -> Vec<u8> {
    let addresses = addresses.map(Addresses::of_one_family);
    match version {
        Version::V1 => line(addresses),
        Version::V2 => binary(addresses),
    }
}

fn line(addresses: Option<Addresses>) -> Vec<u8> {
    let Some(Addresses { source, destination }) = addresses else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (ips, ports) = ((source.ip(), destination.ip()), (source.port(), destination.port()));
    format!("PROXY {family} {} {} {} {}\r\n", ips.0, ips.1, ports.0, ports.1).into_bytes()
}

fn binary(addresses: Option<Addresses>) -> Vec<u8> {
    let Some(Addresses { source, destination }) = addresses else { return [SIGNATURE, &[0x20, 0, 0, 0]].concat() };
    let octets = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (family, length) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    [SIGNATURE, &[0x21, family, 0, length], &octets(source), &octets(destination), &ports].concat()
}

impl Addresses {
    /// A header has room for one family; IPv4 can be written as IPv6.
    fn of_one_family(self) -> Addresses {
        let Addresses { source, destination } = self;
        if source.is_ipv4() == destination.is_ipv4() {
            return self;
        }
        let mapped = |end: SocketAddr| match end.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
            IpAddr::V6(_) => end,
        };
        Addresses { source: mapped(source), destination: mapped(destination) }
    }
}

/// Reads the header that a connection begins with; `None` where more bytes are needed, all of which are the header's so far.
///
/// # Errors
///
/// As soon as it is clear that it is none.
pub fn parse(bytes: &[u8], versions: Versions) -> Result<Option<Header>, HeaderError> {
    let may_begin = |with: &[u8]| bytes.iter().zip(with).all(|(byte, wanted)| byte == wanted);
    if versions != Versions::V2 && may_begin(LINE_BEGIN) {
        return parse_line(bytes);
    }
    if versions != Versions::V1 && may_begin(SIGNATURE) {
        return parse_binary(bytes);
    }
    Err(HeaderError::Missing)
}

fn parse_line(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let shown = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = memchr::memchr(b'\r', shown) else {
        let may_go_on = shown.len() < MAX_LINE - 1 && !shown.contains(&b'\n');
        return if may_go_on { Ok(None) } else { Err(HeaderError::Line) };
    };
    match shown.get(end + 1) {
        Some(b'\n') => {}
        None if end + 1 < MAX_LINE => return Ok(None),
        _ => return Err(HeaderError::Line),
    }
    let text = shown.get(LINE_BEGIN.len()..end).and_then(|text| std::str::from_utf8(text).ok());
    let text = text.filter(|text| !text.contains('\n')).ok_or(HeaderError::Line)?;
    let addresses = line_addresses(text)?;
    Ok(Some(Header { length: end + 2, addresses }))
}

/// What stands between `PROXY ` and the end of the line.
fn line_addresses(text: &str) -> Result<Option<Addresses>, HeaderError> {
    // Whatever follows it has no meaning (§2.1).
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(None);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return Err(HeaderError::Line);
    };
    let address = |text: &str| match family {
        "TCP4" => Ipv4Addr::from_str(text).ok().map(IpAddr::V4),
        "TCP6" => Ipv6Addr::from_str(text).ok().map(IpAddr::V6),
        _ => None,
    };
    let end = |ip, number| Some(SocketAddr::new(address(ip)?, port(number)?));
    let addresses = end(source, source_port).zip(end(destination, destination_port));
    let (source, destination) = addresses.ok_or(HeaderError::Line)?;
    Ok(Some(Addresses { source, destination }))
}

/// Digits alone, and no noughts before them.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn parse_binary(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let (command, family) = match bytes {
        [_, _, _, _, _, _, _, _, _, _, _, _, command, family, ..] => (*command, *family),
        [_, _, _, _, _, _, _, _, _, _, _, _, command] => (*command, 0),
        _ => return Ok(None),
    };
    // The version stands in the upper half.
    if !matches!(command, 0x20 | 0x21) || family >> 4 > 3 || family & 0xf > 2 {
        return Err(HeaderError::Unknown);
    }
    let Some(length) = bytes.get(14..FIXED) else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length > MAX_HEADER {
        return Err(HeaderError::Long);
    }
    let Some(content) = bytes.get(FIXED..length) else { return Ok(None) };
    let is_local = command == 0x20;
    let addresses = if is_local { None } else { binary_addresses(family, content)? };
    Ok(Some(Header { length, addresses }))
}

/// The addresses of TCP over IPv4 and IPv6; the room of the other families is only measured.
fn binary_addresses(family: u8, content: &[u8]) -> Result<Option<Addresses>, HeaderError> {
    let size = match family >> 4 {
        1 => 12,
        2 => 36,
        3 => 216,
        _ => 0,
    };
    let content = content.get(..size).ok_or(HeaderError::Short)?;
    if family & 0xf != 1 || !matches!(size, 12 | 36) {
        return Ok(None);
    }
    let (addresses, ports) = content.split_at(size - 4);
    let (source, destination) = addresses.split_at(addresses.len() / 2);
    let end = |ip, at| Some(SocketAddr::new(binary_ip(ip)?, u16::from_be_bytes([ports[at], ports[at + 1]])));
    Ok(end(source, 0).zip(end(destination, 2)).map(|(source, destination)| Addresses { source, destination }))
}

fn binary_ip(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
        parse(bytes, Versions::Any)
    }

    /// Somebody's own header of version 2.
    fn made(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, content].concat()
    }

    /// Puts extensions behind the addresses.
    fn extended(header: &[u8], extensions: &[u8]) -> Vec<u8> {
        made(header[12], header[13], &[&header[FIXED..], extensions].concat())
    }

    /// The examples of the specification and of its readers' tests.
    #[test]
    fn lines_are_read() {
        let addresses = |bytes: &[u8]| read(bytes).unwrap().unwrap().addresses.map(|them| them.source.to_string());
        assert_eq!(addresses(b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\nGET").unwrap(), "192.0.2.7:56324");
        assert_eq!(addresses(b"PROXY TCP6 2001:db8::1 ::1 1 0\r\n").unwrap(), "[2001:db8::1]:1");
        assert_eq!(addresses(b"PROXY UNKNOWN\r\n"), None);
        let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
        assert_eq!(read(longest), Ok(Some(Header { length: longest.len(), addresses: None })));
    }

    #[test]
    fn what_is_no_line_of_version_1_is_refused() {
        let lines: [&[u8]; 17] = [
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\rX",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443 1\r\n",
            b"PROXY TCP4  192.0.2.7 10.0.0.1 56324 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443 \r\n",
            b"PROXY TCP4 192.0.2.07 10.0.0.1 1 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 01 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1  443\r\n",
            b"PROXY TCP4 ::1 ::1 1 443\r\n",
            b"PROXY TCP6 192.0.2.7 10.0.0.1 1 443\r\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 1 443\r\n",
            b"PROXY unknown\r\n",
            b"PROXY \r\n",
            b"PROXY UNKNOWN\xff \r\n",
        ];
        for line in lines {
            assert_eq!(read(line), Err(HeaderError::Line), "{}", line.escape_ascii());
        }
        let (just, over) = (105 - "PROXY UNKNOWN ".len(), 106 - "PROXY UNKNOWN ".len());
        assert!(read(format!("PROXY UNKNOWN {}\r\n", "x".repeat(just)).as_bytes()).unwrap().is_some());
        assert_eq!(read(format!("PROXY UNKNOWN {}\r\n", "x".repeat(over)).as_bytes()), Err(HeaderError::Line));
    }

    #[test]
    fn local_and_what_is_no_ip_announce_nobody() {
        for (command, family, room) in
            [(0x20, 0x00, 0), (0x20, 0x11, 0), (0x20, 0x11, 12), (0x21, 0x00, 9), (0x21, 0x31, 216), (0x21, 0x12, 12)]
        {
            let bytes = made(command, family, &vec![1; room]);
            assert_eq!(read(&bytes), Ok(Some(Header { length: FIXED + room, addresses: None })), "{family:x}");
        }
    }

    #[test]
    fn what_is_no_header_of_version_2_is_refused() {
        for (command, family) in [(0x11, 0x11), (0x22, 0x11), (0x31, 0x11), (0x21, 0x41), (0x21, 0x13)] {
            assert_eq!(read(&made(command, family, &[0; 40])), Err(HeaderError::Unknown), "{command:x} {family:x}");
        }
        for (family, room) in [(0x11, 11), (0x21, 35), (0x31, 215)] {
            assert_eq!(read(&made(0x21, family, &vec![0; room])), Err(HeaderError::Short));
        }
        assert!(read(&made(0x21, 0x11, &[0; MAX_HEADER - FIXED])).unwrap().is_some());
        assert_eq!(read(&made(0x21, 0x11, &[0; MAX_HEADER - FIXED + 1])[..FIXED]), Err(HeaderError::Long));
    }

    #[test]
    fn nobody_and_two_families_can_be_announced_too() {
        for version in [Version::V1, Version::V2] {
            assert_eq!(read(&write(version, None)).unwrap().unwrap().addresses, None);
            let ends =
                Addresses { source: "192.0.2.7:1".parse().unwrap(), destination: "[2001:db8::1]:2".parse().unwrap() };
            let announced = read(&write(version, Some(ends))).unwrap().unwrap().addresses.unwrap();
            assert_eq!(
                (announced.source.ip().to_canonical(), announced.destination),
                (ends.source.ip(), ends.destination)
            );
        }
    }

    #[test]
    fn a_version_that_is_not_asked_for_is_no_header() {
        let (one, two) = (b"PROXY UNKNOWN\r\n".to_vec(), made(0x20, 0, &[]));
        assert_eq!(parse(&one, Versions::V2), Err(HeaderError::Missing));
        assert_eq!(parse(&two, Versions::V1), Err(HeaderError::Missing));
        assert_eq!(parse(b"\x16\x03\x01", Versions::Any), Err(HeaderError::Missing));
        assert_eq!(parse(b"GET / HTTP/1.1\r\n", Versions::Any), Err(HeaderError::Missing));
    }

    fn addresses() -> impl Strategy<Value = Addresses> {
        let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(one, other)| (IpAddr::from(one), IpAddr::from(other)));
        let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(one, other)| (IpAddr::from(one), IpAddr::from(other)));
        (prop_oneof![v4, v6], any::<(u16, u16)>()).prop_map(|((from, to), ports)| Addresses {
            source: SocketAddr::new(from, ports.0),
            destination: SocketAddr::new(to, ports.1),
        })
    }

    proptest! {
        #[test]
        fn what_was_announced_is_read_back(addresses in addresses(), rest: Vec<u8>, extensions in prop::collection::vec(any::<u8>(), 0..200)) {
            let binary = write(Version::V2, Some(addresses));
            for header in [write(Version::V1, Some(addresses)), extended(&binary, &extensions), binary] {
                let expected = Header { length: header.len(), addresses: Some(addresses) };
                prop_assert_eq!(read(&[header.clone(), rest.clone()].concat()), Ok(Some(expected)));
                for cut in 0..header.len() {
                    prop_assert_eq!(read(&header[..cut]), Ok(None));
                }
            }
        }

        /// Whatever came, more bytes change no verdict, and those that were missing are the header's.
        #[test]
        fn a_verdict_stands_whatever_comes_after(
            begin in prop::sample::select(vec![&b"PROXY TCP4 "[..], b"PROXY UNKNOWN", SIGNATURE, b""]),
            bytes in prop::collection::vec(any::<u8>(), 0..150),
            cut in any::<prop::sample::Index>(),
        ) {
            let all = [begin, &bytes].concat();
            let cut = cut.index(all.len() + 1);
            match read(&all[..cut]) {
                Ok(None) => if let Ok(Some(header)) = read(&all) { prop_assert!(header.length > cut) },
                verdict => prop_assert_eq!(read(&all), verdict),
            }
        }
    }
}
