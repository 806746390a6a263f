//! Addresses as they are written: where to listen, servers, hosts, networks.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::Uri;
use ipnet::IpNet;
use rustls::pki_types::ServerName;

use super::finding::{Complaint, quoted};
use super::tree::Node;
use crate::listen::ListenAddress;
use crate::net::peer::UNIX;
use crate::upstream::{Place, Protocol, ServerSettings};

/// Where to listen: an IP address and a port, `unix:` and the path of a socket, `fd:` and the name of one that the service
/// manager opens.
pub(super) fn listen(node: &Node) -> Result<ListenAddress, Complaint> {
    let text = node.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return bound_path(path).map(ListenAddress::Unix);
    }
    if let Some(name) = text.strip_prefix("fd:") {
        return inherited(name);
    }
    socket(node).map(ListenAddress::Tcp)
}

/// An IP address and a port.
pub(super) fn socket(node: &Node) -> Result<SocketAddr, Complaint> {
    let text = node.text()?;
    text.parse().map_err(|_| {
        let hint = match (text.strip_prefix(':'), text.strip_prefix("localhost:"), text.parse::<u16>()) {
            (Some(port), _, _) => format!("write \"0.0.0.0:{port}\" for every address of this machine"),
            (_, Some(port), _) => format!("write \"127.0.0.1:{port}\""),
            (_, _, Ok(port)) => format!("write \"0.0.0.0:{port}\" for every address of this machine"),
            _ => r#"write an IP address and a port: "0.0.0.0:8080", "[::]:8080""#.to_owned(),
        };
        Complaint::new(format!("{} is no address to listen on", quoted(text)), hint)
    })
}

/// The path of a socket that is made here.
fn bound_path(path: &str) -> Result<PathBuf, Complaint> {
    if path.len() > LONGEST_BOUND_PATH {
        let message = format!("the path of a socket has {} bytes", path.len());
        return Err(Complaint::new(message, format!("{LONGEST_BOUND_PATH} at most; take a shorter folder")));
    }
    socket_path(path, "unix:/run/gatelog.sock")
}

/// A path from the root, as a relative one would depend on where gatelog is started.
fn socket_path(path: &str, example: &str) -> Result<PathBuf, Complaint> {
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let message = format!("{} is no path of a socket", quoted(path));
        return Err(Complaint::new(message, format!("write it from the root: \"{example}\"")));
    }
    Ok(path.into())
}

/// `sun_path` of Linux holds 107, and while it is made the socket's name is longer by a point and a process's number.
const LONGEST_BOUND_PATH: usize = 96;

/// `FileDescriptorName=` of a systemd socket unit; without it that is the unit's own name.
fn inherited(name: &str) -> Result<ListenAddress, Complaint> {
    let is_name =
        !name.is_empty() && name.len() < 256 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let refused = || {
        let hint = "write FileDescriptorName= of the socket unit: \"fd:http\"";
        Complaint::new(format!("{} is no name of a socket", quoted(name)), hint)
    };
    is_name.then(|| ListenAddress::Inherited(name.to_owned())).ok_or_else(refused)
}

/// The URL of a server: `http://`, `https://` or `h2c://`, host, port, nothing else; or `unix:` and a path.
pub(super) fn server(text: &str) -> Result<ServerSettings, Complaint> {
    if let Some(path) = text.strip_prefix("http://").unwrap_or(text).strip_prefix("unix:") {
        let place = socket_path(path, "unix:/run/app.sock").map(Place::Unix)?;
        return Ok(ServerSettings::new(Protocol::Http, place));
    }
    // Whatever stands before an @ may be a password, so that this message shows nothing of the URL.
    if text.contains('@') {
        return Err(Complaint::new("a server's URL has no user and password", "take them out: http://HOST:PORT"));
    }
    let uri: Uri = text.parse().map_err(|_| no_url(text))?;
    let protocol = match uri.scheme_str() {
        Some("http") => Protocol::Http,
        Some("https") => Protocol::Https,
        Some("h2c") => Protocol::H2c,
        _ => return Err(no_url(text)),
    };
    let authority = uri.authority().ok_or_else(|| no_url(text))?;
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") || text.contains('#') {
        let message = format!("{} has a path", quoted(text));
        return Err(Complaint::new(message, "requests keep their own path; to choose by path, write `prefix`"));
    }
    let host = host_name(authority.host().trim_start_matches('[').trim_end_matches(']')).ok_or_else(|| no_url(text))?;
    let port = port(authority.as_str(), authority.port_u16(), protocol.is_tls()).ok_or_else(|| no_url(text))?;
    Ok(ServerSettings::new(protocol, Place::Host { host, port }))
}

