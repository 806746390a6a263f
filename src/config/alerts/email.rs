//! What `[[alerts.channel]]` of type `email` has beside the rest.

use std::net::IpAddr;

use crate::alert::{EmailSettings, Security};
use crate::config::address;
use crate::config::finding::{Complaint, quoted};
use crate::config::output::host_and_port;
use crate::config::reader::Section;
use crate::config::secret;
use crate::config::tree::Node;
use crate::config::value::{boolean, name, text};
use crate::net::{Target, TlsFiles};
use crate::secret::Secret;

/// The keys of mail; `None` where it is not known by whom, or to whom.
pub(super) fn read(section: &mut Section<'_>) -> Option<EmailSettings> {
    let origin = section.origin();
    let (tls_at, user_at) = (section.at("tls"), section.at("user"));
    let server = section.require("smtp", "\"smtp://mail.example.com:587\"", server);
    let is_plain = section.read("tls", boolean) == Some(false);
    let security = match &server {
        Some(Server { is_implicit: true, .. }) if is_plain => {
            let message = format!("`{}` contradicts smtps://", section.name("tls"));
            section.reader.error(tls_at, message, "write smtp://, or take it out");
            Security::Implicit
        }
        Some(Server { is_implicit: true, .. }) => Security::Implicit,
        _ if is_plain => Security::Plain,
        _ => Security::StartTls,
    };
    let files = tls(section, security != Security::Plain, "take `tls` out, or this");
    let login = login(section);
    if let (Some(_), Security::Plain, Some(server)) = (&login, security, &server)
        && !is_loopback(&server.host)
    {
        let message = "the password is sent in the clear: whoever listens on the way has it";
        section.reader.warning(user_at, message, "take `tls` out");
    }
    let from = section.require("from", "\"gatelog@example.com\"", mailbox);
    let to = recipients(section);
    let prefix = section.read("subject_prefix", prefix).unwrap_or_else(|| "[gatelog]".to_owned());
    let Server { host, port, .. } = server?;
    let peer = Target { host, port, tls: files };
    Some(EmailSettings { origin, peer, security, login, from: from?, to: to?, prefix })
}

/// What `smtp` names.
struct Server {
    is_implicit: bool,
    host: String,
    port: u16,
}

/// `smtp://host:587` or `smtps://host:465`.
fn server(node: &Node) -> Result<Server, Complaint> {
    let text = node.text()?;
    // Whatever stands before an @ may be a password, so that this message shows nothing of the URL.
    if text.contains('@') {
        return Err(Complaint::new("it has a user or a password", "write them as `user` and `password`"));
    }
    let hint = "such as \"smtp://mail.example.com:587\" or \"smtps://mail.example.com:465\"";
    let refused = || Complaint::new(format!("{} is no URL of a mail server", quoted(text)), hint);
    let (is_implicit, rest) = match (text.strip_prefix("smtp://"), text.strip_prefix("smtps://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(refused()),
    };
    let usual = if is_implicit { 465 } else { 587 };
    let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest), Some(usual)).map_err(|_| refused())?;
    Ok(Server { is_implicit, host, port })
}

/// `ca` and `server_name`; `None` and a warning where there is no TLS.
pub(super) fn tls(section: &mut Section<'_>, is_tls: bool, hint: &str) -> Option<TlsFiles> {
    let first = ["ca", "server_name"].into_iter().find(|key| section.has(key));
    if let (Some(key), false) = (first, is_tls) {
        let message = format!("`{}` has no effect: nothing is encrypted on the way", section.name(key));
        section.reader.warning(section.at(key), message, hint);
    }
    let ca = section.file("ca");
    let server_name = section.read("server_name", address::server_name);
    is_tls.then_some(TlsFiles { ca, identity: None, server_name })
}

/// `user` and `password`: both or neither.
fn login(section: &mut Section<'_>) -> Option<(String, Secret)> {
    for (key, missing) in [("user", "password"), ("password", "user")] {
        if section.has(key) && !section.has(missing) {
            let message = format!("`{}` is there without `{}`", section.name(key), section.name(missing));
            section.reader.error(section.at(key), message, format!("add `{missing}`"));
        }
    }
    let (user_at, password_at) = (section.at("user"), section.at("password"));
    let user = section.read("user", name);
    let password = secret::read(section, "password");
    let has_nul = |text: &str| text.contains('\0');
    if user.as_deref().is_some_and(has_nul) {
        section.reader.error(user_at, "no user has a NUL in the name", "take it out");
    }
    if password.as_ref().is_some_and(|password| password.expose().is_empty() || has_nul(password.expose())) {
        let message = format!("`{}`: it is empty, or holds what no password can", section.name("password"));
        section.reader.error(password_at, message, "look at the end of the file or of the variable");
    }
    user.zip(password)
}

