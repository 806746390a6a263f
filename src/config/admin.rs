//! `[admin]`: where it listens, and who may ask.

use std::net::SocketAddr;

use super::address;
use super::finding::Complaint;
use super::reader::Section;
use super::secret;
use super::tree::{Node, Value};
use super::value::is_off;
use crate::admin::Settings;
use crate::listen::{ListenAddress, ListenSettings};

/// `[admin]`, or `admin = "off"`.
pub(super) fn read(root: &mut Section<'_>, listeners: &[ListenSettings]) -> Settings {
    if matches!(root.value("admin"), Some(Value::Text(text) | Value::Untyped(text)) if text.trim() == "off") {
        drop(root.take("admin"));
        return Settings { address: None, ..Settings::default() };
    }
    let mut section = root.table_or_empty("admin");
    let (at, is_written) = (section.at("address"), section.has("address"));
    let mut settings = Settings::default();
    section.set("address", &mut settings.address, listen);
    settings.token = token(&mut section);
    settings.hosts = section.list("hosts", address::host).unwrap_or_default();
    let (reader, has_token) = (section.reader, settings.token.is_some());
    if let Some(address) = settings.address.filter(|address| !address.ip().is_loopback() && !has_token) {
        let message = format!("`admin.address`: others can reach {address}, and there is no token to show");
        reader.error(at, message, "add token = { env = \"GATELOG_ADMIN_TOKEN\" }, or listen on 127.0.0.1");
    }
    if let Some(address) = settings.address.filter(|address| is_written && is_taken(*address, listeners)) {
        let message = format!("`admin.address`: {address} is for traffic already");
        reader.error(at, message, "take another port");
    }
    settings
}

fn listen(node: &Node) -> Result<Option<SocketAddr>, Complaint> {
    if is_off(node) { Ok(None) } else { address::socket(node).map(Some) }
}

/// A token that can be shown in a header and not be guessed.
fn token(section: &mut Section<'_>) -> Option<crate::secret::Secret> {
    let at = section.at("token");
    let token = secret::read(section, "token")?;
    let text = token.expose();
    if text.len() < SHORTEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "`admin.token`: the token is too short, or cannot stand in a header";
        let hint = "at least 16 characters without spaces, such as the output of: openssl rand -hex 16";
        section.reader.error(at, message, hint);
        return None;
    }
    Some(token)
}

/// Characters; 16 of them, well chosen, cannot be tried out.
const SHORTEST_TOKEN: usize = 16;

/// Whether traffic comes in at the same place.
fn is_taken(address: SocketAddr, listeners: &[ListenSettings]) -> bool {
    let same = |other: SocketAddr| {
        other.port() == address.port() && (other.ip() == address.ip() || other.ip().is_unspecified())
    };
    address.port() != 0
        && listeners.iter().any(|listener| matches!(listener.address, ListenAddress::Tcp(other) if same(other)))
}