/// The port that is written, or the scheme's own; none where what is written is no port.
fn port(authority: &str, written: Option<u16>, tls: bool) -> Option<u16> {
    match written {
        Some(port) => Some(port).filter(|port| *port > 0),
        None if authority.rsplit(']').next().is_some_and(|rest| rest.contains(':')) => None,
        None => Some(if tls { 443 } else { 80 }),
    }
}

/// The scheme is what is most often left out.
fn no_url(text: &str) -> Complaint {
    let hint = if text.contains("://") {
        "write http://HOST:PORT or https://HOST:PORT".to_owned()
    } else {
        format!("write http://{text}")
    };
    Complaint::new(format!("{} is no URL of a server", quoted(text)), hint)
}

/// A name or address in lower case, if it is one.
pub(super) fn host_name(text: &str) -> Option<String> {
    ServerName::try_from(text).ok().map(|_| text.to_ascii_lowercase())
}

/// A host that requests are for: a name or address without port.
pub(super) fn host(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    host_name(text.trim_start_matches('[').trim_end_matches(']')).ok_or_else(|| {
        let hint = if text.contains('*') { "write each name in full" } else { "write a name, without scheme and port" };
        Complaint::new(format!("{} is no host name", quoted(text)), hint)
    })
}

/// A name to ask a TLS server for.
pub(super) fn server_name(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    host_name(text).ok_or_else(|| Complaint::new(format!("{} is no host name", quoted(text)), "write a name"))
}

/// A peer that is trusted: a network, one address, or whoever comes over a unix socket (`None`), as nginx calls it.
pub(super) fn trusted(node: &Node) -> Result<Option<IpNet>, Complaint> {
    if node.text()? == UNIX { Ok(None) } else { network(node).map(Some) }
}

/// A network, or one address.
pub(super) fn network(node: &Node) -> Result<IpNet, Complaint> {
    let text = node.text()?;
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc()).ok_or_else(|| {
        Complaint::new(format!("{} is no network", quoted(text)), r#"write "10.0.0.0/8", "fd00::/8" or one address"#)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (bool, String, u16) {
        let server = server(url).unwrap();
        let Place::Host { host, port } = server.place else { panic!("{url}") };
        (server.protocol.is_tls(), host, port)
    }

    #[test]
    fn a_unix_socket_is_a_path_from_the_root() {
        for url in ["unix:/run/app.sock", "http://unix:/run/app.sock"] {
            assert_eq!(server(url).unwrap().place, Place::Unix("/run/app.sock".into()));
        }
    }

    #[test]
    fn servers_are_scheme_host_and_port() {
        assert_eq!(read("http://127.0.0.1:8000"), (false, "127.0.0.1".into(), 8000));
        assert_eq!(read("https://App.Example/"), (true, "app.example".into(), 443));
        assert_eq!(read("h2c://app:50051"), (false, "app".into(), 50051));
        assert_eq!(read("http://my_app"), (false, "my_app".into(), 80));
        assert_eq!(read("https://[::1]:8443"), (true, "::1".into(), 8443));
        assert_eq!(read("http://[::1]"), (false, "::1".into(), 80));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        let urls = [
            "",
            "127.0.0.1:8000",
            "ftp://a",
            "http://",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://a:b",
            "http://a/b",
            "http://a?b",
            "http://a#b",
            "http://u:p@a",
            "http://a b",
            "http://-",
            "unix:a",
            "unix:",
            "unix:/a/",
            "https://unix:/a",
            "http://[::1",
            "http://::1",
            "http:///a",
            "http://a..b",
        ];
        for url in urls {
            assert!(server(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let complaint = server("http://user:hunter2@host").unwrap_err();
        assert!(!complaint.message.contains("hunter2") && !complaint.hint.contains("hunter2"));
    }
}
