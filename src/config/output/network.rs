//! What every `[[log.output]]` over a network has: batches, attempts, a spool, TLS.

use std::time::Duration;

use crate::config::address;
use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::tree::Node;
use crate::config::value::{count_limit, duration, name, size};
use crate::net::TlsFiles;
use crate::pipeline::{BatchSettings, DeliverySettings, SpoolSettings};

/// The keys of delivery, over what is the default of the kind.
pub(super) fn delivery(section: &mut Section<'_>, mut settings: DeliverySettings) -> DeliverySettings {
    let default = settings.batch;
    settings.batch = batch(section.table_or_empty("batch"), default);
    section.set("timeout", &mut settings.timeout, |node| between(node, "1s", "10m"));
    section.set("retry_at_most", &mut settings.retry_at_most, |node| between(node, "1s", "1h"));
    settings.spool = section.table("spool").and_then(spool);
    settings
}

/// `concurrency`, for kinds that keep no order.
pub(super) fn concurrency(node: &Node) -> Result<usize, Complaint> {
    let refused = || Complaint::new("that many requests cannot be in flight", "write a number from 1 to 64");
    count_limit(node)?.filter(|count| (1..=64).contains(count)).ok_or_else(refused)
}

/// `batch`.
fn batch(mut section: Section<'_>, mut batch: BatchSettings) -> BatchSettings {
    section.set("records", &mut batch.records, |node| {
        let refused = || Complaint::new("that many records cannot be a batch", "write a number from 1 to 100000");
        count_limit(node)?.filter(|count| *count <= 100_000).ok_or_else(refused)
    });
    section.set("bytes", &mut batch.bytes, |node| match size(node)? {
        bytes @ 0x400..=0x400_0000 => Ok(bytes as usize),
        bytes => Err(Complaint::new(format!("{bytes} bytes cannot be a batch"), "from \"1KB\" to \"64MB\"")),
    });
    section.set("wait", &mut batch.wait, |node| between(node, "0s", "1h"));
    batch
}

/// A duration within bounds that are given as they would be written.
fn between(node: &Node, least: &str, most: &str) -> Result<Duration, Complaint> {
    let bound = |text: &str| duration(&Node { value: crate::config::tree::Value::Text(text.to_owned()), ..*node });
    let value = duration(node)?;
    if (bound(least)?..=bound(most)?).contains(&value) {
        return Ok(value);
    }
    Err(Complaint::new("it is out of bounds", format!("from \"{least}\" to \"{most}\"")))
}

/// `spool`.
fn spool(mut section: Section<'_>) -> Option<SpoolSettings> {
    let reader = section.reader;
    let path = section.require("path", "\"spool/http\"", |node| {
        let text = name(node)?;
        Ok(reader.sources.borrow().path(node.at, &text))
    });
    let max = section.read("max", |node| match size(node)? {
        bytes @ SMALLEST_SPOOL.. => Ok(bytes),
        bytes => Err(Complaint::new(format!("{bytes} bytes hold hardly a minute"), "write \"1MB\" at least")),
    });
    Some(SpoolSettings { path: path?, max: max.unwrap_or(SPOOL) })
}

const SMALLEST_SPOOL: u64 = 1 << 20;
/// A million requests, more or less.
const SPOOL: u64 = 1 << 30;

/// `ca`, `certificate`, `key` and `server_name`; `None` and a warning where there is no TLS.
pub(super) fn tls(section: &mut Section<'_>, is_tls: bool, hint: &str) -> Option<TlsFiles> {
    let first = TLS_KEYS.into_iter().find(|key| section.has(key));
    if let (Some(key), false) = (first, is_tls) {
        let message = format!("`{}` has no effect: nothing is encrypted on the way to this output", section.name(key));
        section.reader.warning(section.at(key), message, hint);
    }
    for (key, missing) in [("certificate", "key"), ("key", "certificate")] {
        if section.has(key) && !section.has(missing) {
            let message = format!("`{}` is there without `{}`", section.name(key), section.name(missing));
            section.reader.error(section.at(key), message, format!("add {missing} = \"FILE\", in PEM"));
        }
    }
    let files = TlsFiles {
        ca: section.file("ca"),
        identity: section.file("certificate").zip(section.file("key")),
        server_name: section.read("server_name", address::server_name),
    };
    is_tls.then_some(files)
}

const TLS_KEYS: [&str; 4] = ["ca", "certificate", "key", "server_name"];

/// A host and a port, which may be left out where there is a usual one.
pub(in crate::config) fn host_and_port(text: &str, usual: Option<u16>) -> Result<(String, u16), Complaint> {
    let refused =
        || Complaint::new(format!("{} is no host and port", quoted(text)), "such as \"logs.example.com:514\"");
    let (host, port) = match text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(refused)?),
        None => (text, usual.ok_or_else(refused)?),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((address::host_name(bare).ok_or_else(refused)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let read = |text: &str| host_and_port(text, Some(514)).ok();
        assert_eq!(read("Logs.Example:1514"), Some(("logs.example".into(), 1514)));
        assert_eq!(read("10.0.0.1"), Some(("10.0.0.1".into(), 514)));
        assert_eq!(read("[::1]:601"), Some(("::1".into(), 601)));
        assert_eq!(read("::1"), Some(("::1".into(), 514)));
        for text in ["", ":514", "a:0", "a:b", "a b", "a:70000"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(host_and_port("a", None).is_err());
    }
}