/// `to`: one address, or up to fifty.
fn recipients(section: &mut Section<'_>) -> Option<Vec<String>> {
    let (at, reader, key) = (section.at("to"), section.reader, section.name("to"));
    if !section.has("to") {
        reader.error(section.at, format!("`{key}` is missing"), "add to = [\"ops@example.com\"]");
    }
    let nodes = section.nodes("to")?;
    let count = nodes.len();
    let to: Vec<String> =
        nodes.into_iter().filter_map(|node| reader.judge(&key, node, |node| mailbox(&node))).collect();
    match count {
        0 => reader.error(at, format!("`{key}` is empty"), "write at least one address: [\"ops@example.com\"]"),
        1..=MOST_RECIPIENTS => return (to.len() == count).then_some(to),
        _ => {
            let hint = format!("{MOST_RECIPIENTS} are the most; a list of the mail server holds more");
            reader.error(at, format!("`{key}` has {count} addresses"), hint);
        }
    }
    None
}

const MOST_RECIPIENTS: usize = 50;

/// `subject_prefix`.
fn prefix(node: &Node) -> Result<String, Complaint> {
    let prefix = text(node)?;
    if prefix.chars().any(char::is_control) || prefix.chars().count() > 64 {
        return Err(Complaint::new("it cannot stand in a subject", "one line of at most 64 characters: \"[shop]\""));
    }
    Ok(prefix)
}

/// An address, or a name and an address: `ops@example.com`, `Ops <ops@example.com>`, `"Ops, Inc." <ops@example.com>`.
///
/// Stricter than RFC 5322: no comments, no quoted local parts, no folding. What passes can stand in a header as it is.
fn mailbox(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    let hint = "write \"ops@example.com\" or \"Ops <ops@example.com>\"";
    // Control characters are not repeated either.
    if text.chars().any(char::is_control) {
        return Err(Complaint::new("an address has no control characters in it", hint));
    }
    let refused = |hint| Complaint::new(format!("{} is no address", quoted(text)), hint);
    let trimmed = text.trim();
    let address = match trimmed.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        None => trimmed,
        Some((name, address)) if is_name(name.trim()) => address,
        Some(_) => return Err(refused("put the name in quotes: '\"Ops, Inc.\" <ops@example.com>'")),
    };
    (trimmed.len() <= 320 && is_address(address)).then(|| trimmed.to_owned()).ok_or_else(|| refused(hint))
}

/// Words, or anything between quotes but quotes and backslashes; or nothing.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c == ' ' || is_atom(c) || !c.is_ascii() && c.is_alphanumeric();
    match name.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').is_some_and(|inner| !inner.contains(['"', '\\'])),
        None => name.chars().all(is_plain),
    }
}

/// A dotted word of ASCII before the `@`, a host or `[address]` behind it.
fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_local = local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom));
    let is_domain = match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<IpAddr>().is_ok(),
        None => domain.is_ascii() && domain.parse::<IpAddr>().is_err() && address::host_name(domain).is_some(),
    };
    is_local && is_domain
}

/// What RFC 5322 has for `atext`.
fn is_atom(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::source::At;
    use crate::config::tree::Value;

    fn read(text: &str) -> Option<String> {
        mailbox(&Node { at: At::whole(0), value: Value::Text(text.to_owned()) }).ok()
    }

    #[test]
    fn addresses_may_have_names() {
        let sound = [
            "ops@example.com",
            "first.last+alerts@sub.example.com",
            "Ops <ops@example.com>",
            "Zoë Ops <ops@example.com>",
            "\"Ops, Inc.\" <ops@example.com>",
            "<ops@example.com>",
            "root@localhost",
            "ops@[127.0.0.1]",
        ];
        for text in sound {
            assert_eq!(read(text).as_deref(), Some(text));
        }
        assert_eq!(read(" ops@example.com ").as_deref(), Some("ops@example.com"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong = [
            "",
            "ops",
            "@",
            "ops@",
            "@example.com",
            "a b@example.com",
            "ops@exa mple.com",
            "ops@example.com,b@c.d",
            "a..b@example.com",
            ".a@example.com",
            "Ops, Inc. <ops@example.com>",
            "Ops <ops@example.com",
            "Ops ops@example.com>",
            "\"a\"b\" <a@b.c>",
            "\"a\\\" <a@b.c>",
            "<a@b.c> <a@b.c>",
            "a@b@c d",
            "ops@example.com\r\nBcc: x@y.z",
            "Ops\n <ops@example.com>",
            "a@b.c\0",
            "ü@example.com",
        ];
        for text in wrong {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("{}@example.com", "a".repeat(65))), None);
    }

    proptest! {
        #[test]
        fn nothing_that_passes_can_end_a_header(text in "(\"?[ -~\r\n\t]{0,12}\"? )?<?[a-z.@\r\n<>,\"]{1,16}>?") {
            if let Some(text) = read(&text) {
                prop_assert!(!text.chars().any(char::is_control));
                let bare = text.split('"').step_by(2).collect::<String>();
                prop_assert!(!bare.contains([',', ';', ':', '(', ')', '\\']));
                prop_assert!(bare.matches('@').count() == 1 && bare.matches('<').count() <= 1);
            }
        }
    }
}
