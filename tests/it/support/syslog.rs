//! Receivers of syslog: what RFC 5424 messages say in their heads, and of losses in their text.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::collector::Accepted;

/// A receiver on TCP that counts octets (RFC 6587 §3.4.1), for as long as the test runs.
pub(crate) fn tcp() -> (SocketAddr, Accepted) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, accepted) = (listener.local_addr().unwrap(), Accepted::default());
    let into = accepted.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let into = into.clone();
            std::thread::spawn(move || receive(&mut BufReader::new(stream), &into));
        }
    });
    (addr, accepted)
}

fn receive(stream: &mut BufReader<TcpStream>, into: &Accepted) {
    let mut length = Vec::new();
    while stream.read_until(b' ', &mut length).is_ok_and(|read| read > 0) {
        let octets = std::str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
        let mut message = vec![0; octets];
        stream.read_exact(&mut message).unwrap();
        into.take([record(std::str::from_utf8(&message).unwrap())]);
        length.clear();
    }
}

/// A receiver on a unix socket of datagrams in this folder.
pub(crate) fn datagrams(folder: &Path) -> (PathBuf, Accepted) {
    let (path, accepted) = (folder.join("syslog"), Accepted::default());
    let (socket, into) = (UnixDatagram::bind(&path).unwrap(), accepted.clone());
    std::thread::spawn(move || {
        let mut message = vec![0; 1 << 16];
        while let Ok(length) = socket.recv(&mut message) {
            into.take([record(std::str::from_utf8(&message[..length]).unwrap())]);
        }
    });
    (path, accepted)
}

/// A message as a record of what tells it from others: `event`, the parameters, the text, and what that says of a loss.
fn record(message: &str) -> Value {
    let (head, text) = message.split_once("] ").unwrap_or_else(|| panic!("{message:?}"));
    let (head, parameters) = head.split_once(" [gatelog@32473 ").unwrap_or_else(|| panic!("{message:?}"));
    let mut fields: Map<String, Value> = parameters.split(' ').map(parameter).collect();
    fields.insert("event".into(), head.rsplit(' ').next().unwrap().into());
    for name in ["count", "from_seq", "to_seq"] {
        if let Some(number) = number_in(text, name) {
            fields.insert(name.into(), number.into());
        }
    }
    fields.insert("text".into(), text.into());
    Value::Object(fields)
}

fn parameter(text: &str) -> (String, Value) {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{text:?}"));
    let value = value.trim_matches('"');
    (name.to_owned(), value.parse::<u64>().map_or_else(|_| value.into(), Value::from))
}

/// `"name":7` of JSON, or `name=7` of logfmt.
fn number_in(text: &str, name: &str) -> Option<u64> {
    let starts = [format!("\"{name}\":"), format!(" {name}=")];
    let rest = starts.iter().find_map(|start| text.split_once(start.as_str()))?.1;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}
