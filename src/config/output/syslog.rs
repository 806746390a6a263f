//! What `[[log.output]]` of type `syslog` has beside the rest.

use std::path::PathBuf;
use std::time::Duration;

use super::network::{delivery, host_and_port, tls};
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::tree::Node;
use crate::config::value::{choice, name, size};
use crate::net::Target;
use crate::pipeline::{BatchSettings, DeliverySettings, SyslogAddress, SyslogSettings};

/// The keys of a syslog receiver; `None` where it is not known which.
pub(super) fn read(section: &mut Section<'_>) -> Option<SyslogSettings> {
    let origin = section.origin();
    let address = section.require("address", "\"unix:/dev/log\"", address);
    let is_tls = address.as_ref().is_none_or(|address| matches!(address, Address::Tls(..)));
    let files = tls(section, is_tls, "write tls:// before the address, or take it out");
    let batch = BatchSettings { records: 1000, bytes: 256 << 10, wait: Duration::ZERO };
    let settings = SyslogSettings {
        origin,
        address: SyslogAddress::Unix(PathBuf::new()),
        facility: section.read("facility", |node| choice(node, &FACILITIES)).unwrap_or(LOCAL0),
        hostname: section.read("hostname", header_name),
        app_name: section.read("app_name", header_name).unwrap_or_else(|| "gatelog".to_owned()),
        max_message: section.read("max_message", max_message).unwrap_or(MAX_MESSAGE),
        delivery: delivery(section, DeliverySettings { batch, ..DeliverySettings::default() }),
    };
    let peer = |(host, port)| Target { host, port, tls: files };
    let address = match address? {
        Address::Unix(path) => SyslogAddress::Unix(path),
        Address::Udp(target) => SyslogAddress::Udp(peer(target)),
        Address::Tcp(target) | Address::Tls(target) => SyslogAddress::Tcp(peer(target)),
    };
    Some(SyslogSettings { address, ..settings })
}

/// An address as it is written.
enum Address {
    Unix(PathBuf),
    Udp((String, u16)),
    Tcp((String, u16)),
    Tls((String, u16)),
}

/// `unix:PATH`, `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`. Only TLS and UDP have a port of their own.
fn address(node: &Node) -> Result<Address, Complaint> {
    let text = node.text()?;
    let target = |rest: &str, usual| host_and_port(rest, usual);
    if let Some(path) = text.strip_prefix("unix:") {
        let is_path = path.starts_with('/') && !path.ends_with('/') && path.len() <= LONGEST_SOCKET;
        let refused = || Complaint::new(format!("{} is no path of a socket", quoted(path)), "write \"unix:/dev/log\"");
        return is_path.then(|| Address::Unix(path.into())).ok_or_else(refused);
    }
    match text.split_once("://") {
        Some(("udp", rest)) => target(rest, Some(514)).map(Address::Udp),
        Some(("tcp", rest)) => target(rest, None).map(Address::Tcp),
        Some(("tls", rest)) => target(rest, Some(6514)).map(Address::Tls),
        _ => {
            let hint = "write \"unix:/dev/log\", \"udp://HOST:514\", \"tcp://HOST:601\" or \"tls://HOST:6514\"";
            Err(Complaint::new(format!("{} is no address of a syslog receiver", quoted(text)), hint))
        }
    }
}

/// What the system allows for the path of a socket.
const LONGEST_SOCKET: usize = 107;

/// A name in the head of a message.
fn header_name(node: &Node) -> Result<String, Complaint> {
    let text = name(node)?;
    match text.len() <= 48 && text.chars().all(|character| character.is_ascii_graphic()) {
        true => Ok(text),
        false => {
            Err(Complaint::new(format!("{} is no name for syslog", quoted(&text)), "48 letters at most, no spaces"))
        }
    }
}

/// Bytes of a datagram.
fn max_message(node: &Node) -> Result<usize, Complaint> {
    match size(node)? {
        bytes @ 480..=65_000 => Ok(bytes as usize),
        bytes => Err(Complaint::new(format!("{bytes} bytes cannot be a datagram"), "from 480 (RFC 5426) to 65000")),
    }
}

/// What rsyslog and syslog-ng take unless they are told otherwise.
const MAX_MESSAGE: usize = 8 << 10;

const LOCAL0: u8 = 16;

/// By the names of RFC 5424 §6.2.1, as `logger` and rsyslog write them.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", LOCAL0),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
