//! The header of the PROXY protocol: however it is cut, there is one verdict; what is read is what a plain reading of the
//! specification says; and not a byte behind it is touched.

use std::net::{IpAddr, SocketAddr};

use gatelog::net::proxy_protocol::{Addresses, Header, MAX_HEADER, Versions, parse};
use regex::bytes::Regex;

/// The target: the first byte says which versions are read. Returns whether the rest begins with a header.
pub fn run(data: &[u8]) -> bool {
    let Some((first, bytes)) = data.split_first() else { return false };
    let versions = [Versions::Any, Versions::V1, Versions::V2][usize::from(first % 3)];
    let verdict = parse(bytes, versions);
    for cut in 0..bytes.len().min(MAX_HEADER + 1) {
        match parse(&bytes[..cut], versions) {
            Ok(None) => assert!(!matches!(verdict, Ok(Some(header)) if header.length <= cut), "at {cut}"),
            early => assert_eq!(early, verdict, "at {cut}"),
        }
    }
    let Ok(Some(header)) = verdict else {
        assert!(plain(bytes, versions).is_none(), "a header is not taken: {}", bytes.escape_ascii());
        return false;
    };
    assert_eq!(Some(header), plain(bytes, versions), "{}", bytes.escape_ascii());
    true
}

fn plain(bytes: &[u8], versions: Versions) -> Option<Header> {
    let line = if versions == Versions::V2 { None } else { plain_line(bytes) };
    line.or_else(|| if versions == Versions::V1 { None } else { plain_binary(bytes) })
}

fn plain_line(bytes: &[u8]) -> Option<Header> {
    let form = r"\APROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9][0-9]*) (0|[1-9][0-9]*))\r\n";
    let found = Regex::new(form).expect("a pattern").captures(&bytes[..bytes.len().min(107)])?;
    std::str::from_utf8(&found[0]).ok()?;
    let text = |at: usize| found.get(at).and_then(|part| std::str::from_utf8(part.as_bytes()).ok());
    let addresses = match text(1) {
        None => None,
        Some(family) => {
            let end = |ip, port| Some(SocketAddr::new(text(ip)?.parse::<IpAddr>().ok()?, text(port)?.parse().ok()?));
            let (source, destination) = (end(2, 4)?, end(3, 5)?);
            if [source, destination].iter().any(|end| end.is_ipv4() != (family == "4")) {
                return None;
            }
            Some(Addresses { source, destination })
        }
    };
    Some(Header { length: found[0].len(), addresses })
}

fn plain_binary(bytes: &[u8]) -> Option<Header> {
    let rest = bytes.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let (command, family) = (*rest.first()?, *rest.get(1)?);
    let length = usize::from(*rest.get(2)?) * 256 + usize::from(*rest.get(3)?);
    let content = rest.get(4..4 + length)?;
    let known = [0x20, 0x21].contains(&command) && family >> 4 < 4 && family % 16 < 3;
    if !known || length + 16 > MAX_HEADER {
        return None;
    }
    let port = |at: usize| u16::from(content[at]) * 256 + u16::from(content[at + 1]);
    let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&content[at..at + 4]).expect("four"));
    let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&content[at..at + 16]).expect("sixteen"));
    let room = [0, 12, 36, 216][usize::from(family >> 4)];
    let ends = match (command, family) {
        (0x20, _) => None,
        _ if length < room => return None,
        (_, 0x11) => Some(((v4(0), port(8)), (v4(4), port(10)))),
        (_, 0x21) => Some(((v6(0), port(32)), (v6(16), port(34)))),
        _ => None,
    };
    let addresses =
        ends.map(|(source, destination)| Addresses { source: source.into(), destination: destination.into() });
    Some(Header { length: 16 + length, addresses })
}
